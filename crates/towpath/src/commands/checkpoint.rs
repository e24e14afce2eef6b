//! `towpath checkpoint`

use std::io::Write as _;

use anyhow::{Context as _, anyhow};
use checkpoint::FileStore;
use pipeline::{CheckpointStore as _, Position, Revision, Save};

use crate::assemble;
use crate::cli::{CheckpointArgs, CheckpointCommand};
use crate::failure::Failure;
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
            let value: serde_json::Value = saved.position.decode().context("read the saved position")?;
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        }
        CheckpointCommand::Set { source, json } => {
            known_source(&assembly, source)?;
            let position = Position::from_json(json)
                .map_err(|error| Failure::Usage(format!("error: the position is not JSON: {error}")))?;
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
fn known_source(assembly: &assemble::Assembly, source: &str) -> Result<(), Failure> {
    let names: Vec<&str> = assembly.config.sources.iter().map(|source| source.name.as_str()).collect();
    if names.contains(&source) {
        return Ok(());
    }
    let names = names.join(", ");
    Err(Failure::Usage(format!("error: the configuration has no source {source}; it has {names}")))
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
