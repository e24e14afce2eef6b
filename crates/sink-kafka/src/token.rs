//! Tokens for OAUTHBEARER: where they come from, and how long they are good for.
//!
//! Sources: RFC 6749 (4.4 client credentials, 5.1 and 5.2 answers), RFC 6750 (what a token looks like), RFC 7519 (4.1.4,
//! `exp`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_client::delivery::{Class, Hidden, Keys, Refusal, class, of_http_error, retry_after};
use http_client::oauth2::{self, Granted};
use http_client::{Answer, HttpClient, Request};
use pipeline::{SinkError, Timestamp};
use serde::Deserialize;

use crate::sasl::{Identity, Proof, is_token};
use crate::verdict::Complaint;

/// What a token is good for that does not say when it ends: it is asked for again by then.
const UNSAID: Duration = Duration::from_secs(5 * 60);

/// Of the token endpoint.
pub(crate) const KEYS: Keys = Keys {
    url: "`sasl.token_url`",
    credentials: "`sasl.client_id` and `sasl.client_secret`",
    request: "`sasl.scope`",
};

/// A token, and when it ends.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) end: SystemTime,
}

/// The part of a token in JSON that tells its end, in seconds since 1970.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

impl Token {
    /// One that has not ended.
    fn new(text: String, lifetime: Option<Duration>) -> Result<Self, SinkError> {
        let now = SystemTime::now();
        let end = lifetime.map(|lifetime| now + lifetime).or_else(|| end(&text)).unwrap_or(now + UNSAID);
        if end > now {
            return Ok(Self { text, end });
        }
        Err(SinkError::Paused {
            reason: "authentication",
            remedy: "renew the token of `sasl`, or set this machine's clock".to_owned(),
            source: Complaint("the token has ended".to_owned()).into(),
        })
    }
}

/// The token of this identity at this moment; none where it has no need for one.
///
/// # Errors
/// [`SinkError::Paused`] where the token endpoint refuses, or the token at hand has ended; [`SinkError::Transient`] where
/// the endpoint may answer later.
pub(crate) async fn token(identity: &Identity, client: &HttpClient) -> Result<Option<Token>, SinkError> {
    match &identity.proof {
        Proof::None | Proof::Password { .. } => Ok(None),
        Proof::Token(text) => Token::new(text.clone(), None).map(Some),
        Proof::Client(request) => {
            let answer = client.send(request).await.map_err(|error| of_http_error(error, &KEYS))?;
            granted(request, &answer, &identity.hidden).map(Some)
        }
    }
}

fn granted(request: &Request, answer: &Answer, hidden: &Hidden) -> Result<Token, SinkError> {
    let status = answer.status.as_u16();
    if let Class::Taken = class(status, &KEYS) {
        return match Granted::read(&answer.body) {
            Some(granted) if granted.is_bearer() && is_token(&granted.token) => {
                Token::new(granted.token, granted.lifetime)
            }
            // What it holds may be a secret.
            _ => Err(SinkError::Paused {
                reason: "token",
                remedy: "check `sasl.token_url`: what answers there gives out no bearer tokens".to_owned(),
                source: Refusal::in_words(&request.url, status, "no bearer token in the answer", hidden)
                    .into(),
            }),
        };
    }
    let source = Refusal::read(&request.url, answer, hidden).into();
    let said = oauth2::refusal(&answer.body);
    let (reason, remedy) = match (class(status, &KEYS), said.as_deref()) {
        (Class::Again, _) => {
            let retry_after = retry_after(answer, Timestamp::from_system(SystemTime::now()));
            return Err(SinkError::Transient { retry_after, source });
        }
        (_, Some("invalid_client" | "invalid_grant")) => (
            "authentication",
            "correct `sasl.client_id` and `sasl.client_secret`: the token endpoint does not accept them; those from files \
             are read again"
                .to_owned(),
        ),
        (_, Some("unauthorized_client" | "unsupported_grant_type")) => (
            "permission",
            "let the client of `sasl.client_id` use the grant client_credentials, at the token endpoint".to_owned(),
        ),
        (_, Some("invalid_scope" | "invalid_target")) => {
            ("scope", "correct `sasl.scope`: the token endpoint does not give it to this client".to_owned())
        }
        (Class::Paused { reason, remedy }, _) => (reason, remedy),
        _ => (
            "token",
            "compare `sasl.token_url` and `sasl.scope` with what the token endpoint's documentation asks for"
                .to_owned(),
        ),
    };
    Err(SinkError::Paused { reason, remedy, source })
}

/// The end that a token tells which is a JSON Web Token.
fn end(token: &str) -> Option<SystemTime> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(exp).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_its_end_or_is_good_for_a_while() {
        let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let at = |text: &str| end(text).map(|end| end.duration_since(UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(at(&jwt(r#"{"sub":"towpath","exp":1893456000}"#)), Some(1_893_456_000));
        assert_eq!(at(&jwt(r#"{"exp":1893456000.9}"#)), Some(1_893_456_000));
        for text in ["opaque", "a.b.c", &jwt("{}"), &jwt(r#"{"exp":-5}"#), &jwt(r#"{"exp":1e300}"#), ""] {
            assert_eq!(at(text), None, "{text}");
        }
        let left = |token: Token| token.end.duration_since(SystemTime::now()).unwrap().as_secs();
        assert!((295..=300).contains(&left(Token::new("opaque".to_owned(), None).unwrap())));
        let minute = Some(Duration::from_secs(60));
        assert!((55..=60).contains(&left(Token::new(jwt(r#"{"exp":4000000000}"#), minute).unwrap())));
        let ended = Token::new(jwt(r#"{"exp":1700000000}"#), None).map(|_| ()).unwrap_err();
        assert!(matches!(ended, SinkError::Paused { reason: "authentication", .. }), "{ended:?}");
        assert!(Token::new("opaque".to_owned(), Some(Duration::ZERO)).is_err());
    }
}
