//! One source's stream: open at the saved position, collect, encode, hand out, save; start again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{
    BoxError, Buffers, Checkpoint, CheckpointStore, Next, Position, Progress, RawBatch, RecordId, Revision,
    SinkSet, Source, SourceError, StoreError, Timestamp,
};
use telemetry::Repeated;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::backoff::{Backoff, Retry, rounded};
use crate::budget::{Budget, Pressure};
use crate::chunk::Encoder;
use crate::hand_out::{HandOut, hand_out};
use crate::parcel::Parcel;
use crate::saver::{Saver, save};
use crate::seen::{SeenInRun, store_panicked};
use crate::status::{SinkState, SourceMode, SourceState, chain, count, present, source_failure};
use crate::tracker::Tracker;

/// A restart waits this long for writes that are under way: what they deliver need not be delivered again.
const SETTLE: Duration = Duration::from_secs(10);

/// With `--once`, a source that must wait longer than this for a person or a quota has failed.
const ONCE_PATIENCE: Duration = Duration::from_secs(60);

/// A source that waits so long with work to do says so.
const WORTH_TELLING: Duration = Duration::from_secs(10);

/// Makes a source anew at each restart of its stream.
pub type MakeSource = Box<dyn Fn() -> Result<Box<dyn Source>, BoxError> + Send + Sync>;

/// A source and what the runtime makes of its records.
pub struct StreamSpec {
    /// Its name in the configuration: the key of its checkpoint.
    pub name: String,
    /// Makes the source.
    pub source: MakeSource,
    /// The views that its sinks need, each once.
    pub encoders: Vec<Encoder>,
}

/// Where a stream's parcels go.
#[derive(Clone)]
pub(crate) struct Outlet {
    /// The sink's number in the stream's saved list.
    pub(crate) number: u32,
    /// Which of the stream's encodings it takes.
    pub(crate) encoder: usize,
    pub(crate) parcels: mpsc::Sender<Parcel>,
    pub(crate) state: Arc<SinkState>,
}

/// What a stream needs besides its specification.
pub(crate) struct Context {
    pub(crate) store: Arc<dyn CheckpointStore>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) chunk_bytes: usize,
    pub(crate) pressure: Pressure,
    pub(crate) retry: Retry,
    pub(crate) state: Arc<SourceState>,
    pub(crate) outlets: Vec<Outlet>,
    /// End once everything that can be collected has been.
    pub(crate) once: bool,
    /// Stop collecting, deliver what is under way.
    pub(crate) stop: CancellationToken,
    /// Sinks give up: nothing more will be delivered.
    pub(crate) abort: CancellationToken,
}

/// Why a stream ended for good.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The source says that only a person can help.
    #[error("source {source_name} cannot go on: {}", source_failure(.failure))]
    Source {
        /// Its name in the configuration.
        source_name: String,
        /// What happened, and what to do.
        failure: SourceError,
    },
    /// The source cannot be made from its settings.
    #[error("source {source_name} cannot be made")]
    Make {
        /// Its name in the configuration.
        source_name: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// The checkpoint store refused.
    #[error("checkpoint of source {source_name} cannot be used")]
    Store {
        /// Its name in the configuration.
        source_name: String,
        /// What happened.
        #[source]
        source: StoreError,
    },
}

/// How one run of a stream ended.
enum RunEnd {
    /// Everything asked for is collected, or the run stops.
    Finished,
    /// Go back to the saved position.
    Broken(String),
}

/// How collecting ended.
enum CollectEnd {
    Finished,
    Broken(String),
    Failed(SourceError),
}

/// Runs the stream until it is finished, stopped, or beyond help.
pub(crate) async fn run(spec: StreamSpec, context: Context) -> Result<(), StreamError> {
    let spec = Arc::new(spec);
    let mut backoff = Backoff::new(context.retry);
    loop {
        let saves = context.state.saves.load(std::sync::atomic::Ordering::Acquire);
        let end = run_once(&spec, &context).await;
        match end {
            Ok(RunEnd::Finished) => break,
            Ok(RunEnd::Broken(reason)) => {
                if context.stop.is_cancelled() {
                    break;
                }
                if context.state.saves.load(std::sync::atomic::Ordering::Acquire) > saves {
                    backoff.reset();
                }
                let wait = backoff.next(None);
                count(&context.state.restarts, 1);
                context.state.set(|now| {
                    now.mode = SourceMode::Retrying;
                    now.failing_since.get_or_insert_with(present);
                    now.last_error = Some(reason.clone());
                });
                tracing::warn!(source = spec.name, reason, retry_in = ?rounded(wait), "stream goes back to its saved position");
                tokio::select! {
                    () = sleep(wait) => {}
                    () = context.stop.cancelled() => {}
                }
                if context.stop.is_cancelled() {
                    break;
                }
            }
            Err(error) => {
                context.state.set(|now| {
                    now.mode = SourceMode::Ended;
                    now.last_error = Some(chain(&error));
                });
                return Err(error);
            }
        }
    }
    context.state.set(|now| now.mode = SourceMode::Ended);
    Ok(())
}

