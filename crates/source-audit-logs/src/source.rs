//! One stream of audit records: [`AuditLogsSource`].

mod doubts;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http_client::Answer;
use pipeline::{
    Next, Origin, Position, Progress, RawBatch, RawRecord, RecordId, SeenIds, Source, SourceError,
    SourceStatus, StoreError, Wait,
};
use poll::{Collector, Cursor, Failure, Onward, OpenError, Step};

use crate::account::Account;
use crate::api::Api;
use crate::config::KIND;
use crate::page::{Asked, Capacity, Page, Reader, crowded};
use crate::refusal::Refusal;
use crate::vendor::Voice;
use crate::verdict::{self, Paged, Then, Verdict};

/// A record has about half a KiB; pages are asked for so that twice that fits the cap.
const GENEROUS_RECORD: usize = 1024;

/// A page is asked for with at least so many records at first, however small the cap.
const FEWEST_RECORDS: usize = 10;

/// Collects one audit log, as described.
pub struct AuditLogsSource {
    pub(crate) account: Arc<Account>,
    origin: Arc<Origin>,
    pub(crate) reader: Reader,
    open: Option<Open>,
    /// Records asked for in one page; halved when a page passes the cap.
    size: usize,
    /// The credential whose tenant is known to be the position's.
    tenant_checked: Option<u64>,
    pub(crate) proven: Proven,
    /// The last page, if it led on.
    last: Option<Last>,
    capacity: Capacity,
    /// What is to be said before anything else is asked for.
    owed: Option<Result<Wait, SourceError>>,
    versions: u64,
    duplicates: u64,
}

/// What of the description has fitted an answer of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    page: bool,
    id: bool,
    time: bool,
}

/// A page that led to another.
struct Last {
    /// Where to.
    cursor: Cursor,
    ids: Vec<RecordId>,
}

impl Proven {
    /// Before the first page: a description that is not the user's has been tried by others.
    fn of(voice: &Voice) -> Self {
        let tried = !voice.names_keys;
        Self { page: tried, id: tried, time: tried }
    }
}

struct Open {
    collector: Collector,
    seen: Arc<dyn SeenIds>,
}

impl AuditLogsSource {
    /// A stream with the name that it has in the configuration; to be opened.
    pub fn new(name: &str, account: Arc<Account>) -> Self {
        let vendor = account.settings.vendor.as_ref();
        let origin = Origin {
            source: name.into(),
            kind: vendor.map_or(KIND, |vendor| vendor.kind).into(),
            dataset: account.wiring.dataset.clone(),
            labels: account.wiring.labels.clone(),
        };
        Self {
            origin: Arc::new(origin),
            reader: Reader::new(&account.settings.api),
            open: None,
            size: largest_page(&account),
            tenant_checked: None,
            proven: Proven::of(account.settings.voice()),
            last: None,
            capacity: Capacity::default(),
            owed: None,
            versions: 0,
            duplicates: 0,
            account,
        }
    }

    pub(crate) fn voice(&self) -> &Voice {
        self.account.settings.voice()
    }

    pub(crate) fn api(&self) -> &Api {
        &self.account.settings.api
    }

    /// Asks for a page of at most `size` records. An answer that means something else than a page is a verdict.
    pub(crate) async fn fetch(&self, request: &poll::Request, size: usize) -> Result<Answer, Verdict> {
        let account = &self.account;
        let (cap, url, voice) = (account.wiring.page_bytes, &account.settings.url, self.voice());
        let sent = account.send(self.api().request(url, request, size, account.form(), cap)).await;
        let hidden = account.hidden();
        let answer = sent.map_err(|no_answer| verdict::of_no_answer(no_answer, &hidden, voice))?;
        match Refusal::read(&answer, &self.api().errors, &hidden, voice) {
            None => {
                account.settle_form();
                Ok(answer)
            }
            Some(refusal) => {
                let paged = match request.cursor {
                    None => Paged::First,
                    Some(_) if account.may_change_form() => Paged::LaterInAForm,
                    Some(_) => Paged::Later,
                };
                Err(verdict::of_refusal(refusal, answer.date, paged, account.wait(), voice))
            }
        }
    }

