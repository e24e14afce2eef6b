//! What a user writes in a `splunk_hec` block, and its check.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use encode::Compression;
use http_client::delivery::{Hidden, Secrets};
use http_client::header::HeaderValue;
use http_client::{ClientSettings, Url, endpoint, origin, secret_header};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{HumanDuration, Invalid, Secret, Tls};

/// Events to Splunk, through HTTP Event Collector.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SplunkHecConfig {
    /// Where HTTP Event Collector listens, with or without the path `/services/collector/event`. Plain `http://` leads to
    /// this machine only.
    pub url: String,
    /// The token, without the word `Splunk`.
    pub token: Secret,
    /// The index that events go to. Without it that of the token.
    #[serde(default)]
    pub index: Option<String>,
    /// Their `sourcetype`. Without it that of the token.
    #[serde(default)]
    pub sourcetype: Option<String>,
    /// Their `source`. Without it that of the token.
    #[serde(default)]
    pub source: Option<String>,
    /// Their `host`. Without it what Splunk makes of the connection.
    #[serde(default)]
    pub host: Option<String>,
    /// Whether events count as delivered only when Splunk has acknowledged that they are indexed. The token must have
    /// indexer acknowledgement enabled. Without acknowledgements they count when Splunk has them in memory, and what it
    /// has not yet written when it crashes is lost; Splunk Cloud offers nothing else.
    #[serde(default = "yes")]
    pub acknowledgements: bool,
    /// How long an acknowledgement may take before the events are sent again.
    #[serde(default = "five_minutes")]
    pub ack_timeout: HumanDuration,
    /// How bodies are compressed: `gzip` or `none`.
    #[serde(default = "gzip")]
    pub compression: Compression,
    /// Trust and client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Proxy, `http://[user:password@]host:port`. Without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.
    #[serde(default)]
    pub proxy: Option<Secret>,
    /// Longest time for one request.
    #[serde(default = "half_a_minute")]
    pub timeout: HumanDuration,
}

fn yes() -> bool {
    true
}

/// Splunk holds the last events of a quiet time for up to two minutes before it indexes them.
fn five_minutes() -> HumanDuration {
    Duration::from_secs(300).into()
}

fn half_a_minute() -> HumanDuration {
    Duration::from_secs(30).into()
}

fn gzip() -> Compression {
    Compression::Gzip
}

/// Below this, events that Splunk holds back for no fault are sent again.
const SHORT_ACK_TIMEOUT: Duration = Duration::from_secs(120);

/// A checked [`SplunkHecConfig`].
#[derive(Clone)]
pub struct SplunkHecSettings {
    pub(crate) event_url: Url,
    pub(crate) ack_url: Url,
    pub(crate) health_url: Url,
    pub(crate) token: Token,
    pub(crate) prepared: Arc<Prepared>,
    /// Envelope keys that are the same for all events, with their values.
    pub(crate) metadata: Vec<(&'static str, String)>,
    /// Longest wait for an acknowledgement; `None` where none is asked for.
    pub(crate) acknowledged_within: Option<Duration>,
    pub(crate) compression: Compression,
    pub(crate) client: ClientSettings,
}

impl fmt::Debug for SplunkHecSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SplunkHecSettings({self})")
    }
}

/// For people: `https://splunk.example.com:8088`.
impl fmt::Display for SplunkHecSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&origin(&self.event_url))
    }
}

/// The token as it is configured.
#[derive(Clone, Debug)]
pub(crate) struct Token(Secret);

/// The token as it is sent.
pub(crate) struct Prepared {
    pub(crate) authorization: HeaderValue,
    pub(crate) hidden: Hidden,
}

impl Secrets for Token {
    type Prepared = Prepared;

    fn each_mut(&mut self) -> Vec<(String, &mut Secret)> {
        vec![("token".to_owned(), &mut self.0)]
    }

    fn prepare(&self) -> Result<Prepared, Vec<Invalid>> {
        let token = self.0.expose().trim();
        let wrong = |message: &str, remedy: &str| Err(vec![Invalid::new("token", message, remedy)]);
        if token.is_empty() {
            return wrong("is empty", "write the token, as Splunk shows it under Data inputs");
        }
        if token.contains(char::is_whitespace) {
            return wrong("holds a blank", "write the token alone, without the word `Splunk`");
        }
        let mut hidden = Hidden::default();
        hidden.hide(token);
        match secret_header("token", &Secret::new(format!("Splunk {token}"))) {
            Ok(authorization) => Ok(Prepared { authorization, hidden }),
            Err(_) => wrong("holds a character that a header cannot carry", "copy it again"),
        }
    }
}

impl SplunkHecConfig {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<SplunkHecSettings, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let base = self.base().map_err(|invalid| wrong.push(invalid));
        let token = Token(self.token.clone());
        let prepared = token.prepare().map_err(|more| wrong.extend(more));
        let client = ClientSettings::validate(&self.tls, self.proxy.as_ref(), self.timeout)
            .map_err(|more| wrong.extend(more));
        let optional = [
            ("host", &self.host),
            ("source", &self.source),
            ("sourcetype", &self.sourcetype),
            ("index", &self.index),
        ];
        let mut metadata = Vec::new();
        for (key, value) in optional {
            match value.as_deref().map(str::trim) {
                Some("") => wrong.push(Invalid::new(key, "is empty", "remove it, the token has a default")),
                Some(value) => metadata.push((key, value.to_owned())),
                None => {}
            }
        }
        if self.compression == Compression::Zstd {
            let remedy = "write `gzip` or `none`";
            wrong.push(Invalid::new("compression", "is one that Splunk does not read", remedy));
        }
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(3600));
        if !(least..=most).contains(&self.ack_timeout.get()) {
            let invalid =
                Invalid::new("ack_timeout", "is not between 1s and 1h", "write a time such as `5m`");
            wrong.push(invalid);
        }
        match (base, prepared, client) {
            (Ok(base), Ok(prepared), Ok(client)) if wrong.is_empty() => Ok(SplunkHecSettings {
                event_url: below(&base, "/services/collector/event"),
                ack_url: below(&base, "/services/collector/ack"),
                health_url: below(&base, "/services/collector/health"),
                token,
                prepared: Arc::new(prepared),
                metadata,
                acknowledged_within: self.acknowledgements.then(|| self.ack_timeout.get()),
                compression: self.compression,
                client,
            }),
            _ => Err(wrong),
        }
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self) -> Vec<Invalid> {
        if self.acknowledgements && self.ack_timeout.get() < SHORT_ACK_TIMEOUT {
            let message = "is short: Splunk may hold events back for two minutes before it acknowledges them, and \
                           they would be sent again";
            return vec![Invalid::new("ack_timeout", message, "write `5m`")];
        }
        Vec::new()
    }

    /// The URL without the path of the collector.
    fn base(&self) -> Result<Url, Invalid> {
        let mut url = endpoint(&self.url).map_err(|e| Invalid::new("url", format!("is {e}"), e.remedy()))?;
        let path = url.path().trim_end_matches('/');
        if path.ends_with("/services/collector/raw") {
            let message = "leads to the endpoint for raw text, which Towpath does not use";
            return Err(Invalid::new("url", message, "end it before /services"));
        }
        let ends = ["/services/collector/event/1.0", "/services/collector/event", "/services/collector"];
        let base = ends.iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path).to_owned();
        url.set_path(&base);
        Ok(url)
    }
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests;
