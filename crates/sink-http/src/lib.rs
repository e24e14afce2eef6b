//! Delivers events to an HTTP endpoint: a webhook, a log intake, whatever takes JSON in a request.
//!
//! A write is one request with all of its events, or one request an event; it is acknowledged when the endpoint has
//! answered with a success. What every other status means is one table ([`http_client::delivery::class`]), and nothing in it drops an event.
//! `README.md` has the guarantees in full.
//!
//! ```no_run
//! use pipeline::{Sink, Write};
//! use sink_http::{HttpConfig, HttpSink};
//!
//! # async fn example() -> Result<(), pipeline::BoxError> {
//! let config: HttpConfig = serde_json::from_str(
//!     r#"{"url": "https://intake.example.com/v1/events", "auth": {"bearer": "token"}, "compression": "gzip"}"#,
//! )?;
//! let sink = HttpSink::new(config.validate().expect("a good configuration"));
//! sink.check().await?; // reaches the endpoint, delivers nothing
//! sink.write(&Write::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Code map
//! `config` is what a user writes; `secrets` makes headers and signing keys of it. `form` is what a body looks like,
//! `signing` its signature, `request` puts both together. What a status means, what may be shown of an answer, and how new
//! secrets are taken up is the same for all sinks: `http_client::delivery`.

mod check;
mod config;
mod form;
mod request;
mod secrets;
mod signing;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
pub use http_client::delivery::BasicConfig;
use http_client::delivery::{self, Class, Credentials, Keys, Refusal, class};
use http_client::{HttpClient, HttpError};
use pipeline::{BoxError, Outcome, Sink, SinkError, Timestamp, Write};

pub use crate::config::{AuthConfig, HeaderConfig, HttpConfig, HttpSettings, Method, SigningConfig};
pub use crate::form::Body;
use crate::secrets::Secrets;

/// What the keys are called that a remedy names.
pub(crate) const KEYS: Keys = Keys {
    url: "`url`",
    credentials: "`auth` or `signing`",
    request: "`method`, `headers`, `body` and `compression`",
};

/// With one event a request: refusals in a row after which a write goes no further. So many are more likely a fault of
/// the configuration than of the events, and the runtime decides what to do about them.
const MOST_REFUSALS: usize = 20;

/// Why a delivery was not taken.
enum Refused {
    /// It is too large.
    TooLarge(Refusal),
    /// Its content is not what the endpoint takes; [`pipeline::Reason::kind`].
    Content(&'static str, Refusal),
    /// It says nothing about the events.
    Failed(SinkError),
}

impl From<HttpError> for Refused {
    fn from(error: HttpError) -> Self {
        Self::Failed(delivery::of_http_error(error, &KEYS))
    }
}

/// The sink. Writes to it do not wait for one another.
pub struct HttpSink {
    settings: HttpSettings,
    client: HttpClient,
    credentials: Credentials<Secrets>,
}

impl HttpSink {
    /// A sink that has reached for nothing yet: [`Sink::check`] or the first write does.
    pub fn new(settings: HttpSettings) -> Self {
        let client = HttpClient::new(settings.client.clone());
        let credentials = Credentials::new(settings.secrets.clone(), settings.prepared.clone());
        Self { settings, client, credentials }
    }

    /// One request with all events.
    async fn write_together(&self, events: &Write) -> Result<Outcome, SinkError> {
        let parts = form::parts(self.settings.body, events);
        match self.send(parts, &form::delivery_id(events.events())).await {
            Ok(()) => Ok(Outcome::default()),
            Err(Refused::Failed(error)) => Err(error),
            Err(Refused::TooLarge(refusal)) if events.len() > 1 => Err(SinkError::TooLarge(refusal.into())),
            Err(Refused::TooLarge(refusal)) => Err(SinkError::Rejected { reason: refusal.reason(TOO_LARGE) }),
            Err(Refused::Content(kind, refusal)) => Err(SinkError::Rejected { reason: refusal.reason(kind) }),
        }
    }

