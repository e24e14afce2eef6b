//! The connectors that this binary has: a plain list, and how each is made from its block of the configuration.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use config::{Batch, Block, ConnectorType, Diagnostic, EventSchema, Sink, SinkTraits, Source};
use http_client::Budgets;
use pipeline::{BoxError, Origin, Position, Schema, Timestamp, Transform, View};
use runtime::{Encoder, MakeSource};
use settings::{ByteSize, Invalid};
use sink_elasticsearch::{ElasticsearchConfig, ElasticsearchSink};
use sink_file::{FileConfig, FileSink};
use sink_http::{HttpConfig, HttpSink};
use sink_kafka::{KafkaConfig, KafkaSink};
use sink_s3::{S3Config, S3Sink};
use sink_splunk_hec::{SplunkHecConfig, SplunkHecSink};
use sink_syslog::{SyslogConfig, SyslogSink};
use source_audit_logs::{AuditLogsConfig, AuditLogsSettings, AuditLogsSource};
use source_postman::{Account, PostmanConfig, PostmanSettings, PostmanSource, Wiring};
use transform::{
    ActionNames, MappingConfig, MappingSettings, PostmanOptions, UnknownActions, UnknownVersion,
};

include!(concat!(env!("OUT_DIR"), "/recipes.rs"));

/// The key of an `audit_logs` block that says how its records become events.
const MAPPING: &str = "mapping";

/// Every type that a configuration may name.
pub(crate) fn types() -> Vec<ConnectorType> {
    let file = SinkTraits { destination: Some("path"), ..SinkTraits::default() };
    // With the envelopes a body stays below the 1 MB that Splunk Cloud takes.
    let batch = Batch { max_bytes: ByteSize::bytes(800_000), ..Batch::default() };
    let splunk_hec = SinkTraits { batch, ..SinkTraits::default() };
    // Bulk requests of a few MiB cost a cluster least.
    let batch = Batch {
        max_events: NonZeroU32::new(5000).unwrap_or(NonZeroU32::MIN),
        max_bytes: ByteSize::mib(5),
        ..Batch::default()
    };
    let elasticsearch = SinkTraits { schema: EventSchema::Ecs, batch, ..SinkTraits::default() };
    vec![
        ConnectorType::source::<PostmanConfig>("postman"),
        ConnectorType::source::<AuditLogsConfig>("audit_logs")
            .with_part::<MappingConfig>(MAPPING)
            .with_recipes(RECIPES),
        ConnectorType::sink::<FileConfig>("file", file),
        ConnectorType::sink::<HttpConfig>("http", SinkTraits::default()),
        ConnectorType::sink::<SplunkHecConfig>("splunk_hec", splunk_hec),
        ConnectorType::sink::<SyslogConfig>("syslog", SinkTraits::default()),
        ConnectorType::sink::<ElasticsearchConfig>("elasticsearch", elasticsearch),
        ConnectorType::sink::<S3Config>("s3", SinkTraits { batch: objects(), ..SinkTraits::default() }),
        ConnectorType::sink::<KafkaConfig>("kafka", SinkTraits::default()),
    ]
}

/// An object store is read by the object, and each request costs money: few and large ones. A source that waits for
/// budget, a stop, and the end of `--once` make them earlier.
fn objects() -> Batch {
    Batch {
        max_events: NonZeroU32::new(100_000).unwrap_or(NonZeroU32::MIN),
        max_bytes: ByteSize::mib(16),
        max_age: Duration::from_secs(5 * 60).into(),
    }
}

/// A source whose settings are checked.
pub(crate) enum SourceSettings {
    Postman(Box<PostmanSettings>),
    AuditLogs(Box<AuditLogsSettings>, MappingSettings),
}

/// A sink that is made, but has touched nothing.
#[derive(Clone)]
pub(crate) struct SinkSettings {
    pub(crate) sink: Arc<dyn pipeline::Sink>,
    /// Whether waiting for more events before a write is worth nothing.
    pub(crate) is_eager: bool,
    /// Writes under way at once.
    pub(crate) concurrency: usize,
    /// What a check that found nothing wrong has found out.
    proof: &'static str,
}

