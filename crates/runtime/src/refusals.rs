//! Telling a poisonous event from a destination that refuses everything.
//!
//! A destination that refuses an event may have a good reason, or be broken, or be configured wrongly; in the latter two
//! cases it refuses the next event too, and keeping one event after the other aside would empty the pipeline into the
//! dead-letter store. So a refused event is a *suspect* first:
//!
//! - it is sent again, alone, once the destination has accepted something else: refused again, it is the event's fault;
//! - if nothing else comes for [`PATIENCE`], and it was refused each time, it is taken for the event's fault;
//! - at [`TOO_MANY`] refused events with nothing accepted in between it is the destination's fault: nothing more is sent
//!   but single events as probes, suspects and others in turn, and nothing more is kept aside until one is accepted.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pipeline::Reason;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::backoff::{Backoff, Retry};
use crate::parcel::Parcel;

/// So many refused events in a row are no coincidence.
pub(crate) const TOO_MANY: usize = 20;

/// So long a refused event is tried again when nothing else tells whether the destination works. Below the time that a
/// drain may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One refused event.
#[derive(Debug)]
pub(crate) struct Suspect {
    /// Holds this event alone.
    pub(crate) parcel: Parcel,
    /// What the destination said last.
    pub(crate) reason: Reason,
    /// How often the event was sent.
    pub(crate) attempts: u32,
    first_refused: Instant,
    backoff: Backoff,
    next_try: Instant,
}

/// The refused events of one sink.
#[derive(Debug)]
pub(crate) struct Refusals {
    state: Mutex<State>,
    changed: Notify,
    retry: Retry,
}

#[derive(Debug)]
struct State {
    /// When the latest write began of which the destination accepted something. One that was under way when an event was
    /// refused tells nothing about the time since.
    accepted: Option<Instant>,
    /// Events kept aside since then.
    kept_aside: usize,
    /// A suspect is being sent, one at a time.
    probing: bool,
    /// Waits between probes while the destination refuses everything.
    pace: Backoff,
    next_probe: Instant,
    /// Writes whose refused events the dead-letter store does not take.
    stuck: usize,
    suspects: VecDeque<Suspect>,
}

impl State {
    fn is_held(&self) -> bool {
        self.kept_aside + self.suspects.len() + usize::from(self.probing) >= TOO_MANY
    }
}

impl Refusals {
    pub(crate) fn new(retry: Retry) -> Self {
        let state = State {
            accepted: None,
            kept_aside: 0,
            probing: false,
            pace: Backoff::new(retry),
            next_probe: Instant::now(),
            stuck: 0,
            suspects: VecDeque::new(),
        };
        Self { state: Mutex::new(state), changed: Notify::new(), retry }
    }

    /// The destination accepted at least one event of a write that began then.
    pub(crate) fn accepted(&self, began: Instant) {
        let mut state = self.lock();
        state.accepted = state.accepted.max(Some(began));
        state.kept_aside = 0;
        state.pace.reset();
        state.next_probe = began;
        drop(state);
        self.changed.notify_waiters();
    }

    /// An event was refused for the first time.
    pub(crate) fn suspect(&self, parcel: Parcel, reason: Reason, attempts: u32) {
        let mut state = self.lock();
        let mut backoff = Backoff::new(self.retry);
        let now = Instant::now();
        let next_try = now + backoff.next(None);
        state.suspects.push_back(Suspect { parcel, reason, attempts, first_refused: now, backoff, next_try });
        drop(state);
        self.changed.notify_waiters();
    }

    /// The next suspect to send again, if one is due. [`Refusals::probe_ended`] follows, whatever becomes of it.
    pub(crate) fn due(&self) -> Option<Suspect> {
        let mut state = self.lock();
        state.suspects.retain(|suspect| !suspect.parcel.is_stale());
        let (now, accepted) = (Instant::now(), state.accepted);
        let may_probe = !state.is_held() || state.next_probe <= now;
        let is_due = |suspect: &Suspect| {
            accepted > Some(suspect.first_refused) || (may_probe && suspect.next_try <= now)
        };
        let at = state.suspects.iter().position(is_due)?;
        let suspect = state.suspects.remove(at)?;
        state.probing = true;
        Some(suspect)
    }

    /// What [`Refusals::due`] gave out is settled, or was lost with its task.
    pub(crate) fn probe_ended(&self) {
        self.lock().probing = false;
        self.changed.notify_waiters();
    }

    /// A suspect was refused again. Returns it if that is the event's fault, so that it is to be kept aside; otherwise it
    /// waits among the suspects.
    pub(crate) fn refused_again(&self, mut suspect: Suspect, reason: Reason) -> Option<Suspect> {
        let mut state = self.lock();
        suspect.reason = reason;
        let was_held = state.is_held();
        if was_held {
            state.next_probe = Instant::now() + state.pace.next(None);
        }
        let now = Instant::now();
        let others_pass = state.accepted > Some(suspect.first_refused);
        let waited = now >= suspect.first_refused + PATIENCE;
        let verdict = if others_pass || (waited && !was_held) {
            state.kept_aside += 1;
            Some(suspect)
        } else {
            suspect.next_try = now + suspect.backoff.next(None);
            state.suspects.push_back(suspect);
            None
        };
        drop(state);
        self.changed.notify_waiters();
        verdict
    }

    /// The dead-letter store does not take refused events: until the answer is dropped, nothing new may be sent.
    pub(crate) fn stuck(&self) -> Stuck<'_> {
        self.lock().stuck += 1;
        Stuck(self)
    }

    /// Whether refused events wait for the dead-letter store.
    pub(crate) fn is_stuck(&self) -> bool {
        self.lock().stuck > 0
    }

    /// Returns when the dead-letter store works, as far as is known.
    pub(crate) async fn until_kept(&self) {
        self.until(|refusals| !refusals.is_stuck()).await;
    }

    /// Whether the destination refuses everything, so that nothing but suspects may be sent.
    pub(crate) fn is_held(&self) -> bool {
        self.lock().is_held()
    }

    /// What the destination says, if it refuses everything.
    pub(crate) fn held_for(&self) -> Option<Reason> {
        let state = self.lock();
        state.suspects.back().filter(|_| state.is_held()).map(|suspect| suspect.reason.clone())
    }

    /// Whether no event is suspected.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.suspects.is_empty() && !state.probing
    }

    /// When the next suspect is due if nothing happens before.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let state = self.lock();
        let first = state.suspects.iter().map(|suspect| suspect.next_try).min()?;
        Some(if state.is_held() { first.max(state.next_probe) } else { first })
    }

    /// Returns when something has changed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Returns when the destination accepts events, as far as is known.
    pub(crate) async fn until_free(&self) {
        self.until(|refusals| !refusals.is_held()).await;
    }

    async fn until(&self, so: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change between look and wait is missed.
            changed.as_mut().enable();
            if so(self) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Refusals::stuck`].
pub(crate) struct Stuck<'r>(&'r Refusals);

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.lock().stuck -= 1;
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
#[path = "refusals_tests.rs"]
mod tests;
