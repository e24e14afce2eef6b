//! What a sink receives: events encoded once per view, and the facts that sinks route, key and filter on.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::buffers::{Buffer, Buffers};
use crate::record::Origin;
use crate::time::Timestamp;

/// The family of an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Schema {
    /// Open Cybersecurity Schema Framework.
    Ocsf,
    /// Elastic Common Schema.
    Ecs,
    /// The vendor's record on one line.
    Raw,
}

impl Schema {
    /// The name in configuration and output: `ocsf`, `ecs`, `raw`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Raw => "raw",
        }
    }
}

/// What one encoding is. Sinks with equal views share the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct View {
    /// The family.
    pub schema: Schema,
    /// The version in it, e.g. `1.8.0`; empty for `raw`.
    pub version: Box<str>,
    /// Whether the event carries the vendor's bytes (`raw_data`, `event.original`).
    pub keep_raw: bool,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.schema.name())?;
        if !self.version.is_empty() {
            write!(f, " {}", self.version)?;
        }
        Ok(())
    }
}

/// Whether the audited action succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventOutcome {
    /// The record does not say.
    #[default]
    Unknown,
    /// It did.
    Success,
    /// It did not.
    Failure,
}

/// The facts of one event that sinks use without parsing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventMeta {
    /// The event in [`EventBatch::ndjson`], without the line break that follows it.
    pub span: Range<u32>,
    /// Which record of the page it came from; fan-out gives several events one number. [`EventMeta::NO_RECORD`] for an event
    /// that reports a gap.
    pub record: u32,
    /// 128-bit hash of dataset, tenant, native id, fan-out index and content: the same for every delivery.
    pub id: u128,
    /// The vendor's event time, or the collection time where that cannot be read.
    pub time: Timestamp,
    /// OCSF class, also for other schemas.
    pub class: u32,
    /// OCSF severity, 0–6 or 99, also for other schemas.
    pub severity: u8,
    /// Whether the audited action succeeded.
    pub outcome: EventOutcome,
    /// The vendor's action in [`EventBatch::words`]; empty when it has none.
    pub action: Range<u32>,
    /// The actor's id in [`EventBatch::words`]; empty when unknown.
    pub actor: Range<u32>,
    /// The tenant's id in [`EventBatch::words`]; empty when unknown.
    pub tenant: Range<u32>,
}

impl EventMeta {
    /// [`EventMeta::record`] of an event that comes from no record.
    pub const NO_RECORD: u32 = u32::MAX;

    /// [`EventMeta::id`] as it stands wherever Towpath writes it: 32 lower-case hexadecimal digits.
    pub fn id_digits(&self) -> [u8; 32] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.id.to_be_bytes()) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        digits
    }
}

/// Events of one view, encoded once, immutable.
#[derive(Clone, Debug)]
pub struct EventBatch {
    /// Where they come from.
    pub origin: Arc<Origin>,
    /// What their encoding is.
    pub view: Arc<View>,
    /// One JSON object a line, each line ended by `\n`.
    pub ndjson: Bytes,
    /// One entry an event, in the order of the lines.
    pub events: Vec<EventMeta>,
    /// Text that [`EventMeta`] points into.
    pub words: Bytes,
}

impl EventBatch {
    /// The event's JSON text, without a line break.
    pub fn text(&self, event: &EventMeta) -> &[u8] {
        &self.ndjson[event.span.start as usize..event.span.end as usize]
    }

    /// A word of an event's facts (`action`, `actor`, `tenant`).
    pub fn word(&self, span: &Range<u32>) -> &[u8] {
        &self.words[span.start as usize..span.end as usize]
    }
}

/// The facts of an event about to be committed to an [`EventWriter`].
#[derive(Clone, Copy, Debug)]
pub struct EventDraft<'a> {
    /// See [`EventMeta::id`].
    pub id: u128,
    /// See [`EventMeta::time`].
    pub time: Timestamp,
    /// See [`EventMeta::class`].
    pub class: u32,
    /// See [`EventMeta::severity`].
    pub severity: u8,
    /// See [`EventMeta::outcome`].
    pub outcome: EventOutcome,
    /// The vendor's action, or empty.
    pub action: &'a str,
    /// The actor's id, or empty.
    pub actor: &'a str,
    /// The tenant's id, or empty.
    pub tenant: &'a str,
}

/// Collects the events of a batch in one buffer. A transform appends one line's text to [`EventWriter::line`] and
/// commits it; what is not committed is discarded by the next commit or by [`EventWriter::rollback`].
#[derive(Debug, Default)]
pub struct EventWriter {
    ndjson: Buffer,
    words: Vec<u8>,
    events: Vec<EventMeta>,
    record: u32,
    committed: usize,
}

