//! Connector types made up for the tests, in the forms that real ones have.

use std::collections::{BTreeMap, HashMap};
use std::env::VarError;
use std::io;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use config::{Config, ConnectorType, Environment, EventSchema, Report, SinkTraits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::{ByteSize, HumanDuration, Invalid, Secret, Tls};

/// The Postman audit log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are only deserialised")]
pub(crate) struct PostmanConfig {
    /// API key of a user who may read the audit log.
    pub(crate) api_key: Secret,
    /// Base URL of the API.
    #[serde(default = "postman_url")]
    pub(crate) url: String,
    /// Where history begins.
    #[serde(default)]
    pub(crate) start: Option<String>,
    /// Pause between two requests.
    #[serde(default = "a_minute")]
    pub(crate) poll_interval: HumanDuration,
    /// Our own ceiling.
    #[serde(default = "requests")]
    pub(crate) requests_per_minute: NonZeroU16,
    /// A proxy.
    #[serde(default)]
    pub(crate) proxy: Option<Secret>,
    /// Trust and identity.
    #[serde(default)]
    pub(crate) tls: Tls,
    /// How far each walk reaches back.
    #[serde(default = "a_minute")]
    pub(crate) overlap: HumanDuration,
    /// Second looks.
    #[serde(default)]
    pub(crate) resweep: Resweep,
}

fn postman_url() -> String {
    "https://api.getpostman.com".to_owned()
}

fn a_minute() -> HumanDuration {
    "1m".parse().unwrap()
}

fn requests() -> NonZeroU16 {
    NonZeroU16::new(240).unwrap()
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
// Without `deny_unknown_fields`: unknown keys are errors all the same.
#[serde(default)]
pub(crate) struct Resweep {
    /// How often.
    pub(crate) every: HumanDuration,
    /// How far back.
    pub(crate) over: HumanDuration,
}

impl Default for Resweep {
    fn default() -> Self {
        Self { every: "1h".parse().unwrap(), over: "1d".parse().unwrap() }
    }
}

impl PostmanConfig {
    pub(crate) fn validate(&self) -> Result<(), Vec<Invalid>> {
        let mut invalid = Vec::new();
        if !self.url.starts_with("https://") {
            let message = format!("is `{}`, which is no https URL", self.url);
            invalid.push(Invalid::new("url", message, "write `https://api.getpostman.com`"));
        }
        if self.resweep.over < self.overlap {
            invalid.push(Invalid::new("resweep.over", "is below `overlap`", "write `24h`"));
        }
        invalid.extend(self.tls.validate().err().map(|found| found.under("tls")));
        if invalid.is_empty() { Ok(()) } else { Err(invalid) }
    }
}

/// Files.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only deserialised")]
pub(crate) struct FileConfig {
    /// The file; `-` is stdout. More.
    pub(crate) path: PathBuf,
}

/// Any HTTP endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some fields are only deserialised")]
pub(crate) struct HttpConfig {
    /// Where to send.
    pub(crate) url: String,
    /// Who we are.
    #[serde(default)]
    pub(crate) auth: Auth,
    /// Headers of every request.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// How the body is packed.
    #[serde(default)]
    pub(crate) compression: Compression,
    /// Whether to say less.
    #[serde(default)]
    pub(crate) quiet: bool,
    /// Concurrent requests.
    #[serde(default)]
    pub(crate) concurrency: Option<u8>,
    /// The most in one request.
    #[serde(default)]
    pub(crate) max_body: Option<ByteSize>,
    /// Other addresses.
    #[serde(default)]
    pub(crate) mirrors: Vec<String>,
    /// A share.
    #[serde(default)]
    pub(crate) share: Option<f64>,
    /// Passed through.
    #[serde(default)]
    pub(crate) properties: BTreeMap<String, String>,
    /// One or many.
    #[serde(default)]
    pub(crate) topics: Option<OneOrMany>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Auth {
    /// No authentication.
    #[default]
    None,
    /// A token.
    Bearer(Secret),
    /// A user.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Compression {
    #[default]
    None,
    Gzip,
    Zstd,
}

#[derive(Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// All of them.
pub(crate) fn types() -> Vec<ConnectorType> {
    let file = SinkTraits { destination: Some("path"), ..SinkTraits::default() };
    let elastic = SinkTraits { schema: EventSchema::Ecs, ..SinkTraits::default() };
    vec![
        ConnectorType::source::<PostmanConfig>("postman"),
        ConnectorType::sink::<FileConfig>("file", file),
        ConnectorType::sink::<HttpConfig>("http", SinkTraits::default()),
        ConnectorType::sink::<HttpConfig>("elasticsearch", elastic),
    ]
}

/// Variables and files that stand in memory.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) variables: HashMap<String, String>,
    pub(crate) files: HashMap<PathBuf, String>,
}

impl Fake {
    pub(crate) fn new(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables = variables.iter().map(owned).collect();
        let files = files.iter().map(owned).map(|(path, text)| (path.into(), text)).collect();
        Self { variables, files }
    }
}

impl Environment for Fake {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        self.variables.get(name).cloned().ok_or(VarError::NotPresent)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

static TYPES: LazyLock<Vec<ConnectorType>> = LazyLock::new(types);

/// Reads a configuration and lets every connector read and check its block, as the binary does.
pub(crate) fn load(text: &str, environment: &Fake) -> (Option<Config>, Report) {
    let mut config = match config::parse(Path::new("towpath.yaml"), text, &TYPES, environment) {
        Ok(config) => config,
        Err(report) => return (None, report),
    };
    let mut report = std::mem::take(&mut config.report);
    for source in &config.sources {
        match source.block.read::<PostmanConfig>().map(|config| config.validate()) {
            Ok(Ok(())) => {}
            Ok(Err(invalid)) => report.extend(invalid.iter().map(|found| source.block.diagnostic(found))),
            Err(diagnostic) => report.extend([diagnostic]),
        }
    }
    for sink in &config.sinks {
        let problem = match sink.kind {
            "file" => sink.block.read::<FileConfig>().err(),
            _ => sink.block.read::<HttpConfig>().err(),
        };
        report.extend(problem);
    }
    (Some(config), report)
}
