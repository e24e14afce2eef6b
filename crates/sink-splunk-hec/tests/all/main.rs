//! The sink against a collector that refuses whatever Splunk refuses. What `README.md` promises, one file for each kind of
//! trouble.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod acknowledgements;
mod answers;
mod checking;
mod conformance;
mod envelopes;
mod events;
mod splunk;

use pipeline::{Outcome, Sink, SinkError};
use serde_json::{Value, json};
use sink_splunk_hec::{SplunkHecConfig, SplunkHecSink};

use crate::splunk::Splunk;

/// A sink of this configuration, which must be a good one.
fn sink(config: &Value) -> SplunkHecSink {
    let config: SplunkHecConfig = serde_json::from_value(config.clone()).unwrap();
    SplunkHecSink::new(config.validate().unwrap())
}

/// A sink to this Splunk, with the token that it knows, without compression, and with these keys besides.
fn sink_to(splunk: &Splunk, rest: &Value) -> SplunkHecSink {
    let mut config = json!({
        "url": splunk.url(), "token": "t0ken-of-splunk", "compression": "none", "timeout": "1s", "ack_timeout": "1s",
    });
    for (key, value) in rest.as_object().unwrap() {
        config[key] = value.clone();
    }
    sink(&config)
}

/// What came of a write of events with these numbers.
async fn deliver(sink: &SplunkHecSink, numbers: &[u32]) -> Result<Outcome, SinkError> {
    sink.write(&events::write(numbers)).await
}

/// An outcome or an error in a few words: what the runtime goes by.
fn words(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) if *outcome == Outcome::default() => "taken".to_owned(),
        Ok(Outcome { retry, rejected, slow_down, .. }) => {
            let rejected: Vec<_> =
                rejected.iter().map(|(at, reason)| format!("{at} {}", reason.kind)).collect();
            format!("retry {retry:?}, rejected {rejected:?}, slow down {slow_down:?}")
        }
        Err(SinkError::Transient { retry_after: None, .. }) => "transient".to_owned(),
        Err(SinkError::Transient { retry_after: Some(wait), .. }) => format!("transient {wait:?}"),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}
