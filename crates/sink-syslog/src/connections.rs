//! What is kept open between writes. A connection belongs to one write at a time, and comes back only when that has ended
//! well: after a failure, or when the write was dropped, nobody knows how far the receiver has got.

use std::sync::{Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::address::Transport;
use crate::config::SyslogSettings;
use crate::failure::Failure;
use crate::relp::Session;
use crate::stream::Stream;
use crate::udp;

/// A way to the receiver.
pub(crate) enum Connection {
    Datagrams(UdpSocket),
    Lines(Stream),
    Relp(Box<Session>),
}

impl Connection {
    /// A new one, ready to be used.
    pub(crate) async fn new(settings: &SyslogSettings, deadline: Instant) -> Result<Self, Failure> {
        Ok(match settings.address.transport {
            Transport::Udp => {
                let connected = timeout_at(deadline, udp::connect(&settings.address)).await;
                let (what, server, after) = ("no address for", settings.to_string(), settings.timeout);
                Self::Datagrams(connected.map_err(|_| Failure::Timeout { what, server, after })??)
            }
            Transport::Tcp | Transport::Tls => Self::Lines(Stream::connect(settings).await?),
            Transport::Relp | Transport::RelpTls => {
                let stream = Stream::connect(settings).await?;
                Self::Relp(Box::new(Session::open(stream, deadline).await?))
            }
        })
    }

    /// Whether the receiver has not ended it meanwhile.
    async fn is_good(&mut self) -> bool {
        let ended = match self {
            Self::Datagrams(_) => return true,
            Self::Lines(stream) if stream.is_closed() => None,
            Self::Relp(session) if session.is_closed() => None,
            Self::Lines(stream) => match stream.ended().await {
                None => return true,
                why => why,
            },
            Self::Relp(session) => match session.ended().await {
                None => return true,
                why => why,
            },
        };
        let why = ended.as_ref().map(|why| why as &dyn std::error::Error);
        tracing::debug!(error = why, "receiver has closed an idle connection");
        false
    }
}

/// Connections that no write uses.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Vec<Connection>>);

impl Connections {
    /// One that is still good, or a new one.
    pub(crate) async fn take(
        &self,
        settings: &SyslogSettings,
        deadline: Instant,
    ) -> Result<Connection, Failure> {
        while let Some(mut kept) = self.pop() {
            if kept.is_good().await {
                return Ok(kept);
            }
        }
        Connection::new(settings, deadline).await
    }

    /// Keeps one for the next write.
    pub(crate) fn keep(&self, connection: Connection) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    fn pop(&self) -> Option<Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
