//! `towpath run`

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use pipeline::Timestamp;
use runtime::{Engine, Status, Until};

use crate::admin::{self, Watched};
use crate::assemble::{self, Assembly};
use crate::cli::RunArgs;
use crate::failure::Failure;
use crate::progress::{Progress, thousands};
use crate::stop;

/// Threads for work that blocks: encoding, the disk, the checkpoint store. Few, because the system's allocator keeps what each
/// thread has once used to that thread.
const BLOCKING_THREADS: usize = 4;

pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let assembly = assemble::load(args.config.config.as_deref())?;
    for warning in assembly.warnings.diagnostics() {
        tracing::warn!("{}", warning.one_line());
    }
    let until = if args.once {
        Until::CaughtUp { timeout: args.timeout.map(|time_out| time_out.get()) }
    } else {
        Until::Stopped
    };
    block_on(go(assembly, until))
}

/// How long work that blocks (a hung disk, a stalled pipe) may hold up the exit, once nothing depends on it.
const BLOCKED: Duration = Duration::from_secs(1);

/// Runs what a command does on the runtime that every command with I/O uses.
pub(crate) fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(BLOCKED);
    result
}

async fn go(assembly: Assembly, until: Until) -> Result<(), Failure> {
    // First, so that no signal ends the process while it creates its store.
    let stop = stop::on_signal().context("listen for signals")?;
    let names = |names: Vec<&str>| names.join(" ");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        config = %assembly.path.display(),
        data_dir = %assembly.config.data_dir.display(),
        sources = names(assembly.config.sources.iter().map(|source| source.name.as_str()).collect()),
        sinks = names(assembly.config.sinks.iter().map(|sink| sink.name.as_str()).collect()),
        "towpath starts"
    );
    let started = Timestamp::from_system(SystemTime::now());
    let admin = assembly.config.admin.clone();
    let assembled = assembly.open()?;
    let engine = Engine::new(assembled.pipeline);
    let status = engine.status();
    let watched = Watched {
        status: status.clone(),
        dead_letters: assembled.dead_letters,
        unknown_actions: assembled.unknown_actions,
        started,
    };
    let _admin = match admin::start(&admin, watched).await {
        // A run that ends by itself, started beside one that does not, can do without.
        Err(error) if until != Until::Stopped => {
            tracing::warn!(error = format!("{error:#}"), "this run has no admin server");
            None
        }
        started => started?,
    };
    let result = match until {
        Until::Stopped => engine.run(until, stop).await,
        Until::CaughtUp { .. } => with_progress(engine, until, stop).await,
    };
    let (records, delivered) = totals(&status);
    tracing::info!(records, delivered, "towpath ends");
    Ok(result?)
}

async fn with_progress(
    engine: Engine,
    until: Until,
    stop: tokio_util::sync::CancellationToken,
) -> Result<(), runtime::RunError> {
    let status = engine.status();
    let mut progress = Progress::new();
    let run = engine.run(until, stop);
    tokio::pin!(run);
    let result = loop {
        tokio::select! {
            result = &mut run => break result,
            () = tokio::time::sleep(progress.every()) => {}
        }
        let elapsed = progress.elapsed();
        progress.show(|| line(&status, elapsed));
    };
    progress.clear();
    result
}

/// One line for people: how much, how fast, up to when, and what stands in the way.
pub(crate) fn line(status: &Status, elapsed: Duration) -> String {
    let (records, delivered) = totals(status);
    let rate = records as f64 / elapsed.as_secs_f64().max(0.001);
    let mut line = format!(
        "{} records, {} events delivered, {rate:.0} records/s",
        thousands(records),
        thousands(delivered)
    );
    let complete_until: Option<Timestamp> =
        status.sources.iter().filter_map(|source| source.now().detail.complete_until).min();
    if let Some(complete_until) = complete_until {
        line += &format!(", read up to {complete_until}");
    }
    let sources = status.sources.iter().map(|source| (&source.name, source.now().last_error));
    let sinks = status.sinks.iter().map(|sink| (&sink.name, sink.now().last_error));
    for (name, error) in sources.chain(sinks) {
        if let Some(error) = error {
            line += &format!("; {name}: {error}");
        }
    }
    line
}

/// Records taken in, and events delivered, over all sources and sinks.
pub(crate) fn totals(status: &Status) -> (u64, u64) {
    let records = status.sources.iter().map(|source| source.records.load(Ordering::Relaxed)).sum();
    let delivered = status.sinks.iter().map(|sink| sink.ledger().delivered).sum();
    (records, delivered)
}
