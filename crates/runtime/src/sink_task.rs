//! One sink's loop: collect parcels, begin writes, look after the events that were refused.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{DeadLetters, Sink, View};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::backoff::Retry;
use crate::batcher::{BatchLimits, Batcher};
use crate::budget::Pressure;
use crate::delivery::Delivery;
use crate::parcel::Parcel;
use crate::status::SinkState;

/// How often the suspects are looked through for those that nobody wants any more.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A sink and how the runtime feeds it.
pub struct SinkSpec {
    /// Its name in the configuration.
    pub name: String,
    /// The destination.
    pub sink: Arc<dyn Sink>,
    /// The encoding that it takes.
    pub view: Arc<View>,
    /// Names of the sources that it takes events from.
    pub from: Vec<String>,
    /// How large a write may grow.
    pub batch: BatchLimits,
    /// Write as soon as no other write is under way, however little there is: for destinations that cost little a write.
    pub eager: bool,
    /// Writes under way at once.
    pub concurrency: usize,
    /// Waits between attempts.
    pub retry: Retry,
}

/// Runs until `parcels` is closed and everything is delivered, or until `abort`.
pub(crate) async fn run(
    spec: SinkSpec,
    state: Arc<SinkState>,
    dead_letters: Arc<dyn DeadLetters>,
    mut parcels: mpsc::Receiver<Parcel>,
    pressure: Pressure,
    abort: CancellationToken,
) {
    let delivery = Delivery::new(spec.sink, state, dead_letters, spec.retry, abort.clone());
    let refusals = &delivery.refusals;
    let mut opening = JoinSet::new();
    opening.spawn(delivery.clone().open());
    let mut waiting = Batcher::new(spec.batch);
    let mut writes = JoinSet::new();
    // Suspects are sent one at a time, beside the other writes.
    let mut probes = JoinSet::new();
    let mut open = true;
    loop {
        if !open && waiting.is_empty() && writes.is_empty() && probes.is_empty() && refusals.is_empty() {
            return;
        }
        while open && !waiting.is_full() {
            match parcels.try_recv() {
                Ok(parcel) => waiting.push(parcel),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => open = false,
            }
        }
        if probes.is_empty()
            && let Some(suspect) = refusals.due()
        {
            probes.spawn(delivery.clone().recheck(suspect));
        }
        // A destination that refuses everything gets no more than one write, which sends its events one by one.
        let most = if refusals.is_held() { 1 } else { spec.concurrency };
        let free = writes.len() < most && !refusals.is_stuck();
        let due = waiting.due().is_some_and(|due| due <= Instant::now());
        let enough = waiting.is_full() || spec.eager || due || !open || pressure.is_high();
        if free && enough && !waiting.is_empty() {
            let taken = waiting.take(delivery.fitting_bytes());
            if !taken.is_empty() {
                writes.spawn(delivery.clone().deliver(taken));
            }
            continue;
        }
        tokio::select! {
            () = abort.cancelled() => return,
            parcel = parcels.recv(), if open && !waiting.is_full() => match parcel {
                Some(parcel) => waiting.push(parcel),
                None => open = false,
            },
            Some(ended) = writes.join_next() => report_defect(&delivery.state.name, ended),
            Some(ended) = opening.join_next() => report_defect(&delivery.state.name, ended),
            Some(ended) = probes.join_next() => {
                refusals.probe_ended();
                report_defect(&delivery.state.name, ended);
            }
            () = pressure.high(), if free && !waiting.is_empty() => {}
            () = sleep_until(waiting.due().unwrap_or_else(Instant::now)), if free && !waiting.is_empty() => {}
            () = refusals.changed(), if probes.is_empty() => {}
            () = sleep_until(refusals.next_due().unwrap_or_else(Instant::now)), if probes.is_empty() && !refusals.is_empty() => {}
            // The suspects of a stream that goes back to its saved position are given up.
            () = sleep(LOOK_AGAIN), if !refusals.is_empty() => {}
        }
    }
}

/// The parcels were dropped with the task: their streams go back to their saved positions.
fn report_defect(sink: &str, ended: Result<(), JoinError>) {
    if let Err(panic) = ended {
        tracing::error!(sink, error = %panic, "write ended by a defect; events come again");
    }
}
