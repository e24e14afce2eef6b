//! The credentials at hand, and how newer ones are taken up without a restart.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use settings::{Invalid, Secret};

/// All that may hold a secret in the configuration of a sink.
pub trait Secrets: Clone {
    /// What goes into requests.
    type Prepared;

    /// Every secret with its key.
    fn each_mut(&mut self) -> Vec<(String, &mut Secret)>;

    /// Makes what goes into requests.
    ///
    /// # Errors
    /// Everything that is wrong, by key; shows no value.
    fn prepare(&self) -> Result<Self::Prepared, Vec<Invalid>>;
}

/// What requests are made with. After a refusal the files of the secrets are read again, before each attempt, until
/// one is accepted.
pub struct Credentials<S: Secrets> {
    held: Mutex<Held<S>>,
}

struct Held<S: Secrets> {
    secrets: S,
    prepared: Arc<S::Prepared>,
    /// The last answer was a refusal.
    refused: bool,
    /// Counts those that were taken up.
    generation: u64,
}

impl<S: Secrets> Credentials<S> {
    /// With what the configuration held at the start.
    pub fn new(secrets: S, prepared: Arc<S::Prepared>) -> Self {
        Self { held: Mutex::new(Held { secrets, prepared, refused: false, generation: 0 }) }
    }

    /// What the next attempt is made with.
    pub fn current(&self) -> Arc<S::Prepared> {
        let mut held = self.held();
        if held.refused {
            held.take_up_newer();
        }
        held.prepared.clone()
    }

    /// The same for secrets that end by themselves, such as tokens: what their files hold by now.
    pub fn renewed(&self) -> Arc<S::Prepared> {
        let mut held = self.held();
        held.take_up_newer();
        held.prepared.clone()
    }

    /// Changes whenever others are taken up.
    pub fn generation(&self) -> u64 {
        self.held().generation
    }

    /// The endpoint takes them.
    pub fn accepted(&self) {
        self.held().refused = false;
    }

    /// The endpoint does not take `used`. True when there are others by now, with which it is worth trying at once.
    pub fn refused(&self, used: &Arc<S::Prepared>) -> bool {
        let mut held = self.held();
        if !Arc::ptr_eq(&held.prepared, used) {
            return true;
        }
        held.refused = true;
        held.take_up_newer()
    }

    fn held(&self) -> MutexGuard<'_, Held<S>> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Secrets> Held<S> {
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
                let generation = self.generation + 1;
                *self = Self { secrets: newer, prepared: Arc::new(prepared), refused: false, generation };
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
    use tempfile::TempDir;

    use super::*;

    /// A token that must not be blank or broken over lines.
    #[derive(Clone)]
    struct Token(Secret);

    impl Secrets for Token {
        type Prepared = String;

        fn each_mut(&mut self) -> Vec<(String, &mut Secret)> {
            vec![("token".to_owned(), &mut self.0)]
        }

        fn prepare(&self) -> Result<String, Vec<Invalid>> {
            let token = self.0.expose().trim();
            match token.is_empty() || token.contains('\n') {
                true => Err(vec![Invalid::new("token", "is no token", "write one")]),
                false => Ok(token.to_owned()),
            }
        }
    }

    fn credentials(dir: &TempDir) -> Credentials<Token> {
        let path = dir.path().join("token");
        fs::write(&path, "old\n").unwrap();
        let token = Secret::from_file(String::new(), path, String::new(), "old\n");
        let secrets = Token(token);
        let prepared = Arc::new(secrets.prepare().unwrap());
        Credentials::new(secrets, prepared)
    }

    #[test]
    fn files_are_read_again_after_a_refusal_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = credentials(&dir);
        fs::write(dir.path().join("token"), "new\n").unwrap();
        let old = credentials.current();
        assert_eq!(*old, "old");
        assert!(credentials.refused(&old));
        assert_eq!(*credentials.current(), "new");
        // Another write that was under way with the old one.
        assert!(credentials.refused(&old));
    }

    #[test]
    fn what_ends_by_itself_is_read_again_without_a_refusal() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = credentials(&dir);
        assert_eq!(*credentials.renewed(), "old");
        fs::write(dir.path().join("token"), "new\n").unwrap();
        assert_eq!(*credentials.current(), "old");
        assert_eq!(*credentials.renewed(), "new");
        assert_eq!(*credentials.current(), "new");
    }

    #[test]
    fn a_secret_that_comes_late_is_taken_up_at_the_next_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = credentials(&dir);
        let old = credentials.current();
        assert!(!credentials.refused(&old));
        assert_eq!(credentials.generation(), 0);
        fs::write(dir.path().join("token"), "new").unwrap();
        assert_eq!(*credentials.current(), "new");
        assert_eq!(credentials.generation(), 1, "whatever was known of the old one is no more");
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
