//! Frames, written and read.

use super::number::Number;
use super::shown;
use crate::failure::Failure;

/// Longest answer that is read; those of librelp have a few dozen bytes.
const MOST_DATA: usize = 64 << 10;

/// Longest beginning of a frame: number, command (32 letters), length, and blanks.
const MOST_HEAD: usize = 9 + 1 + 32 + 1 + 9 + 1;

/// A frame that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Nothing for what the receiver says of its own accord.
    pub(super) number: Option<Number>,
    pub(super) command: String,
    pub(super) data: Vec<u8>,
}

/// Adds a frame.
pub(super) fn push(number: Number, command: &str, data: &[u8], out: &mut Vec<u8>) {
    let head = format!("{} {command} {}", number.get(), data.len());
    out.extend_from_slice(head.as_bytes());
    if !data.is_empty() {
        out.push(b' ');
        out.extend_from_slice(data);
    }
    out.push(b'\n');
}

/// Bytes that came and are no whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Inbox(Vec<u8>);

impl Inbox {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Takes the next frame, if it is whole.
    ///
    /// # Errors
    /// What came is no RELP.
    pub(super) fn next(&mut self, server: &str) -> Result<Option<Frame>, Failure> {
        match parse(&self.0) {
            Ok(Some((frame, length))) => {
                self.0.drain(..length);
                Ok(Some(frame))
            }
            Ok(None) => Ok(None),
            Err(NoFrame) => {
                let words = shown(&self.0);
                Err(Failure::NotRelp { server: server.to_owned(), words })
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct NoFrame;

/// The first frame and its length, or nothing while it is not whole.
fn parse(bytes: &[u8]) -> Result<Option<(Frame, usize)>, NoFrame> {
    let mut at = 0;
    let Some((number, _)) = word(bytes, &mut at)? else { return Ok(None) };
    let number = digits(number)?;
    let Some((command, _)) = word(bytes, &mut at)? else { return Ok(None) };
    if !command.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(NoFrame);
    }
    let Some((length, end)) = word(bytes, &mut at)? else { return Ok(None) };
    let length = digits(length)? as usize;
    // Without data the line break follows; some send the blank all the same.
    let has_blank = end == b' ';
    if length > MOST_DATA || (length > 0 && !has_blank) {
        return Err(NoFrame);
    }
    let line_break = if has_blank { at + length } else { at - 1 };
    match bytes.get(line_break) {
        None => Ok(None),
        Some(b'\n') => {
            let data = if has_blank { bytes[at..line_break].to_vec() } else { Vec::new() };
            let frame = Frame { number: Number::new(number), command: command.to_owned(), data };
            Ok(Some((frame, line_break + 1)))
        }
        Some(_) => Err(NoFrame),
    }
}

/// The word from `at` on and what ends it; moves behind that.
fn word<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Option<(&'a str, u8)>, NoFrame> {
    let rest = &bytes[*at..];
    let Some(length) = rest.iter().position(|byte| matches!(byte, b' ' | b'\n')) else {
        return if bytes.len() > MOST_HEAD || !rest.iter().all(u8::is_ascii_graphic) {
            Err(NoFrame)
        } else {
            Ok(None)
        };
    };
    let word = std::str::from_utf8(&rest[..length]).map_err(|_| NoFrame)?;
    if word.is_empty() {
        return Err(NoFrame);
    }
    *at += length + 1;
    Ok(Some((word, rest[length])))
}

fn digits(word: &str) -> Result<u32, NoFrame> {
    let fits = word.len() <= 9 && word.bytes().all(|byte| byte.is_ascii_digit());
    if fits { word.parse().map_err(|_| NoFrame) } else { Err(NoFrame) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u32, command: &str, data: &[u8]) -> Frame {
        Frame { number: Number::new(number), command: command.to_owned(), data: data.to_vec() }
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let offer = "200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog";
        let stream = format!("1 rsp {} {offer}\n2 rsp 6 200 OK\n0 serverclose 0\n3 rsp 0 \n", offer.len());
        let stream = stream.as_bytes();
        for cut in 1..stream.len() {
            let mut inbox = Inbox::default();
            let mut frames = Vec::new();
            for piece in stream.chunks(cut) {
                inbox.push(piece);
                while let Some(frame) = inbox.next("s").unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 4);
            assert!(frames[0].data.ends_with(b"commands=syslog"));
            let rest = [frame(2, "rsp", b"200 OK"), frame(0, "serverclose", b""), frame(3, "rsp", b"")];
            assert_eq!(frames[1..], rest);
            assert_eq!(inbox.0, b"");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        let number = |number| Number::new(number).unwrap();
        push(number(1), "open", b"a\nb", &mut out);
        push(number(999_999_999), "close", b"", &mut out);
        assert_eq!(out, b"1 open 3 a\nb\n999999999 close 0\n");
        let (first, length) = parse(&out).unwrap().unwrap();
        assert_eq!(first, frame(1, "open", b"a\nb"));
        assert_eq!(parse(&out[length..]), Ok(Some((frame(999_999_999, "close", b""), out.len() - length))));
    }

    #[test]
    fn other_protocols_are_no_frames() {
        for bad in [
            "220 mail.example.com ESMTP\r\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "SSH-2.0-x\r\n",
            "\x15\x03\x01\x00\x02",
            "1  rsp 0\n",
            "1 rsp 6 200 OKx",
            "1 rsp 999999999 200",
            "1234567890 rsp 0\n",
            "1 rsp 2\n",
            "1 r-p 0\n",
            "\n",
        ] {
            assert_eq!(parse(bad.as_bytes()), Err(NoFrame), "{bad:?}");
        }
        assert_eq!(parse(&[b'1'; 80]), Err(NoFrame));
    }
}
