//! One write, from the first attempt until each of its events is delivered or kept aside.
//!
//! What a destination takes only in parts is cut into *pieces*: halves where it says "too large" or refuses without saying
//! which event is at fault, the rest where it names events to be sent again. Pieces are sent one after the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pipeline::{DeadLetters, Letter, Outcome, Reason, Sink, SinkError, Timestamp, Write};
use telemetry::Repeated;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, Retry, rounded};
use crate::parcel::Parcel;
use crate::refusals::{Refusals, Suspect};
use crate::status::{SinkMode, SinkState, chain, count, present, sink_failure};

/// [`Reason::kind`] of an event that is too large even alone.
const TOO_LARGE: &str = "too_large";

/// Bytes of letters from which on no more go into one group.
const LETTERS_AT_ONCE: usize = 1 << 20;

/// Everything that the writes of one sink share.
pub(crate) struct Delivery {
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) state: Arc<SinkState>,
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    pub(crate) refusals: Refusals,
    pub(crate) retry: Retry,
    pub(crate) abort: CancellationToken,
    /// The most bytes that the destination has not called too large.
    fitting_bytes: AtomicUsize,
    /// No write begins before this: the destination asked for it.
    not_before: Mutex<Instant>,
    reported: Mutex<Repeated>,
    /// The same for events kept aside.
    letters_reported: Mutex<Repeated>,
}

/// Events to be sent together.
struct Piece {
    parcels: Vec<Parcel>,
    /// How often they were sent.
    attempts: u32,
}

impl Piece {
    fn len(&self) -> usize {
        self.parcels.iter().map(Parcel::len).sum()
    }

    fn write(&self) -> Write {
        let mut write = Write::default();
        for parcel in &self.parcels {
            write.push(parcel.batch().clone(), parcel.range());
        }
        write
    }

    /// Splits off the first `events`.
    fn split_front(&mut self, events: usize) -> Self {
        let mut front = Self { parcels: Vec::new(), attempts: self.attempts };
        let mut wanted = events;
        while wanted > 0 && !self.parcels.is_empty() {
            if self.parcels[0].len() <= wanted {
                let parcel = self.parcels.remove(0);
                wanted -= parcel.len();
                front.parcels.push(parcel);
            } else {
                front.parcels.push(self.parcels[0].split_front(wanted));
                wanted = 0;
            }
        }
        front
    }
}

/// What is left of a write, and what is known about it.
struct Work {
    /// The last one is sent next.
    pieces: Vec<Piece>,
    backoff: Backoff,
}

