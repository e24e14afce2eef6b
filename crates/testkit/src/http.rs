//! An HTTP server on loopback, with or without TLS, for destinations that tests deliver to. It reads requests whole, and
//! answers what a function says; what a protocol refuses is for that function to know. [`send`] is the other side, and a
//! [`Proxy`] stands between a client and a server.

mod authority;
mod client;
mod proxy;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
pub use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

pub use self::authority::Authority;
pub use self::client::{Received, call, send};
pub use self::proxy::{Proxy, Turn};

/// A request, read whole.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// The bytes of the connection.
    pub body: Vec<u8>,
}

impl Request {
    /// A request of its own, to a server at this address.
    pub fn new(server: SocketAddr, method: &str, target: &str, body: &[u8]) -> Self {
        let mut headers = HeaderMap::new();
        let host = HeaderValue::from_str(&server.to_string()).expect("an address is text");
        headers.insert("host", host);
        headers.insert("content-length", body.len().into());
        Self { method: method.to_owned(), target: target.to_owned(), headers, body: body.to_vec() }
    }

    /// The same with this header instead of what it had under the name.
    ///
    /// # Panics
    /// When it is no header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().expect("a header"));
        self
    }

    /// A header that stands there once, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What the client gets.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer: status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// What another server has answered, as it is.
    Passed(Received),
    /// The connection is closed without one.
    Close,
    /// The connection is reset without one; over TLS it is closed.
    Reset,
    /// Nothing, ever.
    Hang,
}

/// Answers a request.
pub type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;

type Handler = dyn Fn(Request) -> Answer + Send + Sync;

#[derive(Default)]
struct State {
    tls: Option<TlsAcceptor>,
    /// Connections are closed at once.
    away: bool,
    connections: Vec<AbortHandle>,
}

/// A running server; it ends with the runtime that it was started in.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start(
        tls: Option<ServerConfig>,
        handler: impl Fn(Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let state = Arc::new(Mutex::new(State { tls, ..State::default() }));
        let server = Self { address, state: state.clone() };
        let handler: Arc<Handler> = Arc::new(handler);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handler = handler.clone();
                let (tls, away) = {
                    let state = lock(&state);
                    (state.tls.clone(), state.away)
                };
                if away {
                    continue;
                }
                let connection = tokio::spawn(async move {
                    match tls {
                        None => in_clear(stream, &*handler).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            let service = service_fn(|request| serve(request, &*handler, None));
                            let server = hyper::server::conn::http1::Builder::new();
                            // A client that goes away in the middle is what some tests are about.
                            drop(server.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                });
                lock(&state).connections.push(connection.abort_handle());
            }
        });
        server
    }

    /// Goes away, with all connections, or comes back.
    pub fn away(&self, away: bool) {
        lock(&self.state).away = away;
        if away {
            self.hang_up();
        }
    }

    /// Who it is from the next connection on; there is none before.
    pub fn identity(&self, tls: ServerConfig) {
        lock(&self.state).tls = Some(TlsAcceptor::from(Arc::new(tls)));
        self.hang_up();
    }

    fn hang_up(&self) {
        for connection in lock(&self.state).connections.drain(..) {
            connection.abort();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a connection without TLS, which alone can be reset.
async fn in_clear(stream: TcpStream, handler: &Handler) {
    let reset = AtomicBool::new(false);
    let service = service_fn(|request| Box::pin(serve(request, handler, Some(&reset))));
    let server = hyper::server::conn::http1::Builder::new();
    let mut connection = server.serve_connection(TokioIo::new(stream), service);
    // A client that goes away in the middle is what some tests are about.
    drop(poll_fn(|context| connection.poll_without_shutdown(context)).await);
    if reset.load(Ordering::Relaxed) {
        let stream = connection.into_parts().io.into_inner();
        stream.set_zero_linger().expect("the option of an open socket");
    }
}

/// A body, read to its end.
async fn read(mut incoming: Incoming) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut incoming).poll_frame(context)).await {
        if let Ok(data) = frame.map_err(io::Error::other)?.into_data() {
            body.extend_from_slice(&data);
        }
    }
    Ok(body)
}

async fn serve(
    request: hyper::Request<Incoming>,
    handler: &Handler,
    reset: Option<&AtomicBool>,
) -> io::Result<Response<Full>> {
    let (head, incoming) = request.into_parts();
    let body = read(incoming).await?;
    let (method, target) = (head.method.to_string(), head.uri.to_string());
    match handler(Request { method, target, headers: head.headers, body }).await {
        Reply::Answer(status, headers, text) => {
            let mut response =
                Response::builder().status(StatusCode::from_u16(status).map_err(io::Error::other)?);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Full(Some(text.into()))).map_err(io::Error::other)
        }
        Reply::Passed(received) => {
            let mut response = Response::new(Full(Some(received.body.into())));
            *response.status_mut() = StatusCode::from_u16(received.status).map_err(io::Error::other)?;
            *response.headers_mut() = received.headers;
            // The body is whole here, and the connection is ours.
            for name in ["transfer-encoding", "connection", "content-length"] {
                response.headers_mut().remove(name);
            }
            Ok(response)
        }
        Reply::Close => Err(io::ErrorKind::ConnectionReset.into()),
        Reply::Reset => {
            if let Some(reset) = reset {
                reset.store(true, Ordering::Relaxed);
            }
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Reply::Hang => std::future::pending().await,
    }
}

/// A body that is there as a whole.
struct Full(Option<Bytes>);

impl Body for Full {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
