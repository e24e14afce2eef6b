//! What an answer's headers say about rate limits, in every dialect that audit-log APIs speak.
//!
//! | header | form |
//! |---|---|
//! | `Retry-After` (RFC 9110, 10.2.3), `RetryAfter`, `X-RateLimit-RetryAfter` | seconds, or an HTTP date; the first one readable wins |
//! | `RateLimit` | `limit=300, remaining=12, reset=34` (earlier IETF drafts, Postman) or `"default";r=12;t=34` (later drafts) |
//! | `RateLimit-Policy` | `300;w=60` or `"default";q=300;w=60`; one policy only, several do not say which one counts |
//! | `RateLimit-`, `X-RateLimit-`, `X-Rate-Limit-` + `Limit`, `Remaining`, `Reset` | numbers; a reset above 10⁹ is an epoch, else seconds from now |
//! | the same + `Remaining-Month` | what is left of a monthly quota |
//!
//! What cannot be read is treated as absent.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use pipeline::Timestamp;
use reqwest::header::{DATE, HeaderMap};

/// What one answer said. Times are relative to the moment it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// How long the API asks to wait before the next request.
    pub retry_after: Option<Duration>,
    /// Requests that a whole window grants.
    pub limit: Option<u64>,
    /// Requests left in the current window.
    pub remaining: Option<u64>,
    /// Time until the current window ends.
    pub reset: Option<Duration>,
    /// Length of a window.
    pub window: Option<Duration>,
    /// Requests left of the monthly quota.
    pub remaining_month: Option<u64>,
}

/// Longer than any wait that is meant seriously; keeps sums of durations in range.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

const RETRY_AFTER: [&str; 4] =
    ["retry-after", "retryafter", "x-ratelimit-retryafter", "x-ratelimit-retry-after"];
const LIMIT: [&str; 3] = ["ratelimit-limit", "x-ratelimit-limit", "x-rate-limit-limit"];
const REMAINING: [&str; 3] = ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"];
const RESET: [&str; 3] = ["ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset"];
const REMAINING_MONTH: [&str; 3] =
    ["ratelimit-remaining-month", "x-ratelimit-remaining-month", "x-rate-limit-remaining-month"];

impl Advice {
    /// Reads an answer's headers. Absolute times are compared with the answer's own `Date`, so that a wrong local
    /// clock does no harm; without one, with `wall`.
    pub fn read(headers: &HeaderMap, wall: Timestamp) -> Self {
        let now = date(headers).unwrap_or(wall);
        let first = |names: &[&str]| names.iter().find_map(|name| leading_number(text(headers, name)?));
        let mut advice = Self {
            retry_after: RETRY_AFTER.iter().find_map(|name| wait(text(headers, name)?, now)),
            limit: first(&LIMIT),
            remaining: first(&REMAINING),
            reset: RESET.iter().find_map(|name| wait(text(headers, name)?, now)),
            window: None,
            remaining_month: first(&REMAINING_MONTH),
        };
        if let Some(policy) = text(headers, "ratelimit-policy") {
            advice.read_policy(policy);
        }
        if let Some(fields) = text(headers, "ratelimit") {
            advice.read_combined(fields, now);
        }
        advice
    }

    fn read_policy(&mut self, policy: &str) {
        if policy.contains(',') {
            return;
        }
        for part in policy.split(';').map(str::trim) {
            match part.split_once('=') {
                Some(("q", value)) => self.limit = leading_number(value).or(self.limit),
                Some(("w", value)) => self.window = seconds(value),
                Some(_) => {}
                None => self.limit = leading_number(part).or(self.limit),
            }
        }
    }

    /// `RateLimit` in either form. Of several named limits the one with the least left counts, and of those the one that
    /// ends last.
    fn read_combined(&mut self, fields: &str, now: Timestamp) {
        let mut least: Option<(u64, Reverse<Option<Duration>>)> = None;
        for item in fields.split(',') {
            let (mut left, mut until) = (None, None);
            for part in item.split(';') {
                let Some((key, value)) = part.split_once('=') else { continue };
                match key.trim() {
                    "limit" => self.limit = leading_number(value).or(self.limit),
                    "remaining" => self.remaining = leading_number(value).or(self.remaining),
                    "reset" => self.reset = wait(value.trim(), now).or(self.reset),
                    "r" => left = leading_number(value),
                    "t" => until = seconds(value),
                    _ => {}
                }
            }
            if let Some(left) = left {
                let this = (left, Reverse(until));
                least = Some(least.map_or(this, |other| other.min(this)));
            }
        }
        if let Some((left, Reverse(until))) = least {
            self.remaining = Some(left);
            self.reset = until.or(self.reset);
        }
    }
}

/// The `Date` of an answer: the server's clock.
pub(crate) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

fn http_date(value: &str) -> Option<Timestamp> {
    let moment = httpdate::parse_http_date(value.trim()).ok()?;
    (moment > SystemTime::UNIX_EPOCH).then(|| Timestamp::from_system(moment))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

/// A wait in seconds, or until a moment: an epoch (seconds, milliseconds), an HTTP date, or RFC 3339.
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    match seconds(value) {
        Some(delta) if delta <= Duration::from_secs(1_000_000_000) => Some(delta.min(LONGEST)),
        _ => {
            let until = http_date(value).or_else(|| Timestamp::read(value))?;
            Some(until.since(now).min(LONGEST))
        }
    }
}

/// Seconds, with or without a fraction. A sign, an exponent, `inf` and `nan` are not seconds.
fn seconds(value: &str) -> Option<Duration> {
    let value = value.trim();
    let plain = value.starts_with(|c: char| c.is_ascii_digit())
        && value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !plain {
        return None;
    }
    Duration::try_from_secs_f64(value.parse().ok()?).ok()
}

