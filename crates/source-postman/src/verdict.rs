//! What follows when there is no page.
//!
//! | what came | the walk | the source |
//! |---|---|---|
//! | 401 | waits | paused `authentication`; tries again at once when the key's file holds another key |
//! | 403, 402 | waits | paused `permission` or `plan` |
//! | 400 `cannot be older than` | begins later, with a gap | goes on |
//! | other 4xx, with a cursor | starts over | back-off |
//! | 400, 422, without a cursor | waits | writes `since` in the other form, then paused `request` |
//! | other 4xx and 3xx, without a cursor | waits | paused `request` |
//! | redirect to another origin, no trust in the certificate, proxy login | waits | paused `redirect`, `tls`, `proxy` |
//! | 429 | waits | waits as told |
//! | 429 `serviceLimitExhausted` | waits | paused `monthly_quota` |
//! | 408, 504, 524, no answer in time | smaller windows | back-off |
//! | other 5xx, reset, cut, not HTTP, not JSON, no `trails` | tried again after the others | back-off |
//! | larger than the cap | the same, with smaller pages; paused `record_too_large` at one record a page | back-off |
//! | no name, no connection | waits | back-off |

use std::time::Duration;

use http_client::{Answer, HttpError, MONTHLY_QUOTA_WAIT, TimedOut};
use pipeline::{BoxError, SourceError, Timestamp};
use poll::Failure;

use crate::page::NotAPage;
use crate::refusal::{Meaning, Refusal};

/// What follows, for the walk and for the source.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What the collector is told; nothing when the failure says nothing about the page.
    pub(crate) failure: Option<Failure>,
    /// The answer's `Date`, if there was an answer.
    pub(crate) server_time: Option<Timestamp>,
    /// What happens next.
    pub(crate) then: Then,
}

/// What happens next.
#[derive(Debug)]
pub(crate) enum Then {
    /// Ask again after so long.
    Wait(Duration),
    /// Too many requests: ask again when the limiter allows it, not before this moment of the server's clock.
    RateLimited(Option<Timestamp>),
    /// The month's quota is used up: tell the limiter, then the error.
    Quota(SourceError),
    /// The key is refused: look for another, else the error.
    OtherKey(SourceError),
    /// The time filter may be refused for its form: write it in the other one, else the error.
    OtherSinceFormat(SourceError),
    /// Ask for smaller pages, else the error.
    SmallerPages(SourceError),
    /// The error.
    Fail(SourceError),
}

/// What a refusal is judged by, besides itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    /// The request had a cursor.
    pub(crate) paged: bool,
    /// The URL is that of Postman's EU region.
    pub(crate) eu: bool,
    /// How long the limiter, which knows the answer, lets nothing out.
    pub(crate) wait: Duration,
    /// Must not show.
    pub(crate) key: &'a str,
}

/// For an answer whose status is no success.
pub(crate) fn of_refusal(answer: &Answer, now: Circumstances<'_>) -> Verdict {
    let refusal = Refusal::read(answer, now.key);
    let status = refusal.status.as_u16();
    let walk = |failure, then| Verdict { failure: Some(failure), server_time: answer.date, then };
    let waits = |then| Verdict { failure: None, server_time: answer.date, then };
    match refusal.meaning {
        Meaning::Authentication => {
            let other = if now.eu { "https://api.getpostman.com" } else { "https://api.eu.postman.com" };
            let remedy = format!(
                "put a valid key into `api_key`: Postman does not know this one, or it was revoked; if the team's data \
                 lives in the other region, set `url: {other}`"
            );
            waits(Then::OtherKey(paused("authentication", remedy, None, refusal)))
        }
        Meaning::Permission => {
            let remedy = "use the key of a Team Admin or Super Admin, or of a service account with the Team Admin role: \
                          this key is valid but may not read the audit log";
            waits(Then::OtherKey(paused("permission", remedy, None, refusal)))
        }
        Meaning::Plan => {
            let remedy = "audit logs need Postman's Enterprise plan, and `url` of the team's region: ask the team's owner";
            waits(Then::OtherKey(paused("plan", remedy, None, refusal)))
        }
        Meaning::BeforeRetention => walk(Failure::BeforeRetention, Then::Wait(AT_ONCE)),
        Meaning::RateLimited => waits(Then::RateLimited(refusal.retry_at)),
        Meaning::MonthlyQuota => {
            waits(Then::Quota(paused("monthly_quota", QUOTA_REMEDY, Some(MONTHLY_QUOTA_WAIT), refusal)))
        }
        Meaning::Unavailable => {
            let late = matches!(status, 408 | 504 | 524);
            let failure = if late { Failure::TimedOut } else { Failure::Other };
            let retry_after = (!now.wait.is_zero()).then_some(now.wait);
            let error = SourceError::Transient { retry_after, source: refusal.into() };
            walk(failure, Then::Fail(error))
        }
        Meaning::Request if now.paged => walk(Failure::CursorUnknown, Then::Fail(transient(refusal))),
        Meaning::Request => {
            let remedy = "check `url`: what answers there does not take the requests of Postman's API";
            let error = paused("request", remedy, None, refusal);
            waits(if matches!(status, 400 | 422) { Then::OtherSinceFormat(error) } else { Then::Fail(error) })
        }
    }
}

