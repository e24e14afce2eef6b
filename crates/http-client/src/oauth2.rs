//! Access tokens: the request for one, and the answer to it (OAuth 2.0, RFC 6749).

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;
use settings::{Invalid, Secret};

use crate::client::Request;
use crate::delivery::{BasicConfig, Hidden};

/// Most bytes of an answer with a token.
const ANSWER_CAP: usize = 1 << 20;

/// No token is kept longer: what claims to live longer is a slip, and asking more often does no harm.
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// A client that is known by its secret. Has no `Debug` form on purpose.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Its name.
    pub id: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// How it shows that.
    pub proof: Proof,
}

/// How a client shows its secret (RFC 6749, 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// In the header `Authorization`, as every server must take it.
    Header,
    /// As `client_id` and `client_secret` in the body.
    Body,
}

/// The request for a token: the fields of its body are `grant_type` and what belongs to that grant, such as `scope`. All that is
/// secret of the client goes to `hidden`; secrets among the fields are the caller's. `key` is where the client stands in the
/// configuration.
///
/// ```
/// use http_client::{Url, delivery::Hidden, oauth2::{self, Client, Proof}};
///
/// let client = Client { id: "towpath", secret: "s3cret", proof: Proof::Body };
/// let url = Url::parse("https://id.example.com/token").unwrap();
/// let fields = [("grant_type", "client_credentials"), ("scope", "audit:read")];
/// let request = oauth2::request(url, client, &fields, "oauth2", &mut Hidden::default()).unwrap();
/// assert_eq!(request.body, "grant_type=client_credentials&scope=audit%3Aread&client_id=towpath&client_secret=s3cret");
/// ```
///
/// # Errors
/// The client cannot be shown, by key; shows no value.
pub fn request(
    url: Url,
    client: Client<'_>,
    fields: &[(&str, &str)],
    key: &str,
    hidden: &mut Hidden,
) -> Result<Request, Invalid> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let own = [("client_id", client.id), ("client_secret", client.secret)];
    let own = match client.proof {
        Proof::Body => &own[..],
        Proof::Header => {
            // Both are encoded before they are joined.
            let pair =
                BasicConfig { username: encoded(client.id), password: Secret::new(encoded(client.secret)) };
            headers.insert(AUTHORIZATION, pair.header(key, hidden)?);
            &[]
        }
    };
    hidden.hide(client.secret);
    let fields =
        fields.iter().chain(own).map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    let body = fields.collect::<Vec<_>>().join("&").into();
    Ok(Request { method: Method::POST, url, headers, body, body_cap: ANSWER_CAP })
}

/// An answer with a token (RFC 6749, 5.1). Has no `Debug` form on purpose.
pub struct Granted {
    /// The token.
    pub token: String,
    /// What kind of token it is; `bearer` in any case, if anything.
    kind: Option<String>,
    /// How long it is good for, from the moment of the answer; at most a year.
    pub lifetime: Option<Duration>,
}

impl Granted {
    /// The body of a success; nothing where it holds no token.
    pub fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            access_token: String,
            token_type: Option<String>,
            /// Seconds. Some servers write it as text.
            expires_in: Option<serde_json::Value>,
        }
        let Answer { access_token, token_type, expires_in } = serde_json::from_slice(body).ok()?;
        let lifetime = expires_in.as_ref().and_then(seconds);
        Some(Self { token: access_token, kind: token_type, lifetime })
    }

    /// Whether whoever shows it has it (RFC 6750); most servers that do not say mean that.
    pub fn is_bearer(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"))
    }
}

/// The code of an answer without a token, such as `invalid_client` (RFC 6749, 5.2).
pub fn refusal(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refused {
        error: String,
    }
    serde_json::from_slice::<Refused>(body).ok().map(|refused| refused.error)
}

fn seconds(value: &serde_json::Value) -> Option<Duration> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    Duration::try_from_secs_f64(number.clamp(0.0, LONGEST_LIFE.as_secs_f64())).ok()
}

/// The text as it stands in `application/x-www-form-urlencoded`. A blank is `%20`, which servers read that take the header's parts
/// for URLs as well as those that take them for forms.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_for_a_token_is_that_of_the_rfc() {
        let url = Url::parse("https://id.example.com/token").unwrap();
        let fields = [("grant_type", "client_credentials"), ("scope", "kafka.write api://x")];
        let of = |proof| {
            let mut hidden = Hidden::default();
            let client = Client { id: "a:b", secret: "pass word/ü", proof };
            (request(url.clone(), client, &fields, "oauth2", &mut hidden).unwrap(), hidden)
        };
        let (by_header, hidden) = of(Proof::Header);
        let text = |name| by_header.headers.get(name).unwrap().to_str().unwrap().to_owned();
        // base64 of a%3Ab:pass%20word%2F%C3%BC
        assert_eq!(text("authorization"), "Basic YSUzQWI6cGFzcyUyMHdvcmQlMkYlQzMlQkM=");
        assert_eq!(text("content-type"), "application/x-www-form-urlencoded");
        let body = "grant_type=client_credentials&scope=kafka.write%20api%3A%2F%2Fx";
        assert_eq!((by_header.method.as_str(), &*by_header.body), ("POST", body.as_bytes()));
        let words = hidden.blotted("pass word/ü YSUzQWI6cGFzcyUyMHdvcmQlMkYlQzMlQkM=");
        assert_eq!(words, "… …");
        let (by_body, hidden) = of(Proof::Body);
        assert!(!by_body.headers.contains_key("authorization"));
        let body = format!("{body}&client_id=a%3Ab&client_secret=pass%20word%2F%C3%BC");
        assert_eq!(by_body.body, body);
        assert_eq!(hidden.blotted("pass word/ü"), "…");
        assert!(!format!("{by_header:?} {by_body:?}").contains("pass"));
    }

    #[test]
    fn answers_are_read() {
        let read = |body: &str| Granted::read(body.as_bytes());
        for (body, bearer) in [
            (r#"{"access_token":"t"}"#, true),
            (r#"{"access_token":"t","token_type":"BEARER"}"#, true),
            (r#"{"access_token":"t","token_type":"mac"}"#, false),
        ] {
            let granted = read(body).unwrap();
            assert_eq!(
                (&*granted.token, granted.is_bearer(), granted.lifetime),
                ("t", bearer, None),
                "{body}"
            );
        }
        for body in ["", "<html>", r#"{"access_token":7}"#, r#"{"error":"invalid_client"}"#] {
            assert!(read(body).is_none(), "{body}");
        }
        assert_eq!(refusal(br#"{"error":"invalid_client"}"#).as_deref(), Some("invalid_client"));
        assert_eq!(refusal(b"<html>"), None);
    }

    #[test]
    fn a_lifetime_is_a_number_also_as_text() {
        let of = |seconds: &str| {
            let body = format!(r#"{{"access_token":"t","expires_in":{seconds}}}"#);
            Granted::read(body.as_bytes()).unwrap().lifetime.map(|life| life.as_secs())
        };
        assert_eq!(of("3599"), Some(3599));
        assert_eq!(of("\"3599\""), Some(3599));
        assert_eq!(of("-1"), Some(0));
        assert_eq!(of("1e99"), Some(365 * 86_400));
        assert_eq!(of("\"soon\""), None);
        assert_eq!(of("null"), None);
    }
}
