//! Whole answers of a described API: taken apart as its source does, and mapped as its events would be.
//!
//! One file is in memory at a time.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use pipeline::{EventMeta, EventWriter, Origin, Record, Timestamp, Transform};
use serde_json::value::RawValue;
use source_audit_logs::{Leads, Recorded};

use super::Summary;
use crate::progress::thousands;

/// Whose answers they are, and what becomes of them.
pub(super) struct Pages<'a> {
    pub(super) recorded: &'a Recorded,
    pub(super) origin: &'a Origin,
    pub(super) transform: &'a dyn Transform,
    pub(super) collected_at: Timestamp,
}

/// What was found in all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) summary: Summary,
    pages: u64,
    /// Those that say that another one follows, and those that say whether.
    leading: u64,
    telling: u64,
    /// Records without an id, and without a time.
    without_id: u64,
    without_time: u64,
    /// Events whose time is that of the collection.
    undated: u64,
}

impl Pages<'_> {
    /// All files to stdout, one after the other; standard input if there are none.
    pub(super) fn through(&self, files: &[PathBuf]) -> anyhow::Result<Tally> {
        let stdin = [PathBuf::from("-")];
        let (mut tally, mut events) = (Tally::default(), EventWriter::default());
        for path in if files.is_empty() { &stdin } else { files } {
            let text = read(path).map_err(|error| super::unreadable(path, &error))?;
            for (number, page) in (1..).zip(self.bodies(&text)) {
                let place = || format!("{}, page {number}", path.display());
                let page = page.with_context(place)?;
                self.encode(page, &mut events, &mut tally).with_context(place)?;
                match io::stdout().write_all(events.ndjson()) {
                    // Whoever read our output has seen enough.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(tally),
                    written => written.context("write to stdout")?,
                }
            }
        }
        Ok(tally)
    }

    /// The answers in a file: of NDJSON it is one, otherwise they are JSON values one after the other.
    fn bodies<'t>(&self, text: &'t str) -> Box<dyn Iterator<Item = anyhow::Result<&'t str>> + 't> {
        if self.recorded.is_ndjson() {
            return Box::new(Some(Ok(text)).into_iter());
        }
        let values = serde_json::Deserializer::from_str(text).into_iter::<&'t RawValue>();
        let headers = text.starts_with("HTTP/");
        Box::new(values.map(move |value| match value {
            Ok(value) => Ok(value.get()),
            Err(_) if headers => {
                Err(anyhow!("the headers of the answer stand before it: save its body alone"))
            }
            Err(error) => Err(anyhow!(error).context("answer is not JSON, or cut")),
        }))
    }

    fn encode(&self, page: &str, events: &mut EventWriter, tally: &mut Tally) -> anyhow::Result<()> {
        let page =
            self.recorded.read(Bytes::copy_from_slice(page.as_bytes())).map_err(|error| anyhow!(error))?;
        events.clear();
        for record in &page.records {
            // No sink needs the number of a record.
            events.start_record(0);
            let text = &page.body[record.span.start as usize..record.span.end as usize];
            let (origin, collected_at) = (self.origin, self.collected_at);
            self.transform.apply(&Record { origin, text, id: record.id, collected_at }, events);
        }
        let count = |is: &dyn Fn(&EventMeta) -> bool| events.events().iter().filter(|e| is(e)).count() as u64;
        let records = page.records.len();
        tally.summary.add(Summary {
            records: records as u64,
            events: events.events().len() as u64,
            malformed: count(&super::is_malformed),
        });
        tally.pages += 1;
        tally.telling += u64::from(page.leads != Leads::Unsaid);
        tally.leading += u64::from(page.leads == Leads::On);
        tally.without_id += (records - page.with_id) as u64;
        tally.without_time += (records - page.with_time) as u64;
        tally.undated += count(&|event| event.time == self.collected_at);
        Ok(())
    }

    /// What is to be said of them, a line each: what could not be found, and what follows.
    pub(super) fn remarks(&self, tally: &Tally) -> Vec<String> {
        let Tally { pages, leading, telling, without_id, without_time, undated, .. } = *tally;
        let records = thousands(tally.summary.records);
        let mut remarks = Vec::new();
        let [id, time] = self.recorded.places();
        if without_id > 0 {
            remarks.push(format!(
                "{id}, but {} of {records} records have none there: their content is their id",
                thousands(without_id)
            ));
        }
        if without_time > 0 {
            remarks.push(format!(
                "{time}, but of {} of {records} records no time can be read there",
                thousands(without_time)
            ));
        }
        if undated > 0 {
            remarks.push(format!(
                "`mapping.fields.time` finds no time for {} of {} events: they have that of their collection",
                thousands(undated),
                thousands(tally.summary.events)
            ));
        }
        let key = self.recorded.paging();
        remarks.push(match (leading, telling) {
            _ if pages == 0 => "there is no page".to_owned(),
            (_, 0) => format!("whether another page follows is not told by a body: `{key}`"),
            (0, _) => format!("no page follows, by `{key}`"),
            _ => format!("another page follows {} of {}, by `{key}`", thousands(leading), thousands(pages)),
        });
        remarks
    }

    /// One line on all of it.
    pub(super) fn pages(tally: &Tally) -> String {
        format!("{} page{}, ", thousands(tally.pages), if tally.pages == 1 { "" } else { "s" })
    }
}

/// Bytes that are no UTF-8 are replaced, as a source does.
fn read(path: &Path) -> io::Result<String> {
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes)?;
        bytes
    } else {
        fs::read(path)?
    };
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
