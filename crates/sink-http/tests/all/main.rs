//! The sink against a receiver that refuses whatever its protocol refuses. What `README.md` promises, one file for each
//! kind of trouble.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod bodies;
mod cancellation;
mod checking;
mod conformance;
mod connections;
mod credentials;
mod events;
mod independent;
mod one_by_one;
mod receiver;
mod secured;
mod signatures;
mod statuses;

use std::error::Error;

use pipeline::{Outcome, Sink, SinkError};
use sink_http::{HttpConfig, HttpSink};

/// A sink of this configuration, which must be a good one.
fn sink(config: &serde_json::Value) -> HttpSink {
    let config: HttpConfig = serde_json::from_value(config.clone()).unwrap();
    HttpSink::new(config.validate().unwrap())
}

/// What came of a write of events with these numbers.
async fn deliver(sink: &HttpSink, numbers: &[u32]) -> Result<Outcome, SinkError> {
    sink.write(&events::write(numbers)).await
}

/// An outcome or an error in a few words: what the runtime goes by.
fn words(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) if *outcome == Outcome::default() => "taken".to_owned(),
        Ok(outcome) => format!("{outcome:?}"),
        Err(SinkError::Transient { retry_after: None, .. }) => "transient".to_owned(),
        Err(SinkError::Transient { retry_after: Some(wait), .. }) => format!("transient {wait:?}"),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}

/// All that an error says, in whatever form it may be printed.
fn all_words(error: &SinkError) -> String {
    let mut text = format!("{error:?} {error:#?}");
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        text += &format!(" {error} {error:?}");
        next = error.source();
    }
    text
}
