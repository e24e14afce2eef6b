//! From the text of a file to a [`Config`] and everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use settings::{ByteSize, HumanDuration};

use crate::block::Block;
use crate::connector::ConnectorType;
use crate::diagnostic::Report;
use crate::document::Document;
use crate::draft::{Group, Reading};
use crate::environment::Environment;
use crate::files::Files;
use crate::finding::Finding;
use crate::model::{Admin, Batch, DeadLetters, EventSchema, Limits, OcsfVersion, Retry};
use crate::node::{Entry, Kind, Node};
use crate::recipe::Merge;
use crate::schema::Schemas;
use crate::{interpolate, rules, yaml};

/// The most that a configuration file may hold.
pub const MAX_FILE: ByteSize = ByteSize::mib(1);

/// A configuration. It may run only when [`Config::report`] and the connectors' own checks have no error: what is wrong in
/// the file has its default here, and sources and sinks with an error in their block are left out.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory for checkpoints and dead letters; relative to the working directory. Default `./data`.
    pub data_dir: PathBuf,
    /// The admin server.
    pub admin: Admin,
    /// Bounds of the whole process.
    pub limits: Limits,
    /// How long a stop waits for events on their way. Default 25s.
    pub drain_timeout: HumanDuration,
    /// Pauses between attempts of sources after a failure.
    pub retry: Retry,
    /// Where events go that a destination refuses.
    pub dead_letters: DeadLetters,
    /// The sources, in the order of the file.
    pub sources: Vec<Source>,
    /// The sinks, in the order of the file.
    pub sinks: Vec<Sink>,
    /// Everything that is wrong, but for what the connectors find: add that through [`Block::diagnostic`].
    pub report: Report,
}

/// A source in the configuration.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name: `[a-z][a-z0-9_-]{0,62}`.
    pub name: String,
    /// Its connector type.
    pub kind: &'static str,
    /// Static labels of every event, in the order of the file.
    pub labels: Vec<(String, String)>,
    /// Its own keys.
    pub block: Block,
}

/// A sink in the configuration.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Its name: `[a-z][a-z0-9_-]{0,62}`.
    pub name: String,
    /// Its connector type.
    pub kind: &'static str,
    /// The schema of its events.
    pub schema: EventSchema,
    /// The OCSF version, where the schema is OCSF.
    pub ocsf_version: OcsfVersion,
    /// Whether events carry the vendor's record.
    pub keep_raw: bool,
    /// The names of the sources that it takes from.
    pub from: Vec<String>,
    /// When a batch goes out.
    pub batch: Batch,
    /// Pauses between attempts after a failure.
    pub retry: Retry,
    /// Its own keys.
    pub block: Block,
}

