//! The records of a simulated log.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::manner::{CursorFrom, Manner, Paging, Shape, TimeFormat};
use super::path;
use crate::clock;
use crate::random::Random;

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: String,
    /// In the order of arrival.
    pub(super) number: u64,
    pub(super) second: i64,
    /// When it has arrived; a later record may have been there before.
    arrived: i64,
    /// What is odd with it, if anything.
    odd: Option<u8>,
    revision: u32,
    shown: bool,
}

impl Record {
    fn has_id(&self) -> bool {
        self.odd.is_none_or(|odd| odd > 3)
    }
}

/// All records, in the order of arrival.
pub(super) struct World {
    records: Vec<Record>,
    shape: Shape,
    wrapper: Option<String>,
    /// The member of an element that is a cursor.
    cursor: Option<String>,
}

const WEEK: u64 = 7 * 86_400;

impl World {
    pub(super) fn new(manner: &Manner, count: usize, now: i64) -> Self {
        let cursor = match &manner.paging {
            Paging::Cursor { from: CursorFrom::LastRecord(member), .. } => Some(member.clone()),
            _ => None,
        };
        let (shape, wrapper) = (manner.shape.clone(), manner.wrapper.clone());
        let mut world = Self { records: Vec::new(), shape, wrapper, cursor };
        let unusual = &manner.records;
        let crowded = now - 3 * 86_400;
        for number in 0..count as u64 {
            let mut random = Random::new(manner.seed, "log", number);
            let back = WEEK - 60 - number * (WEEK - 120) / count.max(1) as u64;
            let mut second = now - back as i64;
            let mut percent = |share: u8| random.below(100) < u64::from(share);
            if percent(unusual.crowded) {
                second = crowded;
            }
            if percent(unusual.future) {
                second = now + 86_400 + number as i64;
            }
            let (late, odd) = (percent(unusual.late), percent(unusual.odd));
            let arrived = second + if late { random.below(5 * 3600) as i64 } else { 0 };
            world.push(second, arrived, odd.then(|| random.below(5) as u8));
        }
        world.records.sort_by_key(|record| record.arrived);
        for (number, record) in world.records.iter_mut().enumerate() {
            record.number = number as u64;
        }
        world
    }

    fn push(&mut self, second: i64, arrived: i64, odd: Option<u8>) -> String {
        let number = self.records.len() as u64;
        let id = format!("ev_{number:06}");
        self.records.push(Record { id: id.clone(), number, second, arrived, odd, revision: 0, shown: false });
        id
    }

    /// Adds a regular record, which has arrived after all others.
    pub(super) fn add(&mut self, second: i64) -> String {
        self.push(second, i64::MAX, None)
    }

    pub(super) fn edit(&mut self, id: &str) {
        self.records.iter_mut().filter(|record| record.id == id).for_each(|record| record.revision += 1);
    }

    /// Changes one of those that were shown.
    pub(super) fn edit_any(&mut self, random: &mut Random) {
        let mut shown: Vec<&mut Record> =
            self.records.iter_mut().filter(|record| record.shown && record.odd.is_none()).collect();
        if !shown.is_empty() {
            let at = random.below(shown.len() as u64) as usize;
            shown[at].revision += 1;
        }
    }

    /// Records that have an id.
    pub(super) fn with_id(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.has_id())
    }

    pub(super) fn all(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn shown(&self) -> BTreeSet<String> {
        self.with_id().filter(|record| record.shown).map(|record| record.id.clone()).collect()
    }

    pub(super) fn show(&mut self, numbers: &BTreeSet<u64>) {
        self.records
            .iter_mut()
            .filter(|record| numbers.contains(&record.number))
            .for_each(|record| record.shown = true);
    }

    /// The id in a record's text.
    pub(super) fn id_of(&self, text: &[u8]) -> Option<String> {
        let record: Value = serde_json::from_slice(text).ok()?;
        path::get(&record, self.shape.id.first()?)?.as_str().map(str::to_owned)
    }

    /// The text of an element of the list.
    pub(super) fn text(&self, record: &Record) -> String {
        let text = match (record.odd, &self.wrapper) {
            (Some(odd @ 0..=2), None) => return not_an_object(odd, record.number),
            (Some(odd @ 0..=2), Some(wrapper)) => {
                return format!("{{\"{wrapper}\":{}}}", not_an_object(odd, record.number));
            }
            (_, None) => self.element(record, self.members(record)),
            (_, Some(wrapper)) => {
                let mut element = Map::new();
                path::set(&mut element, wrapper, Value::Object(self.members(record)));
                self.element(record, element)
            }
        };
        // An escape that means the same: whoever rewrites the text is found out.
        text.replace('ë', "\\u00eb")
    }

    fn element(&self, record: &Record, mut element: Map<String, Value>) -> String {
        if let Some(cursor) = &self.cursor {
            path::set(&mut element, cursor, record.id.as_str().into());
        }
        // In an order that is not that of the alphabet, as those of the real ones.
        let top = |path: &String| path.split('.').next().unwrap_or_default().trim_matches('"').to_owned();
        let time = top(&self.shape.time);
        let first = self.shape.id.first().map(top).unwrap_or_default();
        let mut members = Vec::new();
        for name in [&*first, "action", "actor", "client_ip", &*time, "method", "path", "status_code"] {
            members.extend(element.remove_entry(name));
        }
        members.extend(element);
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
        format!("{{{}}}", members.join(","))
    }

    fn members(&self, record: &Record) -> Map<String, Value> {
        let Shape { id, time, format, tenant } = &self.shape;
        let number = record.number;
        let mut members = Map::new();
        if record.odd.is_none() {
            let common = json!({
                "action": "project.update",
                "actor": {"id": format!("us_{}", number % 17), "name": "Zoë Doe", "type": "user"},
                "client_ip": format!("203.0.113.{}", number % 250),
                "method": "PATCH", "path": format!("/v1/projects/{number}"), "status_code": 200,
                "user_agent": "curl/8.1", "target": {"id": format!("pr_{number}"), "type": "project"},
                "revision": record.revision,
            });
            members.extend(common.as_object().cloned().unwrap_or_default());
        } else {
            members.insert("action".into(), "odd".into());
            members.insert("number".into(), number.into());
        }
        if record.has_id() {
            for (at, place) in id.iter().enumerate() {
                path::set(&mut members, place, if at == 0 { record.id.as_str().into() } else { "x".into() });
            }
        }
        let moment = match format {
            _ if record.odd == Some(4) => "soon".into(),
            TimeFormat::EpochSeconds => record.second.into(),
            TimeFormat::EpochMillis => (record.second * 1000).into(),
            TimeFormat::Date | TimeFormat::Rfc3339 => {
                String::from_utf8_lossy(&clock::record_time(record.second)).into()
            }
        };
        path::set(&mut members, time, moment);
        if let Some(tenant) = tenant {
            path::set(&mut members, tenant, "tenant-of-the-simulator".into());
        }
        members
    }
}

fn not_an_object(odd: u8, number: u64) -> String {
    match odd {
        0 => format!("{}", 7_000_000 + number),
        1 => format!("\"{number}\""),
        _ => format!("[{number}, null]"),
    }
}
