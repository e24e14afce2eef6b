//! What went wrong, and what the runtime does next.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use http_client::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use http_client::{Advice, HttpError, LONGEST_WAIT};
use pipeline::{SinkError, Timestamp};

use crate::policy::{self, Class};

/// Characters of an answer's words that are kept.
const MOST_WORDS: usize = 500;

/// Why a request was not granted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// An object of this key is there.
    AlreadyThere,
    /// The object is too large.
    TooLarge(Told),
    /// The store does not know something that the request asks for.
    NotImplemented(Told),
    /// It does not accept the credentials, or there are none.
    Credentials(SinkError),
    /// All others.
    Failed(SinkError),
}

/// What happened, in one line without secrets: the SDK's own errors carry whole requests and answers.
#[derive(Debug)]
pub(crate) struct Told {
    words: String,
    /// What to look at first where the configuration is new, and why, although waiting may help as well.
    suspicion: Option<(&'static str, String)>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl Error for Told {}

impl Told {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self { words: words.into(), suspicion: None }
    }
}

/// The failure where a configuration is checked: whoever does that has most likely written down a wrong address, and is
/// told what to look at also where the failure may pass by itself.
pub(crate) fn as_found(error: SinkError) -> SinkError {
    let SinkError::Transient { source, .. } = &error else { return error };
    match source.downcast_ref::<Told>() {
        Some(Told { words, suspicion: Some((reason, remedy)) }) => {
            paused(reason, remedy.clone(), Told::new(words))
        }
        _ => error,
    }
}

/// Sorts what came of a request.
pub(crate) fn sort<E>(error: &SdkError<E, HttpResponse>, now: Timestamp) -> Refused
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (raw, code, message) = match error {
        SdkError::ServiceError(refusal) => (refusal.raw(), refusal.err().code(), refusal.err().message()),
        SdkError::ResponseError(answer) => (answer.raw(), None, None),
        other => return unanswered(other),
    };
    let status = raw.status().as_u16();
    let told = told(status, code, message);
    match policy::class(status, code) {
        // The answer to a success that cannot be read: whether the object is there shows at the next attempt.
        _ if raw.status().is_success() => Refused::Failed(transient(None, told)),
        Class::AlreadyThere => Refused::AlreadyThere,
        Class::Again => Refused::Failed(transient(retry_after(raw, now), told)),
        Class::TooLarge => Refused::TooLarge(told),
        Class::NotImplemented => Refused::NotImplemented(told),
        Class::Credentials => {
            Refused::Credentials(paused("authentication", policy::CREDENTIALS.to_owned(), told))
        }
        Class::Region => {
            let there = raw.headers().get("x-amz-bucket-region").filter(|name| name.len() < 64);
            let remedy = match there {
                Some(region) => format!("set `region` to {}, where the bucket is", visible(region)),
                None => "set `region` to the one that the bucket is in, and `endpoint` to a server of it"
                    .to_owned(),
            };
            Refused::Failed(paused("region", remedy, told))
        }
        Class::Paused { reason, remedy } => Refused::Failed(paused(reason, remedy.to_owned(), told)),
    }
}

fn told(status: u16, code: Option<&str>, message: Option<&str>) -> Told {
    let mut words = format!("store answers {status}");
    if let Some(code) = code {
        words = format!("{words} {}", visible(code));
    }
    if let Some(message) = message.map(str::trim).filter(|message| !message.is_empty()) {
        words = format!("{words}: {}", visible(message));
    }
    Told::new(words)
}

/// There was no answer: no credentials, no connection, no time.
fn unanswered(error: &(dyn Error + 'static)) -> Refused {
    let http = causes(error).find_map(|cause| cause.downcast_ref::<HttpError>());
    let credentials = causes(error).find_map(|cause| cause.downcast_ref::<CredentialsError>());
    match (credentials, http) {
        (Some(none @ CredentialsError::CredentialsNotLoaded(_)), _) => {
            let remedy = "write `credentials`, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this pod or instance a role: \
                          no credentials were found";
            Refused::Credentials(paused("authentication", remedy.to_owned(), chain(none)))
        }
        (_, Some(http)) => Refused::Failed(of_http_error(http)),
        (Some(late @ CredentialsError::ProviderTimedOut(_)), _) => {
            Refused::Failed(transient(None, chain(late)))
        }
        (Some(failed), None) => {
            let remedy =
                "see to what `credentials` or the environment name: credentials cannot be had from it";
            Refused::Credentials(paused("authentication", remedy.to_owned(), chain(failed)))
        }
        (None, None) => Refused::Failed(transient(None, chain(error))),
    }
}

/// Sorts what kept a request from being answered. Unless nothing went out, the store may have taken the object: the next
/// attempt has the same key.
pub(crate) fn of_http_error(error: &HttpError) -> SinkError {
    let remedy = match error {
        HttpError::Redirect { to, .. } => Some(format!(
            "set `region` to the one that the bucket is in, and `endpoint` to its server: the store sends us to {to}"
        )),
        HttpError::Protocol { .. } => {
            Some("check scheme, host and port of `endpoint`: no store answers there".to_owned())
        }
        error => error.remedy(),
    };
    match remedy {
        Some(remedy) => paused(error.kind(), remedy, chain(error)),
        None => {
            let suspicion = error.suspicion().map(|remedy| (error.kind(), remedy));
            transient(None, Told { suspicion, ..chain(error) })
        }
    }
}

pub(crate) fn transient(retry_after: Option<Duration>, told: Told) -> SinkError {
    SinkError::Transient { retry_after, source: told.into() }
}

pub(crate) fn paused(reason: &'static str, remedy: String, told: Told) -> SinkError {
    SinkError::Paused { reason, remedy, source: told.into() }
}

/// What the store asks to wait; not longer than is sensible.
fn retry_after(raw: &HttpResponse, now: Timestamp) -> Option<Duration> {
    let value = HeaderValue::try_from(raw.headers().get("retry-after")?).ok()?;
    let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
    Advice::read(&headers, now).retry_after.map(|wait| wait.min(LONGEST_WAIT))
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The error and its causes in one line; layers that only repeat the one below say nothing.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> Told {
    let mut words: Vec<String> = causes(error).map(ToString::to_string).collect();
    words.dedup();
    Told::new(visible(&words.join(": ")))
}

/// The first few hundred characters, control characters as their escapes, so that a log line stays one; also those that
/// turn the writing around it.
fn visible(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown =
        |c: char| if c.is_control() || turns(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().take(MOST_WORDS).map(shown).collect()
}

#[cfg(test)]
mod tests;
