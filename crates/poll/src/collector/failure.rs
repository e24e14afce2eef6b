//! What a failure changes.

use std::time::Duration;

use pipeline::{Gap, Timestamp};

use super::clock::OLDEST;
use super::{Collector, Failure, MARGIN};
use crate::position::{Kind, Range, Walk};

/// A walk that fails so often at one cursor starts over: the cursor may be what is wrong.
const STUCK: u32 = 10;

/// Looking for the moment from which on an API keeps its history, when it keeps less than expected: later starts in
/// growing steps until one is accepted, then the middle between that and the last refused, until they are close.
#[derive(Clone, Debug, Default)]
pub(super) struct FloorSearch {
    /// The latest start that was refused.
    refused: Option<Timestamp>,
    /// The earliest start that was accepted, while it is looked for.
    accepted: Option<Timestamp>,
    /// The next step; at least [`MARGIN`].
    step: Duration,
}

impl FloorSearch {
    /// Whether nothing of the range is kept.
    pub(super) fn has_refused_all(&self, range: &Range) -> bool {
        range.to.is_some_and(|to| self.refused >= Some(to.minus(MARGIN)))
    }

    /// The start to ask for after `since` was refused; `to` is where the range ends.
    pub(super) fn later(&mut self, since: Timestamp, to: Timestamp) -> Timestamp {
        self.refused = self.refused.max(Some(since));
        self.accepted = self.accepted.filter(|accepted| *accepted > since);
        let end = self.accepted.unwrap_or(to);
        if end.since(since) <= MARGIN {
            return end;
        }
        self.step = (self.step * 2).max(MARGIN);
        since.plus(self.step.min(end.since(since) / 2))
    }

    /// `since` was accepted, although `from` was wanted: the start to ask for instead, or none if it is the floor.
    pub(super) fn earlier(&mut self, from: Option<Timestamp>, since: Timestamp) -> Option<Timestamp> {
        let refused = self.refused.filter(|refused| *refused < since).max(from)?;
        if since.since(refused) <= MARGIN {
            (self.accepted, self.step) = (None, Duration::ZERO);
            return None;
        }
        self.accepted = Some(since);
        Some(refused.plus(since.since(refused) / 2))
    }
}

impl Collector {
    pub(super) fn fail(&mut self, at: usize, failure: Failure, server_now: Timestamp) {
        let walk = &mut self.position.walks[at];
        walk.failures = walk.failures.saturating_add(1);
        match failure {
            _ if walk.kind == Kind::Follow => self.fail_to_follow(at, failure, server_now),
            Failure::CursorUnknown if walk.cursor.is_some() => self.start_over(at, server_now),
            Failure::BeforeRetention => self.start_later(at, server_now),
            Failure::TimedOut if !self.policy.has_windows() => {}
            Failure::TimedOut if walk.kind == Kind::History => self.halve(at),
            Failure::TimedOut => {
                if self.is_long(at, server_now) {
                    self.leave_to_history(at);
                }
            }
            Failure::CursorUnknown | Failure::Other => {
                if walk.cursor.is_some() && walk.failures >= STUCK {
                    self.start_over(at, server_now);
                }
            }
        }
    }

    /// Back to the window's start. From the second time on something is wrong with the window: history takes smaller
    /// ones, a walk to the present leaves its past to history, and it waits for the next poll, so as not to spin.
    pub(super) fn start_over(&mut self, at: usize, server_now: Timestamp) {
        if self.position.walks[at].restarts == 0 {
            self.position.walks[at].start_over();
        } else if self.position.walks[at].kind == Kind::History {
            self.position.walks[at].start_over();
            self.halve(at);
            self.position.walks[at].resting = true;
        } else {
            self.start_over_or_leave(at, server_now);
        }
    }

    /// A walk to the present leaves its past to history, if it has one.
    pub(super) fn start_over_or_leave(&mut self, at: usize, server_now: Timestamp) {
        if self.is_long(at, server_now) {
            self.leave_to_history(at);
        } else {
            let walk = &mut self.position.walks[at];
            walk.start_over();
            walk.resting = walk.restarts > 1;
        }
    }

