//! When the next request may go out: pure logic, fed with every answer's headers.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use pipeline::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::advice::Advice;

/// No wait is longer, whatever the API says: a probe now and then shows whether it is still true.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How long to wait when a monthly quota is used up. It may take days, but a larger quota may be bought any time.
pub const MONTHLY_QUOTA_WAIT: Duration = Duration::from_secs(60 * 60);

/// The first wait after a refusal that names none; doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

/// One part in this many of what the API grants is left to the user's other tools.
const HEADROOM: u64 = 20;

/// Decides when requests with one credential may go out. Streams that share the credential share it.
///
/// Requests go out in a burst as long as the API says that some are left; then they wait for its window to end. In
/// any minute at most the configured number goes out, whatever the API says.
///
/// ```
/// use std::{num::NonZeroU32, time::{Duration, Instant}};
/// use http_client::{Limit, Permit, RateLimiter};
///
/// let (start, minute) = (Instant::now(), Duration::from_secs(60));
/// let mut limiter = RateLimiter::new(NonZeroU32::MIN);
/// assert_eq!(limiter.acquire(start), Permit::Ready);
/// assert_eq!(limiter.acquire(start), Permit::NotBefore { at: start + minute, because: Limit::OwnCeiling });
/// assert_eq!(limiter.acquire(start + minute), Permit::Ready);
/// ```
#[derive(Debug)]
pub struct RateLimiter {
    /// The lowest ceiling that was configured.
    per_minute: NonZeroU32,
    /// What the API's limit and window come to, less the headroom.
    granted_per_minute: Option<u32>,
    /// When the requests of the last minute went out; never more than the ceiling.
    sent: VecDeque<Instant>,
    window: Option<Window>,
    hold: Option<(Instant, Limit)>,
    /// Refusals in a row that named no wait.
    refusals: u32,
}

/// The API's current window, as its last answer described it.
#[derive(Clone, Copy, Debug)]
struct Window {
    remaining: u64,
    headroom: u64,
    ends: Instant,
}

/// May a request go out?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes, and it is counted.
    Ready,
    /// Not before `at`.
    NotBefore {
        /// When to ask again.
        at: Instant,
        /// Whose limit it is.
        because: Limit,
    },
}

/// Why a request has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// `requests_per_minute` of the configuration.
    OwnCeiling,
    /// The API's window is used up, or it asked to wait.
    Api,
    /// The API's monthly quota is used up: a person should know.
    MonthlyQuota,
}

impl RateLimiter {
    /// At most `per_minute` requests in any minute; fewer when the API says so.
    pub fn new(per_minute: NonZeroU32) -> Self {
        Self {
            per_minute,
            granted_per_minute: None,
            sent: VecDeque::new(),
            window: None,
            hold: None,
            refusals: 0,
        }
    }

    /// Another stream with the credential asks for at most `per_minute`: the lowest of the ceilings holds.
    pub fn lower_ceiling(&mut self, per_minute: NonZeroU32) {
        self.per_minute = self.per_minute.min(per_minute);
    }

    /// May a request go out now? If so, it counts as sent.
    pub fn acquire(&mut self, now: Instant) -> Permit {
        let permit = self.check(now);
        if permit == Permit::Ready {
            self.sent.push_back(now);
            if let Some(window) = &mut self.window {
                window.remaining -= 1;
            }
        }
        permit
    }

    /// May a request go out now? Counts nothing.
    pub fn check(&mut self, now: Instant) -> Permit {
        self.hold = self.hold.filter(|(until, _)| now < *until);
        if let Some((at, because)) = self.hold {
            return Permit::NotBefore { at, because };
        }
        self.window = self.window.filter(|window| now < window.ends);
        if let Some(window) = self.window.filter(|window| window.remaining <= window.headroom) {
            return Permit::NotBefore { at: window.ends, because: Limit::Api };
        }
        while self.sent.front().is_some_and(|sent| now.saturating_duration_since(*sent) >= MINUTE) {
            self.sent.pop_front();
        }
        let ceiling = self.granted_per_minute.unwrap_or(u32::MAX).min(self.per_minute.get()) as usize;
        if self.sent.len() >= ceiling {
            let oldest = self.sent[self.sent.len() - ceiling];
            return Permit::NotBefore { at: oldest + MINUTE, because: Limit::OwnCeiling };
        }
        Permit::Ready
    }

