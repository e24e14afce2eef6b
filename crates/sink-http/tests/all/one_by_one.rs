//! `body: json`: a request an event, and an outcome that says precisely which were taken.

use std::time::Duration;

use pipeline::{Outcome, SinkError};
use serde_json::json;

use crate::receiver::{Protocol, Receiver, Reply};
use crate::{deliver, events, sink, words};

const JSON: Protocol =
    Protocol { form: "json", coding: "", auth: None, keys: Vec::new(), method: "", target: "" };

fn refuse(status: u16) -> Reply {
    Reply::Refuse(status, vec![], "no".to_owned())
}

fn kinds(outcome: &Outcome) -> Vec<(u32, &str)> {
    outcome.rejected.iter().map(|(index, reason)| (*index, reason.kind)).collect()
}

#[tokio::test]
async fn what_was_taken_before_a_failure_does_not_come_again() {
    for (status, then) in [
        (401, "paused authentication"),
        (410, "paused gone"),
        (404, "paused not_found"),
        (503, "transient"),
        (302, "paused redirect"),
    ] {
        let replies = vec![Reply::Take, Reply::Take, refuse(status), refuse(status)];
        let receiver = Receiver::start(JSON, replies).await;
        let sink = sink(&json!({"url": receiver.url(), "body": "json"}));
        let outcome = deliver(&sink, &[0, 1, 2, 3]).await.unwrap();
        assert_eq!(outcome.retry, [2, 3], "{status}");
        assert_eq!((kinds(&outcome), outcome.slow_down), (vec![], None));
        // The rest meets the failure first, which is then the write's own: nothing of its kind is lost.
        assert_eq!(words(&deliver(&sink, &[2, 3]).await), then);
        assert_eq!(words(&deliver(&sink, &[2, 3]).await), "taken");
        let taken: Vec<String> = (0..4).map(events::text).collect();
        assert_eq!(receiver.taken(), taken, "each once, in order");
        let deliveries = receiver.deliveries();
        assert_eq!(deliveries[2].id, deliveries[3].id, "the same event has the same id");
        assert_ne!(deliveries[0].id, deliveries[1].id);
    }
}

#[tokio::test]
async fn an_event_that_is_refused_alone_does_not_hold_the_others() {
    let replies = vec![Reply::Take, refuse(400), Reply::Take, refuse(413), refuse(422), Reply::Take];
    let receiver = Receiver::start(JSON, replies).await;
    let sink = sink(&json!({"url": receiver.url(), "body": "json"}));
    let outcome = deliver(&sink, &[0, 1, 2, 3, 4, 5]).await.unwrap();
    assert_eq!(kinds(&outcome), [(1, "bad_request"), (3, "too_large"), (4, "unprocessable")]);
    assert_eq!(outcome.retry, Vec::<u32>::new());
    assert_eq!(&*outcome.rejected[0].1.detail, "status 400: no");
    assert_eq!(receiver.taken(), [0, 2, 5].map(events::text));
}

#[tokio::test]
async fn refusal_and_failure_in_one_write_are_both_told() {
    let slow = Reply::Refuse(429, vec![("Retry-After", "9".to_owned())], String::new());
    let receiver = Receiver::start(JSON, vec![refuse(400), slow]).await;
    let sink = sink(&json!({"url": receiver.url(), "body": "json"}));
    let outcome = deliver(&sink, &[0, 1, 2]).await.unwrap();
    assert_eq!((kinds(&outcome), &outcome.retry[..]), (vec![(0, "bad_request")], &[1, 2][..]));
    assert_eq!(outcome.slow_down, Some(Duration::from_secs(9)));
}

#[tokio::test]
async fn a_write_ends_when_nothing_but_refusals_come() {
    let receiver = Receiver::start(JSON, vec![refuse(400); 100]).await;
    let sink = sink(&json!({"url": receiver.url(), "body": "json"}));
    let numbers: Vec<u32> = (0..50).collect();
    let outcome = deliver(&sink, &numbers).await.unwrap();
    assert_eq!((outcome.rejected.len(), outcome.retry.len()), (20, 30));
    assert_eq!((outcome.rejected[19].0, outcome.retry[0]), (19, 20));
    assert_eq!(receiver.deliveries().len(), 20);
}

#[tokio::test]
async fn a_lost_answer_in_the_middle_is_sent_again_with_its_id() {
    let receiver = Receiver::start(JSON, vec![Reply::Take, Reply::TakeAndClose]).await;
    let sink = sink(&json!({"url": receiver.url(), "body": "json"}));
    assert_eq!(deliver(&sink, &[0, 1, 2]).await.unwrap().retry, [1, 2]);
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    let ids: Vec<String> = receiver.deliveries().into_iter().map(|delivery| delivery.id).collect();
    assert_eq!((ids.len(), &ids[1]), (4, &ids[2]));
}

#[tokio::test]
async fn a_failure_at_the_first_event_is_the_writes_own() {
    let receiver = Receiver::start(JSON, vec![refuse(500)]).await;
    let sink = sink(&json!({"url": receiver.url(), "body": "json"}));
    assert!(matches!(deliver(&sink, &[0, 1]).await, Err(SinkError::Transient { .. })));
    assert_eq!(receiver.deliveries().len(), 1);
}
