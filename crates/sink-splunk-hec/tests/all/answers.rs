//! What follows from each answer to events.

use std::time::Duration;

use pipeline::{Outcome, SinkError};
use serde_json::json;
use testkit::line;

use crate::splunk::{Fate, Setup, Splunk, code};
use crate::{deliver, events, sink_to, words};

fn without_acks() -> Setup {
    Setup { acks: false, ..Setup::default() }
}

fn refuse((status, body): (u16, String)) -> Fate {
    Fate::Refuse(status, vec![], body)
}

/// What a write of three events comes to.
const TABLE: &[(u16, u16, &str)] = &[
    (403, 1, "paused authentication"),
    (401, 2, "paused authentication"),
    (401, 3, "paused authentication"),
    (403, 4, "paused authentication"),
    (400, 5, "paused no_data"),
    (400, 6, "rejected data_format"),
    (400, 7, "paused index"),
    (500, 8, "transient"),
    (503, 9, "transient"),
    (400, 10, "paused acknowledgements"),
    (400, 11, "transient"),
    (400, 12, "rejected event_missing"),
    (400, 13, "rejected event_blank"),
    (400, 14, "paused acknowledgements"),
    (400, 15, "rejected indexed_fields"),
    (400, 16, "paused authentication"),
    (503, 18, "transient"),
    (503, 19, "transient"),
    (503, 20, "transient"),
    (400, 21, "paused authentication"),
    (503, 23, "transient"),
    (429, 26, "transient"),
    (429, 27, "transient"),
    // Not in the collector's words: the status decides, and a success without them is none.
    (200, 99, "paused protocol"),
    (404, 404, "paused not_found"),
    (400, 99, "rejected bad_request"),
    (503, 0, "transient"),
    (400, 0, "rejected bad_request"),
    (500, 24, "transient"),
];

#[tokio::test]
async fn each_code_says_what_comes_next() {
    for (status, number, expected) in TABLE {
        let splunk = Splunk::start(without_acks()).await;
        splunk.fates([refuse(code(*status, *number, "the words"))]);
        let sink = sink_to(&splunk, &json!({"acknowledgements": false}));
        let result = deliver(&sink, &[1, 2, 3]).await;
        assert_eq!(words(&result), *expected, "{status} {number}");
        assert!(splunk.events().is_empty());
        if let Err(SinkError::Transient { source, .. } | SinkError::Paused { source, .. }) = &result {
            assert!(line(&**source).contains(&format!("the words (code {number})")), "{}", line(&**source));
        }
        // Nothing of it stays: the next write is taken.
        assert_eq!(words(&deliver(&sink, &[4]).await), "taken", "{status} {number}");
    }
}

#[tokio::test]
async fn answers_without_a_code_go_by_their_status() {
    let page = |status: u16| refuse((status, format!("<html><title>{status}</title></html>")));
    for (fate, expected) in [
        (page(413), "too large"),
        (page(415), "paused unsupported"),
        (page(502), "transient"),
        (page(404), "paused not_found"),
        (page(200), "paused protocol"),
        (refuse((200, String::new())), "transient"),
        (refuse((200, r#"{"text":"Succ"#.to_owned())), "transient"),
        (refuse((200, r#"[]"#.to_owned())), "paused protocol"),
        (Fate::Refuse(503, vec![("retry-after", "7".to_owned())], String::new()), "transient 7s"),
        (Fate::TakeAndClose, "transient"),
        (Fate::TakeAndHang, "transient"),
    ] {
        let splunk = Splunk::start(without_acks()).await;
        splunk.fates([fate.clone()]);
        let sink = sink_to(&splunk, &json!({"acknowledgements": false}));
        assert_eq!(words(&deliver(&sink, &[1, 2, 3]).await), expected, "{fate:?}");
    }
}

#[tokio::test]
async fn a_collector_that_is_nearly_full_has_taken_the_events_and_is_spared() {
    for (number, acks) in [(24, false), (25, true)] {
        let splunk = Splunk::start(Setup { acks, ..Setup::default() }).await;
        splunk.fates([Fate::TakeSaying(200, json!({"text": "approaching capacity", "code": number}))]);
        let sink = sink_to(&splunk, &json!({"acknowledgements": acks}));
        let expected = Outcome { slow_down: Some(Duration::from_secs(2)), ..Outcome::default() };
        assert_eq!(deliver(&sink, &[1, 2, 3]).await.unwrap(), expected);
        assert_eq!(splunk.events().len(), 3);
    }
}

#[tokio::test]
async fn the_event_at_fault_is_cut_out_and_nothing_is_lost() {
    for takes_prefix in [false, true] {
        let splunk = Splunk::start(Setup { takes_prefix, ..without_acks() }).await;
        splunk.fates([Fate::Invalid(1)]);
        let sink = sink_to(&splunk, &json!({"acknowledgements": false}));
        let outcome = deliver(&sink, &[1, 2, 3]).await.unwrap();
        assert_eq!((&outcome.retry[..], outcome.rejected.len()), (&[0, 2][..], 1));
        let (at, reason) = &outcome.rejected[0];
        assert_eq!((*at, reason.kind), (1, "data_format"));
        assert_eq!(&*reason.detail, "status 400: Invalid data format (code 6)");
        assert_eq!(words(&deliver(&sink, &[1, 3]).await), "taken");
        // What stands there twice has the same id.
        let ids: Vec<String> = splunk
            .indexed()
            .iter()
            .flat_map(|delivery| &delivery.envelopes)
            .map(|envelope| envelope["fields"]["event_id"].as_str().unwrap().to_owned())
            .collect();
        let id = |number| format!("{:032x}", events::id(number));
        let expected = if takes_prefix { vec![id(1), id(1), id(3)] } else { vec![id(1), id(3)] };
        assert_eq!(ids, expected);
    }
}

#[tokio::test]
async fn a_number_that_is_no_event_of_ours_names_none() {
    let splunk = Splunk::start(without_acks()).await;
    splunk.fates([Fate::Invalid(3), Fate::Invalid(usize::MAX)]);
    let sink = sink_to(&splunk, &json!({"acknowledgements": false}));
    assert_eq!(words(&deliver(&sink, &[1, 2, 3]).await), "rejected data_format");
    assert_ne!(words(&deliver(&sink, &[1, 2, 3]).await), "taken");
}

#[tokio::test]
async fn a_body_that_is_too_long_is_told_as_such() {
    let splunk = Splunk::start(Setup { longest: 600, ..without_acks() }).await;
    let sink = sink_to(&splunk, &json!({"acknowledgements": false}));
    assert_eq!(words(&deliver(&sink, &[1, 2, 3, 4, 5, 6]).await), "too large");
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
}

/// An index that the token may not write to is nobody's fault but the configuration's: no event is put aside for it.
#[tokio::test]
async fn a_wrong_index_pauses() {
    let splunk = Splunk::start(without_acks()).await;
    let sink = sink_to(&splunk, &json!({"acknowledgements": false, "index": "nowhere"}));
    let result = deliver(&sink, &[1, 2]).await;
    assert_eq!(words(&result), "paused index");
    let error = result.unwrap_err();
    assert!(error.to_string().contains("create the index"), "{error}");
}
