//! The tokens of one producer, one after the other, each asked for before the one before it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{SystemTime, UNIX_EPOCH};

use http_client::delivery::chain;
use rdkafka::client::OAuthToken;
use tokio::runtime::Handle;

use crate::access::Access;
use crate::token::Token;

/// What the complaint about a token that was not renewed begins with, by which it is known when librdkafka repeats it.
pub(crate) const NOT_RENEWED: &str = "the token is not renewed: ";

/// Gives librdkafka a token whenever it asks for one: at the beginning, and when four fifths of a token's life are over.
pub(crate) struct Renewal {
    access: Arc<Access>,
    /// Where the token endpoint is asked.
    runtime: Handle,
    state: Mutex<State>,
}

struct State {
    /// Not given to librdkafka yet.
    first: Option<Token>,
    /// When the last one ends.
    end: Option<SystemTime>,
}

impl Renewal {
    /// With the first token. To be called where a runtime is.
    pub(crate) fn new(access: Arc<Access>, first: Option<Token>) -> Self {
        let end = first.as_ref().map(|token| token.end);
        Self { access, runtime: Handle::current(), state: Mutex::new(State { first, end }) }
    }

    /// The next token. Waits for the token endpoint, in the calling thread, which must not be one of the runtime.
    ///
    /// # Errors
    /// Why there is none, after [`NOT_RENEWED`].
    pub(crate) fn next(&self) -> Result<Token, String> {
        let first = self.state().first.take();
        let token = match first {
            Some(token) => token,
            None => self.ask().map_err(|why| format!("{NOT_RENEWED}{why}"))?,
        };
        self.state().end = Some(token.end);
        Ok(token)
    }

    /// Whether the last token has ended, so that a broker may refuse what was good.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().end.is_some_and(|end| end <= SystemTime::now())
    }

    fn ask(&self) -> Result<Token, String> {
        let (answer, answered) = mpsc::sync_channel(1);
        let access = self.access.clone();
        let asking = self.runtime.spawn(async move {
            // Nobody waits any more where the producer's thread has given up.
            drop(answer.send(access.token().await));
        });
        // The runtime may be gone by now, and the task with it.
        let token = answered.recv_timeout(self.access.patience() * 2);
        asking.abort();
        match token {
            Ok(Ok((_, Some(token)))) => Ok(token),
            Ok(Ok((_, None))) => Err("`sasl` holds none".to_owned()),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err("the token endpoint was not heard of".to_owned()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Token> for OAuthToken {
    fn from(token: Token) -> Self {
        let since = token.end.duration_since(UNIX_EPOCH).unwrap_or_default();
        // Of the name only librdkafka's log tells; the brokers read theirs in the token.
        Self {
            token: token.text,
            principal_name: "towpath".to_owned(),
            lifetime_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        }
    }
}
