//! Driving a source as the runtime does.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{
    Gap, Next, Progress, RawBatch, RecordId, Seen, SeenIds, Source, SourceError, StoreError, Timestamp,
};

use super::Api;
use crate::sink::all_words;

/// So many calls must be enough to catch up.
pub(super) const MOST_CALLS: usize = 6000;

/// The ids that were handed out.
#[derive(Clone, Debug, Default)]
struct Ids(HashMap<(i64, u64), Vec<u64>>);

/// The answers that a source gets.
#[derive(Debug, Default)]
struct Shared(Mutex<Ids>);

#[async_trait]
impl SeenIds for Shared {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = |id: &RecordId| match known.0.get(&(id.second, id.native)) {
            None => Seen::New,
            Some(contents) if contents.contains(&id.content) => Seen::Known,
            Some(_) => Seen::NewVersion,
        };
        Ok(ids.iter().map(seen).collect())
    }
}

/// A source, and what it has handed out over all of its restarts.
pub(super) struct Run<'a> {
    pub(super) api: &'a dyn Api,
    pub(super) source: Box<dyn Source>,
    seen: Arc<Shared>,
    /// What a crash goes back to.
    saved: (Progress, Ids),
    /// What the last page makes of it.
    latest: (Progress, Ids),
    /// The ids of all records, in order; one without an id is left out.
    pub(super) handed_out: Vec<String>,
    /// Each record with its content, in this life of the source.
    contents: HashSet<(i64, u64, u64)>,
    pub(super) gaps: Vec<Gap>,
    pub(super) errors: usize,
    pub(super) pages: usize,
}

impl<'a> Run<'a> {
    pub(super) async fn open(api: &'a dyn Api) -> Self {
        let (mut source, seen) = (api.source(), Arc::<Shared>::default());
        let progress = source.open(None, seen.clone()).await.expect("it can be opened without the API");
        Self {
            api,
            source,
            seen,
            saved: (progress.clone(), Ids::default()),
            latest: (progress, Ids::default()),
            handed_out: Vec::new(),
            contents: HashSet::new(),
            gaps: Vec::new(),
            errors: 0,
            pages: 0,
        }
    }

    /// For another source, that knows nothing.
    pub(super) fn nothing_seen(&self) -> Arc<dyn SeenIds> {
        Arc::<Shared>::default()
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.latest.0
    }

    /// What was handed out so far is delivered and saved.
    pub(super) fn save(&mut self) {
        self.saved = self.latest.clone();
    }

    /// The process is killed; what was not saved is forgotten.
    pub(super) async fn restart(&mut self) {
        self.source = self.api.source();
        self.seen = Arc::new(Shared(Mutex::new(self.saved.1.clone())));
        let position = Some(self.saved.0.position.clone());
        let progress = self.source.open(position, self.seen.clone()).await.expect("its own position");
        self.latest = (progress, self.saved.1.clone());
        self.contents.clear();
    }

    /// One call.
    pub(super) async fn next(&mut self) -> Result<Next, SourceError> {
        let next = self.source.next().await;
        self.note(&next);
        next
    }

    /// Notes what a call has brought.
    pub(super) fn note(&mut self, next: &Result<Next, SourceError>) {
        match next {
            Ok(Next::Page { batch, progress }) => self.take(batch, progress.clone()),
            Ok(Next::Wait(_)) => {}
            Err(error) => {
                self.errors += 1;
                shows_no_secret(self.api, error);
                if let SourceError::Paused { remedy, .. } | SourceError::Fatal { remedy, .. } = error {
                    assert!(remedy.len() > 15, "the remedy says too little: {remedy:?}");
                }
            }
        }
    }

    fn take(&mut self, batch: &RawBatch, progress: Progress) {
        self.pages += 1;
        let mut known = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in &batch.records {
            let id = record.id;
            let is_first = self.contents.insert((id.second, id.native, id.content));
            assert!(
                is_first,
                "a record was handed out twice: {}",
                String::from_utf8_lossy(batch.text(record))
            );
            known.0.entry((id.second, id.native)).or_default().push(id.content);
            self.handed_out.extend(self.api.id_of(batch.text(record)));
        }
        self.gaps.extend(batch.gaps.iter().cloned());
        self.latest = (progress, known.clone());
    }

    /// Waits as the runtime would, and goes on after failures.
    pub(super) async fn rest(&self, next: &Result<Next, SourceError>) {
        let wait = match next {
            Ok(Next::Page { .. }) => Duration::ZERO,
            Ok(Next::Wait(wait)) => wait.duration,
            Err(SourceError::Transient { retry_after, .. } | SourceError::Paused { retry_after, .. }) => {
                retry_after.unwrap_or_default().max(Duration::from_secs(1))
            }
            Err(error @ (SourceError::PositionLost(_) | SourceError::Fatal { .. })) => {
                panic!("the source gave up: {error} {:?}", error.source())
            }
        };
        tokio::time::sleep(wait).await;
    }

    /// Until everything that can be collected has been.
    pub(super) async fn catch_up(&mut self) {
        for _ in 0..MOST_CALLS {
            let next = self.next().await;
            if matches!(&next, Ok(Next::Wait(wait)) if wait.caught_up) {
                return;
            }
            self.rest(&next).await;
        }
        panic!("never caught up: {:?}", self.source.status());
    }

    /// Until `id` was handed out `times`.
    pub(super) async fn until(&mut self, id: &str, times: usize) {
        for _ in 0..MOST_CALLS {
            if self.handed_out.iter().filter(|handed_out| *handed_out == id).count() >= times {
                return;
            }
            let next = self.next().await;
            self.rest(&next).await;
        }
        panic!("record {id} never came {times} times: {:?}", self.source.status());
    }

    /// All that was shown was handed out. Returns the ids that were.
    pub(super) fn has_all_that_was_shown(&self) -> BTreeSet<&str> {
        let ids: BTreeSet<&str> = self.handed_out.iter().map(String::as_str).collect();
        let lost: Vec<String> = self.api.shown().into_iter().filter(|id| !ids.contains(&**id)).collect();
        assert!(lost.is_empty(), "{} records were shown and are lost: {:?}", lost.len(), lost.first());
        ids
    }

    /// All that was shown was handed out; and all that is there, but for what lies in a gap that was told.
    pub(super) fn has_everything(&self) {
        let ids = self.has_all_that_was_shown();
        let in_a_gap = |time| {
            let time = Timestamp::from_system(time);
            self.gaps.iter().any(|gap| (gap.from..=gap.to).contains(&time))
        };
        let all = self.api.all();
        let missing = all.iter().find(|(id, time)| !ids.contains(id.as_str()) && !in_a_gap(**time));
        assert!(missing.is_none(), "a record was never asked for: {missing:?} of {}", all.len());
    }
}

/// No secret of the API is in the error, in whatever form it is printed.
pub(super) fn shows_no_secret(api: &dyn Api, error: &SourceError) {
    let text = all_words(error);
    for secret in api.secrets() {
        assert!(!text.contains(&secret), "a secret is shown in {:?}", text.replace(&secret, "(SECRET)"));
    }
}
