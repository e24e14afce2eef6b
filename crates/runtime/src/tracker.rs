//! Acknowledgement: which chunks are delivered, and how far everything before them is.
//!
//! A stream tracks its chunks in the order of collection. Each gives one [`Ack`] a sink; chunks complete in any order.
//! Only the unbroken row of complete chunks at the front becomes safe, so the saved position never passes an undelivered
//! one. An `Ack` that is dropped instead of [`Ack::done`] breaks the run: whatever forgot it, the stream goes back to
//! its saved position, and nothing is lost.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pipeline::{Progress, RecordId, SinkSet};
use tokio::sync::Notify;

use crate::budget::Permit;

/// The chunks in flight of one run of a stream. Cloning gives another handle.
#[derive(Clone, Debug)]
pub(crate) struct Tracker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the chunk at the front.
    front: u64,
    chunks: VecDeque<Chunk>,
    /// How many acks are out.
    acks: usize,
    /// An ack was dropped, or the stream gave up: nothing more is to be delivered for this run.
    broken: bool,
}

#[derive(Debug)]
struct Chunk {
    progress: Option<Progress>,
    ids: Vec<RecordId>,
    permit: Option<Permit>,
    /// Which sinks had the records before this run.
    had: SinkSet,
    /// Sink number, and how many acks of it are out.
    waiting: Vec<(u32, u32)>,
}

impl Chunk {
    fn is_complete(&self) -> bool {
        self.waiting.iter().all(|(_, acks)| *acks == 0)
    }
}

/// What became safe since it was last asked for.
#[derive(Debug, Default)]
pub(crate) struct Safe {
    /// The newest safe progress, if it moved.
    pub(crate) progress: Option<Progress>,
    /// The ids delivered with it.
    pub(crate) ids: Vec<RecordId>,
    /// To be dropped when all this is saved.
    pub(crate) permits: Vec<Permit>,
}

impl Safe {
    pub(crate) fn is_empty(&self) -> bool {
        self.progress.is_none() && self.ids.is_empty()
    }

    /// Adds what became safe later.
    pub(crate) fn extend(&mut self, later: Self) {
        if later.progress.is_some() {
            self.progress = later.progress;
        }
        self.ids.extend(later.ids);
        self.permits.extend(later.permits);
    }
}

impl Tracker {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), changed: Notify::new() }))
    }

    /// Takes a chunk in, after all earlier ones. `progress` is where collection stands once it and everything before it
    /// is delivered: `None` in the middle of a page. Returns one ack for each of `sinks`; with no sinks, the chunk is
    /// complete at once.
    pub(crate) fn track(
        &self,
        progress: Option<Progress>,
        ids: Vec<RecordId>,
        permit: Option<Permit>,
        had: SinkSet,
        sinks: &[u32],
    ) -> Vec<Ack> {
        let mut state = self.0.lock();
        let chunk = state.front + state.chunks.len() as u64;
        let waiting = sinks.iter().map(|sink| (*sink, 1)).collect();
        state.acks += sinks.len();
        state.chunks.push_back(Chunk { progress, ids, permit, had, waiting });
        drop(state);
        self.0.changed.notify_waiters();
        sinks.iter().map(|sink| Ack { tracker: self.0.clone(), chunk, sink: *sink, settled: false }).collect()
    }

    /// Takes out what is safe by now.
    pub(crate) fn take_safe(&self) -> Safe {
        let mut state = self.0.lock();
        let mut safe = Safe::default();
        while state.chunks.front().is_some_and(Chunk::is_complete) {
            state.front += 1;
            let Some(chunk) = state.chunks.pop_front() else { break };
            safe.progress = chunk.progress.or(safe.progress);
            safe.ids.extend(chunk.ids);
            safe.permits.extend(chunk.permit);
        }
        safe
    }

    /// Returns when something is safe, or the run is broken.
    pub(crate) async fn safe_or_broken(&self) {
        self.until(|state| state.broken || state.chunks.front().is_some_and(Chunk::is_complete)).await;
    }

    /// Returns when the run is broken.
    pub(crate) async fn broken(&self) {
        self.until(|state| state.broken).await;
    }

    /// Returns when no ack is out any more, each done or dropped.
    pub(crate) async fn settled(&self) {
        self.until(|state| state.acks == 0).await;
    }

    /// Gives the run up: sinks drop what they have of it instead of delivering it.
    pub(crate) fn give_up(&self) {
        self.0.lock().broken = true;
        self.0.changed.notify_waiters();
    }

    /// At the end of a run: what was delivered behind a chunk that was not, with the sinks that have it. Saved, it keeps
    /// those sinks from getting it twice; the position stays before it.
    pub(crate) fn delivered_out_of_order(&self) -> Vec<(RecordId, SinkSet)> {
        let state = self.0.lock();
        let mut delivered = Vec::new();
        for chunk in &state.chunks {
            let sinks = if chunk.is_complete() {
                SinkSet::ALL
            } else {
                let done = chunk.waiting.iter().filter(|(_, acks)| *acks == 0);
                done.fold(chunk.had, |set, (sink, _)| set.with(*sink))
            };
            if sinks != SinkSet::NONE {
                delivered.extend(chunk.ids.iter().map(|id| (*id, sinks)));
            }
        }
        delivered
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change between look and wait is missed.
            changed.as_mut().enable();
            if condition(&self.0.lock()) {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    /// How many acks of `sink` are out for `chunk`, which stays in memory as long as one is.
    fn waiting(&mut self, chunk: u64, sink: u32) -> &mut u32 {
        let at = usize::try_from(chunk - self.front).expect("an index into what is in memory");
        let entry = self.chunks[at].waiting.iter_mut().find(|(number, _)| *number == sink);
        &mut entry.expect("the ack came from this chunk").1
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to deliver one chunk to one sink. Fail-closed: dropping it says *not delivered*.
#[derive(Debug)]
#[must_use = "dropping an ack sends the stream back to its saved position"]
pub(crate) struct Ack {
    tracker: Arc<Shared>,
    chunk: u64,
    sink: u32,
    settled: bool,
}

impl Ack {
    /// Delivered: durable at the destination, dead-lettered, or filtered by the user's rule.
    pub(crate) fn done(mut self) {
        self.settled = true;
        let mut state = self.tracker.lock();
        state.acks -= 1;
        *state.waiting(self.chunk, self.sink) -= 1;
        drop(state);
        self.tracker.changed.notify_waiters();
    }

    /// A further ack for a part of the same chunk: all must be done.
    pub(crate) fn share(&self) -> Self {
        let mut state = self.tracker.lock();
        state.acks += 1;
        *state.waiting(self.chunk, self.sink) += 1;
        drop(state);
        Self { tracker: self.tracker.clone(), chunk: self.chunk, sink: self.sink, settled: false }
    }

    /// Whether the run it belongs to was given up: delivering would only repeat events.
    pub(crate) fn is_stale(&self) -> bool {
        self.tracker.lock().broken
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if !mem::replace(&mut self.settled, true) {
            let mut state = self.tracker.lock();
            state.acks -= 1;
            state.broken = true;
            drop(state);
            self.tracker.changed.notify_waiters();
        }
    }
}

#[cfg(test)]
#[path = "tracker_tests.rs"]
mod tests;
