//! The credentials at hand, and how newer ones are taken up without a restart.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use rdkafka::config::ClientConfig;

use crate::config::SaslConfig;

/// Shorter values keep no secret, and would blot out half of every text.
const LIKE_A_SECRET: usize = 4;

/// What producers are made with. After a refusal the files of the secrets are read again, before each new producer.
pub(crate) struct Credentials {
    client: ClientConfig,
    held: Mutex<Held>,
}

struct Held {
    sasl: Option<SaslConfig>,
    /// The last producer was refused.
    refused: bool,
}

impl Credentials {
    pub(crate) fn new(client: ClientConfig, sasl: Option<SaslConfig>) -> Self {
        Self { client, held: Mutex::new(Held { sasl, refused: false }) }
    }

    /// What the next producer is made with, and the texts in it that nothing may show.
    pub(crate) fn current(&self) -> (ClientConfig, Vec<String>) {
        let mut held = self.held();
        if held.refused {
            held.take_up_newer();
        }
        let mut client = self.client.clone();
        let mut hidden = Vec::new();
        if let Some(sasl) = &held.sasl {
            client.set("sasl.username", sasl.username.expose());
            client.set("sasl.password", sasl.password.expose());
            hidden.extend(Some(sasl.password.expose().to_owned()).filter(|text| text.len() >= LIKE_A_SECRET));
        }
        (client, hidden)
    }

    /// The cluster takes them.
    pub(crate) fn accepted(&self) {
        self.held().refused = false;
    }

    /// The cluster does not take those of the last producer. True when there are others by now, with which it is worth
    /// trying at once.
    pub(crate) fn refused(&self) -> bool {
        let mut held = self.held();
        held.refused = true;
        held.take_up_newer()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn take_up_newer(&mut self) -> bool {
        let Some(sasl) = &mut self.sasl else { return false };
        let mut changed = false;
        for (key, secret) in [("sasl.username", &mut sasl.username), ("sasl.password", &mut sasl.password)] {
            match secret.refreshed(read) {
                Ok(Some(fresh)) => {
                    tracing::info!(key, "file holds another secret, which is used from now on");
                    *secret = fresh;
                    changed = true;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(key, %error, "file of a secret cannot be read, the secret at hand is used again");
                }
            }
        }
        changed
    }
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use settings::Secret;

    use super::*;
    use crate::config::Mechanism;

    #[test]
    fn the_password_is_read_again_after_a_refusal_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "oldword\n").unwrap();
        let password = Secret::from_file(String::new(), path.clone(), String::new(), "oldword\n");
        let username = Secret::new("towpath".to_owned());
        let sasl = SaslConfig { mechanism: Mechanism::Plain, username, password };
        let credentials = Credentials::new(ClientConfig::new(), Some(sasl));
        let current = |credentials: &Credentials| {
            let (client, hidden) = credentials.current();
            assert_eq!(client.get("sasl.username"), Some("towpath"));
            assert_eq!(hidden, [client.get("sasl.password").unwrap()]);
            hidden[0].clone()
        };
        fs::write(&path, "newword\n").unwrap();
        assert_eq!(current(&credentials), "oldword");
        assert!(credentials.refused());
        assert_eq!(current(&credentials), "newword");
        assert!(!credentials.refused(), "nothing newer to try with");
        // It comes late: the next producer has it.
        fs::write(&path, "newestword").unwrap();
        assert_eq!(current(&credentials), "newestword");
        credentials.accepted();
        fs::write(&path, "another").unwrap();
        assert_eq!(current(&credentials), "newestword");
        fs::remove_file(&path).unwrap();
        assert!(!credentials.refused());
        assert_eq!(current(&credentials), "newestword");
    }
}
