//! The verb *remember*: positions and delivered ids, durable and in one transaction.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::BoxError;
use crate::record::RecordId;

/// A source's position: JSON text, so that an operator can read and edit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(Box<str>);

impl Position {
    /// Encodes a source's own position type.
    ///
    /// # Panics
    /// When the type cannot be JSON (a map with keys that are no text); position types are plain data.
    pub fn encode<P: Serialize>(position: &P) -> Self {
        Self(serde_json::to_string(position).expect("a position is plain data").into())
    }

    /// From JSON text, e.g. an operator's.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&serde_json::value::RawValue>(text)?;
        Ok(Self(text.into()))
    }

    /// Decodes into the source's own position type.
    pub fn decode<'a, P: Deserialize<'a>>(&'a self) -> Result<P, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which sinks of a source's pipeline have an id: bit n is the n-th name in the stream's saved list of sinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SinkSet(pub u64);

impl SinkSet {
    /// No sink.
    pub const NONE: Self = Self(0);
    /// Every sink, also those added later: a new sink starts at the present.
    pub const ALL: Self = Self(u64::MAX);

    /// This set with sink `n`; `n` is below 64.
    #[must_use]
    pub const fn with(self, n: u32) -> Self {
        Self(self.0 | 1 << n)
    }

    /// Whether sink `n` is in the set.
    pub const fn contains(self, n: u32) -> bool {
        self.0 & 1 << n != 0
    }
}

/// Counts the saves of a stream; a save names the one that it expects to follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

/// What a stream resumes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where.
    pub position: Position,
    /// Which save this was.
    pub revision: Revision,
    /// How many delivered ids are remembered.
    pub delivered: u64,
}

/// One save: everything or nothing of it becomes durable.
#[derive(Clone, Copy, Debug)]
pub struct Save<'a> {
    /// The safe position.
    pub position: &'a Position,
    /// Ids delivered since the last save, and to which sinks.
    pub delivered: &'a [(RecordId, SinkSet)],
    /// Forget ids of events before this second.
    pub prune_before: i64,
}

/// Positions and delivered ids of all streams. Calls block; the runtime keeps them off its I/O threads.
pub trait CheckpointStore: Send + Sync + 'static {
    /// The names of the streams that have a checkpoint, sorted.
    fn streams(&self) -> Result<Vec<String>, StoreError>;

    /// The stream's checkpoint, if it has one.
    fn load(&self, stream: &str) -> Result<Option<Checkpoint>, StoreError>;

    /// Saves atomically and durably, provided that the stream's revision still is `expected`
    /// (`Revision(0)`: there is none yet).
    fn save(&self, stream: &str, save: Save<'_>, expected: Revision) -> Result<Revision, StoreError>;

    /// For each id, in order: what is remembered under its second and native id, newest content last; usually nothing or
    /// one entry.
    fn delivered(&self, stream: &str, ids: &[RecordId]) -> Result<Vec<Vec<(u64, SinkSet)>>, StoreError>;

    /// The number of each sink in the stream's saved list of names, in order; new names are added durably. A [`SinkSet`]
    /// counts by these numbers.
    fn sink_numbers(&self, stream: &str, names: &[&str]) -> Result<Vec<u32>, StoreError>;

    /// Forgets the stream: position and ids.
    fn reset(&self, stream: &str) -> Result<(), StoreError>;
}

/// Why a checkpoint store refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process saved this stream: stop, do not overwrite.
    #[error("stream {stream} was saved by someone else: expected revision {expected}, found {found}")]
    Conflict {
        /// Which stream.
        stream: String,
        /// What this process saw last.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The data directory belongs to a running process.
    #[error("data directory is in use by process {pid}")]
    InUse {
        /// Which process.
        pid: u32,
    },
    /// The store was written by a newer Towpath.
    #[error(
        "store has format {found}, this version reads up to {supported}: use the newer Towpath that wrote it"
    )]
    Newer {
        /// What is there.
        found: u32,
        /// What this version knows.
        supported: u32,
    },
    /// The store cannot be read: a person must decide, nothing is started afresh in silence.
    #[error("{detail}")]
    Corrupt {
        /// What is wrong, where, and what to do.
        detail: String,
    },
    /// The disk refused (full, read-only, I/O error): may heal.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
}
