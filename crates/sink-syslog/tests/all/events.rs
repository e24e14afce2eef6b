//! Writes of events that can be told apart.

use std::sync::Arc;

use pipeline::{EventDraft, EventOutcome, EventWriter, Origin, Schema, Timestamp, View, Write};

/// The text of event `number`, with so many bytes more.
pub(crate) fn text(number: u32, padding: usize) -> String {
    format!(r#"{{"n":{number},"text":"é\n\"\u0000 , ][ }}{{","padding":"{}"}}"#, "x".repeat(padding))
}

/// A write of events with these numbers.
pub(crate) fn write(numbers: std::ops::Range<u32>, padding: usize) -> Write {
    let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
    let mut writer = EventWriter::default();
    for number in numbers.clone() {
        writer.line().extend_from_slice(text(number, padding).as_bytes());
        writer.commit(&EventDraft {
            id: u128::from(number) << 64 | 7,
            time: Timestamp::from_millis(1_795_165_523_120),
            class: 3002,
            severity: 1,
            outcome: EventOutcome::Unknown,
            action: "user.login",
            actor: "",
            tenant: "",
        });
    }
    let mut write = Write::default();
    write.push(Arc::new(writer.finish(Arc::new(origin), Arc::new(view))), 0..numbers.len());
    write
}
