//! Schema `raw`: the vendor's record on one line, byte for byte but for line breaks between tokens.

use memchr::memchr2;
use pipeline::{EventDraft, EventWriter, Record};

use crate::entry::{Entry, Text};
use crate::json::Line;
use crate::malformed::Malformed;
use crate::mapper::Identity;
use crate::ocsf::{Version, severity_of_all, shape};

/// Writes the record of `entry`.
pub(crate) fn write(
    record: &Record<'_>,
    text: &str,
    entry: &Entry<'_>,
    identity: &mut Identity<'_>,
    out: &mut EventWriter,
) {
    push_on_one_line(out.line(), text.as_bytes());
    let shape = shape(entry, Version::NEWEST, text.len());
    out.commit(&EventDraft {
        id: identity.event_id(record, 0),
        time: entry.head.time.unwrap_or(record.collected_at),
        class: shape.class.uid(),
        severity: severity_of_all(entry),
        outcome: entry.rule.outcome,
        action: entry.action.value,
        actor: entry.actor.as_ref().and_then(|actor| actor.uid).map_or("", |uid| uid.value),
        tenant: entry.head.tenant.map_or("", |tenant| tenant.value),
    });
}

/// Writes a record that could not be mapped. One that is not JSON, or not UTF-8, cannot stand on a line of JSON as it is: it becomes
/// `{"record":"its text"}`.
pub(crate) fn write_malformed(
    record: &Record<'_>,
    malformed: &Malformed<'_>,
    identity: &mut Identity<'_>,
    out: &mut EventWriter,
) {
    if malformed.root.is_some() {
        push_on_one_line(out.line(), malformed.text.as_bytes());
    } else {
        let mut line = Line::new(out.line());
        line.push("{\"record\":");
        line.quoted(Text::foreign(malformed.text));
        line.push("}");
    }
    let time = malformed.head.time.unwrap_or(record.collected_at);
    out.commit(&malformed.draft(record, time, identity));
}

/// JSON strings hold no line breaks, so that every one stands between tokens.
fn push_on_one_line(out: &mut Vec<u8>, mut json: &[u8]) {
    while let Some(at) = memchr2(b'\n', b'\r', json) {
        out.extend_from_slice(&json[..at]);
        json = &json[at + 1..];
    }
    out.extend_from_slice(json);
}
