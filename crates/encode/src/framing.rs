//! Where one message ends and the next one begins (RFC 6587, 3.4).

use schemars::JsonSchema;
use serde::Deserialize;

use crate::syslog::number;

/// How messages are told apart. Independent of their format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// `LENGTH MESSAGE`, the length in bytes: nothing in a message can end it. RFC 5425 asks for it with TLS.
    OctetCounting,
    /// A line break behind each message; a line break in a message becomes a blank.
    Lf,
    /// None: one datagram a message, or a protocol with frames of its own. Not for streams of messages.
    #[serde(skip)]
    None,
}

impl Framing {
    /// Adds one message, given in pieces.
    pub fn push(self, pieces: &[&[u8]], out: &mut Vec<u8>) {
        match self {
            Self::OctetCounting => {
                number(b"", pieces.iter().map(|piece| piece.len()).sum(), out);
                out.push(b' ');
                pieces.iter().for_each(|piece| out.extend_from_slice(piece));
            }
            Self::None => pieces.iter().for_each(|piece| out.extend_from_slice(piece)),
            Self::Lf => {
                let start = out.len();
                pieces.iter().for_each(|piece| out.extend_from_slice(piece));
                let mut at = start;
                while let Some(found) = memchr::memchr(b'\n', &out[at..]) {
                    at += found;
                    out[at] = b' ';
                }
                out.push(b'\n');
            }
        }
    }
}
