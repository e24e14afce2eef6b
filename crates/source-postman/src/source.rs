//! One stream of audit records: [`PostmanSource`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_client::Answer;
use pipeline::{
    Next, Origin, Position, Progress, RawBatch, RawRecord, RecordId, SeenIds, Source, SourceError,
    SourceStatus, StoreError, Timestamp, Wait,
};
use poll::{Collector, Identity, OpenError, Policy, Step};

use crate::account::{Account, NoAnswer};
use crate::config::{PostmanSettings, RETENTION};
use crate::page::{Form, Page};
use crate::verdict::{self, Circumstances, Then, Verdict};

/// Members that tell how things stand when Postman is asked, not when the event happened.
pub(crate) const VOLATILE: &[&str] = &["data.actor.active"];

/// The largest page that Postman's documentation allows.
const MOST_RECORDS: usize = 300;

/// A record has about half a KiB; pages are asked for so that twice that fits the cap.
const GENEROUS_RECORD: usize = 1024;

/// The first page is asked for with at least so many records, however small the cap.
const FEWEST_RECORDS: usize = 10;

/// Collects Postman's team audit log: `GET /audit/logs`, newest first.
pub struct PostmanSource {
    pub(crate) account: Arc<Account>,
    origin: Arc<Origin>,
    pub(crate) form: Form,
    open: Option<Open>,
    /// Records asked for in one page; halved when a page passes the cap.
    limit: usize,
    /// A page was handed out: now there is time for the list of actions.
    handed_out: bool,
    /// The key whose tenant is known to be the position's.
    tenant_checked: Option<u64>,
    versions: u64,
    duplicates: u64,
}

struct Open {
    collector: Collector,
    seen: Arc<dyn SeenIds>,
}

impl PostmanSource {
    /// A stream with the name that it has in the configuration; to be opened.
    pub fn new(name: &str, account: Arc<Account>) -> Self {
        let origin = Origin {
            source: name.into(),
            kind: "postman".into(),
            dataset: "postman.audit".into(),
            labels: account.wiring.labels.clone(),
        };
        Self {
            origin: Arc::new(origin),
            form: Form::new(VOLATILE),
            open: None,
            limit: largest_page(&account),
            handed_out: false,
            tenant_checked: None,
            versions: 0,
            duplicates: 0,
            account,
        }
    }

    /// Asks for a page of at most `limit` records. Filters are written the same way for the whole walk.
    pub(crate) async fn fetch(&self, request: &poll::Request, limit: usize) -> Result<Answer, Verdict> {
        let limit = limit.to_string();
        let dates = self.account.dates();
        let since = request.since.map(|since| if dates { date_before(since) } else { since.to_string() });
        let until = request.until.map(|until| if dates { date(until) } else { until.to_string() });
        let cursor = request.cursor.as_ref().map(poll::Cursor::text);
        let mut query = vec![("limit", limit.as_str()), ("orderBy", "desc")];
        let filters =
            [("since", since.as_deref()), ("until", until.as_deref()), ("cursor", cursor.as_deref())];
        query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let answer = self.account.get(&["audit", "logs"], &query, self.account.wiring.page_bytes).await;
        self.judge(answer, request.cursor.is_some())
    }

    /// A success, or what follows from there being none.
    fn judge(&self, answer: Result<Answer, NoAnswer>, paged: bool) -> Result<Answer, Verdict> {
        match answer {
            Ok(answer) if answer.status.is_success() => Ok(answer),
            Ok(answer) => {
                let key = self.account.key();
                let circumstances = Circumstances {
                    paged,
                    eu: self.account.settings.url.host_str().is_some_and(|host| host.contains(".eu.")),
                    wait: self.account.wait(),
                    key: key.expose(),
                };
                Err(verdict::of_refusal(&answer, circumstances))
            }
            Err(NoAnswer::Http(error)) => Err(verdict::of_http_error(error)),
            Err(NoAnswer::Limited { wait, monthly }) => Err(verdict::of_limit(wait, monthly)),
        }
    }

