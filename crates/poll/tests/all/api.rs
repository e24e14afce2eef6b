//! An audit-log API as hostile as the real ones may be. Pure: it answers from a list of records and the time.

use std::time::Duration;

use pipeline::{RecordId, Timestamp};
use poll::position::Kind;
use poll::{Cursor, Failure, Request};

pub(crate) const SECOND: i64 = 1000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// One event of the audit log. Moments are milliseconds by the API's clock.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) time: i64,
    /// When the API shows it first.
    pub(crate) visible: i64,
    /// Its time can be read.
    pub(crate) readable: bool,
    /// When it shows other content, if ever.
    pub(crate) changes: Option<i64>,
}

impl Record {
    pub(crate) fn lag(&self) -> i64 {
        self.visible - self.time
    }

    pub(crate) fn shown_at(&self, now: i64) -> (RecordId, Option<Timestamp>) {
        let time = self.readable.then(|| Timestamp::from_millis(self.time));
        let second = time.map_or(RecordId::TIMELESS, Timestamp::second);
        let content = u64::from(self.changes.is_some_and(|at| at <= now));
        (RecordId { second, native: self.id, content }, time)
    }
}

/// How the API behaves.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) newest_first: bool,
    /// Sorted by time, else by id, which is given in the order of arrival.
    pub(crate) by_time: bool,
    /// Pages begin at an offset, else behind the last record.
    pub(crate) offsets: bool,
    pub(crate) since_includes: bool,
    pub(crate) until_includes: bool,
    pub(crate) grain: Grain,
    pub(crate) page_size: usize,
    /// One page of so many is empty, with a cursor.
    pub(crate) empty_every: Option<u64>,
    /// The last page has a cursor all the same; an empty one without follows.
    pub(crate) ends_empty: bool,
    pub(crate) text_cursors: bool,
    /// Cursors are forgotten after so long.
    pub(crate) cursor_life: Option<i64>,
    /// What it keeps, and whether an older `since` is refused; else the rest is left out.
    pub(crate) keeps: Option<(i64, bool)>,
    /// Windows longer than this time out.
    pub(crate) times_out_over: Option<i64>,
    /// Windows longer than this are refused, and so are those without a beginning.
    pub(crate) refuses_over: Option<i64>,
    pub(crate) edges: Edges,
    /// Behind the last page there is a cursor for what arrives later.
    pub(crate) feeds: bool,
}

/// Which edges a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edges {
    None,
    Since,
    Both,
    /// Neither may be missing.
    BothAlways,
}

/// How the time filter reads its edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// To the second.
    Second,
    /// The edge is cut to its midnight.
    Midnight,
    /// Edge and event are cut to their day, so that an edge that is exclusive leaves out its whole day.
    Day,
}

/// What is wrong with it for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Fails(Failure),
    /// Only requests for history fail.
    HistoryFails(Failure),
    /// There is always a next page.
    Endless,
    /// The next page is the walk's second one.
    Circle,
    /// The next page is this one.
    SameCursor,
    /// No cursor is known.
    ForgetsCursors,
    /// No `Date` in the answers.
    NoDate,
}

#[derive(Clone, Debug)]
struct Issued {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Records listed before it.
    offset: usize,
    /// Sort key of the last record before it.
    after: Option<(i64, u64)>,
    at: i64,
    /// The walk's first cursor.
    first: usize,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) records: Vec<(RecordId, Option<Timestamp>)>,
    pub(crate) next: Option<Cursor>,
    /// What [`Answer::next`] leads to comes later.
    pub(crate) later: bool,
    pub(crate) date: Option<Timestamp>,
}

pub(crate) struct Api {
    pub(crate) habits: Habits,
    /// In the order of listing, oldest first.
    records: Vec<Record>,
    issued: Vec<Issued>,
    pages: u64,
    /// Everything that was ever shown.
    pub(crate) shown: std::collections::HashSet<RecordId>,
}

impl Api {
    pub(crate) fn new(habits: Habits, records: &[Record]) -> Self {
        let mut records = records.to_vec();
        let by_time = habits.by_time;
        records.sort_by_key(|record| key(by_time, record));
        Self { habits, records, issued: Vec::new(), pages: 0, shown: Default::default() }
    }

    pub(crate) fn pages_for_all(&self) -> i64 {
        self.records.len().div_ceil(self.habits.page_size) as i64
    }

    /// `Date` has whole seconds.
    pub(crate) fn date(now: i64) -> Timestamp {
        Timestamp::from_millis(now.div_euclid(SECOND) * SECOND)
    }

