//! HTTP/1.1 on a socket, with all the ways in which a connection can go wrong.
//!
//! hyper frames and parses. What it cannot do, [`Socket`] does: end with a reset, and tell when the last byte of a page has
//! been handed to the kernel, which is when its records count as shown.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, write::GzEncoder};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Sleep;

use crate::clock;
use crate::oracle::Snapshot;
use crate::service::{Call, Delivery, Reply, Service};
use crate::world::Sight;

/// The service, shared by all connections; held for one answer at a time, never across an await.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Service>>);

impl Shared {
    pub(crate) fn new(service: Service) -> Self {
        Self(Arc::new(Mutex::new(service)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Service> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a listener is the API or the origin to which redirects lead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Api,
    Elsewhere,
}

/// Accepts connections until dropped, and drops them then.
pub(crate) async fn serve(listener: TcpListener, shared: Shared, origin: Origin) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, shared.clone(), origin));
                }
                // Out of file descriptors: what is open may close.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, shared: Shared, origin: Origin) {
    // A delayed answer is better than none: the option is only a matter of speed.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let connection =
        Arc::new(Connection { shared, reset: AtomicBool::new(false), leaving: Mutex::default() });
    let socket = Socket { stream: TokioIo::new(stream), connection: Arc::clone(&connection) };
    let service =
        hyper::service::service_fn(move |request| respond(request, Arc::clone(&connection), origin));
    let served = hyper::server::conn::http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(socket, service)
        .await;
    // An error is what most faults are made of, and a client that was killed is another: the oracle tells them apart.
    drop(served);
}

/// What a connection's socket, bodies and service share.
struct Connection {
    shared: Shared,
    /// End with a reset instead of a close.
    reset: AtomicBool,
    /// Records of bodies that hyper has taken whole and not yet written.
    leaving: Mutex<Vec<Sight>>,
}

/// Closes the connection without an answer.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no answer, on purpose")
    }
}

impl std::error::Error for NoAnswer {}

async fn respond(
    request: Request<Incoming>,
    connection: Arc<Connection>,
    origin: Origin,
) -> Result<Response<Chunks>, NoAnswer> {
    let call = read_call(&request);
    let reply = match call.path.as_str() {
        "/_simulator/shown" | "/_simulator/all" | "/_simulator/stats" => {
            admin(&call.path, &connection.shared)
        }
        _ if origin == Origin::Elsewhere => connection.shared.lock().answer_elsewhere(call.key.is_some()),
        _ => connection.shared.lock().answer(call),
    };
    if !reply.latency.is_zero() {
        tokio::time::sleep(reply.latency).await;
    }
    match reply.delivery {
        Delivery::Reset => {
            connection.reset.store(true, Ordering::Relaxed);
            return Err(NoAnswer);
        }
        Delivery::Nothing(time) => {
            tokio::time::sleep(time).await;
            return Err(NoAnswer);
        }
        _ => {}
    }
    let now = connection.shared.lock().clock.now();
    Ok(compose(reply, now, connection))
}

