//! Reading a record: one pass over the text, strict as RFC 8259, into nodes that borrow from it.

use std::cell::Cell;

use super::scan::clean_until;
use crate::entry::Text;

/// How deep arrays and objects may nest. What nests deeper is read as a string that holds its text: many readers of events
/// stop at 128 levels, and a record comes to stand in a few itself.
const DEEPEST: usize = 120;

/// Above this many nodes a buffer is given back after use, so that one huge record does not stay in memory.
const KEPT_NODES: usize = 1 << 16;

/// The same for the bytes of decoded strings.
const KEPT_BYTES: usize = 1 << 20;

/// A value of a record and all below it, in the order of the text.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    /// The value itself, then its descendants. Never empty.
    tree: &'a [Node<'a>],
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

impl Kind {
    /// A bit of its own.
    pub(crate) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Why a text is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Not JSON from this byte on.
    Syntax(usize),
    /// Longer than 4 GiB.
    TooLong,
}

/// One value, without what is below it.
pub(crate) struct Node<'a> {
    /// The key in the object around it; empty in arrays and at the root.
    key: &'a str,
    /// A string's content, any other value's whole text.
    text: &'a str,
    /// How many nodes it is, with all below it.
    size: u32,
    kind: Kind,
    /// Whether key and text stand in JSON as they are.
    clean: (bool, bool),
    /// Whether the value, with all below it, has been written somewhere.
    used: Cell<bool>,
}

/// Memory for parsing, used again for the next record.
#[derive(Default)]
pub(crate) struct Buffers {
    nodes: Vec<Node<'static>>,
    /// The strings that had escapes, decoded.
    decoded: Vec<u8>,
    open: Vec<Open>,
}

impl Buffers {
    /// Reads `text`, which must be one JSON value, and shows it to `then`.
    pub(crate) fn read<T>(&mut self, text: &str, then: impl FnOnce(Result<Value<'_>, Flaw>) -> T) -> T {
        let mut nodes = emptied(std::mem::take(&mut self.nodes));
        // Decoding makes nothing longer. A string may be decoded twice: as a string, and within it as the JSON that it holds.
        if self.decoded.len() < 2 * text.len() {
            self.decoded.resize(2 * text.len(), 0);
        }
        let (bytes, free) = (text.as_bytes(), &mut self.decoded[..]);
        self.open.clear();
        let mut parser = Parser { text, bytes, nodes: &mut nodes, free, open: &mut self.open, embeds: true };
        let parsed = parser.document();
        let result = then(parsed.map(|()| Value { tree: &nodes }));
        self.nodes = emptied(nodes);
        if self.nodes.capacity() > KEPT_NODES || self.decoded.len() > KEPT_BYTES {
            *self = Self::default();
        }
        result
    }
}

/// The same memory, for nodes of another record.
fn emptied<'b>(mut nodes: Vec<Node<'_>>) -> Vec<Node<'b>> {
    nodes.clear();
    // The standard library collects in place where the layouts agree.
    let none =
        |_| Node { key: "", text: "", size: 1, kind: Kind::Null, clean: (true, true), used: Cell::new(true) };
    nodes.into_iter().map(none).collect()
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node<'a> {
        &self.tree[0]
    }

    pub(crate) fn kind(self) -> Kind {
        self.node().kind
    }

    /// Whether it is of one of `kinds`, a bit each as [`Kind::bit`] gives them, and no empty text.
    #[inline(always)]
    pub(crate) fn is_one_of(self, kinds: u8) -> bool {
        let node = self.node();
        kinds & node.kind.bit() != 0 && !node.text.is_empty()
    }

    /// How many values it holds, itself included.
    pub(crate) fn size(self) -> usize {
        self.tree.len()
    }

    /// The key it stands under; empty in arrays and at the root.
    pub(crate) fn key(self) -> &'a str {
        self.node().key
    }

    /// As [`Value::key`], to be written.
    pub(crate) fn key_text(self) -> Text<'a> {
        let node = self.node();
        Text { value: node.key, clean: node.clean.0, used: None }
    }

    /// The members of an object, in order, equal keys included; nothing for any other value.
    pub(crate) fn members(self) -> Children<'a> {
        Children { rest: if self.kind() == Kind::Object { &self.tree[1..] } else { &[] } }
    }

    /// The items of an array, in order; nothing for any other value.
    pub(crate) fn items(self) -> Children<'a> {
        Children { rest: if self.kind() == Kind::Array { &self.tree[1..] } else { &[] } }
    }

    /// The place of each member of an object, for [`Value::at`].
    pub(crate) fn places(self) -> impl Iterator<Item = u32> + use<'a> {
        let mut next = 1;
        self.members().map(move |member| {
            let place = next;
            next += member.node().size;
            place
        })
    }

    /// The member at `place`.
    pub(crate) fn at(self, place: u32) -> Value<'a> {
        let tree = &self.tree[place as usize..];
        Value { tree: &tree[..tree[0].size as usize] }
    }

    /// The array or object that a string holds as JSON text.
    pub(crate) fn embedded(self) -> Option<Value<'a>> {
        (self.kind() == Kind::String && self.tree.len() > 1).then(|| Value { tree: &self.tree[1..] })
    }

    /// A string that is not empty.
    pub(crate) fn string(self) -> Option<Text<'a>> {
        (self.kind() == Kind::String && !self.node().text.is_empty()).then(|| self.text())
    }

    /// A scalar as text: a string that is not empty, a number or a truth value as it is written.
    pub(crate) fn scalar(self) -> Option<Text<'a>> {
        let is_scalar = matches!(self.kind(), Kind::String | Kind::Number | Kind::Bool);
        (is_scalar && !self.node().text.is_empty()).then(|| self.text())
    }

    /// A string's content; any other value's text as received.
    pub(crate) fn text(self) -> Text<'a> {
        let node = self.node();
        Text { value: node.text, clean: node.clean.1, used: Some(&node.used) }
    }

    /// Whether it says nothing: `null`, `""`, `{}` or `[]`.
    pub(crate) fn is_blank(self) -> bool {
        match self.kind() {
            Kind::Null => true,
            Kind::String => self.node().text.is_empty(),
            Kind::Array | Kind::Object => self.tree.len() == 1,
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

/// See [`Value::members`] and [`Value::items`].
#[derive(Clone)]
pub(crate) struct Children<'a> {
    rest: &'a [Node<'a>],
}

