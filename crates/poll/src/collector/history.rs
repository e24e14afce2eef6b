//! The stretches of time that are still open, and the holes in them.

use pipeline::{Gap, Timestamp};

use super::Collector;
use super::clock::believed;
use crate::position::{Kind, Range, Walk};

impl Collector {
    /// A walk to the present that is too long, or stuck, leaves its window to history and goes on at the present.
    pub(super) fn leave_to_history(&mut self, at: usize, server_now: Timestamp) {
        let walk = self.position.walks.remove(at);
        let late = self.position.complete_until.map(|complete_until| self.sweep_since(complete_until));
        self.add_history(late.map_or(walk.since, |late| walk.since.min(Some(late))));
        if self.walk(Kind::Live).is_none() {
            let since = self.present(server_now);
            self.position.walks.push(Walk::new(Kind::Live, Some(since), None));
        }
    }

    /// Adds what lies between `from` and the first page of the next walk to the present, joined with what it touches.
    pub(super) fn add_history(&mut self, from: Option<Timestamp>) {
        let history = &mut self.position.history;
        let walked = history.first().map(|range| range.from);
        history.push(Range { from, to: None });
        history.sort_by_key(|range| range.from);
        let mut joined: Vec<Range> = Vec::new();
        for range in history.drain(..) {
            match joined.last_mut() {
                Some(last) if last.to.is_none() => {}
                Some(last) if range.from <= last.to => {
                    last.to = range.to.and_then(|_| last.to.max(range.to));
                }
                _ => joined.push(range),
            }
        }
        // A window that is no longer at the front is read again when its turn comes.
        if walked.is_some_and(|from| joined.first().is_none_or(|first| first.from != from)) {
            self.position.walks.retain(|walk| walk.kind != Kind::History);
        }
        self.position.history = joined;
    }

    /// History ends where a walk to the present begins: at its first page. All events that were there by then are
    /// history's, so that sweeps count from here.
    pub(super) fn settle_history(&mut self, at: usize, server_now: Timestamp) {
        let window = self.walk(Kind::History).and_then(|walk| walk.until);
        let kept = self.policy.retention.map(|retention| server_now.minus(retention).plus(self.margin()));
        let position = &mut self.position;
        let since = position.walks[at].since;
        let Some(mut last) = position.history.pop_if(|range| range.to.is_none()) else { return };
        last.from = last.from.or(kept.map(believed));
        last.to = Some(server_now).max(window);
        // What this walk reads anyway is no history.
        if window.is_some() || (last.from < since && last.from < last.to) {
            position.history.push(last);
        }
        position.swept_until = position.swept_until.max(Some(server_now));
        // The newest event known is history's to find.
        position.newest = None;
    }

    /// Gives up what the API has forgotten of the ranges that no walk is open for.
    pub(super) fn give_up_forgotten(&mut self, server_now: Timestamp, gaps: &mut Vec<Gap>) {
        let forgotten = self.policy.retention.map(|retention| server_now.minus(retention));
        let kept = forgotten.map(|forgotten| forgotten.plus(self.margin()));
        let walked = usize::from(self.walk(Kind::History).is_some());
        for range in self.position.history.iter_mut().skip(walked) {
            let (Some(from), Some(to)) = (range.from, range.to) else { continue };
            let until = match kept {
                _ if self.floor.has_refused_all(range) => to,
                Some(kept) if Some(from) < forgotten => kept.min(to),
                _ => continue,
            };
            range.from = Some(until);
            gaps.push(Gap { from, to: until, reason: self.policy.kept() });
        }
        self.position.history.retain(|range| range.to.is_none() || range.from < range.to);
    }

    /// The hole at the old end of a walk that closes: what the API forgot before it was read.
    pub(super) fn lost_while_walking(&self, at: usize, server_now: Timestamp) -> Option<Gap> {
        let walk = &self.position.walks[at];
        let forgotten = server_now.minus(self.policy.retention?);
        let from = match (walk.kind, self.position.complete_until) {
            // What was complete before is no hole, but events may have arrived late.
            (Kind::Live | Kind::Sweep, Some(complete_until)) => {
                walk.since?.max(self.not_before_start(self.late_since(complete_until)))
            }
            _ => walk.since?,
        };
        let to = walk.until.map_or(forgotten, |until| until.min(forgotten));
        (from < to).then(|| Gap { from, to, reason: self.policy.kept() })
    }

    /// A window is read: its range starts behind it.
    pub(super) fn close_window(&mut self, walk: &Walk) {
        self.window = (self.window * 2).min(self.policy.history_window);
        if let Some(range) = self.position.history.first_mut() {
            range.from = walk.until;
        }
        self.position.history.retain(|range| range.to.is_none() || range.from < range.to);
    }
}
