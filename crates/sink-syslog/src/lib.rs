//! Delivers events to a syslog receiver, one message an event: RFC 5424 or RFC 3164, over UDP, TCP, TLS or RELP.
//!
//! How much an acknowledgement is worth differs by what carries the messages; `README.md` has the guarantees in full.
//!
//! | | a write is acknowledged when |
//! |---|---|
//! | RELP | the receiver has answered each message |
//! | TCP, TLS | the receiver's machine has acknowledged all bytes; what its program then does is not known |
//! | UDP | the messages have left this machine |
//!
//! ```no_run
//! use pipeline::{Sink, Write};
//! use sink_syslog::{SyslogConfig, SyslogSink};
//!
//! # async fn example() -> Result<(), pipeline::BoxError> {
//! let config: SyslogConfig = serde_json::from_str(r#"{"address": "tls://siem.example.com", "body": "cef"}"#)?;
//! let sink = SyslogSink::new(config.validate().expect("a good configuration"));
//! sink.check().await?; // connects, delivers nothing
//! sink.write(&Write::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Code map
//! `config` is what a user writes, `address` where that leads. `message` and `cef` make messages of events, with `encode`.
//! `stream` is a connection with or without TLS; `lines` sends messages over it and waits for `acknowledged`, `relp` for
//! answers; `udp` waits for nothing. `connections` keeps what is open between writes. `limit` is how long all that may take,
//! `failure` what follows when something goes wrong.

mod acknowledged;
mod address;
mod cef;
mod config;
mod connections;
mod failure;
mod limit;
mod lines;
mod message;
mod relp;
mod stream;
mod udp;

use std::time::Duration;

use crate::address::Transport;
pub use crate::config::{Body, OnOversize, SyslogConfig, SyslogSettings};
use crate::connections::{Connection, Connections};
use crate::failure::Failure;
use crate::limit::Limit;
use crate::message::Messages;
use crate::relp::Answers;
use async_trait::async_trait;
use encode::syslog::Sender;
use pipeline::{BoxError, Outcome, Sink, SinkError, Write};
use tokio::task::spawn_blocking;

/// Longest time that `check` waits, where a write may wait longer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// The sink. Writes to it do not wait for one another: each has a connection of its own.
pub struct SyslogSink {
    settings: SyslogSettings,
    sender: Sender,
    connections: Connections,
}

impl SyslogSink {
    /// A sink that has reached for nothing yet: [`Sink::check`] or the first write does.
    pub fn new(settings: SyslogSettings) -> Self {
        let (sender, connections) = (settings.sender(), Connections::default());
        Self { settings, sender, connections }
    }

    /// What a check that has found nothing wrong has found out.
    pub fn proof(&self) -> &'static str {
        match self.settings.address.transport {
            Transport::Udp => "has an address; whether anybody listens cannot be known over UDP",
            Transport::Tcp | Transport::Tls => "can be reached",
            Transport::Relp | Transport::RelpTls => "answers",
        }
    }

    /// Makes the messages; away from the threads that serve connections where it takes long.
    async fn messages(&self, events: &Write) -> Result<Messages, SinkError> {
        if self.settings.body == Body::Json {
            return Ok(message::messages(&self.settings, &self.sender, events));
        }
        let (settings, sender, events) = (self.settings.clone(), self.sender.clone(), events.clone());
        let work = spawn_blocking(move || message::messages(&settings, &sender, &events));
        work.await.map_err(|panic| SinkError::Transient { retry_after: None, source: panic.into() })
    }

    /// Sends the messages. What is not done by the deadline comes again.
    async fn deliver(&self, messages: &Messages, outcome: &mut Outcome) -> Result<(), Failure> {
        let settings = &self.settings;
        let (limit, server) = (Limit::new(settings.timeout), settings.to_string());
        match self.connections.take(settings, limit).await? {
            Connection::Lines(mut stream) => {
                let delivery = lines::deliver(&mut stream, messages);
                limit.keep(Failure::late("no acknowledgement of all bytes from", &server), delivery).await?;
                self.connections.keep(Connection::Lines(stream));
            }
            Connection::Relp(mut session) => {
                let mut answers = Answers::default();
                let delivery = session.deliver(messages, &mut answers);
                let delivered =
                    limit.keep(Failure::late("no answers to all messages from", &server), delivery).await;
                let refused = answers.refused.into_iter();
                outcome.rejected.extend(refused.map(|(place, reason)| (messages.events[place], reason)));
                match delivered {
                    Ok(()) => self.connections.keep(Connection::Relp(session)),
                    // What was answered must not come again.
                    Err(failure) if answers.answered.contains(&true) => {
                        tracing::debug!(
                            error = &failure as &dyn std::error::Error,
                            "write ends in the middle"
                        );
                        let unanswered =
                            answers.answered.iter().zip(&messages.events).filter(|(done, _)| !**done);
                        outcome.retry.extend(unanswered.map(|(_, event)| *event));
                    }
                    Err(failure) => return Err(failure),
                }
            }
            Connection::Datagrams(socket) => {
                let delivery = udp::deliver(&socket, &settings.address, messages);
                outcome.rejected.extend(limit.keep(Failure::late("no way out to", &server), delivery).await?);
                self.connections.keep(Connection::Datagrams(socket));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for SyslogSink {
    /// Is the receiver there, does it trust us and we it? Delivers nothing.
    async fn check(&self) -> Result<(), BoxError> {
        let limit = Limit::new(self.settings.timeout).at_most(CHECK_TIMEOUT);
        // As a `SinkError` it brings its remedy.
        let connected = Connection::new(&self.settings, limit).await;
        connected.map(drop).map_err(|failure| failure.when_checked().into())
    }

    async fn open(&self) -> Result<(), SinkError> {
        let connection = self.connections.take(&self.settings, Limit::new(self.settings.timeout)).await;
        self.connections.keep(connection.map_err(Failure::while_running)?);
        Ok(())
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        if events.is_empty() {
            return Ok(Outcome::default());
        }
        let mut messages = self.messages(events).await?;
        let mut outcome = Outcome { rejected: std::mem::take(&mut messages.refused), ..Outcome::default() };
        if !messages.ends.is_empty() {
            self.deliver(&messages, &mut outcome).await.map_err(Failure::while_running)?;
        }
        Ok(outcome)
    }

    /// Says goodbye on each connection and waits until the receiver has ended it, having read everything: one that is
    /// closed at once, with something in it that we have not read, is reset, and a reset may take away what the receiver
    /// has not read.
    async fn close(&self) {
        self.connections.close().await;
    }
}
