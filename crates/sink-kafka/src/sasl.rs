//! How the brokers know us, as a user writes it: the `sasl` block and its check.

use std::fmt;

use http_client::delivery::{Hidden, Secrets};
use http_client::{Request, destination, oauth2};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Invalid, Secret, Tls};

const AS_GIVEN: &str = "write it as the cluster's operator has given it";

/// How the brokers know us: a name and a password, or a token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SaslConfig {
    /// How it is shown to the brokers.
    pub mechanism: Mechanism,
    /// The name; with Confluent Cloud the API key. Not with OAUTHBEARER.
    // No secret, but it changes together with the password, and may stand in a file beside it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub username: Option<Secret>,
    /// The password; with Confluent Cloud the API secret. Not with OAUTHBEARER.
    #[serde(default)]
    pub password: Option<Secret>,
    /// OAUTHBEARER: the token itself. One that stands in a file is read again before it ends, and for each new connection to
    /// the cluster.
    #[serde(default)]
    pub token: Option<Secret>,
    /// OAUTHBEARER: where a token is to be had for `client_id` and `client_secret` (OAuth 2.0, client credentials).
    #[serde(default)]
    pub token_url: Option<String>,
    /// OAUTHBEARER: our name at `token_url`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub client_id: Option<Secret>,
    /// OAUTHBEARER: our secret at `token_url`.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// OAUTHBEARER: what the token is asked for, if `token_url` wants to be told: words with blanks between them.
    #[serde(default)]
    pub scope: Option<String>,
    /// OAUTHBEARER: trust and client certificate for `token_url`; without it the system's authorities.
    #[serde(default)]
    pub token_tls: Option<Tls>,
}

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Mechanism {
    /// The password itself, so only with `tls` (RFC 4616).
    #[serde(rename = "PLAIN")]
    Plain,
    /// Proof of the password (RFC 5802).
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Proof of the password.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token, so only with `tls` (RFC 7628).
    #[serde(rename = "OAUTHBEARER")]
    OAuthBearer,
}

impl Mechanism {
    /// As librdkafka calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// Whether whoever listens on the way could use what is shown.
    fn shows_a_secret(self) -> bool {
        matches!(self, Self::Plain | Self::OAuthBearer)
    }
}

/// Everything that may hold a secret.
#[derive(Clone)]
pub(crate) struct Sasl(pub(crate) Option<SaslConfig>);

/// What a producer shows of us.
pub(crate) struct Identity {
    pub(crate) proof: Proof,
    /// What must not show in the words of a broker or a token endpoint.
    pub(crate) hidden: Hidden,
}

/// What the brokers know us by.
pub(crate) enum Proof {
    /// Nothing, or a client certificate.
    None,
    Password {
        username: String,
        password: String,
    },
    Token(String),
    /// This request is answered with a token.
    Client(Request),
}

/// Tells what it is, not more.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password { .. } => "Password",
            Self::Token(_) => "Token",
            Self::Client(_) => "Client",
        })
    }
}

impl SaslConfig {
    /// What is wrong with the block, each with its key. `is_private`: nobody can listen on the way to the brokers.
    pub(crate) fn validate(&self, is_private: bool) -> Vec<Invalid> {
        let mut wrong = match self.mechanism {
            Mechanism::OAuthBearer => self.validate_oauth(),
            _ => self.validate_password(),
        };
        if self.mechanism.shows_a_secret() && !is_private {
            let message = "sends what must stay secret in clear to another machine";
            wrong.push(Invalid::new("mechanism", message, "add `tls: {}`, or use SCRAM-SHA-512"));
        }
        wrong
    }

