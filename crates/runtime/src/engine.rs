//! A whole run: streams, sinks, and how they end.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{CheckpointStore, DeadLetters, StoreError};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::backoff::Retry;
use crate::budget::{Budget, Pressure};
use crate::closing::close;
use crate::sink_task::{self, SinkSpec};
use crate::status::{SinkState, SourceState, Status};
use crate::stream::{self, Context, Outlet, StreamError, StreamSpec};

/// Parcels that may wait between a stream and a sink; the byte budget is what bounds memory.
const PARCELS: usize = 64;

/// The part of the drain time that is kept for the last save.
const LAST_SAVE: f64 = 0.15;

/// What is to run.
pub struct Pipeline {
    /// The sources.
    pub streams: Vec<StreamSpec>,
    /// The sinks.
    pub sinks: Vec<SinkSpec>,
    /// Where positions and delivered ids are remembered.
    pub store: Arc<dyn CheckpointStore>,
    /// Where events are kept that a destination refuses.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Bounds of the whole process.
    pub limits: Limits,
}

impl Pipeline {
    /// Bytes that one stream may have in flight.
    fn share(&self) -> usize {
        self.limits.in_flight / self.streams.len().max(1)
    }
}

/// Bounds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes between sources and saved positions, shared equally by the streams.
    pub in_flight: usize,
    /// How long a stop may take.
    pub drain_timeout: Duration,
    /// Waits of sources and of the checkpoint store between attempts.
    pub retry: Retry,
}

impl Limits {
    /// Bytes of a chunk: small against a stream's share, so that several are under way at once.
    fn chunk_bytes(share: usize) -> usize {
        (share / 8).clamp(16 << 10, 1 << 20)
    }
}

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Never.
    Stopped,
    /// When everything that can be collected now is delivered and saved, or after the time-out.
    CaughtUp {
        /// How long that may take.
        timeout: Option<Duration>,
    },
}

/// Why a run failed. Nothing is lost in any case: the saved positions stand.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A stream is beyond help.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The checkpoint store refused before anything started.
    #[error("checkpoint store cannot be used")]
    Store(#[from] StoreError),
    /// A sink would get nothing of a stream, in silence.
    #[error("stream {stream} has no encoder for what sink {sink} wants")]
    NoEncoder {
        /// Name of the stream.
        stream: String,
        /// Name of the sink.
        sink: String,
    },
    /// `--once` did not end in time.
    #[error("not everything was collected and delivered within {0:?}; the next run goes on from there")]
    TimedOut(Duration),
    /// `--once` was asked to stop before its end.
    #[error("stopped before everything was collected and delivered; the next run goes on from there")]
    Stopped,
    /// `--once` delivered everything but for events that a destination refused.
    #[error(
        "{0} events were refused by their destination and are kept as dead letters: see `towpath dead-letters list`"
    )]
    DeadLetters(u64),
    /// A task ended by a defect that a restart does not mend.
    #[error("a task of the runtime ended by a defect")]
    Defect(#[from] JoinError),
}

/// A run that is ready to start; its status can be read while it goes on.
pub struct Engine {
    pipeline: Pipeline,
    status: Arc<Status>,
    pressure: Pressure,
}

impl Engine {
    /// Prepares a run.
    pub fn new(pipeline: Pipeline) -> Self {
        let pressure = Pressure::default();
        let share = pipeline.share();
        let status = Status {
            sources: pipeline.streams.iter().map(|stream| SourceState::new(&stream.name)).collect(),
            sinks: pipeline.sinks.iter().map(|sink| SinkState::new(&sink.name)).collect(),
            budgets: pipeline.streams.iter().map(|_| Budget::new(share, pressure.clone())).collect(),
        };
        Self { pipeline, status: Arc::new(status), pressure }
    }

    /// The run's status.
    pub fn status(&self) -> Arc<Status> {
        self.status.clone()
    }

