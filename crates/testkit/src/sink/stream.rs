//! What stands around a sink in a real run: a source of numbered events, a checkpoint store and dead letters in memory.
//! Each save is compared with what the destination holds at that moment.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{
    Checkpoint, CheckpointStore, DeadLetters, EventWriter, Gap, Letter, LetterError, Next, Origin, Position,
    Progress, RawBatch, RawRecord, Record, RecordId, Revision, Save, Seen, SeenIds, Sink, SinkSet, Source,
    SourceError, SourceStatus, StoreError, Timestamp, Transform, Wait,
};
use runtime::{BatchLimits, Encoder, Engine, Limits, Pipeline, Retry, SinkSpec, StreamSpec};

use super::Destination;
use super::events::{Event, draft, origin, view};

const STREAM: &str = "numbers";

/// Everything that outlives one run.
pub(super) struct World {
    pub(super) events: Arc<Vec<Event>>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) limits: Limits,
    pub(super) batch: BatchLimits,
    /// Records of a page.
    pub(super) page: usize,
    /// Time that a page takes.
    pub(super) pace: Duration,
}

impl World {
    pub(super) fn new(events: Vec<Event>, destination: Arc<dyn Destination>) -> Self {
        let events = Arc::new(events);
        let store = Arc::new(MemoryStore::new(events.clone(), destination));
        let retry = Retry { initial: Duration::from_millis(1), max: Duration::from_millis(20) };
        Self {
            events,
            store,
            limits: Limits { in_flight: 64 << 10, drain_timeout: Duration::from_secs(10), retry },
            batch: BatchLimits { max_events: 16, max_bytes: 1 << 20, max_age: Duration::from_millis(2) },
            page: 20,
            pace: Duration::ZERO,
        }
    }

    /// A run from the saved position, with this sink.
    pub(super) fn engine(&self, sink: Arc<dyn Sink>) -> Engine {
        let view = Arc::new(view());
        let (events, page, pace) = (self.events.clone(), self.page, self.pace);
        let source = move || {
            let source = Numbers { events: events.clone(), at: 0, page, pace, seen: None };
            Ok(Box::new(source) as Box<dyn Source>)
        };
        let stream = StreamSpec {
            name: STREAM.into(),
            source: Box::new(source),
            encoders: vec![Encoder { view: view.clone(), transform: Arc::new(AsItIs) }],
        };
        let sink = SinkSpec {
            name: "sink".into(),
            sink,
            view,
            from: vec![STREAM.into()],
            batch: self.batch,
            eager: true,
            concurrency: 2,
            retry: self.limits.retry,
        };
        Engine::new(Pipeline {
            streams: vec![stream],
            sinks: vec![sink],
            store: Arc::new(self.store.begin_life()),
            dead_letters: self.store.clone(),
            limits: self.limits,
        })
    }

    /// What a killed run still has under way comes to nothing.
    pub(super) fn end_life(&self) {
        lock(&self.store.state).life += 1;
    }

    /// The events that were kept aside.
    pub(super) fn letters(&self) -> Vec<String> {
        lock(&self.store.letters).iter().map(|letter| String::from_utf8_lossy(&letter.sent).into()).collect()
    }

    pub(super) fn position(&self) -> usize {
        lock(&self.store.state).position.as_ref().map_or(0, number)
    }

    /// Saved positions that were ahead of what the destination held.
    pub(super) fn violations(&self) -> Vec<String> {
        lock(&self.store.violations).clone()
    }
}

