//! What an answer means that is not a page: by the rules of the description, else by its status.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use http_client::delivery::Hidden;
use http_client::{Answer, StatusCode};
use poll::Path;
use poll::outline::{lookup, scalar};

use crate::api::ErrorRule;
use crate::describe::ErrorKind;

/// A refusal in the API's own words. Shows no secret and no more than a line.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) kind: ErrorKind,
    /// The place in `errors` of the rule that says so.
    rule: Option<usize>,
    words: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API answers {}", self.status.as_u16())?;
        if let Some(rule) = self.rule {
            write!(f, ", which `errors.{rule}` describes")?;
        }
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}

impl std::error::Error for Refusal {}

/// Where the APIs that are known have their words, the most common first.
const WORDS: &[&[&str]] = &[
    &["error", "message"],
    &["error", "detail"],
    &["error_description"],
    &["detail"],
    &["message"],
    &["title"],
    &["error"],
    &["err"],
    &["reason"],
    &["errorSummary"],
];

impl Refusal {
    /// What an answer means; nothing when it may be a page.
    pub(crate) fn read(answer: &Answer, rules: &[ErrorRule], hidden: &Hidden) -> Option<Self> {
        let body = Body::of(answer);
        let found = rules.iter().enumerate().find(|(_, rule)| rule.fits(answer, &body));
        let kind = match found {
            Some((_, rule)) => rule.kind,
            None if answer.status.is_success() => return None,
            None => by_status(answer.status),
        };
        let own = found.and_then(|(_, rule)| words(body.text(), rule.message.as_ref()?));
        let usual = || WORDS.iter().find_map(|names| words(body.text(), &Path::of(names)));
        Some(Self {
            status: answer.status,
            kind,
            rule: found.map(|(index, _)| index),
            words: presentable(&own.or_else(usual).unwrap_or_default(), hidden),
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
        }
        self.contains.as_ref().is_none_or(|text| body.lower().contains(text))
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

/// One line of at most 300 characters, without control characters and without secrets.
pub(crate) fn presentable(text: &str, hidden: &Hidden) -> String {
    hidden.blotted(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}
