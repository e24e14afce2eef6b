//! What a user writes in a `kafka` block, and its check.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_client::delivery::Secrets as _;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{HumanDuration, Invalid, Secret, Tls};

use crate::access::Access;
use crate::properties;
use crate::record::Key;
use crate::sasl::{Identity, Sasl, SaslConfig};

/// Events to a Kafka topic, one record an event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Where to ask for the cluster, each as `host:port`. Two or three of its brokers are enough.
    pub brokers: Vec<String>,
    /// The topic, which must exist.
    pub topic: String,
    /// What a record's key is; records with equal keys go to one partition.
    #[serde(default)]
    pub key: Key,
    /// How batches of records are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// TLS to the brokers, and trust and client certificate for it. An empty block `{}` trusts the system's authorities;
    /// without the block connections are not encrypted.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// How the brokers know us, if not by `tls.cert_file`.
    #[serde(default)]
    pub sasl: Option<SaslConfig>,
    /// Longest silence: a write of which nothing is heard for so long is given up and made again. Events that a broker has
    /// taken by then may come twice.
    #[serde(default = "half_a_minute")]
    pub timeout: HumanDuration,
    /// Further properties of librdkafka, such as `linger.ms: "20"`. Those that have a key here, or would break what the
    /// sink promises, are refused.
    // Some hold a secret, most do not: kept as secrets, but without a warning when they stand in the file.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub properties: BTreeMap<String, Secret>,
}

fn half_a_minute() -> HumanDuration {
    Duration::from_secs(30).into()
}

/// How batches of records are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// As every cluster knows it.
    Gzip,
    /// Fast, and compresses little.
    Snappy,
    /// Fast.
    Lz4,
    /// Compresses most for its time; brokers from 2.1 on.
    #[default]
    Zstd,
}

/// A checked [`KafkaConfig`].
#[derive(Clone)]
pub struct KafkaSettings {
    pub(crate) topic: String,
    pub(crate) key: Key,
    pub(crate) timeout: Duration,
    brokers: String,
    /// Everything but the credentials.
    client: ClientConfig,
    sasl: Sasl,
    identity: Arc<Identity>,
}

/// Shows what may be shown.
impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaSettings({self})")
    }
}

/// For people: `topic events at b-1.example.com:9092`.
impl fmt::Display for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {} at {}", self.topic, self.brokers)
    }
}

impl KafkaSettings {
    pub(crate) fn access(&self) -> Access {
        Access::new(self.client.clone(), self.sasl.clone(), self.identity.clone(), self.timeout)
    }
}

impl KafkaConfig {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<KafkaSettings, Vec<Invalid>> {
        let mut wrong = Vec::new();
        self.validate_brokers(&mut wrong);
        // Kafka's own rule for names of topics: `Topic.validate` of its clients.
        let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !(1..=249).contains(&self.topic.len())
            || !self.topic.chars().all(is_legal)
            || matches!(&*self.topic, "." | "..")
        {
            let remedy = "write up to 249 letters, digits, dots, dashes and underscores";
            wrong.push(Invalid::new("topic", "is no name that a topic can have", remedy));
        }
        if self.timeout.get() < Duration::from_secs(1) {
            wrong.push(Invalid::new("timeout", "is below 1s", "write `1s` or more"));
        }
        if let Some(tls) = &self.tls {
            wrong.extend(tls.validate().map_err(|invalid| invalid.under("tls")).err());
            for (key, file) in
                [("ca_file", &tls.ca_file), ("cert_file", &tls.cert_file), ("key_file", &tls.key_file)]
            {
                if file.as_deref().is_some_and(|file| file.to_str().is_none()) {
                    let remedy = "name a file whose path is UTF-8";
                    wrong.push(
                        Invalid::new(key, "is a path that librdkafka cannot be given", remedy).under("tls"),
                    );
                }
            }
        }
        if let Some(sasl) = &self.sasl {
            let of_sasl = sasl.validate(self.tls.is_some() || self.is_local());
            wrong.extend(of_sasl.into_iter().map(|invalid| invalid.under("sasl")));
        }
        wrong.extend(self.properties.keys().filter_map(|name| properties::refused(name)));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let sasl = Sasl(self.sasl.clone());
        let identity = Arc::new(sasl.prepare()?);
        let client = self.client();
        // librdkafka knows its properties best. It reads no file here.
        match client.create_native_config() {
            Ok(_) => Ok(KafkaSettings {
                topic: self.topic.clone(),
                key: self.key,
                timeout: self.timeout.get(),
                brokers: self.brokers.join(","),
                client,
                sasl,
                identity,
            }),
            Err(error) => Err(vec![self.property_at_fault(&error)]),
        }
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self) -> Vec<Invalid> {
        if self.tls.is_some() || self.is_local() {
            return Vec::new();
        }
        let message = "is not encrypted: whoever is on the way to the brokers can read and change the events";
        vec![Invalid::new("brokers", message, "add `tls: {}`, and name the cluster's TLS listener")]
    }

