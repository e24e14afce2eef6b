//! An event as a Kafka record: the event's JSON text as the value, a key, and headers.

use pipeline::{EventBatch, EventMeta};
use rdkafka::message::{Header, OwnedHeaders};
use schemars::JsonSchema;
use serde::Deserialize;

/// What a record's key is. Records with equal keys go to one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The event's id: 32 hexadecimal digits, the same at every delivery. A compacted topic keeps each event once.
    #[default]
    EventId,
    /// The actor's id; none for an event without one.
    Actor,
    /// The tenant's id; none for an event without one.
    Tenant,
    /// None: any partition.
    None,
}

/// The record's key; an empty word is none.
pub(crate) fn key<'a>(
    key: Key,
    id: &'a [u8; 32],
    batch: &'a EventBatch,
    meta: &EventMeta,
) -> Option<&'a [u8]> {
    let word = match key {
        Key::EventId => id,
        Key::Actor => batch.word(&meta.actor),
        Key::Tenant => batch.word(&meta.tenant),
        Key::None => &[],
    };
    Some(word).filter(|word| !word.is_empty())
}

/// What a consumer can go by without parsing the event. A view without a version has no `schema_version`.
pub(crate) fn headers(id: &[u8; 32], batch: &EventBatch) -> OwnedHeaders {
    let view = &batch.view;
    let headers = OwnedHeaders::new_with_capacity(5)
        .insert(Header { key: "event_id", value: Some(&id[..]) })
        .insert(Header { key: "schema", value: Some(view.schema.name()) });
    let headers = if view.version.is_empty() {
        headers
    } else {
        headers.insert(Header { key: "schema_version", value: Some(&*view.version) })
    };
    headers
        .insert(Header { key: "source", value: Some(&*batch.origin.source) })
        .insert(Header { key: "content-type", value: Some("application/json") })
}
