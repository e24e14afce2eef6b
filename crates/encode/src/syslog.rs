//! Syslog messages, as RFC 5424 and RFC 3164 have them.
//!
//! | | RFC 5424 | RFC 3164 |
//! |---|---|---|
//! | message | `<PRI>1 TIME HOST APP - MSGID [SD] BODY` | `<PRI>Mmm dd hh:mm:ss HOST TAG: BODY` |
//! | time | UTC, milliseconds, `Z` | UTC, seconds, no year and no zone |
//! | HOST | ≤ 255 of `!`…`~` | the same |
//! | APP, TAG | ≤ 48 of `!`…`~` | ≤ 32 letters and digits |
//! | MSGID | ≤ 32 of `!`…`~` | – |
//! | what is unknown | `-` | `-` |
//!
//! The body is UTF-8 without a byte order mark (`MSG-ANY` in the grammar of RFC 5424, 6): RFC 5424 asks for the mark where
//! a sender wants to declare UTF-8, and receivers such as rsyslog then keep it as the first character of the text, where
//! no parser of JSON or CEF expects it.
//!
//! Whatever the event holds, a message is one message: what a field cannot carry is replaced, in values of structured
//! data `"`, `\` and `]` are escaped (RFC 5424, 6.3.3).

use pipeline::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cut::Escapes;
use crate::framing::Framing;
use crate::runs::{escaped, push};

/// Longest HOSTNAME (RFC 5424, 6.2.4).
const MOST_HOST: usize = 255;
/// Longest APP-NAME (RFC 5424, 6.2.5).
const MOST_APP: usize = 48;
/// Longest MSGID (RFC 5424, 6.2.7).
const MOST_MSGID: usize = 32;
/// Longest TAG (RFC 3164, 4.1.3).
const MOST_TAG: usize = 32;
/// Longest SD-NAME (RFC 5424, 6.3.2).
const MOST_SD_NAME: usize = 32;

/// Stands at the end of a body that was cut, where there is no structured data to say so.
const CUT_MARK: &[u8] = b" [truncated]";

/// How a message is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// RFC 5424: time with year and zone, structured data.
    #[default]
    Rfc5424,
    /// RFC 3164, the older one: time without year and zone, no structured data.
    Rfc3164,
}

/// What kind of program speaks (RFC 5424, 6.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of every syslog daemon")]
pub enum Facility {
    Kern,
    User,
    Mail,
    Daemon,
    Auth,
    Syslog,
    Lpr,
    News,
    Uucp,
    Cron,
    Authpriv,
    Ftp,
    Ntp,
    #[default]
    Audit,
    Alert,
    Clock,
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

/// The part of a message that says where it comes from; made once.
#[derive(Clone, Debug)]
pub struct Sender {
    format: Format,
    facility: Facility,
    host: Vec<u8>,
    app: Vec<u8>,
}

/// One event, about to be a message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// 0 (emergency) to 7 (debug), RFC 5424, 6.2.1.
    pub severity: u8,
    /// When it happened.
    pub time: Timestamp,
    /// MSGID: the kind of event. What it cannot hold is replaced by `_`.
    pub kind: &'a str,
    /// SD-ID of the structured data, `name@enterprise number`. RFC 3164 has no place for it.
    pub data_id: &'a str,
    /// Its parameters. Control characters in values become blanks.
    pub data: &'a [(&'a str, &'a str)],
    /// The text.
    pub body: &'a [u8],
    /// What must stay together in the body when it is cut.
    pub escapes: Escapes,
}

/// What became of a message that passes the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is whole.
    Whole,
    /// It was cut, and says so.
    Cut,
    /// It has so many bytes and was left out.
    TooLarge(usize),
}

impl Sender {
    /// `host` and `app` in any text; what the format cannot hold is replaced or left out.
    pub fn new(format: Format, facility: Facility, host: &str, app: &str) -> Self {
        let app = match format {
            Format::Rfc5424 => printable(app, MOST_APP),
            Format::Rfc3164 => alphanumeric(app, MOST_TAG),
        };
        Self { format, facility, host: printable(host, MOST_HOST), app }
    }