    /// One request an event, one after the other. What was taken before a failure is not sent again: the failure is
    /// then only told when it meets the first event of a write, which it does at the next one.
    async fn write_each(&self, events: &Write) -> Result<Outcome, SinkError> {
        let mut outcome = Outcome::default();
        let mut refusals = 0;
        for (index, (batch, meta)) in (0u32..).zip(events.events()) {
            let id = form::delivery_id(std::iter::once((batch, meta)));
            let (kind, refusal) = match self.send(vec![form::text(batch, meta)], &id).await {
                Ok(()) => {
                    refusals = 0;
                    continue;
                }
                Err(Refused::Failed(error)) if index == 0 => return Err(error),
                Err(Refused::Failed(error)) => {
                    tracing::debug!(
                        taken = index,
                        error = delivery::chain(&error),
                        "write ends in the middle"
                    );
                    if let SinkError::Transient { retry_after, .. } = error {
                        outcome.slow_down = retry_after;
                    }
                    outcome.retry.extend(index..events.len() as u32);
                    break;
                }
                Err(Refused::TooLarge(refusal)) => (TOO_LARGE, refusal),
                Err(Refused::Content(kind, refusal)) => (kind, refusal),
            };
            outcome.rejected.push((index, refusal.reason(kind)));
            refusals += 1;
            if refusals == MOST_REFUSALS {
                outcome.retry.extend(index + 1..events.len() as u32);
                break;
            }
        }
        Ok(outcome)
    }

    /// One delivery. Cancelling it closes its connection and leaves nothing behind.
    async fn send(&self, parts: Vec<Bytes>, id: &str) -> Result<(), Refused> {
        let body = self.settings.compression.body_in_background(parts).await;
        let body = body.map_err(|error| {
            Refused::Failed(SinkError::Transient { retry_after: None, source: error.into() })
        })?;
        let credentials = self.credentials.current();
        let request = request::delivery(&self.settings, &credentials, id, body, now())?;
        let answer = self.client.deliver(&request).await?;
        let refusal = || Refusal::read(&self.settings.url, &answer, &credentials.hidden);
        let refused = match class(answer.status.as_u16(), &KEYS) {
            Class::Taken => {
                self.credentials.accepted();
                return Ok(());
            }
            Class::Again => Refused::Failed(SinkError::Transient {
                retry_after: delivery::retry_after(&answer, now()),
                source: refusal().into(),
            }),
            Class::TooLarge => Refused::TooLarge(refusal()),
            Class::Content(kind) => Refused::Content(kind, refusal()),
            Class::Paused { reason, remedy } => {
                Refused::Failed(SinkError::Paused { reason, remedy, source: refusal().into() })
            }
        };
        // Some receivers answer 400 to a signature that they do not know.
        let doubted = match answer.status.as_u16() {
            401 | 403 => true,
            400 => !credentials.signing.is_empty(),
            _ => false,
        };
        if doubted && self.credentials.refused(&credentials) {
            let source = refusal().into();
            return Err(Refused::Failed(SinkError::Transient { retry_after: Some(Duration::ZERO), source }));
        }
        Err(refused)
    }
}

/// [`pipeline::Reason::kind`] of an event that is too large by itself.
const TOO_LARGE: &str = "too_large";

#[async_trait]
impl Sink for HttpSink {
    /// Is the endpoint there, and does it accept the credentials? Delivers nothing.
    async fn check(&self) -> Result<(), BoxError> {
        // As a `SinkError` it brings its remedy.
        self.prove().await.map_err(Into::into)
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        match self.settings.body {
            _ if events.is_empty() => Ok(Outcome::default()),
            Body::Json => self.write_each(events).await,
            Body::Ndjson | Body::JsonArray => self.write_together(events).await,
        }
    }
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