    /// Takes in what an answer says, successful or not. `wall` stands in for the answer's `Date` if it has none.
    pub fn observe(&mut self, headers: &HeaderMap, status: StatusCode, now: Instant, wall: Timestamp) {
        let advice = Advice::read(headers, wall);
        if let Some(limit) = advice.limit {
            self.granted_per_minute = advice.window.and_then(|window| per_minute(limit, window));
        }
        if let Some(remaining) = advice.remaining {
            // A window that ends within the second is not over yet.
            let left = advice.reset.or(advice.window).unwrap_or(MINUTE);
            let ends = now + left.clamp(Duration::from_secs(1), LONGEST_WAIT);
            let headroom = advice.limit.map_or(0, |limit| limit / HEADROOM);
            self.window = Some(Window { remaining, headroom, ends });
        }
        if status.is_success() {
            self.refusals = 0;
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.refused(advice.retry_after.or(advice.reset), now);
        } else if !status.is_success()
            && let Some(wait) = advice.retry_after
        {
            self.hold_for(wait.min(LONGEST_WAIT), Limit::Api, now);
        }
        if advice.remaining_month == Some(0) {
            self.monthly_quota_exhausted(now);
        }
    }

    /// An answer said, in whatever way, that there were too many requests: nothing goes out for `wait`, or for a time
    /// that doubles with each refusal that names none.
    pub fn refused(&mut self, wait: Option<Duration>, now: Instant) {
        let wait = wait.unwrap_or_else(|| {
            self.refusals = self.refusals.saturating_add(1);
            FIRST_WAIT * 2_u32.pow((self.refusals - 1).min(8))
        });
        self.hold_for(wait.clamp(Duration::from_secs(1), LONGEST_WAIT), Limit::Api, now);
    }

    /// An answer's body said that the monthly quota is used up.
    pub fn monthly_quota_exhausted(&mut self, now: Instant) {
        self.hold_for(MONTHLY_QUOTA_WAIT, Limit::MonthlyQuota, now);
    }

    /// Requests that the API said are left in its window, less those sent since.
    pub fn remaining(&self) -> Option<u64> {
        self.window.map(|window| window.remaining)
    }

    /// A longer hold stays: streams that share the credential learn of it at different times.
    fn hold_for(&mut self, wait: Duration, because: Limit, now: Instant) {
        self.hold = self.hold.into_iter().chain([(now + wait, because)]).max_by_key(|(until, _)| *until);
    }
}

