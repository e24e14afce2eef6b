//! A receiver on a socket of its own that takes what its protocol takes and nothing else, and does with the answer what a
//! test says.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::independent::{base64, hmac_sha256};

/// What deliveries must look like.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protocol {
    /// `ndjson`, `json_array` or `json`; ndjson when empty.
    pub(crate) form: &'static str,
    /// `gzip`, `zstd`, or nothing when empty.
    pub(crate) coding: &'static str,
    /// A header and its value that every request must have.
    pub(crate) auth: Option<(&'static str, String)>,
    /// Keys of signatures that are known; none: there must be no signature.
    pub(crate) keys: Vec<Vec<u8>>,
    /// `POST` when empty.
    pub(crate) method: &'static str,
    /// `/` when empty.
    pub(crate) target: &'static str,
}

/// What happens once a delivery was read, and was found in order.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It is taken.
    Take,
    /// It is taken, and the answer comes late.
    TakeSlowly(Duration),
    /// It is taken, but there is never an answer.
    TakeAndHang,
    /// It is taken, but the connection is closed without an answer.
    TakeAndClose,
    /// It is not taken: status, headers, body.
    Refuse(u16, Vec<(&'static str, String)>, String),
}

/// What was read, whether it was taken or not.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) headers: HeaderMap,
    /// The bytes of the connection.
    pub(crate) body: Vec<u8>,
    /// The JSON texts, byte for byte.
    pub(crate) events: Vec<String>,
    pub(crate) taken: bool,
}

/// What happens to deliveries that no reply is planned for.
pub(crate) type Rule = Box<dyn FnMut(&[String]) -> Reply + Send>;

#[derive(Default)]
struct State {
    deliveries: Vec<Delivery>,
    violations: Vec<String>,
    heads: Vec<(String, HeaderMap)>,
    replies: VecDeque<Reply>,
    rule: Option<Rule>,
    /// Every request is answered so, before it is read.
    refusal: Option<u16>,
    /// Connections are closed at once.
    away: bool,
    tls: Option<TlsAcceptor>,
    connections: Vec<AbortHandle>,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Answers the n-th delivery with the n-th reply, and takes those behind the last one.
    pub(crate) async fn start(protocol: Protocol, replies: Vec<Reply>) -> Self {
        Self::listen(protocol, replies, None).await
    }

    /// The same behind TLS.
    pub(crate) async fn secured(protocol: Protocol, tls: ServerConfig) -> Self {
        Self::listen(protocol, Vec::new(), Some(tls)).await
    }

    async fn listen(protocol: Protocol, replies: Vec<Reply>, tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let state = Arc::new(Mutex::new(State { replies: replies.into(), tls, ..State::default() }));
        let shared = state.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (protocol, state) = (protocol.clone(), shared.clone());
                let (tls, away) = {
                    let state = shared.lock().unwrap();
                    (state.tls.clone(), state.away)
                };
                if away {
                    continue;
                }
                let connection = tokio::spawn(async move {
                    let service = service_fn(|request| answer(request, &protocol, &state));
                    let server = hyper::server::conn::http1::Builder::new();
                    // A client that goes away in the middle is what some tests are about.
                    match tls {
                        None => server.serve_connection(TokioIo::new(stream), service).await.ok(),
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await.ok(),
                            Err(_) => None,
                        },
                    }
                });
                shared.lock().unwrap().connections.push(connection.abort_handle());
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// All that was read so far, all of it in order.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        let state = self.state.lock().unwrap();
        assert_eq!(state.violations, Vec::<String>::new());
        state.deliveries.clone()
    }

    /// What was taken so far, delivery by delivery.
    pub(crate) fn taken_deliveries(&self) -> Vec<Delivery> {
        let state = self.state.lock().unwrap();
        state.deliveries.iter().filter(|delivery| delivery.taken).cloned().collect()
    }

    /// What was taken so far, event by event.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.deliveries().into_iter().filter(|delivery| delivery.taken).flat_map(|d| d.events).collect()
    }

    /// Whether something came that is against the protocol.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }

    /// Method and target, and headers, of all requests.
    pub(crate) fn heads(&self) -> Vec<(String, HeaderMap)> {
        self.state.lock().unwrap().heads.clone()
    }

    /// What happens from now on to deliveries that no reply is planned for.
    pub(crate) fn rule(&self, rule: Option<Rule>) {
        self.state.lock().unwrap().rule = rule;
    }

    /// Whether every request is refused before it is read, and with which status.
    pub(crate) fn refuse(&self, status: Option<u16>) {
        self.state.lock().unwrap().refusal = status;
    }

    /// Goes away, with all connections, or comes back.
    pub(crate) fn away(&self, away: bool) {
        self.state.lock().unwrap().away = away;
        if away {
            self.hang_up();
        }
    }

    /// Who it is from the next connection on; there is none before.
    pub(crate) fn identity(&self, tls: ServerConfig) {
        self.state.lock().unwrap().tls = Some(TlsAcceptor::from(Arc::new(tls)));
        self.hang_up();
    }

    fn hang_up(&self) {
        for connection in self.state.lock().unwrap().connections.drain(..) {
            connection.abort();
        }
    }

    pub(crate) fn reply(&self, replies: Vec<Reply>) {
        self.state.lock().unwrap().replies.extend(replies);
    }
}

