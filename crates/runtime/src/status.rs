//! What a run says of itself: the ledger of each sink, the state of each source. Read by progress, `/status` and tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::budget::Budget;
use pipeline::{SinkError, SourceError, SourceStatus, Timestamp};

/// The state of a whole run; cheap to share and to read while it goes on.
#[derive(Debug, Default)]
pub struct Status {
    /// One entry a source, in the configured order.
    pub sources: Vec<Arc<SourceState>>,
    /// One entry a sink, in the configured order.
    pub sinks: Vec<Arc<SinkState>>,
    pub(crate) budgets: Vec<Arc<Budget>>,
}

impl Status {
    /// Bytes between the sources and the saved positions.
    pub fn in_flight_bytes(&self) -> u64 {
        self.budgets.iter().map(|budget| budget.used() as u64).sum()
    }
}

/// What a source does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceMode {
    /// Opening its position.
    #[default]
    Starting,
    /// Fetching.
    Collecting,
    /// Nothing to do until the next poll.
    Waiting,
    /// Failed for the moment; asks again by itself.
    Retrying,
    /// A person must act; asks again now and then.
    Paused,
    /// Ended: everything asked for is collected, or the run stops.
    Ended,
}

/// Counters and state of one source.
#[derive(Debug, Default)]
pub struct SourceState {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// New records taken in.
    pub records: AtomicU64,
    /// Bytes of their text.
    pub bytes: AtomicU64,
    /// Restarts from the checkpoint.
    pub restarts: AtomicU64,
    /// Saves of the checkpoint.
    pub saves: AtomicU64,
    /// Events beyond the first of a record.
    pub extra_events: AtomicU64,
    /// Holes in the history that were reported.
    pub gaps: AtomicU64,
    /// Their length, in seconds.
    pub gap_seconds: AtomicU64,
    errors: Mutex<BTreeMap<&'static str, u64>>,
    now: Mutex<SourceNow>,
}

/// The part of a source's state that is no counter.
#[derive(Clone, Debug, Default)]
pub struct SourceNow {
    /// What it does.
    pub mode: SourceMode,
    /// Why it is paused: a stable word.
    pub paused_for: Option<&'static str>,
    /// Since when it fails, if it does.
    pub failing_since: Option<Timestamp>,
    /// The newest failure, with its chain of causes and what to do; `None` after a success.
    pub last_error: Option<String>,
    /// The newest time of a record.
    pub last_event_time: Option<Timestamp>,
    /// When the API last answered as it should.
    pub last_success: Option<Timestamp>,
    /// When the position was last saved.
    pub last_save: Option<Timestamp>,
    /// Since when it cannot be saved, if it cannot.
    pub unsaved_since: Option<Timestamp>,
    /// The saved position.
    pub position: Option<String>,
    /// Time up to which everything is collected and delivered, but for history that is still open.
    pub delivered_until: Option<Timestamp>,
    /// When the API forgets the oldest events that are not delivered yet.
    pub lost_from: Option<Timestamp>,
    /// What the source says of itself.
    pub detail: SourceStatus,
}

impl SourceState {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.into(), ..Self::default() })
    }

    /// Failures by kind: `transient`, or the reason of a pause.
    pub fn errors(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.errors).clone()
    }

    pub(crate) fn failed(&self, kind: &'static str) {
        *locked(&self.errors).entry(kind).or_default() += 1;
    }

    /// A copy of the state that is no counter.
    pub fn now(&self) -> SourceNow {
        locked(&self.now).clone()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut SourceNow)) {
        change(&mut locked(&self.now));
    }
}

/// What a sink does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkMode {
    /// Taking events, or waiting for some.
    #[default]
    Delivering,
    /// Failed for the moment; tries again by itself.
    Retrying,
    /// A person must act; keeps its events and probes.
    Paused,
}

/// What became of the events that were handed to a sink. A copy is taken at one moment, so that it always balances:
/// `received = delivered + dead-lettered + filtered + abandoned + in flight`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Events handed to the sink.
    pub received: u64,
    /// Events durable at the destination.
    pub delivered: u64,
    /// Events that the destination refused for good and that the dead-letter store keeps, by reason.
    pub dead_lettered: BTreeMap<&'static str, u64>,
    /// Events that the user's rule left out.
    pub filtered: u64,
    /// Events given back when a stream restarted or the run ended; they are collected again.
    pub abandoned: u64,
    /// Bytes of the delivered events.
    pub delivered_bytes: u64,
    /// When one of these last changed.
    pub moved_at: Option<Timestamp>,
}

impl Ledger {
    /// Events refused for good, for whatever reason.
    pub fn all_dead_lettered(&self) -> u64 {
        self.dead_lettered.values().sum()
    }

    /// Events handed to the sink of which none of this is true yet.
    pub fn in_flight(&self) -> u64 {
        self.received - self.delivered - self.all_dead_lettered() - self.filtered - self.abandoned
    }
}

/// Counters and state of one sink.
#[derive(Debug, Default)]
pub struct SinkState {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// Of the delivered: the destination had them already.
    pub deduplicated: AtomicU64,
    /// Writes that the destination answered for each event.
    pub writes: AtomicU64,
    /// Writes that were made again, whole or in part.
    pub retries: AtomicU64,
    ledger: Mutex<Ledger>,
    errors: Mutex<BTreeMap<&'static str, u64>>,
    now: Mutex<SinkNow>,
}

/// The part of a sink's state that is no counter.
#[derive(Clone, Debug, Default)]
pub struct SinkNow {
    /// What it does.
    pub mode: SinkMode,
    /// Why it is paused: a stable word.
    pub paused_for: Option<&'static str>,
    /// Since when it fails, if it does.
    pub failing_since: Option<Timestamp>,
    /// The newest failure, with its chain of causes and what to do; `None` after a success.
    pub last_error: Option<String>,
    /// When it last delivered.
    pub last_delivery: Option<Timestamp>,
}

impl SinkState {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.into(), ..Self::default() })
    }

    /// A copy of the state that is no counter.
    pub fn now(&self) -> SinkNow {
        locked(&self.now).clone()
    }

    /// What became of its events up to this moment.
    pub fn ledger(&self) -> Ledger {
        locked(&self.ledger).clone()
    }

    /// Failed writes by kind: `transient`, `too_large`, `refused`, or the reason of a pause.
    pub fn errors(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.errors).clone()
    }

    pub(crate) fn book(&self, entry: impl FnOnce(&mut Ledger)) {
        let mut ledger = locked(&self.ledger);
        entry(&mut ledger);
        ledger.moved_at = Some(present());
    }

    pub(crate) fn failed(&self, kind: &'static str) {
        *locked(&self.errors).entry(kind).or_default() += 1;
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut SinkNow)) {
        change(&mut locked(&self.now));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn present() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::AcqRel);
}

/// An error and its causes on one line: `write batch: open ./out: permission denied`.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What happened to a sink, then what to do about it.
pub(crate) fn sink_failure(error: &SinkError) -> String {
    match error {
        SinkError::Paused { remedy, source, .. } => format!("{}; {remedy}", chain(&**source)),
        SinkError::Transient { source, .. } => chain(&**source),
        error => chain(error),
    }
}

/// What happened to a source, then what to do about it.
pub(crate) fn source_failure(error: &SourceError) -> String {
    match error {
        SourceError::Paused { remedy, source, .. } | SourceError::Fatal { remedy, source } => {
            format!("{}; {remedy}", chain(&**source))
        }
        SourceError::Transient { source, .. } => chain(&**source),
        error => chain(error),
    }
}
