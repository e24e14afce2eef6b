//! The records of a simulated log.

use std::collections::BTreeSet;

use super::{Manner, TimeFormat};
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
    time: (&'static str, TimeFormat),
}

const WEEK: u64 = 7 * 86_400;

impl World {
    pub(super) fn new(manner: &Manner, count: usize, now: i64) -> Self {
        let mut world = Self { records: Vec::new(), time: manner.time };
        let unusual = &manner.records;
        let crowded = now - 3 * 86_400;
        for number in 0..count as u64 {
            let mut random = Random::new(7, "log", number);
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

    pub(super) fn show(&mut self, ids: &BTreeSet<u64>) {
        self.records
            .iter_mut()
            .filter(|record| ids.contains(&record.number))
            .for_each(|record| record.shown = true);
    }

    /// The text of a record.
    pub(super) fn text(&self, record: &Record) -> String {
        let (id, number) = (&record.id, record.number);
        let (member, format) = self.time;
        let time = match format {
            TimeFormat::EpochSeconds => record.second.to_string(),
            TimeFormat::EpochMillis => (record.second * 1000).to_string(),
            TimeFormat::Date | TimeFormat::Rfc3339 => {
                format!("\"{}\"", String::from_utf8_lossy(&clock::record_time(record.second)))
            }
        };
        match record.odd {
            Some(0) => return format!("{}", 7_000_000 + number),
            Some(1) => return format!("\"{number}\""),
            Some(2) => return format!("[{number}, null]"),
            Some(3) => {
                return format!("{{\"action\":\"odd.no_id\",\"{member}\":{time},\"number\":{number}}}");
            }
            Some(_) => {
                return format!("{{\"id\":\"{id}\",\"action\":\"odd.no_time\",\"{member}\":\"soon\"}}");
            }
            None => {}
        }
        let revision = record.revision;
        format!(
            "{{\"id\":\"{id}\",\"action\":\"project.update\",\"actor\":{{\"id\":\"us_{}\",\"name\":\"Zo\\u00eb Doe\",\"type\":\"user\"}},\
             \"client_ip\":\"203.0.113.{}\",\"{member}\":{time},\"method\":\"PATCH\",\"path\":\"/v1/projects/{number}\",\
             \"status_code\":200,\"user_agent\":\"curl/8.1\",\"target\":{{\"id\":\"pr_{number}\",\"type\":\"project\"}},\
             \"revision\":{revision}}}",
            number % 17,
            number % 250
        )
    }
}
