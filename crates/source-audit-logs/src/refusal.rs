//! What an answer means that is not a page: by the rules of the description, else by its status.

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
        let body = String::from_utf8_lossy(&answer.body);
        let found = rules.iter().enumerate().find(|(_, rule)| rule.fits(answer, &body));
        let kind = match found {
            Some((_, rule)) => rule.kind,
            None if answer.status.is_success() => return None,
            None => by_status(answer.status),
        };
        let own = found.and_then(|(_, rule)| words(&body, rule.message.as_ref()?));
        let usual = || WORDS.iter().find_map(|names| words(&body, &Path::of(names)));
        Some(Self {
            status: answer.status,
            kind,
            rule: found.map(|(index, _)| index),
            words: presentable(&own.or_else(usual).unwrap_or_default(), hidden),
        })
    }
}

impl ErrorRule {
    fn fits(&self, answer: &Answer, body: &str) -> bool {
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
            let value = lookup(body, path).map(str::trim);
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
        self.contains.as_ref().is_none_or(|text| body.to_lowercase().contains(text))
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
