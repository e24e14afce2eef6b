//! What a body is: for each event a line that says what to do, and its text (Elasticsearch and OpenSearch, "Bulk API").

use pipeline::{EventBatch, EventMeta, Schema, Timestamp, Write};

use crate::target::{Piece, Target, render};

/// Bytes of a line that says what to do, without an index.
const ACTION: usize = 60;

/// The body with all of `events`. Each is created under its id: what is there already is left as it is, and told.
pub(crate) fn body(target: &Target, events: &Write) -> Vec<u8> {
    let mut body = Vec::with_capacity(events.bytes() + events.len() * (2 * ACTION));
    let mut dated = Dated::default();
    for (batch, meta) in events.events() {
        body.extend_from_slice(b"{\"create\":{");
        if let Target::Dated(pieces) = target {
            body.extend_from_slice(b"\"_index\":\"");
            body.extend_from_slice(dated.name(pieces, meta.time).as_bytes());
            body.extend_from_slice(b"\",");
        }
        body.extend_from_slice(b"\"_id\":\"");
        body.extend_from_slice(&meta.id_digits());
        body.extend_from_slice(b"\"}}\n");
        match target {
            Target::DataStream(_) => push_with_timestamp(&mut body, batch, meta),
            Target::Index(_) | Target::Dated(_) => body.extend_from_slice(batch.text(meta)),
        }
        body.push(b'\n');
    }
    body
}

/// A data stream takes no document without `@timestamp`. ECS has it; other events get it in front.
fn push_with_timestamp(body: &mut Vec<u8>, batch: &EventBatch, meta: &EventMeta) {
    let text = batch.text(meta);
    let rest = match text.trim_ascii_start() {
        [b'{', rest @ ..] if batch.view.schema != Schema::Ecs => rest,
        // No object has no place for it; the cluster will say so.
        _ => return body.extend_from_slice(text),
    };
    body.extend_from_slice(b"{\"@timestamp\":\"");
    body.extend_from_slice(meta.time.to_string().as_bytes());
    body.push(b'"');
    if !rest.trim_ascii_start().starts_with(b"}") {
        body.push(b',');
    }
    body.extend_from_slice(rest);
}

/// The name for the hour of the last event: neighbours mostly share it.
#[derive(Default)]
struct Dated {
    hour: Option<i64>,
    name: String,
}

impl Dated {
    fn name(&mut self, pieces: &[Piece], time: Timestamp) -> &str {
        let hour = time.second().div_euclid(3600);
        if self.hour != Some(hour) {
            (self.hour, self.name) = (Some(hour), render(pieces, time));
        }
        &self.name
    }
}
