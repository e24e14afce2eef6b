//! Nothing counts as delivered before an indexer has said that it is indexed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::http::Reply;
use testkit::line;

use crate::splunk::{Fate, Setup, Splunk, Sticky, code};
use crate::{deliver, events, sink_to, words};

fn behind(indexers: usize, sticky: Sticky) -> Setup {
    Setup { indexers, sticky, ..Setup::default() }
}

#[tokio::test]
async fn a_write_ends_when_its_events_are_indexed() {
    let splunk = Splunk::start(Setup { indexing: Duration::from_millis(300), ..Setup::default() }).await;
    let sink = sink_to(&splunk, &json!({}));
    let began = Instant::now();
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(splunk.events(), [1, 2].map(events::text));
    // The pauses between the questions grow.
    assert!(splunk.count("/services/collector/ack") <= 6, "{}", splunk.count("/services/collector/ack"));
}

#[tokio::test]
async fn what_an_indexer_loses_comes_again() {
    let splunk = Splunk::start(Setup::default()).await;
    splunk.fates([Fate::TakeAndLose]);
    let sink = sink_to(&splunk, &json!({}));
    let result = deliver(&sink, &[1, 2]).await;
    assert_eq!(words(&result), "transient");
    let text = line(&result.unwrap_err());
    assert!(text.contains("not acknowledged the events within 1s"), "{text}");
    assert!(splunk.events().is_empty());
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    assert_eq!(splunk.events().len(), 2);
}

