//! How long something may take as a whole, whatever it consists of.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::failure::Failure;

/// A time that runs from its making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    end: Instant,
    /// How long that is.
    after: Duration,
}

impl Limit {
    pub(crate) fn new(after: Duration) -> Self {
        Self { end: Instant::now() + after, after }
    }

    /// The same, and for what begins now no more than `most`.
    pub(crate) fn at_most(self, most: Duration) -> Self {
        let shorter = Self::new(most);
        if shorter.end < self.end { shorter } else { self }
    }

    /// Does it in time, or is `late`, which is told how long it had.
    pub(crate) async fn keep<T>(
        self,
        late: impl FnOnce(Duration) -> Failure,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout_at(self.end, work).await.unwrap_or_else(|_| Err(late(self.after)))
    }
}
