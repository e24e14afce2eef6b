//! One sink's loop: collect parcels, write them, retry without limit, settle their acks.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{Outcome, Sink, SinkError, Timestamp, View, Write};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, Retry, rounded};
use crate::batcher::{BatchLimits, Batcher};
use crate::budget::Pressure;
use crate::parcel::Parcel;
use crate::status::{SinkMode, SinkState, chain, count};

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

/// Everything that one write needs.
#[derive(Clone)]
struct Delivery {
    sink: Arc<dyn Sink>,
    state: Arc<SinkState>,
    retry: Retry,
    abort: CancellationToken,
}

/// Runs until `parcels` is closed and everything is delivered, or until `abort`.
pub(crate) async fn run(
    spec: SinkSpec,
    state: Arc<SinkState>,
    mut parcels: mpsc::Receiver<Parcel>,
    pressure: Pressure,
    abort: CancellationToken,
) {
    let delivery = Delivery { sink: spec.sink, state, retry: spec.retry, abort: abort.clone() };
    let mut waiting = Batcher::new(spec.batch);
    let mut writes = JoinSet::new();
    let mut open = true;
    loop {
        let free = writes.len() < spec.concurrency;
        if !open && waiting.is_empty() && writes.is_empty() {
            return;
        }
        while open && !waiting.is_full() {
            match parcels.try_recv() {
                Ok(parcel) => waiting.push(parcel),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => open = false,
            }
        }
        let due = waiting.due().is_some_and(|due| due <= Instant::now());
        let enough = waiting.is_full() || spec.eager || due || !open || pressure.is_high();
        if free && enough && !waiting.is_empty() {
            let taken = waiting.take();
            if !taken.is_empty() {
                writes.spawn(deliver(delivery.clone(), taken));
            }
            continue;
        }
        tokio::select! {
            () = abort.cancelled() => return,
            parcel = parcels.recv(), if open && !waiting.is_full() => match parcel {
                Some(parcel) => waiting.push(parcel),
                None => open = false,
            },
            Some(ended) = writes.join_next() => if let Err(panic) = ended {
                // The parcels were dropped with the task: their streams go back to their saved positions.
                tracing::error!(sink = &*delivery.state.name, error = %panic, "write ended by a defect; events come again");
            },
            () = pressure.high(), if free && !waiting.is_empty() => {}
            () = sleep_until(waiting.due().unwrap_or_else(Instant::now)), if free && !waiting.is_empty() => {}
        }
    }
}

/// Writes until every event is taken; the parcels are then delivered. Cancelled, it drops them: not delivered.
async fn deliver(delivery: Delivery, mut parcels: Vec<Parcel>) {
    let work = async {
        let mut backoff = Backoff::new(delivery.retry);
        loop {
            parcels.retain(|parcel| !parcel.is_stale());
            if parcels.is_empty() {
                return;
            }
            let mut write = Write::default();
            for parcel in &parcels {
                write.push(parcel.batch().clone(), parcel.range());
            }
            let wait = match delivery.sink.write(&write).await {
                Ok(outcome) => match settle(&delivery, &mut parcels, outcome, &mut backoff) {
                    Some(wait) => wait,
                    None => return,
                },
                Err(error) => failed(&delivery, error, &mut backoff),
            };
            sleep(wait).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = delivery.abort.cancelled() => {}
    }
}

/// Settles what was taken. Returns how long to wait before the rest is written again, if there is a rest.
fn settle(
    delivery: &Delivery,
    parcels: &mut Vec<Parcel>,
    outcome: Outcome,
    backoff: &mut Backoff,
) -> Option<Duration> {
    count(&delivery.state.writes, 1);
    count(&delivery.state.deduplicated, outcome.deduplicated as usize);
    let mut again: Vec<usize> = outcome.retry.iter().map(|index| *index as usize).collect();
    again.extend(outcome.rejected.iter().map(|(index, _)| *index as usize));
    again.sort_unstable();
    again.dedup();
    let rest = keep(std::mem::take(parcels), &again);
    *parcels = rest;
    if let Some((_, reason)) = outcome.rejected.first() {
        // Without a store for refused events the sink holds them: nothing is dropped.
        let message = format!("destination refuses events ({}): {}", reason.kind, reason.detail);
        let wait = backoff.next(outcome.slow_down);
        report(delivery, SinkMode::Paused, message, wait, backoff.attempts());
        return Some(wait);
    }
    if !parcels.is_empty() {
        let wait = backoff.next(outcome.slow_down);
        report(
            delivery,
            SinkMode::Retrying,
            format!("destination took all but {} events", again.len()),
            wait,
            1,
        );
        return Some(wait);
    }
    if backoff.attempts() > 0 {
        tracing::info!(
            sink = &*delivery.state.name,
            attempts = backoff.attempts() + 1,
            "sink delivers again"
        );
    }
    delivery.state.set(|now| {
        now.mode = SinkMode::Delivering;
        now.last_error = None;
        now.last_delivery = Some(Timestamp::from_system(std::time::SystemTime::now()));
    });
    None
}

/// Keeps the events at the indices `again` (sorted, over all parcels); the rest is delivered.
fn keep(parcels: Vec<Parcel>, again: &[usize]) -> Vec<Parcel> {
    let mut kept = Vec::new();
    let mut again = again.iter().copied().peekable();
    let mut offset = 0;
    for mut parcel in parcels {
        let end = offset + parcel.len();
        while let Some(index) = again.next_if(|index| *index < end) {
            if index > offset {
                parcel.split_front(index - offset).delivered();
            }
            kept.push(parcel.split_front(1));
            offset = index + 1;
        }
        parcel.delivered();
        offset = end;
    }
    kept
}

/// Notes a failed write and says how long to wait.
fn failed(delivery: &Delivery, error: SinkError, backoff: &mut Backoff) -> Duration {
    count(&delivery.state.errors, 1);
    let (mode, asked) = match &error {
        SinkError::Transient { retry_after, .. } => (SinkMode::Retrying, *retry_after),
        SinkError::TooLarge(_) | SinkError::Rejected { .. } | SinkError::Paused { .. } => {
            (SinkMode::Paused, None)
        }
    };
    let wait = backoff.next(asked);
    report(delivery, mode, chain(&error), wait, backoff.attempts());
    wait
}

/// Tells the operator: at the first failure, then ever more rarely.
fn report(delivery: &Delivery, mode: SinkMode, error: String, wait: Duration, attempts: u32) {
    let name = &*delivery.state.name;
    if attempts.is_power_of_two() {
        match mode {
            SinkMode::Paused => {
                tracing::error!(sink = name, attempts, retry_in = ?rounded(wait), error, "sink is paused; its events are kept");
            }
            SinkMode::Retrying | SinkMode::Delivering => {
                tracing::warn!(sink = name, attempts, retry_in = ?rounded(wait), error, "sink failed; its events are kept");
            }
        }
    }
    delivery.state.set(|now| {
        now.mode = mode;
        now.last_error = Some(error);
    });
}
