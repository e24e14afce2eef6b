//! `towpath recipes`

use std::io::Write as _;

use anyhow::anyhow;
use config::Recipe;
use settings::suggest::{any_of, closest};

use crate::cli::{RecipesArgs, RecipesCommand};
use crate::connectors::RECIPES;
use crate::failure::Failure;

pub(crate) fn run(args: &RecipesArgs) -> Result<(), Failure> {
    let text = match &args.command {
        RecipesCommand::List => list()?,
        RecipesCommand::Show { name } => show(name)?,
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn read(name: &str, text: &str) -> Result<Recipe, Failure> {
    Recipe::read(text).map_err(|message| anyhow!("recipe {name}: {message}").into())
}

fn list() -> Result<String, Failure> {
    let width = RECIPES.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, text) in RECIPES {
        let recipe = read(name, text)?;
        let unverified = recipe.facts.iter().filter(|fact| !fact.seen).count();
        out += &format!("{name:width$}  {}", recipe.title);
        out += &if unverified > 0 { format!(" ({unverified} unverified)\n") } else { "\n".to_owned() };
    }
    Ok(out)
}

fn show(name: &str) -> Result<String, Failure> {
    let names = || RECIPES.iter().map(|(name, _)| *name);
    let Some((_, text)) = RECIPES.iter().find(|(known, _)| *known == name) else {
        let help = match closest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there are {}", any_of(names()).replace(" or ", " and ")),
        };
        return Err(Failure::Usage(format!("error: there is no recipe `{name}`\nhelp: {help}")));
    };
    let recipe = read(name, text)?;
    let mut out = format!("{}\nrecipe: {name}\nadd: {}\n\nkeys:\n", recipe.title, recipe.credential);
    // As they are written: from their line to the facts.
    let keys = text.lines().skip_while(|line| *line != "keys:").skip(1).take_while(|line| *line != "facts:");
    keys.for_each(|line| out += &format!("{line}\n"));
    out += "\nfacts:\n";
    let width = recipe.facts.iter().map(|fact| fact.key.len()).max().unwrap_or(0);
    for fact in &recipe.facts {
        let mark = if fact.seen { "" } else { "unverified: " };
        out += &format!("  {:width$}  {mark}{}\n", fact.key, fact.source);
    }
    Ok(out)
}