/// What sources of one process share.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    budgets: Arc<Budgets>,
}

/// What a source becomes.
pub(crate) struct MadeSource {
    pub(crate) make: MakeSource,
    pub(crate) transforms: Transforms,
}

/// What a source's records are mapped with.
pub(crate) struct Transforms {
    reader: Reader,
    /// Actions that no table knows.
    pub(crate) unknown: Arc<UnknownActions>,
}

/// By whose rules records are read.
enum Reader {
    Postman(Arc<ActionNames>),
    Mapping(MappingSettings),
}

/// Reads and checks a source's block; what is hardly meant comes as warnings.
pub(crate) fn read_source(source: &Source, now: Timestamp) -> (Option<SourceSettings>, Vec<Diagnostic>) {
    let block = &source.block;
    match source.kind {
        "postman" => {
            let (checked, diagnostics) =
                read::<PostmanConfig, _>(block, PostmanConfig::validate, |c| c.warnings(now));
            (checked.map(|settings| SourceSettings::Postman(Box::new(settings))), diagnostics)
        }
        "audit_logs" => {
            let (checked, diagnostics) =
                read::<AuditLogsConfig, _>(block, AuditLogsConfig::validate, |c| c.warnings(now));
            let (mapping, wrong) = read_mapping(source);
            let settings = checked.zip(mapping);
            let settings =
                settings.map(|(settings, mapping)| SourceSettings::AuditLogs(Box::new(settings), mapping));
            (settings, diagnostics.into_iter().chain(wrong).collect())
        }
        other => unreachable!("the list of source types names {other}"),
    }
}

/// Reads and checks how the records of an `audit_logs` source become events.
pub(crate) fn read_mapping(source: &Source) -> (Option<MappingSettings>, Vec<Diagnostic>) {
    let block = &source.block;
    let config: MappingConfig = match block.part(MAPPING) {
        Ok(config) => config,
        Err(diagnostic) => return (None, vec![diagnostic]),
    };
    match config.validate(&source.name) {
        Ok(settings) => (Some(settings), Vec::new()),
        Err(wrong) => {
            (None, wrong.into_iter().map(|invalid| block.diagnostic(&invalid.under(MAPPING))).collect())
        }
    }
}

/// Reads and checks a sink's block.
pub(crate) fn read_sink(sink: &Sink) -> (Option<SinkSettings>, Vec<Diagnostic>) {
    let block = &sink.block;
    match sink.kind {
        "file" => made(
            block,
            FileConfig::validate,
            |_| Vec::new(),
            |settings| {
                // A write costs so little that waiting for more events is worth nothing.
                SinkSettings {
                    is_eager: true,
                    ..SinkSettings::new(FileSink::new(settings), 1, "can be written")
                }
            },
        ),
        // Requests mostly wait; no order is promised between writes. Whether it takes events shows only when it is sent some.
        "http" => made(block, HttpConfig::validate, HttpConfig::warnings, |settings| {
            SinkSettings::new(HttpSink::new(settings), 4, "can be reached")
        }),
        "splunk_hec" => made(block, SplunkHecConfig::validate, SplunkHecConfig::warnings, |settings| {
            let sink = SplunkHecSink::new(settings);
            let concurrency = sink.concurrency();
            SinkSettings::new(sink, concurrency, "accepts the token")
        }),
        // Each write has a connection of its own, of which receivers allow few: syslog-ng ten, for all of its senders.
        "syslog" => made(block, SyslogConfig::validate, SyslogConfig::warnings, |settings| {
            let sink = SyslogSink::new(settings);
            let proof = sink.proof();
            SinkSettings::new(sink, 2, proof)
        }),
        "elasticsearch" => {
            made(block, ElasticsearchConfig::validate, ElasticsearchConfig::warnings, |settings| {
                SinkSettings::new(ElasticsearchSink::new(settings), 4, "can be reached")
            })
        }
        // One is compressed while another one is on its way. Whether it may be written to shows with the first object.
        "s3" => made(block, S3Config::validate, S3Config::warnings, |settings| {
            SinkSettings::new(S3Sink::new(settings), 3, "bucket can be reached")
        }),
        // Batches fill from several writes while others wait for their replicas. With sixteen, topics of many partitions cost a
        // fifth less; but a write that waits for fifteen others on a slow line would count as one of which nothing is heard.
        "kafka" => made(block, KafkaConfig::validate, KafkaConfig::warnings, |settings| {
            let name = sink.name.clone();
            let sink = KafkaSink::new(settings);
            let sink = sink.observed(move |told| telemetry::metrics::kafka_client(&name, told));
            SinkSettings::new(sink, 4, "has the topic")
        }),
        other => unreachable!("the list of sink types names {other}"),
    }
}