impl<'a> Iterator for Children<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        let (tree, rest) = self.rest.split_at_checked(self.rest.first()?.size as usize)?;
        self.rest = rest;
        Some(Value { tree })
    }
}

struct Parser<'a, 'b> {
    text: &'a str,
    bytes: &'a [u8],
    nodes: &'b mut Vec<Node<'a>>,
    /// Room for decoded strings.
    free: &'a mut [u8],
    /// The arrays and objects around the current value.
    open: &'b mut Vec<Open>,
    /// Whether to look for JSON inside strings.
    embeds: bool,
}

/// A piece of text, and whether it stands in JSON as it is.
type Piece<'a> = (&'a str, bool);

/// An array or object whose end has not been seen.
#[derive(Clone, Copy)]
struct Open {
    node: usize,
    /// Where its text begins.
    start: usize,
    /// The bracket that closes it; 0 outside of all.
    end: u8,
}

impl<'a> Parser<'a, '_> {
    /// Reads one value and nothing else. One loop with a stack of its own: this is the hottest code of the crate.
    fn document(&mut self) -> Result<(), Flaw> {
        let bytes = self.bytes;
        if bytes.len() > u32::MAX as usize {
            return Err(Flaw::TooLong);
        }
        let around = self.open.len();
        let mut inside = Open { node: 0, start: 0, end: 0 };
        let mut key = ("", true);
        let mut at = token(bytes, 0);
        loop {
            // A value begins here.
            let start = at;
            match byte(bytes, at) {
                b'"' => {
                    let text = self.string(&mut at)?;
                    self.push(Kind::String, key, text);
                    if self.embeds && matches!(text.0.as_bytes(), [b'{' | b'[', ..]) {
                        self.embed(text.0);
                    }
                }
                first @ (b'{' | b'[') => {
                    self.open.push(inside);
                    let (kind, end) = if first == b'{' { (Kind::Object, b'}') } else { (Kind::Array, b']') };
                    inside = Open { node: self.nodes.len(), start, end };
                    self.push(kind, key, ("", false));
                    at = token(bytes, at + 1);
                    if byte(bytes, at) != end {
                        key = self.key(inside, &mut at)?;
                        continue;
                    }
                }
                _ => {
                    let kind = scalar(bytes, &mut at)?;
                    self.push(kind, key, (self.piece(start, at), true));
                }
            }
            // A value has ended, or an empty array or object is about to.
            loop {
                at = token(bytes, at);
                if inside.end == 0 {
                    return if at == bytes.len() { Ok(()) } else { Err(Flaw::Syntax(at)) };
                }
                match byte(bytes, at) {
                    b',' => {
                        at = token(bytes, at + 1);
                        key = self.key(inside, &mut at)?;
                        break;
                    }
                    end if end == inside.end => {
                        at += 1;
                        let size = small(self.nodes.len() - inside.node);
                        let text = self.piece(inside.start, at);
                        let node = &mut self.nodes[inside.node];
                        (node.text, node.size) = (text, size);
                        if self.open.len() > around + DEEPEST {
                            self.flatten(inside.node);
                        }
                        inside = self.open.pop().unwrap_or(inside);
                    }
                    _ => return Err(Flaw::Syntax(at)),
                }
            }
        }
    }

    /// Makes a string of the last array or object, which was read to its end and is thus known to be JSON.
    #[cold]
    fn flatten(&mut self, node: usize) {
        self.nodes.truncate(node + 1);
        let node = &mut self.nodes[node];
        (node.kind, node.size, node.clean.1) = (Kind::String, 1, false);
    }

    /// The key of the next value in an object, with its colon; nothing in an array.
    #[inline(always)]
    fn key(&mut self, inside: Open, at: &mut usize) -> Result<Piece<'a>, Flaw> {
        if inside.end == b']' {
            return Ok(("", true));
        }
        if byte(self.bytes, *at) != b'"' {
            return Err(Flaw::Syntax(*at));
        }
        let key = self.string(at)?;
        let colon = token(self.bytes, *at);
        if byte(self.bytes, colon) != b':' {
            return Err(Flaw::Syntax(colon));
        }
        *at = token(self.bytes, colon + 1);
        Ok(key)
    }

    /// A string, from its opening quote to after its closing one.
    #[inline(always)]
    fn string(&mut self, at: &mut usize) -> Result<Piece<'a>, Flaw> {
        let start = *at + 1;
        let end = clean_until(self.bytes, start);
        if byte(self.bytes, end) == b'"' {
            *at = end + 1;
            return Ok((self.piece(start, end), true));
        }
        *at = end;
        self.string_with_escapes(start, at)
    }

    #[cold]
    fn string_with_escapes(&mut self, start: usize, at: &mut usize) -> Result<Piece<'a>, Flaw> {
        let (mut run, mut length) = (start, 0);
        loop {
            let clean = &self.bytes[run..*at];
            let Some(room) = self.free.get_mut(length..length + clean.len() + 4) else {
                return Err(Flaw::TooLong);
            };
            room[..clean.len()].copy_from_slice(clean);
            length += clean.len();
            match byte(self.bytes, *at) {
                b'"' => break,
                b'\\' => {
                    *at += 1;
                    let decoded = escape(self.bytes, at)?;
                    length += decoded.encode_utf8(&mut self.free[length..]).len();
                }
                _ => return Err(Flaw::Syntax(*at)),
            }
            run = *at;
            *at = clean_until(self.bytes, run);
        }
        *at += 1;
        let (text, free) = std::mem::take(&mut self.free).split_at_mut(length);
        self.free = free;
        // Whole characters were put together, so that this is always UTF-8.
        Ok((std::str::from_utf8(text).unwrap_or_default(), false))
    }

    /// Reads the JSON that the string just pushed holds, and puts it below it; nothing if it is none.
    #[cold]
    fn embed(&mut self, text: &'a str) {
        let (own, around) = (self.nodes.len(), self.open.len());
        let (open, nodes, free) = (&mut *self.open, &mut *self.nodes, std::mem::take(&mut self.free));
        let mut parser = Parser { text, bytes: text.as_bytes(), nodes, free, open, embeds: false };
        let parsed = parser.document();
        self.free = parser.free;
        self.open.truncate(around);
        if parsed.is_ok() {
            self.nodes[own - 1].size = small(self.nodes.len() - own + 1);
        } else {
            self.nodes.truncate(own);
        }
    }

    /// A piece of the text. The parser stops at ASCII bytes only, so that it is always there.
    #[inline]
    fn piece(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    #[inline(always)]
    fn push(&mut self, kind: Kind, key: Piece<'a>, text: Piece<'a>) {
        let clean = (key.1, text.1);
        self.nodes.push(Node { key: key.0, text: text.0, size: 1, kind, clean, used: Cell::new(false) });
    }
}

