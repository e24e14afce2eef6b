//! Driving a source as the runtime does.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::error::Error;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{
    Gap, Next, Progress, RawBatch, RecordId, Seen, SeenIds, Source, SourceError, StoreError, Timestamp,
};

use super::Api;

/// So many calls must be enough to catch up.
pub(super) const MOST_CALLS: usize = 6000;

/// The ids that were handed out, and the answers that a source gets.
#[derive(Debug, Default)]
struct Known(Mutex<HashMap<(i64, u64), Vec<u64>>>);

impl Known {
    fn add(&self, id: RecordId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry((id.second, id.native)).or_default().push(id.content);
    }
}

#[async_trait]
impl SeenIds for Known {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = |id: &RecordId| match known.get(&(id.second, id.native)) {
            None => Seen::New,
            Some(contents) if contents.contains(&id.content) => Seen::Known,
            Some(_) => Seen::NewVersion,
        };
        Ok(ids.iter().map(seen).collect())
    }
}

/// A record that was handed out; one that has no id has no name.
struct Handed {
    id: RecordId,
    name: Option<String>,
}

/// What a crash goes back to.
struct Saved {
    progress: Progress,
    /// So many of the records are delivered.
    handed: usize,
    gaps: usize,
}

/// A source, and what it has handed out over all of its restarts.
pub(super) struct Run<'a> {
    pub(super) api: &'a dyn Api,
    pub(super) source: Box<dyn Source>,
    known: Arc<Known>,
    saved: Saved,
    /// What the last page makes of it.
    latest: Progress,
    /// What it was before the last page, and the number of records then.
    before: (Progress, usize),
    /// All records that were not lost in a crash, in order.
    handed: Vec<Handed>,
    /// Each of them with its content.
    contents: HashSet<(i64, u64, u64)>,
    pub(super) gaps: Vec<Gap>,
    pub(super) errors: usize,
    pub(super) pages: usize,
}

impl<'a> Run<'a> {
    pub(super) async fn open(api: &'a dyn Api) -> Self {
        let (mut source, known) = (api.source(), Arc::<Known>::default());
        let progress = match source.open(None, known.clone()).await {
            Ok(progress) => progress,
            Err(error) => panic!("it cannot be opened without the API: {error}"),
        };
        Self {
            api,
            source,
            known,
            saved: Saved { progress: progress.clone(), handed: 0, gaps: 0 },
            before: (progress.clone(), 0),
            latest: progress,
            handed: Vec::new(),
            contents: HashSet::new(),
            gaps: Vec::new(),
            errors: 0,
            pages: 0,
        }
    }

    /// For another source, that knows nothing.
    pub(super) fn nothing_seen(&self) -> Arc<dyn SeenIds> {
        Arc::<Known>::default()
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.latest
    }

    /// The ids of all records, in order.
    pub(super) fn ids(&self) -> Vec<&str> {
        self.handed.iter().filter_map(|handed| handed.name.as_deref()).collect()
    }

    /// What was handed out so far is delivered and saved.
    pub(super) fn save(&mut self) {
        self.saved =
            Saved { progress: self.latest.clone(), handed: self.handed.len(), gaps: self.gaps.len() };
    }

    /// So many records of the last page are delivered and saved, with the position before it.
    pub(super) fn save_some(&mut self, records: usize) {
        let (progress, handed) = self.before.clone();
        let handed = (handed + records).min(self.handed.len());
        // A gap comes with its page, and again with it.
        self.saved = Saved { progress, handed, gaps: self.saved.gaps };
    }

    /// The process is killed; what was not saved is forgotten.
    pub(super) async fn restart(&mut self) {
        self.source = self.api.source();
        self.handed.truncate(self.saved.handed);
        self.gaps.truncate(self.saved.gaps);
        self.known = Arc::default();
        self.contents.clear();
        for Handed { id, .. } in &self.handed {
            self.known.add(*id);
            self.contents.insert((id.second, id.native, id.content));
        }
        let position = Some(self.saved.progress.position.clone());
        self.latest = match self.source.open(position, self.known.clone()).await {
            Ok(progress) => progress,
            Err(error) => panic!("it does not take its own position: {error}"),
        };
        self.before = (self.latest.clone(), self.handed.len());
    }

    /// One call.
    pub(super) async fn next(&mut self) -> Result<Next, SourceError> {
        let next = self.source.next().await;
        self.note(&next);
        next
    }

    /// One call that is dropped at its n-th await, unless it has ended before.
    pub(super) async fn next_within(&mut self, awaits: usize) -> Option<Result<Next, SourceError>> {
        let mut polled = 0;
        let ended = {
            let mut next = Box::pin(self.source.next());
            poll_fn(|context| {
                if polled == awaits {
                    return Poll::Ready(None);
                }
                polled += 1;
                next.as_mut().poll(context).map(Some)
            })
            .await
        };
        if let Some(next) = &ended {
            self.note(next);
        }
        ended
    }