    pub(crate) fn fetch(
        &mut self,
        request: &Request,
        now: i64,
        faults: &[Fault],
    ) -> Result<Answer, (Failure, Option<Timestamp>)> {
        let date = (!faults.contains(&Fault::NoDate)).then(|| Self::date(now));
        for fault in faults {
            match *fault {
                Fault::Fails(failure) => return Err((failure, None)),
                Fault::HistoryFails(failure) if request.kind == Kind::History => return Err((failure, date)),
                Fault::ForgetsCursors if request.cursor.is_some() => {
                    return Err((Failure::CursorUnknown, date));
                }
                _ => {}
            }
        }
        match self.habits.edges {
            Edges::None => assert_eq!((request.since, request.until), (None, None)),
            Edges::Since => assert_eq!(request.until, None),
            Edges::Both => {}
            Edges::BothAlways => assert!(request.until.is_some() && request.since < request.until),
        }
        if let Some(most) = self.habits.refuses_over {
            let to = request.until.map_or(now, Timestamp::as_millis);
            let from = request.since.expect("such an API is asked for windows").as_millis();
            if to - from > most {
                return Err((Failure::Other, date));
            }
        }
        let kept_from = self.habits.keeps.map(|(kept, _)| now - kept);
        if let (Some((_, true)), Some(since), Some(floor)) = (self.habits.keeps, request.since, kept_from)
            && since.as_millis() < floor
        {
            return Err((Failure::BeforeRetention, date));
        }
        if let Some(most) = self.habits.times_out_over {
            let from = request.since.map_or(now - 1000 * DAY, Timestamp::as_millis);
            let to = request.until.map_or(now, |until| until.as_millis().min(now));
            if to - from > most {
                return Err((Failure::TimedOut, None));
            }
        }
        let cursor = match &request.cursor {
            None => None,
            Some(cursor) => {
                let number: usize = cursor.text().trim_start_matches("c-").parse().expect("a cursor of ours");
                let issued = &self.issued[number];
                assert_eq!(
                    (issued.since, issued.until),
                    (request.since, request.until),
                    "filters are frozen for the whole walk"
                );
                if self.habits.cursor_life.is_some_and(|life| now - issued.at > life) {
                    return Err((Failure::CursorUnknown, date));
                }
                Some((number, issued.clone()))
            }
        };
        self.pages += 1;
        Ok(self.list(request, cursor, kept_from, now, faults, date))
    }

    fn list(
        &mut self,
        request: &Request,
        cursor: Option<(usize, Issued)>,
        kept_from: Option<i64>,
        now: i64,
        faults: &[Fault],
        date: Option<Timestamp>,
    ) -> Answer {
        let (offset, after) = cursor.as_ref().map_or((0, None), |(_, issued)| (issued.offset, issued.after));
        let empty = self.habits.empty_every.is_some_and(|every| scattered(self.pages).is_multiple_of(every));
        let size = if empty { 0 } else { self.habits.page_size };
        let is_listed = |record: &&Record| {
            record.visible <= now
                && kept_from.is_none_or(|from| record.time >= from)
                && self.passes(record.time, request)
        };
        let is_behind = |record: &&Record| {
            let key = key(self.habits.by_time, record);
            self.habits.offsets
                || after.is_none_or(|after| if self.habits.newest_first { key < after } else { key > after })
        };
        let skipped = if self.habits.offsets { offset } else { 0 };
        let order: Box<dyn Iterator<Item = &Record>> = if self.habits.newest_first {
            Box::new(self.records.iter().rev())
        } else {
            Box::new(self.records.iter())
        };
        let mut listed = order.filter(is_listed).filter(is_behind).skip(skipped);
        let page: Vec<&Record> = listed.by_ref().take(size).collect();
        let more = listed.next().is_some();
        drop(listed);
        let last = page.last().map(|record| key(self.habits.by_time, record)).or(after);
        let records: Vec<_> = page.iter().map(|record| record.shown_at(now)).collect();
        let offset = offset + records.len();
        self.shown.extend(records.iter().map(|(id, _)| *id));
        let endless = faults.contains(&Fault::Endless);
        let ends_empty = self.habits.ends_empty && !records.is_empty();
        let later = self.habits.feeds && !more && !endless && !ends_empty;
        let next = (more || endless || ends_empty || later).then(|| {
            let first = cursor.as_ref().map_or(self.issued.len(), |(_, issued)| issued.first);
            let wrong = match &cursor {
                // What follows for ever would read again what it may have forgotten.
                Some(_) if faults.contains(&Fault::Circle) && !self.habits.feeds => Some(first),
                Some((number, _)) if faults.contains(&Fault::SameCursor) => Some(*number),
                _ => None,
            };
            let (since, until) = (request.since, request.until);
            let number = wrong.unwrap_or(self.issued.len());
            if wrong.is_none() {
                self.issued.push(Issued { since, until, offset, after: last, at: now, first });
            }
            let json = if self.habits.text_cursors { format!("\"c-{number}\"") } else { number.to_string() };
            Cursor::from_json(&json).unwrap()
        });
        Answer { records, next, later, date }
    }

    fn passes(&self, time: i64, request: &Request) -> bool {
        let cut = |moment: Timestamp| {
            let unit = if self.habits.grain == Grain::Second { SECOND } else { DAY };
            moment.as_millis().div_euclid(unit) * unit
        };
        let unit =
            |time: i64| if self.habits.grain == Grain::Day { time.div_euclid(DAY) * DAY } else { time };
        let behind = request.since.is_none_or(|since| {
            if self.habits.since_includes { unit(time) >= cut(since) } else { unit(time) > cut(since) }
        });
        let before = request.until.is_none_or(|until| {
            if self.habits.until_includes { unit(time) <= cut(until) } else { unit(time) < cut(until) }
        });
        behind && before
    }
}

/// A number that looks random.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) >> 7
}

fn key(by_time: bool, record: &Record) -> (i64, u64) {
    (if by_time { record.time } else { 0 }, record.id)
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap()
}