/// One run: from the saved position until something ends it.
async fn run_once(spec: &Arc<StreamSpec>, context: &Context) -> Result<RunEnd, StreamError> {
    let name = &spec.name;
    let store_error = |source| StreamError::Store { source_name: name.clone(), source };
    let stream: Arc<str> = name.as_str().into();
    let checkpoint = load(context, &stream).await.map_err(store_error)?;
    let resume = checkpoint.as_ref().map(|checkpoint| checkpoint.position.clone());
    let mut revision = checkpoint.map_or(Revision::default(), |checkpoint| checkpoint.revision);
    let sinks = context.outlets.iter().fold(SinkSet::NONE, |set, outlet| set.with(outlet.number));
    let seen = Arc::new(SeenInRun::new(context.store.clone(), stream.clone(), sinks));

    let mut source =
        (spec.source)().map_err(|source| StreamError::Make { source_name: name.clone(), source })?;
    let opened = match open(context, &mut *source, resume.clone(), &seen).await {
        Ok(Some(progress)) => progress,
        Ok(None) => return Ok(RunEnd::Finished),
        Err(error @ SourceError::Fatal { .. }) => {
            return Err(StreamError::Source { source_name: name.clone(), failure: error });
        }
        Err(error) => return Ok(RunEnd::Broken(chain(&error))),
    };
    if resume.as_ref() != Some(&opened.position) {
        // Before the first request: a relative `start` is thereby resolved once and for all.
        revision = match save(&context.store, &stream, &opened, &Arc::default(), revision).await {
            Ok(revision) => revision,
            Err(error @ StoreError::Io { .. }) => return Ok(RunEnd::Broken(chain(&error))),
            Err(error) => return Err(store_error(error)),
        };
        count(&context.state.saves, 1);
    }
    context.state.set(|now| {
        now.mode = SourceMode::Collecting;
        now.position = Some(opened.position.to_string());
        (now.delivered_until, now.lost_from) = (opened.complete_until, opened.lost_from);
    });

    let tracker = Tracker::new();
    let saver = Saver {
        store: context.store.clone(),
        stream,
        state: context.state.clone(),
        seen: seen.clone(),
        tracker: tracker.clone(),
        budget: context.budget.clone(),
        pressure: context.pressure.clone(),
        retry: context.retry,
        saved: opened,
        revision,
    };
    let finish = CancellationToken::new();
    let mut saver = AbortOnDropHandle::new(tokio::spawn(saver.run(finish.clone())));
    let (pages, pages_out) = mpsc::channel(1);
    let mut encoder = AbortOnDropHandle::new(tokio::spawn(hand_out(HandOut {
        spec: spec.clone(),
        pages: pages_out,
        tracker: tracker.clone(),
        seen: seen.clone(),
        budget: context.budget.clone(),
        chunk_bytes: context.chunk_bytes,
        outlets: context.outlets.clone(),
        state: context.state.clone(),
        buffers: Buffers::default(),
    })));

    // Collecting runs in a task of its own, so that a defect in a source restarts its stream and nothing else.
    let collector = Collector {
        source,
        seen,
        pages,
        tracker: tracker.clone(),
        state: context.state.clone(),
        retry: context.retry,
        once: context.once,
        stop: context.stop.clone(),
    };
    let collected = tokio::select! {
        end = AbortOnDropHandle::new(tokio::spawn(collector.run())) => end.unwrap_or_else(|panic| CollectEnd::Broken(defect(&panic))),
        // The saver ends early only when the run is broken or no save can help.
        saved = &mut saver => {
            encoder.abort();
            return match saved {
                Ok(Ok(saver)) => {
                    tracker.give_up();
                    settle(context, &tracker).await;
                    finish_saving(saver, name).await?;
                    Ok(RunEnd::Broken("events were not acknowledged".into()))
                }
                Ok(Err(error)) => {
                    tracker.give_up();
                    Err(store_error(error))
                }
                Err(panic) => {
                    tracker.give_up();
                    Ok(RunEnd::Broken(defect(&panic)))
                }
            };
        }
    };

    let end = match collected {
        CollectEnd::Finished => {
            // The channels run empty: the encoder ends once every page is handed out, then the sinks deliver without
            // waiting for more.
            let delivered = async {
                (&mut encoder).await.map_err(|panic| defect(&panic))??;
                let _hurry = context.pressure.raise();
                tracker.settled().await;
                Ok::<(), String>(())
            };
            tokio::select! {
                biased;
                () = context.abort.cancelled() => RunEnd::Broken("stopped before everything was delivered".into()),
                () = tracker.broken() => RunEnd::Broken("events were not acknowledged".into()),
                delivered = delivered => delivered.map_or_else(RunEnd::Broken, |()| RunEnd::Finished),
            }
        }
        CollectEnd::Broken(reason) => RunEnd::Broken(reason),
        CollectEnd::Failed(source) => {
            stop_encoder(&mut encoder).await;
            tracker.give_up();
            settle(context, &tracker).await;
            finish.cancel();
            if let Ok(Ok(saver)) = saver.await {
                finish_saving(saver, name).await?;
            }
            return Err(StreamError::Source { source_name: name.clone(), failure: source });
        }
    };
    if matches!(end, RunEnd::Broken(_)) {
        stop_encoder(&mut encoder).await;
        tracker.give_up();
        settle(context, &tracker).await;
    }
    finish.cancel();
    match saver.await {
        Ok(Ok(saver)) => finish_saving(saver, name).await?,
        Ok(Err(error)) => return Err(store_error(error)),
        Err(panic) => return Ok(RunEnd::Broken(defect(&panic))),
    }
    Ok(end)
}