/// The number that a value starts with: `300` of `300, 300;w=60`.
fn leading_number(value: &str) -> Option<u64> {
    let value = value.trim();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    value[..end].parse().ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    pub(crate) fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
            })
            .collect()
    }

    const NOW: &str = "2026-11-20T10:00:00Z";

    fn secs(n: u64) -> Option<Duration> {
        Some(Duration::from_secs(n))
    }

    #[test]
    fn every_dialect_is_read() {
        let none = Advice::default();
        let table: &[(&[(&str, &str)], Advice)] = &[
            (&[], none),
            (&[("Retry-After", "120")], Advice { retry_after: secs(120), ..none }),
            (&[("Retry-After", "1.5")], Advice { retry_after: Some(Duration::from_millis(1500)), ..none }),
            (&[("Retry-After", "Fri, 20 Nov 2026 10:01:00 GMT")], Advice { retry_after: secs(60), ..none }),
            (&[("Retry-After", "Fri Nov 20 10:01:00 2026")], Advice { retry_after: secs(60), ..none }),
            (&[("Retry-After", "Fri, 20 Nov 2026 09:00:00 GMT")], Advice { retry_after: secs(0), ..none }),
            (&[("RetryAfter", "7")], Advice { retry_after: secs(7), ..none }),
            (&[("X-RateLimit-RetryAfter", "1795168805")], Advice { retry_after: secs(5), ..none }),
            (
                &[("Retry-After", "soon"), ("RetryAfter", "3"), ("X-RateLimit-RetryAfter", "9")],
                Advice { retry_after: secs(3), ..none },
            ),
            (
                &[("RateLimit", "limit=300, remaining=12, reset=34"), ("RateLimit-Policy", "300;w=60")],
                Advice { limit: Some(300), remaining: Some(12), reset: secs(34), window: secs(60), ..none },
            ),
            (
                &[("RateLimit", "\"burst\";r=50;t=3, \"day\";r=7;t=3600")],
                Advice { remaining: Some(7), reset: secs(3600), ..none },
            ),
            (
                &[("RateLimit", "\"burst\";r=0;t=3, \"day\";r=0;t=3600, \"hour\";r=0;t=60")],
                Advice { remaining: Some(0), reset: secs(3600), ..none },
            ),
            (
                &[("RateLimit-Policy", "\"default\";q=100;w=10")],
                Advice { limit: Some(100), window: secs(10), ..none },
            ),
            (&[("RateLimit-Policy", "10;w=1, 300;w=60")], none),
            (
                &[
                    ("RateLimit-Limit", "300, 300;w=60"),
                    ("RateLimit-Remaining", "0"),
                    ("RateLimit-Reset", "5"),
                ],
                Advice { limit: Some(300), remaining: Some(0), reset: secs(5), ..none },
            ),
            (
                &[
                    ("X-RateLimit-Limit", "300"),
                    ("X-RateLimit-Remaining", "299"),
                    ("X-RateLimit-Reset", "1795168830"),
                ],
                Advice { limit: Some(300), remaining: Some(299), reset: secs(30), ..none },
            ),
            (&[("X-RateLimit-Reset", "1795168830000")], Advice { reset: secs(30), ..none }),
            (&[("X-RateLimit-Reset", "2026-11-20T10:00:30Z")], Advice { reset: secs(30), ..none }),
            (
                &[("X-Rate-Limit-Remaining", "4"), ("X-Rate-Limit-Reset", "1")],
                Advice { remaining: Some(4), reset: secs(1), ..none },
            ),
            (
                &[("X-RateLimit-Remaining-Month", "0"), ("X-RateLimit-Limit-Month", "100000")],
                Advice { remaining_month: Some(0), ..none },
            ),
            // The server's own clock counts, not ours.
            (
                &[("Date", "Fri, 20 Nov 2026 10:00:20 GMT"), ("X-RateLimit-Reset", "1795168830")],
                Advice { reset: secs(10), ..none },
            ),
            // A clock that was never set is none.
            (
                &[("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("X-RateLimit-Reset", "1795168830")],
                Advice { reset: secs(30), ..none },
            ),
        ];
        let wall: Timestamp = NOW.parse().unwrap();
        for (lines, expected) in table {
            assert_eq!(Advice::read(&headers(lines), wall), *expected, "{lines:?}");
        }
    }

    #[test]
    fn nonsense_is_ignored_and_huge_values_do_not_overflow() {
        let wall: Timestamp = NOW.parse().unwrap();
        let names = RETRY_AFTER.iter().chain(&LIMIT).chain(&REMAINING).chain(&RESET).chain(&REMAINING_MONTH);
        for name in names.chain(&["ratelimit", "ratelimit-policy", "date"]) {
            for value in [
                "",
                "-1",
                "NaN",
                "inf",
                "1e9",
                "+5",
                "é",
                ";;;",
                "=,=;=",
                "limit=, r=;t=-1",
                "99:99",
                "\u{1}",
            ] {
                let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
                let headers = HeaderMap::from_iter([(HeaderName::try_from(*name).unwrap(), value.clone())]);
                let advice = Advice::read(&headers, wall);
                let read = Advice { limit: None, remaining: None, remaining_month: None, ..advice };
                assert_eq!(read, Advice::default(), "{name}: {value:?}");
            }
        }
        let nines = "9".repeat(400);
        for name in ["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Remaining", "RateLimit-Limit"] {
            assert_eq!(Advice::read(&headers(&[(name, &nines)]), wall), Advice::default());
        }
        let long = Advice::read(&headers(&[("Retry-After", "999999999")]), wall);
        assert_eq!(long.retry_after, secs(366 * 86_400));
    }
}
