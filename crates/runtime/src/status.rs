//! What a run says of itself: the ledger of each sink, the state of each source. Read by progress, `/status` and tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pipeline::{SourceStatus, Timestamp};

/// The state of a whole run; cheap to share and to read while it goes on.
#[derive(Debug, Default)]
pub struct Status {
    /// One entry a source, in the configured order.
    pub sources: Vec<Arc<SourceState>>,
    /// One entry a sink, in the configured order.
    pub sinks: Vec<Arc<SinkState>>,
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
    /// Failures.
    pub errors: AtomicU64,
    /// Restarts from the checkpoint.
    pub restarts: AtomicU64,
    /// Saves of the checkpoint.
    pub saves: AtomicU64,
    /// Events beyond the first of a record.
    pub extra_events: AtomicU64,
    /// Holes in the history that were reported.
    pub gaps: AtomicU64,
    now: Mutex<SourceNow>,
}

/// The part of a source's state that is no counter.
#[derive(Clone, Debug, Default)]
pub struct SourceNow {
    /// What it does.
    pub mode: SourceMode,
    /// The newest failure, with its chain of causes; `None` after a success.
    pub last_error: Option<String>,
    /// When the API last answered as it should.
    pub last_success: Option<Timestamp>,
    /// The saved position.
    pub position: Option<String>,
    /// What the source says of itself.
    pub detail: SourceStatus,
}

impl SourceState {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.into(), ..Self::default() })
    }

    /// A copy of the state that is no counter.
    pub fn now(&self) -> SourceNow {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut SourceNow)) {
        change(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
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

/// The ledger of one sink: `received = delivered + abandoned + in flight` at every moment that no event moves.
#[derive(Debug, Default)]
pub struct SinkState {
    /// Its name in the configuration.
    pub name: Box<str>,
    /// Events handed to it.
    pub received: AtomicU64,
    /// Events durable at the destination.
    pub delivered: AtomicU64,
    /// Of the delivered: the destination had them already.
    pub deduplicated: AtomicU64,
    /// Events given back when a stream restarted or the run ended; they are collected again.
    pub abandoned: AtomicU64,
    /// Bytes of delivered events.
    pub bytes: AtomicU64,
    /// Writes that succeeded.
    pub writes: AtomicU64,
    /// Failed writes.
    pub errors: AtomicU64,
    now: Mutex<SinkNow>,
}

/// The part of a sink's state that is no counter.
#[derive(Clone, Debug, Default)]
pub struct SinkNow {
    /// What it does.
    pub mode: SinkMode,
    /// The newest failure, with its chain of causes; `None` after a success.
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
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events received and neither delivered nor given back.
    pub fn in_flight(&self) -> u64 {
        // Read in the order opposite to that of counting, so that it never goes below nothing.
        let settled = self.delivered.load(Ordering::Acquire) + self.abandoned.load(Ordering::Acquire);
        self.received.load(Ordering::Acquire).saturating_sub(settled)
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut SinkNow)) {
        change(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
    }
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
