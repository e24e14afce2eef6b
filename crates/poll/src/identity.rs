//! Which sightings of a record are the same record: [`record_id`].
//!
//! APIs repeat records, between pages and between polls, and not always with the same bytes: members change places,
//! `é` becomes `\u00e9`, and some members tell the state of the moment of asking, not of the event ([`Members`]).
//! Whatever else differs is another version, which must be delivered. So two texts get the same content hash if and, but
//! for chance, only if they are the same JSON.
//!
//! # The content hash
//! It is stored with the position, so this definition never changes; the tests pin it. `h` is XXH3-64 without a seed,
//! numbers and tags stand as 64 bits in little endian.
//!
//! | value | hash |
//! |---|---|
//! | `null`, `true`, `false` | `h(text)` |
//! | number | `h(text)`, so that `1`, `1.0` and `1e0` differ |
//! | string | `h("` its content unescaped, in UTF-8 `")`; half a surrogate pair is three bytes, as in WTF-8 |
//! | array | `h('[', number of elements, e)`, with `e = 0`, then `e = h(e, element)` for each in order |
//! | object | `h('{', number of members, m)`, with `m` the wrapping sum of `h(name, value)`, in whatever order |
//! | anything else | `h('!', length in bytes, h(bytes))` |
//! | the vendor's id, for [`RecordId::native`] | `h(text)` |
//!
//! The first byte of what is hashed tells the type, and counts and lengths stand beside the contents, so that different
//! values never hash the same input. Members of the same name all count, in any order. Members members neither count
//! nor add. "Anything else" is the whole text when it is not one JSON value in UTF-8 (RFC 8259), or is nested deeper
//! than 64 levels.

use std::ops::Range;

use pipeline::{RecordId, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::Path;

/// The identity of a record from its JSON `text`, which may be any bytes.
///
/// `native_id` is the vendor's id as text, a string's content or a number's digits, so that `"7"` and `7` are one id;
/// the content takes its place in a record without one. `time` is the record's own time, where it could be read.
///
/// ```
/// use poll::identity::{Members, record_id};
///
/// let volatile = Members::volatile(&["data.actor.active"]);
/// let id = |text: &str| record_id(text.as_bytes(), Some("7"), None, &volatile);
/// let first = id(r#"{"id": 7, "data": {"actor": {"name": "Zo\u00eb", "active": true}}}"#);
/// let again = id(r#"{"data":{"actor":{"active":false,"name":"Zoë"}},"id":7}"#);
/// assert_eq!(first, again);
/// ```
pub fn record_id(
    text: &[u8],
    native_id: Option<&str>,
    time: Option<Timestamp>,
    volatile: &Members,
) -> RecordId {
    let content = canonical_hash(text, volatile).unwrap_or_else(|| tagged(b'!', text.len(), xxh3_64(text)));
    Content(content).record_id(native_id, time)
}

/// The content hash of a record that is one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content(u64);

impl Content {
    /// Reads the JSON value that begins at byte `at` of `text`. Returns it with the place behind it, or nothing if there is
    /// no JSON value that is understood: [`record_id`] takes any text. For a page whose records are to be found and
    /// identified in one pass.
    pub fn read(text: &str, at: usize, members: &Members) -> Option<(Self, usize)> {
        Self::read_noting(text, at, members, &mut [])
    }

    /// The same, and notes where the members stand that are to be found: `places` has room for [`Members::places`], each
    /// none before.
    pub fn read_noting(
        text: &str,
        at: usize,
        members: &Members,
        places: &mut [Place],
    ) -> Option<(Self, usize)> {
        let mut reader = Reader { bytes: text.as_bytes(), at, unescaped: Vec::new(), places };
        let hash = reader.value(Some(members), 0)?;
        Some((Self(hash), reader.at))
    }

    /// As [`record_id`].
    pub fn record_id(self, native_id: Option<&str>, time: Option<Timestamp>) -> RecordId {
        RecordId {
            second: time.map_or(RecordId::TIMELESS, Timestamp::second),
            native: native_id.map_or(self.0, |id| xxh3_64(id.as_bytes())),
            content: self.0,
        }
    }
}

/// Members of a record that matter in one way or another: those that the content hash leaves out, because they tell how
/// things stand when the API is asked, and those whose place is to be found while the record is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    members: Vec<Member>,
    /// Members to find, here and below.
    slots: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: Box<str>,
    /// It is left out, whatever its value.
    volatile: bool,
    /// Where its place is noted.
    slot: Option<usize>,
    below: Members,
}

