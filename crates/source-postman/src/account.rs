//! A credential at Postman's API, as one source uses it: its client and its key, shared by every restart of the stream;
//! what it may spend is shared with all sources that use the same key.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_client::header::HeaderName;
use http_client::{
    Answer, Budget, Budgets, HttpClient, HttpError, Limit, Permit, Request, Url, secret_header,
};
use pipeline::Timestamp;
use settings::Secret;

use crate::config::{PostmanSettings, SinceFormat};

/// See [`Wiring::action_names`].
pub type ActionNames = dyn Fn(&[(String, String)]) + Send + Sync;

/// See [`Wiring::requested`].
pub type Requested = dyn Fn(Option<u16>, Duration) + Send + Sync;

/// See [`Wiring::clock`].
pub type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// What the binary hands in.
#[derive(Clone)]
pub struct Wiring {
    /// Static labels that every event carries, in this order.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Most bytes of one page, decompressed: what one page may take of the memory for events in flight.
    pub page_bytes: usize,
    /// Takes the machine name and the display name of every action that Postman lists; called again each day.
    pub action_names: Arc<ActionNames>,
    /// Told of every request: its status, if there was an answer, and how long it took.
    pub requested: Arc<Requested>,
    /// The time of day.
    pub clock: Arc<Clock>,
    /// What keys may spend, shared by all sources of the process.
    pub budgets: Arc<Budgets>,
}

impl Default for Wiring {
    /// 1 MiB a page, the system's clock, nobody told of anything, nothing shared.
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            page_bytes: 1 << 20,
            action_names: Arc::new(|_| {}),
            requested: Arc::new(|_, _| {}),
            clock: Arc::new(|| Timestamp::from_system(std::time::SystemTime::now())),
            budgets: Arc::default(),
        }
    }
}

/// A credential at Postman's API. Made once; lives as long as the process.
pub struct Account {
    pub(crate) settings: PostmanSettings,
    pub(crate) wiring: Wiring,
    client: HttpClient,
    budget: Arc<Budget>,
    key: Mutex<Key>,
    /// `since` is written as a date, because Postman refused a time or the user says so.
    dates: AtomicBool,
    requests: AtomicU64,
    /// A `start` that has no effect was spoken of: once is enough, whatever restarts.
    start_compared: AtomicBool,
    /// When the list of actions is to be read next; none is at the first occasion.
    actions_due: Mutex<Option<Instant>>,
}

struct Key {
    secret: Secret,
    /// The last request was refused for it, so its file may hold a better one by now.
    refused: bool,
    /// Counts the keys that were taken up.
    generation: u64,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// A rate limit is in the way.
    Limited { wait: Duration, monthly: bool },
    /// The request failed.
    Http(HttpError),
}

impl From<HttpError> for NoAnswer {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl Account {
    /// A credential, not yet tried: nothing is read or sent.
    pub fn new(settings: PostmanSettings, wiring: Wiring) -> Arc<Self> {
        Arc::new(Self {
            client: HttpClient::new(settings.client.clone()),
            budget: wiring.budgets.of(
                &settings.place(),
                settings.api_key.expose(),
                settings.requests_per_minute,
            ),
            key: Mutex::new(Key { secret: settings.api_key.clone(), refused: false, generation: 0 }),
            dates: AtomicBool::new(settings.since_format == SinceFormat::Date),
            requests: AtomicU64::new(0),
            start_compared: AtomicBool::new(false),
            actions_due: Mutex::new(None),
            settings,
            wiring,
        })
    }

    /// Asks for `path` below the configured URL, after the requests with this key that are under way, if the rate
    /// limits allow it then. Any status is an answer.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        body_cap: usize,
    ) -> Result<Answer, NoAnswer> {
        let _turn = self.budget.turn().await;
        self.take_up_corrected_key();
        let mut request = Request::get(self.url(path, query), body_cap);
        let key = secret_header("api_key", &locked(&self.key).secret)?;
        request.headers.insert(HeaderName::from_static("x-api-key"), key);
        if let Permit::NotBefore { at, because } = self.budget.limiter().acquire(now()) {
            let wait = at.saturating_duration_since(now());
            return Err(NoAnswer::Limited { wait, monthly: because == Limit::MonthlyQuota });
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let began = now();
        let answer = self.client.send(&request).await;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        (self.wiring.requested)(status.map(|status| status.as_u16()), now().saturating_duration_since(began));
        let answer = answer?;
        self.budget.limiter().observe(&answer.headers, answer.status, now(), self.time());
        if answer.status.is_success() {
            locked(&self.key).refused = false;
        }
        Ok(answer)
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.settings.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// How long no request may go out.
    pub(crate) fn wait(&self) -> Duration {
        match self.budget.limiter().check(now()) {
            Permit::Ready => Duration::ZERO,
            Permit::NotBefore { at, .. } => at.saturating_duration_since(now()),
        }
    }

    /// The answer said in words that there were too many requests.
    pub(crate) fn refused(&self, wait: Option<Duration>) {
        self.budget.limiter().refused(wait, now());
    }

    /// The answer said in words that the month's quota is used up.
    pub(crate) fn monthly_quota_exhausted(&self) {
        self.budget.limiter().monthly_quota_exhausted(now());
    }

    /// The key was refused. True when its file holds another one by now, which the next request uses.
    pub(crate) fn key_refused(&self) -> bool {
        locked(&self.key).refused = true;
        self.take_up_corrected_key()
    }

    /// After a refusal the key's file is read again, until a key is accepted.
    fn take_up_corrected_key(&self) -> bool {
        let mut key = locked(&self.key);
        if !key.refused {
            return false;
        }
        match key.secret.refreshed(|path| std::fs::read_to_string(path)) {
            Ok(Some(secret)) => {
                tracing::info!("the file of `api_key` holds another key, it is used from now on");
                *key = Key { secret, refused: false, generation: key.generation + 1 };
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%error, "the file of `api_key` cannot be read, the key at hand is used again");
                false
            }
        }
    }

    /// Changes whenever another key is taken up.
    pub(crate) fn key_generation(&self) -> u64 {
        locked(&self.key).generation
    }

    /// What must not show: the key at hand.
    pub(crate) fn key(&self) -> Secret {
        locked(&self.key).secret.clone()
    }

    /// Whether `since` is written as a date.
    pub(crate) fn dates(&self) -> bool {
        self.dates.load(Ordering::Relaxed)
    }

    /// Postman refused the form of `since`: true when another one is worth trying.
    pub(crate) fn change_since_format(&self) -> bool {
        // Back to the first form when the second is refused as well: then the form is not the reason.
        self.settings.since_format == SinceFormat::Auto && !self.dates.fetch_xor(true, Ordering::Relaxed)
    }

    /// Whether `start` is to be held against the position: true once.
    pub(crate) fn compare_start(&self) -> bool {
        !self.start_compared.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn actions_due(&self) -> bool {
        locked(&self.actions_due).is_none_or(|due| due <= now())
    }

    pub(crate) fn read_actions_again_in(&self, pause: Duration) {
        *locked(&self.actions_due) = Some(now() + pause);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn remaining(&self) -> Option<u64> {
        self.budget.limiter().remaining()
    }

    pub(crate) fn time(&self) -> Timestamp {
        (self.wiring.clock)()
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The runtime's clock, which tests can set.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Every value behind these locks is whole at any moment, so a panic elsewhere does not spoil it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
