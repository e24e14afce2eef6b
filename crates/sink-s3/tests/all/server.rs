//! A store on a socket of its own. `s3s` reads its requests and verifies their signatures; what it holds is in memory,
//! where a condition is judged and kept in one step. It refuses whatever S3 refuses, and misbehaves as a test says.

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::{
    ETagCondition, ListObjectsV2Input, ListObjectsV2Output, Object as Listed, PutObjectInput, PutObjectOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

pub(crate) const BUCKET: &str = "audit-archive";
pub(crate) const KEY_ID: &str = "AKIDOFTHETEST";
pub(crate) const SECRET: &str = "s3cret-of-the-test";

/// Something that was stored.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) body: Bytes,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) input: Arc<Asked>,
}

/// What a request asked for beside its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) conditional: bool,
    pub(crate) encryption: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    pub(crate) headers: Vec<(String, String)>,
}

/// What happens to a request for an object, once it was read and found in order.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It is stored.
    Store,
    /// It is stored, and the answer is a failure: status, code.
    StoreAndRefuse(u16, &'static str),
    /// It is stored, but the connection is closed without an answer.
    StoreAndClose,
    /// It is stored, but there is never an answer.
    StoreAndHang,
    /// It is not stored: status, code, message, headers.
    Refuse(u16, &'static str, String, Vec<(&'static str, &'static str)>),
}

/// What happens to requests for objects that no reply is planned for; sees the lines.
type Rule = Box<dyn FnMut(&str) -> Reply + Send>;

#[derive(Default)]
struct State {
    objects: Vec<Object>,
    violations: Vec<String>,
    replies: VecDeque<Reply>,
    rule: Option<Rule>,
    /// Every request is answered so.
    refusal: Option<(u16, &'static str, String)>,
    slow: Option<Duration>,
    /// A store that knows no `If-None-Match` and says so.
    unconditional: bool,
    puts: usize,
    away: bool,
    tls: Option<TlsAcceptor>,
    connections: Vec<AbortHandle>,
}

#[derive(Clone)]
struct Store(Arc<Mutex<State>>);

impl Store {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

fn error(status: u16, code: &str, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::from_bytes(code.as_bytes()).unwrap(), message);
    error.set_status_code(hyper::StatusCode::from_u16(status).unwrap());
    error
}

/// Marks an answer whose connection is to be closed instead.
#[derive(Clone, Copy)]
struct Close;

/// The one that the store knows.
struct Account;

#[async_trait::async_trait]
impl S3Auth for Account {
    async fn get_secret_key(&self, id: &str) -> S3Result<SecretKey> {
        if id == KEY_ID { Ok(SECRET.into()) } else { Err(s3_error!(InvalidAccessKeyId)) }
    }
}

/// What a checksum beside the body says of it must be true. Looked at last: `answers.rs`.
fn verify(input: &PutObjectInput, body: &[u8]) -> S3Result<()> {
    let is_sha256 = |said: &str| said == BASE64_STANDARD.encode(Sha256::digest(body));
    let is_crc32c = |said: &str| said == BASE64_STANDARD.encode(crc32c(body).to_be_bytes());
    if input.checksum_sha256.as_deref().is_some_and(|said| !is_sha256(said))
        || input.checksum_crc32c.as_deref().is_some_and(|said| !is_crc32c(said))
    {
        let words = "The provided checksum does not match".to_owned();
        return Err(error(400, "XAmzContentChecksumMismatch", words));
    }
    Ok(())
}

/// Castagnoli's (RFC 3720, B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let mut input = request.input;
        let slow = self.state().slow;
        if let Some(slow) = slow {
            tokio::time::sleep(slow).await;
        }
        if let Some((status, code, message)) = self.state().refusal.clone() {
            return Err(error(status, code, message));
        }
        if input.bucket != BUCKET {
            return Err(s3_error!(NoSuchBucket));
        }
        let body = match input.body.take() {
            Some(body) => Body::from(body).store_all_limited(1 << 30).await,
            None => Ok(Bytes::new()),
        };
        let body = body.map_err(|_| s3_error!(IncompleteBody))?;
        let headers = request.headers.iter();
        let headers: Vec<(String, String)> = headers
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let reply = {
            let mut state = self.state();
            state.puts += 1;
            if state.unconditional && input.if_none_match.is_some() {
                return Err(s3_error!(NotImplemented));
            }
            let object = Object {
                key: input.key.clone(),
                metadata: input.metadata.clone().unwrap_or_default().into_iter().collect(),
                body,
                input: Arc::new(Asked {
                    conditional: input.if_none_match.is_some(),
                    encryption: input.server_side_encryption.as_ref().map(|sse| sse.as_str().to_owned()),
                    kms_key_id: input.ssekms_key_id.clone(),
                    bucket_key: input.bucket_key_enabled,
                    headers,
                }),
            };
            let lines = match inspect(&object) {
                Ok(lines) => lines,
                Err(violation) => {
                    state.violations.push(format!("{}: {violation}", object.key));
                    return Err(s3_error!(InvalidRequest, "{violation}"));
                }
            };
            let reply = match state.replies.pop_front() {
                Some(reply) => reply,
                None => state.rule.as_mut().map_or(Reply::Store, |rule| rule(&lines)),
            };
            if !matches!(reply, Reply::Refuse(..)) {
                let there = state.objects.iter().position(|there| there.key == object.key);
                if there.is_none() || input.if_none_match.is_none() {
                    verify(&input, &object.body)?;
                }
                match (there, &input.if_none_match) {
                    (Some(_), Some(ETagCondition::Any)) => return Err(s3_error!(PreconditionFailed)),
                    (Some(there), None) => {
                        if state.objects[there].body != object.body {
                            state.violations.push(format!("{} was overwritten by other bytes", object.key));
                        }
                        state.objects[there] = object;
                    }
                    (None, _) => state.objects.push(object),
                    (Some(_), Some(other)) => state.violations.push(format!("condition {other:?}")),
                }
            }
            reply
        };
        match reply {
            Reply::Store => Ok(S3Response::new(PutObjectOutput::default())),
            Reply::StoreAndRefuse(status, code) => Err(error(status, code, String::new())),
            Reply::StoreAndClose => {
                let mut response = S3Response::new(PutObjectOutput::default());
                response.extensions.insert(Close);
                Ok(response)
            }
            Reply::StoreAndHang => std::future::pending().await,
            Reply::Refuse(status, code, message, headers) => {
                let mut error = error(status, code, message);
                let headers = headers.into_iter().map(|(name, value)| {
                    (name.parse().unwrap(), hyper::header::HeaderValue::from_static(value))
                });
                error.set_headers(headers.collect());
                Err(error)
            }
        }
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let state = self.state();
        if let Some((status, code, message)) = state.refusal.clone() {
            return Err(error(status, code, message));
        }
        if request.input.bucket != BUCKET {
            return Err(s3_error!(NoSuchBucket));
        }
        let first =
            state.objects.first().map(|object| Listed { key: Some(object.key.clone()), ..Listed::default() });
        let output =
            ListObjectsV2Output { contents: Some(first.into_iter().collect()), ..Default::default() };
        Ok(S3Response::new(output))
    }
}