/// Waits for writes under way; sinks drop what they have not begun, because the run was given up.
async fn settle(context: &Context, tracker: &Tracker) {
    let _hurry = context.pressure.raise();
    if timeout(SETTLE, tracker.settled()).await.is_err() {
        tracing::debug!("writes are still under way; what they deliver may be delivered again");
    }
}

async fn stop_encoder(encoder: &mut AbortOnDropHandle<Result<(), String>>) {
    encoder.abort();
    if !encoder.is_finished() {
        // Only its end matters: an abort is no failure.
        drop(encoder.await);
    }
}

async fn finish_saving(saver: Saver, name: &str) -> Result<(), StreamError> {
    saver.finish().await.map_err(|source| StreamError::Store { source_name: name.into(), source })
}

pub(crate) fn defect(panic: &tokio::task::JoinError) -> String {
    format!("a task ended by a defect: {panic}")
}

/// Loads the checkpoint; a disk that fails for the moment is asked again.
async fn load(context: &Context, stream: &Arc<str>) -> Result<Option<Checkpoint>, StoreError> {
    let mut backoff = Backoff::new(context.retry);
    loop {
        let (store, key) = (context.store.clone(), stream.clone());
        let answer = tokio::task::spawn_blocking(move || store.load(&key)).await;
        match answer.unwrap_or_else(|panic| Err(store_panicked("load the position from", panic.into()))) {
            Err(error @ StoreError::Io { .. }) if !context.stop.is_cancelled() => {
                let wait = backoff.next(None);
                tracing::error!(source = &**stream, error = chain(&error), retry_in = ?rounded(wait), "checkpoint cannot be read");
                tokio::select! {
                    () = sleep(wait) => {}
                    () = context.stop.cancelled() => {}
                }
            }
            answer => return answer,
        }
    }
}

/// Opens the source, asking again as long as that can help; `None` when the run stops meanwhile.
async fn open(
    context: &Context,
    source: &mut dyn Source,
    resume: Option<Position>,
    seen: &Arc<SeenInRun>,
) -> Result<Option<Progress>, SourceError> {
    let mut patience = Patience::new(context.retry, context.once);
    loop {
        let opened = tokio::select! {
            () = context.stop.cancelled() => return Ok(None),
            opened = source.open(resume.clone(), seen.clone()) => opened,
        };
        let wait = match opened {
            Ok(progress) => return Ok(Some(progress)),
            Err(error) => patience.failed(error, &context.state)?,
        };
        tokio::select! {
            () = context.stop.cancelled() => return Ok(None),
            () = sleep(wait) => {}
        }
    }
}

/// What to do after a failure of a source: how long to wait, or that waiting does not help.
struct Patience {
    backoff: Backoff,
    reported: Repeated,
    once: bool,
    paused: u32,
}

impl Patience {
    fn new(retry: Retry, once: bool) -> Self {
        Self { backoff: Backoff::new(retry), reported: Repeated::default(), once, paused: 0 }
    }

    fn succeeded(&mut self, state: &SourceState) {
        if let Some(failures) = self.reported.succeeded() {
            tracing::info!(source = &*state.name, failures, "source answers again");
        }
        self.backoff.reset();
        self.paused = 0;
    }

