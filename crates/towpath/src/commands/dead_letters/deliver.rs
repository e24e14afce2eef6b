//! One sink's letters on their way: as the runtime delivers events, but with an end. What cannot be delivered stays a letter.

use std::sync::Arc;
use std::time::Duration;

use dead_letters::Place;
use pipeline::{EventBatch, Letter, Outcome, Reason, Sink, SinkError, View, Write};
use runtime::{Backoff, BatchLimits, Retry};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// A letter whose event is ready to be sent.
pub(super) struct Prepared {
    pub(super) place: Place,
    /// As it is kept if the event is refused again.
    pub(super) letter: Letter,
    pub(super) batch: Arc<EventBatch>,
    /// The event in the batch.
    pub(super) index: usize,
}

impl Prepared {
    fn bytes(&self) -> usize {
        self.batch.events[self.index].span.len() + 1
    }
}

/// Where it is noted what became of letters.
pub(super) trait Ledger {
    /// These were delivered, those refused again: both are durable when this returns `Ok`.
    fn settle(&mut self, taken: Vec<Prepared>, refused: Vec<(Prepared, Reason)>) -> Result<(), Failure>;

    /// So many stay as they are. Why was told.
    fn keep(&mut self, letters: usize);
}

/// A sink and the letters that wait for the next write to it.
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) view: Arc<View>,
    pub(super) batch: BatchLimits,
    pub(super) retry: Retry,
    waiting: Vec<Prepared>,
    /// Of their lines.
    bytes: usize,
    /// Nothing more is sent to it.
    stopped: bool,
}

impl Lane {
    pub(super) fn new(
        name: &str,
        sink: Arc<dyn Sink>,
        view: Arc<View>,
        batch: BatchLimits,
        retry: Retry,
    ) -> Self {
        Self {
            name: name.to_owned(),
            sink,
            view,
            batch,
            retry,
            waiting: Vec::new(),
            bytes: 0,
            stopped: false,
        }
    }

    /// Whether the letter has room in the next write beside those that wait for it. One always has.
    pub(super) fn has_room(&self, letter: &Prepared) -> bool {
        let (events, bytes) = (self.waiting.len() + 1, self.bytes + letter.bytes());
        self.waiting.is_empty() || (events <= self.batch.max_events && bytes <= self.batch.max_bytes)
    }

    /// Lets the letter wait for the next write.
    pub(super) fn push(&mut self, letter: Prepared) {
        self.bytes += letter.bytes();
        self.waiting.push(letter);
    }

    /// Whether it has shown that it takes nothing for now.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Sends what waits, until each letter is delivered or refused, or the sink is given up: it is paused, has failed for
    /// `patience` without taking anything, or `stop` is asked for.
    pub(super) async fn deliver(
        &mut self,
        ledger: &mut dyn Ledger,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        // The last one is sent next.
        let mut pieces = vec![std::mem::take(&mut self.waiting)];
        self.bytes = 0;
        let mut backoff = Backoff::new(self.retry);
        let mut since = Instant::now();
        while let Some(mut piece) = pieces.pop() {
            if piece.is_empty() {
                continue;
            }
            self.stopped |= stop.is_cancelled();
            if self.stopped {
                ledger.keep(piece.len());
                continue;
            }
            let wait = match self.send(&mut piece, patience, stop).await {
                // A destination that answers works, also where it refuses.
                Ok(outcome) => {
                    let slow_down = outcome.slow_down;
                    let Sorted { taken, again, refused } = sort(piece, &outcome);
                    if !taken.is_empty() || !refused.is_empty() {
                        backoff.reset();
                        since = Instant::now();
                        ledger.settle(taken, refused)?;
                    }
                    piece = again;
                    match (piece.is_empty(), slow_down) {
                        (true, None) => continue,
                        (true, Some(pause)) => pause,
                        (false, asked) => backoff.next(asked),
                    }
                }
                Err(SinkError::TooLarge(_) | SinkError::Rejected { .. }) if piece.len() > 1 => {
                    let back = piece.split_off(piece.len() / 2);
                    pieces.extend([back, piece]);
                    continue;
                }
                Err(SinkError::TooLarge(source)) => {
                    let detail = format!("{:#}", anyhow::anyhow!(source)).into();
                    let reason = Reason { kind: "too_large", detail };
                    ledger.settle(Vec::new(), single(piece, &reason))?;
                    continue;
                }
                Err(SinkError::Rejected { reason }) => {
                    ledger.settle(Vec::new(), single(piece, &reason))?;
                    continue;
                }
                Err(error @ SinkError::Paused { .. }) => {
                    let SinkError::Paused { remedy, source, .. } = error else { continue };
                    let error = format!("{:#}", anyhow::anyhow!(source));
                    tracing::error!(
                        sink = self.name,
                        error,
                        "sink is not usable, its letters are kept: {remedy}"
                    );
                    self.stopped = true;
                    ledger.keep(piece.len());
                    continue;
                }
                Err(SinkError::Transient { retry_after, source }) => {
                    let wait = backoff.next(retry_after);
                    if !stop.is_cancelled() {
                        let error = format!("{:#}", anyhow::anyhow!(source));
                        self.give_up_or_say(wait, since, patience, &error);
                    }
                    wait
                }
            };
            pieces.push(piece);
            if !self.stopped {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        Ok(())
    }

    /// One write, within `patience`.
    async fn send(
        &self,
        piece: &mut [Prepared],
        patience: Duration,
        stop: &CancellationToken,
    ) -> Result<Outcome, SinkError> {
        let mut write = Write::default();
        for letter in piece.iter_mut() {
            letter.letter.attempts = letter.letter.attempts.saturating_add(1);
            write.push(letter.batch.clone(), letter.index..letter.index + 1);
        }
        let transient = |source: &str| SinkError::Transient { retry_after: None, source: source.into() };
        tokio::select! {
            result = self.sink.write(&write) => result,
            () = sleep(patience) => Err(transient("the sink does not answer")),
            () = stop.cancelled() => Err(transient("stopped before the sink answered")),
        }
    }

    fn give_up_or_say(&mut self, wait: Duration, since: Instant, patience: Duration, error: &str) {
        if since.elapsed() + wait > patience {
            let timeout = settings::HumanDuration::from(patience);
            tracing::error!(
                sink = self.name,
                error,
                "sink takes nothing within --timeout {timeout}, its letters are kept: try again later"
            );
            self.stopped = true;
        } else {
            let retry_in = Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            tracing::warn!(sink = self.name, ?retry_in, error, "sink failed, its letters are sent again");
        }
    }
}

fn single(piece: Vec<Prepared>, reason: &Reason) -> Vec<(Prepared, Reason)> {
    piece.into_iter().map(|letter| (letter, reason.clone())).collect()
}

/// The letters of a write, by what became of their events.
#[derive(Default)]
struct Sorted {
    taken: Vec<Prepared>,
    again: Vec<Prepared>,
    refused: Vec<(Prepared, Reason)>,
}

/// Sorts by what `outcome` says. An event that is both to be sent again and refused is sent again.
fn sort(piece: Vec<Prepared>, outcome: &Outcome) -> Sorted {
    let mut sorted = Sorted::default();
    for (index, letter) in (0..).zip(piece) {
        let reason = outcome.rejected.iter().find(|(rejected, _)| *rejected == index);
        if outcome.retry.contains(&index) {
            sorted.again.push(letter);
        } else if let Some((_, reason)) = reason {
            sorted.refused.push((letter, reason.clone()));
        } else {
            sorted.taken.push(letter);
        }
    }
    sorted
}

#[cfg(test)]
mod tests;
