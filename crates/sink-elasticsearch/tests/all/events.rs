//! Writes of events that can be told apart.

use std::sync::Arc;

use pipeline::{EventBatch, EventDraft, EventOutcome, EventWriter, Origin, Schema, Timestamp, View, Write};

/// The text of event `number`; awkward in every way that JSON allows on one line.
pub(crate) fn text(number: u32) -> String {
    format!(r#"{{"n":{number},"text":"é\n\"\u0000 , ][ }}{{","raw":{{"a":[1,2.50,-0.0,null]}}}}"#)
}

/// The id of event `number`.
pub(crate) fn id(number: u32) -> u128 {
    u128::from(number) << 64 | 7
}

/// A write of events with these numbers, spread over two batches.
pub(crate) fn write(numbers: &[u32]) -> Write {
    let at = |number: &u32| (text(*number), id(*number), 1_700_000_000_000 + i64::from(*number));
    let events: Vec<(String, u128, i64)> = numbers.iter().map(at).collect();
    let (first, second) = events.split_at(numbers.len() / 3);
    let mut write = Write::default();
    for part in [first, second] {
        write.push(batch(part, Schema::Ocsf), 0..part.len());
    }
    write
}

/// A batch of these texts, ids and times in milliseconds.
pub(crate) fn batch(events: &[(String, u128, i64)], schema: Schema) -> Arc<EventBatch> {
    let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let view = View { schema, version: "1.8.0".into(), keep_raw: true };
    let mut writer = EventWriter::default();
    for (text, id, millis) in events {
        writer.line().extend_from_slice(text.as_bytes());
        writer.commit(&EventDraft {
            id: *id,
            time: Timestamp::from_millis(*millis),
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