fn read_call(request: &Request<Incoming>) -> Call {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let secret = ["x-api-key", "authorization", "proxy-authorization", "cookie"];
    let headers = request
        .headers()
        .iter()
        .filter(|(name, _)| !secret.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let accepts = request.headers().get(header::ACCEPT_ENCODING).map(text).unwrap_or_default();
    Call {
        get: request.method() == Method::GET,
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers,
        key: request.headers().get("x-api-key").map(text),
        accepts_gzip: accepts.contains("gzip"),
    }
}

/// The simulator's own endpoints, which need no key and count for nothing.
fn admin(path: &str, shared: &Shared) -> Reply {
    let snapshot = {
        let mut service = shared.lock();
        match path {
            "/_simulator/stats" => return Reply::json(service.stats().to_json()),
            "/_simulator/shown" => Snapshot::shown(&service.world),
            _ => service.all(),
        }
    };
    Reply { content_type: "application/x-ndjson", ..Reply::json(snapshot.ndjson()) }
}

/// Turns a reply into a response whose body does what the delivery says.
fn compose(reply: Reply, now: i64, connection: Arc<Connection>) -> Response<Chunks> {
    let (body, encoding) = match (reply.delivery, reply.gzip) {
        (Delivery::Bomb(bytes), _) => (bomb(bytes), Some("gzip")),
        (_, true) => (gzip(&reply.body), Some("gzip")),
        _ => (reply.body, None),
    };
    let body = Bytes::from(body);
    let mut length = Some(body.len() as u64);
    let half = body.len() / 2;
    let steps = match reply.delivery {
        Delivery::Half(time) => vec![Step::Send(body.slice(..half)), Step::Wait(time), Step::Cut],
        Delivery::Slow(time) => {
            length = None;
            let size = body.len().div_ceil(20).max(1);
            let pieces = (0..body.len()).step_by(size);
            pieces
                .flat_map(|at| [Step::Wait(time / 20), Step::Send(body.slice(at..body.len().min(at + size)))])
                .collect()
        }
        Delivery::Padded(bytes) => {
            length = Some(bytes + body.len() as u64);
            vec![Step::Spaces(bytes), Step::Send(body)]
        }
        _ => vec![Step::Send(body)],
    };
    let chunks = Chunks { steps: steps.into(), sleep: None, length, sights: reply.sights, connection };
    let mut response = Response::new(chunks);
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let date = reply.date.map(|shift| ("date", clock::http_date(now.div_euclid(1000) + shift)));
    for (name, value) in reply.headers.into_iter().chain(date) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a vector does not fail; an empty body would show at once in every test.
    encoder.write_all(body).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// A gzip member (RFC 1952) of `bytes` spaces, rounded down to whole MiB, at about a thousandth of that: one compressed
/// MiB, flushed so that it stands alone, repeated.
fn bomb(bytes: u64) -> Vec<u8> {
    let block = vec![b' '; 1 << 20];
    let mut deflated = Vec::with_capacity(1 << 16);
    let compressed =
        Compress::new(Compression::best(), false).compress_vec(&block, &mut deflated, FlushCompress::Full);
    debug_assert!(compressed.is_ok());
    let mut one = Crc::new();
    one.update(&block);
    let mut sum = Crc::new();
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for _ in 0..bytes >> 20 {
        out.extend_from_slice(&deflated);
        sum.combine(&one);
    }
    // An empty last block, the checksum, the length.
    out.extend_from_slice(&[3, 0]);
    out.extend_from_slice(&sum.sum().to_le_bytes());
    out.extend_from_slice(&sum.amount().to_le_bytes());
    out
}

/// One thing that a body does.
enum Step {
    Send(Bytes),
    /// So many spaces.
    Spaces(u64),
    Wait(Duration),
    /// End the connection here.
    Cut,
}

/// A body that follows steps.
struct Chunks {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Announced; chunked when `None`.
    length: Option<u64>,
    /// Handed over with the last step.
    sights: Vec<Sight>,
    connection: Arc<Connection>,
}

const SPACES: &[u8] = &[b' '; 1 << 16];

impl Body for Chunks {
    type Data = Bytes;
    type Error = NoAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoAnswer>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                std::task::ready!(sleep.as_mut().poll(context));
                self.sleep = None;
            }
            return Poll::Ready(match self.steps.pop_front() {
                Some(Step::Wait(time)) => {
                    self.sleep = Some(Box::pin(tokio::time::sleep(time)));
                    continue;
                }
                Some(Step::Spaces(left)) => {
                    let now = left.min(SPACES.len() as u64);
                    if left > now {
                        self.steps.push_front(Step::Spaces(left - now));
                    }
                    Some(Ok(Frame::data(Bytes::from_static(&SPACES[..now as usize]))))
                }
                Some(Step::Send(bytes)) => {
                    if self.steps.is_empty() {
                        let sights = std::mem::take(&mut self.sights);
                        self.connection.leaving().extend(sights);
                    }
                    Some(Ok(Frame::data(bytes)))
                }
                Some(Step::Cut) => Some(Err(NoAnswer)),
                None => None,
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        // hyper asks before the first frame, and makes the header of it.
        self.length.map(hyper::body::SizeHint::with_exact).unwrap_or_default()
    }
}

impl Connection {
    fn leaving(&self) -> MutexGuard<'_, Vec<Sight>> {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection's socket. hyper flushes it when all that it holds is written: then what was leaving has left.
struct Socket {
    stream: TokioIo<TcpStream>,
    connection: Arc<Connection>,
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        let left = std::mem::take(&mut *self.connection.leaving());
        if !left.is_empty() {
            self.connection.shared.lock().saw(left);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.connection.reset.load(Ordering::Relaxed) {
            // Without it the reset is a close: the fault is milder, and its test fails.
            drop(self.stream.inner().set_zero_linger());
        }
    }
}
