//! When the process is ready: it collects from every source and delivers to every sink, or has failed to for no longer than
//! a restart of the other side takes.

use std::time::Duration;

use pipeline::Timestamp;
use runtime::{SinkMode, SourceMode, Status};
use serde::Serialize;

/// So long may something fail before the process counts as not ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// So long may events be with a sink without any of them moving on.
const STANDSTILL: Duration = Duration::from_secs(300);

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) ready: bool,
    pub(super) reasons: Vec<Reason>,
}

/// What is in the way.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// A source that cannot collect.
    Source { name: Box<str>, error: String },
    /// A sink that is paused or fails.
    Sink { name: Box<str>, error: String },
}

/// All that is in the way.
pub(super) fn reasons(status: &Status, now: Timestamp) -> Vec<Reason> {
    let too_long = |since: Option<Timestamp>| since.is_some_and(|since| now.since(since) > PATIENCE);
    let mut reasons = Vec::new();
    for source in &status.sources {
        let state = source.now();
        let fails = matches!(state.mode, SourceMode::Paused | SourceMode::Retrying | SourceMode::Starting);
        let error = match state.mode {
            SourceMode::Ended => state.last_error.map(|error| format!("ended: {error}")),
            _ if too_long(state.unsaved_since) => {
                state.last_error.or(Some("its position cannot be saved".into()))
            }
            _ if fails && too_long(state.failing_since) => state.last_error,
            _ => None,
        };
        reasons.extend(error.map(|error| Reason::Source { name: source.name.clone(), error }));
    }
    for sink in &status.sinks {
        let state = sink.now();
        let ledger = sink.ledger();
        let stands = ledger.moved_at.is_some_and(|at| now.since(at) > STANDSTILL);
        let error = match state.mode {
            SinkMode::Paused | SinkMode::Retrying if too_long(state.failing_since) => state.last_error,
            _ if ledger.in_flight() > 0 && stands => Some(format!(
                "no progress: {} events are with the sink, and none has moved on for {} s",
                ledger.in_flight(),
                STANDSTILL.as_secs()
            )),
            _ => None,
        };
        reasons.extend(error.map(|error| Reason::Sink { name: sink.name.clone(), error }));
    }
    reasons
}