/// Where a member's value stands in the text that was read; none where it is not there.
pub type Place = Option<Range<u32>>;

impl Members {
    /// Those that are left out, as member paths, from the top of the record: `data.actor.active`. Paths lead through objects
    /// only, not into the elements of arrays.
    pub fn volatile(paths: &[&str]) -> Self {
        let mut members = Self::default();
        for path in paths {
            members.leave_out(&Path::of(&path.split('.').collect::<Vec<_>>()));
        }
        members
    }

    /// Leaves a member out of the content hash.
    pub fn leave_out(&mut self, path: &Path) {
        if let Some(member) = self.member_at(path.names()) {
            member.volatile = true;
        }
    }

    /// Wants the place of a member. Returns its number among the places; the same path has one number. Of members that
    /// stand there twice the first counts. The empty path is found nowhere.
    pub fn find(&mut self, path: &Path) -> usize {
        let next = self.slots;
        let slot = self.member_at(path.names()).map_or(next, |member| *member.slot.get_or_insert(next));
        self.slots = self.slots.max(slot + 1);
        slot
    }

    /// How many places are wanted.
    pub fn places(&self) -> usize {
        self.slots
    }

    fn member_at(&mut self, names: &[Box<str>]) -> Option<&mut Member> {
        let (name, rest) = names.split_first()?;
        let index = self.members.iter().position(|member| member.name == *name).unwrap_or_else(|| {
            let (name, below) = (name.clone(), Self::default());
            self.members.push(Member { name, volatile: false, slot: None, below });
            self.members.len() - 1
        });
        let member = &mut self.members[index];
        if rest.is_empty() { Some(member) } else { member.below.member_at(rest) }
    }

    fn member(&self, name: &[u8]) -> Option<&Member> {
        self.members.iter().find(|member| member.name.as_bytes() == name)
    }
}

/// Deepest nesting that is understood, which bounds the stack.
const MAX_DEPTH: usize = 64;

/// The content hash, or `None` if `text` is not one JSON value that is understood.
fn canonical_hash(text: &[u8], volatile: &Members) -> Option<u64> {
    let bytes = simdutf8::basic::from_utf8(text).ok()?.as_bytes();
    let mut reader = Reader { bytes, at: 0, unescaped: Vec::new(), places: &mut [] };
    reader.skip_space();
    let hash = reader.value(Some(volatile), 0)?;
    reader.skip_space();
    (reader.at == bytes.len()).then_some(hash)
}

fn tagged(tag: u8, count: usize, contents: u64) -> u64 {
    joined([u64::from(tag), count as u64, contents])
}

fn joined<const N: usize>(numbers: [u64; N]) -> u64 {
    xxh3_64(numbers.map(u64::to_le_bytes).as_flattened())
}

/// Reads JSON text once, from left to right, and hashes what it reads. `None` means: not JSON.
struct Reader<'t, 'p> {
    /// Valid UTF-8.
    bytes: &'t [u8],
    at: usize,
    places: &'p mut [Place],
    /// Room for the strings that are not written as they are.
    unescaped: Vec<u8>,
}

impl Reader<'_, '_> {
    fn value(&mut self, members: Option<&Members>, depth: usize) -> Option<u64> {
        let start = self.at;
        match self.peek()? {
            b'"' => return Some(xxh3_64(self.string()?)),
            b'{' if depth < MAX_DEPTH => return self.object(members, depth + 1),
            b'[' if depth < MAX_DEPTH => return self.array(depth + 1),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => return None,
        }
        Some(xxh3_64(&self.bytes[start..self.at]))
    }

    fn object(&mut self, members: Option<&Members>, depth: usize) -> Option<u64> {
        self.at += 1;
        self.skip_space();
        let (mut count, mut sum) = (0, 0_u64);
        if !self.take(b'}') {
            loop {
                if self.peek()? != b'"' {
                    return None;
                }
                let quoted = self.string()?;
                let name = xxh3_64(quoted);
                let known = members.and_then(|members| members.member(&quoted[1..quoted.len() - 1]));
                self.skip_space();
                if !self.take(b':') {
                    return None;
                }
                self.skip_space();
                let start = self.at;
                let value = self.value(known.map(|member| &member.below), depth)?;
                if let Some(slot) = known.and_then(|member| member.slot) {
                    self.note(slot, start);
                }
                if !known.is_some_and(|member| member.volatile) {
                    count += 1;
                    sum = sum.wrapping_add(joined([name, value]));
                }
                if !self.another(b'}')? {
                    break;
                }
            }
        }
        Some(tagged(b'{', count, sum))
    }

