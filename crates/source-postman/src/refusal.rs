//! What an answer means that is not a page. Postman speaks two dialects, also at one endpoint:
//! `{"error": {"name", "message"}}` and RFC 9457 `{"type", "title", "detail", "status"}`; what stands in front of it
//! (proxies, gateways) speaks HTML.

use std::fmt;

use http_client::{Answer, StatusCode};
use pipeline::Timestamp;
use serde::Deserialize;

/// What a refusal comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The key is wrong, revoked or not of this region.
    Authentication,
    /// The key's user may not read the audit log.
    Permission,
    /// The plan or the region has no audit log.
    Plan,
    /// `since` is before what Postman keeps.
    BeforeRetention,
    /// The request itself: a stale cursor, a filter in another form, a URL that is not Postman's.
    Request,
    /// Too many requests for the moment.
    RateLimited,
    /// Too many requests for the month.
    MonthlyQuota,
    /// Postman, or something in front of it, is in trouble.
    Unavailable,
}

/// A refusal in Postman's own words. Shows no key and no more than a line.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) meaning: Meaning,
    /// `Please retry at 1465452702843`: when to come again, as Postman wrote in 2018.
    pub(crate) retry_at: Option<Timestamp>,
    words: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postman answers {}", self.status.as_u16())?;
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}

impl std::error::Error for Refusal {}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Option<OldError>,
    r#type: Option<String>,
    title: Option<String>,
    detail: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OldError {
    name: Option<String>,
    message: Option<String>,
}

impl Refusal {
    /// Sorts an answer whose status is not a success. `key` is blotted out, should the server repeat it.
    pub(crate) fn read(answer: &Answer, key: &str) -> Self {
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let (name, message) = match body.error {
            Some(error) => (error.name, error.message),
            None => (body.title.or(body.r#type), body.detail),
        };
        let (name, message) = (name.unwrap_or_default(), message.unwrap_or_default());
        let retry_at = message.split_once("retry at ").and_then(|(_, rest)| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            Timestamp::read(&rest[..end])
        });
        let meaning = sort(answer.status, &name.to_lowercase(), &message.to_lowercase());
        let between = if name.is_empty() || message.is_empty() { "" } else { ": " };
        Self {
            status: answer.status,
            meaning,
            retry_at,
            words: presentable(&format!("{name}{between}{message}"), key),
        }
    }
}

fn sort(status: StatusCode, name: &str, message: &str) -> Meaning {
    if name.contains("servicelimitexhausted") {
        return Meaning::MonthlyQuota;
    }
    match status.as_u16() {
        401 => Meaning::Authentication,
        402 => Meaning::Plan,
        403 if name.contains("ratelimit") => Meaning::RateLimited,
        403 if ["region", "plan", "upgrade", "feature"].iter().any(|word| message.contains(word)) => {
            Meaning::Plan
        }
        403 => Meaning::Permission,
        400 | 422 if message.contains("cannot be older than") => Meaning::BeforeRetention,
        429 => Meaning::RateLimited,
        408 | 425 | 500..=599 => Meaning::Unavailable,
        _ => Meaning::Request,
    }
}

/// One line of at most 300 characters, without control characters and without the key.
fn presentable(text: &str, key: &str) -> String {
    let text = if key.is_empty() { text.to_owned() } else { text.replace(key, "…") };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_client::header::HeaderMap;

    fn read(status: u16, body: &str) -> Refusal {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            date: None,
        };
        Refusal::read(&answer, "PMAK-s3cret")
    }

    #[test]
    fn both_dialects_and_neither_are_sorted() {
        let table = [
            (
                401,
                r#"{"error":{"name":"AuthenticationError","message":"Invalid API Key."}}"#,
                Meaning::Authentication,
            ),
            (
                401,
                r#"{"type":"https://api.postman.com/unauthorized","title":"Unauthorized","detail":"x","status":401}"#,
                Meaning::Authentication,
            ),
            (401, "<html>", Meaning::Authentication),
            (402, "", Meaning::Plan),
            (
                403,
                r#"{"error":{"name":"ForbiddenRequest","message":"You do not have permissions to view team Audit logs"}}"#,
                Meaning::Permission,
            ),
            (
                403,
                r#"{"title":"Forbidden","detail":"This feature isn't available in your region."}"#,
                Meaning::Plan,
            ),
            (403, r#"{"error":{"name":"rateLimitError","message":"x"}}"#, Meaning::RateLimited),
            (
                400,
                r#"{"error":{"name":"BadRequest","message":"since cannot be older than 180 days"}}"#,
                Meaning::BeforeRetention,
            ),
            (
                400,
                r#"{"title":"Bad Request","detail":"Date CANNOT be older than 2026"}"#,
                Meaning::BeforeRetention,
            ),
            (
                400,
                r#"{"error":{"name":"InvalidAuditAction","message":"Invalid audit action format."}}"#,
                Meaning::Request,
            ),
            (404, "", Meaning::Request),
            (410, "", Meaning::Request),
            (418, "", Meaning::Request),
            (429, "", Meaning::RateLimited),
            (429, r#"{"error":{"name":"rateLimited","message":"x"}}"#, Meaning::RateLimited),
            (429, r#"{"error":{"name":"serviceLimitExhausted","message":"x"}}"#, Meaning::MonthlyQuota),
            (429, r#"{"type":"serviceLimitExhausted","detail":"x"}"#, Meaning::MonthlyQuota),
            (408, "", Meaning::Unavailable),
            (500, r#"{"error":{"name":"serverError","message":"x"}}"#, Meaning::Unavailable),
            (502, "<html>", Meaning::Unavailable),
            (503, "", Meaning::Unavailable),
            (524, "", Meaning::Unavailable),
            (304, "", Meaning::Request),
        ];
        for (status, body, meaning) in table {
            assert_eq!(read(status, body).meaning, meaning, "{status} {body}");
        }
    }

    #[test]
    fn words_are_one_line_without_the_key() {
        let refusal = read(401, r#"{"error":{"name":"A","message":"key PMAK-s3cret\n is wrong"}}"#);
        assert_eq!(refusal.to_string(), "Postman answers 401: A: key …  is wrong");
        assert_eq!(read(502, "<html>").to_string(), "Postman answers 502");
        assert_eq!(read(500, r#"{"title":"Oops"}"#).to_string(), "Postman answers 500: Oops");
        assert_eq!(read(500, r#"{"detail":"it broke"}"#).to_string(), "Postman answers 500: it broke");
        let long = format!(r#"{{"title": "{}"}}"#, "é".repeat(10_000));
        assert!(read(500, &long).to_string().len() < 700);
        assert!(!format!("{refusal:?}").contains("s3cret"));
    }

    #[test]
    fn a_moment_in_prose_is_found() {
        let body = r#"{"error":{"name":"rateLimited","message":"Please retry at 1795168800000."}}"#;
        assert_eq!(read(429, body).retry_at, Timestamp::read("2026-11-20T10:00:00Z"));
        assert_eq!(read(429, r#"{"error":{"message":"Please retry at noon"}}"#).retry_at, None);
    }
}