    /// Carries a verdict out.
    pub(crate) fn conclude(&mut self, verdict: Verdict) -> Result<Next, SourceError> {
        let now = self.account.time();
        if let (Some(failure), Some(open)) = (verdict.failure, &mut self.open) {
            open.collector.failed(failure, verdict.server_time, now);
        }
        let again = |duration| Ok(Next::Wait(Wait { duration, caught_up: false }));
        match verdict.then {
            Then::Wait(duration) => again(duration),
            Then::RateLimited(retry_at) => {
                let in_words = retry_at.map(|at| at.since(verdict.server_time.unwrap_or(now)));
                // The limiter has read the headers; what is said by the body alone it must be told.
                if in_words.is_some() || self.account.wait().is_zero() {
                    self.account.refused(in_words);
                }
                again(self.account.wait())
            }
            Then::Quota(error) => {
                self.account.monthly_quota_exhausted();
                Err(error)
            }
            Then::OtherKey(_) if self.account.key_refused() => again(Duration::ZERO),
            Then::OtherSinceFormat(_) if self.account.change_since_format() => {
                tracing::info!(
                    source = &*self.origin.source,
                    "Postman refuses a time in `since`, a date is tried"
                );
                again(Duration::ZERO)
            }
            Then::SmallerPages(error) => {
                if self.limit == 1 {
                    return Err(verdict::record_too_large(error.into()));
                }
                self.limit = (self.limit / 2).max(1);
                Err(error)
            }
            Then::OtherKey(error) | Then::OtherSinceFormat(error) | Then::Fail(error) => Err(error),
        }
    }

