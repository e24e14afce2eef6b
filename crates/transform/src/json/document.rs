//! Reading a record: one pass over the text, strict as RFC 8259, into nodes that point back into it.

use std::cell::Cell;

use crate::entry::Text;

/// How deep arrays and objects may nest. Consumers of the events have such limits too (many stop at 128).
const DEEPEST: usize = 64;

/// Above this many nodes a buffer is given back after use, so that one huge record does not stay in memory.
const KEPT_NODES: usize = 1 << 16;

/// Memory that a [`Document`] lives in, used again for the next one.
#[derive(Default)]
pub(crate) struct Buffers {
    nodes: Vec<Node>,
    /// The strings that had escapes, decoded.
    decoded: String,
}

/// A parsed record. Nodes stand in document order, so that an object's subtree is one range.
#[derive(Clone, Copy)]
pub(crate) struct Document<'a> {
    text: &'a str,
    decoded: &'a str,
    nodes: &'a [Node],
}

/// A value of a document.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    document: Document<'a>,
    at: u32,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

/// Why a text is not a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Not JSON from this byte on.
    Syntax(usize),
    /// Nests deeper than this crate follows.
    TooDeep,
}

struct Node {
    kind: Kind,
    /// Whether the value, with all below it, has been written somewhere.
    used: Cell<bool>,
    /// The key in the object around it; empty in arrays and at the root.
    key: Slice,
    /// A string's content, any other value's whole text.
    value: Slice,
    /// The node after this one's subtree.
    next: u32,
}

/// A piece of the record's text, or of the decoded strings.
#[derive(Clone, Copy)]
struct Slice {
    start: u32,
    end: u32,
    decoded: bool,
}

impl Buffers {
    fn clear(&mut self) {
        if self.nodes.capacity() > KEPT_NODES {
            *self = Self::default();
        }
        self.nodes.clear();
        self.decoded.clear();
    }
}

impl<'a> Document<'a> {
    /// Reads `text`, which must be one JSON value.
    pub(crate) fn parse(text: &'a str, buffers: &'a mut Buffers) -> Result<Self, Flaw> {
        buffers.clear();
        if u32::try_from(text.len()).is_err() {
            return Err(Flaw::TooDeep);
        }
        let mut parser = Parser {
            text,
            bytes: text.as_bytes(),
            at: 0,
            nodes: &mut buffers.nodes,
            decoded: &mut buffers.decoded,
        };
        parser.skip_space();
        parser.value(Slice { start: 0, end: 0, decoded: false }, 0)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(Flaw::Syntax(parser.at));
        }
        Ok(Self { text, decoded: &buffers.decoded, nodes: &buffers.nodes })
    }

    /// The outermost value.
    pub(crate) fn root(self) -> Value<'a> {
        Value { document: self, at: 0 }
    }

    /// The value at `place`, as [`Value::place`] gave it.
    pub(crate) fn at(self, place: u32) -> Value<'a> {
        Value { document: self, at: place }
    }

    fn slice(self, slice: Slice) -> Text<'a> {
        let base = if slice.decoded { self.decoded } else { self.text };
        // The parser cuts only at ASCII bytes, so the range is always there.
        let value = base.get(slice.start as usize..slice.end as usize).unwrap_or_default();
        Text { value, clean: !slice.decoded, used: None }
    }
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node {
        &self.document.nodes[self.at as usize]
    }

    pub(crate) fn kind(self) -> Kind {
        self.node().kind
    }

    pub(crate) fn document(self) -> Document<'a> {
        self.document
    }

    /// Where it stands in its document.
    pub(crate) fn place(self) -> u32 {
        self.at
    }

    /// How many values it holds, itself included.
    pub(crate) fn nodes(self) -> usize {
        (self.node().next - self.at) as usize
    }

    /// The key it stands under; empty in arrays and at the root.
    pub(crate) fn key(self) -> Text<'a> {
        self.document.slice(self.node().key)
    }

    /// The members of an object or the items of an array, in order, equal keys included; nothing for a scalar.
    pub(crate) fn children(self) -> Children<'a> {
        Children { document: self.document, at: self.at + 1, end: self.node().next }
    }

    /// A string that is not empty.
    pub(crate) fn string(self) -> Option<Text<'a>> {
        (self.kind() == Kind::String).then(|| self.content()).filter(|text| !text.value.is_empty())
    }

    /// A scalar as text: a string that is not empty, a number or a truth value as it is written.
    pub(crate) fn scalar(self) -> Option<Text<'a>> {
        match self.kind() {
            Kind::String | Kind::Number | Kind::Bool => {
                Some(self.content()).filter(|text| !text.value.is_empty())
            }
            Kind::Null | Kind::Array | Kind::Object => None,
        }
    }

    /// A string's text, decoded; any other value's text as received.
    pub(crate) fn content(self) -> Text<'a> {
        let node = self.node();
        Text { used: Some(&node.used), ..self.document.slice(node.value) }
    }

    /// Whether it says nothing: `null`, `""`, `{}` or `[]`.
    pub(crate) fn is_blank(self) -> bool {
        match self.kind() {
            Kind::Null => true,
            Kind::String => self.content().value.is_empty(),
            Kind::Array | Kind::Object => self.nodes() == 1,
            Kind::Bool | Kind::Number => false,
        }
    }

    /// Notes that it, with all below it, has been written.
    pub(crate) fn mark_used(self) {
        self.node().used.set(true);
    }

    pub(crate) fn is_used(self) -> bool {
        self.node().used.get()
    }
}

