//! What polling costs, held against what Postman grants in a month. The answers' `RateLimit-Remaining-Month` is what
//! counts; this is what can be said before the first request.

use std::time::Duration;

use http_client::{Url, is_loopback};
use settings::{HumanDuration, Invalid};

const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// The smallest monthly quota of calls that is reported of an Enterprise plan, the only kind that has audit logs. Postman's
/// documentation names no number; contracts differ.
const SMALLEST: u64 = 1_000_000;

/// Requests in a month when little happens: each poll and each re-sweep finds one page. A re-sweep is begun by a poll.
fn calls(poll_interval: Duration, resweep_every: Duration) -> u64 {
    let times = |every: Duration| (MONTH.as_secs_f64() / every.as_secs_f64()) as u64;
    times(poll_interval).saturating_add(times(resweep_every.max(poll_interval)))
}

/// For people: `about 43,920 requests a month when little happens: 4.4% of …`.
pub(crate) fn cost(poll_interval: Duration, resweep_every: Duration) -> String {
    let calls = calls(poll_interval, resweep_every);
    format!(
        "about {} requests a month when little happens: {:.1}% of {}, the smallest quota reported of an Enterprise plan",
        grouped(calls),
        calls as f64 * 100.0 / SMALLEST as f64,
        grouped(SMALLEST)
    )
}

/// What would use up the smallest quota before the month is over. A server on this machine has none of Postman's.
pub(crate) fn doubt(url: &str, poll_interval: Duration, resweep_every: Duration) -> Option<Invalid> {
    if poll_interval.is_zero() || Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
        return None;
    }
    let calls = calls(poll_interval, resweep_every);
    if calls <= SMALLEST {
        return None;
    }
    let fits = |interval: &Duration| self::calls(*interval, resweep_every) <= SMALLEST;
    let interval = (1..).map(Duration::from_secs).find(fits)?;
    let message = format!(
        "costs about {} requests a month even when little happens, more than {}, the smallest quota reported of an \
         Enterprise plan",
        grouped(calls),
        grouped(SMALLEST)
    );
    let remedy = format!(
        "write `{}` or more, unless the team's quota is larger: Postman shows it under Resource Usage",
        HumanDuration::from(interval)
    );
    Some(Invalid::new("poll_interval", message, remedy))
}

/// `43,920`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    const API: &str = "https://api.getpostman.com";

    #[test]
    fn polls_and_re_sweeps_are_held_against_the_plans_that_have_audit_logs() {
        assert_eq!(
            cost(60 * SECOND, HOUR),
            "about 43,920 requests a month when little happens: 4.4% of 1,000,000, the smallest quota reported of an \
             Enterprise plan"
        );
        // A re-sweep waits for the next poll.
        assert_eq!((calls(HOUR, SECOND), calls(HOUR, HOUR), calls(HOUR, 24 * HOUR)), (1440, 1440, 750));
    }

    #[test]
    fn what_the_smallest_quota_does_not_cover_is_doubted_with_the_interval_that_fits() {
        for (poll, every, fitting) in [
            (60 * SECOND, HOUR, None),
            (3 * SECOND, HOUR, None),
            (2 * SECOND, HOUR, Some("`3s`")),
            (SECOND, HOUR, Some("`3s`")),
            (SECOND, SECOND, Some("`6s`")),
            (3 * SECOND, 10 * SECOND, Some("`4s`")),
        ] {
            let doubt = doubt(API, poll, every);
            assert_eq!(doubt.is_some(), fitting.is_some(), "{poll:?} {every:?}: {doubt:?}");
            if let (Some(doubt), Some(fitting)) = (doubt, fitting) {
                assert_eq!(doubt.path, "poll_interval");
                assert!(doubt.remedy.contains(fitting), "{poll:?} {every:?}: {doubt:?}");
                assert!(doubt.message.contains("more than 1,000,000"), "{doubt:?}");
            }
        }
        assert!(doubt("http://127.0.0.1:8123", SECOND, HOUR).is_none());
        assert!(doubt(API, Duration::ZERO, HOUR).is_none(), "an error already");
    }
}
