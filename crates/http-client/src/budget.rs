//! Requests of one credential: what an API counts together is spent together, whichever sources it is for.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::rate_limit::RateLimiter;

/// The budgets of a process, one for each key at each place. Sources that are given the same [`Budgets`] share the
/// budget of their key.
#[derive(Default)]
pub struct Budgets {
    /// Keeps no key: a hash is enough to know it again. Two keys with one hash would only be slower than they may be.
    hasher: RandomState,
    known: Mutex<HashMap<(String, u64), Arc<Budget>>>,
}

/// One rate limiter, and one request at a time.
pub struct Budget {
    limiter: Mutex<RateLimiter>,
    /// Held while a request is under way.
    turn: tokio::sync::Mutex<()>,
}

impl Budgets {
    /// The budget of a credential at a place, such as its origin. The lowest of the ceilings that were asked for holds for
    /// all.
    ///
    /// It stays theirs when the credential is replaced later: that is mostly the same user's, whose limit it is.
    pub fn of(&self, place: &str, credential: &str, per_minute: NonZeroU32) -> Arc<Budget> {
        let key = (place.to_owned(), self.hasher.hash_one(credential));
        let mut known = locked(&self.known);
        let budget = known.entry(key).or_insert_with(|| Arc::new(Budget::new(per_minute))).clone();
        budget.limiter().lower_ceiling(per_minute);
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

    /// When the next request may go out.
    pub fn limiter(&self) -> MutexGuard<'_, RateLimiter> {
        locked(&self.limiter)
    }

    /// Waits until no other request is under way; the next may begin when the guard is dropped. Those who wait get
    /// their turn in the order in which they came.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

/// Every value behind these locks is whole at any moment, so a panic elsewhere does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
