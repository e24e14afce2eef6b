//! Rate limit and monthly quota, and the many ways in which the API announces them.

use std::time::Duration;

use crate::clock;

/// A header's name and value.
pub(crate) type Header = (&'static str, String);

/// How "slow down" is said. Postman's documentation names all of these and says that they vary with the API called;
/// the prose is from 2018.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitHeaders {
    /// `Retry-After: 7` (RFC 9110, section 10.2.3).
    RetryAfterSeconds,
    /// `Retry-After: Fri, 20 Nov 2026 18:31:32 GMT`.
    RetryAfterDate,
    /// `RetryAfter: 7`, as Postman's documentation spells it.
    RetryAfterOneWord,
    /// `X-RateLimit-RetryAfter: 7`.
    XRateLimitRetryAfter,
    /// `RateLimit: limit=300, remaining=0, reset=7` and `RateLimit-Policy: 300;w=60`; seconds from now.
    RateLimit,
    /// `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`; seconds from now.
    RateLimitTriple,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset`; reset in seconds since the Unix epoch.
    XRateLimitEpoch,
    /// The same with reset in seconds from now.
    XRateLimitDelta,
    /// No header: the body says "Please retry at 1465452702843", in milliseconds since the Unix epoch.
    Prose,
}

impl RateLimitHeaders {
    /// Every dialect.
    pub const ALL: [Self; 9] = [
        Self::RetryAfterSeconds,
        Self::RetryAfterDate,
        Self::RetryAfterOneWord,
        Self::XRateLimitRetryAfter,
        Self::RateLimit,
        Self::RateLimitTriple,
        Self::XRateLimitEpoch,
        Self::XRateLimitDelta,
        Self::Prose,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::RetryAfterSeconds => "too_many_retry_after_seconds",
            Self::RetryAfterDate => "too_many_retry_after_date",
            Self::RetryAfterOneWord => "too_many_retry_after_one_word",
            Self::XRateLimitRetryAfter => "too_many_x_rate_limit_retry_after",
            Self::RateLimit => "too_many_rate_limit",
            Self::RateLimitTriple => "too_many_rate_limit_triple",
            Self::XRateLimitEpoch => "too_many_x_rate_limit_epoch",
            Self::XRateLimitDelta => "too_many_x_rate_limit_delta",
            Self::Prose => "too_many_prose",
        }
    }

    /// The headers of an answer. The `RetryAfter…` ones and the prose say nothing until the budget is used up.
    pub(crate) fn headers(self, budget: &Budget, now: i64) -> Vec<Header> {
        let (limit, left, per) = (budget.limit.to_string(), budget.left.to_string(), budget.per.as_secs());
        let wait = budget.wait_seconds(now);
        match self {
            Self::RateLimit => vec![
                ("ratelimit", format!("limit={limit}, remaining={left}, reset={wait}")),
                ("ratelimit-policy", format!("{limit};w={per}")),
            ],
            Self::RateLimitTriple => vec![
                ("ratelimit-limit", limit),
                ("ratelimit-remaining", left),
                ("ratelimit-reset", wait.to_string()),
            ],
            Self::XRateLimitEpoch | Self::XRateLimitDelta => {
                let reset = if self == Self::XRateLimitEpoch { now / 1000 + wait } else { wait };
                vec![
                    ("x-ratelimit-limit", limit),
                    ("x-ratelimit-remaining", left),
                    ("x-ratelimit-reset", reset.to_string()),
                ]
            }
            _ if budget.left > 0 => Vec::new(),
            Self::RetryAfterSeconds => vec![("retry-after", wait.to_string())],
            Self::RetryAfterDate => vec![("retry-after", clock::http_date(now / 1000 + wait))],
            Self::RetryAfterOneWord => vec![("retryafter", wait.to_string())],
            Self::XRateLimitRetryAfter => vec![("x-ratelimit-retryafter", wait.to_string())],
            Self::Prose => Vec::new(),
        }
    }
}

/// A rate limit that is enforced: so many requests of a key per fixed window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateLimit {
    /// Requests in a window.
    pub requests: u64,
    /// The window's length; windows begin at whole multiples of it.
    pub per: Duration,
    /// How it is announced, on 2xx too. `None`: another dialect on every answer.
    pub headers: Option<RateLimitHeaders>,
}

/// A quota whose end is answered with `serviceLimitExhausted`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MonthlyQuota {
    /// Requests in a "month".
    pub requests: u64,
    /// How long a "month" is.
    pub month: Duration,
}

/// What is left of a limit at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) limit: u64,
    pub(crate) left: u64,
    pub(crate) per: Duration,
    /// When it is full again, in milliseconds since the Unix epoch.
    pub(crate) full_at: i64,
}

impl Budget {
    pub(crate) fn wait_seconds(&self, now: i64) -> i64 {
        (self.full_at - now).max(0).div_euclid(1000) + i64::from((self.full_at - now).rem_euclid(1000) > 0)
    }
}

/// Counts requests in fixed windows.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    window: i64,
    used: u64,
}

impl Meter {
    /// Counts a request; `Err` when it is above the limit.
    pub(crate) fn take(&mut self, limit: u64, per: Duration, now: i64) -> Result<Budget, Budget> {
        let length = (per.as_millis() as i64).max(1);
        let window = now.div_euclid(length);
        if window != self.window {
            *self = Self { window, used: 0 };
        }
        self.used += 1;
        let left = limit.saturating_sub(self.used);
        let budget = Budget { limit, left, per, full_at: (window + 1) * length };
        if self.used > limit { Err(budget) } else { Ok(budget) }
    }
}