    /// Takes an answer apart, and holds it against the description.
    pub(crate) fn read(&self, answer: Answer, request: &poll::Request, size: usize) -> Result<Page, Verdict> {
        let server_time = answer.date;
        let secret = self.account.secret_parameter();
        let url = &self.account.settings.url;
        let asked = Asked { request, size, url, secret: secret.as_deref(), capacity: self.capacity };
        let page = self
            .reader
            .read(self.api(), answer.body, &answer.headers, asked)
            .map_err(|error| verdict::of_unreadable(error, server_time, self.proven.page, self.voice()))?;
        match self.doubt(&page) {
            None => Ok(page),
            Some(doubt) => Err(Verdict {
                failure: Some(Failure::Other),
                server_time,
                then: Then::Fail(verdict::wrong_description(doubt)),
            }),
        }
    }

    /// What a page has shown to be described rightly, and how much pages hold.
    fn learn(&mut self, page: &Page) {
        self.capacity.held(page.records.len());
        self.proven.page = true;
        self.proven.time |= page.identities.iter().any(|(_, time)| time.is_some());
        let ids: HashSet<u64> = page.identities.iter().map(|(id, _)| id.native).collect();
        self.proven.id |= page.with_id > 0 && ids.len() > 1;
    }

    /// Tells the collector of a verdict and carries it out. What that changes is handed out to be saved first: a process that
    /// does not live for a page would find it out again and again.
    fn conclude(&mut self, verdict: Verdict) -> Result<Next, SourceError> {
        let now = self.account.time();
        let before = self.open.as_ref().map(|open| open.collector.progress().position);
        if let (Some(failure), Some(open)) = (verdict.failure, &mut self.open) {
            open.collector.failed(failure, verdict.server_time, now);
        }
        let said = self.carry_out(verdict);
        if let (Some(open), Some(before)) = (&mut self.open, before) {
            open.collector.set_form(self.account.learnt_form());
            let progress = open.collector.progress();
            if progress.position != before {
                self.owed = Some(said);
                return Ok(Next::Learnt(progress));
            }
        }
        said.map(Next::Wait)
    }

    /// Does what a verdict says of the next request.
    pub(crate) fn carry_out(&mut self, verdict: Verdict) -> Result<Wait, SourceError> {
        let now = self.account.time();
        let again = |duration| Ok(Wait { duration, caught_up: false });
        match verdict.then {
            Then::Wait(duration) => again(duration),
            Then::RateLimited(retry_at) => {
                let in_words = retry_at.map(|at| at.since(verdict.server_time.unwrap_or(now)));
                // The limiter has read the headers; what is said in another way it must be told.
                if in_words.is_some() || self.account.wait().is_zero() {
                    self.account.limit_reached(in_words);
                }
                again(self.account.wait())
            }
            Then::Quota(error) => {
                self.account.quota_exhausted();
                Err(error)
            }
            Then::OtherCredential(_) if self.account.refused() => again(Duration::ZERO),
            Then::OtherForm(_) if self.account.change_form() => {
                tracing::info!(
                    source = &*self.origin.source,
                    "{} refuses the form of the time filter, another one is tried",
                    self.voice().api
                );
                again(Duration::ZERO)
            }
            Then::SmallerPages(error) => {
                let sized = self.api().page_size.is_some();
                if self.size == 1 || !sized {
                    return Err(verdict::record_too_large(error.into(), sized));
                }
                self.size = (self.size / 2).max(1);
                Err(error)
            }
            Then::OtherCredential(error) | Then::OtherForm(error) | Then::Fail(error) => Err(error),
        }
    }

