//! What a user writes in an `http` block, and its check.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use encode::Compression;
use http_client::delivery::{BasicConfig, Secrets as _};
use http_client::{ClientSettings, Url, destination, is_loopback, origin};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{HumanDuration, Invalid, Secret, Tls};

use crate::form::Body;
use crate::secrets::{Prepared, Secrets};
use crate::signing;

/// Events to an HTTP endpoint, in requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// The endpoint, with path and query as it wants them. Never shown but for its host, because many hold a token.
    /// Plain `http://` to another machine only without `auth`, `headers` and a query.
    // Many URLs hold a token, most do not: kept as a secret, but without a warning when it stands in the file.
    #[schemars(with = "String")]
    pub url: Secret,
    /// How requests are made.
    #[serde(default)]
    pub method: Method,
    /// Further headers. Their values are never shown.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub headers: BTreeMap<String, Secret>,
    /// How the endpoint knows us.
    #[serde(default)]
    pub auth: Option<AuthConfig>,
    /// What a request holds: `ndjson` and `json_array` all events of a write, `json` one event.
    #[serde(default)]
    pub body: Body,
    /// How bodies are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// Signatures as Standard Webhooks has them.
    #[serde(default)]
    pub signing: Option<SigningConfig>,
    /// Trust and client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Proxy, `http://[user:password@]host:port`. Without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.
    #[serde(default)]
    pub proxy: Option<Secret>,
    /// Longest time for one request. After it the endpoint may have taken the events or not: they are sent again with the
    /// same id.
    #[serde(default = "half_a_minute")]
    pub timeout: HumanDuration,
}

/// Standard Webhooks asks for 15 to 30 seconds.
fn half_a_minute() -> HumanDuration {
    Duration::from_secs(30).into()
}

/// How requests are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// As nearly all endpoints want it.
    #[default]
    Post,
    /// Some log stores.
    Put,
    /// Few.
    Patch,
}

/// How the endpoint knows us.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthConfig {
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer(Secret),
    /// `Authorization: Basic …` (RFC 7617).
    Basic(BasicConfig),
    /// A header of the endpoint's own.
    Header(HeaderConfig),
}

/// A header that holds a key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderConfig {
    /// Its name, such as `X-Api-Key`.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// The secrets that deliveries are signed with: either `secret` or `secrets`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningConfig {
    /// The secret, `whsec_<base64>`.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// Several, the newest first, while one replaces the other: each gives a signature.
    #[serde(default)]
    pub secrets: Option<Vec<Secret>>,
}

/// A checked [`HttpConfig`].
#[derive(Clone)]
pub struct HttpSettings {
    pub(crate) url: Url,
    pub(crate) method: http_client::Method,
    pub(crate) body: Body,
    pub(crate) compression: Compression,
    pub(crate) client: ClientSettings,
    pub(crate) secrets: Secrets,
    pub(crate) prepared: Arc<Prepared>,
}

/// Shows of the URL what may be shown.
impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpSettings({self})")
    }
}

/// For people: `POST https://intake.example.com`.
impl fmt::Display for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, origin(&self.url))
    }
}

impl HttpConfig {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<HttpSettings, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let secrets = self.secrets();
        let url = destination(self.url.expose(), secrets.travel())
            .map_err(|e| wrong.push(Invalid::new("url", format!("is {e}"), e.remedy())));
        let prepared = secrets.prepare().map_err(|more| wrong.extend(more));
        let client = ClientSettings::validate(&self.tls, self.proxy.as_ref(), self.timeout)
            .map_err(|more| wrong.extend(more));
        match (url, prepared, client) {
            (Ok(url), Ok(prepared), Ok(client)) => Ok(HttpSettings {
                url,
                method: match self.method {
                    Method::Post => http_client::Method::POST,
                    Method::Put => http_client::Method::PUT,
                    Method::Patch => http_client::Method::PATCH,
                },
                body: self.body,
                compression: self.compression,
                client,
                secrets,
                prepared: Arc::new(prepared),
            }),
            _ => Err(wrong),
        }
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self) -> Vec<Invalid> {
        let mut doubts = Vec::new();
        if let Ok(url) = destination(self.url.expose(), self.secrets().travel())
            && url.scheme() == "http"
            && !is_loopback(&url)
        {
            let message =
                "leads to another machine in clear: whoever is on the way can read and change the events";
            doubts.push(Invalid::new("url", message, "use https://"));
        }
        for (key, secret) in self.secrets().each_mut() {
            let key_bytes = signing::SigningKey::read(secret).map(|read| read.bytes());
            if key.starts_with("signing.") && key_bytes.is_some_and(|bytes| !signing::FIT.contains(&bytes)) {
                let remedy = "use a random key of 24 to 64 bytes: `openssl rand -base64 32`";
                doubts.push(Invalid::new(
                    key,
                    "is shorter or longer than Standard Webhooks asks for",
                    remedy,
                ));
            }
        }
        doubts
    }

    fn secrets(&self) -> Secrets {
        Secrets { auth: self.auth.clone(), headers: self.headers.clone(), signing: self.signing.clone() }
    }
}

#[cfg(test)]
mod tests;