    fn note(&mut self, next: &Result<Next, SourceError>) {
        match next {
            Ok(Next::Page { batch, progress }) => self.take(batch, progress.clone()),
            Ok(Next::Learnt(progress)) => self.latest = progress.clone(),
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
        self.before = (std::mem::replace(&mut self.latest, progress), self.handed.len());
        for record in &batch.records {
            let (id, text) = (record.id, batch.text(record));
            let is_first = self.contents.insert((id.second, id.native, id.content));
            assert!(is_first, "a record was handed out twice: {}", String::from_utf8_lossy(text));
            self.known.add(id);
            self.handed.push(Handed { id, name: self.api.id_of(text) });
        }
        self.gaps.extend(batch.gaps.iter().cloned());
    }

    /// Waits as the runtime would, and goes on after failures.
    pub(super) async fn rest(&self, next: &Result<Next, SourceError>) {
        let wait = match next {
            Ok(Next::Page { .. } | Next::Learnt(_)) => Duration::ZERO,
            Ok(Next::Wait(wait)) => wait.duration,
            Err(SourceError::Transient { retry_after, .. } | SourceError::Paused { retry_after, .. }) => {
                retry_after.unwrap_or_default().max(Duration::from_secs(1))
            }
            Err(error @ (SourceError::PositionLost(_) | SourceError::Fatal { .. })) => {
                panic!("the source gave up: {}", chain(error))
            }
        };
        tokio::time::sleep(wait).await;
    }

    /// Until everything that can be collected has been.
    pub(super) async fn catch_up(&mut self) {
        let mut last = None;
        for _ in 0..MOST_CALLS {
            let next = self.next().await;
            if matches!(&next, Ok(Next::Wait(wait)) if wait.caught_up) {
                return;
            }
            self.rest(&next).await;
            last = next.err().or(last);
            // Whoever is told the same so often has seen enough.
            if self.errors > MOST_ERRORS {
                break;
            }
        }
        self.never("caught up", last)
    }

    /// Until `id` was handed out `times`.
    pub(super) async fn until(&mut self, id: &str, times: usize) {
        let mut last = None;
        for _ in 0..MOST_CALLS {
            if self.ids().into_iter().filter(|handed_out| *handed_out == id).count() >= times {
                return;
            }
            let next = self.next().await;
            self.rest(&next).await;
            last = next.err().or(last);
        }
        self.never(&format!("handed out record {id} {times} times"), last)
    }

    fn never(&self, what: &str, error: Option<SourceError>) -> ! {
        match error {
            Some(error @ SourceError::Paused { .. }) => {
                panic!("it has never {what}: {}", chain(&error))
            }
            Some(error) => panic!("it has never {what}; its last error: {}", chain(&error)),
            None => panic!("it has never {what}, without an error: {:?}", self.source.status()),
        }
    }

    /// All that was shown was handed out. Returns the ids that were.
    pub(super) fn has_all_that_was_shown(&self) -> BTreeSet<&str> {
        let ids: BTreeSet<&str> = self.ids().into_iter().collect();
        let lost: Vec<String> = self.api.shown().into_iter().filter(|id| !ids.contains(&**id)).collect();
        assert!(
            lost.is_empty(),
            "{} records were shown and are lost, the first of them {}",
            lost.len(),
            lost[0]
        );
        ids
    }

    /// What is there and was not handed out, but for what lies in a gap that was told.
    pub(super) fn missing(&self) -> Vec<(String, Timestamp)> {
        let ids: BTreeSet<&str> = self.ids().into_iter().collect();
        let in_a_gap = |time| self.gaps.iter().any(|gap| (gap.from..=gap.to).contains(&time));
        let all = self.api.all().into_iter().map(|(id, time)| (id, Timestamp::from_system(time)));
        all.filter(|(id, time)| !ids.contains(id.as_str()) && !in_a_gap(*time)).collect()
    }

    /// All that was shown was handed out; and all that is there, but for what lies in a gap that was told.
    pub(super) fn has_everything(&self) {
        self.has_all_that_was_shown();
        let missing = self.missing();
        if let Some((id, time)) = missing.first() {
            let (count, all) = (missing.len(), self.api.all().len());
            panic!("{count} of {all} records were never asked for, the first of them {id} of {time}");
        }
    }
}

/// More than any case needs.
const MOST_ERRORS: usize = 400;

/// An error with its causes and what to do, in a line.
fn chain(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    match error {
        SourceError::Paused { remedy, .. } | SourceError::Fatal { remedy, .. } => format!("{text}; {remedy}"),
        _ => text,
    }
}

/// No secret of the API is in the error, in whatever form it is printed.
pub(super) fn shows_no_secret(api: &dyn Api, error: &SourceError) {
    let mut text = String::new();
    let mut next = Some(error as &(dyn Error + 'static));
    while let Some(error) = next {
        text += &format!("{error} {error:?} {error:#?} ");
        next = error.source();
    }
    for secret in api.secrets() {
        assert!(!text.contains(&secret), "a secret is shown in {:?}", text.replace(&secret, "(SECRET)"));
    }
}
