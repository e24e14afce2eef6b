//! What a failure changes.

use pipeline::{Gap, Timestamp};

use super::clock::OLDEST;
use super::{Collector, Failure};
use crate::position::{Kind, Walk};

/// A walk that fails so often at one cursor starts over: the cursor may be what is wrong.
const STUCK: u32 = 10;

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
        let from = self.position.history.first().and_then(|range| range.from);
        let later = self.position.floor.later(from, since, to);
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
        if let Some(earlier) = self.position.floor.earlier(range.from, since) {
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