const QUOTA_REMEDY: &str = "the team's monthly API quota is used up: raise it in Postman, or wait for the next month; a \
                            longer `poll_interval` needs fewer calls";

/// A walk that has to begin later does so without a failure being counted; not quicker than this, as it may take many steps.
const AT_ONCE: Duration = Duration::from_millis(100);

/// For a request without an answer.
pub(crate) fn of_http_error(error: HttpError) -> Verdict {
    if let Some(remedy) = error.remedy() {
        let then = Then::Fail(paused(error.kind(), remedy, None, error));
        return Verdict { failure: None, server_time: None, then };
    }
    let failure = match &error {
        HttpError::Timeout { what: TimedOut::Connection, .. }
        | HttpError::Dns { .. }
        | HttpError::Connect { .. }
        | HttpError::Proxy { .. } => None,
        HttpError::Timeout { .. } => Some(Failure::TimedOut),
        _ => Some(Failure::Other),
    };
    let too_large = matches!(error, HttpError::TooLarge { .. });
    let error = transient(error);
    let then = if too_large { Then::SmallerPages(error) } else { Then::Fail(error) };
    Verdict { failure, server_time: None, then }
}

/// For a success that is no page.
pub(crate) fn of_unreadable(error: NotAPage, server_time: Option<Timestamp>) -> Verdict {
    Verdict { failure: Some(Failure::Other), server_time, then: Then::Fail(transient(error)) }
}

/// For a request that a rate limit held back.
pub(crate) fn of_limit(wait: Duration, monthly: bool) -> Verdict {
    let then = if monthly {
        Then::Fail(paused("monthly_quota", QUOTA_REMEDY, Some(wait), "Postman's monthly quota is used up"))
    } else {
        Then::Wait(wait)
    };
    Verdict { failure: None, server_time: None, then }
}

/// `check` has no time to wait.
pub(crate) fn not_now(wait: Duration) -> SourceError {
    SourceError::Transient { retry_after: Some(wait), source: "Postman asks to come again later".into() }
}

/// While it runs, Towpath asks again by itself after these failures. Whoever checks a configuration has most likely written
/// down a wrong address, and is told what to look at.
pub(crate) fn of_check(error: SourceError) -> SourceError {
    let SourceError::Transient { retry_after, source } = error else { return error };
    let suspicion = match source.downcast_ref::<HttpError>() {
        Some(HttpError::TooLarge { .. }) => return record_too_large(source),
        Some(error) => error.suspicion().map(|remedy| (error.kind(), remedy)),
        None if source.is::<NotAPage>() => Some(("no_page", NO_PAGE.to_owned())),
        None => None,
    };
    match suspicion {
        Some((reason, remedy)) => SourceError::Paused { reason, remedy, retry_after, source },
        None => SourceError::Transient { retry_after, source },
    }
}

const NO_PAGE: &str = "if it says so again, check `url` and `proxy`: something else than Postman's API answers, such as a login page";

/// A page of one record passes the cap.
pub(crate) fn record_too_large(source: BoxError) -> SourceError {
    let remedy =
        "one record is larger than a page may be: raise `limits.in_flight`; the rest is collected meanwhile";
    SourceError::Paused { reason: "record_too_large", remedy: remedy.into(), retry_after: None, source }
}

fn transient(source: impl Into<BoxError>) -> SourceError {
    SourceError::Transient { retry_after: None, source: source.into() }
}

