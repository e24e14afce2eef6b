//! The SDK's requests, made by Towpath's own HTTP client: one stack of HTTP and TLS, one way to trust, to take a proxy
//! and to tell what went wrong.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::RuntimeComponents;
use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpClient as SdkClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use bytes::Bytes;
use http_client::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http_client::{Answer, HttpClient, HttpError, Method, Request, Url};
use pipeline::BoxError;
use tokio::time::timeout;

/// Most bytes of an answer. The largest that is asked for is a page of a listing with one entry.
const ANSWER_CAP: usize = 1 << 20;

/// What is no secret for sure, by its length.
const LIKE_A_SECRET: usize = 6;

/// Headers whose values are not shown when an answer repeats them.
const HIDDEN_HEADERS: [&str; 2] = ["authorization", "x-amz-security-token"];

/// The SDK's way out.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Arc<HttpClient>,
    hidden: Arc<[String]>,
    /// Longest time for one exchange.
    patience: Option<Duration>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Transport {
    /// Through `client`; `hidden` is blotted out of refusals, should a server repeat it.
    pub(crate) fn new(client: Arc<HttpClient>, hidden: impl IntoIterator<Item = String>) -> Self {
        let mut hidden: Vec<String> =
            hidden.into_iter().filter(|secret| secret.len() >= LIKE_A_SECRET).collect();
        // The longest first, or a part of one would be left when another one is blotted out of its middle.
        hidden.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { client, hidden: hidden.into(), patience: None }
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = translated(&request).map_err(ConnectorError::user)?;
        // What was stored must not count as refused because the end of the answer is missing; tokens and listings are of
        // use as a whole only.
        let exchange = async {
            match request.method {
                Method::PUT => self.client.deliver(&request).await,
                _ => self.client.send(&request).await,
            }
        };
        let answer = match self.patience {
            Some(patience) => timeout(patience, exchange)
                .await
                .map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
            None => exchange.await,
        };
        let answer = answer.map_err(|error| match error {
            HttpError::Timeout { .. } => ConnectorError::timeout(error.into()),
            error => ConnectorError::io(error.into()),
        })?;
        let body = if answer.status.is_success() {
            answer.body.clone()
        } else {
            self.blotted(&answer.body, &request.headers)
        };
        response(&answer, body).map_err(ConnectorError::user)
    }

    /// The body of a refusal without the secrets of the request.
    fn blotted(&self, body: &Bytes, sent: &HeaderMap) -> Bytes {
        let headers = HIDDEN_HEADERS.iter().filter_map(|name| sent.get(*name)?.to_str().ok());
        let hidden = headers.chain(self.hidden.iter().map(String::as_str));
        let text = String::from_utf8_lossy(body).into_owned();
        hidden.fold(text, |text, hidden| text.replace(hidden, "…")).into()
    }
}

impl SdkClient for Transport {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let patience = match (settings.connect_timeout(), settings.read_timeout()) {
            (Some(connect), Some(read)) => Some(connect + read),
            // A bound on the connection alone is kept by the client itself.
            (_, read) => read,
        };
        SharedHttpConnector::new(Self { patience, ..self.clone() })
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().exchange(request))
    }
}

/// The request in the client's terms. The path stays as it was signed: the SDK escapes all that an URL would change.
fn translated(request: &HttpRequest) -> Result<Request, BoxError> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    let body = request.body().bytes().ok_or("the body of a request is a stream")?;
    Ok(Request {
        method: Method::from_bytes(request.method().as_bytes())?,
        url: Url::parse(request.uri())?,
        headers,
        body: Bytes::copy_from_slice(body),
        body_cap: ANSWER_CAP,
    })
}

/// The answer in the SDK's terms. The client has decoded the body: what the headers say of its bytes is not true of these.
fn response(answer: &Answer, body: Bytes) -> Result<HttpResponse, BoxError> {
    let status = StatusCode::try_from(answer.status.as_u16())?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &answer.headers {
        if [CONTENT_LENGTH, CONTENT_ENCODING].contains(name) {
            continue;
        }
        // A header that is no text says nothing to the SDK.
        let Ok(value) = value.to_str() else { continue };
        response.headers_mut().try_append(name.as_str().to_owned(), value.to_owned())?;
    }
    Ok(response)
}
