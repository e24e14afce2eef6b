//! The sink against librdkafka's mock cluster, which speaks the protocol on loopback and fails as it is told; and, where
//! `TOWPATH_KAFKA_BROKERS` names one, against a real cluster.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod broker;
mod cluster;
mod codes;
mod conformance;
mod events;
mod real;
mod tokens;
mod topic;
mod troubles;

use pipeline::{Outcome, Sink, SinkError};
use serde_json::{Value, json};
use sink_kafka::{KafkaConfig, KafkaSink};

use crate::cluster::{Cluster, TOPIC};

/// A sink to the cluster with these keys on top; they must be good.
fn sink(cluster: &Cluster, more: &Value) -> KafkaSink {
    let mut value = json!({"brokers": cluster.brokers.split(',').collect::<Vec<_>>(), "topic": TOPIC, "timeout": "1500ms"});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config: KafkaConfig = serde_json::from_value(value).unwrap();
    KafkaSink::new(config.validate().unwrap())
}

/// What came of a write of events with these numbers.
async fn deliver(sink: &KafkaSink, numbers: &[u32]) -> Result<Outcome, SinkError> {
    sink.write(&events::write(numbers)).await
}

/// An outcome or an error in a few words: what the runtime goes by.
fn words(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) if *outcome == Outcome::default() => "taken".to_owned(),
        Ok(Outcome { retry, rejected, .. }) => {
            let rejected: Vec<_> =
                rejected.iter().map(|(index, why)| format!("{index} {}", why.kind)).collect();
            format!("again {retry:?} refused {rejected:?}")
        }
        Err(SinkError::Transient { .. }) => "transient".to_owned(),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}
