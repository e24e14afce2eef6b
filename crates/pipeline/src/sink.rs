//! The verb *deliver*.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::BoxError;
use crate::event::{EventBatch, EventMeta};

/// A destination. Passive: it writes when asked and never sleeps, spawns, retries or batches.
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Is the destination reachable with these credentials? Delivers nothing.
    async fn check(&self) -> Result<(), BoxError>;

    /// Gets ready before the first event, as far as that is possible: a destination that is not usable shows at the start
    /// and not at the first event. A write must succeed without it.
    async fn open(&self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Delivers. `Ok` only when everything that the [`Outcome`] does not name is durable there. After an error, or when
    /// cancelled, the same events come again: what was half written must not show twice or torn.
    async fn write(&self, events: &Write) -> Result<Outcome, SinkError>;

    /// Ends in good order what is held open between writes: connections, sessions. Called once, after the last write, when
    /// all that was written is settled and saved; dropped when the destination takes its time. So nothing may depend on
    /// it, and what goes wrong is for the log. A sink that holds nothing open has nothing to do.
    async fn close(&self) {}
}

/// What one call of [`Sink::write`] carries: parts of one or more batches of one view.
#[derive(Clone, Debug, Default)]
pub struct Write {
    parts: Vec<(Arc<EventBatch>, Range<usize>)>,
    events: usize,
    bytes: usize,
}

impl Write {
    /// Adds events `range` of `batch`; an empty range adds nothing.
    pub fn push(&mut self, batch: Arc<EventBatch>, range: Range<usize>) {
        let Some(lines) = lines(&batch, &range) else { return };
        self.events += range.len();
        self.bytes += lines.len();
        self.parts.push((batch, range));
    }

    /// How many events.
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Bytes of their lines, line breaks included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The parts, each a batch and the events of it.
    pub fn parts(&self) -> &[(Arc<EventBatch>, Range<usize>)] {
        &self.parts
    }

    /// The lines as they stand in the batches: one slice a part, each ended by a line break. No copy.
    pub fn lines(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.parts.iter().filter_map(|(batch, range)| lines(batch, range).map(|l| batch.ndjson.slice(l)))
    }

    /// The events in order, with the batch that holds their text.
    pub fn events(&self) -> impl Iterator<Item = (&EventBatch, &EventMeta)> + '_ {
        self.parts
            .iter()
            .flat_map(|(batch, range)| batch.events[range.clone()].iter().map(|meta| (&**batch, meta)))
    }
}

/// The bytes that the lines of events `range` take up in the batch; events stand in it one after the other.
fn lines(batch: &EventBatch, range: &Range<usize>) -> Option<Range<usize>> {
    let events = batch.events.get(range.clone())?;
    let (first, last) = (events.first()?, events.last()?);
    Some(first.span.start as usize..last.span.end as usize + 1)
}

/// What became of the events of a [`Write`], by index; all that is not named was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// To be sent again.
    pub retry: Vec<u32>,
    /// Refused for good.
    pub rejected: Vec<(u32, Reason)>,
    /// Of those taken: the destination had them already.
    pub deduplicated: u32,
    /// The destination asks for a pause before the next write.
    pub slow_down: Option<Duration>,
}

/// Why a destination refused an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A stable word for metrics, e.g. `mapping`.
    pub kind: &'static str,
    /// The destination's own words.
    pub detail: Box<str>,
}

/// What the runtime does next with a sink that failed; the events come again in every case.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Ask again after a back-off, or after what the destination asked for.
    #[error("sink failed for the moment")]
    Transient {
        /// What the destination asked to wait.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// The write is larger than the destination takes: halve it.
    #[error("write is too large for the destination")]
    TooLarge(#[source] BoxError),
    /// The destination refuses this write as a whole and does not say which event is at fault: split it. A single event
    /// that is refused alone is refused for good.
    #[error("destination refuses the write ({}): {}", .reason.kind, .reason.detail)]
    Rejected {
        /// What it said.
        reason: Reason,
    },
    /// A person must act (credentials, configuration, disk): keep everything, alert, probe.
    #[error("{remedy}")]
    Paused {
        /// A stable word for metrics, e.g. `disk_full`.
        reason: &'static str,
        /// What to do, in a sentence.
        remedy: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventDraft, EventOutcome, EventWriter, Schema, View};
    use crate::record::Origin;
    use crate::time::Timestamp;

    fn batch(lines: &[&str]) -> Arc<EventBatch> {
        let mut writer = EventWriter::default();
        for (n, line) in lines.iter().enumerate() {
            writer.start_record(n as u32);
            writer.line().extend_from_slice(line.as_bytes());
            writer.commit(&EventDraft {
                id: n as u128,
                time: Timestamp::default(),
                class: 0,
                severity: 0,
                outcome: EventOutcome::Unknown,
                action: "",
                actor: "",
                tenant: "",
            });
        }
        let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
        let view = View { schema: Schema::Raw, version: "".into(), keep_raw: true };
        Arc::new(writer.finish(Arc::new(origin), Arc::new(view)))
    }

    #[test]
    fn write_carries_parts_of_batches_without_copying() {
        let mut write = Write::default();
        write.push(batch(&["a", "bb", "ccc"]), 1..3);
        write.push(batch(&["d"]), 0..0);
        write.push(batch(&["e"]), 0..1);
        let text: Vec<u8> = write.lines().flatten().collect();
        assert_eq!(text, b"bb\nccc\ne\n");
        assert_eq!((write.len(), write.bytes()), (3, text.len()));
        let events: Vec<_> = write.events().map(|(b, e)| b.text(e).to_vec()).collect();
        assert_eq!(events, [b"bb".to_vec(), b"ccc".to_vec(), b"e".to_vec()]);
    }
}
