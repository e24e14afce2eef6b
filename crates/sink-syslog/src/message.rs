//! Events to messages.

use encode::Escapes;
use encode::syslog::{Fit, Message, Sender};
use pipeline::{EventBatch, EventMeta, Reason, Write};

use crate::cef;
use crate::config::{Body, OnOversize, SyslogSettings};

/// SD-ID of our structured data. The number is the one for examples and documents (RFC 5612): Towpath has none of its own.
const DATA_ID: &str = "towpath@32473";

/// The messages of one write, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// With their frames, if the transport has any.
    pub(crate) bytes: Vec<u8>,
    /// Where each ends.
    pub(crate) ends: Vec<usize>,
    /// Which event of the write each is.
    pub(crate) events: Vec<u32>,
    /// Events that are no message, because it would be too long.
    pub(crate) refused: Vec<(u32, Reason)>,
}

impl Messages {
    /// The bytes of message `number`.
    pub(crate) fn get(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[number]]
    }
}

/// Makes messages of the events of a write. The same events give the same bytes.
pub(crate) fn messages(settings: &SyslogSettings, sender: &Sender, events: &Write) -> Messages {
    let mut messages = Messages::default();
    messages.bytes.reserve(events.bytes() + events.len() * 256);
    messages.ends.reserve(events.len());
    messages.events.reserve(events.len());
    let mut body = Vec::new();
    for (index, (batch, meta)) in (0u32..).zip(events.events()) {
        let text = batch.text(meta);
        let (body, escapes) = match settings.body {
            Body::Json => (text, Escapes::Json),
            Body::Cef => {
                body.clear();
                cef::event(batch, meta, &mut body);
                (&body[..], Escapes::Cef)
            }
        };
        let fit = push(settings, sender, (batch, meta), body, escapes, &mut messages.bytes);
        match fit {
            Fit::Whole | Fit::Cut => {
                messages.ends.push(messages.bytes.len());
                messages.events.push(index);
            }
            Fit::TooLarge(bytes) => {
                let most = settings.max_bytes;
                let detail = format!("its message has {bytes} bytes, and `max_bytes` is {most}").into();
                messages.refused.push((index, Reason { kind: "too_large", detail }));
            }
        }
    }
    messages
}

fn push(
    settings: &SyslogSettings,
    sender: &Sender,
    (batch, meta): (&EventBatch, &EventMeta),
    body: &[u8],
    escapes: Escapes,
    out: &mut Vec<u8>,
) -> Fit {
    let id = meta.id_digits();
    let view = &batch.view;
    let message = Message {
        severity: severity(meta.severity),
        time: meta.time,
        kind: word(batch, &meta.action),
        data_id: DATA_ID,
        data: &[
            ("event_id", digits(&id)),
            ("source", &batch.origin.source),
            ("dataset", &batch.origin.dataset),
            ("schema", view.schema.name()),
            ("version", if view.version.is_empty() { "-" } else { &view.version }),
        ],
        body,
        escapes,
    };
    let cut = settings.on_oversize == OnOversize::Truncate;
    sender.push(&message, settings.max_bytes, cut, settings.framing, out)
}

/// OCSF's severity in syslog's words (RFC 5424, 6.2.1). Emergency is for nobody: many daemons show it on every terminal.
fn severity(ocsf: u8) -> u8 {
    match ocsf {
        // Low: notice.
        2 => 5,
        // Medium: warning.
        3 => 4,
        // High: error.
        4 => 3,
        // Critical.
        5 => 2,
        // Fatal: alert.
        6 => 1,
        // Informational, unknown, other.
        _ => 6,
    }
}

/// A word of an event's facts.
pub(crate) fn word<'a>(batch: &'a EventBatch, span: &std::ops::Range<u32>) -> &'a str {
    // Words come from `&str`.
    std::str::from_utf8(batch.word(span)).unwrap_or_default()
}

/// An event's id as text.
pub(crate) fn digits(id: &[u8; 32]) -> &str {
    // They are ASCII.
    std::str::from_utf8(id).unwrap_or_default()
}

impl SyslogSettings {
    /// Who speaks.
    pub(crate) fn sender(&self) -> Sender {
        let name = rustix::system::uname();
        let host = self.hostname.clone().unwrap_or_else(|| name.nodename().to_string_lossy().into_owned());
        Sender::new(self.format, self.facility, &host, &self.app_name)
    }
}
