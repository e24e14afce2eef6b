//! What an answer means that is not a page: by the rules of the description, else by its status.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use http_client::delivery::Hidden;
use http_client::{Answer, StatusCode};
use pipeline::Timestamp;
use poll::Path;
use poll::outline::{lookup, scalar};

use crate::api::ErrorRule;
use crate::describe::ErrorKind;
use crate::vendor::Voice;

/// A refusal in the API's own words. Shows no secret and no more than a line.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) kind: ErrorKind,
    /// What the rule that fits says is to be done.
    pub(crate) remedy: Option<String>,
    /// When to come again, as the words say: `please retry at 1465452702843`.
    pub(crate) retry_at: Option<Timestamp>,
    /// The place in `errors` of the rule that fits.
    pub(crate) rule: Option<usize>,
    words: String,
    voice: Voice,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answers {}", self.voice.api, self.status.as_u16())?;
        if let Some(rule) = self.rule.filter(|_| self.voice.names_keys) {
            write!(f, ", which `errors.{rule}` describes")?;
        }
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}

impl std::error::Error for Refusal {}

/// Where the APIs that are known have their words, the most common first; and the name of the error, which goes before them.
const WORDS: &[(&[&str], &[&[&str]])] = &[
    (&["error", "message"], &[&["error", "name"], &["error", "type"]]),
    (&["error", "detail"], &[&["error", "name"], &["error", "type"]]),
    (&["error", "name"], &[]),
    (&["error_description"], &[&["error"]]),
    (&["detail"], &[&["title"], &["type"]]),
    (&["message"], &[]),
    (&["title"], &[]),
    (&["error"], &[]),
    (&["err"], &[]),
    (&["reason"], &[]),
    (&["errorSummary"], &[]),
    (&["type"], &[]),
];

impl Refusal {
    /// What an answer means; nothing when it may be a page.
    pub(crate) fn read(answer: &Answer, rules: &[ErrorRule], hidden: &Hidden, voice: &Voice) -> Option<Self> {
        let body = Body::of(answer);
        let found = rules.iter().enumerate().find(|(_, rule)| rule.fits(answer, &body));
        let kind = match found {
            Some((_, rule)) => rule.kind,
            None if answer.status.is_success() => return None,
            None => by_status(answer.status),
        };
        let own = found.and_then(|(_, rule)| words(body.text(), rule.message.as_ref()?));
        let words = own.or_else(|| usual_words(body.text())).unwrap_or_default();
        Some(Self {
            status: answer.status,
            kind,
            remedy: found.and_then(|(_, rule)| rule.remedy.clone()),
            retry_at: retry_at(&words),
            rule: found.map(|(index, _)| index),
            words: presentable(&words, hidden),
            voice: *voice,
        })
    }
}

/// The text of an answer. Most pages are never looked at in this way, so it is made when a rule asks for it.
struct Body<'a> {
    answer: &'a Answer,
    text: OnceCell<Cow<'a, str>>,
    lower: OnceCell<String>,
}

impl<'a> Body<'a> {
    fn of(answer: &'a Answer) -> Self {
        Self { answer, text: OnceCell::new(), lower: OnceCell::new() }
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| String::from_utf8_lossy(&self.answer.body))
    }

    fn lower(&self) -> &str {
        self.lower.get_or_init(|| self.text().to_lowercase())
    }
}

impl ErrorRule {
    fn fits(&self, answer: &Answer, body: &Body<'_>) -> bool {
        // The records of a page may contain any text.
        if answer.status.is_success() && !self.is_for_successes() {
            return false;
        }
        if self.status.is_some_and(|status| status != answer.status) {
            return false;
        }
        if let Some(name) = &self.header {
            let Some(value) = answer.headers.get(name).and_then(|value| value.to_str().ok()) else {
                return false;
            };
            if self.equals.as_ref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(value.trim())) {
                return false;
            }
        }
        let mut contained = None;
        if let Some(path) = &self.path {
            let value = lookup(body.text(), path).map(str::trim);
            // With a header, what equals is the header.
            let fits = match (&self.equals, value) {
                (_, None) => false,
                (Some(wanted), Some(value)) if self.header.is_none() => {
                    scalar(value).as_deref().unwrap_or(value) == wanted
                }
                (_, Some(value)) => !matches!(value, "null" | "false" | "\"\"" | "[]" | "{}"),
            };
            if !fits {
                return false;
            }
            contained = value.map(|value| scalar(value).unwrap_or(Cow::Borrowed(value)).to_lowercase());
        }
        let contains = |text: &String| match &contained {
            Some(member) => member.contains(text),
            None => body.lower().contains(text),
        };
        self.contains.is_empty() || self.contains.iter().any(contains)
    }

    /// Whether it says more of an answer than that a text is in it somewhere.
    fn is_for_successes(&self) -> bool {
        self.status.is_some() || self.header.is_some() || self.path.is_some()
    }
}

/// Where no rule says it.
fn by_status(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Authentication,
        402 | 403 => ErrorKind::Permission,
        429 => ErrorKind::RateLimit,
        408 | 504 | 524 => ErrorKind::Timeout,
        425 | 500..=599 => ErrorKind::Unavailable,
        _ => ErrorKind::Request,
    }
}

fn words(body: &str, path: &Path) -> Option<String> {
    scalar(lookup(body, path)?).map(std::borrow::Cow::into_owned)
}

fn usual_words(body: &str) -> Option<String> {
    WORDS.iter().find_map(|(message, names)| {
        let message = words(body, &Path::of(message))?;
        let name = names.iter().find_map(|name| words(body, &Path::of(name)));
        Some(name.map_or_else(|| message.clone(), |name| format!("{name}: {message}")))
    })
}

/// The moment in `please retry at 1465452702843`, in any form that a time of a record may have.
fn retry_at(words: &str) -> Option<Timestamp> {
    const RETRY_AT: &str = "retry at ";
    let at = words.to_ascii_lowercase().find(RETRY_AT)? + RETRY_AT.len();
    Timestamp::read(words[at..].split_whitespace().next()?.trim_end_matches(['.', ',', ';', ')']))
}

/// One line of at most 300 characters, without control characters and without secrets.
pub(crate) fn presentable(text: &str, hidden: &Hidden) -> String {
    hidden.blotted(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
