//! What follows when there is no page.
//!
//! | what came | the walk | the source |
//! |---|---|---|
//! | 401 | waits | paused `authentication`; tries again at once when a secret's file holds another one |
//! | 402, 403 | waits | paused `permission`; the same |
//! | an error of kind `plan` | waits | paused `plan`; the same |
//! | an error of kind `retention` | begins later, with a gap | goes on |
//! | an error of kind `cursor`; other 4xx, with a cursor | starts over | back-off |
//! | 400, 422, an error of kind `request`, without a cursor, or before any page was had | waits | writes the edges in another form if there is one, then paused `request` |
//! | other 4xx and 3xx, without a cursor | waits | paused `request` |
//! | redirect to another origin, no trust in the certificate, proxy login | waits | paused `redirect`, `tls`, `proxy` |
//! | 429, an error of kind `rate_limit` | waits | waits as told |
//! | an error of kind `quota` | waits | paused `quota` |
//! | 408, 504, 524, no answer in time | smaller windows | back-off |
//! | other 5xx, reset, cut, not HTTP, not JSON | tried again after the others | back-off |
//! | a page that the description does not fit, before one that it fits | tried again after the others | paused `description` |
//! | the same, later | tried again after the others | back-off |
//! | a page that may leave out records of one moment (`paging.bound`) | starts over | back-off |
//! | larger than the cap | the same, with smaller pages; paused `record_too_large` at one record a page | back-off |
//! | no name, no connection | waits | back-off |
//! | no token | waits | paused `authentication`, or back-off |

use std::time::Duration;

use http_client::delivery::Hidden;
use http_client::{Answer, HttpError, MONTHLY_QUOTA_WAIT, TimedOut};
use pipeline::{BoxError, SourceError, Timestamp};
use poll::Failure;

use crate::account::NoAnswer;
use crate::describe::ErrorKind;
use crate::page::NotAPage;
use crate::refusal::Refusal;
use crate::vendor::Voice;

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
    /// A quota is used up: tell the limiter, then the error.
    Quota(SourceError),
    /// The credential is refused: look for another, else the error.
    OtherCredential(SourceError),
    /// The time filter may be refused for its form: write it in another one, else the error.
    OtherForm(SourceError),
    /// Ask for smaller pages, else the error.
    SmallerPages(SourceError),
    /// The error.
    Fail(SourceError),
}

/// A walk that has to begin later does so without a failure being counted; not quicker than this, as it may take many steps.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paged {
    /// A first page.
    First,
    /// A later page, while the form of the time filter has not led to any page yet: a process that begins in the middle of a walk.
    LaterInAForm,
    /// A later page.
    Later,
}

/// For an answer that says that it is no page. `wait`: how long the limiter, which knows the
/// answer, lets nothing out.
pub(crate) fn of_refusal(
    refusal: Refusal,
    server_time: Option<Timestamp>,
    paged: Paged,
    wait: Duration,
    voice: &Voice,
) -> Verdict {
    let walk = |failure, then| Verdict { failure: Some(failure), server_time, then };
    let waits = |then| Verdict { failure: None, server_time, then };
    let retry_after = (!wait.is_zero()).then_some(wait);
    let own = refusal.remedy.clone();
    let remedy = |usual: &str| own.unwrap_or_else(|| usual.to_owned());
    match refusal.kind {
        ErrorKind::Authentication => {
            let usual =
                "write a valid credential into `auth`: the API does not know this one, or it was revoked";
            waits(Then::OtherCredential(paused("authentication", remedy(usual), None, refusal)))
        }
        ErrorKind::Permission => {
            let usual = "give the credential in `auth` the right to read the audit log: it is known, but may not; some \
                         plans have no audit log";
            waits(Then::OtherCredential(paused("permission", remedy(usual), None, refusal)))
        }
        ErrorKind::Plan => {
            let usual = "the account's plan has no audit log, or none at this `url`: ask the account's owner";
            waits(Then::OtherCredential(paused("plan", remedy(usual), None, refusal)))
        }
        ErrorKind::Retention => walk(Failure::BeforeRetention, Then::Wait(AT_ONCE)),
        ErrorKind::RateLimit => waits(Then::RateLimited(refusal.retry_at)),
        ErrorKind::Quota => {
            let (reason, usual) = voice.quota;
            waits(Then::Quota(paused(reason, remedy(usual), Some(MONTHLY_QUOTA_WAIT), refusal)))
        }
        ErrorKind::Timeout => walk(Failure::TimedOut, Then::Fail(transient_after(retry_after, refusal))),
        ErrorKind::Unavailable => walk(Failure::Other, Then::Fail(transient_after(retry_after, refusal))),
        ErrorKind::Cursor => walk(Failure::CursorUnknown, Then::Fail(transient(refusal))),
        ErrorKind::Request => {
            let may_be_the_form = refusal.rule.is_some() || matches!(refusal.status.as_u16(), 400 | 422);
            match paged {
                Paged::First => {}
                Paged::LaterInAForm if may_be_the_form => return waits(Then::OtherForm(transient(refusal))),
                Paged::LaterInAForm | Paged::Later => {
                    return walk(Failure::CursorUnknown, Then::Fail(transient(refusal)));
                }
            }
            let error = paused("request", remedy(voice.request), None, refusal);
            waits(if may_be_the_form { Then::OtherForm(error) } else { Then::Fail(error) })
        }
    }
}

