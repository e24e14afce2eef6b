//! A small world around the runtime: an API with numbered records, a store in memory, sinks that misbehave on demand.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{
    BoxError, Checkpoint, CheckpointStore, DeadLetters, EventDraft, EventOutcome, EventWriter, Gap, Letter,
    LetterError, Next, Origin, Outcome, Position, Progress, RawBatch, RawRecord, Reason, Record, RecordId,
    Revision, Save, Schema, Seen, SeenIds, Sink, SinkError, SinkSet, Source, SourceError, SourceStatus,
    StoreError, Timestamp, Transform, View, Wait, Write,
};
use runtime::{
    BatchLimits, Encoder, Engine, Limits, Pipeline, Retry, RunError, SinkSpec, Status, StreamSpec, Until,
};
use tokio_util::sync::CancellationToken;

pub(crate) const STREAM: &str = "source";

/// The records that exist, by number, and how the API behaves.
#[derive(Default)]
pub(crate) struct Api {
    pub(crate) records: AtomicUsize,
    pub(crate) page: AtomicUsize,
    /// Each poll reads this many old records again.
    pub(crate) overlap: AtomicUsize,
    /// Errors to give before the next pages.
    pub(crate) errors: Mutex<Vec<SourceError>>,
    /// The position that a refusal leads to, before them.
    pub(crate) learns: Mutex<Option<usize>>,
    /// What happened, in order: `save` and `request`.
    pub(crate) log: Mutex<Vec<&'static str>>,
    pub(crate) panic_once: AtomicBool,
}

impl Api {
    pub(crate) fn new(records: usize, page: usize) -> Arc<Self> {
        let api = Self::default();
        api.records.store(records, Ordering::SeqCst);
        api.page.store(page, Ordering::SeqCst);
        Arc::new(api)
    }
}

pub(crate) fn id(number: usize) -> RecordId {
    RecordId { second: number as i64, native: number as u64, content: 1 }
}

struct FakeSource {
    api: Arc<Api>,
    at: usize,
    seen: Option<Arc<dyn SeenIds>>,
}

fn progress(at: usize) -> Progress {
    Progress {
        position: Position::encode(&at),
        prune_before: i64::MIN,
        complete_until: None,
        lost_from: None,
    }
}

#[async_trait]
impl Source for FakeSource {
    async fn open(
        &mut self,
        resume: Option<Position>,
        seen: Arc<dyn SeenIds>,
    ) -> Result<Progress, SourceError> {
        self.at = resume.map_or(0, |position| position.decode().unwrap());
        self.seen = Some(seen);
        Ok(progress(self.at))
    }

    async fn next(&mut self) -> Result<Next, SourceError> {
        self.api.log.lock().unwrap().push("request");
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(at) = self.api.learns.lock().unwrap().take() {
            return Ok(Next::Learnt(progress(at)));
        }
        if let Some(error) = self.api.errors.lock().unwrap().pop() {
            return Err(error);
        }
        if self.api.panic_once.swap(false, Ordering::SeqCst) {
            panic!("a defect in the source");
        }
        let end = self.api.records.load(Ordering::SeqCst);
        if self.at >= end {
            return Ok(Next::Wait(Wait { duration: Duration::from_millis(50), caught_up: true }));
        }
        let from = self.at.saturating_sub(self.api.overlap.load(Ordering::SeqCst));
        let to = end.min(self.at + self.api.page.load(Ordering::SeqCst));
        let ids: Vec<RecordId> = (from..to).map(id).collect();
        let seen = self
            .seen
            .as_ref()
            .unwrap()
            .lookup(&ids)
            .await
            .map_err(|e| SourceError::PositionLost(e.into()))?;
        let mut body = Vec::new();
        let mut records = Vec::new();
        for (id, _) in ids.iter().zip(seen).filter(|(_, seen)| *seen != Seen::Known) {
            let start = body.len() as u32;
            body.extend_from_slice(format!("{{\"id\":{:>80}}}", id.native).as_bytes());
            records.push(RawRecord { span: start..body.len() as u32, id: *id });
        }
        let origin =
            Origin { source: STREAM.into(), kind: "fake".into(), dataset: "fake".into(), labels: Vec::new() };
        let collected_at = Timestamp::default();
        let batch =
            RawBatch { origin: Arc::new(origin), collected_at, body: body.into(), records, gaps: Vec::new() };
        self.at = to;
        Ok(Next::Page { batch, progress: progress(to) })
    }

    fn status(&self) -> SourceStatus {
        SourceStatus::default()
    }

    async fn check(&mut self) -> Result<String, SourceError> {
        Ok("fine".into())
    }
}

/// Writes the record's number, and counts how often it is asked to.
struct Numbers {
    applied: Arc<AtomicUsize>,
}