    /// Whether a walk to the present has a past that history could take.
    fn is_long(&self, at: usize, server_now: Timestamp) -> bool {
        let short = self.policy.overlap.saturating_add(self.policy.poll_interval);
        let walk = &self.position.walks[at];
        walk.kind == Kind::Sweep || walk.since < Some(self.present(server_now).minus(short))
    }

    /// A history window of half the length. The other half is the next window.
    fn halve(&mut self, at: usize) {
        let walk = &mut self.position.walks[at];
        let Some(until) = walk.until else { return };
        let since = *walk.since.get_or_insert(OLDEST);
        if let Some(range) = self.position.history.first_mut() {
            range.from = range.from.or(walk.since);
        }
        let half = (until.since(since) / 2).max(self.policy.min_window);
        if half < until.since(since) {
            walk.until = Some(since.plus(half));
            walk.start_over();
        }
        self.window = half;
    }

    /// The API keeps nothing so old.
    fn start_later(&mut self, at: usize, server_now: Timestamp) {
        let walk = &self.position.walks[at];
        let Some(since) = walk.since else { return };
        let Some(until) = walk.until else {
            if !self.is_long(at, server_now) {
                self.position.walks[at].resting = true;
                return;
            }
            if let Some(complete_until) = self.position.complete_until {
                // What is complete need not be read again, but events may have arrived late.
                self.live_refused = self.live_refused.max(Some(since));
                let late = self.not_before_start(self.late_since(complete_until));
                self.position.walks[at].since = Some(late);
            }
            self.leave_to_history(at);
            return;
        };
        if walk.pages > 0 {
            // It fell out of what the API keeps while it was read.
            self.window = (self.window / 2).max(self.policy.min_window);
        }
        let to = self.position.history.first().and_then(|range| range.to).unwrap_or(until);
        let later = self.floor.later(since, to);
        self.position.walks.remove(at);
        // If nothing of it is left, the next page reports it as a hole.
        if later < to {
            let until = later.plus(self.window).min(to);
            self.position.walks.push(Walk::new(Kind::History, Some(later), Some(until)));
        }
    }

    /// A history window was accepted: if it starts later than its range, the range starts there too, as soon as that is
    /// known to be what the API keeps. Returns whether the walk may go on.
    pub(super) fn settle_floor(&mut self, at: usize, gaps: &mut Vec<Gap>) -> bool {
        let walk = &mut self.position.walks[at];
        let Some(range) = self.position.history.first_mut() else { return true };
        let Some(since) = walk.since.filter(|since| Some(*since) > range.from) else { return true };
        if let Some(earlier) = self.floor.earlier(range.from, since) {
            walk.since = Some(earlier);
            if self.policy.max_span.is_some() {
                // What it no longer reaches is the next window's.
                walk.until = walk.until.min(Some(earlier.plus(self.window)));
            }
            return false;
        }
        let from = range.from.replace(since);
        gaps.extend(from.map(|from| Gap { from, to: since, reason: self.policy.kept() }));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the API keeps ends later every minute, so a start may be refused that was accepted before.
    #[test]
    fn a_start_that_was_accepted_once_and_is_refused_now_is_not_asked_for_again() {
        let (since, to) = (Timestamp::from_millis(1_000_000_000), Timestamp::from_millis(2_000_000_000));
        let mut search = FloorSearch { accepted: Some(since), ..FloorSearch::default() };
        assert!(search.later(since, to) > since);
    }
    /// The refusal was no answer about that start, so what lies before it is not known to be gone.
    #[test]
    fn a_start_that_was_refused_once_and_is_accepted_now_is_not_the_floor() {
        let (from, since) = (Timestamp::from_millis(1_000_000_000), Timestamp::from_millis(2_000_000_000));
        let mut search = FloorSearch { refused: Some(since), ..FloorSearch::default() };
        let earlier = search.earlier(Some(from), since);
        assert_eq!(earlier, Some(Timestamp::from_millis(1_500_000_000)));
    }
}