/// For a request without an answer.
pub(crate) fn of_no_answer(no_answer: NoAnswer, hidden: &Hidden, voice: &Voice) -> Verdict {
    match no_answer {
        NoAnswer::Http(error) => of_http_error(error),
        NoAnswer::Limited { wait, quota } => of_limit(wait, quota, voice),
        NoAnswer::Token { answer, server } => of_token(&answer, &server, hidden),
        NoAnswer::NoToken { server } => {
            let remedy = "check `auth.oauth2.token_url`: what answers there gives out no tokens";
            let error =
                paused("authentication", remedy, None, format!("answer of {server} has no `access_token`"));
            Verdict { failure: None, server_time: None, then: Then::Fail(error) }
        }
    }
}

/// For a refusal of the place that gives out tokens.
fn of_token(answer: &Answer, server: &str, hidden: &Hidden) -> Verdict {
    let refusal = Refusal::read(answer, &[], hidden, &Voice::DESCRIBED);
    let words = refusal.map(|refusal| refusal.to_string()).unwrap_or_default();
    let source = format!("no token from {server}: {}", words.replacen("the API answers", "it answers", 1));
    let status = answer.status.as_u16();
    let then = if status == 429 || status >= 500 || status == 408 {
        Then::Fail(transient(source))
    } else {
        let remedy = "check `auth.oauth2`: the client, its secret, or its grant is not accepted";
        Then::OtherCredential(paused("authentication", remedy, None, source))
    };
    Verdict { failure: None, server_time: None, then }
}

fn of_http_error(error: HttpError) -> Verdict {
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

/// For a success that is no page. `proven`: the description has fitted a page before.
pub(crate) fn of_unreadable(
    error: NotAPage,
    server_time: Option<Timestamp>,
    proven: bool,
    voice: &Voice,
) -> Verdict {
    // Read from its start, the window may have newer records, which show whether the page was all.
    let failure = if matches!(error, NotAPage::Crowded(_)) { Failure::CursorUnknown } else { Failure::Other };
    let error = match error {
        error if !voice.names_keys => transient(error.without_keys()),
        error if error.is_description() && !proven => wrong_description(error),
        error => transient(error),
    };
    Verdict { failure: Some(failure), server_time, then: Then::Fail(error) }
}

/// The description does not fit the API.
pub(crate) fn wrong_description(source: impl Into<BoxError>) -> SourceError {
    let remedy = "correct the description of the API: the key to change is named in the error";
    paused("description", remedy, None, source)
}

fn of_limit(wait: Duration, quota: bool, voice: &Voice) -> Verdict {
    let then = if quota {
        let (reason, remedy) = voice.quota;
        Then::Fail(paused(reason, remedy, Some(wait), voice.quota_used_up()))
    } else {
        Then::Wait(wait)
    };
    Verdict { failure: None, server_time: None, then }
}

/// `check` has no time to wait.
pub(crate) fn not_now(wait: Duration, voice: &Voice) -> SourceError {
    let source = format!("{} asks to come again later", voice.api).into();
    SourceError::Transient { retry_after: Some(wait), source }
}

/// While it runs, Towpath asks again by itself after these failures. Whoever checks a configuration has most likely written
/// down a wrong address or description, and is told what to look at. `sized`: pages can be asked for with fewer records.
pub(crate) fn of_check(error: SourceError, sized: bool, voice: &Voice) -> SourceError {
    let SourceError::Transient { retry_after, source } = error else { return error };
    let suspicion = match source.downcast_ref::<HttpError>() {
        Some(HttpError::TooLarge { .. }) => return record_too_large(source, sized),
        Some(error) => error.suspicion().map(|remedy| (error.kind(), remedy)),
        None => match source.downcast_ref::<NotAPage>() {
            Some(error) if error.is_description() && voice.names_keys => return wrong_description(source),
            Some(_) => Some(("no_page", voice.no_page.to_owned())),
            None => None,
        },
    };
    match suspicion {
        Some((reason, remedy)) => SourceError::Paused { reason, remedy, retry_after, source },
        None => SourceError::Transient { retry_after, source },
    }
}

/// A page of the fewest records passes the cap. `sized`: that is one record.
pub(crate) fn record_too_large(source: BoxError, sized: bool) -> SourceError {
    let remedy = if sized {
        "one record is larger than a page may be: raise `limits.in_flight`; the rest is collected meanwhile"
    } else {
        "one page is larger than may be held: raise `limits.in_flight`, or write `paging.page_size`, so that fewer records can \
         be asked for; the rest is collected meanwhile"
    };
    SourceError::Paused { reason: "record_too_large", remedy: remedy.into(), retry_after: None, source }
}

pub(crate) fn transient(source: impl Into<BoxError>) -> SourceError {
    transient_after(None, source)
}

fn transient_after(retry_after: Option<Duration>, source: impl Into<BoxError>) -> SourceError {
    SourceError::Transient { retry_after, source: source.into() }
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
mod tests;
