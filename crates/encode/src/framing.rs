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
    /// Makes a message of what stands in `out` from `start` on and of the `rest`, which is appended.
    pub fn close(self, start: usize, rest: &[&[u8]], out: &mut Vec<u8>) {
        if self == Self::OctetCounting {
            let head = out.len() - start;
            number(b"", head + rest.iter().map(|piece| piece.len()).sum::<usize>(), out);
            out.push(b' ');
            // The length is known last and stands first.
            out[start..].rotate_left(head);
        }
        rest.iter().for_each(|piece| out.extend_from_slice(piece));
        if self == Self::Lf {
            let mut at = start;
            while let Some(found) = memchr::memchr(b'\n', &out[at..]) {
                at += found;
                out[at] = b' ';
            }
            out.push(b'\n');
        }
    }
}
