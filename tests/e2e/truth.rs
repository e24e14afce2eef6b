//! What the simulator knows to be true, and how what was delivered compares with it.

use std::collections::{BTreeSet, HashSet};

use simulator::{Postman, Record};

use crate::delivered::{Event, Schema, id_of, repeated};
use crate::workplace::Workplace;

/// What exists and what was shown.
pub(crate) struct Truth {
    shown: Vec<Record>,
    all_ids: BTreeSet<String>,
    texts: Contents,
    lines: Contents,
}

/// Every content that was shown or exists.
#[derive(Default)]
struct Contents {
    exact: HashSet<Vec<u8>>,
    stateless: HashSet<Vec<u8>>,
}

/// How a delivered record's bytes compare with what the simulator sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Byte for byte a content that was shown.
    Intact,
    /// The same but for `data.actor.active`, which the simulator turns round every few seconds: it stood in a page that the
    /// simulator did not count as shown, because its cursor was spoiled.
    Turned,
    /// The simulator put a byte that is no UTF-8 into it, and it came out as U+FFFD.
    Damaged,
    /// None of them.
    Wrong,
}

/// The outcome for one sink's file.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Records that were shown and are not in the file.
    pub(crate) lost: Vec<String>,
    /// Records that exist and are not in the file: they were never shown, or are lost.
    pub(crate) missing: Vec<String>,
    /// Texts in the file that the simulator never sent.
    pub(crate) wrong: Vec<String>,
    /// Events that do not name the id of the record that they carry.
    pub(crate) nameless: Vec<String>,
    /// Lines whose record is byte for byte as it was shown, and the two kinds that are not.
    pub(crate) intact: usize,
    pub(crate) turned: usize,
    pub(crate) damaged: usize,
}

impl Truth {
    pub(crate) fn of(api: &Postman) -> Self {
        let (shown, all) = (api.shown(), api.all());
        let mut truth = Self {
            all_ids: all.iter().filter_map(|record| record.id.clone()).collect(),
            texts: Contents::default(),
            lines: Contents::default(),
            shown,
        };
        // A record that was edited may have come, before that, in a page that does not count.
        for version in truth.shown.iter().chain(&api.ever()).flat_map(|record| &record.versions) {
            truth.texts.add(version.text.clone());
            truth.lines.add(on_one_line(&version.text));
        }
        truth
    }

    /// Compares all events of a file with the truth.
    pub(crate) fn judge(&self, schema: Schema, events: &[Event]) -> Verdict {
        let contents = match schema {
            Schema::Raw => &self.lines,
            Schema::Ocsf => &self.texts,
        };
        let mut verdict = Verdict::default();
        for event in events {
            if event.id != id_of(&event.text) {
                verdict.nameless.push(String::from_utf8_lossy(&event.text).into_owned());
            }
            match contents.compare(&event.text) {
                Content::Intact => verdict.intact += 1,
                Content::Turned => verdict.turned += 1,
                Content::Damaged => verdict.damaged += 1,
                Content::Wrong => verdict.wrong.push(String::from_utf8_lossy(&event.text).into_owned()),
            }
        }
        let ids: BTreeSet<&String> = events.iter().filter_map(|event| event.id.as_ref()).collect();
        let texts: HashSet<Vec<u8>> =
            events.iter().filter(|event| event.id.is_none()).map(|event| stateless(&event.text)).collect();
        let is_there = |record: &Record| match &record.id {
            Some(id) => ids.contains(id),
            None => record.versions.iter().any(|version| {
                let text =
                    if schema == Schema::Raw { on_one_line(&version.text) } else { version.text.clone() };
                texts.contains(&stateless(&text))
            }),
        };
        let name = |record: &Record| match &record.id {
            Some(id) => id.clone(),
            None => String::from_utf8_lossy(&record.versions[0].text).into_owned(),
        };
        verdict.lost = self.shown.iter().filter(|record| !is_there(record)).map(name).collect();
        verdict.missing = self.all_ids.iter().filter(|id| !ids.contains(id)).cloned().collect();
        verdict
    }
}

impl Contents {
    fn add(&mut self, text: Vec<u8>) {
        self.stateless.insert(stateless(&text));
        self.exact.insert(text);
    }

    fn compare(&self, text: &[u8]) -> Content {
        if self.exact.contains(text) {
            Content::Intact
        } else if self.stateless.contains(&stateless(text)) {
            Content::Turned
        } else if self.exact.iter().any(|whole| is_damaged(whole, text)) {
            Content::Damaged
        } else {
            Content::Wrong
        }
    }
}

/// Every record that exists is in every file, and nothing else.
#[track_caller]
pub(crate) fn assert_delivered(api: &Postman, place: &Workplace, files: &[(&str, Schema)]) {
    let truth = Truth::of(api);
    assert!(!truth.all_ids.is_empty(), "there is nothing to deliver");
    for (name, schema) in files {
        let verdict = truth.judge(*schema, &place.events(name, *schema));
        assert_eq!(verdict.wrong, [""; 0], "{name}: delivered and never sent");
        assert_eq!(verdict.lost, [""; 0], "{name}: shown and not delivered");
        assert_eq!(verdict.missing, [""; 0], "{name}: not delivered");
    }
}

/// The same, and nothing twice.
#[track_caller]
pub(crate) fn assert_delivered_once(api: &Postman, place: &Workplace, files: &[(&str, Schema)]) {
    assert_delivered(api, place, files);
    for (name, schema) in files {
        let events = place.events(name, *schema);
        let repeated: Vec<_> = repeated(&events)
            .iter()
            .map(|(_, again)| String::from_utf8_lossy(&events[*again].text).into_owned())
            .collect();
        assert_eq!(repeated, [""; 0], "{name}: delivered twice");
    }
}

/// The record without what tells the state of the moment at which it was asked for.
pub(crate) fn stateless(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    text.replace(",\"active\":true}", "}").replace(",\"active\":false}", "}").into_bytes()
}

/// As schema `raw` writes it: line breaks, which stand between tokens only, are left out.
fn on_one_line(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect()
}

/// Whether `text` is what `whole` becomes when one of its bytes is replaced by 0xFF and the result read as UTF-8.
fn is_damaged(whole: &[u8], text: &[u8]) -> bool {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    let Some(at) = text.windows(REPLACEMENT.len()).position(|bytes| bytes == REPLACEMENT) else {
        return false;
    };
    // It may be any byte of a character of up to four.
    whole.get(..at).is_some_and(|before| before == &text[..at])
        && (at..whole.len().min(at + 4)).any(|position| {
            let mut damaged = whole.to_vec();
            damaged[position] = 0xff;
            String::from_utf8_lossy(&damaged).as_bytes() == text
        })
}