/// The byte there; 0, which JSON has nowhere outside of strings, beyond the end.
#[inline(always)]
fn byte(bytes: &[u8], at: usize) -> u8 {
    match bytes.get(at) {
        Some(byte) => *byte,
        None => 0,
    }
}

/// The place of the first byte from `at` on that is no white space.
#[inline(always)]
fn token(bytes: &[u8], at: usize) -> usize {
    // Machines write JSON without white space.
    if byte(bytes, at) > b' ' { at } else { token_behind_space(bytes, at) }
}

#[cold]
fn token_behind_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// A number or a word.
fn scalar(bytes: &[u8], at: &mut usize) -> Result<Kind, Flaw> {
    let (word, kind) = match byte(bytes, *at) {
        b't' => ("true", Kind::Bool),
        b'f' => ("false", Kind::Bool),
        b'n' => ("null", Kind::Null),
        _ => return number(bytes, at),
    };
    if !bytes[*at..].starts_with(word.as_bytes()) {
        return Err(Flaw::Syntax(*at));
    }
    *at += word.len();
    Ok(kind)
}

fn number(bytes: &[u8], at: &mut usize) -> Result<Kind, Flaw> {
    if byte(bytes, *at) == b'-' {
        *at += 1;
    }
    if byte(bytes, *at) == b'0' {
        *at += 1;
    } else {
        digits(bytes, at)?;
    }
    if byte(bytes, *at) == b'.' {
        *at += 1;
        digits(bytes, at)?;
    }
    if let b'e' | b'E' = byte(bytes, *at) {
        *at += 1;
        if let b'+' | b'-' = byte(bytes, *at) {
            *at += 1;
        }
        digits(bytes, at)?;
    }
    Ok(Kind::Number)
}

