//! Events on their way to one sink, with the duty to deliver them.

use std::ops::Range;
use std::sync::Arc;

use pipeline::{EventBatch, EventMeta, Letter, LetterRecord, RawBatch, Reason, Timestamp};

use crate::status::{Ledger, SinkState};
use crate::tracker::Ack;

/// A row of events of one batch for one sink. It books itself into that sink's ledger: received when made, then
/// delivered, dead-lettered or, when dropped, abandoned.
#[derive(Debug)]
pub(crate) struct Parcel {
    batch: Arc<EventBatch>,
    /// The page that the events come from: a refused one is kept with its record.
    page: Arc<RawBatch>,
    range: Range<usize>,
    ack: Option<Ack>,
    sink: Arc<SinkState>,
}

impl Parcel {
    pub(crate) fn new(batch: Arc<EventBatch>, page: Arc<RawBatch>, ack: Ack, sink: Arc<SinkState>) -> Self {
        let range = 0..batch.events.len();
        sink.book(|ledger| ledger.received += range.len() as u64);
        Self { batch, page, range, ack: Some(ack), sink }
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
        let events = self.events();
        match (events.first(), events.last()) {
            (Some(first), Some(last)) => (last.span.end - first.span.start) as usize + 1,
            _ => 0,
        }
    }

    /// When the oldest of its events happened.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.events().iter().map(|event| event.time).min()
    }

    fn events(&self) -> &[EventMeta] {
        &self.batch.events[self.range.clone()]
    }

    /// Whether its stream has gone back to its saved position.
    pub(crate) fn is_stale(&self) -> bool {
        self.ack.as_ref().is_some_and(Ack::is_stale)
    }

    /// Splits off the first `events`; both parts must be delivered.
    pub(crate) fn split_front(&mut self, events: usize) -> Self {
        let middle = self.range.start + events.min(self.range.len());
        let front = Self {
            batch: self.batch.clone(),
            page: self.page.clone(),
            range: self.range.start..middle,
            ack: self.ack.as_ref().map(Ack::share),
            sink: self.sink.clone(),
        };
        self.range.start = middle;
        front
    }

    /// The destination has all of it, durably.
    pub(crate) fn delivered(self) {
        let (events, bytes) = (self.len() as u64, self.bytes() as u64);
        self.done(|ledger| {
            ledger.delivered += events;
            ledger.delivered_bytes += bytes;
        });
    }

    /// The dead-letter store has all of it, durably.
    pub(crate) fn dead_lettered(self, reason: &'static str) {
        let events = self.len() as u64;
        self.done(|ledger| *ledger.dead_lettered.entry(reason).or_default() += events);
    }

    fn done(mut self, entry: impl FnOnce(&mut Ledger)) {
        if let Some(ack) = self.ack.take() {
            self.sink.book(entry);
            ack.done();
        }
    }

    /// The letter for its first event, which the destination refused.
    pub(crate) fn letter(&self, reason: &Reason, attempts: u32, time: Timestamp) -> Letter {
        let events = &self.batch.events;
        let event = &events[self.range.start];
        let before = events[..self.range.start].iter().rev();
        let fan_out = before.take_while(|other| other.record == event.record).count();
        let line = event.span.start as usize..event.span.end as usize;
        let record = self.page.records.get(event.record as usize).map(|record| LetterRecord {
            text: self.page.body.slice(record.span.start as usize..record.span.end as usize),
            id: record.id,
            collected_at: self.page.collected_at,
        });
        Letter {
            time,
            origin: self.batch.origin.clone(),
            sink: self.sink.name.clone(),
            view: self.batch.view.clone(),
            event_id: event.id,
            fan_out: u32::try_from(fan_out).unwrap_or(u32::MAX),
            reason: reason.kind.into(),
            detail: reason.detail.clone(),
            attempts,
            sent: self.batch.ndjson.slice(line),
            record,
        }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if self.ack.is_some() {
            let events = self.range.len() as u64;
            self.sink.book(|ledger| ledger.abandoned += events);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pipeline::{EventOutcome, Origin, Schema, SinkSet, View};

    use super::*;
    use crate::tracker::Tracker;

    /// A parcel of so many events, of a run of its own.
    pub(crate) fn parcel(events: usize) -> Parcel {
        let origin = Arc::new(Origin {
            source: "source".into(),
            kind: "fake".into(),
            dataset: "fake".into(),
            labels: Vec::new(),
        });
        let event = |n: u32| EventMeta {
            span: n * 3..n * 3 + 2,
            record: EventMeta::NO_RECORD,
            id: n.into(),
            time: Timestamp::default(),
            class: 0,
            severity: 0,
            outcome: EventOutcome::Unknown,
            action: 0..0,
            actor: 0..0,
            tenant: 0..0,
        };
        let batch = EventBatch {
            origin: origin.clone(),
            view: Arc::new(View { schema: Schema::Raw, version: "".into(), keep_raw: true }),
            ndjson: "{}\n".repeat(events).into(),
            events: (0..events as u32).map(event).collect(),
            words: bytes::Bytes::new(),
        };
        let page = RawBatch {
            origin,
            collected_at: Timestamp::default(),
            body: bytes::Bytes::new(),
            records: Vec::new(),
            gaps: Vec::new(),
        };
        let ack = Tracker::new().track(None, Vec::new(), None, SinkSet::NONE, &[0]).remove(0);
        Parcel::new(Arc::new(batch), Arc::new(page), ack, SinkState::new("sink"))
    }
}