/// Numbers start at 0 on each indexer and in each channel: what collides there must not be confused here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_any_load_balancer_what_is_called_taken_is_indexed() {
    for sticky in [Sticky::Cookie, Sticky::Rotating, Sticky::No] {
        let splunk = Arc::new(Splunk::start(behind(3, sticky)).await);
        let sink = Arc::new(sink_to(&splunk, &json!({"ack_timeout": "5s"})));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let (sink, splunk) = (sink.clone(), splunk.clone());
            writers.spawn(async move {
                for turn in 0..6 {
                    let number = writer * 100 + turn;
                    // Some are lost by the indexer, and their numbers stay untold.
                    if number % 7 == 3 {
                        splunk.fates([Fate::TakeAndLose]);
                    }
                    let patience = Duration::from_millis(700);
                    let result = tokio::time::timeout(patience, deliver(&sink, &[number])).await;
                    if let Ok(result) = result {
                        assert_eq!(words(&result), "taken", "{sticky:?} {number}");
                        assert!(splunk.events().contains(&events::text(number)), "{sticky:?} {number}");
                    }
                }
            });
        }
        while let Some(ended) = writers.join_next().await {
            ended.unwrap();
        }
        let indexers: HashSet<usize> = splunk.indexed().iter().map(|delivery| delivery.indexer).collect();
        assert!(indexers.len() > 1, "{sticky:?}: only {indexers:?}");
        assert_eq!(splunk.violations(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn another_indexer_cannot_acknowledge() {
    let splunk = Splunk::start(Setup { indexing: Duration::from_secs(2), ..behind(2, Sticky::Cookie) }).await;
    let sink = sink_to(&splunk, &json!({"ack_timeout": "30s", "timeout": "10s"}));
    let moving = async {
        // The first question after the event goes to the indexer that has it.
        let taken_by = loop {
            let requests = splunk.requests();
            let mut since =
                requests.iter().skip_while(|request| request.target != "/services/collector/event");
            if let Some(question) = since.nth(1) {
                let cookie = question.header("cookie").and_then(|cookie| cookie.strip_prefix("SERVERID="));
                break cookie.and_then(|cookie| cookie.split('.').next()?.parse().ok());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        splunk.take_away(taken_by.unwrap());
    };
    let began = Instant::now();
    let (result, ()) = tokio::join!(deliver(&sink, &[1, 2]), moving);
    assert_eq!(words(&result), "transient");
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for one that will not answer");
    assert!(line(&result.unwrap_err()).contains("another indexer answers"));
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    let channels: HashSet<_> = splunk
        .requests()
        .iter()
        .filter_map(|r| Some(r.header("x-splunk-request-channel")?.to_owned()))
        .collect();
    assert_eq!(channels.len(), 2, "the old channel was used again");
}

#[tokio::test]
async fn a_cookie_that_changes_in_each_answer_is_no_other_indexer() {
    let splunk = Splunk::start(behind(3, Sticky::Rotating)).await;
    let sink = sink_to(&splunk, &json!({}));
    for number in 0..5 {
        assert_eq!(words(&deliver(&sink, &[number]).await), "taken");
    }
    assert_eq!(splunk.events().len(), 5);
    assert_eq!(splunk.count("/services/collector/event"), 5);
}

#[tokio::test]
async fn no_failure_of_a_question_counts_as_an_answer() {
    let answer = |(status, body): (u16, String)| Reply::Answer(status, vec![], body);
    for (reply, expected) in [
        (answer(code(503, 9, "Server is busy")), "taken"),
        (answer(code(500, 8, "Internal server error")), "taken"),
        (answer(code(400, 6, "Invalid data format")), "taken"),
        (answer(code(200, 0, "Success")), "taken"),
        (answer((200, r#"{"acks":{"7":true}}"#.to_owned())), "taken"),
        (answer((200, r#"{"acks":{"0":tr"#.to_owned())), "taken"),
        (answer((413, "<html>".to_owned())), "taken"),
        (Reply::Close, "taken"),
        (answer(code(400, 11, "Invalid data channel")), "transient"),
        (answer(code(403, 4, "Invalid token")), "paused authentication"),
        (answer(code(400, 14, "ACK is disabled")), "paused acknowledgements"),
        (answer((404, String::new())), "paused not_found"),
    ] {
        let splunk = Splunk::start(Setup { indexing: Duration::from_millis(120), ..Setup::default() }).await;
        let sink = sink_to(&splunk, &json!({}));
        assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
        // The first questions of the write, asked before it is indexed.
        splunk.answer_acks([reply.clone()]);
        assert_eq!(words(&deliver(&sink, &[2]).await), expected, "{reply:?}");
        if expected == "taken" {
            assert!(splunk.events().contains(&events::text(2)), "{reply:?}");
        }
        if !matches!(reply, Reply::Close) && expected == "taken" {
            assert_eq!(splunk.count("/services/collector/event"), 2, "it was sent again: {reply:?}");
        }
    }
}

#[tokio::test]
async fn questions_that_keep_failing_end_in_time() {
    let splunk = Splunk::start(Setup { indexing: Duration::from_secs(60), ..Setup::default() }).await;
    let sink = sink_to(&splunk, &json!({}));
    let silence = async {
        while splunk.count("/services/collector/event") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        splunk.server.away(true);
    };
    let began = Instant::now();
    let (result, ()) = tokio::join!(deliver(&sink, &[1]), silence);
    assert_eq!(words(&result), "transient");
    assert!(began.elapsed() < Duration::from_secs(15));
    assert!(line(&result.unwrap_err()).contains("closed the connection"));
}

#[tokio::test]
async fn a_token_that_does_not_acknowledge_gets_no_event() {
    let splunk = Splunk::start(Setup { acks: false, ..Setup::default() }).await;
    let sink = sink_to(&splunk, &json!({}));
    for _ in 0..3 {
        assert_eq!(words(&deliver(&sink, &[1]).await), "paused acknowledgements");
    }
    assert_eq!(splunk.count("/services/collector/event"), 0);
}

#[tokio::test]
async fn a_channel_belongs_to_one_write_at_a_time_and_is_used_again() {
    let splunk = Splunk::start(Setup { indexing: Duration::from_millis(60), ..Setup::default() }).await;
    let sink = sink_to(&splunk, &json!({}));
    for _ in 0..3 {
        let results = tokio::join!(deliver(&sink, &[1]), deliver(&sink, &[2]), deliver(&sink, &[3]));
        assert!([results.0, results.1, results.2].iter().all(|result| words(result) == "taken"));
    }
    let channels: Vec<String> =
        splunk.indexed().into_iter().filter_map(|delivery| delivery.channel).collect();
    assert_eq!(channels.len(), 9);
    assert_eq!(channels.iter().collect::<HashSet<_>>().len(), 3);
}
