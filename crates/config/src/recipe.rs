//! Recipes: what is known of an API, so that a block has to say only what differs.
//!
//! A recipe is YAML: `title`, `credential` (what the user has to add, for people), `keys` (the keys of the block) and `facts`, which
//! say of each key where it is known from. `recipe: NAME` in a block puts `keys` under the user's own keys: blocks are merged, and of
//! everything else the user's stands.

use serde::Deserialize;
use settings::suggest::{any_of, closest};

use crate::connector::ConnectorType;
use crate::finding::Finding;
use crate::node::{Entry, Kind, Node, Span};
use crate::{read, yaml};

/// The key that names a recipe.
pub(crate) const RECIPE: &str = "recipe";

/// A recipe, but for its keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What it collects.
    pub title: String,
    /// What the user has to add: the credential, and whatever differs from account to account.
    pub credential: String,
    /// Where each key is known from.
    pub facts: Vec<Fact>,
}

/// Where a key of a recipe is known from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// The key, or one around several.
    pub key: String,
    /// The page or the code that says so.
    pub source: String,
    /// Whether somebody has seen it there. What nobody has seen is unverified.
    pub seen: bool,
}

impl Recipe {
    /// Reads the text of a recipe.
    ///
    /// # Errors
    /// What is wrong with it, for whoever writes recipes.
    pub fn read(text: &str) -> Result<Self, String> {
        let root = tree(text)?;
        let others = root.entries().iter().filter(|entry| entry.key != "keys");
        read::read(others).map_err(|error| error.message)
    }
}

fn tree(text: &str) -> Result<Node, String> {
    let parsed = yaml::parse(text).map_err(|finding| finding.message)?;
    if let Some(finding) = parsed.findings.first() {
        return Err(finding.message.clone());
    }
    parsed.root.ok_or_else(|| "it is empty".to_owned())
}

/// Puts the keys of recipes into the blocks that name one. Errors in them point at the recipe's name.
pub(crate) fn merge(sources: &mut [Entry], types: &[ConnectorType], findings: &mut Vec<Finding>) {
    for source in sources {
        let kind = source.value.entry("type").and_then(|entry| entry.value.scalar());
        let is_it = |connector: &&ConnectorType| {
            connector.is_source() && kind.is_some_and(|kind| kind.text == connector.name)
        };
        let Some(connector) = types.iter().find(is_it).filter(|connector| !connector.recipes.is_empty())
        else {
            continue;
        };
        let Some(Entry { key_span, value, .. }) = source.value.entry(RECIPE) else { continue };
        let names = || connector.recipes.iter().map(|(name, _)| *name);
        let name = value.scalar().map(|scalar| scalar.text.clone()).unwrap_or_default();
        let place = if value.span.is_empty() { key_span.clone() } else { value.span.clone() };
        let Some((_, text)) = connector.recipes.iter().find(|(known, _)| *known == name) else {
            let help = match closest(&name, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write {}", any_of(names())),
            };
            findings.push(Finding::error(&place, "there is no recipe of this name", help));
            continue;
        };
        let keys = tree(text).and_then(|root| {
            root.entry("keys").map(|entry| entry.value.clone()).ok_or_else(|| "it has no keys".to_owned())
        });
        match keys {
            Ok(mut keys) => {
                relocate(&mut keys, &place);
                put_under(&mut source.value, keys);
            }
            Err(message) => {
                let message = format!("the recipe cannot be read: {message}");
                findings.push(Finding::error(&place, message, "this is a defect of Towpath: report it"));
            }
        }
    }
}

/// The place of everything that a recipe says is that of its name.
fn relocate(node: &mut Node, place: &Span) {
    node.span = place.clone();
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| relocate(item, place)),
        Kind::Map(entries) => {
            for entry in entries {
                entry.key_span = place.clone();
                relocate(&mut entry.value, place);
            }
        }
    }
}

fn put_under(own: &mut Node, recipe: Node) {
    let (Kind::Map(own), Kind::Map(recipe)) = (&mut own.kind, recipe.kind) else { return };
    for entry in recipe {
        match own.iter_mut().find(|own| own.key == entry.key) {
            Some(own) => put_under(&mut own.value, entry.value),
            None => own.push(entry),
        }
    }
}
