//! Requests of one credential: what Postman counts together is spent together, whichever sources it is for.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};

use http_client::RateLimiter;

use crate::account::locked;
use crate::config::PostmanSettings;

/// The budgets of a process, one for each key at each place. Sources that are given the same [`Budgets`] share the
/// budget of their key.
#[derive(Default)]
pub struct Budgets {
    /// Keeps no key: a hash is enough to know it again. Two keys with one hash would only be slower than they may be.
    hasher: RandomState,
    known: Mutex<HashMap<(String, u64), Arc<Budget>>>,
}

/// One rate limiter, and one request at a time.
pub(crate) struct Budget {
    limiter: Mutex<RateLimiter>,
    /// Held while a request is under way.
    turn: tokio::sync::Mutex<()>,
}

impl Budgets {
    /// The budget of these settings' key. The lowest of the ceilings that sources were given holds for all of them.
    ///
    /// It stays theirs when the key's file holds another key later: that is mostly the same user's, whose limit it is.
    pub(crate) fn of(&self, settings: &PostmanSettings) -> Arc<Budget> {
        let place = (settings.place(), self.hasher.hash_one(settings.api_key.expose()));
        let ceiling = settings.requests_per_minute;
        let mut known = locked(&self.known);
        let budget = known.entry(place).or_insert_with(|| Arc::new(Budget::new(ceiling))).clone();
        budget.limiter().lower_ceiling(ceiling);
        budget
    }
}

impl fmt::Debug for Budgets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").field("known", &locked(&self.known).len()).finish_non_exhaustive()
    }
}

impl Budget {
    fn new(per_minute: NonZeroU32) -> Self {
        Self { limiter: Mutex::new(RateLimiter::new(per_minute)), turn: tokio::sync::Mutex::default() }
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, RateLimiter> {
        locked(&self.limiter)
    }

    /// Waits until no other request is under way; the next may begin when the guard is dropped. Those who wait get
    /// their turn in the order in which they came.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}