    /// Refuses a key of another team before anything of it is handed out. The first record that names its team tells;
    /// one team's log may hold records of others (an organisation's), so one known name on the page is enough, and
    /// only the first page with names after the start or a change of key is looked at.
    fn check_tenant(&mut self, page: &Page) -> Result<(), SourceError> {
        let generation = self.account.key_generation();
        if self.tenant_checked == Some(generation) {
            return Ok(());
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut refused = None;
        for team in page.teams() {
            match open.collector.set_tenant(&team) {
                Ok(()) => {
                    self.tenant_checked = Some(generation);
                    return Ok(());
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) => Err(cannot_open(&self.origin.source, error)),
            None => Ok(()),
        }
    }

    /// Reads the list of actions when it is due. Nothing depends on it, so no failure counts.
    async fn read_actions(&self) {
        if !self.handed_out || !self.account.actions_due() {
            return;
        }
        let asked = self.account.get(&["audit-actions"], &[], ACTION_LIST_BYTES);
        let answer = match tokio::time::timeout(ACTION_LIST_PATIENCE, asked).await {
            Err(_) => None,
            Ok(Err(NoAnswer::Limited { .. })) => return,
            Ok(answer) => answer.ok(),
        };
        let list = answer
            .filter(|answer| answer.status.is_success())
            .and_then(|answer| read_action_list(&answer.body));
        let pause = match list {
            Some(names) => {
                (self.account.wiring.action_names)(&names);
                ACTION_LIST_EVERY
            }
            None => {
                tracing::debug!(
                    source = &*self.origin.source,
                    "list of actions cannot be read, events have none of its names"
                );
                ACTION_LIST_RETRY
            }
        };
        self.account.read_actions_again_in(pause);
    }
}

const ACTION_LIST_BYTES: usize = 4 << 20;
const ACTION_LIST_PATIENCE: Duration = Duration::from_secs(10);
const ACTION_LIST_EVERY: Duration = Duration::from_secs(86_400);
const ACTION_LIST_RETRY: Duration = Duration::from_secs(3600);

/// `[{"name": "user.apikey_activate", "displayName": "Activated API Key"}, …]`; entries without both are left out.
fn read_action_list(body: &[u8]) -> Option<Vec<(String, String)>> {
    let list: Vec<serde_json::Value> = serde_json::from_slice(body).ok()?;
    let text = |action: &serde_json::Value, key: &str| action.get(key)?.as_str().map(str::to_owned);
    Some(
        list.iter()
            .filter_map(|action| Some((text(action, "name")?, text(action, "displayName")?)))
            .collect(),
    )
}

#[async_trait]
impl Source for PostmanSource {
    async fn open(
        &mut self,
        resume: Option<Position>,
        seen: Arc<dyn SeenIds>,
    ) -> Result<Progress, SourceError> {
        let settings = &self.account.settings;
        let identity = settings.identity();
        let now = self.account.time();
        let collector = Collector::open(policy(settings), identity, settings.start, resume.as_ref(), now)
            .map_err(|error| cannot_open(&self.origin.source, error))?;
        if self.account.compare_start()
            && let Some(held) = collector.other_start(settings.start, now)
        {
            let name = &*self.origin.source;
            tracing::warn!(
                source = name,
                configured = settings.start_text,
                holds = %held,
                remedy = format!(
                    "`towpath checkpoint reset {name}` collects from the new start, and repeats what was delivered"
                ),
                "`start` was changed and has no effect: it counts at the first run only"
            );
        }
        let progress = collector.progress();
        self.open = Some(Open { collector, seen });
        self.tenant_checked = None;
        self.handed_out = false;
        self.limit = largest_page(&self.account);
        Ok(progress)
    }

    async fn next(&mut self) -> Result<Next, SourceError> {
        self.read_actions().await;
        let now = self.account.time();
        let Some(open) = &mut self.open else { return Err(not_open()) };
        // Asked again after a cancelled call, it says the same.
        let request = match open.collector.step(now) {
            Step::Wait(wait) => return Ok(Next::Wait(wait)),
            Step::Fetch(request) => request,
        };
        let answer = match self.fetch(&request, self.limit).await {
            Ok(answer) => answer,
            Err(verdict) => return self.conclude(verdict),
        };
        let (collected_at, server_time) = (self.account.time(), answer.date);
        let page = match Page::read(answer.body, &self.form) {
            Ok(page) => page,
            Err(error) => return self.conclude(verdict::of_unreadable(error, server_time)),
        };
        let ids: Vec<RecordId> = page.identities.iter().map(|(id, _)| *id).collect();
        let Some(open) = &self.open else { return Err(not_open()) };
        let seen = open.seen.lookup(&ids).await.map_err(store_refused)?;

        // From here on nothing waits, so a cancelled call has changed nothing.
        self.check_tenant(&page)?;
        let Some(open) = &mut self.open else { return Err(not_open()) };
        let found =
            poll::Page { records: &page.identities, next: page.next_cursor.as_ref().into(), server_time };
        let taken = open.collector.page(&found, &seen, collected_at);
        let records = taken.deliver.iter().map(|index| {
            let index = *index as usize;
            RawRecord { span: page.records[index].clone(), id: ids[index] }
        });
        let records = records.collect();
        self.versions += taken.versions as u64;
        self.duplicates += taken.duplicates as u64;
        self.handed_out = true;
        if page.body.len() * 2 <= self.account.wiring.page_bytes {
            self.limit = (self.limit * 2).min(largest_page(&self.account));
        }
        let progress = open.collector.progress();
        let batch = RawBatch {
            origin: self.origin.clone(),
            collected_at,
            body: page.body,
            records,
            gaps: taken.gaps,
        };
        Ok(Next::Page { batch, progress })
    }

    fn status(&self) -> SourceStatus {
        let collector = self.open.as_ref().map(|open| open.collector.status());
        SourceStatus {
            complete_until: collector.as_ref().and_then(|status| status.complete_until),
            walks: collector.map(|status| status.walks).unwrap_or_default(),
            rate_limit_remaining: self.account.remaining(),
            versions: self.versions,
            duplicates: self.duplicates,
            requests: self.account.requests(),
        }
    }

    async fn check(&mut self) -> Result<String, SourceError> {
        self.prove().await
    }
}

fn largest_page(account: &Account) -> usize {
    (account.wiring.page_bytes / GENEROUS_RECORD).clamp(FEWEST_RECORDS, MOST_RECORDS)
}

fn policy(settings: &PostmanSettings) -> Policy {
    Policy {
        overlap: settings.overlap,
        resweep_every: settings.resweep.every.get(),
        resweep_over: settings.resweep.over.get(),
        poll_interval: settings.poll_interval,
        retention: Some(RETENTION),
        ..Policy::default()
    }
}

impl PostmanSettings {
    /// A position that an operator has written for this source, as it is saved.
    ///
    /// # Errors
    /// It cannot be read, makes no sense, or is another place's.
    pub fn position(&self, written: &Position) -> Result<Position, OpenError> {
        poll::position::accepted(written, &self.identity())
    }

    /// Whose positions this source takes up.
    fn identity(&self) -> Identity {
        Identity { source: "postman".to_owned(), host: self.host().to_owned() }
    }

    /// Where a key counts.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host(), self.url.port_or_known_default().unwrap_or_default())
    }

    /// Postman's API has two names in the same region.
    fn host(&self) -> &str {
        match self.url.host_str().unwrap_or_default() {
            "api.postman.com" => "api.getpostman.com",
            host => host,
        }
    }
}

/// `2026-11-20`.
fn date(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

/// The date of the day before: the filter may be exclusive, and then leaves out the whole day that it names.
fn date_before(moment: Timestamp) -> String {
    date(moment.minus(Duration::from_secs(86_400)))
}

fn cannot_open(name: &str, error: OpenError) -> SourceError {
    let remedy = match &error {
        OpenError::Other { .. } => format!(
            "this source collects from another place or team than before: give it another name or `data_dir`, or start it \
             afresh with `towpath checkpoint reset {name}`"
        ),
        OpenError::Newer(_) => "use the newer Towpath that saved the position".to_owned(),
        OpenError::Unreadable(_) | OpenError::Nonsense(_) => format!(
            "correct the saved position with `towpath checkpoint set {name}`, or start afresh with `towpath checkpoint \
             reset {name}`"
        ),
    };
    SourceError::Fatal { remedy, source: error.into() }
}

fn not_open() -> SourceError {
    SourceError::PositionLost("the source was not opened".into())
}

/// A disk that refuses may heal; everything else needs a person.
fn store_refused(error: StoreError) -> SourceError {
    match error {
        error @ StoreError::Io { .. } => SourceError::Transient { retry_after: None, source: error.into() },
        error => SourceError::Fatal {
            remedy: "see to the data directory: the records that were delivered cannot be looked up"
                .to_owned(),
            source: error.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Poll;

    use pipeline::Seen;
    use simulator::Postman;

    use super::*;
    use crate::account::Wiring;
    use crate::config::PostmanConfig;

    /// Has a full disk.
    struct Refusing;

    #[async_trait]
    impl SeenIds for Refusing {
        async fn lookup(&self, _: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
            Err(StoreError::Io { doing: "read", path: "ids".to_owned(), source: "no space left".into() })
        }
    }

    /// Knows nothing, and takes its time to say so.
    struct Nothing;

    #[async_trait]
    impl SeenIds for Nothing {
        async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
            tokio::task::yield_now().await;
            Ok(vec![Seen::New; ids.len()])
        }
    }

    /// All that a later call depends on.
    fn state(source: &PostmanSource) -> String {
        let collector = &source.open.as_ref().unwrap().collector;
        let counts =
            (source.limit, source.handed_out, source.tenant_checked, source.versions, source.duplicates);
        format!("{collector:?} {counts:?}")
    }

    /// Drops the call after it was woken `wakes` times; `None` when it was done before.
    async fn cancelled(source: &mut PostmanSource, wakes: usize) -> Option<Result<Next, SourceError>> {
        let mut call = pin!(source.next());
        let mut left = wakes;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            call.as_mut().poll(context).map(Some)
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_cancelled_at_any_await_changes_nothing() {
        let span = Duration::from_secs(600);
        let api = Postman::builder().events(650).span(span).start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let config = format!(r#"{{"api_key": "{}", "url": "{}", "start": "8d"}}"#, api.key(), api.url());
        let config: PostmanConfig = serde_json::from_str(&config).unwrap();
        let account = Account::new(config.validate().unwrap(), Wiring::default());
        let mut source = PostmanSource::new("postman", account);
        source.open(None, Arc::new(Nothing)).await.unwrap();
        let (mut pages, mut records, mut cancellations) = (0, 0, 0);
        while pages < 3 {
            // What is due may be begun by asking; it is not begun twice.
            let now = source.account.time();
            let due = source.open.as_mut().unwrap().collector.step(now);
            assert!(matches!(due, Step::Fetch(_)), "{due:?}");
            let before = state(&source);
            let mut wakes = 0;
            let done = loop {
                wakes += 1;
                match cancelled(&mut source, wakes).await {
                    Some(done) => break done,
                    None => assert_eq!(state(&source), before, "after {wakes} wakes"),
                }
                cancellations += 1;
            };
            let Next::Page { batch, .. } = done.unwrap() else { panic!("not a page") };
            assert_ne!(state(&source), before);
            pages += 1;
            records += batch.records.len();
        }
        assert!(records >= 650 && cancellations > 9, "{records} records, {cancellations} cancellations");
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_whose_ids_cannot_be_looked_up_is_asked_for_again() {
        let span = Duration::from_secs(600);
        let api = Postman::builder().events(20).span(span).start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let config = format!(r#"{{"api_key": "{}", "url": "{}", "start": "8d"}}"#, api.key(), api.url());
        let config: PostmanConfig = serde_json::from_str(&config).unwrap();
        let account = Account::new(config.validate().unwrap(), Wiring::default());
        let mut source = PostmanSource::new("postman", account);
        source.open(None, Arc::new(Refusing)).await.unwrap();
        for _ in 0..3 {
            let refused = source.next().await.unwrap_err();
            assert!(matches!(refused, SourceError::Transient { .. }), "{refused:?}");
        }
        source.open.as_mut().unwrap().seen = Arc::new(Nothing);
        let Next::Page { batch, .. } = source.next().await.unwrap() else { panic!("not a page") };
        assert_eq!(batch.records.len(), 20);
    }

    #[test]
    fn a_date_covers_what_its_moment_covers() {
        let moment: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        assert_eq!((date(moment).as_str(), date_before(moment).as_str()), ("2026-11-20", "2026-11-19"));
    }
}
