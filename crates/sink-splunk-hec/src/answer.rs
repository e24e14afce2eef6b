//! From an answer to what the runtime does next.

use std::time::{Duration, SystemTime};

use http_client::delivery::{Class, Keys, Refusal, class, retry_after};
use http_client::{Answer, Url};
use pipeline::{BoxError, Reason, SinkError, Timestamp};
use serde::Deserialize;

use crate::code::{Meaning, meaning};
use crate::config::Prepared;

/// What the keys are called that a remedy names.
pub(crate) const KEYS: Keys =
    Keys { url: "`url`", credentials: "`token`", request: "`compression` and `acknowledgements`" };

/// The same for questions after acknowledgements, which some that speak the protocol do not answer.
pub(crate) const ACK_KEYS: Keys = Keys { url: "`url`, and whether `acknowledgements` can be had", ..KEYS };

/// Pause before the next write when Splunk says that it is near to what it can take.
const NEARLY_FULL: Duration = Duration::from_secs(2);

/// What HTTP Event Collector answers.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Said {
    #[serde(default)]
    text: String,
    /// There in every answer to events; not in one to a question for acknowledgements.
    pub(crate) code: Option<u16>,
    /// Which event is at fault, counted from 0.
    #[serde(default, rename = "invalid-event-number")]
    invalid_event: Option<u32>,
    /// By which the events' acknowledgement is asked for.
    #[serde(default, rename = "ackId")]
    ack_id: Option<u64>,
}

impl Said {
    /// `None` when something else answers, such as a proxy or a login page.
    pub(crate) fn read(answer: &Answer) -> Option<Self> {
        serde_json::from_slice(&answer.body).ok()
    }
}

/// Events that Splunk has taken, so far in memory.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) ack_id: Option<u64>,
    pub(crate) slow_down: Option<Duration>,
}

/// Why they were not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// One event is at fault.
    Event(u32, Reason),
    /// The channel is not known.
    Channel(BoxError),
    /// Another reason; whether it may lie in the token.
    Failed(SinkError, bool),
}

/// What follows from an answer of `url` to `sent` events.
pub(crate) fn consequence(
    url: &Url,
    answer: &Answer,
    sent: usize,
    credentials: &Prepared,
    keys: &Keys,
) -> Result<Taken, NotTaken> {
    let said = Said::read(answer).unwrap_or_default();
    let status = answer.status.as_u16();
    let of_token = matches!(status, 401 | 403) || matches!(said.code, Some(1..=4 | 21 | 22));
    let refusal = || refusal(url, answer, &said, credentials);
    let failed = |error| Err(NotTaken::Failed(error, of_token));
    let paused =
        |reason, remedy: String| failed(SinkError::Paused { reason, remedy, source: refusal().into() });
    let again = || failed(SinkError::Transient { retry_after: asked_wait(answer), source: refusal().into() });
    match said.code.and_then(meaning) {
        // A success in words alone, with the status of a failure, is none.
        Some(Meaning::Taken) if answer.status.is_success() => {
            Ok(Taken { ack_id: said.ack_id, slow_down: None })
        }
        Some(Meaning::TakenNearlyFull) if answer.status.is_success() => {
            Ok(Taken { ack_id: said.ack_id, slow_down: asked_wait(answer).or(Some(NEARLY_FULL)) })
        }
        Some(Meaning::Again) => again(),
        Some(Meaning::Event(kind)) => match said.invalid_event.filter(|event| (*event as usize) < sent) {
            Some(event) => Err(NotTaken::Event(event, refusal().reason(kind))),
            None => failed(SinkError::Rejected { reason: refusal().reason(kind) }),
        },
        Some(Meaning::Channel) => Err(NotTaken::Channel(refusal().into())),
        Some(Meaning::Paused { reason, remedy }) => paused(reason, remedy.to_owned()),
        Some(Meaning::Taken | Meaning::TakenNearlyFull) | None => match class(status, keys) {
            // Whole JSON is small: what is empty or begins like it and does not end was cut.
            Class::Taken
                if answer.body.is_empty() || (said.code.is_none() && answer.body.starts_with(b"{")) =>
            {
                again()
            }
            Class::Taken => paused(
                "protocol",
                "check `url`: what answers there is no HTTP Event Collector as Towpath knows it".to_owned(),
            ),
            Class::Again => again(),
            Class::TooLarge if sent > 1 => failed(SinkError::TooLarge(refusal().into())),
            Class::TooLarge => failed(SinkError::Rejected { reason: refusal().reason("too_large") }),
            Class::Content("media_type") => paused(
                "unsupported",
                "set `compression: none`: what answers does not read compressed events".to_owned(),
            ),
            Class::Content(kind) => failed(SinkError::Rejected { reason: refusal().reason(kind) }),
            Class::Paused { reason, remedy } => paused(reason, remedy),
        },
    }
}

/// The words of an answer that is no success.
pub(crate) fn refusal(url: &Url, answer: &Answer, said: &Said, credentials: &Prepared) -> Refusal {
    match (said.code, said.text.as_str()) {
        (Some(code), text) => {
            let words = format!("{text} (code {code})");
            Refusal::in_words(url, answer.status.as_u16(), &words, &credentials.hidden)
        }
        _ => Refusal::read(url, answer, &credentials.hidden),
    }
}

/// How long the answer asks to wait.
pub(crate) fn asked_wait(answer: &Answer) -> Option<Duration> {
    retry_after(answer, Timestamp::from_system(SystemTime::now()))
}