/// A body that is there as a whole.
pub(crate) struct Full(Option<Bytes>);

impl Body for Full {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.take().map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

async fn answer(
    request: Request<Incoming>,
    protocol: &Protocol,
    state: &Mutex<State>,
) -> Result<Response<Full>, io::Error> {
    let head = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    state.lock().unwrap().heads.push((head.clone(), headers.clone()));
    let mut body = Vec::new();
    let mut incoming = request.into_body();
    loop {
        let frame =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut incoming).poll_frame(context)).await;
        match frame {
            None => break,
            Some(frame) => body.extend_from_slice(&frame.map_err(io::Error::other)?.into_data().unwrap()),
        }
    }
    let reply = |status, headers: Vec<(&str, String)>, text: String| {
        let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Ok(response.body(Full(Some(text.into()))).unwrap())
    };
    let authorised = protocol.auth.as_ref().is_none_or(|(name, value)| {
        headers.get(*name).is_some_and(|sent| sent.as_bytes() == value.as_bytes())
    });
    let refusal = state.lock().unwrap().refusal;
    if let Some(status) = refusal {
        return reply(status, vec![], format!("no: {head} {headers:?}"));
    }
    if !authorised {
        return reply(401, vec![], format!("who are you? {:?}", headers.get("authorization")));
    }
    if head.starts_with("HEAD ") {
        return reply(405, vec![], String::new());
    }
    let events = match read(&head, &headers, &body, protocol) {
        Ok(events) => events,
        Err(violation) => {
            state.lock().unwrap().violations.push(violation.clone());
            return reply(400, vec![], violation);
        }
    };
    let next = {
        let State { replies, rule, .. } = &mut *state.lock().unwrap();
        replies.pop_front().unwrap_or_else(|| rule.as_mut().map_or(Reply::Take, |rule| rule(&events)))
    };
    let taken = !matches!(next, Reply::Refuse(..));
    let id = headers["idempotency-key"].to_str().unwrap().to_owned();
    state.lock().unwrap().deliveries.push(Delivery { id, headers, body, events, taken });
    match next {
        Reply::Take => reply(202, vec![], "thank you".to_owned()),
        Reply::TakeSlowly(wait) => {
            tokio::time::sleep(wait).await;
            reply(200, vec![], String::new())
        }
        Reply::TakeAndHang => std::future::pending().await,
        Reply::TakeAndClose => Err(io::ErrorKind::ConnectionReset.into()),
        Reply::Refuse(status, headers, text) => reply(status, headers, text),
    }
}

