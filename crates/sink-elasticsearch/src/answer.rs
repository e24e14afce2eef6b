//! From an answer to what the runtime does next.

use std::time::{Duration, SystemTime};

use http_client::delivery::{Class, Hidden, Keys, Refusal, class, retry_after};
use http_client::{Answer, Url};
use pipeline::{Outcome, SinkError, Timestamp};
use serde::Deserialize;

use crate::item::{Meaning, meaning, without_values};

/// What the keys are called that a remedy names.
pub(crate) const KEYS: Keys =
    Keys { url: "`urls`", credentials: "`auth`", request: "`flavor` and `compression`" };

/// What of an answer is asked for (Elasticsearch and OpenSearch, "Common options"): all that is read here.
/// Errors of a whole request come in full.
pub(crate) const FILTER: &str =
    "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store";

#[derive(Debug, Deserialize)]
struct Bulk {
    #[serde(default)]
    items: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    create: Item,
}

#[derive(Debug, Deserialize)]
struct Item {
    status: u16,
    #[serde(default)]
    error: Cause,
    /// `used` when the document went to the failure store of the data stream instead.
    #[serde(default)]
    failure_store: Option<String>,
}

/// An error's type and words.
#[derive(Debug, Default, Deserialize)]
struct Cause {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Failed {
    error: Cause,
}

impl Cause {
    fn words(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }

    /// In words that may be shown.
    fn shown(&self) -> String {
        match without_values(self.words()) {
            "" => self.kind.clone(),
            words => format!("{}: {words}", self.kind),
        }
    }
}

/// What became of the events, as the cluster tells it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    /// Of those taken: in the failure store.
    pub(crate) in_failure_store: usize,
}

/// What follows from an answer of `url` to `sent` events.
pub(crate) fn consequence(
    url: &Url,
    answer: &Answer,
    sent: usize,
    hidden: &Hidden,
) -> Result<Told, SinkError> {
    if !answer.status.is_success() {
        return Err(of_request(url, answer, sent, hidden));
    }
    let again = |words: String| {
        let refusal = Refusal::in_words(url, answer.status.as_u16(), &words, hidden);
        SinkError::Transient { retry_after: None, source: refusal.into() }
    };
    match serde_json::from_slice::<Bulk>(&answer.body) {
        Ok(bulk) if bulk.items.len() == sent => of_items(url, &bulk.items, answer, hidden),
        // Which of them it means is not known. All come again, and it knows those that it has.
        Ok(bulk) => Err(again(format!("tells of {} events, and {sent} were sent", bulk.items.len()))),
        Err(error) if error.is_eof() => Err(again("the answer is cut".to_owned())),
        Err(_) => Err(SinkError::Paused {
            reason: "protocol",
            remedy: "check `urls`: what answers there is neither Elasticsearch nor OpenSearch".to_owned(),
            source: Refusal::read(url, answer, hidden).into(),
        }),
    }
}

fn of_items(url: &Url, entries: &[Entry], answer: &Answer, hidden: &Hidden) -> Result<Told, SinkError> {
    let mut told = Told::default();
    let mut taken = 0;
    let (mut again, mut paused) = (None, None);
    for (index, Entry { create: item }) in (0u32..).zip(entries) {
        let refusal = || Refusal::in_words(url, item.status, &item.error.shown(), hidden);
        match meaning(item.status, &item.error.kind, item.error.words()) {
            Meaning::Taken => {
                taken += 1;
                told.in_failure_store += usize::from(item.failure_store.as_deref() == Some("used"));
            }
            Meaning::Known => {
                taken += 1;
                told.outcome.deduplicated += 1;
            }
            Meaning::Again => {
                told.outcome.retry.push(index);
                again.get_or_insert_with(refusal);
            }
            Meaning::Rejected(kind) => told.outcome.rejected.push((index, refusal().reason(kind))),
            Meaning::Paused { reason, remedy } => {
                told.outcome.retry.push(index);
                paused.get_or_insert_with(|| (reason, remedy, refusal()));
            }
        }
    }
    // What was taken does not come again. What then meets the same trouble alone says so.
    match (paused, again) {
        (Some((reason, remedy, source)), _) if taken == 0 => {
            Err(SinkError::Paused { reason, remedy: remedy.to_owned(), source: source.into() })
        }
        (None, Some(source)) if taken == 0 && told.outcome.rejected.is_empty() => {
            Err(SinkError::Transient { retry_after: asked_wait(answer), source: source.into() })
        }
        _ => Ok(told),
    }
}

/// What follows when the request as a whole was not taken.
pub(crate) fn of_request(url: &Url, answer: &Answer, sent: usize, hidden: &Hidden) -> SinkError {
    let status = answer.status.as_u16();
    let failed: Option<Failed> = serde_json::from_slice(&answer.body).ok();
    let refusal = match &failed {
        Some(Failed { error }) => Refusal::in_words(url, status, &error.shown(), hidden),
        None => Refusal::read(url, answer, hidden),
    };
    let again =
        |source: Refusal| SinkError::Transient { retry_after: asked_wait(answer), source: source.into() };
    let kind = failed.as_ref().map_or("", |failed| failed.error.kind.as_str());
    if matches!(status, 406 | 415) || kind == "media_type_header_exception" {
        let remedy =
            "set `flavor` to what answers there: `elasticsearch` (8 or later) or `opensearch`".to_owned();
        return SinkError::Paused { reason: "flavor", remedy, source: refusal.into() };
    }
    if let Some(Failed { error }) = &failed {
        match meaning(status, kind, error.words()) {
            Meaning::Again => return again(refusal),
            Meaning::Paused { reason, remedy } if reason != "unsupported" => {
                return SinkError::Paused { reason, remedy: remedy.to_owned(), source: refusal.into() };
            }
            _ => {}
        }
    }
    match class(status, &KEYS) {
        // Not called for one.
        Class::Taken | Class::Again => again(refusal),
        Class::TooLarge if sent > 1 => SinkError::TooLarge(refusal.into()),
        Class::TooLarge => SinkError::Rejected { reason: refusal.reason("too_large") },
        Class::Content(kind) => SinkError::Rejected { reason: refusal.reason(kind) },
        Class::Paused { reason, remedy } => SinkError::Paused { reason, remedy, source: refusal.into() },
    }
}

fn asked_wait(answer: &Answer) -> Option<Duration> {
    retry_after(answer, Timestamp::from_system(SystemTime::now()))
}
