//! Events on their way to one sink, with the duty to deliver them.

use std::ops::Range;
use std::sync::Arc;

use pipeline::EventBatch;

use crate::status::{SinkState, count};
use crate::tracker::Ack;

/// A row of events of one batch for one sink. It counts itself into that sink's ledger: received when made, then either
/// delivered or, when dropped, abandoned.
#[derive(Debug)]
pub(crate) struct Parcel {
    batch: Arc<EventBatch>,
    range: Range<usize>,
    ack: Option<Ack>,
    sink: Arc<SinkState>,
}

impl Parcel {
    pub(crate) fn new(batch: Arc<EventBatch>, ack: Ack, sink: Arc<SinkState>) -> Self {
        let range = 0..batch.events.len();
        count(&sink.received, range.len());
        Self { batch, range, ack: Some(ack), sink }
    }

    pub(crate) fn batch(&self) -> &Arc<EventBatch> {
        &self.batch
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.range.len()
    }

    /// Bytes of the lines.
    pub(crate) fn bytes(&self) -> usize {
        let events = &self.batch.events[self.range.clone()];
        match (events.first(), events.last()) {
            (Some(first), Some(last)) => (last.span.end - first.span.start) as usize + 1,
            _ => 0,
        }
    }

    /// Whether its stream has gone back to its saved position.
    pub(crate) fn is_stale(&self) -> bool {
        self.ack.as_ref().is_some_and(Ack::is_stale)
    }

    /// Splits off the first `events`; both parts must be delivered.
    pub(crate) fn split_front(&mut self, events: usize) -> Self {
        let middle = self.range.start + events.min(self.range.len());
        let ack = self.ack.as_ref().map(Ack::share);
        let front =
            Self { batch: self.batch.clone(), range: self.range.start..middle, ack, sink: self.sink.clone() };
        self.range.start = middle;
        front
    }

    /// The destination has all of it, durably.
    pub(crate) fn delivered(mut self) {
        if let Some(ack) = self.ack.take() {
            count(&self.sink.bytes, self.bytes());
            count(&self.sink.delivered, self.range.len());
            ack.done();
        }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if self.ack.is_some() {
            count(&self.sink.abandoned, self.range.len());
        }
    }
}
