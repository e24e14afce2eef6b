//! `towpath recipes`

pub(crate) mod described;
mod manner;
pub(crate) mod simulated;
mod test;

use std::io::Write as _;

use config::{ProcessEnvironment, Recipe};

use crate::cli::{RecipesArgs, RecipesCommand};
use crate::connectors::RECIPES;
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
