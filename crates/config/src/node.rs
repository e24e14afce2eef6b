//! The configuration as a tree whose every part knows its place in the file.

use std::ops::Range;
use std::path::PathBuf;

/// A range of bytes of the file.
pub(crate) type Span = Range<usize>;

/// A value and its place. Has no `Debug` form: it holds secrets.
#[derive(Clone)]
pub(crate) struct Node {
    /// The value's text in the file; for a value that a block alias stands for, the text at the anchor.
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One `key: value`.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// A single value. It has no type of its own: what reads it decides what its text must be.
#[derive(Clone)]
pub(crate) struct Scalar {
    /// The text after `${…}` were replaced.
    pub(crate) text: String,
    /// Written without quotes.
    pub(crate) plain: bool,
    pub(crate) origin: Origin,
}

/// Where a scalar's text comes from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The configuration file alone.
    Literal,
    /// One `${NAME}` and nothing else: the text may be a number or a boolean, as if it stood there without quotes.
    Variable,
    /// One `${NAME:-default}` and nothing else, of which the default was used.
    Default,
    /// Text around `${…}`.
    Mixed,
    /// Text around one `${file:…}`, whose content is kept apart so that a secret can be read again.
    File { prefix: String, path: PathBuf, suffix: String, content: String },
    /// A `${…}` could not be replaced, which was reported: the text means nothing.
    Unresolved,
}

impl Node {
    /// The entries of a block; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of `key`.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The place of what `path` names (keys and list indexes joined by dots): of a single value the value, else its key;
    /// where it is missing, that of the innermost block around it. `place` is the place of this node's own key.
    pub(crate) fn place(&self, path: &str, place: &Span) -> Span {
        let (mut node, mut place) = (self, place);
        for part in path.split('.') {
            let below = match &node.kind {
                Kind::Map(_) => node.entry(part).map(|entry| (&entry.value, &entry.key_span)),
                Kind::List(items) => {
                    part.parse().ok().and_then(|index: usize| items.get(index)).map(|item| (item, &item.span))
                }
                Kind::Scalar(_) => None,
            };
            let Some(below) = below else { break };
            (node, place) = below;
        }
        if node.scalar().is_some() && !node.span.is_empty() { node.span.clone() } else { place.clone() }
    }

    /// The single value, if it is one.
    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Nothing after the colon, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|s| {
            s.plain && s.origin == Origin::Literal && matches!(&*s.text, "" | "~" | "null" | "Null" | "NULL")
        })
    }

    /// Calls `visit` for every scalar, in order.
    pub(crate) fn scalars<'a>(&'a self, visit: &mut impl FnMut(&'a Node, &'a Scalar)) {
        match &self.kind {
            Kind::Scalar(scalar) => visit(self, scalar),
            Kind::List(items) => items.iter().for_each(|item| item.scalars(visit)),
            Kind::Map(entries) => entries.iter().for_each(|entry| entry.value.scalars(visit)),
        }
    }

    /// What it is, in words for a message.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::List(_) => "a list",
            Kind::Map(_) => "a block of keys",
            Kind::Scalar(_) if self.is_null() => "nothing",
            Kind::Scalar(scalar) if scalar.integer().is_some() => "a number",
            Kind::Scalar(scalar) if scalar.float().is_some() => "a number with a fraction",
            Kind::Scalar(scalar) if scalar.boolean().is_some() => "a boolean",
            Kind::Scalar(_) => "text",
        }
    }
}

/// Only an unquoted scalar is a number or a boolean, and one that is wholly `${NAME}`.
impl Scalar {
    fn untyped(&self) -> Option<&str> {
        let untyped = match self.origin {
            Origin::Literal => self.plain,
            Origin::Variable | Origin::Default => true,
            Origin::Mixed | Origin::File { .. } | Origin::Unresolved => false,
        };
        untyped.then_some(&*self.text)
    }

    /// The whole number it is.
    pub(crate) fn integer(&self) -> Option<i128> {
        let text = self.untyped()?;
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
    }

    /// The number with a fraction or an exponent that it is.
    pub(crate) fn float(&self) -> Option<f64> {
        let text = self.untyped()?;
        let number =
            text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
        let number = number && text.bytes().any(|b| b.is_ascii_digit());
        number.then(|| text.parse().ok())?
    }

    /// The boolean it is, as YAML 1.2 has them: `yes` and `on` are text.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.untyped()? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }
}
