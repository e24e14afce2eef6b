//! Recipes: what is known of an API, so that a block has to say only what differs.
//!
//! A recipe is YAML: `title`, `credential` (what the user has to add, for people), `keys` (the keys of the block) and `facts`, which
//! say of each key where it is known from. `recipe: NAME` in a block puts `keys` under the user's own keys: blocks are merged, and of
//! everything else the user's stands. Some are shipped, by name; a name with `/` in it, or `.yaml` or `.yml` at its end, is that of a
//! file. What is wrong in a shipped one is told where it is named, in a file at its own place there.

mod load;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use settings::suggest::{any_of, closest};

use crate::check::Check;
use crate::connector::ConnectorType;
use crate::environment::Environment;
use crate::files::{Files, for_each_span};
use crate::finding::Finding;
use crate::node::{Entry, Kind, Node, Span};
use crate::schema::Schemas;
use crate::{read, yaml};
pub use load::{Recipe, RecipeError};

/// The key that names a recipe.
pub(crate) const RECIPE: &str = "recipe";

/// Recipes by name, each with its text.
pub type Shipped = [(&'static str, &'static str)];

/// A recipe, but for its keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What it collects.
    pub title: String,
    /// What the user has to add: the credential, and whatever differs from account to account.
    pub credential: String,
    /// Where each key is known from.
    #[serde(default)]
    pub facts: Vec<Fact>,
}

/// Where a key of a recipe is known from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// The key, or one around several.
    pub key: String,
    /// The page or the code that says so.
    pub source: String,
    /// Whether somebody has seen it there. What nobody has seen is unverified.
    pub seen: bool,
}

/// A recipe's text.
struct Found {
    /// The file that it is in, where it is not shipped.
    file: Option<PathBuf>,
    text: Cow<'static, str>,
}

/// Why there is none.
enum NotFound {
    Unknown {
        help: String,
    },
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
        /// The shipped one that may be meant.
        meant: Option<&'static str>,
    },
}

/// What to do about a file that cannot be read, whose path counts from `origin`.
fn remedy(meant: Option<&str>, origin: &str) -> String {
    match meant {
        Some(name) => {
            format!("`{name}` is shipped: write its name alone, for a file of yours check the path")
        }
        None => format!("check the path, which counts from {origin}, and that this user may read it"),
    }
}

/// Finds a recipe by its name. Paths count from `folder`.
fn find(
    name: &str,
    shipped: &'static Shipped,
    folder: &Path,
    environment: &dyn Environment,
) -> Result<Found, NotFound> {
    if name.contains('/') || name.ends_with(".yaml") || name.ends_with(".yml") {
        let path = folder.join(name);
        return match environment.file(&path) {
            Ok(text) => Ok(Found { file: Some(path), text: text.into() }),
            Err(error) => {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                let meant = shipped.iter().find(|(known, _)| Some(*known) == stem).map(|(known, _)| *known);
                Err(NotFound::Unreadable { path, error, meant })
            }
        };
    }
    if let Some((_, text)) = shipped.iter().find(|(known, _)| *known == name) {
        return Ok(Found { file: None, text: (*text).into() });
    }
    let names = || shipped.iter().map(|(name, _)| *name);
    let help = match closest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("write {}, or the path of a file: `./mine.yaml`", any_of(names())),
    };
    Err(NotFound::Unknown { help })
}

/// What stands in a recipe.
struct Content {
    /// Nothing where something is wrong with it.
    about: Option<About>,
    /// The entry `keys`, if it is a block.
    keys: Option<Entry>,
    /// The scalars that may be shown.
    shown: Vec<Span>,
}

impl Content {
    /// Reads a tree out of `text`, whose place is `place`.
    fn read(root: Option<Node>, text: &str, place: &Span, findings: &mut Vec<Finding>) -> Self {
        let nothing = Self { about: None, keys: None, shown: Vec::new() };
        let Some(root) = root.filter(|root| !root.is_null()) else {
            findings.push(Finding::error(place, "the recipe is empty", FORM));
            return nothing;
        };
        if !matches!(root.kind, Kind::Map(_)) {
            let message = format!("a recipe is a block of keys, not {}", root.noun());
            findings.push(Finding::error(&root.span, message, FORM));
            return nothing;
        }
        let (schemas, schema) = Schemas::with_extra::<About>(RECIPE, "keys");
        let mut check = Check::new(&schemas, text);
        check.value(&root, &schema, RECIPE, place);
        let is_right = check.findings.is_empty();
        findings.append(&mut check.findings);
        let others = root.entries().iter().filter(|entry| entry.key != "keys");
        let about = match is_right.then(|| read::read(others)) {
            None => None,
            Some(Ok(about)) => Some(about),
            Some(Err(error)) => {
                findings.push(Finding::error(error.span.as_ref().unwrap_or(place), error.message, FORM));
                None
            }
        };
        let keys = root.entry("keys").filter(|entry| matches!(entry.value.kind, Kind::Map(_)));
        Self { about, keys: keys.cloned(), shown: check.shown }
    }
}