/// The lines of an object, which must be what its metadata and its name say.
pub(crate) fn inspect(object: &Object) -> Result<String, String> {
    let lines = lines(&object.key, &object.body);
    let of = |name: &str| {
        let found = object.metadata.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone()).ok_or(format!("no metadata {name}"))
    };
    if !lines.ends_with('\n') {
        return Err("does not end with a line break".to_owned());
    }
    if of("events")? != lines.lines().count().to_string() {
        return Err(format!("{} events are said to be in it", of("events")?));
    }
    let sha256: String = Sha256::digest(&object.body).iter().map(|byte| format!("{byte:02x}")).collect();
    if of("sha256")? != sha256 {
        return Err("has another digest than it says".to_owned());
    }
    if of("first-id")?.len() != 32 || of("last-id")?.len() != 32 {
        return Err("ids are not 128 bits".to_owned());
    }
    Ok(lines)
}

/// What stands in a body, by the end of its name.
pub(crate) fn lines(key: &str, body: &[u8]) -> String {
    let mut text = Vec::new();
    if key.ends_with(".ndjson.gz") {
        flate2::read::GzDecoder::new(body).read_to_end(&mut text).unwrap();
    } else if key.ends_with(".ndjson.zst") {
        text = zstd::decode_all(body).unwrap();
    } else {
        assert!(key.ends_with(".ndjson"), "{key}");
        text = body.to_vec();
    }
    String::from_utf8(text).unwrap()
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    store: Store,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// The same behind TLS.
    pub(crate) async fn secured(tls: ServerConfig) -> Self {
        Self::listen(Some(tls)).await
    }

    async fn listen(tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Store(Arc::default());
        store.state().tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let mut builder = S3ServiceBuilder::new(store.clone());
        builder.set_auth(Account);
        let service = builder.build();
        let shared = store.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, away) = {
                    let state = shared.state();
                    (state.tls.clone(), state.away)
                };
                if away {
                    continue;
                }
                let service = service.clone();
                let connection = tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = hyper::service::Service::call(&service, request);
                        async move {
                            let answer = answer.await.map_err(|_| "the service fails")?;
                            if answer.extensions().get::<Close>().is_some() {
                                Err("closed")
                            } else {
                                Ok(answer)
                            }
                        }
                    });
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
                shared.state().connections.push(connection.abort_handle());
            }
        });
        Self { address, store }
    }

    /// Answers the next requests for objects so.
    pub(crate) fn reply(&self, replies: Vec<Reply>) {
        self.store.state().replies = replies.into();
    }

    pub(crate) fn rule(&self, rule: Option<Rule>) {
        self.store.state().rule = rule;
    }

    pub(crate) fn refuse(&self, refusal: Option<(u16, &'static str, String)>) {
        self.store.state().refusal = refusal;
    }

    pub(crate) fn slow(&self, slow: Option<Duration>) {
        self.store.state().slow = slow;
    }

    pub(crate) fn unconditional(&self) {
        self.store.state().unconditional = true;
    }

    /// New identity for new connections; those that are open are closed.
    pub(crate) fn identity(&self, tls: ServerConfig) {
        let mut state = self.store.state();
        state.tls = Some(TlsAcceptor::from(Arc::new(tls)));
        state.connections.drain(..).for_each(|connection| connection.abort());
    }

    /// Whether every connection is closed, those that are open and new ones.
    pub(crate) fn away(&self, away: bool) {
        let mut state = self.store.state();
        state.away = away;
        if away {
            state.connections.drain(..).for_each(|connection| connection.abort());
        }
    }

    /// In the order in which they came.
    pub(crate) fn objects(&self) -> Vec<Object> {
        self.store.state().objects.clone()
    }

    /// How many requests for objects were read.
    pub(crate) fn puts(&self) -> usize {
        self.store.state().puts
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.store.state().violations.clone()
    }
}
