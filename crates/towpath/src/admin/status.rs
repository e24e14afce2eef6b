//! `/status`: where each source and sink stands, as JSON. `towpath schema status` prints its schema.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use pipeline::Timestamp;
use runtime::{SinkMode, SinkState, SourceMode, SourceState};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Watched;

/// The state of a running Towpath. Times are RFC 3339 in UTC.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatusDocument {
    /// The version of Towpath.
    version: &'static str,
    /// How long it runs.
    uptime_seconds: u64,
    /// Bytes between the sources and the saved positions; bounded by `limits.in_flight`.
    in_flight_bytes: u64,
    /// By their names in the configuration.
    sources: BTreeMap<Box<str>, SourceDocument>,
    /// By their names in the configuration.
    sinks: BTreeMap<Box<str>, SinkDocument>,
}

/// What a source does.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SourceStateName {
    /// Opening its position.
    Starting,
    /// Fetching.
    Collecting,
    /// Nothing to do until the next poll.
    Waiting,
    /// Failed for the moment; asks again by itself.
    Retrying,
    /// A person must act; asks again now and then.
    Paused,
    /// The run stops, or the source is beyond help.
    Ended,
}

/// One source.
#[derive(Debug, Serialize, JsonSchema)]
struct SourceDocument {
    state: SourceStateName,
    /// Why it is paused: a stable word.
    paused_for: Option<&'static str>,
    /// Since when it fails, if it does.
    failing_since: Option<String>,
    /// The newest failure and what to do about it, if it fails.
    last_error: Option<String>,
    /// The saved position, as `towpath checkpoint show` prints it.
    position: Option<Value>,
    /// The newest event time seen.
    last_event_time: Option<String>,
    /// Time up to which everything is collected and delivered, but for the history that `walks` still lists.
    delivered_until: Option<String>,
    /// Seconds since then.
    lag_seconds: Option<u64>,
    /// Seconds until the API forgets the oldest events that are not delivered yet.
    retention_headroom_seconds: Option<u64>,
    /// When the API last answered as it should.
    last_poll: Option<String>,
    /// New records taken in since the start.
    records: u64,
    /// Records seen again and removed since the start.
    duplicates: u64,
    /// Requests that the API says are left.
    rate_limit_remaining: Option<u64>,
    /// What is being read or waits to be, one line each.
    walks: Vec<String>,
}

/// What a sink does.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SinkStateName {
    /// Taking events, or waiting for some.
    Delivering,
    /// Failed for the moment; tries again by itself.
    Retrying,
    /// A person must act; keeps its events and probes.
    Paused,
}

/// One sink. `received = delivered + dead_lettered + filtered + abandoned + in_flight`.
#[derive(Debug, Serialize, JsonSchema)]
struct SinkDocument {
    state: SinkStateName,
    /// Why it is paused: a stable word.
    paused_for: Option<&'static str>,
    /// Since when it fails, if it does.
    failing_since: Option<String>,
    /// The newest failure and what to do about it, if it fails.
    last_error: Option<String>,
    /// Events handed to it since the start.
    received: u64,
    /// Events durable at the destination.
    delivered: u64,
    /// Events that the destination refused for good, kept as dead letters.
    dead_lettered: u64,
    /// Events left out by the user's rule.
    filtered: u64,
    /// Events given back when a stream went back to its saved position; they are collected again.
    abandoned: u64,
    /// Events of which none of this is true yet.
    in_flight: u64,
    /// Dead letters that wait for a person, also those from before the start.
    dead_letters: u64,
    /// When it last delivered.
    last_delivery: Option<String>,
}

impl StatusDocument {
    /// The state at `now`.
    pub(super) fn of(watched: &Watched, now: Timestamp) -> Self {
        let status = &watched.status;
        let source =
            |source: &std::sync::Arc<SourceState>| (source.name.clone(), SourceDocument::of(source, now));
        let sink = |sink: &std::sync::Arc<SinkState>| {
            (sink.name.clone(), SinkDocument::of(sink, watched.dead_letters.count(&sink.name)))
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: now.since(watched.started).as_secs(),
            in_flight_bytes: status.in_flight_bytes(),
            sources: status.sources.iter().map(source).collect(),
            sinks: status.sinks.iter().map(sink).collect(),
        }
    }
}

fn text(moment: Option<Timestamp>) -> Option<String> {
    moment.map(|moment| moment.to_string())
}

impl SourceDocument {
    fn of(source: &SourceState, now: Timestamp) -> Self {
        let state = source.now();
        Self {
            state: match state.mode {
                SourceMode::Starting => SourceStateName::Starting,
                SourceMode::Collecting => SourceStateName::Collecting,
                SourceMode::Waiting => SourceStateName::Waiting,
                SourceMode::Retrying => SourceStateName::Retrying,
                SourceMode::Paused => SourceStateName::Paused,
                SourceMode::Ended => SourceStateName::Ended,
            },
            paused_for: state.paused_for,
            failing_since: text(state.failing_since),
            last_error: state.last_error,
            position: state.position.and_then(|position| serde_json::from_str(&position).ok()),
            last_event_time: text(state.last_event_time),
            delivered_until: text(state.delivered_until),
            lag_seconds: state.delivered_until.map(|until| now.since(until).as_secs()),
            retention_headroom_seconds: state.lost_from.map(|lost| lost.since(now).as_secs()),
            last_poll: text(state.last_success),
            records: source.records.load(Ordering::Relaxed),
            duplicates: state.detail.duplicates,
            rate_limit_remaining: state.detail.rate_limit_remaining,
            walks: state.detail.walks,
        }
    }
}

impl SinkDocument {
    fn of(sink: &SinkState, dead_letters: u64) -> Self {
        let (state, ledger) = (sink.now(), sink.ledger());
        Self {
            state: match state.mode {
                SinkMode::Delivering => SinkStateName::Delivering,
                SinkMode::Retrying => SinkStateName::Retrying,
                SinkMode::Paused => SinkStateName::Paused,
            },
            paused_for: state.paused_for,
            failing_since: text(state.failing_since),
            last_error: state.last_error,
            received: ledger.received,
            delivered: ledger.delivered,
            dead_lettered: ledger.all_dead_lettered(),
            filtered: ledger.filtered,
            abandoned: ledger.abandoned,
            in_flight: ledger.in_flight(),
            dead_letters,
            last_delivery: text(state.last_delivery),
        }
    }
}
