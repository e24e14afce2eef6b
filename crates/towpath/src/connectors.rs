//! The connectors that this binary has: a plain list, and how each is made from its block of the configuration.

use std::sync::Arc;

use config::{Block, ConnectorType, Diagnostic, EventSchema, Sink, SinkTraits, Source};
use pipeline::{BoxError, Position, Schema, Timestamp, Transform, View};
use runtime::{Encoder, MakeSource};
use settings::Invalid;
use sink_file::{FileConfig, FileSink};
use sink_http::{HttpConfig, HttpSink};
use sink_kafka::{KafkaConfig, KafkaSink};
use source_postman::{Account, Budgets, PostmanConfig, PostmanSettings, PostmanSource, Wiring};
use transform::{ActionNames, PostmanOptions, UnknownActions};

/// Every type that a configuration may name.
pub(crate) fn types() -> Vec<ConnectorType> {
    let file = SinkTraits { destination: Some("path"), ..SinkTraits::default() };
    vec![
        ConnectorType::source::<PostmanConfig>("postman"),
        ConnectorType::sink::<FileConfig>("file", file),
        ConnectorType::sink::<HttpConfig>("http", SinkTraits::default()),
        ConnectorType::sink::<KafkaConfig>("kafka", SinkTraits::default()),
    ]
}

/// A source whose settings are checked.
pub(crate) enum SourceSettings {
    Postman(PostmanSettings),
}

/// A sink that is made, but has touched nothing.
pub(crate) enum SinkSettings {
    File(Arc<FileSink>),
    Http(Arc<HttpSink>),
    Kafka(Arc<KafkaSink>),
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
    names: Arc<ActionNames>,
    /// Actions that no table knows.
    pub(crate) unknown: Arc<UnknownActions>,
}

/// Reads and checks a source's block; what is hardly meant comes as warnings.
pub(crate) fn read_source(source: &Source, now: Timestamp) -> (Option<SourceSettings>, Vec<Diagnostic>) {
    let (checked, diagnostics) = match source.kind {
        "postman" => read::<PostmanConfig, _>(&source.block, PostmanConfig::validate, |c| c.warnings(now)),
        other => unreachable!("the list of source types names {other}"),
    };
    (checked.map(SourceSettings::Postman), diagnostics)
}

/// Reads and checks a sink's block.
pub(crate) fn read_sink(sink: &Sink) -> (Option<SinkSettings>, Vec<Diagnostic>) {
    match sink.kind {
        "file" => {
            let (checked, diagnostics) =
                read::<FileConfig, _>(&sink.block, FileConfig::validate, |_| Vec::new());
            (checked.map(|settings| SinkSettings::File(Arc::new(FileSink::new(settings)))), diagnostics)
        }
        "http" => {
            let (checked, diagnostics) =
                read::<HttpConfig, _>(&sink.block, HttpConfig::validate, HttpConfig::warnings);
            (checked.map(|settings| SinkSettings::Http(Arc::new(HttpSink::new(settings)))), diagnostics)
        }
        "kafka" => {
            let (checked, diagnostics) =
                read::<KafkaConfig, _>(&sink.block, KafkaConfig::validate, KafkaConfig::warnings);
            (checked.map(|settings| SinkSettings::Kafka(Arc::new(KafkaSink::new(settings)))), diagnostics)
        }
        other => unreachable!("the list of sink types names {other}"),
    }
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
        let Self::Postman(settings) = self;
        Ok(settings.position(written)?)
    }

    /// Makes the source. `page_bytes` is the most that one page may take.
    pub(crate) fn make(
        self,
        name: &str,
        labels: Vec<(Box<str>, Box<str>)>,
        page_bytes: usize,
        shared: &Shared,
    ) -> MadeSource {
        let Self::Postman(settings) = self;
        let transforms = Transforms { names: Arc::default(), unknown: Arc::default() };
        let (names, source_name) = (transforms.names.clone(), name.to_owned());
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
    pub(crate) fn sink(&self) -> Arc<dyn pipeline::Sink> {
        match self {
            Self::File(sink) => sink.clone(),
            Self::Http(sink) => sink.clone(),
            Self::Kafka(sink) => sink.clone(),
        }
    }

    /// Whether a write costs so little that waiting for more events is worth nothing.
    pub(crate) fn is_eager(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Writes under way at once.
    pub(crate) fn concurrency(&self) -> usize {
        match self {
            Self::File(_) => 1,
            // Requests mostly wait; no order is promised between writes.
            Self::Http(_) => 4,
            // Batches fill from several writes while others wait for their replicas.
            Self::Kafka(_) => 4,
        }
    }

    /// Is the destination usable? If so, what was found.
    pub(crate) async fn check(&self) -> Result<&'static str, BoxError> {
        self.sink().check().await?;
        Ok(match self {
            Self::File(_) => "can be written",
            // Whether it takes events shows only when it is sent some.
            Self::Http(_) => "can be reached",
            Self::Kafka(_) => "has the topic",
        })
    }
}

impl Transforms {
    /// How the source's records are encoded in each of `views`.
    pub(crate) fn encoders(&self, views: &[Arc<View>]) -> Result<Vec<Encoder>, transform::UnknownVersion> {
        let encoder = |(n, view): (usize, &Arc<View>)| {
            // Counted in one view only, or each record would count as often as there are views.
            let unknown = (n == 0).then(|| self.unknown.clone());
            let options = PostmanOptions { names: self.names.clone(), unknown };
            let transform: Arc<dyn Transform> = transform::postman(view, options)?.into();
            Ok(Encoder { view: view.clone(), transform })
        };
        views.iter().enumerate().map(encoder).collect()
    }
}

/// How records of a source of type `kind` are encoded in `view`, apart from any running source. `None` for a type that this
/// binary does not have.
pub(crate) fn transform_of(
    kind: &str,
    view: &View,
) -> Option<Result<Box<dyn Transform>, transform::UnknownVersion>> {
    match kind {
        "postman" => Some(transform::postman(view, PostmanOptions::default())),
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
