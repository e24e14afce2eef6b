//! Delivers events to Elasticsearch and OpenSearch through `_bulk`.
//!
//! Each event is *created* under its own id, so that one that comes again is known and not stored twice. The cluster
//! answers for each event by itself: what is taken stays taken, what it is too busy for comes again alone, what it
//! refuses is put aside alone. What each of these answers means is one table (`item`), and nothing in it drops an event.
//! `README.md` has the guarantees in full.
//!
//! ```no_run
//! use pipeline::{Sink, Write};
//! use sink_elasticsearch::{ElasticsearchConfig, ElasticsearchSink};
//!
//! # async fn example() -> Result<(), pipeline::BoxError> {
//! let config: ElasticsearchConfig = serde_json::from_str(
//!     r#"{"urls": ["https://es.example.com:9200"], "index": "audit-%Y.%m", "auth": {"api_key": "a2V5"}}"#,
//! )?;
//! let sink = ElasticsearchSink::new(config.validate().expect("a good configuration"));
//! sink.check().await?; // reaches the nodes, delivers nothing
//! sink.write(&Write::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Code map
//! `config` is what a user writes, `target` where events go, `body` what a request looks like, `nodes` whom it goes to. `item`
//! is the table, `answer` turns an answer into what the runtime does next. `template` has the index templates.

mod answer;
mod body;
mod check;
mod config;
mod item;
mod nodes;
mod target;
mod template;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_client::delivery::{Credentials, of_http_error};
use http_client::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_client::{HttpClient, Method, Request, Url};
use pipeline::{BoxError, Outcome, Sink, SinkError, Write};
use telemetry::Repeated;
use tokio::time::Instant;

use crate::answer::{FILTER, KEYS};
use crate::config::{Auth, Prepared};
pub use crate::config::{AuthConfig, ElasticsearchConfig, ElasticsearchSettings, Flavor};
use crate::nodes::Nodes;
use crate::target::Target;
pub use crate::template::{TemplateSchema, template};

/// Most bytes of an answer to `_bulk`: some hundred for each event that is refused.
const BULK_CAP: usize = 16 << 20;

/// Most bytes of other answers.
const ANSWER_CAP: usize = 64 << 10;

/// The sink. Writes to it do not wait for one another.
pub struct ElasticsearchSink {
    settings: ElasticsearchSettings,
    client: HttpClient,
    credentials: Credentials<Auth>,
    nodes: Nodes,
    /// When it was last said that events went to the failure store.
    diverted: Mutex<Repeated>,
}

impl ElasticsearchSink {
    /// A sink that has reached for nothing yet: [`Sink::check`] or the first write does.
    pub fn new(settings: ElasticsearchSettings) -> Self {
        let client = HttpClient::new(settings.client.clone());
        let credentials = Credentials::new(settings.auth.clone(), settings.prepared.clone());
        let nodes = Nodes::new(settings.nodes.len());
        Self { settings, client, credentials, nodes, diverted: Mutex::default() }
    }

    /// A request that changes nothing.
    fn question(&self, node: &Url, path: &[&str], credentials: &Prepared) -> Request {
        let mut headers = HeaderMap::new();
        headers.extend(credentials.authorization.clone().map(|line| (AUTHORIZATION, line)));
        let url = below(node, path);
        Request { method: Method::GET, url, headers, body: Bytes::new(), body_cap: ANSWER_CAP }
    }

    fn bulk(&self, node: &Url, body: Bytes, credentials: &Prepared) -> Request {
        let mut url = match &self.settings.target {
            Target::DataStream(name) | Target::Index(name) => below(node, &[name, "_bulk"]),
            Target::Dated(_) => below(node, &["_bulk"]),
        };
        url.query_pairs_mut().append_pair("filter_path", FILTER);
        if let Some(pipeline) = &self.settings.pipeline {
            url.query_pairs_mut().append_pair("pipeline", pipeline);
        }
        let mut request = self.question(node, &[], credentials);
        let (content, accept) = self.settings.flavor.media_types();
        request.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        request.headers.extend(accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept))));
        if let Some(coding) = self.settings.compression.content_encoding() {
            request.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        Request { method: Method::POST, url, body, body_cap: BULK_CAP, ..request }
    }

    /// Sends the events to one of the nodes.
    async fn send(&self, body: Bytes, sent: usize) -> Result<Outcome, SinkError> {
        let number = self.nodes.pick(Instant::now());
        let node = &self.settings.nodes[number];
        let credentials = self.credentials.current();
        let answer = match self.client.send(&self.bulk(node, body, &credentials)).await {
            Ok(answer) => answer,
            Err(error) => {
                let others = self.nodes.failed(number, Instant::now());
                return Err(elsewhere(of_http_error(error, &KEYS), others));
            }
        };
        let status = answer.status.as_u16();
        let told = answer::consequence(node, &answer, sent, &credentials.hidden);
        if matches!(status, 502..=504) {
            let others = self.nodes.failed(number, Instant::now());
            return told.map(|told| told.outcome).map_err(|error| elsewhere(error, others));
        }
        self.nodes.works(number);
        match told {
            Ok(told) => {
                self.credentials.accepted();
                self.say_diverted(told.in_failure_store);
                Ok(told.outcome)
            }
            Err(error) if is_of_credentials(&error) && self.credentials.refused(&credentials) => {
                Err(SinkError::Transient { retry_after: Some(Duration::ZERO), source: error.into() })
            }
            Err(error) => Err(error),
        }
    }

    /// They are held by the cluster, but not where they are looked for.
    fn say_diverted(&self, events: usize) {
        if events == 0 {
            return;
        }
        let now = std::time::Instant::now();
        let said = self.diverted.lock().unwrap_or_else(PoisonError::into_inner).failed(now);
        if let Some(not_logged) = said {
            let not_logged = (not_logged > 0).then_some(not_logged);
            tracing::warn!(
                events,
                not_logged,
                "Elasticsearch put events into the failure store of the data stream; see its `::failures`, and correct mapping or pipeline"
            );
        }
    }
}

/// Whether other credentials may help, of the request or of single events in it.
const fn is_of_credentials(error: &SinkError) -> bool {
    matches!(error, SinkError::Paused { reason, .. } if matches!(reason.as_bytes(), b"authentication" | b"permission"))
}

/// What a failure of one node means where another one may be asked at once.
fn elsewhere(error: SinkError, others: bool) -> SinkError {
    match error {
        SinkError::Transient { retry_after, source } if others => {
            SinkError::Transient { retry_after: retry_after.or(Some(Duration::ZERO)), source }
        }
        // A node that cannot be trusted is no reason to hold what others take.
        error @ SinkError::Paused { .. } if others => {
            SinkError::Transient { retry_after: Some(Duration::ZERO), source: error.into() }
        }
        error => error,
    }
}

/// The node's address with this path behind its own.
fn below(node: &Url, path: &[&str]) -> Url {
    let mut url = node.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

#[async_trait]
impl Sink for ElasticsearchSink {
    /// Is every node there, of the right make, and does it accept the credentials? Delivers nothing.
    async fn check(&self) -> Result<(), BoxError> {
        // As a `SinkError` it brings its remedy.
        self.prove().await.map_err(Into::into)
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        if events.is_empty() {
            return Ok(Outcome::default());
        }
        let body = vec![Bytes::from(body::body(&self.settings.target, events))];
        let body = self.settings.compression.body_in_background(body).await;
        let body = body.map_err(|error| SinkError::Transient { retry_after: None, source: error.into() })?;
        self.send(body, events.len()).await
    }
}
