//! Which records need no delivery: remembered as delivered, or pending in this run of the stream.
//!
//! An id is *pending*, in memory alone, from the page that brought it until its chunk is saved; then it is *delivered*,
//! in the store, by the same transaction as the position. A run that ends forgets its pending ids.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pipeline::{BoxError, CheckpointStore, RecordId, Seen, SeenIds, SinkSet, StoreError};

/// The answer to *who has this record* for one run of a stream.
pub(crate) struct SeenInRun {
    store: Arc<dyn CheckpointStore>,
    stream: Arc<str>,
    /// The sinks of this stream, as numbers in its saved list.
    sinks: SinkSet,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Content hashes by second and native id; nearly always one.
    pending: HashMap<(i64, u64), Vec<u64>>,
    /// Records that some of the stream's sinks have and others do not.
    partial: HashMap<RecordId, SinkSet>,
}

impl SeenInRun {
    pub(crate) fn new(store: Arc<dyn CheckpointStore>, stream: Arc<str>, sinks: SinkSet) -> Self {
        Self { store, stream, sinks, state: Mutex::default() }
    }

    /// The ids are on their way.
    pub(crate) fn add_pending(&self, ids: impl Iterator<Item = RecordId>) {
        let mut state = self.lock();
        for id in ids {
            state.pending.entry((id.second, id.native)).or_default().push(id.content);
        }
    }

    /// The ids are saved as delivered. Called after the save, so that no id is in neither place.
    pub(crate) fn saved(&self, ids: &[RecordId]) {
        let mut state = self.lock();
        for id in ids {
            state.partial.remove(id);
            if let Entry::Occupied(mut entry) = state.pending.entry((id.second, id.native)) {
                let contents = entry.get_mut();
                contents.retain(|content| *content != id.content);
                if contents.is_empty() {
                    entry.remove();
                }
            }
        }
    }

    /// Which sinks have the record already; usually none.
    pub(crate) fn had(&self, id: &RecordId) -> SinkSet {
        let state = self.lock();
        if state.partial.is_empty() {
            SinkSet::NONE
        } else {
            state.partial.get(id).copied().unwrap_or_default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pending ids answered at once: `None` where the store must be asked.
    fn pending(&self, ids: &[RecordId]) -> Vec<Option<Seen>> {
        let state = self.lock();
        let answer = |id: &RecordId| {
            let contents = state.pending.get(&(id.second, id.native))?;
            Some(if contents.contains(&id.content) { Seen::Known } else { Seen::NewVersion })
        };
        ids.iter().map(answer).collect()
    }

    /// What the store's answer means for the stream's sinks.
    fn judge(&self, id: &RecordId, stored: &[(u64, SinkSet)]) -> Seen {
        let Some((_, had)) = stored.iter().find(|(content, _)| *content == id.content) else {
            return if stored.is_empty() { Seen::New } else { Seen::NewVersion };
        };
        if had.0 & self.sinks.0 == self.sinks.0 {
            return Seen::Known;
        }
        self.lock().partial.insert(*id, *had);
        Seen::New
    }
}

#[async_trait]
impl SeenIds for SeenInRun {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        // Pending first: an id leaves it only once the store has it.
        let pending = self.pending(ids);
        let unknown: Vec<RecordId> =
            ids.iter().zip(&pending).filter(|(_, known)| known.is_none()).map(|(id, _)| *id).collect();
        let stored = if unknown.is_empty() { Vec::new() } else { self.ask_store(unknown.clone()).await? };
        let mut from_store = unknown.iter().zip(stored).map(|(id, stored)| self.judge(id, &stored));
        Ok(pending
            .into_iter()
            .map(|known| known.or_else(|| from_store.next()).unwrap_or(Seen::New))
            .collect())
    }
}

impl SeenInRun {
    async fn ask_store(&self, ids: Vec<RecordId>) -> Result<Vec<Vec<(u64, SinkSet)>>, StoreError> {
        let (store, stream) = (self.store.clone(), self.stream.clone());
        let answer = tokio::task::spawn_blocking(move || store.delivered(&stream, &ids)).await;
        answer.unwrap_or_else(|panic| Err(store_panicked("look up delivered ids of", panic.into())))
    }
}

/// A store that panicked has answered nothing.
pub(crate) fn store_panicked(doing: &'static str, source: BoxError) -> StoreError {
    StoreError::Io { doing, path: "the checkpoint store".into(), source }
}
