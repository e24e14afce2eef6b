//! Writes of events that can be told apart.

use std::sync::Arc;

use pipeline::{EventBatch, EventDraft, EventOutcome, EventWriter, Origin, Schema, Timestamp, View, Write};

/// The text of event `number`; awkward in every way that JSON allows on one line.
pub(crate) fn text(number: u32) -> String {
    format!(r#"{{"n":{number},"text":"é\n\"\u0000 , ][ }}{{","raw":{{"a":[1,2.50,-0.0,null]}}}}"#)
}

/// A write of events with these numbers, spread over two batches.
pub(crate) fn write(numbers: &[u32]) -> Write {
    let (first, second) = numbers.split_at(numbers.len() / 3);
    let mut write = Write::default();
    for part in [first, second] {
        write.push(batch(part), 0..part.len());
    }
    write
}

fn batch(numbers: &[u32]) -> Arc<EventBatch> {
    let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
    let mut writer = EventWriter::default();
    for number in numbers {
        writer.line().extend_from_slice(text(*number).as_bytes());
        writer.commit(&EventDraft {
            id: u128::from(*number) << 64 | 7,
            time: Timestamp::default(),
            class: 3002,
            severity: 1,
            outcome: EventOutcome::Unknown,
            action: "",
            actor: "",
            tenant: "",
        });
    }
    Arc::new(writer.finish(Arc::new(origin), Arc::new(view)))
}
