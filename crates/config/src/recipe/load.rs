//! A recipe that is looked at by itself.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{About, Content, Found, NotFound, Shipped, find, remedy};
use crate::connector::ConnectorType;
use crate::diagnostic::Report;
use crate::document::Document;
use crate::draft::{Group, Reading};
use crate::environment::Environment;
use crate::files::{Files, for_each_span};
use crate::finding::Finding;
use crate::load::Source;
use crate::node::{Entry, Kind, Node, Origin, Scalar, Span};
use crate::schema::Schemas;
use crate::{interpolate, yaml};

/// A recipe, and what stands in it besides its keys.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// As it was asked for.
    pub name: String,
    /// All of it, as it is written.
    pub text: String,
    about: About,
    keys: Vec<String>,
    /// How it is called in messages.
    path: PathBuf,
}

/// What stands in it besides its keys.
impl Deref for Recipe {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

/// Why there is no recipe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// None is shipped by this name, and it is that of no file.
    Unknown {
        /// The name.
        name: String,
        /// What may be meant.
        help: String,
    },
    /// Its file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
        /// What to do.
        help: String,
    },
    /// Something in it is wrong.
    Wrong(Report),
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, help } => write!(f, "error: there is no recipe `{name}`\nhelp: {help}"),
            Self::Unreadable { path, error, help } => {
                write!(f, "error: cannot read the recipe {}: {error}\nhelp: {help}", path.display())
            }
            Self::Wrong(report) => report.fmt(f),
        }
    }
}

impl Recipe {
    /// The recipe of that name, or in that file. Paths count from the working directory.
    ///
    /// # Errors
    /// There is none, or what stands in it besides its keys is wrong. The keys are checked by [`Recipe::source`].
    pub fn load(
        name: &str,
        shipped: &'static Shipped,
        environment: &dyn Environment,
    ) -> Result<Self, RecipeError> {
        let Found { file, text } = find(name, shipped, Path::new(""), environment).map_err(|e| match e {
            NotFound::Unknown { help } => RecipeError::Unknown { name: name.to_owned(), help },
            NotFound::Unreadable { path, error, meant } => {
                RecipeError::Unreadable { path, error, help: remedy(meant, "the working directory") }
            }
        })?;
        let path = file.unwrap_or_else(|| format!("recipe {name}").into());
        let Opened { files, content, findings } = open(&path, &text).map_err(RecipeError::Wrong)?;
        match (content.about, content.keys) {
            (Some(about), Some(keys)) if findings.is_empty() => Ok(Self {
                name: name.to_owned(),
                keys: keys.value.entries().iter().map(|entry| entry.key.clone()).collect(),
                text: text.into_owned(),
                about,
                path,
            }),
            _ => Err(RecipeError::Wrong(report(&Arc::new(Document::new(files, content.shown)), &findings))),
        }
    }

    /// Whether it has a key, such as `url`.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|own| own == key)
    }

    /// The source that it makes, of the type `connector` and called `name`, with what a user has to add: `instead` is YAML whose keys
    /// stand instead of the recipe's.
    ///
    /// # Errors
    /// Everything that is wrong with its keys, at its place in the recipe, but for what the connector finds: that goes through
    /// [`Block::diagnostic`](crate::Block::diagnostic).
    pub fn source(
        &self,
        name: &str,
        connector: &ConnectorType,
        instead: &str,
        environment: &dyn Environment,
    ) -> Result<Source, Report> {
        let Opened { files, content, mut findings } = open(&self.path, &self.text)?;
        let Content { keys, mut shown, .. } = content;
        // A loaded recipe has keys.
        let (place, mut keys) = match keys {
            Some(entry) => (entry.key_span, entry.value),
            None => (0..0, Node { span: 0..0, kind: Kind::Map(Vec::new()) }),
        };
        let added = yaml::parse(instead).map_err(|finding| {
            findings.push(Finding { span: place.clone(), ..finding });
            report(&Arc::new(Document::new(Files::new(&self.path, self.text.clone()), Vec::new())), &findings)
        })?;
        if let Kind::Map(entries) = &mut keys.kind {
            if let Some(mut added) = added.root {
                for_each_span(&mut added, &mut |span| *span = place.clone());
                not_of_this_file(&mut added);
                entries.retain(|entry| added.entry(&entry.key).is_none());
                entries.extend_from_slice(added.entries());
            }
            entries.retain(|entry| entry.key != "type");
            entries.push(entry("type", &place, word(connector.name, &place)));
        }
        let block = entry(name, &place, keys);
        let group = |entries| Node { span: place.clone(), kind: Kind::Map(entries) };
        let mut root = group(vec![entry(Group::Sources.key(), &place, group(vec![block]))]);
        interpolate::resolve(&mut root, files.text(), environment, &mut findings);
        let schemas = Schemas::new([connector]);
        let types = std::slice::from_ref(connector);
        let text = files.text();
        let mut reading =
            Reading { schemas: &schemas, types, text, findings, shown: Vec::new(), in_part: Vec::new() };
        let drafts = reading.group(&root, Group::Sources);
        let Reading { findings, shown: more, .. } = reading;
        shown.extend(more);
        let document = Arc::new(Document::new(files, shown));
        let report = report(&document, &findings);
        let source = drafts.into_iter().next().map(|draft| draft.source(&document));
        source.filter(|_| report.errors() == 0).ok_or(report)
    }
}

/// A recipe's text, read.
struct Opened {
    files: Files,
    content: Content,
    findings: Vec<Finding>,
}

fn open(path: &Path, text: &str) -> Result<Opened, Report> {
    let mut files = Files::new(path, text.to_owned());
    let mut findings = Vec::new();
    let parsed = yaml::parse(text).map_err(|finding| {
        let files = Files::new(path, text.to_owned());
        report(&Arc::new(Document::unparsed(files, Schemas::new([]).vocabulary())), &[finding])
    })?;
    let root = files.note(parsed, &mut findings);
    let content = Content::read(root, files.text(), &(0..0), &mut findings);
    Ok(Opened { files, content, findings })
}

/// A secret that is handed in is not written in the recipe.
fn not_of_this_file(node: &mut Node) {
    match &mut node.kind {
        Kind::Scalar(scalar) => scalar.origin = Origin::Variable,
        Kind::List(items) => items.iter_mut().for_each(not_of_this_file),
        Kind::Map(entries) => entries.iter_mut().for_each(|entry| not_of_this_file(&mut entry.value)),
    }
}

fn report(document: &Arc<Document>, findings: &[Finding]) -> Report {
    let mut report = Report::default();
    report.extend(findings.iter().map(|finding| document.diagnostic(finding)));
    report
}

fn entry(key: &str, place: &Span, value: Node) -> Entry {
    Entry { key: key.to_owned(), key_span: place.clone(), value }
}

fn word(text: &str, place: &Span) -> Node {
    let scalar = Scalar { text: text.to_owned(), plain: true, origin: Origin::Literal };
    Node { span: place.clone(), kind: Kind::Scalar(scalar) }
}