/// What a limit in a window comes to a minute, less the headroom; at least one. A window longer than a minute says
/// nothing of a minute: all of it may be used at once.
fn per_minute(limit: u64, window: Duration) -> Option<u32> {
    if window > MINUTE || window.is_zero() {
        return None;
    }
    let windows = (MINUTE.as_secs_f64() / window.as_secs_f64()).min(60.0) as u64;
    let granted = (limit - limit / HEADROOM).saturating_mul(windows).max(1);
    Some(u32::try_from(granted).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::headers;

    const OK: StatusCode = StatusCode::OK;
    const TOO_MANY: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    fn wall() -> Timestamp {
        "2026-11-20T10:00:00Z".parse().unwrap()
    }

    fn limiter(per_minute: u32) -> (RateLimiter, Instant) {
        (RateLimiter::new(NonZeroU32::new(per_minute).unwrap()), Instant::now())
    }

    fn wait(permit: Permit, now: Instant) -> Option<(Duration, Limit)> {
        match permit {
            Permit::Ready => None,
            Permit::NotBefore { at, because } => Some((at - now, because)),
        }
    }

    #[test]
    fn what_an_answer_says_decides_the_next_request() {
        type Row<'a> = (StatusCode, &'a [(&'a str, &'a str)], Option<(u64, Limit)>);
        let table: &[Row<'_>] = &[
            (OK, &[], None),
            (OK, &[("RateLimit", "limit=300, remaining=16, reset=34")], None),
            (OK, &[("RateLimit", "limit=300, remaining=15, reset=34")], Some((34, Limit::Api))),
            (OK, &[("X-RateLimit-Remaining", "1"), ("X-RateLimit-Reset", "9")], None),
            (OK, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "9")], Some((9, Limit::Api))),
            (
                OK,
                &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1795168830")],
                Some((30, Limit::Api)),
            ),
            (OK, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "0")], Some((1, Limit::Api))),
            (OK, &[("X-RateLimit-Remaining", "0")], Some((60, Limit::Api))),
            (OK, &[("X-RateLimit-Remaining", "0"), ("RateLimit-Policy", "9;w=5")], Some((5, Limit::Api))),
            (OK, &[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "86400")], Some((900, Limit::Api))),
            (OK, &[("Retry-After", "60")], None),
            (OK, &[("X-RateLimit-Remaining-Month", "0")], Some((3600, Limit::MonthlyQuota))),
            (OK, &[("RateLimit-Remaining-Month", "1")], None),
            (TOO_MANY, &[], Some((5, Limit::Api))),
            (TOO_MANY, &[("Retry-After", "17")], Some((17, Limit::Api))),
            (TOO_MANY, &[("Retry-After", "0")], Some((1, Limit::Api))),
            (TOO_MANY, &[("Retry-After", "-3")], Some((5, Limit::Api))),
            (TOO_MANY, &[("Retry-After", "99999999999")], Some((5, Limit::Api))),
            (TOO_MANY, &[("Retry-After", "999999")], Some((900, Limit::Api))),
            (TOO_MANY, &[("Retry-After", "Fri, 20 Nov 2026 10:00:40 GMT")], Some((40, Limit::Api))),
            (TOO_MANY, &[("RetryAfter", "3"), ("X-RateLimit-Reset", "50")], Some((3, Limit::Api))),
            (TOO_MANY, &[("X-RateLimit-Reset", "50")], Some((50, Limit::Api))),
            (
                TOO_MANY,
                &[("Retry-After", "5"), ("X-RateLimit-Remaining-Month", "0")],
                Some((3600, Limit::MonthlyQuota)),
            ),
            (StatusCode::SERVICE_UNAVAILABLE, &[("Retry-After", "8")], Some((8, Limit::Api))),
            (StatusCode::SERVICE_UNAVAILABLE, &[], None),
        ];
        for (status, lines, expected) in table {
            let (mut limiter, now) = limiter(1000);
            assert_eq!(limiter.acquire(now), Permit::Ready);
            limiter.observe(&headers(lines), *status, now, wall());
            let expected = expected.map(|(secs, limit)| (Duration::from_secs(secs), limit));
            let permit = limiter.acquire(now);
            assert_eq!(wait(permit, now), expected, "{status} {lines:?}");
            if let Permit::NotBefore { at, .. } = permit {
                assert_eq!(limiter.acquire(at), Permit::Ready, "{status} {lines:?}");
            }
        }
    }

    #[test]
    fn in_any_minute_at_most_the_ceiling_goes_out() {
        let (mut limiter, start) = limiter(3);
        let at = |secs| start + Duration::from_secs(secs);
        for second in [0, 20, 40] {
            assert_eq!(limiter.acquire(at(second)), Permit::Ready);
        }
        let full = |secs| Permit::NotBefore { at: at(secs), because: Limit::OwnCeiling };
        assert_eq!(limiter.acquire(at(59)), full(60));
        assert_eq!(limiter.acquire(at(60)), Permit::Ready);
        assert_eq!(limiter.acquire(at(61)), full(80));
    }

    #[test]
    fn a_burst_goes_through_until_the_headroom_is_reached() {
        let (mut limiter, now) = limiter(1000);
        limiter.observe(&headers(&[("RateLimit", "limit=100, remaining=25, reset=10")]), OK, now, wall());
        let burst =
            std::iter::repeat_with(|| limiter.acquire(now)).take_while(|p| *p == Permit::Ready).count();
        assert_eq!((burst, limiter.remaining()), (20, Some(5)));
        // After the window one request goes out even if others have used it up already: the source is never starved.
        let next = now + Duration::from_secs(10);
        assert_eq!(limiter.acquire(next), Permit::Ready);
        limiter.observe(&headers(&[("RateLimit", "limit=100, remaining=0, reset=10")]), OK, next, wall());
        assert_eq!(wait(limiter.acquire(next), next), Some((Duration::from_secs(10), Limit::Api)));
    }

    #[test]
    fn an_advertised_limit_below_the_ceiling_lowers_it() {
        let (mut limiter, now) = limiter(240);
        limiter.observe(&headers(&[("RateLimit-Policy", "20;w=30")]), OK, now, wall());
        let sent =
            std::iter::repeat_with(|| limiter.acquire(now)).take_while(|p| *p == Permit::Ready).count();
        assert_eq!(sent, 38);
        limiter.observe(&headers(&[("RateLimit-Policy", "6000;w=60")]), OK, now, wall());
        let more =
            std::iter::repeat_with(|| limiter.acquire(now)).take_while(|p| *p == Permit::Ready).count();
        assert_eq!(sent + more, 240);
    }

    #[test]
    fn a_window_of_up_to_a_minute_says_what_a_minute_grants() {
        for (limit, seconds, granted) in
            [(100, 10, Some(570)), (100, 60, Some(95)), (100, 61, None), (100, 0, None), (1, 60, Some(1))]
        {
            assert_eq!(per_minute(limit, Duration::from_secs(seconds)), granted, "{limit} in {seconds} s");
        }
    }

    #[test]
    fn refusals_without_a_hint_back_off_and_success_ends_it() {
        let (mut limiter, now) = limiter(1000);
        let mut waits = vec![];
        for _ in 0..12 {
            limiter.hold = None;
            limiter.observe(&headers(&[]), TOO_MANY, now, wall());
            waits.push(wait(limiter.acquire(now), now).unwrap().0.as_secs());
        }
        assert_eq!(waits[..9], [5, 10, 20, 40, 80, 160, 320, 640, 900]);
        assert!(waits[9..].iter().all(|secs| *secs == 900));
        limiter.hold = None;
        limiter.observe(&headers(&[]), OK, now, wall());
        limiter.observe(&headers(&[]), TOO_MANY, now, wall());
        assert_eq!(wait(limiter.acquire(now), now).unwrap().0.as_secs(), 5);
    }

    #[test]
    fn the_lowest_ceiling_holds_and_what_was_sent_counts() {
        let (mut limiter, now) = limiter(5);
        assert!((0..3).all(|_| limiter.acquire(now) == Permit::Ready));
        limiter.lower_ceiling(NonZeroU32::new(3).unwrap());
        limiter.lower_ceiling(NonZeroU32::new(9).unwrap());
        assert_eq!(wait(limiter.acquire(now), now), Some((MINUTE, Limit::OwnCeiling)));
        assert_eq!(limiter.acquire(now + MINUTE), Permit::Ready);
    }

    #[test]
    fn a_shorter_hold_does_not_replace_a_longer_one() {
        let (mut limiter, now) = limiter(1000);
        limiter.observe(&headers(&[("Retry-After", "30")]), TOO_MANY, now, wall());
        limiter.observe(&headers(&[("Retry-After", "2")]), TOO_MANY, now, wall());
        assert_eq!(wait(limiter.acquire(now), now), Some((Duration::from_secs(30), Limit::Api)));
    }
}
