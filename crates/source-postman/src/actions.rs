//! The list of actions, `GET /audit-actions`: read after the first page, then daily. Nothing depends on it, so no failure counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_client::Budgets;
use source_audit_logs::{Clock, Requested};

use crate::config::PostmanSettings;

/// See [`Wiring::action_names`].
pub type ActionNames = dyn Fn(&[(String, String)]) + Send + Sync;

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
        let source_audit_logs::Wiring { labels, page_bytes, requested, clock, budgets, .. } =
            source_audit_logs::Wiring::default();
        Self { labels, page_bytes, action_names: Arc::new(|_| {}), requested, clock, budgets }
    }
}

/// A credential at Postman's API. Made once; lives as long as the process.
pub struct Account {
    pub(crate) log: Arc<source_audit_logs::Account>,
    action_names: Arc<ActionNames>,
    /// When the list of actions is to be read next; none is at the first occasion.
    due: Mutex<Option<Instant>>,
}

/// What the records are; part of every event's id.
const DATASET: &str = "postman.audit";

const LIST_BYTES: usize = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(86_400);
const RETRY: Duration = Duration::from_secs(3600);

impl Account {
    /// A credential, not yet tried: nothing is read or sent.
    pub fn new(settings: PostmanSettings, wiring: Wiring) -> Arc<Self> {
        let Wiring { labels, page_bytes, action_names, requested, clock, budgets } = wiring;
        let dataset = DATASET.into();
        let wiring = source_audit_logs::Wiring { labels, dataset, page_bytes, requested, clock, budgets };
        let log = source_audit_logs::Account::new(settings.log, wiring);
        Arc::new(Self { log, action_names, due: Mutex::new(None) })
    }

    /// Reads the list when it is due, on behalf of the source of that name.
    pub(crate) async fn read_actions(&self, source: &str) {
        if self.due().is_some_and(|due| due > now()) {
            return;
        }
        let answer = match tokio::time::timeout(PATIENCE, self.log.get("/audit-actions", LIST_BYTES)).await {
            Ok(Ok(None)) => return,
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => None,
        };
        let list = answer.filter(|answer| answer.status.is_success()).and_then(|answer| read(&answer.body));
        let pause = match list {
            Some(names) => {
                (self.action_names)(&names);
                EVERY
            }
            None => {
                tracing::debug!(source, "list of actions cannot be read, events have none of its names");
                RETRY
            }
        };
        *self.due() = Some(now() + pause);
    }

    fn due(&self) -> MutexGuard<'_, Option<Instant>> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.log.fmt(f)
    }
}

/// The runtime's clock, which tests can set.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// `[{"name": "user.apikey_activate", "displayName": "Activated API Key"}, …]`; entries without both are left out.
fn read(body: &[u8]) -> Option<Vec<(String, String)>> {
    let list: Vec<serde_json::Value> = serde_json::from_slice(body).ok()?;
    let text = |action: &serde_json::Value, key: &str| action.get(key)?.as_str().map(str::to_owned);
    Some(
        list.iter()
            .filter_map(|action| Some((text(action, "name")?, text(action, "displayName")?)))
            .collect(),
    )
}
