//! Which walk is due, where it starts, and what must be remembered for it.

use std::time::Duration;

use pipeline::Timestamp;

use super::Collector;
use super::clock::{OLDEST, believed};
use crate::edges::REACH;
use crate::floor::{FloorSearch, MARGIN};
use crate::policy::{Resume, Start, TimeFilter};
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
        floor: FloorSearch::default(),
        form: None,
        first: Kind::Live,
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
                (walk.resting, walk.caught_up) = (false, false);
            }
            if self.policy.resume == Resume::Cursor {
                self.begin_to_follow(self.clock.estimate(now));
            } else if self.walk(Kind::Live).is_none() {
                self.begin_to_the_present(self.clock.estimate(now));
            }
        }
        self.renew_horizons(self.clock.estimate(now));
        self.leave_what_has_grown(self.clock.estimate(now));
        if self.walk(Kind::History).is_none()
            && let Some(range) = self.position.history.first()
            && let Some(to) = range.to
            && !self.position.floor.has_refused_all(range)
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
            && server_now.since(complete_until) > self.policy.window()
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
        let horizon = self.horizon(since, server_now);
        self.position.walks.push(Walk { horizon, ..Walk::new(kind, Some(since), None) });
    }

    /// A walk whose first page was long in coming reads up to the present all the same.
    fn renew_horizons(&mut self, server_now: Timestamp) {
        for at in 0..self.position.walks.len() {
            let walk = &self.position.walks[at];
            if let (None, Some(since), Kind::Live | Kind::Sweep) = (walk.began, walk.since, walk.kind) {
                self.position.walks[at].horizon = self.horizon(since, server_now);
            }
        }
    }

    /// A walk to the present that was put off for long has become longer than the API answers.
    fn leave_what_has_grown(&mut self, server_now: Timestamp) {
        let Some(longest) = self.policy.longest() else { return };
        let has_grown = |walk: &Walk| {
            let to_present = matches!(walk.kind, Kind::Live | Kind::Sweep) && walk.began.is_none();
            to_present && walk.since.is_some_and(|since| server_now.since(since) > longest)
        };
        if let Some(at) = self.position.walks.iter().position(has_grown) {
            self.leave_to_history(at);
        }
    }

    /// What a walk to the present asks for as its upper edge, where the API wants one.
    pub(super) fn horizon(&self, since: Timestamp, server_now: Timestamp) -> Option<Timestamp> {
        let TimeFilter::Closed { settle } = self.policy.filter else { return None };
        // A window that ends before it begins is refused.
        Some(believed(server_now.minus(settle).max(since.plus(Duration::from_secs(1)))))
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
        self.not_before_start(since.max(self.within_span(complete_until)))
    }

    /// Where a sweep starts: no event that arrived late, by up to `resweep_over`, since the last sweep began is older.
    pub(super) fn sweep_since(&self, complete_until: Timestamp) -> Timestamp {
        let late = self.late_since(complete_until).max(self.within_span(complete_until));
        self.not_before_start(late).min(self.live_since(complete_until))
    }

    /// The earliest start with which a walk to the present is not longer than the API answers.
    fn within_span(&self, complete_until: Timestamp) -> Timestamp {
        let longest = self.policy.max_span.map(|_| complete_until.minus(self.policy.window()));
        longest.map_or(OLDEST, believed)
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

    /// Processes take turns in what they ask for first, for they may live no longer than a request: the present, a sweep
    /// that is open, history that is.
    pub(super) fn take_turns(position: &mut Position) -> Kind {
        let was = if position.history_first { Kind::History } else { position.first };
        let is_open = |kind: &Kind| match kind {
            Kind::History => !position.history.is_empty(),
            kind => position.walks.iter().any(|walk| walk.kind == *kind),
        };
        let after: &[Kind] = match was {
            Kind::Live | Kind::Follow => &[Kind::Sweep, Kind::History],
            Kind::Sweep => &[Kind::History],
            Kind::History => &[],
        };
        let first = after.iter().copied().find(is_open).unwrap_or(Kind::Live);
        (position.first, position.history_first) = (first, false);
        first
    }

    pub(super) fn whose_turn(&self) -> Option<Kind> {
        let order = match self.served {
            // A time-out may take longer than the poll interval: history that fails waits until the present is read.
            _ if self.history_fails => [Kind::Live, Kind::Sweep, Kind::History],
            Kind::Live => [Kind::Sweep, Kind::History, Kind::Live],
            Kind::Sweep => [Kind::History, Kind::Live, Kind::Sweep],
            Kind::History | Kind::Follow => [Kind::Live, Kind::Sweep, Kind::History],
        };
        order
            .into_iter()
            .chain([Kind::Follow])
            .find(|kind| self.walk(*kind).is_some_and(|walk| !walk.resting))
    }

    /// What must be remembered: everything that a coming request may show again.
    pub(super) fn prune_before(&self) -> i64 {
        // Without a filter every walk may show all that there ever was.
        let is_filtered = self.policy.filter != TimeFilter::None;
        let Some(complete_until) = self.position.complete_until.filter(|_| is_filtered) else {
            return i64::MIN;
        };
        let mut keep = self.sweep_since(complete_until);
        let ranges = self.position.history.iter().map(|range| range.from);
        // What follows does not come back to where it began.
        let windows = self.position.walks.iter().filter(|walk| walk.kind != Kind::Follow);
        for from in ranges.chain(windows.map(|walk| walk.since)) {
            match from {
                Some(from) => keep = keep.min(from),
                None => return i64::MIN,
            }
        }
        keep.minus(REACH).second()
    }
}
