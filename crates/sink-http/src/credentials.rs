//! The credentials at hand, and how newer ones are taken up without a restart.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use crate::secrets::{Prepared, Secrets};

/// What requests are made with. After a refusal the files of the secrets are read again, before each attempt, until
/// one is accepted.
pub(crate) struct Credentials {
    held: Mutex<Held>,
}

struct Held {
    secrets: Secrets,
    prepared: Arc<Prepared>,
    /// The last answer was a refusal.
    refused: bool,
}

impl Credentials {
    pub(crate) fn new(secrets: Secrets, prepared: Arc<Prepared>) -> Self {
        Self { held: Mutex::new(Held { secrets, prepared, refused: false }) }
    }

    /// What the next attempt is made with.
    pub(crate) fn current(&self) -> Arc<Prepared> {
        let mut held = self.held();
        if held.refused {
            held.take_up_newer();
        }
        held.prepared.clone()
    }

    /// The endpoint takes them.
    pub(crate) fn accepted(&self) {
        self.held().refused = false;
    }

    /// The endpoint does not take `used`. True when there are others by now, with which it is worth trying at once.
    pub(crate) fn refused(&self, used: &Arc<Prepared>) -> bool {
        let mut held = self.held();
        if !Arc::ptr_eq(&held.prepared, used) {
            return true;
        }
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
        let mut newer = self.secrets.clone();
        let mut changed = Vec::new();
        for (key, secret) in newer.each_mut() {
            match secret.refreshed(read) {
                Ok(Some(fresh)) => {
                    *secret = fresh;
                    changed.push(key);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(key, %error, "file of a secret cannot be read, the secret at hand is used again");
                }
            }
        }
        if changed.is_empty() {
            return false;
        }
        let keys = changed.join(" ");
        match newer.prepare() {
            Ok(prepared) => {
                tracing::info!(keys, "files hold other secrets, which are used from now on");
                *self = Self { secrets: newer, prepared: Arc::new(prepared), refused: false };
                true
            }
            Err(wrong) => {
                let wrong: Vec<String> = wrong.iter().map(ToString::to_string).collect();
                let wrong = wrong.join("; ");
                tracing::warn!(keys, wrong, "files hold other secrets, but none that can be used");
                false
            }
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use settings::Secret;
    use tempfile::TempDir;

    use super::*;
    use crate::config::AuthConfig;

    fn credentials(dir: &TempDir) -> Credentials {
        let path = dir.path().join("token");
        fs::write(&path, "old\n").unwrap();
        let token = Secret::from_file(String::new(), path, String::new(), "old\n");
        let secrets = Secrets { auth: Some(AuthConfig::Bearer(token)), ..Secrets::default() };
        let prepared = Arc::new(secrets.prepare().unwrap());
        Credentials::new(secrets, prepared)
    }

    fn header(prepared: &Prepared) -> String {
        prepared.headers["authorization"].to_str().unwrap().to_owned()
    }

    #[test]
    fn files_are_read_again_after_a_refusal_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = credentials(&dir);
        fs::write(dir.path().join("token"), "new\n").unwrap();
        let old = credentials.current();
        assert_eq!(header(&old), "Bearer old");
        assert!(credentials.refused(&old));
        assert_eq!(header(&credentials.current()), "Bearer new");
        // Another write that was under way with the old one.
        assert!(credentials.refused(&old));
    }

    #[test]
    fn a_secret_that_comes_late_is_taken_up_at_the_next_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = credentials(&dir);
        let old = credentials.current();
        assert!(!credentials.refused(&old));
        fs::write(dir.path().join("token"), "new").unwrap();
        assert_eq!(header(&credentials.current()), "Bearer new");
    }

    #[test]
    fn the_secret_at_hand_stays_when_its_file_is_gone_or_holds_nonsense() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = credentials(&dir);
        let old = credentials.current();
        for text in ["", "a\nb", " "] {
            fs::write(dir.path().join("token"), text).unwrap();
            assert!(!credentials.refused(&old), "{text:?}");
            assert!(Arc::ptr_eq(&credentials.current(), &old));
        }
        fs::remove_file(dir.path().join("token")).unwrap();
        assert!(!credentials.refused(&old));
        credentials.accepted();
        fs::write(dir.path().join("token"), "new").unwrap();
        assert!(Arc::ptr_eq(&credentials.current(), &old));
    }
}