    /// Refuses a credential of another tenant before anything of it is handed out. The first record that names its tenant
    /// tells; one log may hold records of others, so one known name on the page is enough, and only the first page with
    /// names after the start or a change of credential is looked at.
    fn check_tenant(&mut self, page: &Page) -> Result<(), SourceError> {
        let generation = self.account.generation();
        let Some(path) = self.account.settings.api.tenant.as_ref() else { return Ok(()) };
        if self.tenant_checked == Some(generation) {
            return Ok(());
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let mut refused = None;
        for tenant in page.values(path) {
            match open.collector.set_tenant(&tenant) {
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
}

#[async_trait]
impl Source for AuditLogsSource {
    async fn open(
        &mut self,
        resume: Option<Position>,
        seen: Arc<dyn SeenIds>,
    ) -> Result<Progress, SourceError> {
        let settings = &self.account.settings;
        let now = self.account.time();
        let policy = settings.policy.clone();
        let mut collector =
            Collector::open(policy, settings.identity(), settings.start, resume.as_ref(), now)
                .map_err(|error| cannot_open(&self.origin.source, error))?;
        if let Some(form) = collector.form() {
            self.account.take_up_form(form);
        }
        collector.set_form(self.account.learnt_form());
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
        (self.last, self.owed) = (None, None);
        self.size = largest_page(&self.account);
        Ok(progress)
    }

    async fn next(&mut self) -> Result<Next, SourceError> {
        if let Some(owed) = self.owed.take() {
            return owed.map(Next::Wait);
        }
        let now = self.account.time();
        let Some(open) = &mut self.open else { return Err(not_open()) };
        // Asked again after a cancelled call, it says the same.
        let request = match open.collector.step(now) {
            Step::Wait(wait) => return Ok(Next::Wait(wait)),
            Step::Fetch(request) => request,
        };
        let size = self.size;
        let answer = match self.fetch(&request, size).await {
            Ok(answer) => answer,
            Err(verdict) => return self.conclude(verdict),
        };
        let (collected_at, server_time) = (self.account.time(), answer.date);
        let page = match self.read(answer, &request, size) {
            Ok(page) => page,
            Err(verdict) => return self.conclude(verdict),
        };
        let ids: Vec<RecordId> = page.identities.iter().map(|(id, _)| *id).collect();
        if let Some(again) = self.same_again(&page, &request, &ids) {
            return self.conclude(again);
        }
        let mut at_once = 0;
        if page.in_doubt() {
            at_once = match self.most_at_once(size).await {
                Ok(count) => count,
                Err(verdict) => return self.conclude(verdict),
            };
            if at_once <= ids.len() {
                let error = crowded(ids.len());
                return self.conclude(verdict::of_unreadable(error, server_time, true, self.voice()));
            }
        }
        let Some(open) = &self.open else { return Err(not_open()) };
        let seen = open.seen.lookup(&ids).await.map_err(store_refused)?;

        // From here on nothing waits, so a cancelled call has changed nothing.
        self.check_tenant(&page)?;
        self.learn(&page);
        self.capacity.held(at_once);
        let Some(open) = &mut self.open else { return Err(not_open()) };
        open.collector.set_form(self.account.learnt_form());
        let found = poll::Page { records: &page.identities, next: page.onward(), server_time };
        let taken = open.collector.page(&found, &seen, collected_at);
        if taken.circle {
            let found = match self.account.settings.voice() {
                Voice { names_keys: true, .. } => {
                    format!("what `{}` finds", self.account.settings.api.paging.key())
                }
                Voice { api, .. } => format!("the cursor that {api} gives"),
            };
            let circle = format!(
                "paging goes round in a circle: {found} was found before in this walk; its window is read again"
            );
            self.owed = Some(Err(verdict::transient(circle)));
        }
        let records = taken.deliver.iter().map(|index| {
            let index = *index as usize;
            RawRecord { span: page.records[index].clone(), id: ids[index] }
        });
        let records = records.collect();
        self.versions += taken.versions as u64;
        self.duplicates += taken.duplicates as u64;
        if page.body.len() * 2 <= self.account.wiring.page_bytes {
            self.size = self.size.saturating_mul(2).min(largest_page(&self.account));
        }
        self.last = match page.onward() {
            Onward::Next(next) => Some(Last { cursor: next.clone(), ids }),
            Onward::End | Onward::Later(_) => None,
        };
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

/// The described size, or what fits the cap of a page if records are of an ordinary size; without one it is not known how many
/// records a page has.
fn largest_page(account: &Account) -> usize {
    let fitting = (account.wiring.page_bytes / GENEROUS_RECORD).max(FEWEST_RECORDS);
    account.settings.api.page_size.as_ref().map_or(usize::MAX, |(_, size)| fitting.min(*size))
}

fn cannot_open(name: &str, error: OpenError) -> SourceError {
    let remedy = match &error {
        OpenError::Other { .. } => format!(
            "this source collects from another place, team or tenant than before: give it another name or `data_dir`, or start it \
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
        error @ StoreError::Io { .. } => verdict::transient(error),
        error => SourceError::Fatal {
            remedy: "see to the data directory: the records that were delivered cannot be looked up"
                .to_owned(),
            source: error.into(),
        },
    }
}

#[cfg(test)]
mod tests;
