//! Applies a transform to one record and shows what came out.

use std::ops::Deref;

use pipeline::{EventMeta, EventWriter, Origin, Record, RecordId, Schema, Timestamp, Transform, View};
use serde_json::Value;
use transform::{ECS_VERSION, MappingConfig, MappingSettings, OCSF_VERSIONS, PostmanOptions};

/// One event, and what the writer knows of it.
pub(crate) struct Event {
    pub(crate) json: Value,
    pub(crate) text: Vec<u8>,
    pub(crate) meta: EventMeta,
    pub(crate) action: String,
    pub(crate) actor: String,
    pub(crate) tenant: String,
}

impl Deref for Event {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.json
    }
}

pub(crate) fn ocsf(version: &str) -> View {
    View { schema: Schema::Ocsf, version: version.into(), keep_raw: true }
}

pub(crate) fn ecs() -> View {
    View { schema: Schema::Ecs, version: ECS_VERSION.into(), keep_raw: true }
}

pub(crate) fn raw() -> View {
    View { schema: Schema::Raw, version: "".into(), keep_raw: true }
}

/// Every view there is.
pub(crate) fn views() -> Vec<View> {
    OCSF_VERSIONS.into_iter().map(ocsf).chain([ecs(), raw()]).collect()
}

pub(crate) fn collected_at() -> Timestamp {
    "2026-11-21T19:00:00Z".parse().unwrap()
}

pub(crate) fn origin(dataset: &str) -> Origin {
    Origin { source: "postman".into(), kind: "postman".into(), dataset: dataset.into(), labels: vec![] }
}

pub(crate) fn record<'a>(origin: &'a Origin, text: &'a [u8]) -> Record<'a> {
    Record { origin, text, id: RecordId { second: 0, native: 1, content: 2 }, collected_at: collected_at() }
}

/// A mapping as a user writes it, of a source called `acme`.
pub(crate) fn mapping(config: Value) -> MappingSettings {
    let config: MappingConfig = serde_json::from_value(config).unwrap();
    config.validate("acme").unwrap()
}

pub(crate) fn acme() -> MappingSettings {
    mapping(serde_json::json!({
        "vendor": "Acme", "product": "Acme Platform", "base_url": "https://api.acme.example"
    }))
}

pub(crate) fn postman(view: &View) -> Box<dyn Transform> {
    transform::postman(view, PostmanOptions::default()).unwrap()
}

pub(crate) fn generic(view: &View) -> Box<dyn Transform> {
    transform::generic(view, &acme()).unwrap()
}

/// The lines that `transform` writes for `record`.
pub(crate) fn lines(transform: &dyn Transform, record: &Record<'_>) -> EventWriter {
    let mut out = EventWriter::default();
    out.start_record(0);
    transform.apply(record, &mut out);
    assert!(out.pending().is_empty(), "something was left uncommitted");
    out
}

/// The events of `text`, each checked against the schema of `view`.
pub(crate) fn events(transform: &dyn Transform, view: &View, text: &[u8]) -> Vec<Event> {
    let origin = origin("postman.audit");
    checked(view, lines(transform, &record(&origin, text)), &String::from_utf8_lossy(text))
}

pub(crate) fn checked(view: &View, out: EventWriter, input: &str) -> Vec<Event> {
    assert!(!out.is_empty(), "no event of {input}");
    let batch = out.finish(origin("any").into(), view.clone().into());
    let events = batch.events.iter().map(|meta| {
        let text = batch.text(meta).to_vec();
        assert!(!text.contains(&b'\n'), "a line break in an event of {input}");
        if let Err(errors) = check(view, &text) {
            panic!("{view}: {errors:#?}\nin {}\nof {input}", String::from_utf8_lossy(&text));
        }
        let word = |span| String::from_utf8(batch.word(span).to_vec()).unwrap();
        Event {
            // What a vendor may send goes beyond what this library reads, as numbers above every double.
            json: serde_json::from_slice(&text).unwrap_or_default(),
            action: word(&meta.action),
            actor: word(&meta.actor),
            tenant: word(&meta.tenant),
            meta: meta.clone(),
            text,
        }
    });
    events.collect()
}

pub(crate) fn check(view: &View, text: &[u8]) -> Result<(), Vec<String>> {
    match view.schema {
        Schema::Ocsf => testkit::schema::check_ocsf(&view.version, text),
        Schema::Ecs => testkit::schema::check_ecs(text),
        Schema::Raw => serde_json::from_slice::<serde::de::IgnoredAny>(text)
            .map(|_| ())
            .map_err(|error| vec![error.to_string()]),
    }
}

/// The one event that a record of Postman becomes in `view`.
pub(crate) fn one(view: &View, record: &Value) -> Event {
    let mut events = events(&*postman(view), view, record.to_string().as_bytes());
    assert_eq!(events.len(), 1, "{record}");
    events.remove(0)
}

/// The one OCSF 1.8.0 event that a record of Postman becomes.
pub(crate) fn in_ocsf(record: &Value) -> Event {
    one(&ocsf("1.8.0"), record)
}

/// The ECS document that a record of Postman becomes.
pub(crate) fn in_ecs(record: &Value) -> Event {
    one(&ecs(), record)
}
