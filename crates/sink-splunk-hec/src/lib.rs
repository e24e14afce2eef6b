//! Delivers events to Splunk through HTTP Event Collector (HEC), with indexer acknowledgement.
//!
//! A write is one request with an envelope for each event. With acknowledgements, which are the default, it counts as
//! delivered when an indexer has said that it is indexed; without, when the collector has taken it. What each code of the
//! collector means is one table (`code`), and nothing in it drops an event. `README.md` has the guarantees in full.
//!
//! ```no_run
//! use pipeline::{Sink, Write};
//! use sink_splunk_hec::{SplunkHecConfig, SplunkHecSink};
//!
//! # async fn example() -> Result<(), pipeline::BoxError> {
//! let config: SplunkHecConfig = serde_json::from_str(
//!     r#"{"url": "https://splunk.example.com:8088", "token": "11111111-2222-3333-4444-555555555555", "index": "audit"}"#,
//! )?;
//! let sink = SplunkHecSink::new(config.validate().expect("a good configuration"));
//! sink.check().await?; // reaches the collector, delivers nothing
//! sink.write(&Write::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Code map
//! `config` is what a user writes, `envelope` what a body looks like. `code` is the table, `answer` turns an answer into what
//! the runtime does next. `channel` is what acknowledgements are counted by, `acknowledgement` waits for them.

mod acknowledgement;
mod answer;
mod channel;
mod check;
mod code;
mod config;
mod envelope;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_client::delivery::{Credentials, of_http_error};
use http_client::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_client::{HttpClient, Method, Request, Url};
use pipeline::{BoxError, Outcome, Sink, SinkError, Write};

use crate::answer::{KEYS, NotTaken, Taken};
use crate::channel::{Channel, Channels};
use crate::config::{Prepared, Token};
pub use crate::config::{SplunkHecConfig, SplunkHecSettings};
use crate::envelope::Envelope;

/// Most bytes of an answer's body that are read.
const ANSWER_CAP: usize = 64 << 10;

/// Writes at once where each waits for its acknowledgement, which takes seconds.
const WAITING: usize = 32;

/// Writes at once where none waits.
const AT_ONCE: usize = 4;

/// The sink. Writes to it do not wait for one another.
pub struct SplunkHecSink {
    settings: SplunkHecSettings,
    envelope: Envelope,
    client: HttpClient,
    credentials: Credentials<Token>,
    channels: Channels,
}

impl SplunkHecSink {
    /// A sink that has reached for nothing yet: [`Sink::check`] or the first write does.
    pub fn new(settings: SplunkHecSettings) -> Self {
        let client = HttpClient::new(settings.client.clone());
        let credentials = Credentials::new(settings.token.clone(), settings.prepared.clone());
        let envelope = Envelope::new(&settings.metadata);
        Self { settings, envelope, client, credentials, channels: Channels::default() }
    }

    /// How many writes should be under way at once.
    pub fn concurrency(&self) -> usize {
        if self.settings.acknowledged_within.is_some() { WAITING } else { AT_ONCE }
    }

    /// One request, without a body yet.
    pub(crate) fn request(&self, method: Method, url: &Url, credentials: &Prepared) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, credentials.authorization.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Request { method, url: url.clone(), headers, body: Bytes::new(), body_cap: ANSWER_CAP }
    }

    /// Sends the events, and waits for nothing but the answer.
    async fn post(&self, body: Bytes, sent: usize, channel: Option<&mut Channel>) -> Result<Taken, NotTaken> {
        let credentials = self.credentials.current();
        let url = &self.settings.event_url;
        let mut request = self.request(Method::POST, url, &credentials);
        request.body = body;
        if let Some(coding) = self.settings.compression.content_encoding() {
            request.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if let Some(channel) = &channel {
            channel.mark(&mut request.headers);
        }
        let answer = self.client.deliver(&request).await;
        let answer = answer.map_err(|error| NotTaken::Failed(of_http_error(error, &KEYS), false))?;
        if let Some(channel) = channel {
            // Whoever has taken the events now is the one to ask.
            channel.moved(&answer.headers);
        }
        match answer::consequence(url, &answer, sent, &credentials, &KEYS) {
            Ok(taken) => {
                self.credentials.accepted();
                Ok(taken)
            }
            Err(NotTaken::Failed(error, true)) if self.credentials.refused(&credentials) => {
                let source = error.into();
                Err(NotTaken::Failed(
                    SinkError::Transient { retry_after: Some(Duration::ZERO), source },
                    true,
                ))
            }
            Err(not_taken) => Err(not_taken),
        }
    }

    /// Sends the events and waits until they are indexed. The channel is given back at its good end only.
    async fn post_acknowledged(
        &self,
        body: Bytes,
        sent: usize,
        patience: Duration,
    ) -> Result<Taken, NotTaken> {
        let failed = |error| NotTaken::Failed(error, false);
        let mut channel = match self.channels.take() {
            Some(channel) => channel,
            None => self.open_channel().await.map_err(failed)?,
        };
        let taken = self.post(body, sent, Some(&mut channel)).await?;
        let Some(id) = taken.ack_id else {
            let source = "Splunk has taken the events without an `ackId`".into();
            let remedy = code::ENABLE.to_owned();
            return Err(failed(SinkError::Paused { reason: "acknowledgements", remedy, source }));
        };
        self.acknowledged(&mut channel, id, patience).await.map_err(failed)?;
        self.channels.give_back(channel);
        Ok(taken)
    }
}

#[async_trait]
impl Sink for SplunkHecSink {
    /// Is the collector there, and does it accept the token? Delivers nothing.
    async fn check(&self) -> Result<(), BoxError> {
        // As a `SinkError` it brings its remedy.
        self.prove().await.map_err(Into::into)
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        if events.is_empty() {
            return Ok(Outcome::default());
        }
        let body = vec![Bytes::from(self.envelope.body(events))];
        let body = self.settings.compression.body_in_background(body).await;
        let body = body.map_err(|error| SinkError::Transient { retry_after: None, source: error.into() })?;
        let posted = match self.settings.acknowledged_within {
            Some(patience) => self.post_acknowledged(body, events.len(), patience).await,
            None => self.post(body, events.len(), None).await,
        };
        match posted {
            Ok(taken) => Ok(Outcome { slow_down: taken.slow_down, ..Outcome::default() }),
            // Events before the one at fault may have been taken or not, depending on the receiver; those behind it were
            // not. Twice is better than never.
            Err(NotTaken::Event(at, reason)) => {
                let others = (0..events.len() as u32).filter(|index| *index != at);
                Ok(Outcome { retry: others.collect(), rejected: vec![(at, reason)], ..Outcome::default() })
            }
            Err(NotTaken::Channel(source)) => Err(SinkError::Transient { retry_after: None, source }),
            Err(NotTaken::Failed(error, _)) => Err(error),
        }
    }
}
