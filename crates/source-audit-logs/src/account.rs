//! A credential at an API, as one source uses it: its client and its secrets, shared by every restart of the stream.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_client::delivery::{Credentials, Hidden};
use http_client::header::{AUTHORIZATION, HeaderValue};
use http_client::oauth2::Granted;
use http_client::{
    Answer, Budget, Budgets, HttpClient, HttpError, Limit, Permit, Request, origin, secret_header,
};
use pipeline::Timestamp;
use poll::position::Form;
use settings::Secret;
use tokio::time::Instant;

use crate::auth::{Auth, Prepared};
use crate::config::AuditLogsSettings;
use crate::send::joined;

/// See [`Wiring::requested`].
pub type Requested = dyn Fn(Option<u16>, Duration) + Send + Sync;

/// See [`Wiring::clock`].
pub type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// What the binary hands in.
#[derive(Clone)]
pub struct Wiring {
    /// Static labels that every event carries, in this order.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// What the records are, as those who map them call it: `acme.audit`. It stands in dead letters and gaps, and is part of the ids
    /// of gaps.
    pub dataset: Box<str>,
    /// Most bytes of one page, decompressed: what one page may take of the memory for events in flight.
    pub page_bytes: usize,
    /// Told of every request: its status, if there was an answer, and how long it took.
    pub requested: Arc<Requested>,
    /// The time of day.
    pub clock: Arc<Clock>,
    /// What credentials may spend, shared by all sources of the process.
    pub budgets: Arc<Budgets>,
}

impl Default for Wiring {
    /// Dataset `audit_logs`, 1 MiB a page, the system's clock, nobody told of anything, nothing shared.
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            dataset: "audit_logs".into(),
            page_bytes: 1 << 20,
            requested: Arc::new(|_, _| {}),
            clock: Arc::new(|| Timestamp::from_system(std::time::SystemTime::now())),
            budgets: Arc::default(),
        }
    }
}

/// A credential at an API. Made once; lives as long as the process.
pub struct Account {
    pub(crate) settings: AuditLogsSettings,
    pub(crate) wiring: Wiring,
    client: HttpClient,
    budget: Arc<Budget>,
    credentials: Credentials<Auth>,
    token: Mutex<Option<Token>>,
    /// The way in which the edges of the time filter are written: the place in their lists of formats.
    form: AtomicUsize,
    /// A page was had with the form, or all were refused: a refusal is not about the form.
    form_is_settled: AtomicBool,
    requests: AtomicU64,
    /// A `start` that has no effect was spoken of: once is enough, whatever restarts.
    start_compared: AtomicBool,
}

/// An access token (RFC 6749, 5.1).
struct Token {
    header: HeaderValue,
    text: String,
    until: Option<Instant>,
    /// Of which credentials.
    generation: u64,
}

/// A token is not used in the last part of its life, in which it may run out on the way.
const BEFORE_THE_END: Duration = Duration::from_secs(60);

/// Why there is no answer.
pub(crate) enum NoAnswer {
    /// A rate limit is in the way.
    Limited { wait: Duration, quota: bool },
    /// The request failed.
    Http(HttpError),
    /// The place that gives out tokens refuses.
    Token { answer: Box<Answer>, server: String },
    /// What it has given is no token.
    NoToken { server: String },
}

impl From<HttpError> for NoAnswer {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl Account {
    /// A credential, not yet tried: nothing is read or sent.
    pub fn new(settings: AuditLogsSettings, wiring: Wiring) -> Arc<Self> {
        let prepared = settings.prepared.clone();
        let budget = wiring.budgets.of(&settings.place(), &known_by(&prepared), settings.requests_per_minute);
        Arc::new(Self {
            client: HttpClient::new(settings.client.clone()),
            budget,
            credentials: Credentials::new(settings.auth.clone(), prepared),
            token: Mutex::new(None),
            form: AtomicUsize::new(0),
            form_is_settled: AtomicBool::new(settings.api.forms() < 2),
            requests: AtomicU64::new(0),
            start_compared: AtomicBool::new(false),
            settings,
            wiring,
        })
    }

