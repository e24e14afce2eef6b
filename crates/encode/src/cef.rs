//! CEF, version 0: ArcSight's Common Event Format, which QRadar, Sentinel and others read as well.
//!
//! `CEF:0|VENDOR|PRODUCT|VERSION|SIGNATURE|NAME|SEVERITY|KEY=VALUE KEY=VALUE …`
//!
//! In the header `|` and `\` are escaped with a backslash, and there are no line breaks. In values `=` and `\` are, line
//! breaks are `\n` and `\r`. Blanks in values are not escaped: a value ends where the next `KEY=` begins, which is why no
//! `=` may stand in one unescaped. (Implementing ArcSight Common Event Format, "Character encoding".)

use crate::runs::{escaped, push};

/// The header's fields.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Who made the program that sends.
    pub vendor: &'a str,
    /// What sends.
    pub product: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The kind of event.
    pub signature: &'a str,
    /// The kind of event, for people.
    pub name: &'a str,
    /// 0 to 10.
    pub severity: u8,
}

/// One event, written piece by piece.
#[derive(Debug)]
pub struct Event<'a> {
    out: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> Event<'a> {
    /// Begins an event at the end of `out`.
    pub fn begin(header: &Header<'_>, out: &'a mut Vec<u8>) -> Self {
        out.extend_from_slice(b"CEF:0|");
        for field in [header.vendor, header.product, header.version, header.signature, header.name] {
            escaped(field, out, [b'|', b'\\'], |c, out| match c {
                '|' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
                c if c.is_control() => out.push(b' '),
                c => push(c, out),
            });
            out.push(b'|');
        }
        out.extend_from_slice(itoa::Buffer::new().format(header.severity.min(10)).as_bytes());
        out.push(b'|');
        Self { out, is_first: true }
    }

    /// Adds a value. Control characters other than line breaks become blanks; an empty value is left out.
    pub fn value(&mut self, key: &'static str, value: &str) {
        if value.is_empty() {
            return;
        }
        self.key(key);
        escaped(value, self.out, [b'=', b'\\'], |c, out| match c {
            '=' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            c if c.is_control() => out.push(b' '),
            c => push(c, out),
        });
    }

    /// Adds a document of JSON as a value: unescaped it is the same document, also where it holds control characters.
    pub fn json(&mut self, key: &'static str, document: &str) {
        self.key(key);
        escaped(document, self.out, [b'=', b'\\'], |c, out| match c {
            '=' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
            // Between the tokens of JSON, which has none of these within its texts.
            '\0'..='\x1f' => out.push(b' '),
            // Within a text of JSON.
            c if c.is_control() => out.extend_from_slice(format!("\\\\u{:04x}", c as u32).as_bytes()),
            c => push(c, out),
        });
    }

    fn key(&mut self, key: &'static str) {
        debug_assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'=');
    }
}

#[cfg(test)]
mod tests;
