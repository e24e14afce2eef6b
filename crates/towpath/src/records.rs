//! Cutting a stream of bytes into records: NDJSON, JSON arrays, the API's page objects, or objects one after the other.

use std::io::{self, Read};
use std::sync::LazyLock;

use memchr::{memchr, memmem, memrchr};
use serde_json::value::RawValue;

/// Bytes read at a time: fewer cost more in handing blocks from thread to thread than they save in cache.
const BLOCK: usize = 256 << 10;

/// A record without an end is cut here, and what is left of it is a record of its own: memory stays bounded.
const LONGEST: usize = 64 << 20;

/// Cuts input into blocks that hold whole records.
pub(crate) struct Blocks<R> {
    input: R,
    /// Bytes read at a time.
    block: usize,
    rest: Vec<u8>,
    form: Option<Form>,
    ended: bool,
}

/// How records stand in the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// One a line.
    #[default]
    Lines,
    /// Elements of an array, or values one after the other, over any number of lines.
    Values,
}

/// Some records, to be told apart by [`Block::records`].
#[derive(Debug, Default)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    form: Form,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(input: R) -> Self {
        Self::of_size(BLOCK, input)
    }

    fn of_size(block: usize, input: R) -> Self {
        Self { input, block, rest: Vec::new(), form: None, ended: false }
    }

    /// Puts the next block into `block`, whose memory is used again; false at the end.
    pub(crate) fn next(&mut self, block: &mut Block) -> io::Result<bool> {
        loop {
            let read = self.fill()?;
            if self.rest.is_empty() {
                return Ok(false);
            }
            let form = match self.form.or_else(|| guess(&self.rest, self.ended)) {
                Some(form) => *self.form.insert(form),
                // Nothing but white space to the end.
                None if self.ended => return Ok(false),
                None => continue,
            };
            let end = match form {
                _ if self.ended => Some(self.rest.len()),
                Form::Lines => memrchr(b'\n', &self.rest).map(|at| at + 1),
                Form::Values => values_end(&self.rest),
            };
            let end = end.or_else(|| (self.rest.len() >= LONGEST).then_some(self.rest.len()));
            if let Some(end) = end {
                block.form = form;
                block.bytes.clear();
                block.bytes.extend_from_slice(&self.rest[end..]);
                std::mem::swap(&mut block.bytes, &mut self.rest);
                block.bytes.truncate(end);
                return Ok(true);
            }
            debug_assert!(read > 0, "at the end of the input everything is a block");
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        // A value that goes on for long is looked through again each time, so each time it is read twice as far.
        let more = self.block.max(self.rest.len());
        self.rest.reserve(more);
        let read = self.input.by_ref().take(more as u64).read_to_end(&mut self.rest)?;
        self.ended = read == 0;
        Ok(read)
    }
}

/// Lines, unless the input is an array or its first line is only a part of a value.
fn guess(text: &[u8], ended: bool) -> Option<Form> {
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let text = &text[start..];
    if text[0] == b'[' {
        return Some(Form::Values);
    }
    let Some(end) = memchr(b'\n', text) else {
        return (ended || text.len() >= BLOCK).then_some(Form::Lines);
    };
    if end + 1 == text.len() && !ended {
        // What the next line begins with is not read yet.
        return None;
    }
    let continued = text.get(end + 1).is_some_and(|next| matches!(next, b' ' | b'\t' | b'}'));
    let opened = matches!(text[..end].trim_ascii_end().last(), Some(b'{' | b'[' | b','));
    Some(if continued && opened { Form::Values } else { Form::Lines })
}

/// Where the last value that is whole ends.
fn values_end(text: &[u8]) -> Option<usize> {
    let mut end = None;
    let mut values = Values { text, at: 0 };
    while values.next_span().is_some_and(|(_, whole)| whole) {
        end = Some(values.at);
    }
    end
}

