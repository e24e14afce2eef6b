//! A recipe as a source that holds together, without anybody's account.

use std::path::Path;

use anyhow::anyhow;
use config::{ConnectorType, ProcessEnvironment, Recipe, Report};
use source_audit_logs::{AuditLogsConfig, AuditLogsSettings};
use transform::MappingSettings;

use crate::connectors;
use crate::failure::Failure;

/// What a recipe describes.
pub(crate) struct Described {
    /// A name for the source that it makes.
    pub(crate) name: String,
    pub(crate) config: AuditLogsConfig,
    pub(crate) settings: Box<AuditLogsSettings>,
    pub(crate) mapping: MappingSettings,
}

impl Described {
    /// Checks all of a recipe. What it leaves to its users (credential, variables, where the API is) is made up.
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, Failure> {
        let types = connectors::types();
        let connector = types.iter().find(|connector: &&ConnectorType| !connector.recipes.is_empty());
        let connector = connector.ok_or_else(|| anyhow!("no type of source takes recipes"))?;
        let wrong = |report: Report| Failure::Usage(report.to_string());
        let name = source_name(&recipe.name);
        let source = recipe.source(&name, connector, &added(recipe), &ProcessEnvironment).map_err(wrong)?;
        let mut report = Report::default();
        let checked = source.block.read::<AuditLogsConfig>().map(|mut config| {
            for name in config.missing_variables() {
                config.variables.insert(name, "simulated".to_owned());
            }
            config.validate().map(|settings| (config, Box::new(settings)))
        });
        let checked = match checked {
            Ok(Ok(checked)) => Some(checked),
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
        match checked.zip(mapping) {
            Some(((config, settings), mapping)) if report.errors() == 0 => {
                Ok(Self { name, config, settings, mapping })
            }
            _ => Err(wrong(report)),
        }
    }
}

/// What a user of the recipe adds, which it says as YAML in the backticks of its `credential`.
pub(super) fn said<'r>(recipe: &'r Recipe, key: &str) -> Option<&'r str> {
    let pieces = recipe.credential.split('`').skip(1).step_by(2);
    pieces.into_iter().find(|piece| piece.split_once(": ").is_some_and(|(name, _)| name == key))
}

fn added(recipe: &Recipe) -> String {
    let made_up = [("auth", "auth: { bearer: TOKEN }"), ("url", "url: https://api.example.com")];
    let lacking = made_up.into_iter().filter(|(key, _)| !recipe.has(key));
    lacking.map(|(key, made_up)| format!("{}\n", said(recipe, key).unwrap_or(made_up))).collect()
}

/// What a source may be called, made of the name or the file of a recipe.
fn source_name(recipe: &str) -> String {
    let stem = Path::new(recipe).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let name = stem.to_ascii_lowercase().replace(|c: char| !is_good(c), "-");
    let name = if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("api-{name}") };
    name.chars().take(63).collect()
}

#[cfg(test)]
mod tests;