fn paused(
    reason: &'static str,
    remedy: impl Into<String>,
    retry_after: Option<Duration>,
    source: impl Into<BoxError>,
) -> SourceError {
    SourceError::Paused { reason, remedy: remedy.into(), retry_after, source: source.into() }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_client::StatusCode;
    use http_client::header::HeaderMap;

    use super::*;

    /// What the walk and the source do, in a line.
    fn words(verdict: &Verdict) -> String {
        let error = |error: &SourceError| match error {
            SourceError::Transient { retry_after: None, .. } => "transient".to_owned(),
            SourceError::Transient { retry_after: Some(wait), .. } => format!("transient {}", wait.as_secs()),
            SourceError::Paused { reason, .. } => format!("paused {reason}"),
            other => format!("{other:?}"),
        };
        let then = match &verdict.then {
            Then::Wait(wait) => format!("wait {:?}", wait),
            Then::RateLimited(at) => format!("rate limited {at:?}"),
            Then::Quota(e) => format!("quota, {}", error(e)),
            Then::OtherKey(e) => format!("other key or {}", error(e)),
            Then::OtherSinceFormat(e) => format!("other form or {}", error(e)),
            Then::SmallerPages(e) => format!("smaller pages, {}", error(e)),
            Then::Fail(e) => error(e),
        };
        match verdict.failure {
            Some(failure) => format!("{failure:?}: {then}"),
            None => then,
        }
    }

    #[test]
    fn every_status_has_its_verdict_with_and_without_a_cursor() {
        let old = r#"{"error": {"message": "since cannot be older than 180 days"}}"#;
        let month = r#"{"error": {"name": "serviceLimitExhausted"}}"#;
        for (status, body, first, paged) in [
            (301, "", "paused request", "CursorUnknown: transient"),
            (400, "", "other form or paused request", "CursorUnknown: transient"),
            (400, old, "BeforeRetention: wait 100ms", "BeforeRetention: wait 100ms"),
            (401, "", "other key or paused authentication", "other key or paused authentication"),
            (402, "", "other key or paused plan", "other key or paused plan"),
            (403, "", "other key or paused permission", "other key or paused permission"),
            (404, "", "paused request", "CursorUnknown: transient"),
            (408, "", "TimedOut: transient", "TimedOut: transient"),
            (409, "", "paused request", "CursorUnknown: transient"),
            (410, "", "paused request", "CursorUnknown: transient"),
            (422, "", "other form or paused request", "CursorUnknown: transient"),
            (425, "", "Other: transient", "Other: transient"),
            (429, "", "rate limited None", "rate limited None"),
            (429, month, "quota, paused monthly_quota", "quota, paused monthly_quota"),
            (500, "", "Other: transient", "Other: transient"),
            (501, "", "Other: transient", "Other: transient"),
            (502, "", "Other: transient", "Other: transient"),
            (503, "", "Other: transient", "Other: transient"),
            (504, "", "TimedOut: transient", "TimedOut: transient"),
            (524, "", "TimedOut: transient", "TimedOut: transient"),
        ] {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                body: Bytes::from_static(body.as_bytes()),
                date: None,
            };
            let of = |paged, wait| {
                let circumstances = Circumstances { paged, eu: false, wait, key: "PMAK-1" };
                words(&of_refusal(&answer, circumstances))
            };
            assert_eq!(of(false, Duration::ZERO), first, "{status} {body}");
            assert_eq!(of(true, Duration::ZERO), paged, "{status} {body}");
            if status == 503 {
                assert_eq!(of(true, Duration::from_secs(9)), "Other: transient 9", "as its Retry-After says");
            }
        }
    }

    #[test]
    fn every_failure_of_a_request_has_its_verdict() {
        let server = || "https://api.getpostman.com".to_owned();
        let proxy = |wants_login| HttpError::Proxy {
            proxy: "http://p".to_owned(),
            server: server(),
            wants_login,
            source: "x".into(),
        };
        let late = |what| HttpError::Timeout { what, server: server(), after: Duration::from_secs(90) };
        for (error, expected) in [
            (HttpError::Setup { detail: String::new() }, "paused setup"),
            (HttpError::Dns { server: server(), source: "x".into() }, "transient"),
            (HttpError::Connect { server: server(), source: "x".into() }, "transient"),
            (proxy(true), "paused proxy"),
            (proxy(false), "transient"),
            (HttpError::Tls { server: server(), detail: String::new(), remedy: String::new() }, "paused tls"),
            (HttpError::Redirect { server: server(), to: String::new(), status: 302 }, "paused redirect"),
            (late(TimedOut::Connection), "transient"),
            (late(TimedOut::Answer), "TimedOut: transient"),
            (late(TimedOut::NextPiece), "TimedOut: transient"),
            (late(TimedOut::WholeBody), "TimedOut: transient"),
            (HttpError::Reset { server: server(), source: "x".into() }, "Other: transient"),
            (HttpError::Truncated { server: server(), received: 1 }, "Other: transient"),
            (HttpError::Protocol { server: server(), source: "x".into() }, "Other: transient"),
            (HttpError::Other { server: server(), source: "x".into() }, "Other: transient"),
            (HttpError::TooLarge { server: server(), cap: 1 }, "Other: smaller pages, transient"),
        ] {
            let shown = error.to_string();
            assert_eq!(words(&of_http_error(error)), expected, "{shown}");
        }
        assert_eq!(words(&of_unreadable(NotAPage::NoTrails, None)), "Other: transient");
        assert_eq!(words(&of_limit(Duration::from_secs(3), false)), "wait 3s");
        assert_eq!(words(&of_limit(Duration::from_secs(3), true)), "paused monthly_quota");
    }

    #[test]
    fn a_check_takes_no_page_for_a_wrong_address_and_trouble_for_trouble() {
        let paused_for =
            |source: BoxError| match of_check(SourceError::Transient { retry_after: None, source }) {
                SourceError::Paused { reason, .. } => Some(reason),
                SourceError::Transient { .. } => None,
                other => panic!("{other}"),
            };
        assert_eq!(paused_for(NotAPage::NoTrails.into()), Some("no_page"));
        let server = "https://api.getpostman.com".to_owned();
        assert_eq!(paused_for(HttpError::TooLarge { server, cap: 1 }.into()), Some("record_too_large"));
        assert_eq!(paused_for("Postman answers 503".into()), None);
    }
}