/// Values in a text, with whatever stands between them: commas, the brackets of an outer array, white space.
struct Values<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Values<'a> {
    /// The next value, and whether its end was seen.
    fn next_span(&mut self) -> Option<(&'a [u8], bool)> {
        let between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']');
        let start = self.at + self.text[self.at..].iter().position(|byte| !between(byte))?;
        let (mut at, mut depth, mut in_string) = (start, 0_u32, false);
        while at < self.text.len() {
            match self.text[at] {
                b'\\' if in_string => at += 1,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 0 => depth -= 1,
                b',' | b']' | b'\n' if depth == 0 => {
                    self.at = at;
                    return Some((&self.text[start..at], true));
                }
                _ => {}
            }
            at += 1;
            if depth == 0 && !in_string && matches!(self.text.get(at - 1), Some(b'}' | b']')) {
                self.at = at;
                return Some((&self.text[start..at], true));
            }
        }
        self.at = self.text.len();
        Some((&self.text[start..], false))
    }
}

impl Block {
    /// Calls `take` with each record's text.
    pub(crate) fn records(&self, mut take: impl FnMut(&[u8])) {
        match self.form {
            Form::Lines => {
                let mut rest = &self.bytes[..];
                while !rest.is_empty() {
                    let end = memchr(b'\n', rest).unwrap_or(rest.len());
                    unwrap_page(rest[..end].trim_ascii(), &mut take);
                    rest = rest.get(end + 1..).unwrap_or_default();
                }
            }
            Form::Values => {
                let mut values = Values { text: &self.bytes, at: 0 };
                while let Some((text, _)) = values.next_span() {
                    unwrap_page(text.trim_ascii_end(), &mut take);
                }
            }
        }
    }
}

/// A page of the API (`{"trails": [...], "nextCursor": …}`) gives its records, everything else is one.
fn unwrap_page(text: &[u8], take: &mut impl FnMut(&[u8])) {
    #[derive(serde::Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        trails: Vec<&'a RawValue>,
    }
    if text.is_empty() {
        return;
    }
    // Only a page has this key near its start; a record that mentions the word elsewhere is not taken apart.
    static KEY: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(b"\"trails\""));
    let head = &text[..text.len().min(200)];
    if KEY.find(head).is_some()
        && let Ok(page) = serde_json::from_slice::<Page<'_>>(text)
    {
        for record in page.trails {
            take(record.get().as_bytes());
        }
        return;
    }
    take(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<String> {
        let collect = |mut blocks: Blocks<&[u8]>| {
            let (mut found, mut block) = (Vec::new(), Block::default());
            while blocks.next(&mut block).unwrap() {
                block.records(|record| found.push(String::from_utf8_lossy(record).into_owned()));
            }
            found
        };
        let whole = collect(Blocks::new(text.as_bytes()));
        for size in 1..10 {
            assert_eq!(collect(Blocks::of_size(size, text.as_bytes())), whole, "{text}");
        }
        whole
    }

    #[test]
    fn every_form_of_input_gives_the_same_records() {
        let expected = [r#"{"id":1,"s":"a]}\"[,"}"#, r#"{"id":2,"o":{"a":[1,{}]}}"#, "{}"];
        let [a, b, c] = expected;
        for text in [
            format!("{a}\n{b}\n{c}\n"),
            format!("{a}\r\n\n  {b}\n{c}"),
            format!("[{a},{b},{c}]"),
            format!("[\n  {a},\n  {b},\n  {c}\n]\n"),
            format!("{{\"trails\":[{a},{b}],\"nextCursor\":7}}\n{{\"nextCursor\":null,\"trails\":[{c}]}}\n"),
            format!("[{{\"trails\":[{a},{b}]}},{{\"trails\":[{c}]}}]"),
        ] {
            assert_eq!(records(&text), expected, "{text}");
        }
    }

    #[test]
    fn objects_over_many_lines_are_records_as_they_stand() {
        let (a, b) = ("{\n  \"id\": 1,\n  \"x\": [\n    1\n  ]\n}", "{\n \"id\": 2\n}");
        assert_eq!(records(&format!("{a}\n{b}\n")), [a, b]);
        assert_eq!(records(a), [a]);
    }

    #[test]
    fn bad_records_stay_records() {
        assert_eq!(records("{\"id\":1\nnot json\n7\n\"x\"\n"), ["{\"id\":1", "not json", "7", "\"x\""]);
        assert_eq!(records("[1,\"a,b\",{\"open\":[}"), ["1", "\"a,b\"", "{\"open\":[}"]);
        assert_eq!(records(""), [""; 0]);
        assert_eq!(records(" \n\n"), [""; 0]);
        assert_eq!(records("[]"), [""; 0]);
    }
}
