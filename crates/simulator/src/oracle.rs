//! What the simulator knows to be true: which records exist, and which were shown, with which bytes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::record::Template;
use crate::world::{self, Event, World};

/// A record as the oracle knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its `id` in decimal digits; `None` for a malformed record that has none.
    pub id: Option<String>,
    /// Its time, which a malformed record does not tell: whole seconds.
    pub time: SystemTime,
    /// Its contents, oldest first.
    pub versions: Vec<Version>,
}

/// One content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// How often the record had been edited. Versions with an equal number differ only in `data.actor.active`.
    pub revision: u8,
    /// The record's exact bytes, as they stand in the page.
    pub text: Vec<u8>,
}

impl Version {
    /// SHA-256 of the record's exact bytes, in hexadecimal.
    pub fn sha256(&self) -> String {
        Sha256::digest(&self.text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The records of a moment, to be told about without holding up the API.
pub(crate) struct Snapshot(Vec<(Event, Arc<Template>)>);

impl Snapshot {
    /// Records of which some content was shown.
    pub(crate) fn shown(world: &World) -> Self {
        let shown = world.events().iter().filter(|event| event.shown != 0);
        Self(shown.map(|event| (*event, world.template(event))).collect())
    }

    /// Records that exist and are not older than `retained`, as they are now.
    pub(crate) fn all(world: &World, retained: i64) -> Self {
        let retained = world.events().iter().filter(|event| event.second >= retained);
        Self(
            retained
                .map(|event| (Event { shown: 1 << (event.edits * 2), ..*event }, world.template(event)))
                .collect(),
        )
    }

    /// All records with each revision that they ever had: a page that does not count as shown may have brought any.
    pub(crate) fn ever(world: &World) -> Self {
        let revisions = |event: &Event| (0..=event.edits).fold(0, |mask, edits| mask | 1 << (edits * 2));
        let ever = world.events().iter();
        Self(ever.map(|event| (Event { shown: revisions(event), ..*event }, world.template(event))).collect())
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter(|(_, template)| template.has_id).map(|(event, _)| event.id.to_string())
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        self.0.iter().map(|(event, template)| {
            let mut versions: Vec<_> = (0..16)
                .filter(|variant| event.shown >> variant & 1 == 1)
                .map(|variant| {
                    let mut text = Vec::new();
                    world::render(event, template, variant, &mut text);
                    Version { revision: variant / 2, text }
                })
                .collect();
            // An odd record may have no `active` to turn round.
            versions.dedup();
            Record {
                id: template.has_id.then(|| event.id.to_string()),
                time: SystemTime::UNIX_EPOCH + Duration::from_secs(event.second.max(0) as u64),
                versions,
            }
        })
    }

    /// One line per version: `{"id":"554891778","revision":0,"sha256":"…"}`.
    pub(crate) fn ndjson(&self) -> String {
        let mut out = String::new();
        for record in self.records() {
            let id = record.id.map_or("null".to_owned(), |id| format!("\"{id}\""));
            for version in &record.versions {
                let (revision, sha256) = (version.revision, version.sha256());
                out += &format!("{{\"id\":{id},\"revision\":{revision},\"sha256\":\"{sha256}\"}}\n");
            }
        }
        out
    }
}
