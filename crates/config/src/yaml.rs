//! From YAML text to a tree with places.
//!
//! One document of YAML 1.2 whose keys are plain text. Left out, with an error: tags, merge keys, keys that are lists or
//! blocks, directives, a second document, a key that stands twice. Anchors and aliases work, within a bound on the size of
//! the tree that they unfold to.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, StrInput};

use crate::finding::Finding;
use crate::node::{Entry, Kind, Node, Origin, Scalar, Span};

/// Values in a tree, aliases unfolded. Far above any real pipeline; bounds memory, and also the depth that aliases can
/// build up, since each level of it must be paid for again by the next one.
const MAX_NODES: usize = 50_000;

/// Blocks within blocks, before aliases; keeps every recursion over the tree shallow.
const MAX_DEPTH: usize = 64;

/// A tree and what else was seen in the text.
pub(crate) struct Parsed {
    /// `None` for an empty file.
    pub(crate) root: Option<Node>,
    /// Every key and value that is written in the file, in order.
    pub(crate) scalars: Vec<Span>,
    /// Every comment, in order.
    pub(crate) comments: Vec<Span>,
    /// Keys that stand a second time, each with the first one of its name.
    pub(crate) repeated: Vec<(Span, Span)>,
    pub(crate) findings: Vec<Finding>,
}

/// Reads the tree, or says where the text stops to be YAML.
pub(crate) fn parse(text: &str) -> Result<Parsed, Finding> {
    let options = granit_parser::options! {
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // A whole file of examples may be commented out; its size is bounded already.
        max_buffered_comment_events: usize::MAX,
    };
    Builder::new(text, options).document()
}

