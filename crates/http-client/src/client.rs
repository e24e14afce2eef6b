//! One request, one answer.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use hyper_util::client::proxy::matcher::Matcher;
use pipeline::Timestamp;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode, Url};
use settings::{Secret, Tls};
use tokio::time::{Instant, timeout_at};

use crate::advice;
use crate::body::{Body, BodyError};
use crate::endpoint::{self, Proxy, origin};
use crate::error::{HttpError, Route, TimedOut};
use crate::tls;

/// Time for a name, a connection and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest silence in the middle of a body.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the body of an answer is waited for whose status is all that counts.
const BEGINNING_TIMEOUT: Duration = Duration::from_secs(5);

/// Redirects within the origin that are followed for one request.
const REDIRECTS: usize = 3;

const USER_AGENT: &str = concat!("towpath/", env!("CARGO_PKG_VERSION"));

/// How to reach servers.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Trust and identity.
    pub tls: Tls,
    /// For every request; without it `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count, except for this machine itself.
    pub proxy: Option<Proxy>,
    /// For a whole exchange, from the connection to the last byte.
    pub timeout: Duration,
    /// What the configuration calls the server's address; remedies name it.
    pub address_key: &'static str,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { tls: Tls::default(), proxy: None, timeout: Duration::from_secs(90), address_key: "url" }
    }
}

/// One request. [`fmt::Debug`] shows neither path nor headers.
#[derive(Clone)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// To what.
    pub url: Url,
    /// With which headers; `User-Agent` and `Accept-Encoding` are added.
    pub headers: HeaderMap,
    /// With which body.
    pub body: Bytes,
    /// Most bytes of the answer's body, after decompression. A longer one is an error in [`HttpClient::send`], and cut in
    /// [`HttpClient::deliver`].
    pub body_cap: usize,
}

impl Request {
    /// A `GET` without headers of its own.
    pub fn get(url: Url, body_cap: usize) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), body_cap }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, origin(&self.url))
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed; of [`HttpClient::deliver`] what could be had of it.
    pub body: Bytes,
    /// The server's clock when it answered.
    pub date: Option<Timestamp>,
}

/// The header value of a secret; never shown by `Debug`.
///
/// # Errors
/// [`HttpError::Setup`], naming `key`, when it holds characters that no header can carry.
pub fn secret_header(key: &str, secret: &Secret) -> Result<HeaderValue, HttpError> {
    endpoint::sensitive(secret.expose()).ok_or_else(|| HttpError::Setup {
        detail: format!("`{key}` holds a line break or another character that a header cannot carry"),
    })
}

/// Sends requests, keeps connections. Reads and builds nothing before the first request; after a failure of TLS the
/// files are read again, so that a renewed certificate needs no restart.
pub struct HttpClient {
    settings: ClientSettings,
    environment: Matcher,
    built: Mutex<Option<Built>>,
}

struct Built {
    client: reqwest::Client,
    kind: Kind,
}

/// How much of an answer must come for it to be one.
#[derive(Clone, Copy)]
enum Reading {
    /// All of it.
    Whole,
    /// The head; of the body, what comes.
    Beginning,
}