    fn validate_brokers(&self, wrong: &mut Vec<Invalid>) {
        let remedy = "name brokers as `host:port`, such as `b-1.example.com:9092`";
        if self.brokers.is_empty() {
            wrong.push(Invalid::new("brokers", "is empty", remedy));
        }
        for (n, broker) in self.brokers.iter().enumerate() {
            let is_good = broker.rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty()
                    && !host.contains(|c: char| c.is_whitespace() || matches!(c, ',' | '/' | '@'))
                    && port.parse::<u16>().is_ok_and(|port| port > 0)
            });
            if !is_good {
                wrong.push(Invalid::new(format!("brokers.{n}"), "is no address of a broker", remedy));
            }
        }
    }

    /// Whether events leave this machine.
    fn is_local(&self) -> bool {
        self.brokers.iter().all(|broker| {
            let host = broker.rsplit_once(':').map_or(&**broker, |(host, _)| host);
            let address = host.trim_start_matches('[').trim_end_matches(']');
            host.eq_ignore_ascii_case("localhost")
                || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        })
    }

    fn client(&self) -> ClientConfig {
        let timeout = self.timeout.get();
        let mut client = ClientConfig::new();
        client.set_log_level(RDKafkaLogLevel::Info);
        for (name, value) in properties::DEFAULTS {
            client.set(*name, *value);
        }
        // A new topic becomes known to all brokers after a while; a write must still be able to say that there is none.
        let grace = (timeout / 2).min(Duration::from_secs(10));
        client.set("topic.metadata.propagation.max.ms", grace.as_millis().to_string());
        for (name, value) in &self.properties {
            client.set(name, value.expose());
        }
        for (name, value) in properties::FIXED {
            client.set(*name, *value);
        }
        client.set("bootstrap.servers", self.brokers.join(","));
        client.set("compression.type", self.compression.name());
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), None) => "ssl",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
        if let Some(tls) = &self.tls {
            // A statically linked OpenSSL does not know where this system keeps its authorities; librdkafka looks.
            client.set("ssl.ca.location", tls.ca_file.as_deref().map_or("probe", text));
            for (name, file) in
                [("ssl.certificate.location", &tls.cert_file), ("ssl.key.location", &tls.key_file)]
            {
                if let Some(file) = file {
                    client.set(name, text(file));
                }
            }
        }
        if let Some(sasl) = &self.sasl {
            client.set("sasl.mechanism", sasl.mechanism.name());
        }
        client
    }

    /// librdkafka's complaint without the value, which may be a secret.
    fn property_at_fault(&self, error: &KafkaError) -> Invalid {
        let KafkaError::ClientConfig(_, words, name, value) = error else {
            return Invalid::new("properties", "cannot be used by librdkafka", "remove what is not needed");
        };
        let words = if value.is_empty() { words.clone() } else { words.replace(value, "…") };
        if self.properties.contains_key(name) {
            let remedy = "write it as CONFIGURATION.md of librdkafka 2.12 has it";
            return Invalid::new(
                format!("properties.{name}"),
                format!("is refused by librdkafka: {words}"),
                remedy,
            );
        }
        Invalid::new("", format!("librdkafka refuses {name}: {words}"), "correct what it follows from")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths are checked to be UTF-8")
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

#[cfg(test)]
mod tests;
