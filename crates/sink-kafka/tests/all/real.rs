//! Against a real broker, which `tests/services/kafka.sh` starts: what the mock cluster cannot show.

use std::collections::HashSet;
use std::env;
use std::time::Duration;

use pipeline::{Sink, SinkError};
use serde_json::{Value, json};
use sink_kafka::{KafkaConfig, KafkaSink};

use crate::cluster::Reader;
use crate::{deliver, events, words};

const EVENTS: u32 = 20_000;

/// A sink to a topic of this name, made by the first write.
fn sink(brokers: &str, topic: &str, more: &Value) -> KafkaSink {
    let mut value = json!({
        "brokers": [brokers],
        "topic": topic,
        "timeout": "5s",
        "properties": {"allow.auto.create.topics": "true"},
    });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config: KafkaConfig = serde_json::from_value(value).unwrap();
    KafkaSink::new(config.validate().unwrap())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set; tests/services/kafka.sh prints it"))
}

fn fresh(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// Twenty thousand events, at a pace that gives time to kill and stop the broker meanwhile (`TOWPATH_KAFKA_PACE`, in
/// milliseconds for each write of a hundred).
async fn nothing_is_lost(brokers: &str, topic: &str, more: &Value) {
    let sink = sink(brokers, topic, more);
    let pace = env::var("TOWPATH_KAFKA_PACE").ok().and_then(|pace| pace.parse().ok()).unwrap_or(0);
    let mut failures = Vec::new();
    for first in (0..EVENTS).step_by(100) {
        let mut left: Vec<u32> = (first..first + 100).collect();
        while !left.is_empty() {
            match deliver(&sink, &left).await {
                Ok(outcome) => {
                    assert!(outcome.rejected.is_empty(), "{outcome:?}");
                    left = outcome.retry.iter().map(|index| left[*index as usize]).collect();
                }
                Err(error @ SinkError::Transient { .. }) => {
                    failures.push(format!("{error:?}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(pace)).await;
    }
    // Always read where nothing needs to be proved first.
    let plain = variable("TOWPATH_KAFKA_BROKERS");
    let records = tokio::task::block_in_place(|| Reader::new(&plain, topic, 3).catch_up().to_vec());
    let texts: HashSet<&str> = records.iter().map(|record| &*record.text).collect();
    let expected: HashSet<String> = (0..EVENTS).map(events::text).collect();
    let repeated = records.len() - texts.len();
    #[expect(clippy::print_stderr, reason = "it is the report of a test")]
    {
        eprintln!(
            "{} records, {repeated} of them repeated, {} failures: {failures:#?}",
            records.len(),
            failures.len()
        );
    }
    assert_eq!(texts.len(), EVENTS as usize);
    assert!(expected.iter().all(|text| texts.contains(&**text)), "an event is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn nothing_is_lost_in_clear() {
    nothing_is_lost(&variable("TOWPATH_KAFKA_BROKERS"), &fresh("plain"), &json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn nothing_is_lost_over_tls_with_a_password() {
    let more = secured("towpath-secret");
    nothing_is_lost(&variable("TOWPATH_KAFKA_TLS_BROKERS"), &fresh("secured"), &more).await;
}

fn secured(password: &str) -> Value {
    json!({
        "tls": {"ca_file": variable("TOWPATH_KAFKA_CA")},
        "sasl": {"mechanism": "SCRAM-SHA-512", "username": "towpath", "password": password},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn a_wrong_password_and_a_strange_authority_pause() {
    let brokers = variable("TOWPATH_KAFKA_TLS_BROKERS");
    let wrong = sink(&brokers, &fresh("refused"), &secured("another-secret"));
    let result = deliver(&wrong, &[1]).await;
    assert_eq!(words(&result), "paused authentication", "{result:?}");
    assert!(!format!("{result:?}").contains("another-secret"));
    let error = format!("{:?}", wrong.check().await.unwrap_err());
    assert!(error.contains("authentication") && !error.contains("another-secret"), "{error}");
    // The system's authorities do not know the broker's.
    let mut more = secured("towpath-secret");
    more["tls"] = json!({});
    let strange = sink(&brokers, &fresh("refused"), &more);
    let result = deliver(&strange, &[1]).await;
    assert_eq!(words(&result), "paused tls", "{result:?}");
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let mut more = secured("towpath-secret");
        more["sasl"]["mechanism"] = json!(mechanism);
        let good = sink(&brokers, &fresh("mechanisms"), &more);
        assert_eq!(words(&deliver(&good, &[1]).await), "taken", "{mechanism}");
    }
}

/// What the broker takes at once is decided by the broker, after compression: its refusal ends with the event alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn an_event_above_the_broker_s_limit_is_refused_alone() {
    let topic = fresh("limited");
    let sink = sink(&variable("TOWPATH_KAFKA_BROKERS"), &topic, &json!({"compression": "none"}));
    assert_eq!(words(&deliver(&sink, &[0]).await), "taken");
    let text = |number| {
        if number == 2 { format!(r#"{{"x":"{}"}}"#, "x".repeat(2 << 20)) } else { events::text(number) }
    };
    let write = events::write_of((1..4).map(|number| (number, text(number))));
    assert_eq!(words(&sink.write(&write).await), "again [1] refused []", "its neighbours are taken");
    let alone = events::write_of([(2, text(2))].into_iter());
    assert_eq!(words(&sink.write(&alone).await), r#"again [] refused ["0 too_large"]"#);
    let plain = variable("TOWPATH_KAFKA_BROKERS");
    let mut records = tokio::task::block_in_place(|| Reader::new(&plain, &topic, 3).catch_up().to_vec());
    records.sort_by(|a, b| a.text.cmp(&b.text));
    let texts: Vec<String> = records.into_iter().map(|record| record.text).collect();
    assert_eq!(texts, [0, 1, 3].map(events::text));
}
