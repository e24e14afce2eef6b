//! What a delivery looks like, and by what id it is known.

use std::fmt::Write as _;

use bytes::Bytes;
use pipeline::{EventBatch, EventMeta, Write};
use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// What the body of a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Events as lines, each ended by a line break: `application/x-ndjson`.
    #[default]
    Ndjson,
    /// Events in one array: `application/json`.
    JsonArray,
    /// One event: `application/json`. As many requests as events, one after the other.
    Json,
}

impl Body {
    /// The `Content-Type` of such a body.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::JsonArray | Self::Json => "application/json",
        }
    }
}

/// The pieces of the body with all of `events`; none of their text is copied.
pub(crate) fn parts(form: Body, events: &Write) -> Vec<Bytes> {
    match form {
        Body::Ndjson => events.lines().collect(),
        Body::JsonArray | Body::Json => {
            let mut parts = Vec::with_capacity(2 * events.len() + 1);
            parts.push(Bytes::from_static(b"["));
            for (n, (batch, event)) in events.events().enumerate() {
                if n > 0 {
                    parts.push(Bytes::from_static(b","));
                }
                parts.push(text(batch, event));
            }
            parts.push(Bytes::from_static(b"]"));
            parts
        }
    }
}

/// The event's JSON, sharing the batch's memory.
pub(crate) fn text(batch: &EventBatch, event: &EventMeta) -> Bytes {
    batch.ndjson.slice(event.span.start as usize..event.span.end as usize)
}

/// The id of the delivery of these events: `msg_` and 128 bits in hexadecimal. The same events in the same order and
/// encoding have the same id, whichever attempt or process sends them; other events, or the same in another encoding,
/// have another one.
pub(crate) fn delivery_id<'a>(events: impl Iterator<Item = (&'a EventBatch, &'a EventMeta)>) -> String {
    let mut hash = Sha256::new();
    let mut encoding = None;
    for (batch, event) in events {
        if encoding.is_none() {
            // All events of a write are of one view.
            let view = encoding.insert(&batch.view);
            hash.update(format!("{view} {}\n", view.keep_raw));
        }
        hash.update(event.id.to_be_bytes());
    }
    hash.finalize().iter().take(16).fold("msg_".to_owned(), |mut id, byte| {
        // Writing to a `String` cannot fail.
        write!(id, "{byte:02x}").unwrap_or_default();
        id
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use pipeline::{EventDraft, EventOutcome, EventWriter, Origin, Schema, Timestamp, View};

    use super::*;

    fn batch(ids: &[u128], version: &str, keep_raw: bool) -> Arc<EventBatch> {
        let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
        let mut writer = EventWriter::default();
        for id in ids {
            writer.line().extend_from_slice(format!("{{\"id\":{id}}}").as_bytes());
            writer.commit(&EventDraft {
                id: *id,
                time: Timestamp::default(),
                class: 0,
                severity: 0,
                outcome: EventOutcome::Unknown,
                action: "",
                actor: "",
                tenant: "",
            });
        }
        let view = View { schema: Schema::Ocsf, version: version.into(), keep_raw };
        Arc::new(writer.finish(Arc::new(origin), Arc::new(view)))
    }

    fn write(parts: &[&[u128]]) -> Write {
        let mut write = Write::default();
        for ids in parts {
            write.push(batch(ids, "1.8.0", true), 0..ids.len());
        }
        write
    }

    fn id(write: &Write) -> String {
        delivery_id(write.events())
    }

    #[test]
    fn bodies_hold_the_events_of_all_batches() {
        let body = |form, parts: &[&[u128]]| -> String {
            let parts = super::parts(form, &write(parts));
            parts.iter().map(|part| std::str::from_utf8(part).unwrap()).collect()
        };
        assert_eq!(body(Body::Ndjson, &[&[1, 2], &[3]]), "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
        assert_eq!(body(Body::JsonArray, &[&[1, 2], &[3]]), r#"[{"id":1},{"id":2},{"id":3}]"#);
        assert_eq!(body(Body::JsonArray, &[&[1]]), r#"[{"id":1}]"#);
    }

    #[test]
    fn the_id_follows_from_the_events_alone() {
        // How they are spread over batches depends on how the process ran.
        assert_eq!(id(&write(&[&[1, 2], &[3]])), id(&write(&[&[1], &[2, 3]])));
        // Pinned: receivers keep ids for days, over restarts and upgrades of ours.
        assert_eq!(id(&write(&[&[1, 2, 3]])), "msg_c662d7899ceb8d5edb2e06b0c442ff78");
        let mut others: HashSet<String> = [&[1, 2][..], &[2, 1], &[1, 2, 3], &[1], &[1 << 64]]
            .iter()
            .map(|ids| id(&write(&[ids])))
            .collect();
        for (version, keep_raw) in [("1.8.0", false), ("1.5.0", true)] {
            let mut write = Write::default();
            write.push(batch(&[1], version, keep_raw), 0..1);
            others.insert(id(&write));
        }
        assert_eq!(others.len(), 7);
        assert!(others.iter().all(|id| id.len() == 36 && !id.contains('.')));
    }
}
