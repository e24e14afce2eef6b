//! `towpath demo`: the whole product against a simulated API that misbehaves like the real one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use pipeline::Timestamp;
use runtime::{Engine, Status, Until};
use serde_json::Value;
use simulator::{Faults, Postman};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Watched};
use crate::assemble;
use crate::cli::DemoArgs;
use crate::commands::run::{block_on, line};
use crate::failure::Failure;
use crate::progress::{Progress, thousands};
use crate::stop;

const DIR: &str = "./towpath-demo";
const OCSF: &str = "./towpath-demo/ocsf.ndjson";
const ECS: &str = "./towpath-demo/ecs.ndjson";

/// Records that the simulated API has at the start, and new ones a second.
const EVENTS: usize = 5_000;
const RATE: f64 = 50.0;

/// How long the API goes on making records after the first catch-up, and how long the last ones may take to arrive.
const GO_ON: Duration = Duration::from_secs(2);
const ARRIVE: Duration = Duration::from_secs(30);

/// Samples to show.
const SAMPLES: usize = 4;

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    clear()?;
    block_on(go(args.exit))
}

/// Removes what an earlier demo left, and nothing else.
fn clear() -> Result<(), Failure> {
    fs::create_dir_all(DIR).with_context(|| format!("create {DIR}"))?;
    let data = Path::new(DIR).join("data");
    // Refused while another demo runs here.
    drop(checkpoint::FileStore::open_existing(&data)?);
    for result in [fs::remove_file(OCSF), fs::remove_file(ECS), fs::remove_dir_all(&data)] {
        match result {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(anyhow::anyhow!(error)
                    .context(format!("remove what an earlier demo left in {DIR}"))
                    .into());
            }
            _ => {}
        }
    }
    Ok(())
}

async fn go(exit: bool) -> Result<(), Failure> {
    let stop = stop::on_signal().context("listen for signals")?;
    let api = Postman::builder().seed(1).events(EVENTS).rate(RATE).faults(Faults::bad_day());
    let api = api.start(([127, 0, 0, 1], 0).into()).await.context("start the simulated API")?;
    let text = configuration(&api);
    say(&format!(
        "a simulated Postman API runs at {} with {} audit records and {RATE} new ones a second; it refuses, fails,\n\
         throttles, repeats itself and is late, as the real one is on a bad day. Towpath collects from it:\n\n{}",
        api.url(),
        thousands(EVENTS as u64),
        indented(&text.replace(api.key(), "…")),
    ));
    let assembly = assemble::read(Path::new("demo.yaml"), &text)?;
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
    let admin = admin::start(&admin, watched).await?;
    if let Some(server) = &admin {
        let address = server.address();
        say(&format!(
            "look on while it runs: http://{address}/status, http://{address}/metrics, http://{address}/readyz\n"
        ));
    }
    let drain = CancellationToken::new();
    let mut run = tokio::spawn(engine.run(Until::Stopped, drain.clone()));

    let mut progress = Progress::new();
    let watch = watch(&api, &status, &mut progress, exit, stop);
    let complete = tokio::select! {
        complete = watch => Some(complete),
        ended = &mut run => {
            ended??;
            None
        }
    };
    progress.clear();
    drain.cancel();
    if complete.is_some() {
        run.await??;
    }
    finish(&api, &status)
}

/// Shows progress until the demo has shown what it has to, or somebody stops it.
async fn watch(api: &Postman, status: &Status, progress: &mut Progress, exit: bool, stop: CancellationToken) {
    let mut caught_up = None;
    let mut shown_samples = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            () = stop.cancelled() => return,
        }
        let elapsed = progress.elapsed();
        progress.show(|| line(status, elapsed));
        let (records, _) = crate::commands::run::totals(status);
        if records as usize >= EVENTS / 2 && !shown_samples {
            shown_samples = true;
            progress.clear();
            match samples() {
                Ok(text) => say(&text),
                Err(error) => tracing::warn!(error = %error, "no samples to show"),
            }
        }
        let everything = api.stats().events;
        if caught_up.is_none() && records >= everything.saturating_sub(RATE as u64 * 5) {
            caught_up = Some(elapsed);
            if !exit {
                say("caught up; new records go on arriving. Ctrl-C ends the demo.");
            }
        }
        if let Some(since) = caught_up
            && exit
            && elapsed > since + GO_ON
        {
            api.set_rate(0.0);
            let arrived = records >= api.stats().events
                && status.sinks.iter().all(|sink| sink.ledger().in_flight() == 0);
            if arrived || elapsed > since + GO_ON + ARRIVE {
                return;
            }
        }
    }
}