    fn failed(&mut self, error: SourceError, state: &SourceState) -> Result<Duration, SourceError> {
        let (mode, kind, asked) = match &error {
            SourceError::Transient { retry_after, .. } => (SourceMode::Retrying, "transient", *retry_after),
            SourceError::Paused { reason, retry_after, .. } => (SourceMode::Paused, *reason, *retry_after),
            SourceError::PositionLost(_) | SourceError::Fatal { .. } => return Err(error),
        };
        state.failed(kind);
        let wait = self.backoff.next(asked);
        let text = source_failure(&error);
        if mode == SourceMode::Paused {
            self.paused += 1;
            // A second refusal in a row, or a long wait, will not end soon: `--once` says so instead of hanging.
            if self.once && (self.paused > 1 || wait > ONCE_PATIENCE) {
                return Err(error);
            }
        }
        if let Some(not_logged) = self.reported.failed(std::time::Instant::now()) {
            let not_logged = (not_logged > 0).then_some(not_logged);
            let retry_in = rounded(wait);
            if mode == SourceMode::Paused {
                tracing::error!(
                    source = &*state.name,
                    ?retry_in,
                    not_logged,
                    error = text,
                    "source is paused"
                );
            } else {
                tracing::warn!(
                    source = &*state.name,
                    ?retry_in,
                    not_logged,
                    error = text,
                    "source failed; asks again"
                );
            }
        }
        state.set(|now| {
            now.mode = mode;
            now.paused_for = (mode == SourceMode::Paused).then_some(kind);
            now.failing_since.get_or_insert_with(present);
            now.last_error = Some(text);
        });
        Ok(wait)
    }
}

/// Asks the source for page after page.
struct Collector {
    source: Box<dyn Source>,
    seen: Arc<SeenInRun>,
    pages: mpsc::Sender<(Option<RawBatch>, Progress)>,
    tracker: Tracker,
    state: Arc<SourceState>,
    retry: Retry,
    once: bool,
    stop: CancellationToken,
}

impl Collector {
    async fn run(mut self) -> CollectEnd {
        let stop = self.stop.clone();
        let tracker = self.tracker.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => CollectEnd::Finished,
            () = tracker.broken() => CollectEnd::Broken("events were not acknowledged".into()),
            end = self.collect() => end,
        }
    }

    async fn collect(&mut self) -> CollectEnd {
        let mut patience = Patience::new(self.retry, self.once);
        loop {
            let next = self.source.next().await;
            let detail = self.source.status();
            self.state.set(|now| now.detail = detail);
            let wait = match next {
                Ok(Next::Page { batch, progress }) => {
                    patience.succeeded(&self.state);
                    self.taken_in(&batch);
                    if self.pages.send((Some(batch), progress)).await.is_err() {
                        return CollectEnd::Broken("pages could not be handed out".into());
                    }
                    continue;
                }
                // No success: what the source has to say of the refusal comes next.
                Ok(Next::Learnt(progress)) => {
                    if self.pages.send((None, progress)).await.is_err() {
                        return CollectEnd::Broken("pages could not be handed out".into());
                    }
                    continue;
                }
                Ok(Next::Wait(wait)) => {
                    if wait.caught_up && self.once {
                        return CollectEnd::Finished;
                    }
                    if !wait.caught_up && wait.duration >= WORTH_TELLING {
                        let retry_in = rounded(wait.duration);
                        tracing::info!(
                            source = &*self.state.name,
                            ?retry_in,
                            "source waits before its next request"
                        );
                    }
                    self.state.set(|now| now.mode = SourceMode::Waiting);
                    wait.duration
                }
                Err(error @ SourceError::PositionLost(_)) => return CollectEnd::Broken(chain(&error)),
                Err(error) => match patience.failed(error, &self.state) {
                    Ok(wait) => wait,
                    Err(error) => return CollectEnd::Failed(error),
                },
            };
            sleep(wait).await;
        }
    }

    /// From here on the page's records are on their way.
    fn taken_in(&self, batch: &RawBatch) {
        self.seen.add_pending(batch.records.iter().map(|record| record.id));
        count(&self.state.records, batch.records.len());
        let bytes = batch.records.iter().map(|record| record.span.len()).sum();
        count(&self.state.bytes, bytes);
        count(&self.state.gaps, batch.gaps.len());
        for gap in &batch.gaps {
            let (from, to, reason) = (gap.from, gap.to, &*gap.reason);
            count(&self.state.gap_seconds, usize::try_from(to.since(from).as_secs()).unwrap_or(usize::MAX));
            tracing::warn!(source = &*self.state.name, %from, %to, reason, "audit records of this time are not available");
        }
        let times = batch
            .records
            .iter()
            .map(|record| record.id.second)
            .filter(|second| *second != RecordId::TIMELESS);
        let newest = times.max().map(|second| Timestamp::from_millis(second.saturating_mul(1000)));
        self.state.set(|now| {
            now.mode = SourceMode::Collecting;
            now.last_event_time = now.last_event_time.max(newest);
            (now.paused_for, now.failing_since, now.last_error) = (None, None, None);
            now.last_success = Some(present());
        });
    }
}