/// Reads a configuration. `path` is how the file is called in messages; `text` is its content.
///
/// ```
/// use std::path::Path;
/// # use schemars::JsonSchema; use serde::Deserialize;
/// # #[derive(Deserialize, JsonSchema)] struct PostmanConfig { api_key: settings::Secret }
/// # #[derive(Deserialize, JsonSchema)] struct FileConfig { path: std::path::PathBuf }
/// use config::{ConnectorType, ProcessEnvironment, SinkTraits};
///
/// let types = [
///     ConnectorType::source::<PostmanConfig>("postman"),
///     ConnectorType::sink::<FileConfig>("file", SinkTraits::default()),
/// ];
/// let text = "
/// sources:
///   postman: { type: postman, api_key: '${PATH}' }
/// sinks:
///   archive: { type: file, path: ./events.ndjson, keep_row: false }
/// ";
/// let config = config::parse(Path::new("towpath.yaml"), text, &types, &ProcessEnvironment).unwrap();
/// let _source: PostmanConfig = config.sources[0].block.read().unwrap();
/// let [problem] = config.report.diagnostics() else { panic!() };
/// assert_eq!(problem.message, "unknown key `keep_row`");
/// assert_eq!(problem.help, "did you mean `keep_raw`?");
/// ```
///
/// # Errors
/// The text is not YAML at all, too large or empty. Everything else that is wrong is in [`Config::report`], so that all of it
/// can be told at once, together with what the connectors find.
pub fn parse(
    path: &Path,
    text: &str,
    types: &[ConnectorType],
    environment: &dyn Environment,
) -> Result<Config, Report> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let reject = |finding: Finding| {
        let mut report = Report::default();
        let vocabulary = Schemas::new(types).vocabulary();
        report
            .extend([Document::unparsed(Files::new(path, text.to_owned()), vocabulary).diagnostic(&finding)]);
        report
    };
    if text.len() as u64 > MAX_FILE.get() {
        let message = format!("the file is larger than {MAX_FILE}");
        return Err(reject(Finding::error(
            &(0..0),
            message,
            "name a Towpath configuration, or make it smaller",
        )));
    }
    let parsed = yaml::parse(text).map_err(reject)?;
    let (mut files, mut findings) = (Files::new(path, text.to_owned()), Vec::new());
    let mut root = match files.note(parsed, &mut findings) {
        Some(root) if matches!(root.kind, Kind::Map(_)) => root,
        Some(root) if !root.is_null() => {
            let message = format!("the configuration must be a block of keys, not {}", root.noun());
            return Err(reject(Finding::error(&root.span, message, "start with `sources:` and `sinks:`")));
        }
        _ => {
            let message = "the configuration is empty";
            return Err(reject(Finding::error(&(0..0), message, "start with `sources:` and `sinks:`")));
        }
    };
    let (mut in_part, mut shown) = (Vec::new(), Vec::new());
    if let Kind::Map(entries) = &mut root.kind
        && let Some(sources) = entries.iter_mut().find(|entry| entry.key == "sources")
        && let Kind::Map(sources) = &mut sources.value.kind
    {
        let folder = path.parent().unwrap_or(path);
        let (files, findings, shown) = (&mut files, &mut findings, &mut shown);
        in_part = Merge { types, folder, environment, files, findings, shown }.into_each(sources);
    }
    interpolate::resolve(&mut root, files.text(), environment, &mut findings);
    let schemas = schemas_for(&root, types);
    let mut reading = Reading { schemas: &schemas, types, text: files.text(), findings, shown, in_part };
    let general = reading.general(&root);
    let sources = reading.group(&root, Group::Sources);
    let sinks = reading.group(&root, Group::Sinks);
    let Reading { mut findings, mut shown, .. } = reading;
    let again = files.repeated.iter().filter(|(_, first)| shown.contains(first));
    shown.extend(again.map(|(key, _)| key.clone()).collect::<Vec<_>>());
    rules::check(&root, &general, &sources, &sinks, &mut findings);

    let document = Arc::new(Document::new(files, shown));
    let mut report = Report::default();
    report.extend(findings.iter().map(|finding| document.diagnostic(finding)));
    let names: Vec<String> = Group::Sources.entries(&root).iter().map(|entry| entry.key.clone()).collect();
    Ok(Config {
        sources: sources.into_iter().map(|draft| draft.source(&document)).collect(),
        sinks: sinks.into_iter().map(|draft| draft.sink(&document, &general, &names)).collect(),
        dead_letters: DeadLetters {
            dir: general.dead_letters.dir.unwrap_or_else(|| general.data_dir.join("dead-letters")),
            max_size: general.dead_letters.max_size,
        },
        data_dir: general.data_dir,
        admin: general.admin,
        limits: general.limits,
        drain_timeout: general.drain_timeout,
        retry: general.retry,
        report,
    })
}

/// The schemas of the types that the tree names; of all where a block is of none, as it may have the keys of any.
fn schemas_for(root: &Node, types: &[ConnectorType]) -> Schemas {
    let is_of = |group: Group, block: &Entry, connector: &ConnectorType| {
        let kind = block.value.entry("type").and_then(|entry| entry.value.scalar());
        connector.is_source() == (group == Group::Sources)
            && kind.is_some_and(|kind| kind.text == connector.name)
    };
    let mut used = vec![false; types.len()];
    for group in [Group::Sources, Group::Sinks] {
        for block in group.entries(root) {
            match types.iter().position(|connector| is_of(group, block, connector)) {
                Some(number) => used[number] = true,
                None => return Schemas::new(types),
            }
        }
    }
    Schemas::new(types.iter().zip(used).filter_map(|(connector, used)| used.then_some(connector)))
}
