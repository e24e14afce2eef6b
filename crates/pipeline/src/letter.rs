//! The verb *keep aside*: events that a destination refused for good.

use std::sync::Arc;

use bytes::Bytes;

use crate::BoxError;
use crate::event::View;
use crate::record::{Origin, RecordId};
use crate::time::Timestamp;

/// A refused event, with all that is needed to understand the refusal and to send it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// When it was refused.
    pub time: Timestamp,
    /// Where its record comes from.
    pub origin: Arc<Origin>,
    /// The sink's name in the configuration.
    pub sink: Box<str>,
    /// The encoding that was sent.
    pub view: Arc<View>,
    /// [`EventMeta::id`](crate::EventMeta::id).
    pub event_id: u128,
    /// Which of the events of its record it is, from 0: one record may give several.
    pub fan_out: u32,
    /// [`Reason::kind`](crate::Reason::kind).
    pub reason: Box<str>,
    /// [`Reason::detail`](crate::Reason::detail).
    pub detail: Box<str>,
    /// How often it was sent.
    pub attempts: u32,
    /// The line that was sent, without its line break.
    pub sent: Bytes,
    /// The vendor's record; an event that reports a gap has none.
    pub record: Option<LetterRecord>,
}

/// The record that a letter's event was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterRecord {
    /// Its bytes as received; usually, but not surely, one JSON value in UTF-8.
    pub text: Bytes,
    /// Its identity.
    pub id: RecordId,
    /// When it was collected.
    pub collected_at: Timestamp,
}

/// Where refused events are kept until a person looks at them. Calls block.
pub trait DeadLetters: Send + Sync + 'static {
    /// Keeps the letters. `Ok` only when all of them are durable.
    ///
    /// # Errors
    /// None of them counts as kept, and the same events come again: their sink is held until the store takes them.
    fn keep(&self, letters: &[Letter]) -> Result<(), LetterError>;

    /// How many letters of `sink` it holds, as far as this process knows.
    fn count(&self, sink: &str) -> u64;
}

/// Why letters could not be kept. Nothing is lost: their sink is held.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// They would take more room than the store may have.
    #[error("dead-letter store {path} is full: its {max_size} bytes are used up")]
    Full {
        /// Where it is.
        path: String,
        /// How large it may grow, in bytes.
        max_size: u64,
    },
    /// The disk refused.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried, e.g. `write`.
        doing: &'static str,
        /// To what.
        path: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
}
