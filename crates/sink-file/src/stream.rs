//! Standard output: whole lines, and no memory.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use bytes::{Buf, Bytes};

use crate::failure::Failure;
use crate::handle::{Handle, append_all};

/// Writes lines to something that cannot be cut back: what was written stays, and comes twice when its write failed
/// later on. A line that was torn by a failure is completed before anything else is written.
pub(crate) struct Stream {
    handle: Box<dyn Handle>,
    /// Standard output led into a file can be made durable; a pipe or a terminal cannot.
    durable: bool,
    /// The rest of a torn line.
    owed: Bytes,
}

impl Stream {
    /// Standard output, past the buffer of the standard library.
    pub(crate) fn standard_output() -> Result<Self, Failure> {
        let failed = |error| Failure::io("open", Path::new("standard output"))(error);
        let file = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(failed)?);
        Self::new(Box::new(file)).map_err(failed)
    }

    pub(crate) fn new(handle: Box<dyn Handle>) -> io::Result<Self> {
        let durable = handle.metadata()?.is_file();
        Ok(Self { handle, durable, owed: Bytes::new() })
    }

    /// Writes whole lines.
    pub(crate) fn append(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        // Two sinks on standard output, or one and a `println`, take turns: a pipe takes large writes in pieces.
        let _turn = io::stdout().lock();
        self.try_append(lines).map_err(Failure::io("write to", Path::new("standard output")))
    }

    fn try_append(&mut self, lines: &[Bytes]) -> io::Result<()> {
        if !self.owed.is_empty() {
            let mut written = 0;
            let result = append_all(&mut *self.handle, std::slice::from_ref(&self.owed), &mut written);
            // No more than there is was written, so it fits.
            self.owed.advance(written as usize);
            result?;
        }
        let mut written = 0;
        let result = append_all(&mut *self.handle, lines, &mut written);
        if result.is_err() {
            self.owed = rest_of_line(lines, written);
        }
        result?;
        if self.durable {
            self.handle.sync()?;
        }
        Ok(())
    }
}

/// What is missing of the line that is torn when `written` bytes of `lines` are out; nothing at a line break.
fn rest_of_line(lines: &[Bytes], written: u64) -> Bytes {
    let mut begin = 0;
    for slice in lines {
        let end = begin + slice.len() as u64;
        if written < end {
            // Within the slice, so it fits. A slice begins with a line, so its start is no tear.
            let at = (written - begin) as usize;
            if at == 0 || slice[at - 1] == b'\n' {
                break;
            }
            let line_break = slice[at..].iter().position(|byte| *byte == b'\n');
            return slice.slice(at..line_break.map_or(slice.len(), |found| at + found + 1));
        }
        begin = end;
    }
    Bytes::new()
}