    /// Asks for something else below `url` than the log: with the credential, within the rate limits, after the requests that
    /// are under way. Any status is an answer; there is none while a rate limit is in the way, or no token can be had.
    ///
    /// # Errors
    /// The request failed.
    pub async fn get(&self, path: &str, body_cap: usize) -> Result<Option<Answer>, HttpError> {
        match self.send(Request::get(joined(&self.settings.url, path), body_cap)).await {
            Ok(answer) => Ok(Some(answer)),
            Err(NoAnswer::Http(error)) => Err(error),
            Err(NoAnswer::Limited { .. } | NoAnswer::Token { .. } | NoAnswer::NoToken { .. }) => Ok(None),
        }
    }

    /// Sends a request with the credential, after those with it that are under way, if the rate limits allow it then. Any
    /// status is an answer.
    pub(crate) async fn send(&self, mut request: Request) -> Result<Answer, NoAnswer> {
        let _turn = self.budget.turn().await;
        let prepared = self.credentials.current();
        if let Permit::NotBefore { at, because } = self.budget.limiter().check(now()) {
            return Err(limited(at, because));
        }
        for (name, value) in &prepared.headers {
            request.headers.insert(name.clone(), value.clone());
        }
        if let Some(token) = &prepared.oauth2 {
            request.headers.insert(AUTHORIZATION, self.token(token).await?);
        }
        if let Some((name, value)) = &prepared.query {
            request.url.query_pairs_mut().append_pair(name, value);
        }
        if let Permit::NotBefore { at, because } = self.budget.limiter().acquire(now()) {
            return Err(limited(at, because));
        }
        let answer = self.exchange(&request).await?;
        self.budget.limiter().observe(&answer.headers, answer.status, now(), self.time());
        if answer.status.is_success() {
            self.credentials.accepted();
        }
        Ok(answer)
    }

    async fn exchange(&self, request: &Request) -> Result<Answer, HttpError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let began = now();
        let answer = self.client.send(request).await;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        (self.wiring.requested)(status.map(|status| status.as_u16()), now().saturating_duration_since(began));
        answer
    }

