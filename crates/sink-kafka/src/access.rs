//! What producers are made with: the credentials at hand, and tokens for them.

use std::sync::Arc;
use std::time::Duration;

use http_client::delivery::{Credentials, Hidden};
use http_client::{ClientSettings, HttpClient};
use pipeline::SinkError;
use rdkafka::config::ClientConfig;
use settings::Tls;

use crate::sasl::{Identity, Proof, Sasl};
use crate::token::{self, Token};

/// Shortest and longest time for a token endpoint's answer. Reports wait while a token is renewed, so it is well below the
/// sink's time-out.
const PATIENCE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// What producers are made with. Secrets in files are read again after a refusal, before each new producer; a token, also
/// before it ends.
pub(crate) struct Access {
    /// Everything but the credentials.
    client: ClientConfig,
    credentials: Credentials<Sasl>,
    /// Asks for tokens.
    endpoint: HttpClient,
    /// Of an endpoint's answer.
    patience: Duration,
}

/// What one producer is made with.
pub(crate) struct Pass {
    pub(crate) client: ClientConfig,
    pub(crate) identity: Arc<Identity>,
    /// Its first token.
    pub(crate) token: Option<Token>,
    /// What nothing may show.
    pub(crate) hidden: Hidden,
}

impl Access {
    /// `timeout` is the sink's.
    pub(crate) fn new(client: ClientConfig, sasl: Sasl, identity: Arc<Identity>, timeout: Duration) -> Self {
        let tls: Tls = sasl.0.as_ref().and_then(|sasl| sasl.token_tls.clone()).unwrap_or_default();
        let [least, most] = PATIENCE;
        let patience = (timeout / 2).clamp(least, most);
        let endpoint = HttpClient::new(ClientSettings {
            tls,
            timeout: patience,
            address_key: "sasl.token_url",
            ..ClientSettings::default()
        });
        Self { client, credentials: Credentials::new(sasl, identity), endpoint, patience }
    }

    /// What the next producer is made with. Asks for a token, if it takes one.
    ///
    /// # Errors
    /// Those of [`token::token`].
    pub(crate) async fn pass(&self) -> Result<Pass, SinkError> {
        let mut client = self.client.clone();
        let identity = self.credentials.current();
        if let Proof::Password { username, password } = &identity.proof {
            client.set("sasl.username", username);
            client.set("sasl.password", password);
            let hidden = identity.hidden.clone();
            return Ok(Pass { client, identity, token: None, hidden });
        }
        let (identity, token) = self.token().await?;
        let mut hidden = identity.hidden.clone();
        if let Some(token) = &token {
            hidden.hide(&token.text);
        }
        Ok(Pass { client, identity, token, hidden })
    }

    /// A token for the identity of this moment, if it has need of one.
    ///
    /// # Errors
    /// Those of [`token::token`].
    pub(crate) async fn token(&self) -> Result<(Arc<Identity>, Option<Token>), SinkError> {
        let identity = match &self.credentials.current().proof {
            Proof::Token(_) => self.credentials.renewed(),
            _ => self.credentials.current(),
        };
        match token::token(&identity, &self.endpoint).await {
            Ok(token) => Ok((identity, token)),
            Err(SinkError::Paused { reason: "authentication", source, .. }) if self.refused(&identity) => {
                Err(SinkError::Transient { retry_after: Some(Duration::ZERO), source })
            }
            Err(error) => Err(error),
        }
    }

    /// Longest time that [`Access::token`] takes.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The cluster takes them.
    pub(crate) fn accepted(&self) {
        self.credentials.accepted();
    }

    /// They do not take `used`. True when there are others by now, with which it is worth trying at once.
    pub(crate) fn refused(&self, used: &Arc<Identity>) -> bool {
        self.credentials.refused(used)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http_client::delivery::Secrets as _;
    use settings::Secret;

    use super::*;
    use crate::config::KafkaConfig;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// A sink's access with the secret `key` in a file.
    fn access(sasl: serde_json::Value, key: &str, file: &std::path::Path, text: &str) -> Access {
        fs::write(file, text).unwrap();
        let config = serde_json::json!({"brokers": ["localhost:1"], "topic": "audit", "sasl": sasl});
        let config: KafkaConfig = serde_json::from_value(config).unwrap();
        let mut sasl = Sasl(config.sasl.clone());
        let name = format!("sasl.{key}");
        let secret = sasl.each_mut().into_iter().find(|(key, _)| *key == name).unwrap().1;
        *secret = Secret::from_file(String::new(), file.to_owned(), String::new(), text);
        let identity = Arc::new(sasl.prepare().unwrap());
        Access::new(ClientConfig::new(), sasl, identity, TIMEOUT)
    }

    #[tokio::test]
    async fn the_password_is_read_again_after_a_refusal_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        let sasl = serde_json::json!({"mechanism": "PLAIN", "username": "towpath", "password": "x"});
        let access = access(sasl, "password", &path, "oldword\n");
        let current = async || {
            let pass = access.pass().await.unwrap();
            assert_eq!(pass.client.get("sasl.username"), Some("towpath"));
            let password = pass.client.get("sasl.password").unwrap().to_owned();
            assert_eq!(pass.hidden.blotted(&password), "…");
            (password, pass.identity)
        };
        fs::write(&path, "newword\n").unwrap();
        let (password, old) = current().await;
        assert_eq!(password, "oldword");
        assert!(access.refused(&old));
        let (password, new) = current().await;
        assert_eq!(password, "newword");
        assert!(!access.refused(&new), "nothing newer to try with");
        // It comes late: the next producer has it.
        fs::write(&path, "newestword").unwrap();
        let (password, newest) = current().await;
        assert_eq!(password, "newestword");
        access.accepted();
        fs::write(&path, "another").unwrap();
        assert_eq!(current().await.0, "newestword");
        // A half-written one is not taken up.
        fs::write(&path, "no\0word").unwrap();
        assert!(!access.refused(&newest));
        fs::remove_file(&path).unwrap();
        assert!(!access.refused(&newest));
        assert_eq!(current().await.0, "newestword");
    }

    #[tokio::test]
    async fn a_token_is_read_again_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let sasl = serde_json::json!({"mechanism": "OAUTHBEARER", "token": "x"});
        let access = access(sasl, "token", &path, "first-token\n");
        for text in ["first-token", "second-token", "third-token"] {
            fs::write(&path, text).unwrap();
            let pass = access.pass().await.unwrap();
            assert_eq!(pass.token.map(|token| token.text).as_deref(), Some(text));
            assert_eq!(pass.hidden.blotted(text), "…");
        }
        fs::write(&path, "two words").unwrap();
        assert_eq!(access.token().await.unwrap().1.unwrap().text, "third-token");
    }
}