struct Builder<'t> {
    events: Parser<'t, StrInput<'t>>,
    text: &'t str,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    parsed: Parsed,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str, options: Options) -> Self {
        let parsed = Parsed {
            root: None,
            scalars: Vec::new(),
            comments: Vec::new(),
            repeated: Vec::new(),
            findings: Vec::new(),
        };
        let events = Parser::new_from_str_with_options(text, options);
        Self { events, text, anchors: HashMap::new(), nodes: 0, parsed }
    }

    fn document(mut self) -> Result<Parsed, Finding> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentStart(..) if self.parsed.root.is_some() => {
                    return Err(Finding::error(
                        &span,
                        "a second YAML document starts here",
                        "keep one document in the file: remove the line `---`",
                    ));
                }
                Event::DocumentStart(..) => {
                    let (event, span) = self.next()?;
                    self.parsed.root = Some(self.node(event, span)?);
                }
                Event::StreamEnd => break,
                _ => {}
            }
        }
        self.parsed.scalars.sort_unstable_by_key(|span| span.start);
        Ok(self.parsed)
    }

    /// The next event that is no comment.
    fn next(&mut self) -> Result<(Event<'t>, Span), Finding> {
        loop {
            let end = self.text.len();
            let Some(next) = self.events.next_event() else { return Ok((Event::StreamEnd, end..end)) };
            let (event, span) = next.map_err(|error| self.not_yaml(&error))?;
            // Offsets are always known when the input is one string.
            let span = span.byte_range().unwrap_or(end..end);
            match event {
                Event::Comment(..) => self.parsed.comments.push(span),
                event => return Ok((event, span)),
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, Finding> {
        let before = self.nodes;
        if let Some(tag) = event.tag()
            && !tag.is_yaml_core_schema_tag("str")
        {
            self.parsed.findings.push(Finding::error(
                &span,
                "YAML tags have no meaning here",
                "remove the word that starts with `!`; a value that begins with `!` needs quotes",
            ));
        }
        let anchor = event.anchor_id();
        let node = match event {
            Event::Alias(id) => return self.alias(id, &span),
            Event::Scalar(text, style, _, tag) => {
                // An absent value is reported as `~` that takes no room in the text.
                let absent = span.is_empty() && style == ScalarStyle::Plain;
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let text = if absent { String::new() } else { text.into_owned() };
                self.parsed.scalars.push(span.clone());
                Node {
                    span: span.clone(),
                    kind: Kind::Scalar(Scalar { text, plain, origin: Origin::Literal }),
                }
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => break end,
                        (event, span) => items.push(self.node(event, span)?),
                    }
                };
                Node { span: span.start..end.end.max(span.start), kind: Kind::List(items) }
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::MappingEnd, end) => break end,
                        (event, span) => self.entry(event, span, &mut entries)?,
                    }
                };
                Node { span: span.start..end.end.max(span.start), kind: Kind::Map(entries) }
            }
            _ => return Err(Finding::error(&span, "this is not valid YAML", "write a value here")),
        };
        self.count(1, &span)?;
        if let Some(id) = anchor {
            self.anchors.insert(id, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn entry(&mut self, event: Event<'t>, key_span: Span, entries: &mut Vec<Entry>) -> Result<(), Finding> {
        let key = match &event {
            Event::Scalar(text, ..) => Some(text.clone().into_owned()),
            _ => None,
        };
        self.node(event, key_span.clone())?;
        let (event, span) = self.next()?;
        let value = self.node(event, span)?;
        let Some(key) = key else {
            self.parsed.findings.push(Finding::error(
                &key_span,
                "a key must be plain text",
                "write `key: value`; a value that begins with `[`, `{`, `*` or `?` needs quotes",
            ));
            return Ok(());
        };
        if key == "<<" {
            self.parsed.findings.push(Finding::error(
                &key_span,
                "merge keys (`<<`) are not part of YAML 1.2",
                "repeat the keys here; an alias may stand for a whole value: `batch: *batch`",
            ));
        } else if let Some(first) = entries.iter().find(|entry| entry.key == key) {
            let line = 1 + self.text[..first.key_span.start].matches('\n').count();
            let message = "this key stands twice in its block";
            let help = format!("remove one of the two; the first is on line {line}");
            self.parsed.repeated.push((key_span.clone(), first.key_span.clone()));
            self.parsed.findings.push(Finding::error(&key_span, message, help));
        } else {
            entries.push(Entry { key, key_span, value });
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<Node, Finding> {
        // An anchor is known once its value has ended, so a value cannot hold itself.
        let Some((node, size)) = self.anchors.get(&id) else {
            let help = "let the alias stand outside of the value that it refers to";
            return Err(Finding::error(span, "this alias refers to the value that it is part of", help));
        };
        let (node, size) = (node.clone(), *size);
        self.count(size, span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Finding> {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("the configuration has more than {MAX_NODES} values, aliases unfolded");
        Err(Finding::error(
            span,
            message,
            "write fewer aliases, or split the pipeline over several processes",
        ))
    }

    fn not_yaml(&self, error: &ScanError) -> Finding {
        let at = self.text.floor_char_boundary(error.marker().byte_offset().unwrap_or(self.text.len()));
        let (message, mut help) = explain(error.kind());
        if self.text[..at].ends_with('$') && self.text[at..].starts_with('{') {
            help = "between brackets, a value with `${…}` needs quotes: `{ api_key: \"${NAME}\" }`";
        }
        Finding::error(&(at..at), message, help)
    }
}

/// The usual mistakes in words that name the remedy; the parser's own words for the rest.
fn explain(kind: &ErrorKind) -> (String, &'static str) {
    let (message, help) = match kind {
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            "a `: ` is not allowed here",
            "put a value that holds `: ` in quotes; else check that this line and the one above are indented alike \
             and that each key is followed by `: ` with a space",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("this line is no `key: value`", "write `key: value`, with a space after the colon")
        }
        ErrorKind::UnexpectedCharacter { .. } => {
            ("a value cannot begin with this character", "put the value in quotes")
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar
        | ErrorKind::TabAtBlockScalarStart => ("a tab is not allowed here", "use spaces"),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => (
            "a quoted text above is not closed",
            "add the closing quote, or indent the text that goes on here",
        ),
        ErrorKind::UnclosedFlowCollection { .. } => {
            ("this bracket is never closed", "add the closing bracket")
        }
        ErrorKind::MisplacedFlowCollectionEnd | ErrorKind::MismatchedFlowCollectionEnd { .. } => (
            "this bracket does not close the one that is open",
            "balance the brackets; a value that holds one needs quotes",
        ),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            ("a `,` or the closing bracket is missing here", "separate the entries between brackets by `, `")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("text follows the closing quote", "put the whole value in quotes, or remove the text after them")
        }
        ErrorKind::UnknownQuotedScalarEscape => (
            "this backslash sequence is unknown",
            "write `\\\\` for a backslash, or use single quotes, where it stands for itself",
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => (
            "this line is indented differently from its block",
            "indent the keys of one block alike, with spaces",
        ),
        ErrorKind::UnknownAnchor => (
            "this alias has no anchor",
            "a value that begins with `*` needs quotes; an alias needs a `&name` above it",
        ),
        ErrorKind::RecursionLimitExceeded => ("blocks are nested too deeply", "keep to 64 levels"),
        ErrorKind::DirectiveDisallowed => (
            "YAML directives have no meaning here",
            "remove the line; a value that begins with `%` needs quotes",
        ),
        kind => {
            return (format!("this is not valid YAML: {kind}"), "check the indentation and the quotes above");
        }
    };
    (message.to_owned(), help)
}
