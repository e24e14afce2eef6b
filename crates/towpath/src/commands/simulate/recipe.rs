//! `towpath simulate --recipe`: the API of a recipe for any collector.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use hazards::{CannotHappen, Hazard, hazards, hostile, steady};
use pipeline::Timestamp;
use serde_json::{Map, Value};
use settings::suggest::closest;
use simulator::log::{Credential, Edge, Log, Manner, Method, Paging, Parameter, TimeFormat};

use crate::cli::SimulateArgs;
use crate::commands::recipes::load;
use crate::commands::recipes::simulated::Simulated;
use crate::commands::run::block_on;
use crate::failure::Failure;
use crate::stop;

/// With each so many pages one is spoiled, where hazards ask for that.
const SPOILED: usize = 4;

pub(super) fn run(name: &str, listen: SocketAddr, args: &SimulateArgs) -> Result<(), Failure> {
    let described = Simulated::new(&load(name)?)?;
    let shown = if args.hostile { hostile(&described.manner) } else { named(&args.hazards)? };
    let (mut manner, faults) =
        steady(&described.manner, &shown).map_err(|(hazard, CannotHappen(reason))| {
            Failure::Usage(format!(
                "error: hazard `{}` cannot be shown: {reason}\nhelp: {}",
                hazard.name, hazard.does
            ))
        })?;
    manner.seed = args.seed;
    block_on(async {
        let stop = stop::on_signal().context("listen for signals")?;
        let log = Log::listen(manner.clone(), args.events, listen);
        let log = log.await.with_context(|| super::cannot_listen(listen))?;
        log.trouble(faults, SPOILED);
        let mut out = std::io::stdout();
        let url = described.config_at(&log.url()).url;
        writeln!(out, "{url}")?;
        for credential in &manner.credentials {
            writeln!(out, "{}", told(credential))?;
        }
        writeln!(out, "{}", curl(&manner, &log.url(), Timestamp::from_system(log.now())))?;
        for hazard in &shown {
            writeln!(out, "hazard {}: {}", hazard.name, hazard.does)?;
        }
        out.flush()?;
        grow(&log, args.rate, &stop).await;
        let ids = log.shown();
        if let Some(file) = &args.shown {
            let lines: String = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}\n")).collect();
            std::fs::write(file, lines).with_context(|| format!("write {}", file.display()))?;
        }
        let (all, requests) = (log.all().len(), log.requests());
        writeln!(out, "shown {} of {all} records in {requests} requests", ids.len())?;
        Ok(())
    })
}

/// New records at that rate, until it is over.
async fn grow(log: &Log, rate: f64, stop: &tokio_util::sync::CancellationToken) {
    if rate <= 0.0 {
        return stop.cancelled().await;
    }
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    // The first one comes at once.
    ticks.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => drop(log.add(log.now())),
        }
    }
}

fn named(names: &[String]) -> Result<Vec<&'static Hazard>, Failure> {
    let find = |name: &String| {
        hazards().iter().find(|hazard| hazard.name == name).ok_or_else(|| {
            let known = || hazards().iter().map(|hazard| hazard.name);
            let help = match closest(name, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
            };
            Failure::Usage(format!("error: there is no hazard `{name}`\nhelp: {help}"))
        })
    };
    names.iter().map(find).collect()
}

/// What a collector has to send.
fn told(credential: &Credential) -> String {
    match credential {
        Credential::Header { name, value } => format!("{name}: {value}"),
        Credential::Query { name, value } => format!("?{name}={value}"),
        Credential::Basic { username, password } => format!("basic {username}:{password}"),
        Credential::Token { path, client, secret, .. } => format!("token of {path} for {client}:{secret}"),
    }
}

/// A line to try it with.
fn curl(manner: &Manner, origin: &str, now: Timestamp) -> String {
    let mut line = "curl".to_owned();
    let mut query: Vec<(String, String)> = Vec::new();
    for credential in &manner.credentials {
        match credential {
            Credential::Header { name, value } => line += &format!(" -H '{name}: {value}'"),
            Credential::Query { name, value } => query.push((name.clone(), value.clone())),
            Credential::Basic { username, password } => line += &format!(" -u '{username}:{password}'"),
            Credential::Token { .. } => line += " -H \"Authorization: Bearer $TOKEN\"",
        }
    }
    let mut body = Map::new();
    let mut put = |to: &Parameter, text: String| match to {
        Parameter::Query(name) => query.push((name.clone(), text)),
        Parameter::Body(path) => nest(&mut body, path, text),
    };
    manner.fixed.iter().for_each(|(to, value)| put(to, value.clone()));
    if let Some(to) = &manner.size.to {
        put(to, manner.size.most.min(10).to_string());
    }
    let mut edge = |edge: &Option<Edge>, moment: Timestamp| {
        if let Some(edge) = edge {
            put(&edge.to, format!("{}{}{}", edge.around.0, written(moment, edge.format), edge.around.1));
        }
    };
    edge(&manner.since, now.minus(Duration::from_secs(86_400)));
    edge(&manner.until, now);
    if let Paging::Page { to, first, .. } = &manner.paging {
        put(to, first.to_string());
    }
    if manner.method == Method::Post {
        line += &format!(" -X POST -H 'content-type: application/json' -d '{}'", Value::Object(body));
    }
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!(" --data-urlencode '{name}={value}'")).collect();
    if !pairs.is_empty() {
        line += &format!(" -G{}", pairs.concat());
    }
    format!("{line} '{origin}{}'", manner.path)
}

/// Puts a member where a dotted path says.
fn nest(body: &mut Map<String, Value>, path: &str, text: String) {
    match path.split_once('.') {
        None => drop(body.insert(path.to_owned(), text.into())),
        Some((name, rest)) => {
            if let Value::Object(inner) = body.entry(name).or_insert_with(|| Map::new().into()) {
                nest(inner, rest, text);
            }
        }
    }
}

fn written(moment: Timestamp, format: TimeFormat) -> String {
    match format {
        TimeFormat::Rfc3339 => moment.to_string(),
        TimeFormat::Date => moment.to_string().chars().take(10).collect(),
        TimeFormat::EpochSeconds => moment.second().to_string(),
        TimeFormat::EpochMillis => moment.as_millis().to_string(),
    }
}