impl Transform for Numbers {
    fn apply(&self, record: &Record<'_>, out: &mut EventWriter) {
        self.applied.fetch_add(1, Ordering::SeqCst);
        out.line().extend_from_slice(record.id.native.to_string().as_bytes());
        out.commit(&EventDraft {
            id: record.id.native.into(),
            time: Timestamp::default(),
            class: 0,
            severity: 0,
            outcome: EventOutcome::Unknown,
            action: "",
            actor: "",
            tenant: "",
        });
    }

    fn gap(&self, _: &Origin, _: &Gap, _: &mut EventWriter) {}
}

/// What a sink does with a write.
pub(crate) enum Act {
    Take,
    /// Takes all, and asks for a pause.
    TakeAndAsk(Duration),
    /// Takes all but these indices.
    TakeBut(Vec<u32>),
    /// Takes all but these, which it refuses for good.
    Refuse(Vec<u32>),
    Fail(SinkError),
    /// Takes everything, and fails all the same.
    TakeAndFail,
    Panic,
}

type Behaviour = Box<dyn Fn(usize, &Write) -> Act + Send + Sync>;

/// What a destination took, in order, and up to where that is everything.
#[derive(Default)]
struct Taken {
    numbers: Vec<usize>,
    set: HashSet<usize>,
    complete: usize,
}

impl Taken {
    fn add(&mut self, numbers: impl IntoIterator<Item = usize>) {
        for number in numbers {
            self.numbers.push(number);
            self.set.insert(number);
        }
        while self.set.contains(&self.complete) {
            self.complete += 1;
        }
    }
}

/// A destination that remembers what it took.
pub(crate) struct FakeSink {
    taken: Mutex<Taken>,
    pub(crate) writes: AtomicUsize,
    pub(crate) delay: Duration,
    /// Getting ready takes so long.
    pub(crate) slow_start: Mutex<Duration>,
    /// Errors to give before it is ready.
    pub(crate) not_ready: Mutex<Vec<SinkError>>,
    /// Its destination takes so long to end.
    pub(crate) slow_end: Mutex<Duration>,
    /// Writes without events.
    pub(crate) empty_writes: AtomicUsize,
    /// Each call of `close`: how many events it had taken by then.
    pub(crate) closed: Mutex<Vec<usize>>,
    behaviour: Behaviour,
}

impl FakeSink {
    pub(crate) fn new(behaviour: impl Fn(usize, &Write) -> Act + Send + Sync + 'static) -> Arc<Self> {
        Self::slow(Duration::from_millis(1), behaviour)
    }

    pub(crate) fn slow(
        delay: Duration,
        behaviour: impl Fn(usize, &Write) -> Act + Send + Sync + 'static,
    ) -> Arc<Self> {
        let (taken, writes) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self {
            taken,
            writes,
            delay,
            slow_start: Mutex::default(),
            not_ready: Mutex::default(),
            slow_end: Mutex::default(),
            empty_writes: AtomicUsize::new(0),
            closed: Mutex::default(),
            behaviour: Box::new(behaviour),
        })
    }

    pub(crate) fn good() -> Arc<Self> {
        Self::new(|_, _| Act::Take)
    }

    pub(crate) fn taken(&self) -> Vec<usize> {
        self.taken.lock().unwrap().numbers.clone()
    }

    pub(crate) fn sorted(&self) -> Vec<usize> {
        let mut taken = self.taken();
        taken.sort_unstable();
        taken
    }

    pub(crate) fn has_all(&self, until: usize) -> bool {
        self.has_all_but(&[], until)
    }

    pub(crate) fn has_all_but(&self, letters: &[usize], until: usize) -> bool {
        let taken = self.taken.lock().unwrap();
        (taken.complete..until).all(|number| taken.set.contains(&number) || letters.contains(&number))
    }
}

pub(crate) fn transient(retry_after: Option<Duration>) -> SinkError {
    SinkError::Transient { retry_after, source: "the destination is busy".into() }
}

pub(crate) fn mapping() -> Reason {
    Reason { kind: "mapping", detail: "field is no date".into() }
}

/// The destination refuses the write and does not say which event is at fault.
pub(crate) fn refused() -> Act {
    Act::Fail(SinkError::Rejected { reason: mapping() })
}

/// The numbers of the records whose events are written.
pub(crate) fn numbers(events: &Write) -> Vec<usize> {
    let number = |(batch, meta): (&pipeline::EventBatch, &pipeline::EventMeta)| {
        std::str::from_utf8(batch.text(meta)).unwrap().parse().unwrap()
    };
    events.events().map(number).collect()
}

/// Dead letters in memory.
#[derive(Default)]
pub(crate) struct MemoryLetters {
    pub(crate) letters: Mutex<Vec<Letter>>,
    pub(crate) full: AtomicBool,
}

