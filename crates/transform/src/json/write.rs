//! Writing events: straight into the batch buffer, no intermediate tree.

use pipeline::Timestamp;

use super::scan::{Marks, marks};
use crate::entry::Text;

/// `,"name":` as one constant, so that a key is one copy.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(crate) use key;

/// Appends JSON to a buffer. Keys are given by [`key!`] with the comma before them; the comma is left out after an
/// opening brace, so optional members need no bookkeeping.
pub(crate) struct Line<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Line<'b> {
    pub(crate) fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Text that is JSON already.
    #[inline]
    pub(crate) fn push(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }

    /// A key, or any text that begins with the comma before a member.
    #[inline]
    pub(crate) fn key(&mut self, key: &'static str) {
        let skip = usize::from(self.out.last() == Some(&b'{'));
        self.out.extend_from_slice(&key.as_bytes()[skip..]);
    }

    /// The comma before an array's item or a member whose key follows, unless it is the first.
    #[inline]
    pub(crate) fn item(&mut self) {
        if !matches!(self.out.last(), Some(b'[' | b'{')) {
            self.out.push(b',');
        }
    }

    /// A member that is a string, and the note that its source has been used.
    #[inline]
    pub(crate) fn text(&mut self, key: &'static str, text: Text<'_>) {
        self.key(key);
        self.quoted(text);
        text.mark_used();
    }

    /// A member that is a string, if there is one.
    #[inline]
    pub(crate) fn maybe(&mut self, key: &'static str, text: Option<Text<'_>>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// A member that is a string of unknown content.
    pub(crate) fn string(&mut self, key: &'static str, text: &str) {
        self.key(key);
        self.out.push(b'"');
        escape(self.out, text.as_bytes());
        self.out.push(b'"');
    }

    /// A member that is a whole number.
    #[inline]
    pub(crate) fn number(&mut self, key: &'static str, number: impl itoa::Integer) {
        self.key(key);
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A member that is a moment, as RFC 3339 in UTC with milliseconds.
    pub(crate) fn moment(&mut self, key: &'static str, moment: Timestamp) {
        self.key(key);
        self.out.push(b'"');
        crate::rfc3339::write(self.out, moment);
        self.out.push(b'"');
    }

    /// A string value.
    #[inline]
    pub(crate) fn quoted(&mut self, text: Text<'_>) {
        self.out.push(b'"');
        if text.clean {
            self.out.extend_from_slice(text.value.as_bytes());
        } else {
            escape(self.out, text.value.as_bytes());
        }
        self.out.push(b'"');
    }

    /// A string value of two parts.
    pub(crate) fn joined(&mut self, first: Text<'_>, second: Text<'_>) {
        self.quoted(first);
        self.out.pop();
        let quote = self.out.len();
        self.quoted(second);
        self.out.remove(quote);
    }

    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.out.truncate(len);
    }

    /// The buffer itself, for what is not JSON text.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.out
    }
}

/// The letter after the backslash for each byte that has a short escape, `u` for other control characters, 0 for none.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 0x20 {
        table[n] = b'u';
        n += 1;
    }
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[0x08] = b'b';
    table[0x0c] = b'f';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\t' as usize] = b't';
    table
};

/// Appends `text`, which is UTF-8, as the inside of a JSON string.
pub(crate) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    // In blocks, so that the room made ahead stays small and a control character costs no more than its block.
    for block in text.chunks(4096) {
        let start = out.len();
        if !escape_short(out, block) {
            out.truncate(start);
            escape_any(out, block);
        }
    }
}

/// Escapes text in which no byte needs more than two; false when one does.
fn escape_short(out: &mut Vec<u8>, source: &[u8]) -> bool {
    let start = out.len();
    // Every byte may become two, and chunks of sixteen are copied whole.
    out.resize(start + 2 * source.len() + 16, 0);
    let target = &mut out[start..];
    let (mut from, mut to) = (0, 0);
    // A copy may begin at a chunk's last byte.
    while from + 32 <= source.len() {
        let chunk = &source[from..from + 32];
        let Marks { mut escaped, control } = marks(chunk.first_chunk().unwrap_or(&[0; 16]));
        if control != 0 {
            if !escape_bytes(target, &mut to, &chunk[..16]) {
                return false;
            }
            from += 16;
            continue;
        }
        let mut done = 0;
        while escaped != 0 {
            let mark = escaped.trailing_zeros() as usize;
            target[to..to + 16].copy_from_slice(&chunk[done..done + 16]);
            to += mark - done;
            target[to] = b'\\';
            to += 1;
            done = mark;
            escaped &= escaped - 1;
        }
        target[to..to + 16].copy_from_slice(&chunk[done..done + 16]);
        to += 16 - done;
        from += 16;
    }
    if !escape_bytes(target, &mut to, &source[from..]) {
        return false;
    }
    out.truncate(start + to);
    true
}

fn escape_bytes(target: &mut [u8], to: &mut usize, source: &[u8]) -> bool {
    for byte in source {
        match ESCAPES[usize::from(*byte)] {
            0 => {
                target[*to] = *byte;
                *to += 1;
            }
            b'u' => return false,
            letter => {
                target[*to..*to + 2].copy_from_slice(&[b'\\', letter]);
                *to += 2;
            }
        }
    }
    true
}

fn escape_any(out: &mut Vec<u8>, source: &[u8]) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    for &byte in source {
        match ESCAPES[usize::from(byte)] {
            0 => out.push(byte),
            b'u' => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
    }
}
