//! What a user writes about credentials, and the headers and keys that are made of it.

use std::collections::BTreeMap;
use std::fmt;

use http_client::delivery::{self, Hidden};
use http_client::header::{AUTHORIZATION, HeaderMap, HeaderName};
use http_client::secret_header;
use settings::{Invalid, Secret};

use crate::config::{AuthConfig, SigningConfig};
use crate::signing::SigningKey;

/// Headers that follow from other keys, or from the connection (RFC 9110, 7.6.1).
const OURS: [&str; 18] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "via",
];

const TWICE: &str = "stands here twice, in other letters or in `auth`";

/// All that may hold a secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    pub(crate) auth: Option<AuthConfig>,
    pub(crate) headers: BTreeMap<String, Secret>,
    pub(crate) signing: Option<SigningConfig>,
}

/// What goes into requests.
#[derive(Default)]
pub(crate) struct Prepared {
    /// Those of `headers` and `auth`.
    pub(crate) headers: HeaderMap,
    /// Empty: deliveries are not signed.
    pub(crate) signing: Vec<SigningKey>,
    /// What must not show in the words of an answer.
    pub(crate) hidden: Hidden,
}

/// Tells how much there is, not what.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} headers, {} keys)", self.headers.len(), self.signing.len())
    }
}

impl Secrets {
    /// Whether requests carry something that must not travel in clear.
    pub(crate) fn travel(&self) -> bool {
        self.auth.is_some() || !self.headers.is_empty()
    }
}

impl delivery::Secrets for Secrets {
    type Prepared = Prepared;

    fn prepare(&self) -> Result<Prepared, Vec<Invalid>> {
        let mut prepared = Prepared::default();
        let mut wrong = Vec::new();
        for (name, value) in &self.headers {
            wrong.extend(prepared.add(name, &format!("headers.{name}"), value).err());
        }
        wrong.extend(self.auth.as_ref().and_then(|auth| prepared.add_auth(auth).err()));
        if let Some(signing) = &self.signing {
            wrong.extend(prepared.add_keys(signing).err());
        }
        if wrong.is_empty() { Ok(prepared) } else { Err(wrong) }
    }

    fn each_mut(&mut self) -> Vec<(String, &mut Secret)> {
        let mut all = Vec::new();
        match &mut self.auth {
            Some(AuthConfig::Bearer(token)) => all.push(("auth.bearer".to_owned(), token)),
            Some(AuthConfig::Basic(basic)) => {
                all.push(("auth.basic.password".to_owned(), &mut basic.password))
            }
            Some(AuthConfig::Header(header)) => all.push(("auth.header.value".to_owned(), &mut header.value)),
            None => {}
        }
        all.extend(self.headers.iter_mut().map(|(name, value)| (format!("headers.{name}"), value)));
        if let Some(signing) = &mut self.signing {
            all.extend(signing.secret.iter_mut().map(|secret| ("signing.secret".to_owned(), secret)));
            let list = signing.secrets.iter_mut().flatten().enumerate();
            all.extend(list.map(|(n, secret)| (format!("signing.secrets.{n}"), secret)));
        }
        all
    }
}

impl Prepared {
    fn add(&mut self, name: &str, key: &str, value: &Secret) -> Result<(), Invalid> {
        let wrong = |message: &str, remedy: &str| Err(Invalid::new(key, message, remedy));
        let Ok(header) = HeaderName::try_from(name) else {
            return wrong("is no name of a header", "use letters, digits and dashes, such as `X-Api-Key`");
        };
        if OURS.contains(&header.as_str()) {
            return wrong("is set by other keys or by the connection", "remove it");
        }
        if self.headers.contains_key(&header) {
            return wrong(TWICE, "remove one of the two");
        }
        let Ok(line) = secret_header(key, value) else {
            let remedy = "remove line breaks and other control characters";
            return wrong("holds a character that a header cannot carry", remedy);
        };
        self.headers.insert(header, line);
        self.hidden.hide(value.expose());
        Ok(())
    }

    fn add_auth(&mut self, auth: &AuthConfig) -> Result<(), Invalid> {
        let wrong = |key: &str, message: &str, remedy: &str| Err(Invalid::new(key, message, remedy));
        match auth {
            AuthConfig::Bearer(token) => {
                let key = "auth.bearer";
                if token.expose().trim().is_empty() {
                    return wrong(key, "is empty", "write the token");
                }
                self.hidden.hide(token.expose());
                let value = Secret::new(format!("Bearer {}", token.expose().trim()));
                self.add(AUTHORIZATION.as_str(), key, &value)
            }
            AuthConfig::Basic(basic) => {
                let line = basic.header("auth.basic", &mut self.hidden)?;
                match self.headers.insert(AUTHORIZATION, line) {
                    None => Ok(()),
                    Some(_) => wrong("auth.basic", TWICE, "remove one of the two"),
                }
            }
            AuthConfig::Header(header) => {
                if header.value.expose().trim().is_empty() {
                    return wrong("auth.header.value", "is empty", "write the key");
                }
                let added = self.add(&header.name, "auth.header.name", &header.value);
                added.map_err(|invalid| match invalid.message.starts_with("holds") {
                    true => Invalid { path: "auth.header.value".to_owned(), ..invalid },
                    false => invalid,
                })
            }
        }
    }

    fn add_keys(&mut self, signing: &SigningConfig) -> Result<(), Invalid> {
        let secrets: Vec<(String, &Secret)> = match (&signing.secret, &signing.secrets) {
            (Some(secret), None) => vec![("signing.secret".to_owned(), secret)],
            (None, Some(secrets)) if !secrets.is_empty() => secrets
                .iter()
                .enumerate()
                .map(|(n, secret)| (format!("signing.secrets.{n}"), secret))
                .collect(),
            _ => {
                let remedy = "write `secret: whsec_…`, or `secrets: [NEW, OLD]` while one replaces the other";
                return Err(Invalid::new("signing", "needs either `secret` or `secrets`", remedy));
            }
        };
        for (key, secret) in secrets {
            let Some(read) = SigningKey::read(secret) else {
                let remedy = "write `whsec_` and the key in base64, as the receiver shows it";
                return Err(Invalid::new(key, "is no signing secret", remedy));
            };
            self.signing.push(read);
            self.hidden.hide(secret.expose());
        }
        Ok(())
    }
}