impl MemoryLetters {
    /// The numbers of the records whose events are kept.
    pub(crate) fn numbers(&self) -> Vec<usize> {
        let letters = self.letters.lock().unwrap();
        let mut numbers: Vec<usize> = letters
            .iter()
            .map(|letter| std::str::from_utf8(&letter.sent).unwrap().parse().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }
}

impl DeadLetters for MemoryLetters {
    fn keep(&self, letters: &[Letter]) -> Result<(), LetterError> {
        if self.full.load(Ordering::SeqCst) {
            return Err(LetterError::Full { path: "memory".into(), max_size: 7 });
        }
        self.letters.lock().unwrap().extend_from_slice(letters);
        Ok(())
    }

    fn count(&self, _: &str) -> u64 {
        self.letters.lock().unwrap().len() as u64
    }
}

#[async_trait]
impl Sink for FakeSink {
    async fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    async fn open(&self) -> Result<(), SinkError> {
        let slow_start = *self.slow_start.lock().unwrap();
        tokio::time::sleep(slow_start).await;
        self.not_ready.lock().unwrap().pop().map_or(Ok(()), Err)
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        self.empty_writes.fetch_add(usize::from(events.is_empty()), Ordering::SeqCst);
        tokio::time::sleep(self.delay).await;
        let act = (self.behaviour)(number, events);
        let left_out = match &act {
            Act::TakeBut(indices) | Act::Refuse(indices) => indices.clone(),
            _ => Vec::new(),
        };
        let takes_some = matches!(
            act,
            Act::Take | Act::TakeAndAsk(_) | Act::TakeBut(_) | Act::Refuse(_) | Act::TakeAndFail
        );
        if takes_some {
            let taken: Vec<usize> = numbers(events)
                .into_iter()
                .enumerate()
                .filter(|(n, _)| !left_out.contains(&(*n as u32)))
                .map(|(_, number)| number)
                .collect();
            self.taken.lock().unwrap().add(taken);
        }
        match act {
            Act::Take => Ok(Outcome::default()),
            Act::TakeAndAsk(pause) => Ok(Outcome { slow_down: Some(pause), ..Outcome::default() }),
            Act::TakeBut(retry) => Ok(Outcome { retry, ..Outcome::default() }),
            Act::Refuse(indices) => Ok(Outcome {
                rejected: indices.into_iter().map(|index| (index, mapping())).collect(),
                ..Outcome::default()
            }),
            Act::Fail(error) => Err(error),
            Act::TakeAndFail => Err(transient(None)),
            Act::Panic => panic!("a defect in the sink"),
        }
    }

    async fn close(&self) {
        let taken = self.taken.lock().unwrap().numbers.len();
        self.closed.lock().unwrap().push(taken);
        let slow_end = *self.slow_end.lock().unwrap();
        tokio::time::sleep(slow_end).await;
    }
}

/// A store in memory that can refuse, and that checks rule 1 at every save.
#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) state: Mutex<Stored>,
    pub(crate) refuse: AtomicBool,
    pub(crate) api: Option<Arc<Api>>,
    /// At every save, each of these must have every record before the position, but for those among the letters.
    pub(crate) sinks: Mutex<Vec<Arc<FakeSink>>>,
    pub(crate) letters: Arc<MemoryLetters>,
    /// Saves that broke rule 1.
    pub(crate) violations: Mutex<Vec<String>>,
}

#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) position: Option<Position>,
    pub(crate) revision: u64,
    pub(crate) delivered: BTreeMap<(i64, u64, u64), SinkSet>,
    pub(crate) names: Vec<String>,
}

impl MemoryStore {
    pub(crate) fn at(&self) -> usize {
        self.state.lock().unwrap().position.as_ref().map_or(0, |position| position.decode().unwrap())
    }
}