fn made<C: serde::de::DeserializeOwned, S>(
    block: &Block,
    validate: impl Fn(&C) -> Result<S, Vec<Invalid>>,
    warnings: impl Fn(&C) -> Vec<Invalid>,
    make: impl FnOnce(S) -> SinkSettings,
) -> (Option<SinkSettings>, Vec<Diagnostic>) {
    let (checked, diagnostics) = read(block, validate, warnings);
    (checked.map(make), diagnostics)
}

fn read<C: serde::de::DeserializeOwned, S>(
    block: &Block,
    validate: impl Fn(&C) -> Result<S, Vec<Invalid>>,
    warnings: impl Fn(&C) -> Vec<Invalid>,
) -> (Option<S>, Vec<Diagnostic>) {
    let config: C = match block.read() {
        Ok(config) => config,
        Err(diagnostic) => return (None, vec![diagnostic]),
    };
    let doubts = warnings(&config).iter().map(|doubt| block.diagnostic(doubt).warning()).collect();
    match validate(&config) {
        Ok(settings) => (Some(settings), doubts),
        Err(invalid) => {
            (None, invalid.iter().map(|invalid| block.diagnostic(invalid)).chain(doubts).collect())
        }
    }
}

impl SourceSettings {
    /// A position that an operator has written for this source, as it is saved; or what is wrong with it.
    pub(crate) fn position(&self, written: &Position) -> Result<Position, BoxError> {
        Ok(match self {
            Self::Postman(settings) => settings.position(written)?,
            Self::AuditLogs(settings, _) => settings.position(written)?,
        })
    }

    /// What it collects, and what that costs; for people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Postman(settings) => format!("{settings}, {}", settings.cost()),
            Self::AuditLogs(settings, _) => settings.to_string(),
        }
    }

    /// Makes the source. `page_bytes` is the most that one page may take.
    pub(crate) fn make(
        self,
        name: &str,
        labels: Vec<(Box<str>, Box<str>)>,
        page_bytes: usize,
        shared: &Shared,
    ) -> MadeSource {
        match self {
            Self::Postman(settings) => Self::postman(*settings, name, labels, page_bytes, shared),
            Self::AuditLogs(settings, mapping) => {
                Self::audit_logs(*settings, mapping, name, labels, page_bytes, shared)
            }
        }
    }

    fn audit_logs(
        settings: AuditLogsSettings,
        mapping: MappingSettings,
        name: &str,
        labels: Vec<(Box<str>, Box<str>)>,
        page_bytes: usize,
        shared: &Shared,
    ) -> MadeSource {
        let source_name = name.to_owned();
        let wiring = source_audit_logs::Wiring {
            labels,
            dataset: mapping.dataset().into(),
            page_bytes,
            requested: Arc::new(move |status, took| {
                telemetry::metrics::source_request(&source_name, status, took);
            }),
            budgets: shared.budgets.clone(),
            ..source_audit_logs::Wiring::default()
        };
        let account = source_audit_logs::Account::new(settings, wiring);
        let reader = Reader::Mapping(mapping);
        let name = name.to_owned();
        let make =
            move || Ok(Box::new(AuditLogsSource::new(&name, account.clone())) as Box<dyn pipeline::Source>);
        MadeSource { make: Box::new(make), transforms: Transforms { reader, unknown: Arc::default() } }
    }

    fn postman(
        settings: PostmanSettings,
        name: &str,
        labels: Vec<(Box<str>, Box<str>)>,
        page_bytes: usize,
        shared: &Shared,
    ) -> MadeSource {
        let known = Arc::<ActionNames>::default();
        let transforms = Transforms { reader: Reader::Postman(known.clone()), unknown: Arc::default() };
        let (names, source_name) = (known, name.to_owned());
        let action_names = move |pairs: &[(String, String)]| {
            let unknown = names.learn(pairs.iter().map(|(name, display)| (name, display)));
            if !unknown.is_empty() {
                let actions = unknown.join(" ");
                tracing::info!(
                    source = source_name,
                    actions,
                    "the API lists actions that are mapped by rule of thumb"
                );
            }
        };
        let source_name = name.to_owned();
        let requested = move |status, took| telemetry::metrics::source_request(&source_name, status, took);
        let wiring = Wiring {
            labels,
            page_bytes,
            action_names: Arc::new(action_names),
            requested: Arc::new(requested),
            budgets: shared.budgets.clone(),
            ..Wiring::default()
        };
        let account = Account::new(settings, wiring);
        let name = name.to_owned();
        let make =
            move || Ok(Box::new(PostmanSource::new(&name, account.clone())) as Box<dyn pipeline::Source>);
        MadeSource { make: Box::new(make), transforms }
    }
}

