//! The end of a file that was not closed properly, or that somebody else wrote.
//!
//! Whatever Towpath acknowledged ends in a line break, so bytes behind the last one are either a write that a crash tore,
//! and come again, or somebody else's, and are not ours to destroy. What they are is told by their look:
//!
//! | behind the last line break | done |
//! |---|---|
//! | nothing | nothing |
//! | the beginning of an object, array or string, `{…`, `[…` or `"…` not closed, or closed over NUL bytes | cut off |
//! | a whole one, and perhaps NUL bytes | ended: the NUL bytes are cut off and a line break is added |
//! | NUL bytes alone, in a file that begins with one of these or has nothing else | cut off |
//! | other text | ended: a line break is added |
//! | other bytes with NUL among them, or more than 64 MiB | refused: this is no file of lines |
//!
//! NUL bytes are what some file systems show after a power failure for bytes that were never written down.

use std::io;

use crate::handle::Handle;

/// How far back the last line break is looked for. No event is as long as this.
const REACH: u64 = 64 << 20;
/// How much is read at once.
const BLOCK: u64 = 64 << 10;

/// What to do with the end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    /// The file is empty or ends in a line break.
    Nothing,
    /// Cut it to this length.
    Cut(u64),
    /// Cut it to this length, which may be the one that it has, and add a line break.
    End(u64),
    /// Leave it alone, and do not append to it.
    Refuse,
}

/// Looks at the end of a file of `len` bytes. Reads no more than the last line, in small blocks.
pub(crate) fn inspect(file: &dyn Handle, len: u64) -> io::Result<Repair> {
    inspect_within(REACH, file, len)
}

fn inspect_within(reach: u64, file: &dyn Handle, len: u64) -> io::Result<Repair> {
    let Some(start) = after_last_line_break(reach, file, len)? else { return Ok(Repair::Refuse) };
    if start == len {
        return Ok(Repair::Nothing);
    }
    let mut line = Line::default();
    let mut at = start;
    while at < len {
        let block = read(file, at, len.min(at + BLOCK))?;
        block.iter().for_each(|byte| line.take(*byte));
        at += block.len() as u64;
    }
    Ok(match line.look() {
        Look::Torn => Repair::Cut(start),
        Look::Whole { bytes } => Repair::End(start + bytes),
        Look::Nul if start == 0 || begins_a_value(read(file, 0, 1)?[0]) => Repair::Cut(start),
        Look::Text => Repair::End(len),
        Look::Nul | Look::Binary => Repair::Refuse,
    })
}

/// Where the last line begins; `None` when that is out of reach.
fn after_last_line_break(reach: u64, file: &dyn Handle, len: u64) -> io::Result<Option<u64>> {
    let floor = len.saturating_sub(reach);
    let mut end = len;
    while end > floor {
        let start = end.saturating_sub(BLOCK).max(floor);
        if let Some(at) = read(file, start, end)?.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + at as u64 + 1));
        }
        end = start;
    }
    Ok((floor == 0).then_some(0))
}

fn read(file: &dyn Handle, from: u64, to: u64) -> io::Result<Vec<u8>> {
    // At most `BLOCK`, so it fits.
    let mut block = vec![0; (to - from) as usize];
    file.read_at(&mut block, from)?;
    Ok(block)
}

/// What a line looks like.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Torn,
    Whole { bytes: u64 },
    Nul,
    Text,
    Binary,
}

/// Whether a value begins so that ends with a byte of its own, as all lines of Towpath's do: records are objects, but the
/// schema `raw` keeps what comes.
const fn begins_a_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"')
}

/// Reads a line byte by byte: as a value by its brackets and quotes alone, as anything else by its NUL bytes.
#[derive(Debug, Default)]
struct Line {
    length: u64,
    nul: u64,
    is_value: bool,
    depth: u64,
    in_string: bool,
    escaped: bool,
    /// Length up to the bracket or quote that closes the value.
    closed: Option<u64>,
    nul_inside: bool,
}

impl Line {
    fn take(&mut self, byte: u8) {
        if self.length == 0 {
            self.is_value = begins_a_value(byte);
        }
        self.length += 1;
        self.nul += u64::from(byte == 0);
        if !self.is_value {
            return;
        }
        if self.closed.is_some() {
            // Nothing follows a value on its line.
            self.is_value = byte == 0 || byte.is_ascii_whitespace();
            return;
        }
        self.nul_inside |= byte == 0;
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        if self.depth == 0 && !self.in_string {
            self.closed = Some(self.length);
        }
    }

