//! How long to wait before the next attempt.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// The longest wait that the other side may ask for: a wrong clock or a slip of the pen must not stop delivery for days.
const LONGEST: Duration = Duration::from_secs(3600);

/// The waits between attempts: doubling from `initial` to `max`, without limit in number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Upper bound of the first wait.
    pub initial: Duration,
    /// Upper bound of every wait.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), max: Duration::from_secs(60) }
    }
}

/// The state of one row of failures; a success ends the row.
#[derive(Debug)]
pub struct Backoff {
    retry: Retry,
    bounds: ExponentialBackoff,
    attempts: u32,
}

impl Backoff {
    /// Before the first failure.
    pub fn new(retry: Retry) -> Self {
        Self { retry, bounds: bounds(retry), attempts: 0 }
    }

    /// The next wait: random between nothing and the bound (full jitter, so that many forwarders that failed together do
    /// not come back together), but at least what the other side asked for, up to an hour.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        self.attempts += 1;
        let bound = self.bounds.next().unwrap_or(self.retry.max);
        bound.mul_f64(fastrand::f64()).max(asked.unwrap_or_default().min(LONGEST))
    }

    /// Failures in a row so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// A success ends the row.
    pub fn reset(&mut self) {
        *self = Self::new(self.retry);
    }
}

/// A wait for people: whole milliseconds.
pub(crate) fn rounded(wait: Duration) -> Duration {
    Duration::from_millis(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

fn bounds(retry: Retry) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(retry.initial)
        .with_max_delay(retry.max)
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivery_05_waits_are_jittered_bounded_without_limit_and_never_shorter_than_asked() {
        let retry = Retry { initial: Duration::from_millis(100), max: Duration::from_secs(2) };
        let mut backoff = Backoff::new(retry);
        let waits: Vec<Duration> = (0..200).map(|_| backoff.next(None)).collect();
        assert!(waits[0] <= retry.initial);
        assert!(waits.iter().all(|wait| *wait <= retry.max));
        assert!(waits[10..].iter().any(|wait| *wait > retry.max / 2), "the bound grows to the maximum");
        assert!(waits[10..].iter().any(|wait| *wait < retry.max / 2), "the wait is random below it");
        assert_eq!(backoff.attempts(), 200);
        let asked = Duration::from_secs(90);
        assert_eq!(backoff.next(Some(asked)), asked);
        for _ in 0..20 {
            backoff.reset();
            assert_eq!(backoff.attempts(), 0);
            assert!(backoff.next(None) <= retry.initial);
        }
    }

    #[test]
    fn a_wait_is_told_in_milliseconds() {
        assert_eq!(rounded(Duration::from_micros(1_234_567)), Duration::from_millis(1234));
    }
}