const FORM: &str =
    "write it with `title`, `credential`, `keys` and `facts`, as `towpath recipes show NAME` shows them";

/// What merging needs besides the blocks.
pub(crate) struct Merge<'m> {
    pub(crate) types: &'m [ConnectorType],
    /// Where the paths of recipes count from.
    pub(crate) folder: &'m Path,
    pub(crate) environment: &'m dyn Environment,
    pub(crate) files: &'m mut Files,
    pub(crate) findings: &'m mut Vec<Finding>,
    pub(crate) shown: &'m mut Vec<Span>,
}

impl Merge<'_> {
    /// Puts the keys of recipes into the blocks that name one. Returns the names of those whose recipe is not there, or not whole:
    /// nobody knows which of their keys are missing.
    pub(crate) fn into_each(mut self, sources: &mut [Entry]) -> Vec<Span> {
        let mut in_part = Vec::new();
        for source in sources {
            let kind = source.value.entry("type").and_then(|entry| entry.value.scalar());
            let is_it = |connector: &&ConnectorType| {
                connector.is_source() && kind.is_some_and(|kind| kind.text == connector.name)
            };
            let connector = self.types.iter().find(is_it).filter(|connector| !connector.recipes.is_empty());
            let Some((connector, named)) = connector.zip(source.value.entry(RECIPE)) else { continue };
            let name = named.value.scalar().map(|scalar| scalar.text.clone()).unwrap_or_default();
            let place = if named.value.span.is_empty() { &named.key_span } else { &named.value.span };
            match self.keys(&name, &place.clone(), connector.recipes) {
                Some(keys) => put_under(&mut source.value, keys),
                None => in_part.push(source.key_span.clone()),
            }
        }
        in_part
    }

    fn keys(&mut self, name: &str, place: &Span, shipped: &'static Shipped) -> Option<Node> {
        let (message, help) = match find(name, shipped, self.folder, self.environment) {
            Ok(Found { file: Some(file), text }) => return self.keys_of_file(&file, &text),
            Ok(Found { file: None, text }) => return self.keys_of_shipped(&text, place),
            Err(NotFound::Unknown { help }) => ("there is no recipe of this name".to_owned(), help),
            Err(NotFound::Unreadable { path, error, meant }) => (
                format!("the recipe {} cannot be read: {error}", path.display()),
                remedy(meant, "the configuration file"),
            ),
        };
        self.findings.push(Finding::error(place, message, help));
        None
    }

    fn keys_of_file(&mut self, path: &Path, text: &str) -> Option<Node> {
        let parsed = match yaml::parse(text) {
            Ok(parsed) => parsed,
            Err(finding) => {
                self.findings.push(self.files.unparsed(path, text, finding));
                return None;
            }
        };
        let (root, place) = self.files.take_in(path, text, parsed, self.findings);
        let content = Content::read(root, self.files.text(), &place, self.findings);
        self.shown.extend(content.shown);
        content.keys.map(|keys| keys.value)
    }

    fn keys_of_shipped(&mut self, text: &str, place: &Span) -> Option<Node> {
        let mut findings = Vec::new();
        let keys = match yaml::parse(text) {
            Ok(parsed) => Content::read(parsed.root, text, &(0..0), &mut findings).keys,
            Err(finding) => {
                findings.push(finding);
                None
            }
        };
        if let Some(finding) = findings.into_iter().next() {
            let message = format!("the recipe cannot be read: {}", finding.message);
            self.findings.push(Finding::error(place, message, "this is a defect of Towpath: report it"));
        }
        let mut keys = keys?.value;
        for_each_span(&mut keys, &mut |span| *span = place.clone());
        Some(keys)
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