    fn look(&self) -> Look {
        match self.closed {
            Some(bytes) if self.is_value && !self.nul_inside => Look::Whole { bytes },
            _ if self.is_value => Look::Torn,
            _ if self.nul == self.length => Look::Nul,
            _ if self.nul == 0 => Look::Text,
            _ => Look::Binary,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn inspected(content: &[u8]) -> Repair {
        let mut file: File = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        inspect(&file, content.len() as u64).unwrap()
    }

    #[test]
    fn each_look_has_its_treatment() {
        for (content, repair) in [
            ("", Repair::Nothing),
            ("\n", Repair::Nothing),
            ("{\"a\":1}\n", Repair::Nothing),
            ("hello\n", Repair::Nothing),
            ("{\"a\":1}\n{\"b\":", Repair::Cut(8)),
            ("{\"a\":1}\n{", Repair::Cut(8)),
            ("{\"a\":\"}", Repair::Cut(0)),
            ("{\"a\":\"\\\"}", Repair::Cut(0)),
            ("{\"a\":[{}]", Repair::Cut(0)),
            ("{\"a\":1}\n{\"b\":\"x\0\0\0", Repair::Cut(8)),
            ("{\"a\":1}\n{\"b\":\"x\0\0\0\"}", Repair::Cut(8)),
            ("{\"a\":1}\n\0\0\0", Repair::Cut(8)),
            ("{\"a\":1}\n\"a \\\"", Repair::Cut(8)),
            ("{\"a\":1}\n[1,[2]", Repair::Cut(8)),
            ("\"a\"\n\"b\"", Repair::End(7)),
            ("[1]\n[2]", Repair::End(7)),
            ("[1]\n\0", Repair::Cut(4)),
            ("[2026-11-22 00:00:01] hello", Repair::End(27)),
            ("{\"a\":1}]]", Repair::End(9)),
            ("\0\0\0", Repair::Cut(0)),
            ("{\"a\":1}\n{\"b\":2}", Repair::End(15)),
            ("{\"a\":1}\n{\"b\":2}\0\0", Repair::End(15)),
            ("{\"a\":\"\\\\\"}", Repair::End(10)),
            ("{\"a\":\"\\\"]\"}", Repair::End(11)),
            ("hello", Repair::End(5)),
            ("{\n \"a\": 1\n}", Repair::End(11)),
            ("{} and more", Repair::End(11)),
            ("{\"a\":1}{\"b\"", Repair::End(11)),
            ("SQLite format 3\n\0\0", Repair::Refuse),
            ("h\0e\0l\0l\0o\0", Repair::Refuse),
            ("{\"a\":1}\nhello\0", Repair::Refuse),
        ] {
            assert_eq!(inspected(content.as_bytes()), repair, "{content:?}");
        }
    }

    #[test]
    fn a_long_last_line_is_followed_over_many_blocks_but_not_for_ever() {
        let block = BLOCK as usize;
        for length in [block - 9, block - 8, block - 7, 3 * block, 3 * block + 1] {
            let mut content = b"{\"a\":1}\n{\"b\":\"".to_vec();
            content.resize(content.len() + length, b'x');
            assert_eq!(inspected(&content), Repair::Cut(8), "{length}");
            content.extend_from_slice(b"\"}");
            assert_eq!(inspected(&content), Repair::End(content.len() as u64), "{length}");
        }
        // Holes of a sparse file read as NUL bytes.
        let reach = 2 * BLOCK + 1;
        let file: File = tempfile::tempfile().unwrap();
        file.set_len(reach).unwrap();
        assert_eq!(inspect_within(reach, &file, reach).unwrap(), Repair::Cut(0));
        file.set_len(reach + 1).unwrap();
        assert_eq!(inspect_within(reach, &file, reach + 1).unwrap(), Repair::Refuse);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_file_torn_at_any_length_keeps_its_whole_lines_and_no_other(
            values in prop::collection::vec(("\\PC{0,20}", -1e9..1e9f64, any::<bool>()), 1..4),
        ) {
            let lines: Vec<String> = values
                .iter()
                .map(|(text, number, flag)| {
                    format!("{}\n", serde_json::json!({"t": text, "n": [number, {"f": flag}, null]}))
                })
                .collect();
            let content: String = lines.concat();
            let mut file: File = tempfile::tempfile().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let mut start = 0;
            for line in lines {
                let end = start + line.len() as u64;
                for len in start..end {
                    let expected = match len {
                        _ if len == start => Repair::Nothing,
                        _ if len + 1 == end => Repair::End(len),
                        _ => Repair::Cut(start),
                    };
                    prop_assert_eq!(inspect(&file, len).unwrap(), expected, "{} of {:?}", len, content);
                }
                start = end;
            }
        }
    }
}
