//! A connection over TCP, with or without TLS.
//!
//! It is read whenever it is written: a receiver of plain syslog has nothing to say but that it goes away, and with TLS 1.3
//! a refusal of our certificate comes only after the handshake has succeeded on this side (RFC 8446, 4.4.2.4 and 6.2).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::sockopt;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ProtocolVersion, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::acknowledged::{self, Bytes};
use crate::address::Address;
use crate::config::SyslogSettings;
use crate::failure::Failure;
use crate::limit::Limit;

/// Most time for a name, a connection and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a receiver that has asked for a certificate may take to refuse ours, if it sends no session tickets: those come
/// after it has looked at the certificate.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// Silence after which the kernel asks whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection. Dropped, it says goodbye as far as that is possible without waiting.
pub(crate) struct Stream {
    kind: Kind,
    server: String,
    /// What came before anybody wanted it.
    early: Vec<u8>,
    /// Whether the receiver has asked for a certificate.
    was_asked: bool,
}

enum Kind {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Connects, in time.
    pub(crate) async fn connect(settings: &SyslogSettings, limit: Limit) -> Result<Self, Failure> {
        let (limit, server) = (limit.at_most(CONNECT_TIMEOUT), settings.address.to_string());
        limit.keep(Failure::late("no connection to", &server), Self::begin(settings)).await
    }

    async fn begin(settings: &SyslogSettings) -> Result<Self, Failure> {
        let address = &settings.address;
        let server = address.to_string();
        let tcp = dial(address).await?;
        tune(&tcp, settings.timeout).map_err(|source| Failure::Connect { server: server.clone(), source })?;
        if !address.transport.is_tls() {
            return Ok(Self { kind: Kind::Plain(tcp), server, early: Vec::new(), was_asked: false });
        }
        // Connections are rare, so the files are read for each: a renewed certificate needs no restart.
        let mut config = http_client::tls_config(&settings.tls).map_err(Failure::Tls)?;
        let was_asked = Arc::new(AtomicBool::new(false));
        config.client_auth_cert_resolver = Arc::new(Noting {
            resolver: config.client_auth_cert_resolver.clone(),
            was_asked: was_asked.clone(),
        });
        let tls = handshake(address, config, tcp, &server).await?;
        let was_asked = was_asked.load(Ordering::Relaxed);
        Ok(Self { kind: Kind::Tls(Box::new(tls)), server, early: Vec::new(), was_asked })
    }

    /// Waits until the receiver has had a look at our certificate, or at its absence, if it has asked for one. Not for those
    /// that answer: a receiver that does has looked.
    pub(crate) async fn until_accepted(&mut self) -> Result<(), Failure> {
        if !self.was_asked {
            return Ok(());
        }
        let mut early = Vec::new();
        let refused = std::future::poll_fn(|context| {
            let heard = self.poll_heard(context, |bytes| {
                early.extend_from_slice(bytes);
                Ok(())
            });
            match (&self.kind, heard) {
                (_, Poll::Ready(failure)) => Poll::Ready(Some(failure)),
                (Kind::Tls(tls), Poll::Pending) => {
                    let session = tls.get_ref().1;
                    // TLS 1.2 has verified the certificate before it ends the handshake.
                    let is_old = session.protocol_version() != Some(ProtocolVersion::TLSv1_3);
                    if is_old || session.tls13_tickets_received() > 0 {
                        Poll::Ready(None)
                    } else {
                        Poll::Pending
                    }
                }
                (Kind::Plain(_), Poll::Pending) => Poll::Ready(None),
            }
        });
        let refused = timeout(REFUSAL_TIMEOUT, refused).await;
        self.early = early;
        match refused {
            Err(_) | Ok(None) => Ok(()),
            Ok(Some(failure)) => Err(self.refused(failure)),
        }
    }

    /// What the end of a connection means that the receiver has not taken anything of yet.
    pub(crate) fn refused(&self, failure: Failure) -> Failure {
        match failure {
            // Some receivers close without a reason.
            Failure::Closed { server, .. } if self.was_asked => Failure::unwelcome(&server),
            failure => failure,
        }
    }

    /// The receiver, for messages.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The connection below TLS.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match &self.kind {
            Kind::Plain(tcp) => tcp,
            Kind::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Whether the kernel knows that the receiver has closed it, or that it is broken. What is read may tell later: the
    /// runtime learns of it in its next round only.
    pub(crate) fn is_closed(&self) -> bool {
        !matches!(acknowledged::ask(self.tcp()), Ok(Bytes::Acknowledged | Bytes::Outstanding))
    }