fn number(position: &Position) -> usize {
    position.decode().expect("a position of this source")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Numbers {
    events: Arc<Vec<Event>>,
    at: usize,
    page: usize,
    pace: Duration,
    seen: Option<Arc<dyn SeenIds>>,
}

fn progress(at: usize) -> Progress {
    let position = Position::encode(&at);
    Progress { position, prune_before: i64::MIN, complete_until: None, lost_from: None }
}

#[async_trait]
impl Source for Numbers {
    async fn open(
        &mut self,
        resume: Option<Position>,
        seen: Arc<dyn SeenIds>,
    ) -> Result<Progress, SourceError> {
        self.at = resume.as_ref().map_or(0, number);
        self.seen = Some(seen);
        Ok(progress(self.at))
    }

    async fn next(&mut self) -> Result<Next, SourceError> {
        tokio::time::sleep(self.pace).await;
        let to = self.events.len().min(self.at + self.page);
        if self.at == to {
            return Ok(Next::Wait(Wait { duration: Duration::from_millis(5), caught_up: true }));
        }
        let id = |at: usize| RecordId { second: at as i64, native: at as u64, content: 1 };
        let ids: Vec<RecordId> = (self.at..to).map(id).collect();
        let seen = self.seen.as_ref().expect("it was opened");
        let seen = seen.lookup(&ids).await.map_err(|error| SourceError::PositionLost(error.into()))?;
        let (mut body, mut records) = (Vec::new(), Vec::new());
        for (id, _) in ids.iter().zip(seen).filter(|(_, seen)| *seen != Seen::Known) {
            let start = body.len() as u32;
            body.extend_from_slice(self.events[id.native as usize].text.as_bytes());
            records.push(RawRecord { span: start..body.len() as u32, id: *id });
        }
        self.at = to;
        let (origin, collected_at) = (Arc::new(origin()), Timestamp::default());
        let batch = RawBatch { origin, collected_at, body: body.into(), records, gaps: Vec::new() };
        Ok(Next::Page { batch, progress: progress(to) })
    }

    fn status(&self) -> SourceStatus {
        SourceStatus::default()
    }

    async fn check(&mut self) -> Result<String, SourceError> {
        Ok("well".into())
    }
}

/// The record is the event.
struct AsItIs;

impl Transform for AsItIs {
    fn apply(&self, record: &Record<'_>, out: &mut EventWriter) {
        out.line().extend_from_slice(record.text);
        out.commit(&draft(u128::from(record.id.native) << 64 | 0xE7E7));
    }

    fn gap(&self, _: &Origin, _: &Gap, _: &mut EventWriter) {}
}

/// Positions, delivered ids and dead letters in memory.
pub(super) struct MemoryStore {
    events: Arc<Vec<Event>>,
    destination: Arc<dyn Destination>,
    state: Mutex<State>,
    letters: Mutex<Vec<Letter>>,
    violations: Mutex<Vec<String>>,
}

#[derive(Default)]
struct State {
    position: Option<Position>,
    revision: u64,
    /// Counts the runs.
    life: u64,
    delivered: BTreeMap<(i64, u64, u64), SinkSet>,
}

impl MemoryStore {
    fn new(events: Arc<Vec<Event>>, destination: Arc<dyn Destination>) -> Self {
        let (state, letters, violations) = Default::default();
        Self { events, destination, state, letters, violations }
    }

    fn begin_life(self: &Arc<Self>) -> Life {
        let mut state = lock(&self.state);
        state.life += 1;
        Life { store: self.clone(), number: state.life }
    }

    /// Everything before a position that is to be saved is at the destination, or among the letters.
    fn judge(&self, position: usize) {
        let held = self.destination.held();
        let texts = held.deliveries.iter().flat_map(|delivery| &delivery.events);
        let mut there: HashSet<String> = texts.cloned().collect();
        there.extend(lock(&self.letters).iter().map(|letter| String::from_utf8_lossy(&letter.sent).into()));
        let before = &self.events[..position];
        if let Some(event) = before.iter().find(|event| !there.contains(&event.text)) {
            let number = event.number;
            lock(&self.violations)
                .push(format!("position {position} is saved, and event {number} is nowhere"));
        }
    }
}

/// The store as one run has it.
struct Life {
    store: Arc<MemoryStore>,
    number: u64,
}

impl CheckpointStore for Life {
    fn streams(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec![STREAM.into()])
    }

    fn load(&self, _: &str) -> Result<Option<Checkpoint>, StoreError> {
        let state = lock(&self.store.state);
        let (revision, delivered) = (Revision(state.revision), state.delivered.len() as u64);
        Ok(state.position.clone().map(|position| Checkpoint { position, revision, delivered }))
    }

    fn save(&self, stream: &str, save: Save<'_>, expected: Revision) -> Result<Revision, StoreError> {
        self.store.judge(number(save.position));
        let mut state = lock(&self.store.state);
        if state.life != self.number {
            let source = "the process was killed".into();
            return Err(StoreError::Io { doing: "write", path: "memory".into(), source });
        }
        if state.revision != expected.0 {
            let (expected, found) = (expected.0, state.revision);
            return Err(StoreError::Conflict { stream: stream.into(), expected, found });
        }
        for (id, sinks) in save.delivered {
            state.delivered.entry((id.second, id.native, id.content)).or_default().0 |= sinks.0;
        }
        state.position = Some(save.position.clone());
        state.revision += 1;
        Ok(Revision(state.revision))
    }

    fn delivered(&self, _: &str, ids: &[RecordId]) -> Result<Vec<Vec<(u64, SinkSet)>>, StoreError> {
        let state = lock(&self.store.state);
        let contents = |id: &RecordId| {
            let all = (id.second, id.native, 0)..=(id.second, id.native, u64::MAX);
            state.delivered.range(all).map(|((_, _, content), sinks)| (*content, *sinks)).collect()
        };
        Ok(ids.iter().map(contents).collect())
    }

    fn sink_numbers(&self, _: &str, names: &[&str]) -> Result<Vec<u32>, StoreError> {
        Ok((0..).take(names.len()).collect())
    }

    fn reset(&self, _: &str) -> Result<(), StoreError> {
        *lock(&self.store.state) = State::default();
        Ok(())
    }
}

impl DeadLetters for MemoryStore {
    fn keep(&self, letters: &[Letter]) -> Result<(), LetterError> {
        lock(&self.letters).extend_from_slice(letters);
        Ok(())
    }

    fn count(&self, _: &str) -> u64 {
        lock(&self.letters).len() as u64
    }
}
