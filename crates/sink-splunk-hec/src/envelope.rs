//! What a body is: one JSON object an event, one after the other, without commas (Splunk, "Format events for HTTP Event
//! Collector").

use pipeline::{Timestamp, Write};

/// Bytes of an envelope besides the event and what is the same for all.
const AROUND: usize = 96;

/// What stands around each event.
pub(crate) struct Envelope {
    /// From behind the time to before the event: `,"index":"audit","event":`.
    between: Vec<u8>,
}

impl Envelope {
    /// With these keys and values in each envelope.
    pub(crate) fn new(metadata: &[(&'static str, String)]) -> Self {
        let pair =
            |(key, value): &(&str, String)| format!(",\"{key}\":{}", serde_json::Value::from(value.as_str()));
        let between = metadata.iter().map(pair).collect::<String>() + ",\"event\":";
        Self { between: between.into_bytes() }
    }

    /// The body with all of `events`, their text copied as it is.
    pub(crate) fn body(&self, events: &Write) -> Vec<u8> {
        let mut body = Vec::with_capacity(events.bytes() + events.len() * (self.between.len() + AROUND));
        for (batch, meta) in events.events() {
            body.extend_from_slice(b"{\"time\":");
            push_time(&mut body, meta.time);
            body.extend_from_slice(&self.between);
            body.extend_from_slice(batch.text(meta));
            body.extend_from_slice(b",\"fields\":{\"event_id\":\"");
            body.extend_from_slice(&meta.id_digits());
            body.extend_from_slice(b"\"}}\n");
        }
        body
    }
}

/// Seconds with three decimals, made of integers: a float loses digits on the way.
fn push_time(body: &mut Vec<u8>, time: Timestamp) {
    let millis = time.as_millis();
    if millis < 0 {
        body.push(b'-');
    }
    let millis = millis.unsigned_abs();
    body.extend_from_slice(itoa::Buffer::new().format(millis / 1000).as_bytes());
    let digit = |part: u64| b'0' + (part % 10) as u8;
    body.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis)]);
}