impl Delivery {
    pub(crate) fn new(
        sink: Arc<dyn Sink>,
        state: Arc<SinkState>,
        dead_letters: Arc<dyn DeadLetters>,
        retry: Retry,
        abort: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            sink,
            state,
            dead_letters,
            refusals: Refusals::new(retry),
            retry,
            abort,
            fitting_bytes: AtomicUsize::new(usize::MAX),
            not_before: Mutex::new(Instant::now()),
            reported: Mutex::default(),
            letters_reported: Mutex::default(),
        })
    }

    /// The most bytes that a write should have, as far as the destination has taught.
    pub(crate) fn fitting_bytes(&self) -> usize {
        self.fitting_bytes.load(Ordering::Relaxed)
    }

    /// Gets the sink ready, trying until it is.
    pub(crate) async fn open(self: Arc<Self>) {
        let mut backoff = Backoff::new(self.retry);
        let work = async {
            while let Err(error) = self.sink.open().await {
                let wait = self.failed(&error, &mut backoff);
                sleep(wait).await;
            }
            if backoff.attempts() > 0 {
                self.works(None);
            }
        };
        tokio::select! {
            () = work => {}
            () = self.abort.cancelled() => {}
        }
    }

    /// Writes until every event is delivered, kept aside, or among the suspects. Cancelled, it drops the parcels: not
    /// delivered.
    pub(crate) async fn deliver(self: Arc<Self>, parcels: Vec<Parcel>) {
        let pieces = vec![Piece { parcels, attempts: 0 }];
        let mut work = Work { pieces, backoff: Backoff::new(self.retry) };
        tokio::select! {
            () = self.work_off(&mut work) => {}
            () = self.abort.cancelled() => {}
        }
    }

    async fn work_off(&self, work: &mut Work) {
        while let Some(mut piece) = work.pieces.pop() {
            self.refusals.until_kept().await;
            piece.parcels.retain(|parcel| !parcel.is_stale());
            if piece.parcels.is_empty() {
                // All given up, or what was behind a probe for the last event: nothing to ask a destination for.
                continue;
            }
            if self.refusals.is_held() {
                let probe_in = work.backoff.next(None);
                tokio::select! {
                    () = self.refusals.until_free() => work.backoff.reset(),
                    () = sleep(probe_in) => {
                        let probe = piece.split_front(1);
                        work.pieces.push(piece);
                        piece = probe;
                    }
                }
            }
            self.attempt(piece, work).await;
        }
    }

    /// Sends one piece and settles what became of it.
    async fn attempt(&self, mut piece: Piece, work: &mut Work) {
        let write = piece.write();
        let (result, began) = self.send(&write, piece.attempts).await;
        piece.attempts += 1;
        match result {
            Ok(outcome) => self.settle(piece, outcome, began, work).await,
            Err(SinkError::TooLarge(source)) => {
                self.state.failed(TOO_LARGE);
                if write.len() > 1 {
                    self.learn_size(write.bytes() / 2);
                    halve(piece, work);
                } else {
                    let reason = Reason { kind: TOO_LARGE, detail: chain(&*source).into() };
                    self.suspect(single(piece.parcels, &reason), piece.attempts);
                }
            }
            Err(SinkError::Rejected { reason }) => {
                self.state.failed("refused");
                if write.len() > 1 {
                    halve(piece, work);
                } else {
                    self.suspect(single(piece.parcels, &reason), piece.attempts);
                }
            }
            Err(error) => {
                let wait = self.failed(&error, &mut work.backoff);
                work.pieces.push(piece);
                sleep(wait).await;
            }
        }
    }

    /// Makes one write, not before the destination allows it. `attempts` is how often its events were sent before.
    async fn send(&self, write: &Write, attempts: u32) -> (Result<Outcome, SinkError>, Instant) {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        sleep_until(not_before).await;
        if attempts > 0 {
            count(&self.state.retries, 1);
        }
        let began = Instant::now();
        let result = self.sink.write(write).await;
        telemetry::metrics::sink_write(&self.state.name, began.elapsed());
        (result, began)
    }

    /// Settles what the destination said of each event.
    async fn settle(&self, piece: Piece, outcome: Outcome, began: Instant, work: &mut Work) {
        self.answered(&outcome);
        let attempts = piece.attempts;
        let Sorted { taken, again, refused } = sort(piece.parcels, &outcome);
        if !taken.is_empty() {
            self.taken(taken, began);
            work.backoff.reset();
            self.keep_aside(refused, attempts).await;
        } else {
            self.suspect(refused, attempts);
        }
        if !again.is_empty() {
            let piece = Piece { parcels: again, attempts };
            let left = piece.len();
            work.pieces.push(piece);
            let wait = work.backoff.next(outcome.slow_down);
            self.report(SinkMode::Retrying, None, format!("destination took all but {left} events"), wait);
            sleep(wait).await;
        }
    }

    /// Notes what an answer says of the whole write.
    fn answered(&self, outcome: &Outcome) {
        count(&self.state.writes, 1);
        count(&self.state.deduplicated, outcome.deduplicated as usize);
        if let Some(pause) = outcome.slow_down {
            self.hold_until(Instant::now() + pause);
        }
    }

    /// The destination has these.
    fn taken(&self, parcels: Vec<Parcel>, began: Instant) {
        let now = present();
        for parcel in parcels {
            if let Some(oldest) = parcel.oldest() {
                telemetry::metrics::event_latency(&self.state.name, now.since(oldest));
            }
            parcel.delivered();
        }
        self.refusals.accepted(began);
        self.works(Some(now));
    }

    /// The destination does what it is asked for.
    fn works(&self, delivered: Option<Timestamp>) {
        if self.refusals.is_stuck() {
            // A write that was under way: the sink is held all the same.
            return self.state.set(|state| state.last_delivery = delivered.or(state.last_delivery));
        }
        let was_failing = self.reported.lock().unwrap_or_else(PoisonError::into_inner).succeeded();
        if let Some(failures) = was_failing {
            tracing::info!(sink = &*self.state.name, failures, "sink delivers again");
        }
        self.state.set(|state| {
            state.mode = SinkMode::Delivering;
            (state.paused_for, state.failing_since, state.last_error) = (None, None, None);
            state.last_delivery = delivered.or(state.last_delivery);
        });
    }

    /// These were refused when nothing was taken: it may be their fault or the destination's.
    fn suspect(&self, refused: Vec<(Parcel, Reason)>, attempts: u32) {
        for (parcel, reason) in refused {
            self.refusals.suspect(parcel, reason, attempts);
        }
        self.note_refusals();
    }

    /// Sends a suspect again and judges it.
    pub(crate) async fn recheck(self: Arc<Self>, suspect: Suspect) {
        let abort = self.abort.clone();
        tokio::select! {
            () = self.judge(suspect) => {}
            () = abort.cancelled() => {}
        }
    }

    async fn judge(&self, mut suspect: Suspect) {
        let mut backoff = Backoff::new(self.retry);
        loop {
            if suspect.parcel.is_stale() {
                return;
            }
            let mut write = Write::default();
            write.push(suspect.parcel.batch().clone(), suspect.parcel.range());
            let (result, began) = self.send(&write, suspect.attempts).await;
            suspect.attempts += 1;
            let reason = match result {
                Ok(mut outcome) => {
                    self.answered(&outcome);
                    if !outcome.retry.is_empty() {
                        sleep(backoff.next(outcome.slow_down)).await;
                        continue;
                    }
                    let Some((_, reason)) = outcome.rejected.pop() else {
                        return self.taken(vec![suspect.parcel], began);
                    };
                    reason
                }
                Err(SinkError::TooLarge(source)) => {
                    self.state.failed(TOO_LARGE);
                    Reason { kind: TOO_LARGE, detail: chain(&*source).into() }
                }
                Err(SinkError::Rejected { reason }) => {
                    self.state.failed("refused");
                    reason
                }
                Err(error) => {
                    let wait = self.failed(&error, &mut backoff);
                    sleep(wait).await;
                    continue;
                }
            };
            match self.refusals.refused_again(suspect, reason) {
                Some(Suspect { parcel, reason, attempts, .. }) => {
                    self.keep_aside(vec![(parcel, reason)], attempts).await;
                }
                None => self.note_refusals(),
            }
            return;
        }
    }

    /// Puts refused events into the dead-letter store; they are done only when they are durable there.
    async fn keep_aside(&self, refused: Vec<(Parcel, Reason)>, attempts: u32) {
        let time = present();
        let mut rest = refused.into_iter().peekable();
        while rest.peek().is_some() {
            // In groups: a store that is nearly full still takes the first ones.
            let (mut group, mut letters, mut bytes) = (Vec::new(), Vec::new(), 0);
            while let Some((parcel, reason)) = rest.next_if(|_| bytes < LETTERS_AT_ONCE) {
                let letter = parcel.letter(&reason, attempts, time);
                bytes += letter.sent.len() + letter.record.as_ref().map_or(0, |record| record.text.len());
                letters.push(letter);
                group.push((parcel, reason));
            }
            self.keep(letters).await;
            self.kept(group);
        }
    }

    /// Holds the sink until the store has taken the letters.
    async fn keep(&self, letters: Vec<Letter>) {
        let letters = Arc::new(letters);
        let mut backoff = Backoff::new(self.retry);
        let mut stuck = None;
        loop {
            let (store, work) = (self.dead_letters.clone(), letters.clone());
            let kept = tokio::task::spawn_blocking(move || store.keep(&work)).await;
            let error = match kept {
                Ok(Ok(())) => break,
                Ok(Err(error)) => chain(&error),
                Err(panic) => format!("dead-letter store ended by a defect: {panic}"),
            };
            let wait = backoff.next(None);
            let remedy =
                "make room for it, or look at its events with `towpath dead-letters list` and purge them";
            self.state.failed("dead_letter_store");
            stuck.get_or_insert_with(|| self.refusals.stuck());
            self.report(SinkMode::Paused, Some("dead_letter_store"), format!("{error}; {remedy}"), wait);
            sleep(wait).await;
        }
        if stuck.take().is_some() {
            self.works(None);
        }
    }

    /// These are dead letters now.
    fn kept(&self, refused: Vec<(Parcel, Reason)>) {
        let now = std::time::Instant::now();
        let said = self.letters_reported.lock().unwrap_or_else(PoisonError::into_inner).failed(now);
        if let (Some(not_logged), Some((_, reason))) = (said, refused.first()) {
            tracing::warn!(
                sink = &*self.state.name,
                events = refused.len(),
                not_logged = (not_logged > 0).then_some(not_logged),
                reason = reason.kind,
                detail = &*reason.detail,
                "destination refuses events; they are kept as dead letters, see `towpath dead-letters list`"
            );
        }
        for (parcel, reason) in refused {
            parcel.dead_lettered(reason.kind);
        }
    }

    /// Says so when the destination refuses everything.
    fn note_refusals(&self) {
        if let Some(reason) = self.refusals.held_for() {
            let error = format!(
                "destination refuses every event ({}): {}; compare its settings with this sink's, nothing more is kept aside until it accepts one",
                reason.kind, reason.detail
            );
            self.report(SinkMode::Paused, Some("refuses_everything"), error, self.retry.max);
        }
    }

    /// Notes a failed write and says how long to wait.
    fn failed(&self, error: &SinkError, backoff: &mut Backoff) -> Duration {
        let (mode, kind, asked) = match error {
            SinkError::Paused { reason, .. } => (SinkMode::Paused, *reason, None),
            SinkError::Transient { retry_after, .. } => (SinkMode::Retrying, "transient", *retry_after),
            SinkError::TooLarge(_) | SinkError::Rejected { .. } => (SinkMode::Retrying, "refused", None),
        };
        self.state.failed(kind);
        let wait = backoff.next(asked);
        if asked.is_some() {
            self.hold_until(Instant::now() + wait);
        }
        let paused_for = (mode == SinkMode::Paused).then_some(kind);
        self.report(mode, paused_for, sink_failure(error), wait);
        wait
    }

    fn hold_until(&self, moment: Instant) {
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = moment.max(*not_before);
    }

    /// The destination called a write too large: later ones stay below half of it.
    fn learn_size(&self, bytes: usize) {
        let before = self.fitting_bytes.fetch_min(bytes.max(1), Ordering::Relaxed);
        if bytes < before {
            tracing::info!(
                sink = &*self.state.name,
                bytes,
                "destination takes no larger writes; `batch.max_bytes` below this saves it the refusals"
            );
        }
    }

    /// Tells the operator: at the first failure, then once a minute.
    fn report(&self, mode: SinkMode, paused_for: Option<&'static str>, error: String, wait: Duration) {
        let name = &*self.state.name;
        let now = std::time::Instant::now();
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(not_logged) = reported.failed(now) {
            let not_logged = (not_logged > 0).then_some(not_logged);
            let retry_in = rounded(wait);
            if mode == SinkMode::Paused {
                tracing::error!(
                    sink = name,
                    ?retry_in,
                    not_logged,
                    error,
                    "sink is paused; its events are kept"
                );
            } else {
                tracing::warn!(sink = name, ?retry_in, not_logged, error, "sink failed; its events are kept");
            }
        }
        drop(reported);
        self.state.set(|state| {
            (state.mode, state.paused_for, state.last_error) = (mode, paused_for, Some(error));
            state.failing_since.get_or_insert_with(present);
        });
    }
}

