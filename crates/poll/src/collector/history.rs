//! The stretches of time that are still open, and the holes in them.

use pipeline::{Gap, Timestamp};

use super::Collector;
use super::clock::believed;
use crate::floor::FloorSearch;
use crate::policy::Resume;
use crate::position::{Kind, Range, Walk};

impl Collector {
    /// A walk to the present that is too long, or stuck, leaves its window to history; the next poll goes on at the present.
    pub(super) fn leave_to_history(&mut self, at: usize) {
        let walk = self.position.walks.remove(at);
        let late = self.position.complete_until.map(|complete_until| self.sweep_since(complete_until));
        self.add_history(late.map_or(walk.since, |late| walk.since.min(Some(late))));
    }

    /// Whether history waits for the first page of a walk to the present.
    pub(super) fn history_is_endless(&self) -> bool {
        self.position.history.last().is_some_and(|range| range.to.is_none())
    }

    /// Adds what lies between `from` and the first page of the next walk to the present, joined with what it touches. The
    /// range that is being walked stays as it is: what appears behind that walk's back is read with the new one.
    pub(super) fn add_history(&mut self, from: Option<Timestamp>) {
        let walked = usize::from(self.walk(Kind::History).is_some());
        let mut waiting = self.position.history.split_off(walked);
        waiting.push(Range { from, to: None });
        waiting.sort_by_key(|range| range.from);
        for range in waiting {
            match self.position.history.get_mut(walked..).and_then(<[Range]>::last_mut) {
                Some(last) if last.to.is_none() => {}
                Some(last) if range.from <= last.to => last.to = range.to.and_then(|_| last.to.max(range.to)),
                _ => self.position.history.push(range),
            }
        }
    }

    /// History ends where a walk to the present begins: at its first page. All events that were there by then are
    /// history's, so that sweeps count from here.
    pub(super) fn settle_history(&mut self, at: usize, server_now: Timestamp) {
        let kept = self.policy.retention.map(|retention| server_now.minus(retention).plus(self.margin()));
        let position = &mut self.position;
        let since = position.walks[at].since;
        let Some(mut last) = position.history.pop_if(|range| range.to.is_none()) else { return };
        last.from = last.from.or(kept.map(believed));
        last.to = Some(server_now);
        // What the very first walk reads anyway is no history. Later it is: a position before it has called it complete.
        let is_first = position.complete_until.is_none();
        if last.from < last.to && !(is_first && last.from >= since) {
            position.history.push(last);
            position.swept_until = position.swept_until.max(Some(server_now));
        }
        // The newest event known is history's to find.
        position.newest = None;
    }

    /// Gives up what the API has forgotten of the ranges that no walk is open for, and forgets ranges that are read.
    pub(super) fn give_up_forgotten(&mut self, server_now: Timestamp, gaps: &mut Vec<Gap>) {
        let forgotten = self.policy.retention.map(|retention| server_now.minus(retention));
        let kept = forgotten.map(|forgotten| forgotten.plus(self.margin()));
        let walked = usize::from(self.walk(Kind::History).is_some());
        let floor = self.position.floor.clone();
        for range in self.position.history.iter_mut().skip(walked) {
            let (Some(from), Some(to)) = (range.from, range.to) else { continue };
            let until = match kept {
                _ if floor.has_refused_all(range) => to,
                Some(kept) if Some(from) < forgotten => kept.min(to),
                _ => continue,
            };
            range.from = Some(until);
            gaps.push(Gap { from, to: until, reason: self.policy.kept() });
        }
        self.position.history.retain(|range| range.to.is_none() || range.from < range.to);
        if self.policy.resume == Resume::Window && walked == 0 {
            // The search was in a range that is given up by now.
            self.position.floor = FloorSearch::default();
        }
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

    /// When the API forgets the oldest moment that is not read yet. History without a known beginning does not count: it
    /// begins where the API does.
    pub(super) fn lost_from(&self) -> Option<Timestamp> {
        let open = self.position.history.iter().filter_map(|range| range.from);
        Some(open.chain(self.position.complete_until).min()?.plus(self.policy.retention?))
    }

    /// A window is read: its range starts behind it. One that is read to its end goes in [`Collector::give_up_forgotten`].
    pub(super) fn close_window(&mut self, walk: &Walk) {
        if let Some(range) = self.position.history.first_mut() {
            range.from = walk.until;
        }
    }
}