    /// Runs until `until` says so or `stop` is cancelled; then drains: sources stop, channels run empty, sinks flush, acks
    /// settle, positions are saved, sinks close. What is not delivered within the drain time is collected again by the next
    /// run.
    ///
    /// # Errors
    /// The first stream that is beyond help stops the whole run.
    pub async fn run(self, until: Until, stop: CancellationToken) -> Result<(), RunError> {
        let share = self.pipeline.share();
        let pressure = self.pressure;
        let Pipeline { streams, sinks, store, dead_letters, limits } = self.pipeline;
        let abort = CancellationToken::new();

        let mut channels = Vec::new();
        let all_sinks = sinks.iter().map(|spec| (spec.name.as_str().into(), spec.sink.clone())).collect();
        let mut sink_tasks = JoinSet::new();
        for (spec, state) in sinks.into_iter().zip(&self.status.sinks) {
            let (parcels, parcels_out) = mpsc::channel(PARCELS);
            channels.push((spec.name.clone(), spec.view.clone(), spec.from.clone(), parcels, state.clone()));
            sink_tasks.spawn(sink_task::run(
                spec,
                state.clone(),
                dead_letters.clone(),
                parcels_out,
                pressure.clone(),
                abort.clone(),
            ));
        }

        let mut stream_tasks = JoinSet::new();
        let states = self.status.sources.iter().zip(&self.status.budgets);
        for (spec, (state, budget)) in streams.into_iter().zip(states) {
            let wanted: Vec<_> =
                channels.iter().filter(|(_, _, from, ..)| from.contains(&spec.name)).collect();
            let names: Vec<&str> = wanted.iter().map(|(name, ..)| name.as_str()).collect();
            let numbers = store.sink_numbers(&spec.name, &names)?;
            let mut outlets = Vec::new();
            for ((sink, view, _, parcels, state), number) in wanted.iter().zip(numbers) {
                let Some(encoder) = spec.encoders.iter().position(|encoder| &encoder.view == view) else {
                    return Err(RunError::NoEncoder { stream: spec.name.clone(), sink: sink.clone() });
                };
                outlets.push(Outlet { number, encoder, parcels: parcels.clone(), state: state.clone() });
            }
            let context = Context {
                store: store.clone(),
                budget: budget.clone(),
                chunk_bytes: Limits::chunk_bytes(share),
                pressure: pressure.clone(),
                retry: limits.retry,
                state: state.clone(),
                outlets,
                once: matches!(until, Until::CaughtUp { .. }),
                stop: stop.clone(),
                abort: abort.clone(),
            };
            stream_tasks.spawn(stream::run(spec, context));
        }
        drop(channels);

        let time_out = match until {
            Until::CaughtUp { timeout: Some(time_out) } => Some(time_out),
            Until::CaughtUp { timeout: None } | Until::Stopped => None,
        };
        let mut result = tokio::select! {
            result = until_failure(&mut stream_tasks) => result,
            () = stop.cancelled() => match until {
                Until::Stopped => Ok(()),
                // Whoever started it takes success for everything being there.
                Until::CaughtUp { .. } => Err(RunError::Stopped),
            },
            () = sleep_if(time_out) => Err(RunError::TimedOut(time_out.unwrap_or_default())),
        };
        stop.cancel();
        let deadline = Instant::now() + limits.drain_timeout;
        // Everything that a stop still has to do ends before the drain time does, and leaves time for the last save.
        let last_save = limits.drain_timeout.mul_f64(LAST_SAVE);
        if timeout(limits.drain_timeout - last_save, join_all(&mut stream_tasks, &mut result)).await.is_err()
        {
            tracing::warn!(
                "not everything could be delivered in time; the rest is collected again by the next run"
            );
            abort.cancel();
            if timeout(last_save, join_all(&mut stream_tasks, &mut result)).await.is_err() {
                tracing::warn!(
                    "the last position could not be saved in time; events since the last save come again"
                );
            }
        }
        abort.cancel();
        while let Some(ended) = sink_tasks.join_next().await {
            if result.is_ok() {
                result = ended.map_err(RunError::from);
            }
        }
        close(all_sinks, deadline.saturating_duration_since(Instant::now())).await;
        let refused = self.status.sinks.iter().map(|sink| sink.ledger().all_dead_lettered()).sum();
        if result.is_ok() && refused > 0 && matches!(until, Until::CaughtUp { .. }) {
            return Err(RunError::DeadLetters(refused));
        }
        result
    }
}

/// Waits for all streams to end, or for the first failure.
async fn until_failure(streams: &mut JoinSet<Result<(), StreamError>>) -> Result<(), RunError> {
    while let Some(ended) = streams.join_next().await {
        ended??;
    }
    Ok(())
}

/// Waits for all streams to end, keeping the first failure.
async fn join_all(streams: &mut JoinSet<Result<(), StreamError>>, result: &mut Result<(), RunError>) {
    while let Some(ended) = streams.join_next().await {
        let ended = ended.map_err(RunError::from).and_then(|ended| ended.map_err(RunError::from));
        if result.is_ok() {
            *result = ended;
        }
    }
}

async fn sleep_if(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
