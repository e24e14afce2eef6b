//! The nouns and verbs of Towpath. This crate knows no vendor, does no I/O and reads no clock.
//!
//! ```text
//! Source ── Page{RawBatch, Progress} ──▶ Transform ── EventBatch ──▶ Sink
//!    ▲                                                               │
//!    └────── CheckpointStore ◀── Progress, delivered ids ◀── done ◀──┘
//! ```
//!
//! A connector is passive: a [`Source`] fetches one page when asked, a [`Sink`] delivers one [`Write`] when asked.
//! Loops, channels, retry, back-off, acknowledgement and checkpoints live in the `runtime` crate alone.
//!
//! - [`record`]: what a source collects: [`RawBatch`], [`RawRecord`], [`RecordId`], [`Gap`];
//! - [`event`]: what a sink receives: [`View`], [`EventBatch`], [`EventMeta`], built through [`EventWriter`];
//! - [`buffers`]: the memory of encoded events;
//! - [`source`], [`transform`], [`sink`], [`store`], [`letter`]: the verbs, and the errors that say what happens next;
//! - [`path`]: [`Path`], how a configuration names a member of a record;
//! - [`time`]: [`Timestamp`], milliseconds since the Unix epoch.

pub mod buffers;
pub mod event;
pub mod letter;
pub mod path;
pub mod record;
pub mod sink;
pub mod source;
pub mod store;
pub mod time;
pub mod transform;

pub use buffers::Buffers;
pub use event::{EventBatch, EventDraft, EventMeta, EventOutcome, EventWriter, Schema, View};
pub use letter::{DeadLetters, Letter, LetterError, LetterRecord};
pub use path::{ParsePathError, Path};
pub use record::{Gap, Origin, RawBatch, RawRecord, RecordId};
pub use sink::{Outcome, Reason, Sink, SinkError, Write};
pub use source::{Next, Progress, Seen, SeenIds, Source, SourceError, SourceStatus, Wait};
pub use store::{Checkpoint, CheckpointStore, Position, Revision, Save, SinkSet, StoreError};
pub use time::Timestamp;
pub use transform::{Record, Transform};

/// Any error, boxed: what connectors put below the error kinds of this crate.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
