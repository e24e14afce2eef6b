//! Saving what is safe: position and delivered ids in one transaction, compare-and-swap.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{CheckpointStore, Progress, RecordId, Revision, Save, SinkSet, StoreError};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, Retry, rounded};
use crate::budget::{Budget, Pressure};
use crate::seen::{SeenInRun, store_panicked};
use crate::status::{SourceState, chain, count, present};
use crate::tracker::{Safe, Tracker};

/// Saves are at least this far apart unless somebody waits for them: each costs a flush of the disk.
const SAVE_INTERVAL: Duration = Duration::from_millis(200);

/// Saves one run of one stream.
pub(crate) struct Saver {
    pub(crate) store: Arc<dyn CheckpointStore>,
    pub(crate) stream: Arc<str>,
    pub(crate) state: Arc<SourceState>,
    pub(crate) seen: Arc<SeenInRun>,
    pub(crate) tracker: Tracker,
    pub(crate) budget: Arc<Budget>,
    pub(crate) pressure: Pressure,
    pub(crate) retry: Retry,
    /// What the store holds.
    pub(crate) saved: Progress,
    pub(crate) revision: Revision,
}

impl Saver {
    /// Saves what becomes safe until the run is broken or `finish`; then returns itself for [`Saver::finish`]. The
    /// error is one that no retry heals.
    pub(crate) async fn run(mut self, finish: CancellationToken) -> Result<Self, StoreError> {
        let mut safe = Safe::default();
        let mut next_save = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = finish.cancelled() => break,
                () = self.tracker.safe_or_broken() => {}
            }
            safe.extend(self.tracker.take_safe());
            if safe.is_empty() {
                break;
            }
            if !self.budget.is_tight() {
                tokio::select! {
                    () = sleep_until(next_save) => {}
                    () = self.pressure.high() => {}
                    () = finish.cancelled() => {}
                }
                safe.extend(self.tracker.take_safe());
            }
            self.save(std::mem::take(&mut safe), &[]).await?;
            next_save = Instant::now() + SAVE_INTERVAL;
        }
        self.save(safe, &[]).await?;
        Ok(self)
    }

    /// The last save of a run: also what was delivered out of order.
    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        let safe = self.tracker.take_safe();
        let rest = self.tracker.delivered_out_of_order();
        self.save(safe, &rest).await
    }

    /// Tries until it succeeds: a full disk holds the stream back by its budget, it loses nothing.
    async fn save(&mut self, safe: Safe, rest: &[(RecordId, SinkSet)]) -> Result<(), StoreError> {
        if safe.is_empty() && rest.is_empty() {
            return Ok(());
        }
        let Safe { progress, ids, permits } = safe;
        let progress = progress.unwrap_or_else(|| self.saved.clone());
        let delivered: Vec<_> =
            ids.iter().map(|id| (*id, SinkSet::ALL)).chain(rest.iter().copied()).collect();
        let delivered = Arc::new(delivered);
        let mut backoff = Backoff::new(self.retry);
        loop {
            match save(&self.store, &self.stream, &progress, &delivered, self.revision).await {
                Ok(revision) => self.revision = revision,
                Err(error @ StoreError::Io { .. }) => {
                    let wait = backoff.next(None);
                    if backoff.attempts().is_power_of_two() {
                        let error = chain(&error);
                        tracing::error!(
                            source = &*self.stream, attempts = backoff.attempts(), retry_in = ?rounded(wait), error,
                            "checkpoint cannot be saved; collection waits, nothing is lost"
                        );
                    }
                    self.state.set(|state| {
                        state.last_error = Some(chain(&error));
                        state.unsaved_since.get_or_insert_with(present);
                    });
                    sleep(wait).await;
                    continue;
                }
                Err(error) => return Err(error),
            }
            break;
        }
        if backoff.attempts() > 0 {
            tracing::info!(source = &*self.stream, "checkpoint is saved again");
            self.state.set(|now| now.last_error = None);
        }
        count(&self.state.saves, 1);
        let now = present();
        self.state.set(|state| {
            state.position = Some(progress.position.to_string());
            (state.delivered_until, state.lost_from) = (progress.complete_until, progress.lost_from);
            (state.last_save, state.unsaved_since) = (Some(now), None);
        });
        self.saved = progress;
        self.seen.saved(&ids);
        drop(permits);
        Ok(())
    }
}

/// One save, off the I/O threads.
pub(crate) async fn save(
    store: &Arc<dyn CheckpointStore>,
    stream: &Arc<str>,
    progress: &Progress,
    delivered: &Arc<Vec<(RecordId, SinkSet)>>,
    expected: Revision,
) -> Result<Revision, StoreError> {
    let (store, stream) = (store.clone(), stream.clone());
    let (progress, delivered) = (progress.clone(), delivered.clone());
    let work = move || {
        let save =
            Save { position: &progress.position, delivered: &delivered, prune_before: progress.prune_before };
        store.save(&stream, save, expected)
    };
    let answer = tokio::task::spawn_blocking(work).await;
    answer.unwrap_or_else(|panic| Err(store_panicked("save the position in", panic.into())))
}
