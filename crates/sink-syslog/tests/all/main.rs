//! The sink against receivers that refuse whatever their protocol refuses. What `README.md` promises, one file for each
//! kind of trouble.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod answers;
mod checking;
mod conformance;
mod ends;
mod events;
mod parse;
mod real;
mod receiver;
mod refusals;
mod stalls;

use pipeline::{Outcome, Sink, SinkError};
use sink_syslog::{SyslogConfig, SyslogSink};

/// A sink of this configuration, which must be a good one.
fn sink(config: &serde_json::Value) -> SyslogSink {
    let config: SyslogConfig = serde_json::from_value(config.clone()).unwrap();
    SyslogSink::new(config.validate().unwrap())
}

/// What came of a write of events with these numbers.
async fn deliver(sink: &SyslogSink, numbers: std::ops::Range<u32>) -> Result<Outcome, SinkError> {
    sink.write(&events::write(numbers, 0)).await
}

/// An outcome or an error in a few words: what the runtime goes by.
fn words(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) if *outcome == Outcome::default() => "taken".to_owned(),
        Ok(outcome) => format!("{outcome:?}"),
        Err(SinkError::Transient { .. }) => "transient".to_owned(),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}