/// The ledger: what the API has against what the files hold.
fn finish(api: &Postman, status: &Status) -> Result<(), Failure> {
    let all = api.all_ids();
    let shown = api.shown_ids();
    let mut report = String::from("\n");
    let mut lost = 0;
    for (sink, path) in status.sinks.iter().zip([OCSF, ECS]) {
        let (lines, delivered) = delivered(path).with_context(|| format!("read {path} back"))?;
        let missing = shown.difference(&delivered).count();
        lost += missing;
        let invented = delivered.difference(&all).count();
        writeln!(
            report,
            "{path}: {} events of {} records; {} records in the API = {} delivered + {} that it has not shown yet; \
             {missing} lost, {invented} invented",
            thousands(lines),
            thousands(delivered.len() as u64),
            thousands(all.len() as u64),
            thousands(delivered.len() as u64),
            all.difference(&delivered).count() - missing,
        )?;
        let failures: u64 = sink.errors().values().sum();
        if failures > 0 {
            writeln!(report, "  {failures} writes failed and were repeated")?;
        }
    }
    let stats = api.stats();
    let faults: Vec<String> = stats
        .answers
        .iter()
        .filter(|(name, _)| **name != "good")
        .map(|(name, n)| format!("{n} × {name}"))
        .collect();
    writeln!(
        report,
        "the API answered {} requests well, and otherwise: {}",
        stats.answers.get("good").unwrap_or(&0),
        faults.join(", ")
    )?;
    write!(report, "next: put your own key into a configuration; README.md shows how")?;
    say(&report);
    if lost > 0 {
        return Err(anyhow::anyhow!("{lost} records that the API showed are in no file").into());
    }
    Ok(())
}

fn configuration(api: &Postman) -> String {
    format!(
        "data_dir: {DIR}/data\n\
         admin: {{ listen: 127.0.0.1:0 }}\n\
         retry: {{ initial: 100ms, max: 1s }}\n\
         sources:\n  \
           postman:\n    \
             type: postman\n    \
             url: {}\n    \
             api_key: {}\n    \
             poll_interval: 1s\n    \
             requests_per_minute: 6000\n    \
             resweep: {{ every: 5s, over: 24h }}\n\
         sinks:\n  \
           ocsf: {{ type: file, path: {OCSF} }}\n  \
           ecs: {{ type: file, path: {ECS}, schema: ecs }}\n",
        api.url(),
        api.key(),
    )
}

/// A few events, each in a form for people.
fn samples() -> anyhow::Result<String> {
    let text = fs::read_to_string(OCSF).with_context(|| format!("read {OCSF}"))?;
    let mut seen = BTreeSet::new();
    let mut report = String::from("some events, as OCSF has them:\n");
    for event in text.lines().map(serde_json::from_str::<Value>) {
        let event = event?;
        // Records come from outside: their control characters are not for this terminal.
        let printable = |text: &str| text.replace(char::is_control, " ");
        let word = |path: &str| event.pointer(path).and_then(Value::as_str).map_or("-".to_owned(), printable);
        if seen.len() == SAMPLES || !seen.insert(word("/type_name")) {
            continue;
        }
        writeln!(
            report,
            "  {}  {:<45}  {:<13}  {:<9}  by {:<24}  from {}\n    {}",
            word("/metadata/original_time"),
            word("/type_name"),
            word("/severity"),
            word("/status"),
            word("/actor/user/name"),
            word("/src_endpoint/ip"),
            word("/message"),
        )?;
    }
    Ok(report)
}

/// How many events a file holds, and the ids of their records.
fn delivered(path: &str) -> anyhow::Result<(u64, BTreeSet<String>)> {
    let text = fs::read_to_string(path)?;
    let mut ids = BTreeSet::new();
    let mut lines = 0;
    for line in text.lines() {
        let event: Value = serde_json::from_str(line)?;
        let id = event.pointer("/metadata/original_event_uid").or(event.pointer("/event/id"));
        ids.extend(id.and_then(Value::as_str).map(str::to_owned));
        lines += 1;
    }
    Ok((lines, ids))
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "    " + line + "\n")
}

/// Tells the person in front of it.
fn say(text: &str) {
    // Where nobody reads, nobody is told.
    drop(writeln!(io::stderr(), "{text}"));
}