/// See [`Value::children`].
#[derive(Clone)]
pub(crate) struct Children<'a> {
    document: Document<'a>,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.at >= self.end {
            return None;
        }
        let child = Value { document: self.document, at: self.at };
        self.at = child.node().next;
        Some(child)
    }
}

struct Parser<'a, 'b> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    nodes: &'b mut Vec<Node>,
    decoded: &'b mut String,
}

impl Parser<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn flaw<T>(&self) -> Result<T, Flaw> {
        Err(Flaw::Syntax(self.at))
    }

    fn expect(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.peek() != Some(byte) {
            return self.flaw();
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, key: Slice, depth: usize) -> Result<(), Flaw> {
        let start = self.at;
        let own = self.nodes.len();
        let first = self.peek();
        if first == Some(b'"') {
            self.at += 1;
            let value = self.string()?;
            self.push(Kind::String, key, value);
            return Ok(());
        }
        let kind = match first {
            Some(b'{' | b'[') => {
                if depth == DEEPEST {
                    return Err(Flaw::TooDeep);
                }
                let kind = if first == Some(b'{') { Kind::Object } else { Kind::Array };
                self.push(kind, key, Slice { start: 0, end: 0, decoded: false });
                self.at += 1;
                if kind == Kind::Object {
                    self.members(depth)?
                } else {
                    self.items(depth)?
                }
                let (next, value) = (self.next_node(), self.since(start));
                let node = &mut self.nodes[own];
                (node.next, node.value) = (next, value);
                return Ok(());
            }
            Some(b't') => self.literal("true", Kind::Bool)?,
            Some(b'f') => self.literal("false", Kind::Bool)?,
            Some(b'n') => self.literal("null", Kind::Null)?,
            _ => self.number()?,
        };
        let value = self.since(start);
        self.push(kind, key, value);
        Ok(())
    }

    fn members(&mut self, depth: usize) -> Result<(), Flaw> {
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.expect(b'"')?;
            let key = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            self.value(key, depth + 1)?;
            self.skip_space();
            if self.peek() == Some(b'}') {
                self.at += 1;
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_space();
        }
    }

    fn items(&mut self, depth: usize) -> Result<(), Flaw> {
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(Slice { start: 0, end: 0, decoded: false }, depth + 1)?;
            self.skip_space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_space();
        }
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<Kind, Flaw> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.flaw();
        }
        self.at += word.len();
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, Flaw> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.flaw() } else { Ok(()) }
    }

    /// The rest of a string, from after its opening quote to after its closing one.
    #[inline]
    fn string(&mut self) -> Result<Slice, Flaw> {
        let start = self.at;
        self.at = super::clean_until(self.bytes, start);
        if self.peek() != Some(b'"') {
            return self.string_with_escapes(start);
        }
        let slice = self.since(start);
        self.at += 1;
        Ok(slice)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<Slice, Flaw> {
        let from = self.decoded.len();
        let mut run = start;
        loop {
            let clean = self.text.get(run..self.at).unwrap_or_default();
            self.decoded.push_str(clean);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    let (start, end) = (small(from), small(self.decoded.len()));
                    return Ok(Slice { start, end, decoded: true });
                }
                Some(b'\\') => {
                    self.at += 1;
                    let decoded = self.escape()?;
                    self.decoded.push(decoded);
                }
                _ => return self.flaw(),
            }
            run = self.at;
            self.at = super::clean_until(self.bytes, run);
        }
    }

    /// What an escape stands for, from after its backslash. Half of a surrogate pair, which is no character, becomes U+FFFD.
    fn escape(&mut self) -> Result<char, Flaw> {
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(c @ (b'"' | b'\\' | b'/')) => c as char,
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex()?;
                if !(0xD800..0xDC00).contains(&first) || !self.bytes[self.at..].starts_with(b"\\u") {
                    return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let after_first = self.at;
                self.at += 2;
                let second = self.hex()?;
                if (0xDC00..0xE000).contains(&second) {
                    let joined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    return Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                self.at = after_first;
                char::REPLACEMENT_CHARACTER
            }
            _ => {
                self.at -= 1;
                return self.flaw();
            }
        })
    }

    /// Four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, Flaw> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return self.flaw();
            };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }

    #[inline]
    fn since(&self, start: usize) -> Slice {
        Slice { start: small(start), end: small(self.at), decoded: false }
    }

    #[inline]
    fn push(&mut self, kind: Kind, key: Slice, value: Slice) {
        let next = self.next_node() + 1;
        self.nodes.push(Node { kind, used: Cell::new(false), key, value, next });
    }

    fn next_node(&self) -> u32 {
        small(self.nodes.len())
    }
}

/// Every offset fits: texts above 4 GiB are refused, and nothing here grows beyond its text.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
const fn small(at: usize) -> u32 {
    at as u32
}