    /// The access token at hand, or another one.
    async fn token(&self, wanted: &Request) -> Result<HeaderValue, NoAnswer> {
        let generation = self.generation();
        if let Some(token) = &*locked(&self.token)
            && token.generation == generation
            && token.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(token.header.clone());
        }
        let server = origin(&wanted.url);
        let asked = Instant::now();
        let answer = self.exchange(wanted).await?;
        if !answer.status.is_success() {
            return Err(NoAnswer::Token { answer: Box::new(answer), server });
        }
        let Some(granted) = Granted::read(&answer.body) else {
            return Err(NoAnswer::NoToken { server });
        };
        let secret = Secret::new(format!("Bearer {}", granted.token));
        let header = secret_header("access_token", &secret)?;
        let life = granted.lifetime;
        let until =
            life.and_then(|life| asked.checked_add(life.saturating_sub(BEFORE_THE_END.min(life / 2))));
        *locked(&self.token) = Some(Token { header: header.clone(), text: granted.token, until, generation });
        Ok(header)
    }

    /// The credential was refused. True when another one is at hand by now, which the next request uses.
    pub(crate) fn refused(&self) -> bool {
        // A token may have been revoked before its time; the next one is fetched with the next request.
        let token = locked(&self.token).take();
        let used = self.credentials.current();
        let newer = self.credentials.refused(&used);
        // One that has lived for a while was good once.
        newer
            || token
                .is_some_and(|token| token.until.is_some_and(|until| until < Instant::now() + BEFORE_THE_END))
    }

    /// Changes whenever another credential is taken up.
    pub(crate) fn generation(&self) -> u64 {
        self.credentials.generation()
    }

    /// What must not show.
    pub(crate) fn hidden(&self) -> Hidden {
        let mut hidden = self.credentials.current().hidden.clone();
        if let Some(token) = &*locked(&self.token) {
            hidden.hide(&token.text);
        }
        hidden
    }

    /// The parameter of the query that holds the credential.
    pub(crate) fn secret_parameter(&self) -> Option<String> {
        self.credentials.current().query.as_ref().map(|(name, _)| name.clone())
    }

    /// How long no request may go out.
    pub(crate) fn wait(&self) -> Duration {
        match self.budget.limiter().check(now()) {
            Permit::Ready => Duration::ZERO,
            Permit::NotBefore { at, .. } => at.saturating_duration_since(now()),
        }
    }

    /// The answer said in other ways than by its headers that there were too many requests, and for how long.
    pub(crate) fn limit_reached(&self, wait: Option<Duration>) {
        self.budget.limiter().refused(wait, now());
    }

    /// The way in which the edges of the time filter are written.
    pub(crate) fn form(&self) -> usize {
        self.form.load(Ordering::Relaxed)
    }

    /// The API refused that way: true when another one is worth trying. After the last the first comes again: then the way is
    /// not the reason.
    pub(crate) fn change_form(&self) -> bool {
        let next = (self.form() + 1) % self.settings.api.forms();
        self.form.store(next, Ordering::Relaxed);
        if next == 0 {
            self.settle_form();
        }
        next != 0
    }

    /// Whether a refusal of any page, not of a first one only, may be about that way: as long as it has led to no page.
    pub(crate) fn may_change_form(&self) -> bool {
        !self.form_is_settled.load(Ordering::Relaxed)
    }

    pub(crate) fn settle_form(&self) {
        self.form_is_settled.store(true, Ordering::Relaxed);
    }

    /// The way as it is kept in a position; none as long as nothing is known.
    pub(crate) fn learnt_form(&self) -> Option<Form> {
        let (api, number, settled) = (&self.settings.api, self.form(), !self.may_change_form());
        let is_learnt = api.forms() > 1 && (number > 0 || settled);
        is_learnt.then(|| Form { name: api.form_name(number), settled })
    }

    /// What an earlier process has learnt, unless this one knows more, or the description has changed since.
    pub(crate) fn take_up_form(&self, form: &Form) {
        let known =
            (0..self.settings.api.forms()).find(|number| self.settings.api.form_name(*number) == form.name);
        if let (Some(number), None) = (known, self.learnt_form()) {
            self.form.store(number, Ordering::Relaxed);
            self.form_is_settled.fetch_or(form.settled, Ordering::Relaxed);
        }
    }

    /// The answer said that a quota is used up.
    pub(crate) fn quota_exhausted(&self) {
        self.budget.limiter().monthly_quota_exhausted(now());
    }

    /// Whether `start` is to be held against the position: true once.
    pub(crate) fn compare_start(&self) -> bool {
        !self.start_compared.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn remaining(&self) -> Option<u64> {
        self.budget.limiter().remaining()
    }

    /// The time of day.
    pub fn time(&self) -> Timestamp {
        (self.wiring.clock)()
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn limited(at: std::time::Instant, because: Limit) -> NoAnswer {
    NoAnswer::Limited { wait: at.saturating_duration_since(now()), quota: because == Limit::MonthlyQuota }
}

/// What tells credentials apart.
fn known_by(prepared: &Prepared) -> String {
    let headers = prepared.headers.iter().map(|(name, value)| format!("{name} {:?}", value.as_bytes()));
    let query = prepared.query.iter().map(|(name, value)| format!("{name} {value}"));
    let token = prepared.oauth2.iter().map(|request| {
        let client = request.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        format!("{} {:?} {client:?}", request.url, request.body)
    });
    headers.chain(query).chain(token).collect::<Vec<_>>().join("\n")
}

/// The runtime's clock, which tests can set.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Every value behind these locks is whole at any moment, so a panic elsewhere does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
