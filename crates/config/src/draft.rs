//! The parts of the tree that hold with their schema, and what is wrong with the others.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use settings::ByteSize;

use crate::block::Block;
use crate::check::{Check, is_presentable};
use crate::connector::{ConnectorType, Role, SinkTraits};
use crate::diagnostic::Severity;
use crate::document::Document;
use crate::finding::Finding;
use crate::load::{Sink, Source};
use crate::model::{
    Batch, BatchKeys, EventSchema, General, Retry, RetryKeys, SINK_KEYS, SOURCE_KEYS, SinkKeys,
};
use crate::node::{Entry, Kind, Node, Origin, Span};
use crate::read;
use crate::recipe::RECIPE;
use crate::schema::Schemas;
use settings::suggest::{any_of, closest};

/// The two keys under which blocks have names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Sources,
    Sinks,
}

impl Group {
    /// The key.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Sinks => "sinks",
        }
    }

    /// One of them.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::Sources => "source",
            Self::Sinks => "sink",
        }
    }

    /// All of them.
    pub(crate) fn entries(self, root: &Node) -> &[Entry] {
        root.entry(self.key()).map(|entry| entry.value.entries()).unwrap_or_default()
    }
}

/// One reading of a tree.
pub(crate) struct Reading<'a, 't> {
    pub(crate) schemas: &'a Schemas,
    pub(crate) types: &'a [ConnectorType],
    pub(crate) text: &'t str,
    pub(crate) findings: Vec<Finding>,
    /// The scalars that may be shown.
    pub(crate) shown: Vec<Span>,
    /// The names of the sources whose recipe is not there, so that nobody knows which of their keys are missing.
    pub(crate) in_part: Vec<Span>,
}

impl<'a> Reading<'a, '_> {
    /// The top of the file.
    pub(crate) fn general(&mut self, root: &Node) -> General {
        let mut schema = self.schemas.general.clone();
        // Any value: their blocks are looked at one by one.
        schema["properties"]["sources"] = true.into();
        schema["properties"]["sinks"] = true.into();
        let mut good = Vec::new();
        for entry in root.entries() {
            let alone = Node { span: root.span.clone(), kind: Kind::Map(vec![entry.clone()]) };
            if self.holds(&alone, &schema, "", &entry.key_span) && !matches!(&*entry.key, "sources" | "sinks")
            {
                good.push(entry);
            }
        }
        self.read(&good, &root.span)
    }

    /// The blocks of one group that hold with their schema.
    pub(crate) fn group(&mut self, root: &'a Node, group: Group) -> Vec<Draft<'a>> {
        if let Some(entry) = root.entry(group.key())
            && !matches!(entry.value.kind, Kind::Map(_))
            && !entry.value.is_null()
        {
            let message = format!("`{}` takes a block of keys, not {}", group.key(), entry.value.noun());
            self.error(
                &entry.key_span,
                message,
                format!("give each {} a name, and below it its keys", group.role()),
            );
        }
        group.entries(root).iter().filter_map(|entry| self.block(entry, group)).collect()
    }

    fn block(&mut self, entry: &'a Entry, group: Group) -> Option<Draft<'a>> {
        let Entry { key, key_span, value } = entry;
        let named = is_name(key);
        if named || is_presentable(key) {
            self.shown.push(key_span.clone());
        }
        if !named {
            let help = "a name has 1 to 63 of `a`–`z`, `0`–`9`, `_` and `-` and begins with a letter, for it becomes a metric \
                        label and a file name";
            self.error(key_span, format!("this is no name for a {}", group.role()), help);
        }
        let Some((connector, schema)) = self.connector(entry, group) else {
            let words = self.schemas.vocabulary();
            let known = value.entries().iter().filter(|entry| words.contains(&entry.key));
            self.shown.extend(known.map(|entry| entry.key_span.clone()));
            return None;
        };
        let in_part = self.in_part.contains(key_span);
        if !self.holds(value, schema, key, key_span) || !named || in_part {
            return None;
        }
        let common = value.entries().iter().filter(|entry| SINK_KEYS[1..].contains(&&*entry.key));
        let keys = match group {
            Group::Sources => SinkKeys::default(),
            Group::Sinks => self.read(&common.collect::<Vec<_>>(), key_span),
        };
        Some(Draft { entry, connector, keys })
    }

    /// The type that a block names, and the schema of such a block.
    fn connector(&mut self, entry: &Entry, group: Group) -> Option<(&'a ConnectorType, &'a Value)> {
        let schemas = match group {
            Group::Sources => &self.schemas.sources,
            Group::Sinks => &self.schemas.sinks,
        };
        let of_group = |connector: &&ConnectorType| connector.is_source() == (group == Group::Sources);
        let mut names: Vec<_> = self.types.iter().filter(of_group).map(|connector| connector.name).collect();
        names.sort_unstable();
        let (role, known) = (group.role(), any_of(names.iter().copied()));
        let Kind::Map(_) = &entry.value.kind else {
            let message = format!("a {role} is a block of keys, not {}", entry.value.noun());
            self.error(&entry.key_span, message, format!("begin it with `type: …`, which is {known}"));
            return None;
        };
        let Some(Entry { key_span, value, .. }) = entry.value.entry("type") else {
            self.error(&entry.key_span, "missing key `type`", format!("add `type: …`, which is {known}"));
            return None;
        };
        self.shown.push(key_span.clone());
        let Some(word) = value.scalar().filter(|_| !value.is_null()) else {
            self.error(
                key_span,
                format!("`type` takes one word, not {}", value.noun()),
                format!("write {known}"),
            );
            return None;
        };
        if let Some((name, schema)) = schemas.get_key_value(&*word.text) {
            let mut of_name = self.types.iter().filter(of_group);
            let connector = of_name.find(|connector| connector.name == *name);
            return connector.map(|connector| (connector, schema));
        }
        match word.origin {
            Origin::Unresolved => {}
            Origin::Literal if is_presentable(&word.text) => {
                self.shown.push(value.span.clone());
                let help = match closest(&word.text, names.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("write {known}"),
                };
                self.error(&value.span, format!("there is no {role} type `{}`", word.text), help);
            }
            _ => self.error(&value.span, format!("this is no {role} type"), format!("write {known}")),
        }
        None
    }

    /// Whether a value holds with its schema; notes what is wrong with it, and what of it may be shown.
    fn holds(&mut self, node: &Node, schema: &Value, name: &str, place: &Span) -> bool {
        let mut check = Check::new(self.schemas, self.text);
        if self.in_part.contains(place) {
            check = check.in_part();
        }
        check.value(node, schema, name, place);
        let mut holds = check.findings.iter().all(|finding| finding.severity == Severity::Warning);
        node.scalars(&mut |_, scalar| holds &= scalar.origin != Origin::Unresolved);
        self.shown.extend(check.shown);
        self.findings.extend(check.findings);
        holds
    }

    /// Keys that hold with their schema, as a struct.
    fn read<T: DeserializeOwned + Default>(&mut self, entries: &[&Entry], place: &Span) -> T {
        read::read(entries.iter().copied()).unwrap_or_else(|error| {
            let span = error.span.as_ref().unwrap_or(place);
            self.error(span, error.message, "see the description of this key");
            T::default()
        })
    }

    fn error(&mut self, span: &Span, message: impl Into<String>, help: impl Into<String>) {
        self.findings.push(Finding::error(span, message, help));
    }
}

/// See [`crate::schema::NAME_PATTERN`].
fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// A source or sink whose block holds with its schema.
pub(crate) struct Draft<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) connector: &'a ConnectorType,
    /// The common keys of a sink; the defaults for a source.
    pub(crate) keys: SinkKeys,
}