    /// The value that ends here began at `start`.
    fn note(&mut self, slot: usize, start: usize) {
        if let Some(place) = self.places.get_mut(slot).filter(|place| place.is_none()) {
            let end = u32::try_from(self.at).ok();
            *place = u32::try_from(start).ok().zip(end).map(|(start, end)| start..end);
        }
    }

    fn array(&mut self, depth: usize) -> Option<u64> {
        self.at += 1;
        self.skip_space();
        let (mut count, mut elements) = (0, 0);
        if !self.take(b']') {
            loop {
                count += 1;
                elements = joined([elements, self.value(None, depth)?]);
                if !self.another(b']')? {
                    break;
                }
            }
        }
        Some(tagged(b'[', count, elements))
    }

    /// Behind an element or member: whether another one follows, or else `end`.
    fn another(&mut self, end: u8) -> Option<bool> {
        self.skip_space();
        if self.take(b',') {
            self.skip_space();
            return Some(true);
        }
        self.take(end).then_some(false)
    }

    fn number(&mut self) -> Option<()> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let found = self.bytes[self.at..].starts_with(word);
        self.at += word.len();
        found.then_some(())
    }

    /// The string at the reader, which stands at its opening quote: its content without escapes, between quotes.
    #[inline(always)] // Called for every name and most values: a tenth of the whole time.
    fn string(&mut self) -> Option<&[u8]> {
        let start = self.at;
        self.at += 1;
        self.skip_plain();
        match self.next()? {
            b'"' => Some(&self.bytes[start..self.at]),
            b'\\' => self.escaped_string(start),
            _ => None,
        }
    }

    /// The rest of [`Self::string`] behind the first backslash.
    #[cold]
    fn escaped_string(&mut self, start: usize) -> Option<&[u8]> {
        self.unescaped.clear();
        self.unescaped.extend_from_slice(&self.bytes[start..self.at - 1]);
        loop {
            self.escape()?;
            let plain = self.at;
            self.skip_plain();
            self.unescaped.extend_from_slice(&self.bytes[plain..self.at]);
            match self.next()? {
                b'"' => break,
                b'\\' => {}
                _ => return None,
            }
        }
        self.unescaped.push(b'"');
        Some(&self.unescaped)
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<()> {
        let byte = match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.code_units(),
            _ => return None,
        };
        self.unescaped.push(byte);
        Some(())
    }

    /// What stands behind `\u`: a UTF-16 code unit, or a surrogate pair with the other half behind a `\u` of its own.
    fn code_units(&mut self) -> Option<()> {
        let mut code = self.four_hex_digits()?;
        if (0xd800..0xdc00).contains(&code) && self.bytes[self.at..].starts_with(b"\\u") {
            let behind_lead = self.at;
            self.at += 2;
            match self.four_hex_digits()? {
                trail @ 0xdc00..0xe000 => code = 0x1_0000 + ((code - 0xd800) << 10) + (trail - 0xdc00),
                _ => self.at = behind_lead,
            }
        }
        match char::from_u32(code) {
            Some(char) => self.unescaped.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            // Half a pair, as of a text that was cut by UTF-16 length. No valid UTF-8 has these bytes.
            None => {
                let low_bits = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
                self.unescaped.extend_from_slice(&[0xed, low_bits(6), low_bits(0)]);
            }
        }
        Some(())
    }

    fn four_hex_digits(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            code = code << 4 | char::from(self.next()?).to_digit(16)?;
        }
        Some(code)
    }

    /// To the next byte that does not stand for itself in a string: a quote, a backslash or a control character.
    fn skip_plain(&mut self) {
        // Eight bytes at a time: taking 1, or 0x20, from a byte sets its high bit if the byte was less. The borrow may
        // mark bytes above it too, but the lowest mark is true. No byte from 0x80 on is special.
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        while let Some(&chunk) = self.bytes[self.at..].first_chunk::<8>() {
            let word = u64::from_le_bytes(chunk);
            let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
            let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
            let control = word.wrapping_sub(ONES * 0x20);
            let special = (quote | backslash | control) & !word & (ONES << 7);
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over `byte` if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests;