    /// Adds a message of at most `most` bytes, frame not counted. A longer one is cut at a character when `cut`, and
    /// otherwise left out.
    pub fn push(
        &self,
        message: &Message<'_>,
        most: usize,
        cut: bool,
        framing: Framing,
        out: &mut Vec<u8>,
    ) -> Fit {
        let start = out.len();
        self.head(message, false, out);
        let bytes = out.len() - start + message.body.len();
        if bytes <= most {
            framing.close(start, &[message.body], out);
            return Fit::Whole;
        }
        let mark: &[u8] = match self.format {
            Format::Rfc5424 => b"",
            Format::Rfc3164 => CUT_MARK,
        };
        out.truncate(start);
        self.head(message, true, out);
        // Without room for anything of the body it is no message.
        let room = most.saturating_sub(out.len() - start + mark.len());
        if !cut || room == 0 {
            out.truncate(start);
            return Fit::TooLarge(bytes);
        }
        let kept = message.escapes.cut(message.body, room);
        framing.close(start, &[&message.body[..kept], mark], out);
        Fit::Cut
    }

    fn head(&self, message: &Message<'_>, is_cut: bool, out: &mut Vec<u8>) {
        let time = message.time.to_string();
        // Four digits of a year are all that both formats have.
        let time = if time.len() == 24 && time.ends_with('Z') { time.as_str() } else { "-" };
        let priority = self.facility as u32 * 8 + u32::from(message.severity.min(7));
        match self.format {
            Format::Rfc5424 => {
                number(b"<", priority as usize, out);
                out.extend_from_slice(b">1 ");
                for field in [time.as_bytes(), &self.host, &self.app, b"-"] {
                    out.extend_from_slice(field);
                    out.push(b' ');
                }
                push_printable(message.kind, MOST_MSGID, out);
                out.push(b' ');
                structured_data(message, is_cut, out);
                out.push(b' ');
            }
            Format::Rfc3164 => {
                number(b"<", priority as usize, out);
                out.push(b'>');
                legacy_time(time, out);
                for part in [b" ", &self.host[..], b" ", &self.app, b": "] {
                    out.extend_from_slice(part);
                }
            }
        }
    }
}

/// Appends `before` and the number.
pub(crate) fn number(before: &[u8], number: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(before);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `[ID NAME="VALUE" …]`.
fn structured_data(message: &Message<'_>, is_cut: bool, out: &mut Vec<u8>) {
    out.push(b'[');
    out.extend_from_slice(message.data_id.as_bytes());
    for (name, value) in message.data {
        out.push(b' ');
        let fits = |byte: &u8| (33..=126).contains(byte) && !b"=]\"".contains(byte);
        out.extend(name.bytes().filter(fits).take(MOST_SD_NAME));
        out.extend_from_slice(b"=\"");
        escaped(value, out, [b'"', b'\\', b']'], |c, out| match c {
            '"' | '\\' | ']' => out.extend_from_slice(&[b'\\', c as u8]),
            c if c.is_control() => out.push(b' '),
            c => push(c, out),
        });
        out.push(b'"');
    }
    if is_cut {
        out.extend_from_slice(b" truncated=\"1\"");
    }
    out.push(b']');
}

/// `Mmm dd hh:mm:ss` of an RFC 3339 time; the day is padded with a blank (RFC 3164, 4.1.2). An unknown time is the
/// beginning of the year: the format has no other way to leave it open.
fn legacy_time(time: &str, out: &mut Vec<u8>) {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let bytes = time.as_bytes();
    let digits = |at: usize| usize::from(bytes[at] - b'0') * 10 + usize::from(bytes[at + 1] - b'0');
    if bytes.len() < 19 {
        return out.extend_from_slice(b"Jan  1 00:00:00");
    }
    let month = digits(5).clamp(1, 12) - 1;
    out.extend_from_slice(&MONTHS[month * 3..month * 3 + 3]);
    let padded = if bytes[8] == b'0' { b' ' } else { bytes[8] };
    out.extend_from_slice(&[b' ', padded, bytes[9], b' ']);
    out.extend_from_slice(&bytes[11..19]);
}

fn printable(text: &str, most: usize) -> Vec<u8> {
    let mut field = Vec::new();
    push_printable(text, most, &mut field);
    field
}

/// At most `most` characters of `!`…`~`, each other one replaced by `_`; `-` when there is none.
fn push_printable(text: &str, most: usize, out: &mut Vec<u8>) {
    if text.is_empty() {
        return out.push(b'-');
    }
    out.extend(text.chars().take(most).map(|c| if c.is_ascii_graphic() { c as u8 } else { b'_' }));
}

/// At most `most` letters and digits, all others left out; `-` when there is none.
fn alphanumeric(text: &str, most: usize) -> Vec<u8> {
    let field: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).take(most).collect();
    if field.is_empty() { b"-".to_vec() } else { field }
}

#[cfg(test)]
mod tests;
