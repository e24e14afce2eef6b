//! What is sent.

use pipeline::{Sink, Write};
use serde_json::{Value, json};

use crate::splunk::{Setup, Splunk};
use crate::{deliver, events, sink_to, words};

fn without_acks() -> Setup {
    Setup { acks: false, ..Setup::default() }
}

#[tokio::test]
async fn the_event_is_spliced_in_and_the_rest_is_as_configured() {
    let splunk = Splunk::start(without_acks()).await;
    let sink = sink_to(
        &splunk,
        &json!({
            "acknowledgements": false, "index": "audit", "sourcetype": "towpath:ocsf", "source": "say \"hi\" \\ é", "host": "h1",
        }),
    );
    assert_eq!(words(&deliver(&sink, &[1, 2, 3, 4]).await), "taken");
    let deliveries = splunk.indexed();
    let [delivery] = &deliveries[..] else { panic!("one request: {deliveries:?}") };
    assert_eq!(delivery.events, [1, 2, 3, 4].map(events::text));
    for (number, envelope) in (1..).zip(&delivery.envelopes) {
        let expected = json!({
            "time": format!("1700000000.00{number}"),
            "host": "h1",
            "source": "say \"hi\" \\ é",
            "sourcetype": "towpath:ocsf",
            "index": "audit",
            "fields": {"event_id": format!("{:032x}", events::id(number))},
        });
        assert_eq!(*envelope, expected);
    }
    let request = &splunk.requests()[0];
    assert_eq!(request.header("authorization"), Some("Splunk t0ken-of-splunk"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("content-length"), Some(request.body.len().to_string().as_str()));
    assert_eq!(request.header("x-splunk-request-channel"), None);
}

#[tokio::test]
async fn what_is_not_configured_is_left_to_the_token() {
    let splunk = Splunk::start(without_acks()).await;
    assert_eq!(words(&deliver(&sink_to(&splunk, &json!({"acknowledgements": false})), &[1]).await), "taken");
    let envelope = splunk.indexed()[0].envelopes[0].clone();
    for key in ["host", "source", "sourcetype", "index"] {
        assert_eq!(envelope[key], Value::Null, "{key}");
    }
}

/// Splunk takes a float for the time when it gets one, and 53 bits do not hold every one.
#[tokio::test]
async fn the_time_has_all_its_digits() {
    let splunk = Splunk::start(without_acks()).await;
    let times = [0, 1, 999, 1000, 1_795_000_000_007, 253_402_300_799_999, -1, -1500];
    let batch = events::batch(&times.map(|millis| (events::text(1), 1, millis)));
    let mut write = Write::default();
    write.push(batch, 0..times.len());
    let sink = sink_to(&splunk, &json!({"acknowledgements": false}));
    assert_eq!(words(&sink.write(&write).await), "taken");
    let sent: Vec<String> =
        splunk.indexed()[0].envelopes.iter().map(|e| e["time"].as_str().unwrap().to_owned()).collect();
    let expected =
        ["0.000", "0.001", "0.999", "1.000", "1795000000.007", "253402300799.999", "-0.001", "-1.500"];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn bodies_are_compressed_unless_told_otherwise() {
    let splunk = Splunk::start(Setup { coding: Some("gzip"), ..without_acks() }).await;
    let sink = sink_to(&splunk, &json!({"acknowledgements": false, "compression": "gzip"}));
    let numbers: Vec<u32> = (0..2000).collect();
    assert_eq!(words(&deliver(&sink, &numbers).await), "taken");
    assert_eq!(splunk.events(), numbers.iter().map(|number| events::text(*number)).collect::<Vec<_>>());
    let request = &splunk.requests()[0];
    assert!(request.body.len() < 60_000, "{}", request.body.len());
}
