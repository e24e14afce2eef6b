//! The suite that every source passes, against APIs of seven kinds.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pipeline::Source;
use serde_json::Value;
use simulator::log::{Edges, Fault, Log, Manner, Paging, Records};
use testkit::source::{Api, CannotHappen, Harness, Nature, Spoiled, conforms};

use crate::apis::{self, Kind};

const DAY: Duration = Duration::from_secs(86_400);

struct Simulated {
    api: Log,
    kind: Kind,
    config: Value,
}

impl Kind {
    /// The manner and the description of an API of that nature.
    fn of(&self, nature: Nature) -> Result<Self, CannotHappen> {
        let mut kind = self.clone();
        let is_feed = matches!(self.manner.paging, Paging::Cursor { feed: Some(_), .. });
        let Kind { manner, description, .. } = &mut kind;
        let records = |records: Records, manner: &mut Manner| manner.records = records;
        let none = Records::default();
        match nature {
            Nature::Plain => {}
            // A life of a few pages must be enough for a window, which here has three days.
            Nature::SmallPages if manner.edges_required => manner.size = (None, 30, 30),
            Nature::SmallPages => manner.size = (None, 9, 9),
            Nature::CrowdedSeconds => {
                manner.size.2 = manner.size.2.min(100);
                records(Records { crowded: 50, ..none }, manner);
            }
            Nature::Growing => {
                manner.size.2 = 50;
                records(Records { growing: true, ..none }, manner);
            }
            Nature::Late => records(Records { late: 20, ..none }, manner),
            Nature::FutureDates if manner.edges_required => {
                return Err(CannotHappen("what is dated behind the upper edge cannot be asked for"));
            }
            Nature::FutureDates => records(Records { future: 5, ..none }, manner),
            Nature::DayCut if manner.since.is_none() || is_feed => {
                return Err(CannotHappen("there is no filter that matters"));
            }
            Nature::DayCut => {
                manner.edges = Edges::ExclusiveDays;
                description["time_filter"]["granularity"] = "day".into();
                // Days on both sides of a window must fit.
                manner.max_span = None;
            }
            Nature::StrictCursors if matches!(manner.paging, Paging::Page { .. } | Paging::Offset { .. }) => {
                return Err(CannotHappen("a number is always good"));
            }
            Nature::StrictCursors => {
                manner.size.2 = 40;
                manner.strict_cursors = Some(6);
            }
            Nature::Edited if is_feed => return Err(CannotHappen("a feed shows a record once")),
            Nature::Edited => {}
            Nature::Odd => records(Records { odd: 30, ..none }, manner),
            Nature::Forgetful if manner.since.is_none() => {
                return Err(CannotHappen("nothing older can be asked for"));
            }
            Nature::Forgetful => manner.retention = Some(3 * DAY),
            Nature::Hostile => {
                manner.size.2 = 30;
                let late = if is_feed { 0 } else { 10 };
                records(Records { crowded: 10, late, odd: 10, growing: true, future: 0 }, manner);
            }
        }
        Ok(kind)
    }
}

#[async_trait]
impl Harness for Kind {
    async fn api(&self, nature: Nature, records: usize) -> Result<Box<dyn Api>, CannotHappen> {
        let kind = self.of(nature)?;
        let api = Log::start(kind.manner.clone(), records).await.unwrap();
        if nature == Nature::Hostile {
            for fault in [
                Fault::Status(503),
                Fault::Cut,
                Fault::Html,
                Fault::RetryAfter(3),
                Fault::Shuffled,
                Fault::Truncated,
                Fault::ErrorAsSuccess,
                Fault::Status(410),
                Fault::NotUtf8,
            ] {
                api.script(fault);
            }
        }
        Ok(Box::new(Simulated { config: kind.config(&api), api, kind }))
    }
}

impl Api for Simulated {
    fn source(&self) -> Box<dyn Source> {
        Box::new(self.kind.source(&self.config))
    }

    fn id_of(&self, text: &[u8]) -> Option<String> {
        let record: Value = serde_json::from_slice(text).ok()?;
        record.get("id")?.as_str().map(str::to_owned)
    }

    fn shown(&self) -> Vec<String> {
        self.api.shown().into_iter().collect()
    }

    fn all(&self) -> BTreeMap<String, SystemTime> {
        self.api.all()
    }

    fn requests(&self) -> usize {
        self.api.requests()
    }

    fn spoil(&self, spoiled: Spoiled) -> Result<(), CannotHappen> {
        let paging = self.kind.manner.paging;
        let counts = matches!(paging, Paging::Page { .. } | Paging::Offset { .. });
        self.api.script(match spoiled {
            Spoiled::Throttled(0) => Fault::RetryAfter(7),
            Spoiled::Throttled(1) => Fault::RateLimitReset(7),
            Spoiled::Throttled(_) => Fault::ForbiddenRateLimit(7),
            Spoiled::QuotaUsedUp => Fault::Quota,
            Spoiled::ServerError => Fault::Status(503),
            Spoiled::Cut => Fault::Cut,
            Spoiled::Truncated => Fault::Truncated,
            Spoiled::Html => Fault::Html,
            Spoiled::ErrorAsSuccess => Fault::ErrorAsSuccess,
            Spoiled::NotUtf8 => Fault::NotUtf8,
            Spoiled::CursorLost => Fault::Status(410),
            Spoiled::EmptyPage if counts => {
                return Err(CannotHappen("a page without records is the end of pages that are counted"));
            }
            Spoiled::EmptyPage => Fault::EmptyPage,
            Spoiled::RepeatedCursor if counts => return Err(CannotHappen("pages are counted")),
            Spoiled::RepeatedCursor => Fault::RepeatedCursor,
            Spoiled::Repeated => Fault::Repeated,
            Spoiled::Shuffled => Fault::Shuffled,
        });
        Ok(())
    }

    fn throttles(&self) -> usize {
        3
    }

    fn accept(&self, accepted: bool) {
        self.api.accept(accepted);
    }

    fn add(&self, time: SystemTime) -> String {
        self.api.add(time)
    }

    fn edit(&self, id: &str) -> Result<(), CannotHappen> {
        if matches!(self.kind.manner.paging, Paging::Cursor { feed: Some(_), .. }) {
            return Err(CannotHappen("a feed shows a record once"));
        }
        self.api.edit(id);
        Ok(())
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.api.key().to_owned()]
    }
}

#[test]
fn a_cursor_newest_first() {
    conforms(&apis::cursor());
}

#[test]
fn links_oldest_first_and_a_longest_window() {
    conforms(&apis::link());
}

#[test]
fn numbered_pages_and_a_lower_edge_only() {
    conforms(&apis::page());
}

#[test]
fn next_urls_and_no_filter() {
    conforms(&apis::next_url());
}

#[test]
fn offsets() {
    conforms(&apis::offset());
}

#[test]
fn a_cursor_that_is_kept_for_ever() {
    conforms(&apis::feed());
}

#[test]
fn whole_days_and_no_ids() {
    conforms(&apis::days());
}
