//! Stands between the process and a server that speaks HTTP, and makes the weather.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use testkit::http::{Answer, Received, Reply, Request, Server, send};
use tokio::runtime::Runtime;

use super::{Damage, Weather};

/// What a server of a kind says when it has too much to do.
#[derive(Clone, Copy)]
pub(super) struct Manners {
    /// The answer to a whole request. The number counts these answers.
    pub(super) busy: fn(u64) -> Reply,
    /// Passes on a part of a request, and refuses the rest of it, where the protocol can say so.
    pub(super) in_part: Option<fn(SocketAddr, Request) -> Answer>,
}

/// A running proxy; ends when dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    _proxy: Server,
    // Dropped after what runs on it.
    pub(super) runtime: Runtime,
}

#[derive(Default)]
struct State {
    weather: Mutex<Weather>,
    refused: AtomicU64,
    /// Requests while the weather was lossy.
    exposed: AtomicU64,
    answers_lost: AtomicU64,
    /// Requests that found nobody.
    in_vain: AtomicU64,
}

impl Proxy {
    pub(super) fn start(server: SocketAddr, manners: Manners) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        let handler = move |request: Request| -> Answer {
            let state = shared.clone();
            Box::pin(async move { state.answer(server, manners, request).await })
        };
        let proxy = runtime.block_on(Server::start(None, handler));
        Self { address: proxy.address, state, _proxy: proxy, runtime }
    }

    pub(super) fn weather(&self, weather: Weather) {
        *self.state.weather.lock().unwrap() = weather;
    }

    pub(super) fn damage(&self) -> Damage {
        Damage {
            refused: self.state.refused.load(Ordering::SeqCst),
            answers_lost: self.state.answers_lost.load(Ordering::SeqCst),
        }
    }
}

impl State {
    async fn answer(&self, server: SocketAddr, manners: Manners, mut request: Request) -> Reply {
        // What comes back is passed on as text.
        request.headers.remove("accept-encoding");
        let weather = *self.weather.lock().unwrap();
        match weather {
            Weather::Clear => self.pass_on(server, request).await,
            Weather::Busy => (manners.busy)(self.refused.fetch_add(1, Ordering::SeqCst)),
            Weather::Lossy => match (self.exposed.fetch_add(1, Ordering::SeqCst) % 3, manners.in_part) {
                (0, _) => {
                    if send(server, request).await.is_ok() {
                        self.answers_lost.fetch_add(1, Ordering::SeqCst);
                    }
                    Reply::Reset
                }
                (1, Some(in_part)) => {
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    in_part(server, request).await
                }
                _ => self.pass_on(server, request).await,
            },
        }
    }

    /// The server's answer; without one what a load balancer does: it says so, or hangs up.
    async fn pass_on(&self, server: SocketAddr, request: Request) -> Reply {
        match send(server, request).await {
            Ok(received) => reply(received),
            Err(_) if self.in_vain.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => {
                let headers = vec![("content-type", "text/html".to_owned())];
                Reply::Answer(502, headers, "<html><body>502 Bad Gateway</body></html>".to_owned())
            }
            Err(_) => Reply::Reset,
        }
    }
}

/// Says what the server has said, with the headers that somebody reads.
pub(super) fn reply(received: Received) -> Reply {
    let mut headers = Vec::new();
    for name in ["content-type", "etag", "x-elastic-product", "x-amz-request-id", "x-amz-bucket-region"] {
        if let Some(value) = received.headers.get(name).and_then(|value| value.to_str().ok()) {
            headers.push((name, value.to_owned()));
        }
    }
    match String::from_utf8(received.body) {
        Ok(text) => Reply::Answer(received.status, headers, text),
        // Said in the process's log, where a panic of this task would be a closed connection.
        Err(_) => Reply::Answer(400, vec![], "the test's proxy passes on nothing but text".to_owned()),
    }
}