/// The events of a request, or what is wrong with it.
fn read(head: &str, headers: &HeaderMap, body: &[u8], protocol: &Protocol) -> Result<Vec<String>, String> {
    let or = |text: &'static str, default| if text.is_empty() { default } else { text };
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let must = |what: &str, sent: Option<&str>, expected: Option<&str>| match sent == expected {
        true => Ok(()),
        false => Err(format!("{what} is {sent:?}, not {expected:?}")),
    };
    let expected = format!("{} {}", or(protocol.method, "POST"), or(protocol.target, "/"));
    must("the request", Some(head), Some(&expected))?;
    for name in ["content-type", "content-encoding", "content-length", "idempotency-key", "authorization"] {
        let times = headers.get_all(name).iter().count();
        if times > 1 {
            return Err(format!("{name} stands there {times} times"));
        }
    }
    let form = or(protocol.form, "ndjson");
    let media = if form == "ndjson" { "application/x-ndjson" } else { "application/json" };
    must("the media type", header("content-type"), Some(media))?;
    must(
        "the coding",
        header("content-encoding"),
        Some(protocol.coding).filter(|coding| !coding.is_empty()),
    )?;
    must("the length", header("content-length"), Some(&body.len().to_string()))?;
    must("the transfer coding", header("transfer-encoding"), None)?;
    let id = header("idempotency-key").ok_or("there is no Idempotency-Key")?;
    if id.len() != 36 || id.contains('.') {
        return Err(format!("{id} is no id"));
    }
    verify(headers, id, body, &protocol.keys)?;
    let text = decode(protocol.coding, body)?;
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    events(form, &text)
}

fn decode(coding: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let read = match coding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut text),
        "zstd" => zstd::Decoder::new(body).and_then(|mut decoder| decoder.read_to_end(&mut text)),
        _ => {
            text.extend_from_slice(body);
            Ok(text.len())
        }
    };
    read.map(|_| text).map_err(|error| format!("the body is no {coding}: {error}"))
}

fn events(form: &str, text: &str) -> Result<Vec<String>, String> {
    // By the grammar alone: what a lone surrogate stands for is nobody's affair here.
    let object = |text: &str| match serde_json::from_str::<&RawValue>(text) {
        Ok(value) if value.get().starts_with('{') => Ok(text.to_owned()),
        Ok(_) => Err(format!("{text:?} is no object")),
        Err(error) => Err(format!("{text:?} is no event: {error}")),
    };
    match form {
        "ndjson" => {
            let lines = text.strip_suffix('\n').ok_or("the last line does not end")?;
            lines.split('\n').map(object).collect()
        }
        "json_array" => {
            let events: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(|error| error.to_string())?;
            events.iter().map(|event| object(event.get())).collect()
        }
        _ => Ok(vec![object(text)?]),
    }
}

/// Standard Webhooks, "Verifying signatures".
fn verify(headers: &HeaderMap, id: &str, body: &[u8], keys: &[Vec<u8>]) -> Result<(), String> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let signed = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let (sent_id, timestamp, signatures) = match signed {
        (None, None, None) if keys.is_empty() => return Ok(()),
        (Some(id), Some(timestamp), Some(signatures)) if !keys.is_empty() => (id, timestamp, signatures),
        other => return Err(format!("unexpected or missing signature: {other:?}")),
    };
    if sent_id != id {
        return Err(format!("webhook-id is {sent_id}, Idempotency-Key is {id}"));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    if timestamp.parse::<u64>().map_err(|error| error.to_string())?.abs_diff(now) > 5 {
        return Err(format!("webhook-timestamp {timestamp} is far from {now}"));
    }
    let message = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let good: Vec<String> =
        keys.iter().map(|key| format!("v1,{}", base64(&hmac_sha256(key, &message)))).collect();
    match signatures.split(' ').any(|signature| good.iter().any(|good| good == signature)) {
        true => Ok(()),
        false => Err(format!("no known signature in {signatures}")),
    }
}
