//! Stands before a real server in a test's process, and lets through what a rule says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, Received, Reply, Request, Server, ServerConfig, send};

/// What a proxy does with a request.
pub enum Turn {
    /// Answers it itself.
    Say(Reply),
    /// Passes it on after a time, and says what a function makes of the answer.
    PassOn(Request, Duration, Box<dyn FnOnce(Received) -> Reply + Send>),
}

impl Turn {
    /// Passes it on as it is, and so the answer.
    pub fn pass_on(request: Request) -> Self {
        Self::PassOn(request, Duration::ZERO, Box::new(Reply::Passed))
    }

    /// Passes it on, and resets the connection instead of answering.
    pub fn lose_answer(request: Request) -> Self {
        Self::PassOn(request, Duration::ZERO, Box::new(|_| Reply::Reset))
    }
}

type Rule = dyn FnMut(Request) -> Turn + Send;

/// A running proxy; it ends with the runtime that it was started in. Without a rule it changes nothing.
pub struct Proxy {
    /// What clients see: it goes away and has an identity as any server.
    pub front: Server,
    rule: Arc<Mutex<Option<Box<Rule>>>>,
}

impl Proxy {
    /// Listens on a free port, with TLS or without, for requests to the server, which has none.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(tls: Option<ServerConfig>, server: SocketAddr) -> Self {
        let rule = Arc::new(Mutex::new(None::<Box<Rule>>));
        let shared = rule.clone();
        let handler = move |request: Request| -> Answer {
            let turn = match shared.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                Some(rule) => rule(request),
                None => Turn::pass_on(request),
            };
            Box::pin(async move {
                match turn {
                    Turn::Say(reply) => reply,
                    Turn::PassOn(request, wait, then) => {
                        tokio::time::sleep(wait).await;
                        match send(server, request).await {
                            Ok(received) => then(received),
                            Err(_) => Reply::Reset,
                        }
                    }
                }
            })
        };
        Self { front: Server::start(tls, handler).await, rule }
    }

    /// What is done with requests from now on.
    pub fn rule(&self, rule: impl FnMut(Request) -> Turn + Send + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(rule));
    }

    /// Everything is passed on from now on.
    pub fn open(&self) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