/// The first half is sent next, then the second.
fn halve(mut piece: Piece, work: &mut Work) {
    let front = piece.split_front(piece.len() / 2);
    work.pieces.push(piece);
    work.pieces.push(front);
}

/// Parcels that hold one event between them, and why it was refused.
fn single(parcels: Vec<Parcel>, reason: &Reason) -> Vec<(Parcel, Reason)> {
    parcels.into_iter().map(|parcel| (parcel, reason.clone())).collect()
}

/// The parcels of a write, by what became of their events.
struct Sorted {
    taken: Vec<Parcel>,
    again: Vec<Parcel>,
    /// Each holds one event.
    refused: Vec<(Parcel, Reason)>,
}

/// Sorts the events by what `outcome` says of them. An event that is both to be sent again and refused is sent again.
fn sort(parcels: Vec<Parcel>, outcome: &Outcome) -> Sorted {
    let mut named: Vec<(usize, Option<&Reason>)> =
        outcome.retry.iter().map(|index| (*index as usize, None)).collect();
    named.extend(outcome.rejected.iter().map(|(index, reason)| (*index as usize, Some(reason))));
    // Stable: of two entries for one event the first, to send it again, stays.
    named.sort_by_key(|(index, _)| *index);
    named.dedup_by_key(|(index, _)| *index);

    let mut sorted = Sorted { taken: Vec::new(), again: Vec::new(), refused: Vec::new() };
    let mut named = named.into_iter().peekable();
    let mut offset = 0;
    for mut parcel in parcels {
        let end = offset + parcel.len();
        while let Some((index, reason)) = named.next_if(|(index, _)| *index < end) {
            if index > offset {
                sorted.taken.push(parcel.split_front(index - offset));
            }
            let single = parcel.split_front(1);
            match reason {
                None => sorted.again.push(single),
                Some(reason) => sorted.refused.push((single, reason.clone())),
            }
            offset = index + 1;
        }
        if parcel.len() > 0 {
            sorted.taken.push(parcel);
        } else {
            parcel.delivered();
        }
        offset = end;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parcel::tests::parcel;

    fn sizes(piece: &Piece) -> Vec<usize> {
        piece.parcels.iter().map(Parcel::len).collect()
    }

    #[test]
    fn a_piece_is_cut_between_parcels_and_within_one() {
        const CUTS: [(usize, &[usize], &[usize]); 7] = [
            (0, &[], &[3, 4, 5]),
            (2, &[2], &[1, 4, 5]),
            (3, &[3], &[4, 5]),
            (5, &[3, 2], &[2, 5]),
            (7, &[3, 4], &[5]),
            (11, &[3, 4, 4], &[1]),
            (12, &[3, 4, 5], &[]),
        ];
        for (events, front, rest) in CUTS {
            let mut piece = Piece { parcels: [3, 4, 5].map(parcel).into(), attempts: 7 };
            let split = piece.split_front(events);
            assert_eq!((&*sizes(&split), &*sizes(&piece)), (front, rest), "{events}");
            assert_eq!((split.len(), piece.len(), split.attempts), (events, 12 - events, 7));
        }
    }
}
