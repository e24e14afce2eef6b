//! The byte budget: how much may be between a source and the saved position.
//!
//! It is the only backpressure: when it is used up, the stream stops fetching. A permit is freed when the position that
//! covers it is **saved**, so one number bounds memory and what comes again after a crash.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

/// One stream's share of `limits.in_flight`.
#[derive(Debug)]
pub(crate) struct Budget {
    total: usize,
    used: Mutex<usize>,
    freed: Notify,
    pressure: Pressure,
}

impl Budget {
    /// A budget of `total` bytes, whose waits show as `pressure`.
    pub(crate) fn new(total: usize, pressure: Pressure) -> Arc<Self> {
        Arc::new(Self { total, used: Mutex::new(0), freed: Notify::new(), pressure })
    }

    /// Waits until `bytes` fit. More than the whole budget fits when nothing else is in flight, or nothing ever would.
    ///
    /// There is one waiter at a time: the stream that owns the budget.
    pub(crate) async fn acquire(self: &Arc<Self>, bytes: usize) -> Permit {
        let mut waiting = None;
        loop {
            let freed = self.freed.notified();
            {
                let mut used = self.lock();
                if *used == 0 || *used + bytes <= self.total {
                    *used += bytes;
                    return Permit { budget: self.clone(), bytes };
                }
            }
            waiting.get_or_insert_with(|| self.pressure.raise());
            freed.await;
        }
    }

    /// Bytes in flight.
    pub(crate) fn used(&self) -> usize {
        *self.lock()
    }

    /// Whether more than half is in flight, so that freeing some soon keeps the source going.
    pub(crate) fn is_tight(&self) -> bool {
        self.used() > self.total / 2
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of a [`Budget`], given back when dropped.
#[derive(Debug)]
#[must_use = "a dropped permit gives its bytes back"]
pub(crate) struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Permit {
    /// Changes to what was really used. Growing never waits: it can only be by the one record that ended a chunk.
    pub(crate) fn resize(&mut self, bytes: usize) {
        let mut used = self.budget.lock();
        *used = *used - self.bytes + bytes;
        drop(used);
        if bytes < self.bytes {
            self.budget.freed.notify_one();
        }
        self.bytes = bytes;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.budget.lock() -= self.bytes;
        self.budget.freed.notify_one();
    }
}

/// Whether any stream waits for budget: then sinks deliver what they hold, and savers save, without waiting for more.
#[derive(Clone, Debug)]
pub(crate) struct Pressure(watch::Sender<usize>);

impl Default for Pressure {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Pressure {
    /// Whether a stream waits.
    pub(crate) fn is_high(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Returns as soon as a stream waits.
    pub(crate) async fn high(&self) {
        let mut waiting = self.0.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        if waiting.wait_for(|n| *n > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Until the answer is dropped, somebody waits.
    pub(crate) fn raise(&self) -> Raised<'_> {
        self.0.send_modify(|n| *n += 1);
        Raised(self)
    }
}

pub(crate) struct Raised<'a>(&'a Pressure);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|n| *n -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn delivery_06_bytes_in_flight_stay_within_the_budget() {
        let pressure = Pressure::default();
        let budget = Budget::new(100, pressure.clone());
        let mut first = budget.acquire(60).await;
        let second = budget.acquire(40).await;
        assert!(timeout(SOON, budget.acquire(1)).await.is_err(), "the budget is used up");
        assert!(!pressure.is_high(), "a cancelled wait is no pressure");

        first.resize(30);
        let third = timeout(SOON, budget.acquire(30)).await.expect("what was given back can be taken");
        assert_eq!(budget.used(), 100);
        drop((first, second, third));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_for_budget_is_felt_as_pressure_until_it_ends() {
        let pressure = Pressure::default();
        let budget = Budget::new(100, pressure.clone());
        let all = budget.acquire(100).await;
        let waiter = tokio::spawn({
            let budget = budget.clone();
            async move { budget.acquire(10).await }
        });
        timeout(SOON, pressure.high()).await.expect("the wait shows");
        drop(all);
        let _permit = waiter.await.unwrap();
        assert!(!pressure.is_high());
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_larger_than_the_budget_passes_alone() {
        let budget = Budget::new(100, Pressure::default());
        let small = budget.acquire(1).await;
        assert!(timeout(SOON, budget.acquire(500)).await.is_err());
        drop(small);
        let large = timeout(SOON, budget.acquire(500)).await.expect("alone it passes");
        assert!(timeout(SOON, budget.acquire(1)).await.is_err());
        drop(large);
    }
}
