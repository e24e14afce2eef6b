//! What a user writes in an `elasticsearch` block, and its check.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use encode::Compression;
use http_client::delivery::{BasicConfig, Hidden, Secrets};
use http_client::header::HeaderValue;
use http_client::{ClientSettings, Url, destination, is_loopback, origin, secret_header};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{HumanDuration, Invalid, Secret, Tls};

use crate::target::Target;

/// Events to Elasticsearch or OpenSearch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ElasticsearchConfig {
    /// The nodes, or what stands in front of them. Plain `http://` to another machine only without `auth`.
    pub urls: Vec<String>,
    /// Which of the two it is.
    #[serde(default)]
    pub flavor: Flavor,
    /// The data stream that events go to. Either this or `index`.
    #[serde(default)]
    pub data_stream: Option<String>,
    /// The index that events go to; `%Y`, `%m`, `%d` and `%H` stand for the time of the event, in UTC. Either this or
    /// `data_stream`.
    #[serde(default)]
    pub index: Option<String>,
    /// How the cluster knows us.
    #[serde(default)]
    pub auth: Option<AuthConfig>,
    /// An ingest pipeline that events go through.
    #[serde(default)]
    pub pipeline: Option<String>,
    /// How bodies are compressed: `gzip` or `none`.
    #[serde(default = "gzip")]
    pub compression: Compression,
    /// Trust and client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Proxy, `http://[user:password@]host:port`. Without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.
    #[serde(default)]
    pub proxy: Option<Secret>,
    /// Longest time for one request. After it the cluster may have taken the events or not: they are sent again, and it
    /// knows those that it has.
    #[serde(default = "a_minute")]
    pub timeout: HumanDuration,
}

/// Bulk requests wait in queues of the cluster; its own default is a minute as well.
fn a_minute() -> HumanDuration {
    Duration::from_secs(60).into()
}

fn gzip() -> Compression {
    Compression::Gzip
}

/// Which product it is. Told, not found out: a cluster that is away at the start is no reason to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// Elasticsearch 8 and 9, Elastic Cloud.
    #[default]
    Elasticsearch,
    /// OpenSearch 2 and 3, and Elasticsearch 7.
    Opensearch,
}

impl Flavor {
    /// `Content-Type` and `Accept` of a request with `_bulk` lines. Elasticsearch wants both with a version or neither;
    /// OpenSearch refuses the version (Elasticsearch, "REST API compatibility").
    pub(crate) const fn media_types(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Elasticsearch => (
                "application/vnd.elasticsearch+x-ndjson;compatible-with=8",
                Some("application/vnd.elasticsearch+json;compatible-with=8"),
            ),
            Self::Opensearch => ("application/x-ndjson", None),
        }
    }
}

/// How the cluster knows us.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthConfig {
    /// An API key of Elasticsearch, in the form that Kibana calls encoded.
    ApiKey(Secret),
    /// A name and a password.
    Basic(BasicConfig),
}

/// A checked [`ElasticsearchConfig`].
#[derive(Clone)]
pub struct ElasticsearchSettings {
    pub(crate) nodes: Vec<Url>,
    pub(crate) flavor: Flavor,
    pub(crate) target: Target,
    pub(crate) pipeline: Option<String>,
    pub(crate) auth: Auth,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) compression: Compression,
    pub(crate) client: ClientSettings,
}

impl fmt::Debug for ElasticsearchSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElasticsearchSettings({self})")
    }
}

/// For people: `https://es.example.com:9200`.
impl fmt::Display for ElasticsearchSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<String> = self.nodes.iter().map(origin).collect();
        f.write_str(&nodes.join(" "))
    }
}

/// The credentials as they are configured.
#[derive(Clone, Debug)]
pub(crate) struct Auth(Option<AuthConfig>);

/// The credentials as they are sent.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) hidden: Hidden,
}

impl Secrets for Auth {
    type Prepared = Prepared;