    /// Why it cannot be used any more, as far as that can be read without waiting.
    pub(crate) async fn ended(&mut self) -> Option<Failure> {
        std::future::poll_fn(|context| match self.poll_heard(context, |_| Ok(())) {
            Poll::Ready(failure) => Poll::Ready(Some(failure)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Reads what there is and hands it on; ends only with the connection.
    pub(crate) fn poll_heard(
        &mut self,
        context: &mut Context<'_>,
        mut heard: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Poll<Failure> {
        if !self.early.is_empty()
            && let Err(failure) = heard(&std::mem::take(&mut self.early))
        {
            return Poll::Ready(failure);
        }
        let mut space = [0; 8192];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(self.poll_read(context, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => {
                    let source = io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Failure::Closed { server: self.server.clone(), source });
                }
                Ok(()) => {
                    if let Err(failure) = heard(buffer.filled()) {
                        return Poll::Ready(failure);
                    }
                }
                Err(source) => return Poll::Ready(Failure::of_connection(&self.server, source)),
            }
        }
    }

    /// Writes as much of `bytes` as is taken at once; `Ready` when that is all and none of it waits in TLS.
    pub(crate) fn poll_sent(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
        sent: &mut usize,
    ) -> Poll<Result<(), Failure>> {
        while *sent < bytes.len() {
            match ready!(self.poll_write(context, &bytes[*sent..])) {
                Ok(0) => return Poll::Ready(Err(self.broken(context, io::ErrorKind::WriteZero.into()))),
                Ok(taken) => *sent += taken,
                Err(source) => return Poll::Ready(Err(self.broken(context, source))),
            }
        }
        match ready!(self.poll_flush(context)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(source) => Poll::Ready(Err(self.broken(context, source))),
        }
    }

    /// A write says only that the connection is gone; what was said before may tell why.
    fn broken(&mut self, context: &mut Context<'_>, source: io::Error) -> Failure {
        match self.poll_heard(context, |_| Ok(())) {
            Poll::Ready(failure @ Failure::Tls(_)) => failure,
            _ => Failure::of_connection(&self.server, source),
        }
    }

    /// Says that nothing more comes, with TLS by `close_notify` as well, and reads until the receiver says the same. How it
    /// ended.
    pub(crate) async fn finish(&mut self) -> Failure {
        let said = std::future::poll_fn(|context| match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Kind::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        });
        match said.await {
            Ok(()) => std::future::poll_fn(|context| self.poll_heard(context, |_| Ok(()))).await,
            Err(source) => Failure::of_connection(&self.server, source),
        }
    }

    /// Sends a few bytes if they are taken at once.
    pub(crate) fn last_words(&mut self, words: &[u8]) {
        let said = match &mut self.kind {
            Kind::Plain(tcp) => tcp.try_write(words).map(drop),
            Kind::Tls(tls) => {
                let (tcp, session) = tls.get_mut();
                io::Write::write_all(&mut session.writer(), words).and_then(|()| drain(tcp, session))
            }
        };
        note_unsaid(said);
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Kind::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Kind::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Kind::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }
}

impl Drop for Stream {
    /// Ends TLS with `close_notify` (RFC 8446, 6.1), without which a receiver must suspect that the end was cut off.
    fn drop(&mut self) {
        if let Kind::Tls(tls) = &mut self.kind {
            let (tcp, session) = tls.get_mut();
            session.send_close_notify();
            note_unsaid(drain(tcp, session));
        }
    }
}

/// Writes what TLS has ready, if it is taken at once.
fn drain(tcp: &TcpStream, session: &mut rustls::ClientConnection) -> io::Result<()> {
    struct AtOnce<'a>(&'a TcpStream);
    impl io::Write for AtOnce<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.try_write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    while session.wants_write() {
        session.write_tls(&mut AtOnce(tcp))?;
    }
    Ok(())
}

/// The connection ends in any case.
fn note_unsaid(said: io::Result<()>) {
    if let Err(error) = said {
        tracing::trace!(%error, "connection ends without a goodbye");
    }
}

async fn dial(address: &Address) -> Result<TcpStream, Failure> {
    let server = address.to_string();
    let found = lookup_host((address.host.as_str(), address.port)).await;
    let found = found.map_err(|source| Failure::Name { server: server.clone(), source })?;
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in found {
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(Failure::Connect { server, source: last })
}

/// A peer that is gone is noticed by the kernel: idle, by keepalive; with bytes on their way, by `TCP_USER_TIMEOUT`
/// (RFC 5482).
fn tune(tcp: &TcpStream, timeout: Duration) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    sockopt::set_socket_keepalive(tcp, true)?;
    sockopt::set_tcp_keepidle(tcp, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(tcp, KEEPALIVE / 3)?;
    sockopt::set_tcp_keepcnt(tcp, 3)?;
    let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(tcp, millis)?;
    Ok(())
}

async fn handshake(
    address: &Address,
    config: ClientConfig,
    tcp: TcpStream,
    server: &str,
) -> Result<TlsStream<TcpStream>, Failure> {
    let name = ServerName::try_from(address.host.clone());
    // The address was checked with the configuration.
    let name = name.map_err(|error| Failure::of_handshake(server, io::Error::other(error)))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    connecting.await.map_err(|source| Failure::of_handshake(server, source))
}

/// Notes whether the receiver has asked for a certificate.
#[derive(Debug)]
struct Noting {
    resolver: Arc<dyn ResolvesClientCert>,
    was_asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Noting {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.resolver.resolve(hints, schemes)
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}
