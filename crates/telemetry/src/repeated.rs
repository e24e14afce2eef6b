//! A failure that lasts is logged at once, and then at most once a minute with the count of what was left out.

use std::time::{Duration, Instant};

/// The least time between two lines on one failure.
const EVERY: Duration = Duration::from_secs(60);

/// Decides which of a run of equal failures are logged. It reads no clock; one of these guards one log line.
///
/// ```
/// use std::time::{Duration, Instant};
/// use telemetry::Repeated;
///
/// let (mut refused, now) = (Repeated::default(), Instant::now());
/// assert_eq!(refused.failed(now), Some(0)); // the first is logged at once
/// assert_eq!(refused.failed(now + Duration::from_secs(1)), None);
/// assert_eq!(refused.failed(now + Duration::from_secs(61)), Some(1)); // logged, with the one that was not
/// assert_eq!(refused.succeeded(), Some(3)); // worth a line of its own: it failed three times and is well again
/// assert_eq!(refused.succeeded(), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Repeated {
    logged: Option<Instant>,
    suppressed: u64,
    failures: u64,
}

impl Repeated {
    /// Counts a failure. `Some(suppressed)`: log it, and say how many since the last line were not logged.
    pub fn failed(&mut self, now: Instant) -> Option<u64> {
        self.failures += 1;
        if self.logged.is_some_and(|at| now.saturating_duration_since(at) < EVERY) {
            self.suppressed += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }

    /// Ends the run, so that the next failure is logged at once. `Some(failures)`: it had failed that often.
    pub fn succeeded(&mut self) -> Option<u64> {
        let failures = std::mem::take(self).failures;
        (failures > 0).then_some(failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_and_no_failure_goes_uncounted() {
        let start = Instant::now();
        let mut repeated = Repeated::default();
        let lines: Vec<(u64, u64)> = (0..=180)
            .filter_map(|second| Some((second, repeated.failed(start + Duration::from_secs(second))?)))
            .collect();
        assert_eq!(lines, [(0, 0), (60, 59), (120, 59), (180, 59)]);
        assert_eq!(repeated.failed(start + Duration::from_secs(181)), None);
        assert_eq!(repeated.succeeded(), Some(182));
    }

    #[test]
    fn success_makes_the_next_failure_a_first_one() {
        let now = Instant::now();
        let mut repeated = Repeated::default();
        assert_eq!(repeated.failed(now), Some(0));
        assert_eq!(repeated.failed(now), None);
        assert_eq!(repeated.succeeded(), Some(2));
        assert_eq!(repeated.failed(now), Some(0));
    }
}
