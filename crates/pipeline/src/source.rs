//! The verb *collect*.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::BoxError;
use crate::record::{RawBatch, RecordId};
use crate::store::{Position, StoreError};
use crate::time::Timestamp;

/// One stream of records. Passive: it fetches when asked and never sleeps, spawns, retries or saves.
#[async_trait]
pub trait Source: Send + 'static {
    /// Takes up the saved position, or starts afresh, and returns the progress to be saved **before** the first
    /// [`Source::next`]: a relative `start` is thereby resolved once and for all. Called again after a restart of the
    /// stream; everything that was not saved is forgotten then.
    async fn open(
        &mut self,
        resume: Option<Position>,
        seen: Arc<dyn SeenIds>,
    ) -> Result<Progress, SourceError>;

    /// Fetches one page, or says how long to wait. Safe to cancel at every await: nothing changes until it returns.
    async fn next(&mut self) -> Result<Next, SourceError>;

    /// What an operator wants to know of it.
    fn status(&self) -> SourceStatus;

    /// Proves the credentials with the smallest request, for `check --connect`. The line tells what was seen.
    async fn check(&mut self) -> Result<String, SourceError>;
}

/// What [`Source::next`] found.
#[derive(Debug)]
pub enum Next {
    /// One page, possibly without a new record: its progress still counts.
    Page {
        /// The new records.
        batch: RawBatch,
        /// Where collection stands once they are delivered.
        progress: Progress,
    },
    /// No page, but a refusal has told something that the next process must know too, or it would ask the same again.
    Learnt(Progress),
    /// Nothing to do for a while.
    Wait(Wait),
}

/// Why a source waits, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long.
    pub duration: Duration,
    /// Everything that can be collected now has been: history is closed and a live walk begun after
    /// [`Source::open`] has ended.
    pub caught_up: bool,
}

/// Where collection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// To resume from.
    pub position: Position,
    /// Delivered ids of events before this second are needed no more; `i64::MIN` keeps all.
    pub prune_before: i64,
    /// Time up to which collection is complete there, but for history that is still open.
    pub complete_until: Option<Timestamp>,
    /// When the API forgets the oldest events that are not collected there.
    pub lost_from: Option<Timestamp>,
}

/// Which records were delivered, or are on their way.
#[async_trait]
pub trait SeenIds: Send + Sync {
    /// One answer an id, in order.
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError>;
}

/// The answer for one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Never seen: deliver it.
    New,
    /// Same second and native id, other content: a new version; deliver and count it.
    NewVersion,
    /// Delivered before, or pending in this run of the stream.
    Known,
}

/// A source's state for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// Time up to which collection is complete.
    pub complete_until: Option<Timestamp>,
    /// One line a walk that is not closed: what it is and how far it has come.
    pub walks: Vec<String>,
    /// Requests the API says are left in its current window.
    pub rate_limit_remaining: Option<u64>,
    /// Known id, new content, since the start.
    pub versions: u64,
    /// Records seen again and removed, since the start.
    pub duplicates: u64,
    /// Requests made since the start.
    pub requests: u64,
}

/// What the runtime does next with a source that failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Ask again after a back-off, or after what the API asked for.
    #[error("source failed for the moment")]
    Transient {
        /// What the API asked to wait.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// A person must act (key, rights, plan, quota): keep everything, alert, ask again now and then.
    #[error("{remedy}")]
    Paused {
        /// A stable word for metrics, e.g. `authentication`.
        reason: &'static str,
        /// What to do, in a sentence.
        remedy: String,
        /// When asking again makes sense; `None` leaves it to the runtime.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// The stream must be opened anew from its saved position.
    #[error("source lost its place")]
    PositionLost(#[source] BoxError),
    /// The saved position is not of this source, or cannot be read: stop and let a person decide.
    #[error("{remedy}")]
    Fatal {
        /// What to do, in a sentence.
        remedy: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
}