/// What a built client is fit for: plain HTTP needs no trust, this machine no proxy.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    tls: bool,
    loopback: bool,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client; does nothing yet but read the proxy variables of the environment.
    pub fn new(settings: ClientSettings) -> Self {
        Self { settings, environment: Matcher::from_env(), built: Mutex::new(None) }
    }

    /// Sends the request and reads the whole answer. Any status is an answer, except a redirect to another origin.
    ///
    /// Cancelling closes the connection and leaves nothing behind.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        self.exchange(request, Reading::Whole).await
    }

    /// Sends a request whose answer's status is what counts: once that is there, what goes wrong with the body is no
    /// error, or what the server has taken would be sent again. The body is cut at the cap, and waited for no longer
    /// than a few seconds.
    ///
    /// Cancelling closes the connection and leaves nothing behind.
    ///
    /// # Errors
    /// See [`HttpError`]; never [`HttpError::TooLarge`] or [`HttpError::Truncated`].
    pub async fn deliver(&self, request: &Request) -> Result<Answer, HttpError> {
        self.exchange(request, Reading::Beginning).await
    }

    async fn exchange(&self, request: &Request, reading: Reading) -> Result<Answer, HttpError> {
        let exchanged = self.follow(request, reading).await;
        if matches!(exchanged, Err(HttpError::Tls { .. })) {
            *self.built() = None;
        }
        exchanged
    }

    async fn follow(&self, request: &Request, reading: Reading) -> Result<Answer, HttpError> {
        let deadline = Instant::now() + self.settings.timeout;
        let mut url = request.url.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.exchange_once(request, &url, deadline, reading).await?;
            match redirect(&answer, &request.method, &url)? {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        let source = format!("more than {REDIRECTS} redirects").into();
        Err(HttpError::Protocol { server: origin(&url), source })
    }

    async fn exchange_once(
        &self,
        request: &Request,
        url: &Url,
        deadline: Instant,
        reading: Reading,
    ) -> Result<Answer, HttpError> {
        let client = self.client(url)?;
        let route = Route {
            url,
            proxy: self.proxy(url),
            connect_timeout: CONNECT_TIMEOUT,
            address_key: self.settings.address_key,
        };
        let sending = client
            .request(request.method.clone(), url.clone())
            .headers(request.headers.clone())
            .header(ACCEPT_ENCODING, HeaderValue::from_static("gzip"))
            .body(request.body.clone())
            .send();
        let mut response = match timeout_at(deadline, sending).await {
            Ok(response) => response.map_err(|e| route.sort(e, None))?,
            Err(_) => return Err(self.timeout(TimedOut::Answer, url)),
        };
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let body = match reading {
            Reading::Whole => {
                self.whole_body(&mut response, &headers, request.body_cap, &route, deadline).await?
            }
            Reading::Beginning => beginning(&mut response, &headers, request.body_cap, deadline).await,
        };
        Ok(Answer { status, date: advice::date(&headers), headers, body })
    }

    fn timeout(&self, what: TimedOut, url: &Url) -> HttpError {
        HttpError::Timeout { what, server: origin(url), after: self.settings.timeout }
    }

    async fn whole_body(
        &self,
        response: &mut reqwest::Response,
        headers: &HeaderMap,
        cap: usize,
        route: &Route<'_>,
        deadline: Instant,
    ) -> Result<Bytes, HttpError> {
        let server = || origin(route.url);
        let mut received = 0;
        let refuse = |error, received| match error {
            BodyError::TooLarge => HttpError::TooLarge { server: server(), cap },
            BodyError::Damaged => HttpError::Truncated { server: server(), received },
            BodyError::Encoding => HttpError::Protocol {
                server: server(),
                source: "the body is compressed in another way than gzip".into(),
            },
        };
        let mut body = Body::new(headers, cap).map_err(|e| refuse(e, 0))?;
        loop {
            let patience = deadline.min(Instant::now() + IDLE_TIMEOUT);
            let piece = match timeout_at(patience, response.chunk()).await {
                Ok(piece) => piece.map_err(|e| route.sort(e, Some(received)))?,
                Err(_) if patience == deadline => return Err(self.timeout(TimedOut::WholeBody, route.url)),
                Err(_) => {
                    let what = TimedOut::NextPiece;
                    return Err(HttpError::Timeout { what, server: server(), after: IDLE_TIMEOUT });
                }
            };
            let Some(piece) = piece else { break };
            received += piece.len();
            body.push(&piece).map_err(|e| refuse(e, received))?;
        }
        body.finish().map_err(|e| refuse(e, received))
    }

    fn built(&self) -> std::sync::MutexGuard<'_, Option<Built>> {
        // What it guards is replaced whole, so a panic elsewhere cannot have left it half done.
        self.built.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The library's client for `url`, built now if there is none.
    fn client(&self, url: &Url) -> Result<reqwest::Client, HttpError> {
        let kind = Kind {
            tls: url.scheme() == "https" || self.tls_to_proxy(),
            loopback: endpoint::is_loopback(url),
        };
        let mut built = self.built();
        if let Some(built) = built.as_ref().filter(|built| built.kind == kind) {
            return Ok(built.client.clone());
        }
        let client = self.build(kind)?;
        *built = Some(Built { client: client.clone(), kind });
        Ok(client)
    }

    fn build(&self, kind: Kind) -> Result<reqwest::Client, HttpError> {
        let tls = if kind.tls { tls::client_config(&self.settings.tls)? } else { tls::no_trust()? };
        let setup =
            |e: reqwest::Error| HttpError::Setup { detail: format!("HTTP client: {}", e.without_url()) };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT);
        if let Some(proxy) = &self.settings.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.url().clone()).map_err(setup)?);
        } else if kind.loopback {
            builder = builder.no_proxy();
        }
        builder.build().map_err(setup)
    }

    /// Origin of the proxy on the way to `url`.
    fn proxy(&self, url: &Url) -> Option<String> {
        if let Some(proxy) = &self.settings.proxy {
            return Some(proxy.to_string());
        }
        if endpoint::is_loopback(url) {
            return None;
        }
        let intercept = self.environment.intercept(&url.as_str().parse().ok()?)?;
        Some(origin(&Url::parse(&intercept.uri().to_string()).ok()?))
    }

    fn tls_to_proxy(&self) -> bool {
        self.settings.proxy.as_ref().is_some_and(|proxy| proxy.url().scheme() == "https")
    }
}

/// What comes of a body within the cap and a few seconds. To its end, where that is near, so that the connection can be
/// used again.
async fn beginning(
    response: &mut reqwest::Response,
    headers: &HeaderMap,
    cap: usize,
    deadline: Instant,
) -> Bytes {
    let Ok(mut body) = Body::new(headers, cap) else { return Bytes::new() };
    let patience = deadline.min(Instant::now() + BEGINNING_TIMEOUT);
    while let Ok(Ok(Some(piece))) = timeout_at(patience, response.chunk()).await {
        if body.push(&piece).is_err() {
            break;
        }
    }
    body.beginning()
}

/// Where a redirect within the origin leads; `None` when the answer is none. A request that changes something is only
/// repeated when the status says that its method stays.
fn redirect(answer: &Answer, method: &Method, url: &Url) -> Result<Option<Url>, HttpError> {
    let follow = match answer.status.as_u16() {
        301..=303 => matches!(*method, Method::GET | Method::HEAD),
        307 | 308 => true,
        _ => return Ok(None),
    };
    let Some(location) = answer.headers.get(LOCATION) else { return Ok(None) };
    let target = location.to_str().ok().and_then(|location| url.join(location).ok());
    match target {
        Some(target) if follow && target.origin() == url.origin() => Ok(Some(target)),
        target => Err(HttpError::Redirect {
            server: origin(url),
            to: target.map_or_else(|| "an unreadable address".to_owned(), |target| origin(&target)),
            status: answer.status.as_u16(),
        }),
    }
}
