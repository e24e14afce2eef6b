//! A name and a password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Invalid, Secret};

use super::Hidden;
use crate::client::secret_header;

/// A name and a password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConfig {
    /// The name; without a colon.
    pub username: String,
    /// The password.
    pub password: Secret,
}

impl BasicConfig {
    /// The value of `Authorization` (RFC 7617); its secrets go to `hidden`. `key` is where the block stands.
    ///
    /// # Errors
    /// What is wrong, by key; shows no value.
    pub fn header(&self, key: &str, hidden: &mut Hidden) -> Result<HeaderValue, Invalid> {
        if self.username.contains(|c: char| c == ':' || c.is_control()) {
            let message = "holds a colon or a control character, which basic authentication cannot carry";
            return Err(Invalid::new(format!("{key}.username"), message, "write another name"));
        }
        if self.username.is_empty() && self.password.expose().is_empty() {
            return Err(Invalid::new(key, "is empty", "write a name and a password"));
        }
        hidden.hide(self.password.expose());
        let pair = STANDARD.encode(format!("{}:{}", self.username, self.password.expose()));
        hidden.hide(&pair);
        secret_header(key, &Secret::new(format!("Basic {pair}")))
            .map_err(|_| Invalid::new(key, "cannot be sent", "write another name and password"))
    }
}