impl EventWriter {
    /// With room for `events` events of `bytes` bytes in total, in one of the `buffers`.
    pub fn with_buffer(buffers: &Buffers, events: usize, bytes: usize) -> Self {
        Self {
            ndjson: buffers.take(bytes),
            words: Vec::with_capacity(events * 32),
            events: Vec::with_capacity(events),
            record: 0,
            committed: 0,
        }
    }

    /// Says which record of the page the next events come from; [`EventMeta::NO_RECORD`] for none.
    pub fn start_record(&mut self, record: u32) {
        self.rollback();
        self.record = record;
    }

    /// The buffer to append the event's JSON text to: one object, no line break, nothing before it touched.
    pub fn line(&mut self) -> &mut Vec<u8> {
        &mut self.ndjson
    }

    /// Bytes appended since the last commit.
    pub fn pending(&self) -> &[u8] {
        &self.ndjson[self.committed..]
    }

    /// Ends the line as an event.
    ///
    /// # Panics
    /// When the batch passes 4 GiB; batches are cut far below that.
    pub fn commit(&mut self, draft: &EventDraft<'_>) {
        let span = offset(self.committed)..offset(self.ndjson.len());
        self.ndjson.push(b'\n');
        self.committed = self.ndjson.len();
        let meta = EventMeta {
            span,
            record: self.record,
            id: draft.id,
            time: draft.time,
            class: draft.class,
            severity: draft.severity,
            outcome: draft.outcome,
            action: self.word(draft.action),
            actor: self.word(draft.actor),
            tenant: self.word(draft.tenant),
        };
        self.events.push(meta);
    }

    /// Discards what was appended since the last commit.
    pub fn rollback(&mut self) {
        self.ndjson.truncate(self.committed);
    }

    /// How many events are committed.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether no event is committed.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of committed lines.
    pub fn bytes(&self) -> usize {
        self.committed
    }

    /// The committed lines.
    pub fn ndjson(&self) -> &[u8] {
        &self.ndjson[..self.committed]
    }

    /// The committed events' facts.
    pub fn events(&self) -> &[EventMeta] {
        &self.events
    }

    /// Forgets everything, keeping the buffers.
    pub fn clear(&mut self) {
        self.ndjson.clear();
        self.words.clear();
        self.events.clear();
        self.record = 0;
        self.committed = 0;
    }

    /// The batch, ready to share.
    pub fn finish(mut self, origin: Arc<Origin>, view: Arc<View>) -> EventBatch {
        self.rollback();
        self.ndjson.trim();
        let ndjson = Bytes::from_owner(self.ndjson);
        EventBatch { origin, view, ndjson, events: self.events, words: self.words.into() }
    }

    fn word(&mut self, text: &str) -> Range<u32> {
        let start = offset(self.words.len());
        self.words.extend_from_slice(text.as_bytes());
        start..offset(self.words.len())
    }
}

/// A batch is cut far below 4 GiB, so an offset always fits.
fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a batch is below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_32_digits() {
        let mut writer = EventWriter::default();
        writer.commit(&EventDraft { id: 0xAB << 64 | 0xF, ..draft("") });
        assert_eq!(&writer.events()[0].id_digits(), b"00000000000000ab000000000000000f");
    }

    fn draft(action: &str) -> EventDraft<'_> {
        EventDraft {
            id: 7,
            time: Timestamp::from_millis(1),
            class: 3002,
            severity: 1,
            outcome: EventOutcome::Success,
            action,
            actor: "a",
            tenant: "",
        }
    }

    #[test]
    fn what_is_not_committed_leaves_no_trace() {
        let mut writer = EventWriter::default();
        writer.start_record(0);
        writer.line().extend_from_slice(b"{\"n\":0}");
        writer.commit(&draft("login"));
        writer.line().extend_from_slice(b"{\"half");
        writer.start_record(1);
        writer.line().extend_from_slice(b"{\"n\":1}");
        writer.commit(&draft("logout"));
        writer.line().extend_from_slice(b"{");
        let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
        let view = View { schema: Schema::Raw, version: "".into(), keep_raw: true };
        let batch = writer.finish(Arc::new(origin), Arc::new(view));
        assert_eq!(&batch.ndjson[..], b"{\"n\":0}\n{\"n\":1}\n");
        let second = &batch.events[1];
        assert_eq!((batch.text(second), second.record), (&b"{\"n\":1}"[..], 1));
        assert_eq!(batch.word(&second.action), b"logout");
        assert_eq!(batch.word(&second.tenant), b"");
    }
}