impl CheckpointStore for MemoryStore {
    fn streams(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec![STREAM.into()])
    }

    fn load(&self, _: &str) -> Result<Option<Checkpoint>, StoreError> {
        let state = self.state.lock().unwrap();
        Ok(state.position.clone().map(|position| Checkpoint {
            position,
            revision: Revision(state.revision),
            delivered: state.delivered.len() as u64,
        }))
    }

    fn save(&self, stream: &str, save: Save<'_>, expected: Revision) -> Result<Revision, StoreError> {
        if self.refuse.load(Ordering::SeqCst) {
            return Err(StoreError::Io { doing: "write", path: "memory".into(), source: "disk full".into() });
        }
        let mut state = self.state.lock().unwrap();
        if state.revision != expected.0 {
            let (expected, found) = (expected.0, state.revision);
            return Err(StoreError::Conflict { stream: stream.into(), expected, found });
        }
        let position: usize = save.position.decode().unwrap();
        let letters = self.letters.numbers();
        if !self.sinks.lock().unwrap().iter().all(|sink| sink.has_all_but(&letters, position)) {
            self.violations
                .lock()
                .unwrap()
                .push(format!("position {position} is saved before all is delivered"));
        }
        if let Some(api) = &self.api {
            api.log.lock().unwrap().push("save");
        }
        for (id, sinks) in save.delivered {
            let entry = state.delivered.entry((id.second, id.native, id.content)).or_default();
            entry.0 |= sinks.0;
        }
        state.position = Some(save.position.clone());
        state.revision += 1;
        Ok(Revision(state.revision))
    }

    fn delivered(&self, _: &str, ids: &[RecordId]) -> Result<Vec<Vec<(u64, SinkSet)>>, StoreError> {
        let state = self.state.lock().unwrap();
        let range = |id: &RecordId| {
            let range = state.delivered.range((id.second, id.native, 0)..=(id.second, id.native, u64::MAX));
            range.map(|((_, _, content), sinks)| (*content, *sinks)).collect()
        };
        Ok(ids.iter().map(range).collect())
    }

    fn sink_numbers(&self, _: &str, names: &[&str]) -> Result<Vec<u32>, StoreError> {
        let mut state = self.state.lock().unwrap();
        let mut number = |name: &&str| {
            let known = state.names.iter().position(|known| known == name);
            known.unwrap_or_else(|| {
                state.names.push(name.to_string());
                state.names.len() - 1
            }) as u32
        };
        Ok(names.iter().map(&mut number).collect())
    }

    fn reset(&self, _: &str) -> Result<(), StoreError> {
        *self.state.lock().unwrap() = Stored::default();
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) api: Arc<Api>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) sinks: Vec<Arc<FakeSink>>,
    pub(crate) letters: Arc<MemoryLetters>,
    /// How many records were made into events.
    pub(crate) applied: Arc<AtomicUsize>,
    pub(crate) limits: Limits,
    pub(crate) batch: BatchLimits,
    pub(crate) eager: bool,
}

impl World {
    pub(crate) fn new(api: Arc<Api>, sinks: Vec<Arc<FakeSink>>) -> Self {
        let letters = Arc::<MemoryLetters>::default();
        let store = MemoryStore {
            api: Some(api.clone()),
            sinks: Mutex::new(sinks.clone()),
            letters: letters.clone(),
            ..MemoryStore::default()
        };
        let retry = Retry { initial: Duration::from_millis(10), max: Duration::from_millis(200) };
        Self {
            api,
            store: Arc::new(store),
            sinks,
            letters,
            applied: Arc::default(),
            limits: Limits { in_flight: 64 << 20, drain_timeout: Duration::from_secs(25), retry },
            batch: BatchLimits { max_events: 100, max_bytes: 1 << 20, max_age: Duration::from_millis(100) },
            eager: true,
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        let view = || Arc::new(View { schema: Schema::Raw, version: "".into(), keep_raw: true });
        let api = self.api.clone();
        let stream = StreamSpec {
            name: STREAM.into(),
            source: Box::new(move || {
                Ok(Box::new(FakeSource { api: api.clone(), at: 0, seen: None }) as Box<dyn Source>)
            }),
            encoders: vec![Encoder {
                view: view(),
                transform: Arc::new(Numbers { applied: self.applied.clone() }),
            }],
        };
        let sinks = self.sinks.iter().enumerate().map(|(n, sink)| SinkSpec {
            name: format!("sink{n}"),
            sink: sink.clone(),
            // Equal, not the same.
            view: view(),
            from: vec![STREAM.into()],
            batch: self.batch,
            eager: self.eager,
            concurrency: 2,
            retry: self.limits.retry,
        });
        let sinks = sinks.collect();
        Engine::new(Pipeline {
            streams: vec![stream],
            sinks,
            store: self.store.clone(),
            dead_letters: self.letters.clone(),
            limits: self.limits,
        })
    }

    /// Runs until everything that exists is delivered.
    pub(crate) async fn catch_up(&self) -> (Result<(), RunError>, Arc<Status>) {
        let engine = self.engine();
        let status = engine.status();
        let result = engine.run(Until::CaughtUp { timeout: None }, CancellationToken::new()).await;
        assert_eq!(*self.store.violations.lock().unwrap(), [""; 0]);
        (result, status)
    }

    /// Puts another destination in the place of sink `n`; it starts with what the old one had.
    pub(crate) fn replace(&mut self, n: usize, sink: Arc<FakeSink>) {
        sink.taken.lock().unwrap().add(self.sinks[n].taken());
        self.sinks[n] = sink;
        *self.store.sinks.lock().unwrap() = self.sinks.clone();
    }
}
