//! The keys that Towpath has whatever its connectors are, and their defaults.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use settings::{ByteSize, HumanDuration, Secret};

/// The top of the file, without `sources` and `sinks`. Relative paths count from the working directory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct General {
    /// Directory for checkpoints and dead letters, used by one process at a time. A relative path counts from the working
    /// directory.
    pub(crate) data_dir: PathBuf,
    /// The admin server: probes, metrics and status.
    pub(crate) admin: Admin,
    /// Bounds of the whole process.
    pub(crate) limits: Limits,
    /// How long a stop waits for events on their way. Keep it below the grace period of whatever stops the process.
    pub(crate) drain_timeout: HumanDuration,
    /// Pauses between attempts after a failure, with full jitter; what a server asks for wins.
    pub(crate) retry: Retry,
    /// Where events go that a destination refuses.
    pub(crate) dead_letters: DeadLettersKeys,
}

impl Default for General {
    fn default() -> Self {
        Self {
            data_dir: "./data".into(),
            admin: Admin::default(),
            limits: Limits::default(),
            drain_timeout: Duration::from_secs(25).into(),
            retry: Retry::default(),
            dead_letters: DeadLettersKeys::default(),
        }
    }
}

/// The admin server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address and port to listen on, or `off`.
    pub listen: Listen,
    /// Asked for by `/` and `/status`; the probes and `/metrics` stay open. Set it when `listen` is not loopback.
    pub token: Option<Secret>,
}

/// Where the admin server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address and port.
    Address(SocketAddr),
}

impl Default for Listen {
    fn default() -> Self {
        Self::Address(([127, 0, 0, 1], 9600).into())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Why a text is not a [`Listen`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an address to listen on is an IP address and a port, such as `127.0.0.1:9600` or `[::1]:9600`, or `off`"
)]
pub struct ListenError;

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::Address).map_err(|_| ListenError)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Listen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Listen {
    /// The `format` of its JSON Schema.
    pub(crate) const FORMAT: &str = "listen-address";
}

impl JsonSchema for Listen {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Listen".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        json_schema!({ "type": "string", "format": Self::FORMAT, "pattern": "^(off|.+:[0-9]+)$" })
    }
}

/// Bounds of the whole process.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes between sources and delivery; at least 256KiB. When they are used up, sources wait.
    pub in_flight: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { in_flight: ByteSize::mib(64) }
    }
}

/// Pauses between attempts after a failure, with full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// The longest first pause; it doubles from failure to failure.
    pub initial: HumanDuration,
    /// The longest pause.
    pub max: HumanDuration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1).into(), max: Duration::from_secs(60).into() }
    }
}

/// Where events go that a destination refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetters {
    /// The directory.
    pub dir: PathBuf,
    /// How large it may grow. When it is full, the sink is held; nothing is dropped.
    pub max_size: ByteSize,
}

/// Where events go that a destination refuses.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DeadLettersKeys {
    /// The directory. Default: `dead-letters` in `data_dir`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dir: Option<PathBuf>,
    /// How large it may grow. When it is full, the sink is held; nothing is dropped.
    pub(crate) max_size: ByteSize,
}

impl Default for DeadLettersKeys {
    fn default() -> Self {
        Self { dir: None, max_size: ByteSize::mib(1024) }
    }
}

/// The keys of [`SourceKeys`] and `type`.
pub(crate) const SOURCE_KEYS: &[&str] = &["type", "labels"];

/// What every source has beside `type` and its own keys.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SourceKeys {
    /// Static labels, put on every event.
    pub(crate) labels: BTreeMap<String, String>,
}

/// The keys of [`SinkKeys`] and `type`.
pub(crate) const SINK_KEYS: &[&str] =
    &["type", "schema", "ocsf_version", "keep_raw", "from", "batch", "retry"];

/// What every sink has beside `type` and its own keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct SinkKeys {
    /// The schema of the events. The default depends on the type of the sink; mostly `ocsf`.
    pub(crate) schema: Option<EventSchema>,
    /// The OCSF version, where `schema` is `ocsf`.
    pub(crate) ocsf_version: OcsfVersion,
    /// Whether events carry the vendor's record (`raw_data` in OCSF, `event.original` in ECS).
    pub(crate) keep_raw: bool,
    /// The sources to take events from. Default: all.
    pub(crate) from: Option<Vec<String>>,
    /// When a batch is full and goes out.
    pub(crate) batch: BatchKeys,
    /// Pauses between attempts after a failure, where they differ from the top-level `retry`.
    pub(crate) retry: RetryKeys,
}

impl Default for SinkKeys {
    fn default() -> Self {
        Self {
            schema: None,
            ocsf_version: OcsfVersion::default(),
            keep_raw: true,
            from: None,
            batch: BatchKeys::default(),
            retry: RetryKeys::default(),
        }
    }
}

/// The schema of a sink's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventSchema {
    /// Open Cybersecurity Schema Framework.
    #[default]
    Ocsf,
    /// Elastic Common Schema.
    Ecs,
    /// The vendor's bytes.
    Raw,
}

impl EventSchema {
    /// The word in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
            Self::Raw => "raw",
        }
    }
}

/// The OCSF versions that Towpath writes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
pub enum OcsfVersion {
    /// 1.1.0
    #[serde(rename = "1.1.0")]
    V1_1,
    /// 1.3.0
    #[serde(rename = "1.3.0")]
    V1_3,
    /// 1.5.0
    #[serde(rename = "1.5.0")]
    V1_5,
    /// 1.8.0
    #[default]
    #[serde(rename = "1.8.0")]
    V1_8,
}

impl OcsfVersion {
    /// The text in the configuration and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1_1 => "1.1.0",
            Self::V1_3 => "1.3.0",
            Self::V1_5 => "1.5.0",
            Self::V1_8 => "1.8.0",
        }
    }
}

/// When a batch is full and goes out: at the first of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Events in it.
    pub max_events: NonZeroU32,
    /// Bytes of its events.
    pub max_bytes: ByteSize,
    /// Age of its first event.
    pub max_age: HumanDuration,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            max_events: NonZeroU32::new(1000).unwrap_or(NonZeroU32::MIN),
            max_bytes: ByteSize::mib(1),
            max_age: Duration::from_secs(1).into(),
        }
    }
}

/// When a batch is full and goes out: at the first of the three.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BatchKeys {
    /// Events in it. Default: mostly 1000.
    pub(crate) max_events: Option<NonZeroU32>,
    /// Bytes of its events, at most half of `limits.in_flight`. Default: mostly 1MiB, or that half if it is less.
    pub(crate) max_bytes: Option<ByteSize>,
    /// Age of its first event. Default: mostly 1s.
    pub(crate) max_age: Option<HumanDuration>,
}

/// Pauses between attempts after a failure, where they differ from the top-level `retry`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RetryKeys {
    /// The longest first pause.
    pub(crate) initial: Option<HumanDuration>,
    /// The longest pause.
    pub(crate) max: Option<HumanDuration>,
}