impl SinkSettings {
    fn new(sink: impl pipeline::Sink, concurrency: usize, proof: &'static str) -> Self {
        Self { sink: Arc::new(sink), is_eager: false, concurrency, proof }
    }

    /// Is the destination usable? If so, what was found.
    pub(crate) async fn check(&self) -> Result<&'static str, BoxError> {
        self.sink.check().await?;
        Ok(self.proof)
    }
}

impl Transforms {
    /// How the source's records are encoded in each of `views`.
    pub(crate) fn encoders(&self, views: &[Arc<View>]) -> Result<Vec<Encoder>, UnknownVersion> {
        let encoder = |(n, view): (usize, &Arc<View>)| {
            // Counted in one view only, or each record would count as often as there are views.
            let unknown = (n == 0).then(|| self.unknown.clone());
            let transform: Arc<dyn Transform> = match &self.reader {
                Reader::Postman(names) => {
                    transform::postman(view, PostmanOptions { names: names.clone(), unknown })?.into()
                }
                Reader::Mapping(settings) => transform::generic(view, settings)?.into(),
            };
            Ok(Encoder { view: view.clone(), transform })
        };
        views.iter().enumerate().map(encoder).collect()
    }
}

/// How records of that origin are encoded in `view`, apart from any running source: as `settings` say, where the source is
/// configured. `None` for a type of source that this binary does not have.
pub(crate) fn transform_of(
    origin: &Origin,
    settings: Option<&SourceSettings>,
    view: &View,
) -> Option<Result<Box<dyn Transform>, UnknownVersion>> {
    match (&*origin.kind, settings) {
        ("audit_logs", Some(SourceSettings::AuditLogs(_, mapping))) => {
            Some(transform::generic(view, mapping))
        }
        // The defaults, for every name that a source can have.
        ("audit_logs", _) => {
            let mapping = MappingConfig::default().validate(&origin.source).ok()?;
            Some(transform::generic(view, &mapping))
        }
        ("postman", _) => Some(transform::postman(view, PostmanOptions::default())),
        _ => None,
    }
}

/// The encoding that a sink asks for.
pub(crate) fn view(sink: &Sink) -> View {
    match sink.schema {
        EventSchema::Ocsf => {
            View { schema: Schema::Ocsf, version: sink.ocsf_version.name().into(), keep_raw: sink.keep_raw }
        }
        EventSchema::Ecs => {
            View { schema: Schema::Ecs, version: transform::ECS_VERSION.into(), keep_raw: sink.keep_raw }
        }
        EventSchema::Raw => View { schema: Schema::Raw, version: "".into(), keep_raw: true },
    }
}
