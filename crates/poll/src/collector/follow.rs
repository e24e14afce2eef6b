//! One walk without an end, along the API's own cursors.
//!
//! The API lists in the order of arrival, so that behind its last cursor there is only what was not there before: no
//! window, no overlap and no sweep is needed, and no event is late. Only when a cursor is lost does time count: then the
//! walk begins anew as far before the moment up to which it was complete as a sweep would.

use pipeline::{Gap, Timestamp};

use super::{Collector, Failure, Onward};
use crate::cursor::Cursor;
use crate::floor::FloorSearch;
use crate::policy::Resume;
use crate::position::{Kind, Position, Range, Walk};

/// So many failures at one cursor, and it is taken to be what is wrong.
const STUCK: u32 = 10;

impl Position {
    /// Takes up what the other way of resuming has left: what was open is read again, as far as it is not known.
    pub(super) fn adopt(&mut self, resume: Resume) {
        let (follows, windows): (Vec<Walk>, Vec<Walk>) =
            self.walks.drain(..).partition(|walk| walk.kind == Kind::Follow);
        let is_other = match resume {
            Resume::Window => !follows.is_empty(),
            Resume::Cursor => !windows.is_empty(),
        };
        if is_other {
            self.floor = FloorSearch::default();
        }
        match resume {
            Resume::Window => {
                self.walks = windows;
                // Without a moment up to which it was complete, nothing is.
                if !follows.is_empty() && self.complete_until.is_none() && self.history.is_empty() {
                    self.history.push(Range { from: self.start, to: None });
                }
            }
            Resume::Cursor => {
                self.walks = follows;
                let open =
                    self.history.iter().map(|range| range.from).chain(windows.iter().map(|walk| walk.since));
                if let Some(from) = open.min()
                    && self.complete_until.is_some()
                {
                    // What is not complete is begun with.
                    self.complete_until = None;
                    self.start = self.start.max(from);
                }
                self.history.clear();
            }
        }
    }
}

impl Collector {
    pub(super) fn begin_to_follow(&mut self, server_now: Timestamp) {
        if self.walk(Kind::Follow).is_none() {
            self.position.walks.push(Walk::new(Kind::Follow, self.follow_since(server_now), None));
        }
    }

    /// Where it begins without a cursor.
    fn follow_since(&self, server_now: Timestamp) -> Option<Timestamp> {
        let late =
            self.position.complete_until.map(|complete| self.not_before_start(self.late_since(complete)));
        let kept = self.policy.retention.map(|retention| server_now.minus(retention).plus(self.margin()));
        late.or(self.position.start).max(kept)
    }

    /// What its first page settles. Returns whether it may go on from it.
    pub(super) fn settle_follow(&mut self, at: usize, server_now: Timestamp, gaps: &mut Vec<Gap>) -> bool {
        let should = self.follow_since(server_now);
        let complete_until = self.position.complete_until;
        let walk = &mut self.position.walks[at];
        if let Some(since) = walk.since.filter(|since| Some(*since) > should) {
            let is_searched = !self.position.floor.is_over();
            // Nobody has refused an earlier one: our clock was ahead.
            let earlier = if is_searched { self.position.floor.earlier(should, since) } else { should };
            if earlier.is_some() || !is_searched {
                walk.since = earlier;
                return false;
            }
        }
        // Begun by a clock that was behind, it may ask for more than there is.
        if let (Some(wanted), Some(since)) =
            (complete_until.or(self.position.start).or(should), walk.since.max(should))
            && wanted < since
        {
            gaps.push(Gap { from: wanted, to: since, reason: self.policy.kept() });
        }
        true
    }

    /// Goes on, or rests until the next poll. Returns whether the cursor leads nowhere.
    pub(super) fn follow(
        &mut self,
        at: usize,
        next: Onward<'_>,
        server_now: Timestamp,
        now: Timestamp,
        gaps: &mut Vec<Gap>,
    ) -> bool {
        if !matches!(next, Onward::Next(_)) {
            gaps.extend(self.forgotten_meanwhile(at, server_now));
        }
        let walk = &mut self.position.walks[at];
        match next {
            Onward::Next(next) if walk.cursor.as_ref() == Some(next) || walk.circle.comes_again(next) => {
                // A later poll finds out whether it still does; the cursor stays, as it may be all that is known.
                walk.resting = true;
                walk.circle = Default::default();
                return true;
            }
            Onward::Next(next) => walk.cursor = Some(next.clone()),
            Onward::Later(next) => self.rest(at, Some(next), server_now, now),
            Onward::End => self.rest(at, None, server_now, now),
        }
        false
    }

    /// A cursor is good after any time, but what the API forgot before it was followed is not behind it. For a walk that was
    /// begun since, its first page has told that.
    fn forgotten_meanwhile(&self, at: usize, server_now: Timestamp) -> Option<Gap> {
        let to = server_now.minus(self.policy.retention?);
        let from = self.position.complete_until.filter(|complete| *complete < to)?;
        let was_away = self.position.walks[at].began.is_some_and(|began| began < to);
        was_away.then(|| Gap { from, to, reason: self.policy.kept() })
    }

    /// There is nothing more yet.
    fn rest(&mut self, at: usize, next: Option<&Cursor>, server_now: Timestamp, now: Timestamp) {
        let walk = &mut self.position.walks[at];
        walk.cursor = next.cloned().or(walk.cursor.take());
        (walk.resting, walk.caught_up) = (true, true);
        (walk.pages, walk.restarts, walk.circle) = (0, 0, Default::default());
        if walk.cursor.is_none() {
            // Nothing leads on from here: the next poll begins anew.
            self.position.walks.remove(at);
        }
        let position = &mut self.position;
        position.complete_until = position.complete_until.max(Some(server_now));
        position.swept_until = position.complete_until;
        position.floor = FloorSearch::default();
        self.has_been_live = true;
        self.next_poll = Some(now.plus(self.policy.poll_interval));
    }

    pub(super) fn fail_to_follow(&mut self, at: usize, failure: Failure, server_now: Timestamp) {
        let since = self.follow_since(server_now);
        let walk = &mut self.position.walks[at];
        let is_stuck = walk.failures >= STUCK;
        match failure {
            Failure::BeforeRetention if walk.cursor.is_none() => {
                let Some(refused) = walk.since.max(since) else {
                    walk.resting = true;
                    return;
                };
                // The first page tells what is left out.
                walk.since = Some(self.position.floor.later(since, refused, server_now));
            }
            Failure::CursorUnknown | Failure::BeforeRetention if walk.cursor.is_some() => {
                walk.since = since;
                walk.start_over();
                walk.resting = walk.restarts > 1;
            }
            _ if is_stuck && walk.cursor.is_some() => {
                walk.since = since;
                walk.start_over();
                walk.resting = true;
            }
            _ => {}
        }
    }
}
