//! A collector and somebody who answers it, line by line.

use std::time::Duration;

use pipeline::{Gap, Position, RecordId, Seen, Timestamp, Wait};
use poll::{Collector, Cursor, Failure, Identity, OpenError, Page, Policy, Request, Start, Step, Taken};
use serde_json::Value;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) type Found = (RecordId, Option<Timestamp>);

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::read(text).unwrap()
}

/// A record of this time.
pub(crate) fn record(native: u64, time: Timestamp) -> Found {
    (RecordId { second: time.second(), native, content: 0 }, Some(time))
}

/// A record whose time cannot be read.
pub(crate) fn timeless(native: u64) -> Found {
    (RecordId { second: RecordId::TIMELESS, native, content: 0 }, None)
}

pub(crate) struct Conversation {
    pub(crate) collector: Collector,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
}

pub(crate) fn identity() -> Identity {
    Identity { source: "postman".into(), host: "api.example".into() }
}

impl Conversation {
    /// Begins at 2026-11-20T10:00:00Z.
    pub(crate) fn begin(policy: Policy, start: Start) -> Self {
        let now = at("2026-11-20T10:00:00Z");
        let collector = Collector::open(policy.clone(), identity(), start, None, now).unwrap();
        Self { collector, policy, now }
    }

    /// Begins, and has collected what there was: nothing.
    pub(crate) fn caught_up(policy: Policy) -> Self {
        let mut talk = Self::begin(policy, Start::Now);
        talk.asks();
        talk.ends(&[]);
        talk
    }

    pub(crate) fn asks(&mut self) -> Request {
        match self.collector.step(self.now) {
            Step::Fetch(request) => request,
            Step::Wait(wait) => panic!("waits: {wait:?}"),
        }
    }

    pub(crate) fn waits(&mut self) -> Wait {
        match self.collector.step(self.now) {
            Step::Fetch(request) => panic!("asks: {request:?}"),
            Step::Wait(wait) => wait,
        }
    }

    /// Asks after the next poll is due.
    pub(crate) fn polls(&mut self) -> Request {
        self.now = self.now.plus(self.waits().duration);
        self.asks()
    }

    fn answers(&mut self, records: &[Found], seen: &[Seen], next: Option<&str>) -> Taken {
        let next = next.map(|json| Cursor::from_json(json).unwrap());
        let page = Page { records, next: next.as_ref().into(), server_time: Some(self.now) };
        self.collector.page(&page, seen, self.now)
    }

    /// The last page, with new records.
    pub(crate) fn ends(&mut self, records: &[Found]) -> Taken {
        self.answers(records, &vec![Seen::New; records.len()], None)
    }

    /// A page with new records, and another one behind it.
    pub(crate) fn goes_on(&mut self, records: &[Found], next: &str) -> Taken {
        self.answers(records, &vec![Seen::New; records.len()], Some(next))
    }

    /// A page with known records, and another one behind it.
    pub(crate) fn repeats(&mut self, records: &[Found], next: &str) -> Taken {
        self.answers(records, &vec![Seen::Known; records.len()], Some(next))
    }

    pub(crate) fn shows(&mut self, records: &[Found], seen: &[Seen]) -> Taken {
        self.answers(records, seen, None)
    }

    pub(crate) fn fails(&mut self, failure: Failure) {
        self.collector.failed(failure, Some(self.now), self.now);
    }

    /// Everything is delivered and saved, and a new process starts after a pause.
    pub(crate) fn restarts(&mut self, pause: Duration) {
        self.now = self.now.plus(pause);
        self.collector = self.reopened(self.collector.progress().position.as_str()).unwrap();
    }

    pub(crate) fn reopened(&self, position: &str) -> Result<Collector, OpenError> {
        let position = Position::from_json(position).unwrap();
        Collector::open(self.policy.clone(), identity(), Start::Now, Some(&position), self.now)
    }

    pub(crate) fn position(&self) -> Value {
        serde_json::from_str(self.collector.progress().position.as_str()).unwrap()
    }

    pub(crate) fn complete_until(&self) -> Option<Timestamp> {
        self.collector.status().complete_until
    }

    pub(crate) fn gap(from: Timestamp, to: Timestamp, reason: &str) -> Gap {
        Gap { from, to, reason: reason.into() }
    }
}
