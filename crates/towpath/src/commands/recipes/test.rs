//! `towpath recipes test`: a recipe against an API of its kind, with every hazard.

use std::io::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::anyhow;
use async_trait::async_trait;
use config::Recipe;
use hazards::{
    Api, CannotHappen, Ended, Harness, Hazard, Nature, Report, SimulatedLog, examine, hazards, manner_of,
};
use pipeline::{Source, Timestamp};
use serde_json::json;
use source_audit_logs::{Account, AuditLogsConfig, AuditLogsSource, Wiring};

use super::simulated::Simulated;
use crate::cli::RecipesTestArgs;
use crate::failure::Failure;

pub(super) fn run(args: &RecipesTestArgs) -> Result<(), Failure> {
    let recipe = super::load(&args.name)?;
    let wanted = |name: &str| args.case.as_ref().is_none_or(|case| name.contains(case.as_str()));
    if !hazards().iter().any(|hazard| wanted(hazard.name)) {
        let names: Vec<&str> = hazards().iter().map(|hazard| hazard.name).collect();
        let case = args.case.as_deref().unwrap_or_default();
        return Err(Failure::Usage(format!(
            "error: no hazard has `{case}` in its name\nhelp: there are {}",
            names.join(", ")
        )));
    }
    let tested = Tested::new(&recipe, args.seed)?;
    let mut out = std::io::stdout();
    let mut written = Ok(());
    if !args.json {
        writeln!(
            out,
            "{}: {} hazards, seed {}",
            recipe.name,
            hazards().iter().filter(|h| wanted(h.name)).count(),
            args.seed
        )?;
    }
    let report = tested.examine(wanted, |hazard, ended| {
        let text = if args.json { as_json(hazard, ended) } else { line(hazard, ended, args) };
        if written.is_ok() {
            written = writeln!(out, "{text}").and_then(|()| out.flush());
        }
    });
    written?;
    let failed = report.failed();
    if !args.json {
        let count = |is: fn(&Ended) -> bool| report.cases.iter().filter(|(_, ended)| is(ended)).count();
        writeln!(
            out,
            "{}: {} passed, {} cannot happen, {} failed",
            recipe.name,
            count(|ended| *ended == Ended::Passed),
            count(|ended| matches!(ended, Ended::CannotHappen(_))),
            failed.len()
        )?;
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(anyhow!("recipe {} fails {}", recipe.name, failed.join(", ")).into())
    }
}

/// One verdict for people; what a failure means, and how to see it again.
fn line(hazard: &Hazard, ended: &Ended, args: &RecipesTestArgs) -> String {
    let mut line = format!("  {:<26} {ended}", hazard.name);
    if matches!(ended, Ended::Failed(_)) {
        let Hazard { name, does, loses, .. } = hazard;
        line += &format!(
            "\n      what the API does: {does}\n      what gets lost: {loses}\n      see it again: towpath recipes test {} \
             --case {name} --seed {}",
            args.name, args.seed
        );
    }
    line
}

fn as_json(hazard: &Hazard, ended: &Ended) -> String {
    let (verdict, why) = match ended {
        Ended::Passed => ("passed", None),
        Ended::CannotHappen(reason) => ("cannot_happen", Some(*reason)),
        Ended::Failed(why) => ("failed", Some(why.as_str())),
    };
    json!({"hazard": hazard.name, "verdict": verdict, "why": why, "does": hazard.does, "loses": hazard.loses})
        .to_string()
}

/// A recipe, ready to be tried.
pub(crate) struct Tested {
    described: Arc<Simulated>,
    seed: u64,
}

impl Tested {
    pub(crate) fn new(recipe: &Recipe, seed: u64) -> Result<Self, Failure> {
        let mut described = Simulated::new(recipe)?;
        for manner in [Some(&mut described.manner), described.harder.as_mut()].into_iter().flatten() {
            manner.seed = seed;
        }
        Ok(Self { described: Arc::new(described), seed })
    }

    /// Tries the hazards that are wanted. What the source logs meanwhile is about the hazards, and is not shown.
    pub(crate) fn examine(
        &self,
        wanted: impl Fn(&str) -> bool,
        told: impl FnMut(&'static Hazard, &Ended),
    ) -> Report {
        let silence = tracing::subscriber::NoSubscriber::default();
        tracing::subscriber::with_default(silence, || examine(self, wanted, told))
    }
}

#[async_trait]
impl Harness for Tested {
    async fn api(&self, nature: Nature, records: usize) -> Result<Box<dyn Api>, CannotHappen> {
        let described = self.described.clone();
        // The harder API, but where it never is like that.
        let harder = self.described.harder.as_ref().filter(|harder| manner_of(harder, nature).is_ok());
        let manner = harder.unwrap_or(&self.described.manner);
        let api = SimulatedLog::start(manner, nature, records, move |log, _| {
            let mut config = described.config_at(&log.url());
            if nature == Nature::Forgetful && config.start == "all" {
                // Where nobody has asked for more than there is, nothing is missing.
                config.start = "10d".to_owned();
            }
            source(config)
        });
        Ok(Box::new(api.await?))
    }

    fn seed(&self) -> u64 {
        self.seed
    }
}

/// The source that the recipe makes, to the simulated API. Its clock passes with the runtime's.
fn source(mut config: AuditLogsConfig) -> Box<dyn Source> {
    // Waiting for its own limit proves nothing here.
    config.requests_per_minute = std::num::NonZeroU32::MIN.saturating_add(5999);
    match opened(config) {
        Ok(source) => Box::new(source),
        Err(wrong) => panic!("the recipe is not valid: {wrong}"),
    }
}

fn opened(config: AuditLogsConfig) -> Result<AuditLogsSource, String> {
    let words =
        |wrong: Vec<settings::Invalid>| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let (start, began) = (Timestamp::from_system(SystemTime::now()), tokio::time::Instant::now());
    let wiring = Wiring { clock: Arc::new(move || start.plus(began.elapsed())), ..Wiring::default() };
    let account = Account::new(config.validate().map_err(words)?, wiring);
    Ok(AuditLogsSource::new("simulated", account))
}

#[cfg(test)]
mod tests;
