//! Waiting until Splunk says that events are indexed (Splunk, "About HTTP Event Collector Indexer Acknowledgment").

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_client::Method;
use http_client::delivery::of_http_error;
use pipeline::{BoxError, SinkError};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use crate::SplunkHecSink;
use crate::answer::{self, ACK_KEYS, NotTaken, Said, asked_wait};
use crate::channel::Channel;

/// Pause before the first question, doubled from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Longest pause between two questions.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Splunk has not said in time that the events are indexed.
#[derive(Debug)]
struct Unacknowledged {
    after: Duration,
    /// What the last question came to, if it was no answer.
    last: Option<BoxError>,
}

impl fmt::Display for Unacknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Splunk has not acknowledged the events within {:?}", self.after)?;
        if self.last.is_none() {
            f.write_str("; behind a load balancer without sticky sessions it may never do so")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unacknowledged {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.last.as_ref().map(|last| &**last as _)
    }
}

/// Why a question was not answered with yes or no.
pub(crate) enum Unanswered {
    /// It may be asked again: the events may well be indexed.
    Later {
        /// What was asked to wait.
        retry_after: Option<Duration>,
        /// What happened.
        source: BoxError,
    },
    /// There is no point in it.
    Never(SinkError),
}

#[derive(Deserialize)]
struct Acks {
    acks: HashMap<String, bool>,
}

impl SplunkHecSink {
    /// A channel that the token can use. Asking for a number that was not given out shows whether the token acknowledges
    /// before any event is sent, and tells which indexer the channel leads to.
    pub(crate) async fn open_channel(&self) -> Result<Channel, SinkError> {
        let mut channel = Channel::new();
        match self.ask(&mut channel, 0, true).await {
            Ok(_) => Ok(channel),
            Err(Unanswered::Later { retry_after, source }) => {
                Err(SinkError::Transient { retry_after, source })
            }
            Err(Unanswered::Never(error)) => Err(error),
        }
    }

    /// Waits until request `id` of `channel` is indexed, at most `patience` and one request.
    ///
    /// # Errors
    /// When that does not become known. Nothing then counts as delivered.
    pub(crate) async fn acknowledged(
        &self,
        channel: &mut Channel,
        id: u64,
        patience: Duration,
    ) -> Result<(), SinkError> {
        let deadline = Instant::now() + patience;
        let mut pause = FIRST_PAUSE;
        loop {
            sleep_until(deadline.min(Instant::now() + pause)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
            let last = match self.ask(channel, id, false).await {
                Ok(true) => return Ok(()),
                Ok(false) => None,
                Err(Unanswered::Later { retry_after, source }) => {
                    pause = pause.max(retry_after.unwrap_or_default());
                    Some(source)
                }
                Err(Unanswered::Never(error)) => return Err(error),
            };
            if Instant::now() >= deadline {
                let source = Unacknowledged { after: patience, last }.into();
                return Err(SinkError::Transient { retry_after: None, source });
            }
        }
    }

    /// Asks whether request `id` is indexed. "No" also means "not known" and "failed". `is_new`: the channel was not used
    /// before.
    async fn ask(&self, channel: &mut Channel, id: u64, is_new: bool) -> Result<bool, Unanswered> {
        let credentials = self.credentials.current();
        let url = &self.settings.ack_url;
        let mut request = self.request(Method::POST, url, &credentials);
        request.body = Bytes::from(format!("{{\"acks\":[{id}]}}"));
        channel.mark(&mut request.headers);
        let answer = match self.client.send(&request).await.map_err(|error| of_http_error(error, &ACK_KEYS)) {
            Ok(answer) => answer,
            Err(SinkError::Transient { retry_after, source }) => {
                return Err(Unanswered::Later { retry_after, source });
            }
            Err(error) => return Err(Unanswered::Never(error)),
        };
        if channel.moved(&answer.headers) && !is_new {
            let source = "another indexer answers than the one that took the events".into();
            return Err(Unanswered::Never(SinkError::Transient { retry_after: None, source }));
        }
        if answer.status.is_success()
            && let Ok(Acks { acks }) = serde_json::from_slice(&answer.body)
        {
            self.credentials.accepted();
            return Ok(acks.get(&id.to_string()).copied().unwrap_or(false));
        }
        let later = |retry_after, source| Err(Unanswered::Later { retry_after, source });
        match answer::consequence(url, &answer, 0, &credentials, &ACK_KEYS) {
            // It may well not know a channel that no event was sent through.
            Err(NotTaken::Channel(_)) if is_new => Ok(false),
            Err(NotTaken::Channel(source)) => {
                Err(Unanswered::Never(SinkError::Transient { retry_after: None, source }))
            }
            Err(NotTaken::Failed(_, true)) if self.credentials.refused(&credentials) => {
                later(Some(Duration::ZERO), "token is refused, its file holds another one".into())
            }
            Err(NotTaken::Failed(error @ SinkError::Paused { .. }, _)) => Err(Unanswered::Never(error)),
            // No failure of a question says that the events are lost, and none that they are indexed.
            Ok(_) | Err(NotTaken::Failed(..) | NotTaken::Event(..)) => {
                let said = Said::read(&answer).unwrap_or_default();
                let refusal = answer::refusal(url, &answer, &said, &credentials);
                later(asked_wait(&answer), refusal.into())
            }
        }
    }
}
