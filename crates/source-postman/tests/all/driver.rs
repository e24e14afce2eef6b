//! Drives a source as the runtime does, in time that passes by itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use pipeline::{
    Next, Position, Progress, RawBatch, RecordId, Seen, SeenIds, Source, SourceError, StoreError, Timestamp,
};
use simulator::Postman;
use source_postman::{Account, PostmanConfig, PostmanSource, Wiring};

/// Which records were handed out, in memory.
#[derive(Default)]
pub(crate) struct Delivered(Mutex<HashMap<(i64, u64), Vec<u64>>>);

#[async_trait]
impl SeenIds for Delivered {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        let delivered = self.0.lock().unwrap();
        let seen = |id: &RecordId| match delivered.get(&(id.second, id.native)) {
            None => Seen::New,
            Some(contents) if contents.contains(&id.content) => Seen::Known,
            Some(_) => Seen::NewVersion,
        };
        Ok(ids.iter().map(seen).collect())
    }
}

#[derive(serde::Deserialize)]
struct WithId<'a> {
    #[serde(borrow)]
    id: Option<&'a serde_json::value::RawValue>,
}

/// A source, what it has handed out, and what it said meanwhile.
pub(crate) struct Run {
    pub(crate) source: Box<dyn Source>,
    pub(crate) seen: Arc<Delivered>,
    pub(crate) ids: BTreeSet<String>,
    pub(crate) records: usize,
    /// Identity and text of each record.
    pub(crate) texts: BTreeSet<(i64, u64, u64, String)>,
    pub(crate) gaps: Vec<pipeline::Gap>,
    pub(crate) errors: Vec<String>,
    pub(crate) progress: Option<Progress>,
}

/// The clock that passes with the runtime's, from the system's time on.
pub(crate) fn wiring() -> Wiring {
    let (start, began) = (Timestamp::from_system(std::time::SystemTime::now()), tokio::time::Instant::now());
    Wiring { clock: Arc::new(move || start.plus(began.elapsed())), ..Wiring::default() }
}

/// A configuration for the simulated API.
pub(crate) fn config(api: &Postman, more: &str) -> PostmanConfig {
    let json = format!(r#"{{"api_key": "{}", "url": "{}"{more}}}"#, api.key(), api.url());
    serde_json::from_str(&json).unwrap()
}

pub(crate) fn account(api: &Postman, more: &str, wiring: Wiring) -> Arc<Account> {
    Account::new(config(api, more).validate().unwrap(), wiring)
}

/// An opened source with the default wiring.
pub(crate) async fn open(api: &Postman, more: &str) -> Run {
    Run::open(account(api, more, wiring()), None).await.unwrap()
}

impl Run {
    pub(crate) async fn open(account: Arc<Account>, resume: Option<Position>) -> Result<Self, SourceError> {
        Self::of(Box::new(PostmanSource::new("postman", account)), resume).await
    }

    /// Any source.
    pub(crate) async fn of(
        mut source: Box<dyn Source>,
        resume: Option<Position>,
    ) -> Result<Self, SourceError> {
        let seen = Arc::new(Delivered::default());
        let progress = source.open(resume, seen.clone()).await?;
        Ok(Self {
            source,
            seen,
            ids: BTreeSet::new(),
            records: 0,
            texts: BTreeSet::new(),
            gaps: Vec::new(),
            errors: Vec::new(),
            progress: Some(progress),
        })
    }

    /// One call; a page counts as delivered at once, and what was learnt as saved: the next call says what it was.
    pub(crate) async fn next(&mut self) -> Result<Next, SourceError> {
        let mut next = self.source.next().await;
        if let Ok(Next::Learnt(progress)) = next {
            self.progress = Some(progress);
            next = self.source.next().await;
        }
        match &next {
            Ok(Next::Page { batch, progress }) => {
                self.take(batch);
                self.progress = Some(progress.clone());
            }
            Ok(Next::Learnt(progress)) => self.progress = Some(progress.clone()),
            Ok(Next::Wait(_)) => {}
            Err(error) => self.errors.push(testkit::line(error)),
        }
        next
    }

    /// The walks that are open, for people.
    pub(crate) fn source_walks(&self) -> Vec<String> {
        self.source.status().walks
    }

    fn take(&mut self, batch: &RawBatch) {
        let mut delivered = self.seen.0.lock().unwrap();
        for record in &batch.records {
            delivered.entry((record.id.second, record.id.native)).or_default().push(record.id.content);
            let id = serde_json::from_slice::<WithId<'_>>(batch.text(record)).ok().and_then(|record| {
                let id = record.id?.get();
                (!id.starts_with(['{', '[', 'n'])).then(|| id.trim_matches('"').to_owned())
            });
            self.ids.extend(id);
            let text = String::from_utf8_lossy(batch.text(record)).into_owned();
            self.texts.insert((record.id.second, record.id.native, record.id.content, text));
        }
        self.records += batch.records.len();
        self.gaps.extend(batch.gaps.iter().cloned());
    }

    /// Until everything that can be collected has been; waits pass at once, after a failure a second does.
    pub(crate) async fn catch_up(&mut self) {
        for _ in 0..20_000 {
            match self.next().await {
                Ok(Next::Page { .. } | Next::Learnt(_)) => {}
                Ok(Next::Wait(wait)) if wait.caught_up => return,
                Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
                Err(SourceError::Fatal { .. } | SourceError::PositionLost(_)) => break,
                Err(_) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
            }
        }
        panic!("never caught up: {:?} {:#?}", self.source.status(), self.errors);
    }
}
