//! What went wrong, and what the runtime does next.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use pipeline::{Reason, SinkError, Timestamp};
use reqwest::Url;

use super::policy::moved;
use super::{Hidden, Keys};
use crate::advice::Advice;
use crate::client::Answer;
use crate::endpoint::origin;
use crate::error::HttpError;
use crate::rate_limit::LONGEST_WAIT;

/// Characters of an answer's body that are kept.
const MOST_WORDS: usize = 500;

/// Parts of the URL from this length on may be tokens, and are not shown when the endpoint repeats them.
const LIKE_A_TOKEN: usize = 12;

/// An answer that is no success, in the endpoint's own words. One line, without control characters and secrets.
#[derive(Debug)]
pub struct Refusal {
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
    /// Reads the words of an answer from `url` to a request with the secrets `hidden`.
    pub fn read(url: &Url, answer: &Answer, hidden: &Hidden) -> Self {
        Self::in_words(url, answer.status.as_u16(), &String::from_utf8_lossy(&answer.body), hidden)
    }

    /// The same for a destination of which the words stand somewhere in the body.
    pub fn in_words(url: &Url, status: u16, words: &str, hidden: &Hidden) -> Self {
        let text = hidden.blotted(words);
        let words = without_url(text, url).trim().chars().take(MOST_WORDS).map(visible).collect();
        Self { server: origin(url), status, words }
    }

    /// Why an event was refused; `kind` is [`Reason::kind`].
    pub fn reason(self, kind: &'static str) -> Reason {
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
pub fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let advice = Advice::read(&answer.headers, now);
    let until_reset = if answer.status.as_u16() == 429 { advice.reset } else { None };
    advice.retry_after.or(until_reset).map(|wait| wait.min(LONGEST_WAIT))
}

/// Sorts what kept a request from being answered. Unless nothing went out, the destination may have taken the events:
/// they come again.
pub fn of_http_error(error: HttpError, keys: &Keys) -> SinkError {
    let remedy = match &error {
        HttpError::Redirect { .. } => Some(moved(keys)),
        HttpError::Protocol { .. } => {
            let url = keys.url;
            Some(format!("check scheme, host, port and path of {url}: no HTTP endpoint answers there"))
        }
        error => error.remedy(),
    };
    match remedy {
        Some(remedy) => SinkError::Paused { reason: error.kind(), remedy, source: error.into() },
        None => SinkError::Transient { retry_after: None, source: error.into() },
    }
}

/// The same where a configuration is checked: whoever does that has most likely written down a wrong address, and is
/// told what to look at also where the failure may pass by itself.
pub fn as_found(error: HttpError, keys: &Keys) -> SinkError {
    match error.suspicion() {
        Some(remedy) => SinkError::Paused { reason: error.kind(), remedy, source: error.into() },
        None => of_http_error(error, keys),
    }
}

/// The error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
