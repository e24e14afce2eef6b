//! What went wrong, and what the runtime does next.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http_client::{Advice, Answer, HttpError, LONGEST_WAIT, Url, origin};
use pipeline::{Reason, SinkError, Timestamp};

use crate::policy::MOVED;
use crate::secrets::Prepared;

/// Characters of an answer's body that are kept.
const MOST_WORDS: usize = 500;

/// Parts of the URL from this length on may be tokens, and are not shown when the endpoint repeats them.
const LIKE_A_TOKEN: usize = 12;

/// Why a delivery was not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It is too large.
    TooLarge(Refusal),
    /// Its content is not what the endpoint takes; [`Reason::kind`].
    Content(&'static str, Refusal),
    /// It says nothing about the events.
    Failed(SinkError),
}

/// An answer that is no success, in the endpoint's own words. One line, without control characters and secrets.
#[derive(Debug)]
pub(crate) struct Refusal {
    server: String,
    status: u16,
    words: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers {}", self.server, self.status)?;
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}

impl Error for Refusal {}

impl Refusal {
    /// Reads the words of an answer from `url` to a request with these credentials.
    pub(crate) fn read(url: &Url, answer: &Answer, credentials: &Prepared) -> Self {
        let text = credentials.blotted(&String::from_utf8_lossy(&answer.body));
        let words = without_url(text, url).trim().chars().take(MOST_WORDS).map(visible).collect();
        Self { server: origin(url), status: answer.status.as_u16(), words }
    }

    /// Why an event was refused.
    pub(crate) fn reason(self, kind: &'static str) -> Reason {
        let status = self.status;
        let detail = match self.words {
            words if words.is_empty() => format!("status {status}"),
            words => format!("status {status}: {words}"),
        };
        Reason { kind, detail: detail.into() }
    }
}

/// Path and query often hold a token, and error pages like to repeat them.
fn without_url(text: String, url: &Url) -> String {
    let segments = url.path_segments().into_iter().flatten();
    let mut hidden: Vec<&str> = segments.filter(|segment| segment.len() >= LIKE_A_TOKEN).collect();
    hidden.extend(Some(url.path()).filter(|path| path.len() >= LIKE_A_TOKEN));
    hidden.extend(url.query().filter(|query| !query.is_empty()));
    hidden.extend(url.query().into_iter().flat_map(|query| query.split('&')).filter_map(|pair| {
        let (_, value) = pair.split_once('=')?;
        (value.len() >= LIKE_A_TOKEN).then_some(value)
    }));
    hidden.sort_by_key(|hidden| std::cmp::Reverse(hidden.len()));
    hidden.iter().fold(text, |text, hidden| text.replace(hidden, "…"))
}

/// Control characters as their escapes, so that a log line stays one; also those that turn the writing around it.
fn visible(c: char) -> String {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns { c.escape_default().to_string() } else { c.to_string() }
}

/// What the endpoint asks to wait, in whatever way; not longer than is sensible.
pub(crate) fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let advice = Advice::read(&answer.headers, now);
    let until_reset = if answer.status.as_u16() == 429 { advice.reset } else { None };
    advice.retry_after.or(until_reset).map(|wait| wait.min(LONGEST_WAIT))
}

/// Sorts what kept a request from being answered. Unless nothing went out, the endpoint may have taken the events: the
/// next attempt has the same id.
pub(crate) fn of_http_error(error: HttpError) -> SinkError {
    let remedy = match &error {
        HttpError::Redirect { .. } => Some(MOVED.to_owned()),
        HttpError::Protocol { .. } => {
            Some("check scheme, host, port and path of `url`: no HTTP endpoint answers there".to_owned())
        }
        error => error.remedy(),
    };
    match remedy {
        Some(remedy) => SinkError::Paused { reason: error.kind(), remedy, source: error.into() },
        None => SinkError::Transient { retry_after: None, source: error.into() },
    }
}

impl From<HttpError> for Refused {
    fn from(error: HttpError) -> Self {
        Self::Failed(of_http_error(error))
    }
}

/// The error and its causes in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
