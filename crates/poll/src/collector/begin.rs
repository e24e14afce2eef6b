//! Which walk is due, where it starts, and what must be remembered for it.

use std::time::Duration;

use pipeline::Timestamp;

use super::clock::believed;
use super::{Collector, MARGIN};
use crate::edges::REACH;
use crate::policy::Start;
use crate::position::{Identity, Kind, Position, Range, VERSION, Walk};

/// The position before the first request. All of it is history until the first page to the present tells where that ends.
pub(super) fn first(identity: Identity, start: Start, now: Timestamp) -> Position {
    let from = match start {
        Start::All => None,
        Start::Now => Some(now),
        Start::Ago(back) => Some(believed(now.minus(back))),
        Start::At(moment) => Some(believed(moment)),
    };
    Position {
        version: VERSION,
        source: identity.source,
        host: identity.host,
        tenant: None,
        start: from,
        start_counted_at: matches!(start, Start::Now | Start::Ago(_)).then_some(now),
        complete_until: None,
        newest: None,
        swept_until: None,
        history: vec![Range { from, to: None }],
        walks: Vec::new(),
        history_first: false,
    }
}

impl Collector {
    pub(super) fn begin_what_is_due(&mut self, now: Timestamp) {
        // A clock that was set back must not put the next poll off.
        let due = self.next_poll.is_none_or(|due| due <= now || due.since(now) > self.policy.poll_interval);
        if due {
            self.next_poll = Some(now.plus(self.policy.poll_interval));
            for walk in &mut self.position.walks {
                walk.resting = false;
            }
            if self.walk(Kind::Live).is_none() {
                self.begin_to_the_present(self.clock.estimate(now));
            }
        }
        if self.walk(Kind::History).is_none()
            && let Some(range) = self.position.history.first()
            && let Some(to) = range.to
            && !self.floor.has_refused_all(range)
        {
            let until = range.from.map_or(to, |from| from.plus(self.window).min(to));
            let walk = Walk::new(Kind::History, range.from, Some(until));
            self.position.walks.push(walk);
        }
    }

    /// Begins a walk that reads up to the present: usually live; a sweep when the last one is long ago; and when the last
    /// walk is too long ago for one window, a live one from the present, with everything before left to history.
    fn begin_to_the_present(&mut self, server_now: Timestamp) {
        if let Some(complete_until) = self.position.complete_until
            && server_now.since(complete_until) > self.policy.history_window
        {
            self.add_history(Some(self.sweep_since(complete_until)));
        }
        let (kind, since) = match self.position.complete_until {
            None => (Kind::Live, self.present(server_now)),
            // Not before what is remembered, should our clock be years behind.
            Some(complete_until) if self.history_is_endless() => {
                (Kind::Live, self.present(server_now).max(self.sweep_since(complete_until)))
            }
            Some(complete_until) if self.is_sweep_due(complete_until, server_now) => {
                (Kind::Sweep, self.sweep_since(complete_until))
            }
            Some(complete_until) => (Kind::Live, self.live_since(complete_until)),
        };
        self.position.walks.push(Walk::new(kind, Some(since), None));
    }

    fn is_sweep_due(&self, complete_until: Timestamp, server_now: Timestamp) -> bool {
        let last = self.position.swept_until.unwrap_or(complete_until);
        server_now.since(last) >= self.policy.resweep_every && self.walk(Kind::Sweep).is_none()
    }

    /// Where a live walk starts that leaves everything before to history.
    pub(super) fn present(&self, server_now: Timestamp) -> Timestamp {
        self.not_before_start(server_now.minus(self.policy.overlap))
    }

    /// Where a live walk starts that goes on from the last one. An API that lags behind shows by its newest event, and is
    /// followed as far back as it keeps.
    fn live_since(&self, complete_until: Timestamp) -> Timestamp {
        let known = self.position.newest.map_or(complete_until, |newest| newest.min(complete_until));
        let mut since = known.minus(self.policy.overlap);
        if let Some(retention) = self.policy.retention {
            since = since.max(complete_until.minus(retention).plus(self.margin()));
        }
        if Some(since) <= self.live_refused {
            since = since.max(self.late_since(complete_until));
        }
        self.not_before_start(since)
    }

    /// Where a sweep starts: no event that arrived late, by up to `resweep_over`, since the last sweep began is older.
    pub(super) fn sweep_since(&self, complete_until: Timestamp) -> Timestamp {
        self.not_before_start(self.late_since(complete_until)).min(self.live_since(complete_until))
    }

    /// An event that was not there for the last sweep, and is not later than `resweep_over`, is not older than this.
    pub(super) fn late_since(&self, complete_until: Timestamp) -> Timestamp {
        let swept = self.position.swept_until.map_or(complete_until, |swept| swept.min(complete_until));
        // An API that keeps hardly more than a sweep spans loses no event to us, but to its own late arrival.
        let kept = self.policy.retention.unwrap_or(Duration::MAX);
        let over = self.policy.resweep_over;
        swept.minus(over.min(kept.saturating_sub(self.policy.resweep_every + 2 * self.margin())))
    }

    pub(super) fn not_before_start(&self, moment: Timestamp) -> Timestamp {
        believed(self.position.start.map_or(moment, |start| start.max(moment)))
    }

    /// [`MARGIN`], or less when the API keeps hardly more.
    pub(super) fn margin(&self) -> Duration {
        self.policy.retention.map_or(MARGIN, |retention| MARGIN.min(retention / 8))
    }

    pub(super) fn whose_turn(&self) -> Option<Kind> {
        let order = match self.served {
            // A time-out may take longer than the poll interval: history that fails waits until the present is read.
            _ if self.history_fails => [Kind::Live, Kind::Sweep, Kind::History],
            Kind::Live => [Kind::Sweep, Kind::History, Kind::Live],
            Kind::Sweep => [Kind::History, Kind::Live, Kind::Sweep],
            Kind::History => [Kind::Live, Kind::Sweep, Kind::History],
        };
        order.into_iter().find(|kind| self.walk(*kind).is_some_and(|walk| !walk.resting))
    }

    /// What must be remembered: everything that a coming request may show again.
    pub(super) fn prune_before(&self) -> i64 {
        let Some(complete_until) = self.position.complete_until else { return i64::MIN };
        let mut keep = self.sweep_since(complete_until);
        let ranges = self.position.history.iter().map(|range| range.from);
        for from in ranges.chain(self.position.walks.iter().map(|walk| walk.since)) {
            match from {
                Some(from) => keep = keep.min(from),
                None => return i64::MIN,
            }
        }
        keep.minus(REACH).second()
    }
}