    fn each_mut(&mut self) -> Vec<(String, &mut Secret)> {
        match &mut self.0 {
            Some(AuthConfig::ApiKey(key)) => vec![("auth.api_key".to_owned(), key)],
            Some(AuthConfig::Basic(basic)) => vec![("auth.basic.password".to_owned(), &mut basic.password)],
            None => Vec::new(),
        }
    }

    fn prepare(&self) -> Result<Prepared, Vec<Invalid>> {
        let mut prepared = Prepared::default();
        prepared.authorization = match &self.0 {
            None => None,
            Some(AuthConfig::Basic(basic)) => {
                Some(basic.header("auth.basic", &mut prepared.hidden).map_err(|invalid| vec![invalid])?)
            }
            Some(AuthConfig::ApiKey(key)) => {
                let key = key.expose().trim();
                let is_encoded = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=-_".contains(&b));
                if key.is_empty() || !is_encoded {
                    let remedy =
                        "write the key in the form that Kibana calls encoded, without the word `ApiKey`";
                    return Err(vec![Invalid::new("auth.api_key", "is no encoded API key", remedy)]);
                }
                prepared.hidden.hide(key);
                secret_header("auth.api_key", &Secret::new(format!("ApiKey {key}"))).ok()
            }
        };
        Ok(prepared)
    }
}

impl ElasticsearchConfig {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<ElasticsearchSettings, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let mut nodes = Vec::new();
        for (n, url) in self.urls.iter().enumerate() {
            match self.node(url) {
                Ok(url) => nodes.push(url),
                Err((message, remedy)) => wrong.push(Invalid::new(format!("urls.{n}"), message, remedy)),
            }
        }
        if self.urls.is_empty() {
            wrong.push(Invalid::new("urls", "is empty", "name at least one node"));
        }
        let target = Target::read(self.data_stream.as_deref(), self.index.as_deref())
            .map_err(|invalid| wrong.push(invalid));
        if self.flavor == Flavor::Opensearch && matches!(self.auth, Some(AuthConfig::ApiKey(_))) {
            let invalid = Invalid::new("auth.api_key", "is no way to log in to OpenSearch", "write `basic`");
            wrong.push(invalid);
        }
        let auth = Auth(self.auth.clone());
        let prepared = auth.prepare().map_err(|more| wrong.extend(more));
        let pipeline = self.pipeline.as_deref().map(str::trim);
        if pipeline == Some("") {
            wrong.push(Invalid::new("pipeline", "is empty", "remove it, or name an ingest pipeline"));
        }
        if self.compression == Compression::Zstd {
            let remedy = "write `gzip` or `none`";
            wrong.push(Invalid::new("compression", "is one that Elasticsearch does not read", remedy));
        }
        let client = ClientSettings::validate(&self.tls, self.proxy.as_ref(), self.timeout)
            .map(|client| ClientSettings { address_key: "urls", ..client })
            .map_err(|more| wrong.extend(more));
        match (target, prepared, client) {
            (Ok(target), Ok(prepared), Ok(client)) if wrong.is_empty() => Ok(ElasticsearchSettings {
                nodes,
                flavor: self.flavor,
                target,
                pipeline: pipeline.map(str::to_owned),
                auth,
                prepared: Arc::new(prepared),
                compression: self.compression,
                client,
            }),
            _ => Err(wrong),
        }
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self) -> Vec<Invalid> {
        let in_clear = |url: &Url| url.scheme() == "http" && !is_loopback(url);
        let urls = self.urls.iter().enumerate();
        urls.filter(|(_, url)| self.node(url).is_ok_and(|url| in_clear(&url)))
            .map(|(n, _)| {
                let message =
                    "leads to another machine in clear: whoever is on the way can read and change the events";
                Invalid::new(format!("urls.{n}"), message, "use https://")
            })
            .collect()
    }

    fn node(&self, text: &str) -> Result<Url, (String, &'static str)> {
        let url = destination(text, self.auth.is_some()).map_err(|e| (format!("is {e}"), e.remedy()))?;
        if url.query().is_some() {
            return Err(("has a query".to_owned(), "end the URL before the ?"));
        }
        if url.path().ends_with("_bulk") {
            return Err(("leads to `_bulk`".to_owned(), "write the address of the node alone"));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests;
