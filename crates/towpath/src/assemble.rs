//! From a configuration file to a pipeline that is ready to run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use checkpoint::FileStore;
use config::{Config, DeadLetters as DeadLettersConfig, ProcessEnvironment, Report};
use dead_letters::LetterStore;
use pipeline::{CheckpointStore, DeadLetters, Timestamp, View};
use runtime::{BatchLimits, Limits, Pipeline, Retry, SinkSpec, StreamSpec};
use transform::UnknownActions;

use crate::connectors::{self, Shared, SinkSettings, SourceSettings};
use crate::failure::Failure;

/// A configuration without an error, its connectors checked and made.
pub(crate) struct Assembly {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) sources: Vec<SourceSettings>,
    pub(crate) sinks: Vec<SinkSettings>,
    /// What is allowed but hardly meant.
    pub(crate) warnings: Report,
}

/// Finds and reads the configuration file. All errors come at once.
pub(crate) fn load(named: Option<&Path>) -> Result<Assembly, Failure> {
    let variable = std::env::var_os(config::VARIABLE).map(PathBuf::from);
    let path = config::locate(named, variable.as_deref(), Path::exists).map_err(Failure::usage)?;
    let text = config::read_file(&path).map_err(|error| {
        Failure::Usage(format!("error: cannot read configuration {}: {error}", path.display()))
    })?;
    read(&path, &text)
}

/// Checks the text of a configuration.
pub(crate) fn read(path: &Path, text: &str) -> Result<Assembly, Failure> {
    let invalid = |report: &Report| Failure::Usage(report.to_string());
    let mut config = config::parse(path, text, &connectors::types(), &ProcessEnvironment)
        .map_err(|report| invalid(&report))?;
    let now = Timestamp::from_system(SystemTime::now());
    let mut report = std::mem::take(&mut config.report);
    let mut sources = Vec::new();
    for source in &config.sources {
        let (settings, diagnostics) = connectors::read_source(source, now);
        report.extend(diagnostics);
        sources.extend(settings);
    }
    let mut sinks = Vec::new();
    for sink in &config.sinks {
        let (settings, diagnostics) = connectors::read_sink(sink);
        report.extend(diagnostics);
        sinks.extend(settings);
    }
    if report.errors() > 0 {
        return Err(invalid(&report));
    }
    Ok(Assembly { path: path.to_owned(), config, sources, sinks, warnings: report })
}

/// A pipeline, and what is looked at while it runs beside its own status.
pub(crate) struct Assembled {
    pub(crate) pipeline: Pipeline,
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    /// By source, in the configured order.
    pub(crate) unknown_actions: Vec<Arc<UnknownActions>>,
}

impl Assembly {
    /// Opens both stores in the data directory, which is thereby this process's own, and makes the pipeline.
    pub(crate) fn open(self) -> Result<Assembled, Failure> {
        let store = FileStore::open(&self.config.data_dir)?;
        let DeadLettersConfig { dir, max_size } = &self.config.dead_letters;
        let dead_letters = LetterStore::open(dir, max_size.get())?;
        self.pipeline(Arc::new(store), Arc::new(dead_letters))
    }

    fn in_flight(&self) -> Result<usize, Failure> {
        Ok(usize::try_from(self.config.limits.in_flight.get())?)
    }

    /// The most that one page may take: a part of its stream's share of the budget, so that reading a page is never what
    /// fills the memory. The source asks for fewer records when a page is larger.
    pub(crate) fn page_bytes(&self) -> Result<usize, Failure> {
        let share = self.in_flight()? / self.config.sources.len().max(1);
        Ok((share / 8).clamp(64 << 10, 64 << 20))
    }

    fn pipeline(
        self,
        store: Arc<dyn CheckpointStore>,
        dead_letters: Arc<dyn DeadLetters>,
    ) -> Result<Assembled, Failure> {
        let (in_flight, page_bytes) = (self.in_flight()?, self.page_bytes()?);
        let Self { config, sources, sinks, .. } = self;
        let mut unknown_actions = Vec::new();
        let views: Vec<Arc<View>> =
            config.sinks.iter().map(|sink| Arc::new(connectors::view(sink))).collect();
        let (mut streams, shared) = (Vec::new(), Shared::default());
        for (source, settings) in config.sources.iter().zip(sources) {
            let labels =
                source.labels.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
            let made = settings.make(&source.name, labels.collect(), page_bytes, &shared);
            let wanted = config.sinks.iter().zip(&views).filter(|(sink, _)| sink.from.contains(&source.name));
            let mut needed: Vec<Arc<View>> = Vec::new();
            for (_, view) in wanted {
                if !needed.contains(view) {
                    needed.push(view.clone());
                }
            }
            let encoders = made.transforms.encoders(&needed)?;
            unknown_actions.push(made.transforms.unknown);
            streams.push(StreamSpec { name: source.name.clone(), source: made.make, encoders });
        }
        let spec = |((sink, settings), view): ((config::Sink, SinkSettings), Arc<View>)| SinkSpec {
            name: sink.name,
            sink: settings.sink,
            view,
            from: sink.from,
            batch: batch_limits(&sink.batch),
            eager: settings.is_eager,
            concurrency: settings.concurrency,
            retry: retry(&sink.retry),
        };
        let sinks = config.sinks.into_iter().zip(sinks).zip(views).map(spec).collect();
        let drain_timeout = config.drain_timeout.get();
        let limits = Limits { in_flight, drain_timeout, retry: retry(&config.retry) };
        let pipeline = Pipeline { streams, sinks, store, dead_letters: dead_letters.clone(), limits };
        Ok(Assembled { pipeline, dead_letters, unknown_actions })
    }
}

pub(crate) fn batch_limits(batch: &config::Batch) -> BatchLimits {
    BatchLimits {
        max_events: batch.max_events.get() as usize,
        max_bytes: usize::try_from(batch.max_bytes.get()).unwrap_or(usize::MAX),
        max_age: batch.max_age.get(),
    }
}

pub(crate) fn retry(retry: &config::Retry) -> Retry {
    Retry { initial: retry.initial.get(), max: retry.max.get() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the test of the same in `runtime`: what several sinks want in one view is encoded once.
    #[test]
    fn a_view_is_encoded_once_however_many_sinks_want_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "data_dir: {dir}/data
sources:
  postman: {{ type: postman, api_key: PMAK-test }}
sinks:
  one: {{ type: file, path: {dir}/one, schema: ocsf }}
  two: {{ type: http, url: \"http://127.0.0.1:9/\" }}
  three: {{ type: syslog, address: \"udp://127.0.0.1:9\" }}
  without_record: {{ type: file, path: {dir}/without, keep_raw: false }}
  other: {{ type: file, path: {dir}/other, schema: ecs }}
",
            dir = dir.path().display(),
        );
        let assembly = read(Path::new("towpath.yaml"), &text).unwrap_or_else(|failure| panic!("{failure}"));
        let assembled = assembly.open().unwrap_or_else(|failure| panic!("{failure}"));
        let views: Vec<&View> =
            assembled.pipeline.streams[0].encoders.iter().map(|encoder| &*encoder.view).collect();
        let of_sinks: Vec<&View> = assembled.pipeline.sinks.iter().map(|sink| &*sink.view).collect();
        assert_eq!(views, [of_sinks[0], of_sinks[3], of_sinks[4]], "{of_sinks:?}");
        assert_eq!(of_sinks[..3], [views[0]; 3]);
    }
}
