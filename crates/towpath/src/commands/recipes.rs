//! `towpath recipes`

pub(crate) mod described;
mod manner;
mod test;

use std::io::Write as _;
use std::path::Path;

use anyhow::anyhow;
use config::{ConnectorType, ProcessEnvironment, Recipe, Report};
use source_audit_logs::{AuditLogsConfig, AuditLogsSettings};
use transform::MappingSettings;

use crate::cli::{RecipesArgs, RecipesCommand};
use crate::connectors::{self, RECIPES};
use crate::failure::Failure;

pub(crate) fn run(args: &RecipesArgs) -> Result<(), Failure> {
    let text = match &args.command {
        RecipesCommand::List => list()?,
        RecipesCommand::Show { name } => show(name)?,
        RecipesCommand::Test(args) => return test::run(args),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

/// The recipe of that name, or in that file.
pub(crate) fn load(name: &str) -> Result<Recipe, Failure> {
    Recipe::load(name, RECIPES, &ProcessEnvironment).map_err(|error| Failure::Usage(error.to_string()))
}

/// What a recipe describes, without anybody's account.
pub(crate) struct Described {
    /// A name for the source that it makes.
    pub(crate) name: String,
    pub(crate) settings: Box<AuditLogsSettings>,
    pub(crate) mapping: MappingSettings,
}

/// Checks all of a recipe. What it leaves to its users (credential, variables, where the API is) is made up.
pub(crate) fn described(recipe: &Recipe) -> Result<Described, Failure> {
    let types = connectors::types();
    let connector = types.iter().find(|connector: &&ConnectorType| !connector.recipes.is_empty());
    let connector = connector.ok_or_else(|| anyhow!("no type of source takes recipes"))?;
    let mut instead = "auth: { bearer: made-up }\n".to_owned();
    if !recipe.has("url") {
        instead += "url: https://api.example.com\n";
    }
    let wrong = |report: Report| Failure::Usage(report.to_string());
    let name = source_name(&recipe.name);
    let source = recipe.source(&name, connector, &instead, &ProcessEnvironment).map_err(wrong)?;
    let mut report = Report::default();
    let checked = source.block.read::<AuditLogsConfig>().map(|mut config| {
        for name in config.missing_variables() {
            config.variables.insert(name, "made-up".to_owned());
        }
        config.validate()
    });
    let settings = match checked {
        Ok(Ok(settings)) => Some(Box::new(settings)),
        Ok(Err(invalid)) => {
            report.extend(invalid.iter().map(|invalid| source.block.diagnostic(invalid)));
            None
        }
        Err(diagnostic) => {
            report.extend([diagnostic]);
            None
        }
    };
    let (mapping, more) = connectors::read_mapping(&source);
    report.extend(more);
    match settings.zip(mapping) {
        Some((settings, mapping)) if report.errors() == 0 => Ok(Described { name, settings, mapping }),
        _ => Err(wrong(report)),
    }
}

/// What a source may be called, made of the name or the file of a recipe.
fn source_name(recipe: &str) -> String {
    let stem = Path::new(recipe).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let name = stem.to_ascii_lowercase().replace(|c: char| !is_good(c), "-");
    let name = if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("api-{name}") };
    name.chars().take(63).collect()
}

fn list() -> Result<String, Failure> {
    let width = RECIPES.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, _) in RECIPES {
        let recipe = load(name)?;
        let unverified = recipe.facts.iter().filter(|fact| !fact.seen).count();
        out += &format!("{name:width$}  {}", recipe.title);
        out += &if unverified > 0 { format!(" ({unverified} unverified)\n") } else { "\n".to_owned() };
    }
    Ok(out)
}

fn show(name: &str) -> Result<String, Failure> {
    let recipe = load(name)?;
    let mut out = format!("{}\nrecipe: {name}\nadd: {}\n\nkeys:\n", recipe.title, recipe.credential);
    out += keys(&recipe.text);
    if recipe.facts.is_empty() {
        return Ok(out);
    }
    out += "\nfacts:\n";
    let width = recipe.facts.iter().map(|fact| fact.key.len()).max().unwrap_or(0);
    for fact in &recipe.facts {
        let mark = if fact.seen { "" } else { "unverified: " };
        out += &format!("  {:width$}  {mark}{}\n", fact.key, fact.source);
    }
    Ok(out)
}

/// Its keys as they are written: from their line to the next one that begins at its start.
fn keys(text: &str) -> &str {
    let Some((_, keys)) = text.split_once("\nkeys:") else { return "" };
    let keys = keys.split_once('\n').map_or("", |(_, keys)| keys);
    let is_end = |line: &str| line.starts_with(|c: char| !c.is_whitespace() && c != '#');
    let length = keys.split_inclusive('\n').take_while(|line| !is_end(line)).map(str::len).sum();
    &keys[..length]
}
