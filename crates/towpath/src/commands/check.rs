//! `towpath check`

mod fault;

use std::io::Write as _;
use std::time::Duration;

use pipeline::BoxError;

use crate::assemble::{self, Assembly};
use crate::cli::CheckArgs;
use crate::commands::run::block_on;
use crate::connectors::{self, Shared};
use crate::failure::Failure;

/// How long a source or sink may take to prove itself.
const PATIENCE: Duration = Duration::from_secs(100);

pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let assembly = assemble::load(args.config.config.as_deref())?;
    let mut out = std::io::stdout().lock();
    for warning in assembly.warnings.diagnostics() {
        writeln!(out, "{warning}\n")?;
    }
    for line in describe(&assembly) {
        writeln!(out, "{line}")?;
    }
    if args.connect {
        writeln!(out)?;
        drop(out);
        return block_on(connect(assembly));
    }
    Ok(())
}

/// What will run, in words.
fn describe(assembly: &Assembly) -> Vec<String> {
    let config = &assembly.config;
    let mut lines = vec![
        format!("{} is valid", assembly.path.display()),
        format!("data in {}, at most {} in flight", config.data_dir.display(), config.limits.in_flight),
    ];
    for (source, settings) in config.sources.iter().zip(&assembly.sources) {
        let (name, kind) = (&source.name, source.kind);
        lines.push(format!("source {name} ({kind}): {}", settings.describe()));
    }
    for sink in &config.sinks {
        let view = connectors::view(sink);
        lines.push(format!("sink {} ({}): {view} from {}", sink.name, sink.kind, sink.from.join(", ")));
    }
    lines
}

/// Tries each source and sink; all of them, whatever the first says.
async fn connect(assembly: Assembly) -> Result<(), Failure> {
    let mut failed = 0;
    let (page_bytes, shared) = (assembly.page_bytes()?, Shared::default());
    let Assembly { config, sources, sinks, .. } = assembly;
    for (source, settings) in config.sources.iter().zip(sources) {
        let made = settings.make(&source.name, Vec::new(), page_bytes, &shared);
        let checked = async {
            let mut source = (made.make)()?;
            Ok(source.check().await?)
        };
        failed += verdict("source", &source.name, tokio::time::timeout(PATIENCE, checked).await)?;
    }
    for (sink, settings) in config.sinks.iter().zip(sinks) {
        let checked = tokio::time::timeout(PATIENCE, settings.check()).await;
        failed += verdict("sink", &sink.name, checked.map(|checked| checked.map(str::to_owned)))?;
    }
    if failed > 0 {
        return Err(anyhow::anyhow!("{failed} of the sources and sinks cannot be used").into());
    }
    Ok(())
}

/// Prints the line of a source or sink. Returns how many have failed.
fn verdict(
    role: &str,
    name: &str,
    checked: Result<Result<String, BoxError>, tokio::time::error::Elapsed>,
) -> Result<usize, Failure> {
    let mut out = std::io::stdout().lock();
    let failed = match checked {
        Ok(Ok(seen)) => {
            writeln!(out, "ok      {role} {name}: {seen}")?;
            0
        }
        Ok(Err(error)) => {
            writeln!(out, "FAILED  {role} {name}: {}", fault::explain(&error))?;
            1
        }
        Err(_) => {
            writeln!(out, "FAILED  {role} {name}: {}", fault::silence(PATIENCE))?;
            1
        }
    };
    Ok(failed)
}