/// At least one digit.
fn digits(bytes: &[u8], at: &mut usize) -> Result<(), Flaw> {
    let start = *at;
    while byte(bytes, *at).is_ascii_digit() {
        *at += 1;
    }
    if *at == start { Err(Flaw::Syntax(start)) } else { Ok(()) }
}

/// What an escape stands for, from after its backslash. Half of a surrogate pair, which is no character, becomes U+FFFD.
fn escape(bytes: &[u8], at: &mut usize) -> Result<char, Flaw> {
    let letter = byte(bytes, *at);
    *at += 1;
    Ok(match letter {
        b'"' | b'\\' | b'/' => char::from(letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let first = hex(bytes, at)?;
            if !(0xD800..0xDC00).contains(&first) || !bytes[*at..].starts_with(b"\\u") {
                return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            let mut after = *at + 2;
            let second = hex(bytes, &mut after)?;
            if !(0xDC00..0xE000).contains(&second) {
                return Ok(char::REPLACEMENT_CHARACTER);
            }
            *at = after;
            let joined = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => return Err(Flaw::Syntax(*at - 1)),
    })
}

/// Four hexadecimal digits.
fn hex(bytes: &[u8], at: &mut usize) -> Result<u32, Flaw> {
    let mut value = 0;
    for _ in 0..4 {
        let Some(digit) = char::from(byte(bytes, *at)).to_digit(16) else { return Err(Flaw::Syntax(*at)) };
        value = value * 16 + digit;
        *at += 1;
    }
    Ok(value)
}

/// Counts of nodes fit, as texts above 4 GiB are refused.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
const fn small(count: usize) -> u32 {
    count as u32
}
