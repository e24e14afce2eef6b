//! What is kept open between writes. A connection belongs to one write at a time, and comes back only when that has ended
//! well: after a failure, or when the write was dropped, nobody knows how far the receiver has got.

use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::address::Transport;
use crate::config::SyslogSettings;
use crate::failure::Failure;
use crate::limit::Limit;
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
    pub(crate) async fn new(settings: &SyslogSettings, limit: Limit) -> Result<Self, Failure> {
        Ok(match settings.address.transport {
            Transport::Udp => {
                let server = settings.to_string();
                let connecting = udp::connect(&settings.address);
                Self::Datagrams(limit.keep(Failure::late("no address for", &server), connecting).await?)
            }
            Transport::Tcp | Transport::Tls => {
                let mut stream = Stream::connect(settings, limit).await?;
                stream.until_accepted().await?;
                Self::Lines(stream)
            }
            Transport::Relp | Transport::RelpTls => {
                let stream = Stream::connect(settings, limit).await?;
                Self::Relp(Box::new(Session::open(stream, limit).await?))
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

    /// Ends it in good order; returns when the receiver has ended it as well.
    async fn finish(self) {
        let (ended, is_answered) = match self {
            Self::Datagrams(_) => return,
            Self::Lines(mut stream) => (stream.finish().await, false),
            Self::Relp(mut session) => (session.finish().await, true),
        };
        match &ended {
            Failure::Closed { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => {}
            Failure::Closed { server, .. } if !is_answered => tracing::warn!(
                server,
                error = &ended as &dyn std::error::Error,
                "receiver broke its connection off at the end: what its program had not read yet is lost; over RELP it would have come again"
            ),
            _ => tracing::debug!(error = &ended as &dyn std::error::Error, "receiver ended its connection"),
        }
    }
}

/// Connections that no write uses.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Vec<Connection>>);

impl Connections {
    /// One that is still good, or a new one.
    pub(crate) async fn take(&self, settings: &SyslogSettings, limit: Limit) -> Result<Connection, Failure> {
        while let Some(mut kept) = self.pop() {
            if kept.is_good().await {
                return Ok(kept);
            }
        }
        Connection::new(settings, limit).await
    }

    /// Keeps one for the next write.
    pub(crate) fn keep(&self, connection: Connection) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// Ends all of them, at the same time.
    pub(crate) async fn close(&self) {
        let mut ending = JoinSet::new();
        while let Some(kept) = self.pop() {
            ending.spawn(kept.finish());
        }
        ending.join_all().await;
    }

    fn pop(&self) -> Option<Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