impl Draft<'_> {
    /// The name of the source or sink.
    pub(crate) fn name(&self) -> &str {
        &self.entry.key
    }

    /// The place of a key, or that of the name where the key is missing.
    pub(crate) fn place(&self, path: &str) -> Span {
        self.entry.value.place(path, &self.entry.key_span)
    }

    /// What sinks of its type have in common.
    pub(crate) fn traits(&self) -> SinkTraits {
        match &self.connector.role {
            Role::Sink(traits) => traits.clone(),
            Role::Source => SinkTraits::default(),
        }
    }

    /// The events' schema.
    pub(crate) fn schema(&self) -> EventSchema {
        self.keys.schema.unwrap_or(self.traits().schema)
    }

    /// The pauses between attempts.
    pub(crate) fn retry(&self, general: &General) -> Retry {
        let RetryKeys { initial, max } = self.keys.retry;
        Retry { initial: initial.unwrap_or(general.retry.initial), max: max.unwrap_or(general.retry.max) }
    }

    /// When a batch goes out. A default stays within half of the budget, so that a batch can always be filled.
    pub(crate) fn batch(&self, general: &General) -> Batch {
        let BatchKeys { max_events, max_bytes, max_age } = self.keys.batch;
        let default = self.traits().batch;
        let half = ByteSize::bytes(general.limits.in_flight.get() / 2);
        Batch {
            max_events: max_events.unwrap_or(default.max_events),
            max_bytes: max_bytes.unwrap_or(default.max_bytes.min(half)),
            max_age: max_age.unwrap_or(default.max_age),
        }
    }

    pub(crate) fn source(self, document: &Arc<Document>) -> Source {
        let labels = self.entry.value.entry("labels").map(|entry| entry.value.entries()).unwrap_or_default();
        let text =
            |label: &Entry| label.value.scalar().map(|scalar| (label.key.clone(), scalar.text.clone()));
        Source {
            name: self.name().to_owned(),
            kind: self.connector.name,
            labels: labels.iter().filter_map(text).collect(),
            block: self.block(document, SOURCE_KEYS),
        }
    }

    pub(crate) fn sink(self, document: &Arc<Document>, general: &General, sources: &[String]) -> Sink {
        Sink {
            name: self.name().to_owned(),
            kind: self.connector.name,
            schema: self.schema(),
            ocsf_version: self.keys.ocsf_version,
            keep_raw: self.keys.keep_raw,
            from: self.keys.from.clone().unwrap_or_else(|| sources.to_vec()),
            batch: self.batch(general),
            retry: self.retry(general),
            block: self.block(document, SINK_KEYS),
        }
    }

    fn block(self, document: &Arc<Document>, common: &'static [&'static str]) -> Block {
        let Entry { key_span, value, .. } = self.entry;
        let parts = self.connector.part_names().chain([RECIPE]).collect();
        Block { document: document.clone(), node: value.clone(), place: key_span.clone(), common, parts }
    }
}
