//! The sink against a cluster that refuses whatever Elasticsearch and OpenSearch refuse. What `README.md` promises, one file for each kind of
//! trouble.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod answers;
mod checking;
mod cluster;
mod conformance;
mod documents;
mod events;
mod items;
mod node;
mod nodes;
mod real;
mod request;
mod templates;

use pipeline::{Outcome, Sink, SinkError};
use serde_json::{Value, json};
use sink_elasticsearch::{ElasticsearchConfig, ElasticsearchSink};

use crate::cluster::Cluster;

/// A sink of this configuration, which must be a good one.
fn sink(config: &Value) -> ElasticsearchSink {
    let config: ElasticsearchConfig = serde_json::from_value(config.clone()).unwrap();
    ElasticsearchSink::new(config.validate().unwrap())
}

/// A sink to this cluster, without compression, and with these keys besides.
fn sink_to(cluster: &Cluster, rest: &Value) -> ElasticsearchSink {
    let mut config =
        json!({"urls": cluster.urls(), "index": "audit", "compression": "none", "timeout": "1s"});
    for (key, value) in rest.as_object().unwrap() {
        config[key] = value.clone();
    }
    sink(&config)
}

/// What came of a write of events with these numbers.
async fn deliver(sink: &ElasticsearchSink, numbers: &[u32]) -> Result<Outcome, SinkError> {
    sink.write(&events::write(numbers)).await
}

/// An outcome or an error in a few words: what the runtime goes by.
fn words(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) if *outcome == Outcome::default() => "taken".to_owned(),
        Ok(Outcome { retry, rejected, deduplicated, .. }) => {
            let rejected: Vec<_> =
                rejected.iter().map(|(at, reason)| format!("{at} {}", reason.kind)).collect();
            format!("retry {retry:?}, rejected {rejected:?}, known {deduplicated}")
        }
        Err(SinkError::Transient { retry_after: None, .. }) => "transient".to_owned(),
        Err(SinkError::Transient { retry_after: Some(wait), .. }) => format!("transient {wait:?}"),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}
