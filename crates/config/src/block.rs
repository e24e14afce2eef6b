//! The keys of one source or sink.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use settings::Invalid;

use crate::diagnostic::Diagnostic;
use crate::document::Document;
use crate::finding::Finding;
use crate::node::{Node, Origin, Span};
use crate::read;

/// The block of one source or sink, to be read by its connector.
#[derive(Clone)]
pub struct Block {
    pub(crate) document: Arc<Document>,
    /// All keys, common ones too.
    pub(crate) node: Node,
    /// The place of its name.
    pub(crate) place: Span,
    /// Keys that are not the connector's own.
    pub(crate) common: &'static [&'static str],
    /// Keys that are read by themselves.
    pub(crate) parts: Vec<&'static str>,
}

impl Block {
    /// The connector's own keys as its configuration struct.
    ///
    /// # Errors
    /// A value that the schema of the struct allows, but not its `Deserialize`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        let others = |key: &str| self.common.contains(&key) || self.parts.contains(&key);
        let own = self.node.entries().iter().filter(|entry| !others(&entry.key));
        read::read(own).map_err(|error| self.unreadable(&error))
    }

    /// The block under a key that [`ConnectorType::with_part`](crate::ConnectorType::with_part) has added, as its struct; without the
    /// key the struct of an empty block.
    ///
    /// # Errors
    /// A value that the schema of the struct allows, but not its `Deserialize`.
    pub fn part<T: DeserializeOwned>(&self, key: &str) -> Result<T, Diagnostic> {
        let entries = self.node.entry(key).map(|entry| entry.value.entries()).unwrap_or_default();
        read::read(entries.iter()).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &read::ReadError) -> Diagnostic {
        let span = error.span.as_ref().unwrap_or(&self.place);
        let message = self.scrubbed(&error.message);
        self.document.diagnostic(&Finding::error(span, message, "see the description of this key"))
    }

    /// A connector's finding, at its place in the file: at the value that it names, or where that is missing at the
    /// innermost block around it.
    pub fn diagnostic(&self, invalid: &Invalid) -> Diagnostic {
        let span = self.node.place(&invalid.path, &self.place);
        let message = match &*invalid.path {
            "" => invalid.message.clone(),
            path => format!("`{path}` {}", invalid.message),
        };
        let (message, help) = (self.scrubbed(&message), self.scrubbed(&invalid.remedy));
        self.document.diagnostic(&Finding::error(&span, message, help))
    }

    /// Words of others, in which they may have quoted a value: without those that must not be seen.
    fn scrubbed(&self, text: &str) -> String {
        let mut foreign = Vec::new();
        self.node.scalars(&mut |node, scalar| {
            if scalar.origin != Origin::Literal || !self.document.shows(&node.span) {
                foreign.push(&*scalar.text);
            }
        });
        // Longest first: one value may be the beginning of another.
        foreign.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let foreign = foreign.into_iter().filter(|text| text.chars().count() > 3);
        foreign.fold(text.to_owned(), |text, value| text.replace(value, "***"))
    }
}

/// The keys without their values.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.node.entries().iter().map(|entry| &entry.key)).finish()
    }
}
