//! `towpath checkpoint`

use std::io::Write as _;

use anyhow::{Context as _, anyhow};
use checkpoint::FileStore;
use pipeline::{CheckpointStore as _, Position, Revision, Save};

use crate::assemble::{self, Assembly};
use crate::cli::{CheckpointArgs, CheckpointCommand};
use crate::connectors::SourceSettings;
use crate::failure::Failure;
use crate::pretty;
use crate::progress::thousands;

pub(crate) fn run(args: &CheckpointArgs) -> Result<(), Failure> {
    let assembly = assemble::load(args.config.config.as_deref())?;
    let data_dir = &assembly.config.data_dir;
    let nothing = || format!("nothing is saved in {} yet", data_dir.display());
    let store = match &args.command {
        CheckpointCommand::Set { .. } => FileStore::open(data_dir)?,
        _ => match FileStore::open_existing(data_dir)? {
            Some(store) => store,
            None if matches!(args.command, CheckpointCommand::List) => {
                tracing::info!("{}", nothing());
                return Ok(());
            }
            None => return Err(anyhow!(nothing()).into()),
        },
    };
    let mut out = std::io::stdout().lock();
    match &args.command {
        CheckpointCommand::List => {
            for stream in store.streams()? {
                if let Some(saved) = store.load(&stream)? {
                    let (revision, ids) = (saved.revision.0, thousands(saved.delivered));
                    writeln!(out, "{stream}\trevision {revision}\t{ids} delivered ids\t{}", saved.position)?;
                }
            }
        }
        CheckpointCommand::Show { source } => {
            let saved = store.load(source)?.ok_or_else(|| unknown(&store, source))?;
            let shown = pretty::indented(saved.position.as_str());
            writeln!(out, "{}", shown.context("the saved position is not JSON")?)?;
        }
        CheckpointCommand::Set { source, json } => {
            let position = written(known_source(&assembly, source)?, source, json)?;
            let expected = store.load(source)?.map_or(Revision::default(), |saved| saved.revision);
            let save = Save { position: &position, delivered: &[], prune_before: i64::MIN };
            let revision = store.save(source, save, expected)?;
            writeln!(out, "position of {source} is set, revision {}", revision.0)?;
        }
        CheckpointCommand::Reset { source } => {
            let saved = store.load(source)?.ok_or_else(|| unknown(&store, source))?;
            store.reset(source)?;
            let ids = thousands(saved.delivered);
            writeln!(out, "position and {ids} delivered ids of {source} are forgotten; it starts afresh")?;
        }
    }
    Ok(())
}

/// A position for a source that does not exist is a slip of the pen.
fn known_source<'a>(assembly: &'a Assembly, source: &str) -> Result<&'a SourceSettings, Failure> {
    let names = || assembly.config.sources.iter().map(|source| source.name.as_str());
    if let Some((_, settings)) = names().zip(&assembly.sources).find(|(name, _)| *name == source) {
        return Ok(settings);
    }
    let names = names().collect::<Vec<_>>().join(", ");
    Err(Failure::Usage(format!("error: the configuration has no source {source}; it has {names}")))
}

/// What the source would refuse at its next start is refused now.
fn written(settings: &SourceSettings, source: &str, json: &str) -> Result<Position, Failure> {
    let position = Position::from_json(json)
        .map_err(|error| Failure::Usage(format!("error: the position is not JSON: {error}")))?;
    settings.position(&position).map_err(|error| {
        let error = anyhow!(error);
        Failure::Usage(format!(
            "error: {source} cannot take up this position, so nothing is changed: {error:#}; compare it with what \
             `towpath checkpoint show {source}` prints"
        ))
    })
}

fn unknown(store: &FileStore, source: &str) -> anyhow::Error {
    match store.streams() {
        Ok(streams) if !streams.is_empty() => {
            anyhow!("nothing is saved for {source}; there are positions of {}", streams.join(", "))
        }
        Ok(_) => anyhow!("nothing is saved for {source}"),
        Err(error) => error.into(),
    }
}
