//! The admin server: probes for Kubernetes, metrics for Prometheus, the state of things for people.
//!
//! | path | answers |
//! |---|---|
//! | `/livez` | 200 as long as this process answers and its threads for blocking work are not all stuck |
//! | `/readyz` | 200, or 503 with the reasons: see [`health`] |
//! | `/metrics` | the text format of Prometheus |
//! | `/status` | JSON: see [`status`] |

mod health;
mod metrics;
pub(crate) mod status;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use config::{Admin, Listen};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use pipeline::{DeadLetters, Timestamp};
use runtime::Status;
use settings::Secret;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use transform::UnknownActions;

use self::metrics::Recorder;

/// A probe that needs longer finds a process that makes no progress.
const STUCK: Duration = Duration::from_secs(5);

/// A client that does not finish its request within this is sent away.
const SLOW_CLIENT: Duration = Duration::from_secs(10);

/// Connections at once; more wait.
const CONNECTIONS: usize = 64;

/// What the server tells about.
#[derive(Clone)]
pub(crate) struct Watched {
    pub(crate) status: Arc<Status>,
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    /// By source, in the configured order.
    pub(crate) unknown_actions: Vec<Arc<UnknownActions>>,
    pub(crate) started: Timestamp,
}

/// The running server; it ends when this is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
    _upkeep: AbortOnDropHandle<()>,
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Installs the recorder of metrics and starts the server; nothing if it is turned off.
pub(crate) async fn start(admin: &Admin, watched: Watched) -> anyhow::Result<Option<Server>> {
    let Listen::Address(address) = admin.listen else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        anyhow!(
            "admin server cannot listen on {address}: {error}; set `admin.listen` to another address, or to `off`"
        )
    })?;
    let address = listener.local_addr().context("look up the address of the admin server")?;
    let recorder = Recorder::install().context("set up metrics")?;
    let upkeep = AbortOnDropHandle::new(tokio::spawn(recorder.clone().keep_up()));
    let server = Arc::new(Admins { watched, recorder, token: admin.token.clone() });
    let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, server)));
    tracing::info!(%address, "admin server listens");
    Ok(Some(Server { address, _task: task, _upkeep: upkeep }))
}

struct Admins {
    watched: Watched,
    recorder: Recorder,
    token: Option<Secret>,
}

async fn accept(listener: TcpListener, admins: Arc<Admins>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let admins = admins.clone();
                    connections.spawn(async move {
                        let service = hyper::service::service_fn(|request: Request<Incoming>| admins.answer(request));
                        let mut http = hyper::server::conn::http1::Builder::new();
                        http.timer(TokioTimer::new()).header_read_timeout(SLOW_CLIENT);
                        if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                            tracing::debug!(%error, "connection to the admin server ended");
                        }
                    });
                }
                Err(error) => {
                    // Too many open files, mostly: there is no use in asking again at once.
                    tracing::debug!(%error, "admin server cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

type Answer = Response<Whole>;

impl Admins {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Ok(answer);
        }
        Ok(match request.uri().path() {
            "/livez" => live().await,
            "/readyz" => self.ready(),
            "/metrics" => self.metrics().await,
            "/status" if self.may_read(&request) => self.status().await,
            "/status" => {
                let mut answer = text(
                    StatusCode::UNAUTHORIZED,
                    "`/status` asks for `Authorization: Bearer` with the value of `admin.token`\n",
                );
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                answer
            }
            _ => text(StatusCode::NOT_FOUND, "here are /livez, /readyz, /metrics and /status\n"),
        })
    }

    fn may_read(&self, request: &Request<Incoming>) -> bool {
        let Some(token) = &self.token else { return true };
        let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|value| value.strip_prefix(b"Bearer ")).unwrap_or_default();
        is_same(given, token.expose().as_bytes())
    }

    fn ready(&self) -> Answer {
        let reasons = health::reasons(&self.watched.status, present());
        let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json(code, &health::Readiness { ready: reasons.is_empty(), reasons })
    }

    async fn metrics(&self) -> Answer {
        let (recorder, watched) = (self.recorder.clone(), self.watched.clone());
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        let render = move || with_type(StatusCode::OK, kind, recorder.render(&watched, present()));
        off_the_io_threads(render).await
    }

    async fn status(&self) -> Answer {
        let watched = self.watched.clone();
        off_the_io_threads(move || json(StatusCode::OK, &status::StatusDocument::of(&watched, present())))
            .await
    }
}

/// Counting dead letters may read their directory.
async fn off_the_io_threads(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    let failed =
        |_| text(StatusCode::INTERNAL_SERVER_ERROR, "the state could not be read: a defect, see the log\n");
    tokio::task::spawn_blocking(work).await.unwrap_or_else(failed)
}

async fn live() -> Answer {
    // Encoding, the disk and the checkpoint store need these threads: when all are stuck, nothing goes on.
    match timeout(STUCK, tokio::task::spawn_blocking(|| ())).await {
        Ok(Ok(())) => text(StatusCode::OK, "ok\n"),
        _ => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "all threads for blocking work have been busy for seconds: does the disk hang?\n",
        ),
    }
}

fn present() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

/// Compares in a time that does not depend on where the texts differ.
fn is_same(given: &[u8], expected: &[u8]) -> bool {
    let different = given.iter().zip(expected).fold(0, |different, (a, b)| different | (a ^ b));
    different == 0 && given.len() == expected.len()
}

fn text(code: StatusCode, text: &'static str) -> Answer {
    with_type(code, HeaderValue::from_static("text/plain; charset=utf-8"), text.into())
}

fn json(code: StatusCode, value: &impl serde::Serialize) -> Answer {
    let mut text = serde_json::to_string_pretty(value).expect("a status is plain data");
    text.push('\n');
    with_type(code, HeaderValue::from_static("application/json"), text)
}

fn with_type(code: StatusCode, kind: HeaderValue, text: String) -> Answer {
    let mut answer = Response::new(Whole(Some(text.into())));
    *answer.status_mut() = code;
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A body that is there at once.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