    fn validate_password(&self) -> Vec<Invalid> {
        let of_tokens = [
            ("token", self.token.is_some()),
            ("token_url", self.token_url.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("scope", self.scope.is_some()),
            ("token_tls", self.token_tls.is_some()),
        ];
        let mut wrong = superfluous(&of_tokens, "belongs to OAUTHBEARER", "remove it, or change `mechanism`");
        let needed = [("username", self.username.is_some()), ("password", self.password.is_some())];
        wrong.extend(missing(&needed, AS_GIVEN));
        wrong.extend(self.prepare().err().into_iter().flatten());
        wrong
    }

    fn validate_oauth(&self) -> Vec<Invalid> {
        let of_passwords = [("username", self.username.is_some()), ("password", self.password.is_some())];
        let mut wrong = superfluous(
            &of_passwords,
            "does not belong to OAUTHBEARER",
            "remove it, and write `token_url`, `client_id` and `client_secret`, or `token`",
        );
        let needed = [
            ("token_url", self.token_url.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
        ];
        if self.token.is_some() {
            let more = [("scope", self.scope.is_some()), ("token_tls", self.token_tls.is_some())];
            for keys in [&needed[..], &more] {
                wrong.extend(superfluous(keys, "stands beside `token`", "remove it, or remove `token`"));
            }
        } else {
            let remedy = "write what the token endpoint's operator has given; or `token`, if something else keeps one in a file";
            wrong.extend(missing(&needed, remedy));
        }
        if let Some(tls) = &self.token_tls {
            wrong.extend(tls.validate().map_err(|invalid| invalid.under("token_tls")).err());
        }
        wrong.extend(self.prepare().err().into_iter().flatten());
        wrong
    }

    /// Makes what is shown. Keys that are missing are not its matter.
    fn prepare(&self) -> Result<Identity, Vec<Invalid>> {
        let secrets = [
            ("username", &self.username),
            ("password", &self.password),
            ("token", &self.token),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
        ];
        let mut hidden = Hidden::default();
        let mut wrong = Vec::new();
        for (key, secret) in secrets {
            let Some(text) = secret.as_ref().map(Secret::expose) else { continue };
            if text.is_empty() || text.contains('\0') {
                wrong.push(Invalid::new(key, "is empty or holds a zero byte", AS_GIVEN));
            } else if key == "token" && !is_token(text) {
                wrong.push(Invalid::new(key, "holds no token", "write the token alone, as it was given out"));
            }
            if !matches!(key, "username" | "client_id") {
                hidden.hide(text);
            }
        }
        let proof = if let (Some(username), Some(password)) = (&self.username, &self.password) {
            Proof::Password { username: username.expose().to_owned(), password: password.expose().to_owned() }
        } else if let Some(token) = &self.token {
            Proof::Token(token.expose().to_owned())
        } else if let (Some(url), Some(id), Some(secret)) =
            (&self.token_url, &self.client_id, &self.client_secret)
        {
            match self.request(url, id, secret, &mut hidden) {
                Ok(request) => Proof::Client(request),
                Err(invalid) => {
                    wrong.push(invalid);
                    Proof::None
                }
            }
        } else {
            Proof::None
        };
        if wrong.is_empty() { Ok(Identity { proof, hidden }) } else { Err(wrong) }
    }

    /// The request for a token (RFC 6749, 4.4.2).
    fn request(
        &self,
        url: &str,
        id: &Secret,
        secret: &Secret,
        hidden: &mut Hidden,
    ) -> Result<Request, Invalid> {
        let url = destination(url, true)
            .map_err(|error| Invalid::new("token_url", format!("is {error}"), error.remedy()))?;
        let client =
            oauth2::Client { id: id.expose(), secret: secret.expose(), proof: oauth2::Proof::Header };
        let grant = ("grant_type", "client_credentials");
        let scope = self.scope.iter().map(|scope| ("scope", scope.as_str()));
        let fields: Vec<_> = [grant].into_iter().chain(scope).collect();
        oauth2::request(url, client, &fields, "client_id", hidden)
    }
}

impl Secrets for Sasl {
    type Prepared = Identity;

    fn each_mut(&mut self) -> Vec<(String, &mut Secret)> {
        let Some(sasl) = &mut self.0 else { return Vec::new() };
        [
            ("username", &mut sasl.username),
            ("password", &mut sasl.password),
            ("token", &mut sasl.token),
            ("client_id", &mut sasl.client_id),
            ("client_secret", &mut sasl.client_secret),
        ]
        .into_iter()
        .filter_map(|(key, secret)| Some((format!("sasl.{key}"), secret.as_mut()?)))
        .collect()
    }

    fn prepare(&self) -> Result<Identity, Vec<Invalid>> {
        match &self.0 {
            None => Ok(Identity { proof: Proof::None, hidden: Hidden::default() }),
            Some(sasl) => sasl.prepare().map_err(|wrong| {
                // Only a file that was read again brings it here.
                wrong.into_iter().map(|invalid| invalid.under("sasl")).collect()
            }),
        }
    }
}

/// Whether the text can be a token (RFC 6750, 2.1).
pub(crate) fn is_token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty() && body.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b))
}

fn missing(keys: &[(&str, bool)], remedy: &str) -> Vec<Invalid> {
    let absent = keys.iter().filter(|(_, is_there)| !is_there);
    absent.map(|(key, _)| Invalid::new(*key, "is missing", remedy)).collect()
}

fn superfluous(keys: &[(&str, bool)], message: &str, remedy: &str) -> Vec<Invalid> {
    let there = keys.iter().filter(|(_, is_there)| *is_there);
    there.map(|(key, _)| Invalid::new(*key, message, remedy)).collect()
}

#[cfg(test)]
mod tests;
