//! What sinks wrote, read back.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::truth::stateless;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    Raw,
    Ocsf,
}

/// One line.
#[derive(Debug)]
pub(crate) struct Event {
    /// Where it begins in the file, and its length with its line break.
    pub(crate) at: usize,
    pub(crate) bytes: usize,
    /// The record's id, read from the line.
    pub(crate) id: Option<String>,
    /// OCSF's `metadata.uid`.
    pub(crate) uid: Option<String>,
    /// The record as received.
    pub(crate) text: Vec<u8>,
    /// Equal for two lines that are the same event of the same version of a record.
    pub(crate) identity: Vec<u8>,
}

/// Whether the line is the report of a hole in the history.
fn is_gap(line: &[u8]) -> bool {
    line.windows(GAP.len()).any(|window| window == GAP)
}

const GAP: &[u8] = br#""log_name":"towpath.gap""#;

/// Every line of `file`, each of which must be whole.
pub(crate) fn events(schema: Schema, file: &[u8]) -> Vec<Event> {
    assert!(file.is_empty() || file.ends_with(b"\n"), "the last line is torn");
    let mut at = 0;
    let mut events = Vec::new();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let text = &line[..line.len() - 1];
        // A hole in the history is no record: under a `Date` that is hours off, the API refuses what it still has.
        if is_gap(text) {
            at += line.len();
            continue;
        }
        events.push(match schema {
            Schema::Raw => Event {
                at,
                bytes: line.len(),
                id: id_of(text),
                uid: None,
                text: text.to_vec(),
                identity: stateless(text),
            },
            Schema::Ocsf => of_ocsf(at, text),
        });
        at += line.len();
    }
    events
}

#[derive(Deserialize)]
struct Ocsf {
    metadata: Metadata,
    raw_data: Option<String>,
    unmapped: Option<Unmapped>,
}

/// Where the record of an event is that has no `raw_data`.
#[derive(Deserialize)]
struct Unmapped {
    record: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Metadata {
    uid: String,
    original_event_uid: Option<String>,
}

fn of_ocsf(at: usize, line: &[u8]) -> Event {
    let shown = || String::from_utf8_lossy(line);
    let Ocsf { metadata, raw_data, unmapped } =
        serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error} in the OCSF event {}", shown()));
    let record = || Some(unmapped?.record?.as_str()?.to_owned());
    let text = raw_data
        .or_else(record)
        .unwrap_or_else(|| panic!("the event has no record: {}", shown()))
        .into_bytes();
    let mut identity = stateless(&text);
    identity.extend(metadata.uid.as_bytes());
    Event {
        at,
        bytes: line.len() + 1,
        id: metadata.original_event_uid,
        uid: Some(metadata.uid),
        text,
        identity,
    }
}

/// The record's `id`, a number's digits or a text.
pub(crate) fn id_of(record: &[u8]) -> Option<String> {
    // As unparsed values, because a lone surrogate has no value and yet is allowed by the grammar.
    let members: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(record).ok()?;
    let id = members.get("id")?.get();
    (id != "null").then(|| id.trim_matches('"').to_owned())
}

/// Events that stand in `events` before, each with the number of the earlier one.
pub(crate) fn repeated(events: &[Event]) -> Vec<(usize, usize)> {
    let mut last: HashMap<&[u8], usize> = HashMap::new();
    let mut repeated = Vec::new();
    for (number, event) in events.iter().enumerate() {
        if let Some(earlier) = last.insert(&event.identity, number) {
            repeated.push((earlier, number));
        }
    }
    repeated
}
