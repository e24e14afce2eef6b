//! Writes of numbered events.

use std::sync::Arc;

use pipeline::{EventDraft, EventOutcome, EventWriter, Origin, Schema, Timestamp, View, Write};

/// The text of the event with this number.
pub(crate) fn text(number: u32) -> String {
    format!(r#"{{"n":{number},"text":"ü 1.50"}}"#)
}

/// Its id, as it stands in key and header.
pub(crate) fn id(number: u32) -> String {
    format!("{:032x}", u128::from(number) << 64 | 0xE7E7)
}

/// A write of the events with these numbers.
pub(crate) fn write(numbers: &[u32]) -> Write {
    write_of(numbers.iter().map(|number| (*number, text(*number))))
}

/// A write of such events.
pub(crate) fn write_of(events: impl Iterator<Item = (u32, String)>) -> Write {
    let mut writer = EventWriter::default();
    for (record, (number, text)) in (0..).zip(events) {
        writer.start_record(record);
        writer.line().extend_from_slice(text.as_bytes());
        writer.commit(&EventDraft {
            id: u128::from(number) << 64 | 0xE7E7,
            time: Timestamp::from_millis(1_700_000_000_123),
            class: 3002,
            severity: 1,
            outcome: EventOutcome::Success,
            action: "user.login",
            actor: "12345",
            tenant: "",
        });
    }
    let origin = Origin { source: "numbers".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
    let batch = Arc::new(writer.finish(Arc::new(origin), Arc::new(view)));
    let mut write = Write::default();
    let events = batch.events.len();
    write.push(batch, 0..events);
    write
}
