//! What a page changes.

use std::collections::HashSet;
use std::time::Duration;

use pipeline::{Gap, RecordId, Seen, Timestamp};

use super::clock::believed;
use super::{Collector, Page, Taken};
use crate::cursor::Cursor;
use crate::policy::{Order, TimeFilter};
use crate::position::Kind;

/// Clocks that differ by less are taken as equal: one's own, and those of the API's servers.
const SAME_CLOCK: Duration = Duration::from_secs(60);

/// An upper edge that is less behind the API's clock is not asked for anew: `Date` tells whole seconds, and answers take time.
const SAME_MOMENT: Duration = Duration::from_secs(2);

/// Which records are new, oldest first.
pub(super) fn sort_out(page: &Page<'_>, seen: &[Seen], order: Order) -> Taken {
    let mut taken = Taken::default();
    let mut on_this_page = HashSet::with_capacity(page.records.len());
    let mut new = Vec::new();
    for (index, (id, _)) in page.records.iter().enumerate() {
        // A record without an answer is new: rather twice than never.
        let seen = seen.get(index).copied().unwrap_or(Seen::New);
        if seen == Seen::Known || !on_this_page.insert(*id) {
            taken.duplicates += 1;
            continue;
        }
        taken.versions += usize::from(seen == Seen::NewVersion);
        new.push(u32::try_from(index).expect("a page has fewer than 2^32 records"));
    }
    if order == Order::NewestFirst {
        new.reverse();
    }
    // Stable, so that ties keep the API's order; a record without a time stays behind the one before it.
    let mut last = None;
    let mut by_time: Vec<(Option<Timestamp>, u32)> = Vec::with_capacity(new.len());
    for index in new {
        last = page.records[index as usize].1.or(last);
        by_time.push((last, index));
    }
    by_time.sort_by_key(|(time, _)| *time);
    taken.deliver = by_time.into_iter().map(|(_, index)| index).collect();
    taken
}

impl Collector {
    /// What the first page of a walk settles, as it tells the API's time. Returns whether the walk may go on from it.
    pub(super) fn first_page(&mut self, at: usize, server_now: Timestamp, gaps: &mut Vec<Gap>) -> bool {
        if self.position.walks[at].kind == Kind::History {
            if !self.settle_floor(at, gaps) {
                return false;
            }
        } else if self.position.walks[at].kind == Kind::Follow {
            self.settle_start(server_now);
            if !self.settle_follow(at, server_now, gaps) {
                return false;
            }
        } else {
            self.settle_start(server_now);
            if self.starts_too_late(at, server_now) || self.ends_too_early(at, server_now) {
                return false;
            }
            self.settle_history(at, server_now);
        }
        let walk = &mut self.position.walks[at];
        (walk.began, walk.fresh) = (Some(server_now), true);
        true
    }

    /// A relative `start` was counted from our own clock; at the first page it is counted from the API's instead.
    fn settle_start(&mut self, server_now: Timestamp) {
        let Some(counted_at) = self.position.start_counted_at.take() else { return };
        let Some(start) = self.position.start else { return };
        let skew = self.clock.skew().unwrap_or(0);
        // Should our clock have jumped since, the second one holds.
        let by_the_api = Timestamp::from_millis(start.as_millis().saturating_add(skew));
        let settled = believed(by_the_api.min(server_now.minus(counted_at.since(start))));
        if settled.since(start).max(start.since(settled)) <= SAME_CLOCK {
            return;
        }
        for range in self.position.history.iter_mut().filter(|range| range.from == Some(start)) {
            range.from = Some(settled);
        }
        self.position.start = Some(settled);
    }

    /// Whether a walk to the present was begun by a clock ahead of the API's: it starts over from where it should.
    fn starts_too_late(&mut self, at: usize, server_now: Timestamp) -> bool {
        let since = self.position.walks[at].since;
        let too_late = since > Some(self.not_before_start(server_now));
        if too_late {
            let should = if self.history_is_endless() { server_now } else { self.late_since(server_now) };
            let since = self.present(should);
            let horizon = self.horizon(since, server_now);
            (self.position.walks[at].since, self.position.walks[at].horizon) = (Some(since), horizon);
        }
        too_late
    }

    /// Whether the upper edge of a walk to the present was taken from a clock behind the API's: it is asked for again. Until a
    /// walk of this process has closed that clock may have been our own, and what it is behind by would count as read.
    fn ends_too_early(&mut self, at: usize, server_now: Timestamp) -> bool {
        let walk = &self.position.walks[at];
        let (Some(since), Some(horizon)) = (walk.since, walk.horizon) else { return false };
        let should = self.horizon(since, server_now);
        let allowed = if self.has_been_live { SAME_CLOCK } else { SAME_MOMENT };
        let too_early = !walk.corrected && should > Some(horizon.plus(allowed));
        let walk = &mut self.position.walks[at];
        walk.corrected |= too_early;
        if too_early {
            walk.horizon = should;
        }
        too_early
    }

    /// What every page adds to its walk.
    pub(super) fn note(&mut self, at: usize, page: &Page<'_>, server_now: Timestamp) {
        let walk = &mut self.position.walks[at];
        if walk.pages == 0 {
            walk.top = page.records.first().map(|(id, _)| *id);
        }
        walk.pages = walk.pages.saturating_add(1);
        walk.failures = 0;
        let known = |time: &Timestamp| *time <= server_now && believed(*time) == *time;
        let newest = page.records.iter().filter_map(|(_, time)| *time).filter(known).max();
        walk.newest = walk.newest.max(newest);
        let is_same = |a: &RecordId, b: &RecordId| (a.second, a.native) == (b.second, b.native);
        walk.passed_top |= self.top.is_some_and(|top| page.records.iter().any(|(id, _)| is_same(id, &top)));
    }

    /// Only a live walk, only newest first, only behind the top of the walk before it, and only at a page that is wholly
    /// known and older than the walk's start. Either of the last two may hold before everything new was read: an API
    /// that lists by arrival shows late events first, one that lists by time shows them anywhere.
    pub(super) fn may_stop_early(&self, at: usize, page: &Page<'_>, seen: &[Seen]) -> bool {
        let walk = &self.position.walks[at];
        walk.kind == Kind::Live
            && self.policy.order == Order::NewestFirst
            && walk.passed_top
            && !page.records.is_empty()
            && seen.len() == page.records.len()
            && seen.iter().all(|seen| *seen == Seen::Known)
            && page.records.iter().all(|(_, time)| time.is_some() && *time < walk.since)
    }

    /// An API without a time filter lists its whole log: behind a page that is older than all that is looked for, so is
    /// the rest of a list that is sorted by time.
    pub(super) fn may_stop_behind(&self, at: usize, page: &Page<'_>) -> bool {
        let walk = &self.position.walks[at];
        self.policy.filter == TimeFilter::None
            && self.policy.order == Order::NewestFirst
            // The first walk to the present says what history there is, and is read to its end by that.
            && (walk.kind == Kind::History || self.position.complete_until.is_some())
            && !page.records.is_empty()
            && page.records.iter().all(|(_, time)| time.is_some() && *time < walk.since)
    }

    /// The walk goes on at `next`, unless that leads nowhere. Returns whether it does.
    pub(super) fn go_on(&mut self, at: usize, next: &Cursor, server_now: Timestamp) -> bool {
        let walk = &mut self.position.walks[at];
        if walk.cursor.as_ref() == Some(next) || walk.circle.comes_again(next) {
            // Going round in a circle is no end: the window stays open, and is read again from its start.
            self.start_over(at, server_now);
            return true;
        }
        walk.cursor = Some(next.clone());
        // Each start gives more room, so that a walk which can be no shorter comes to its end at last.
        let most = self.policy.live_pages.saturating_mul(1 << walk.restarts.min(4));
        if walk.kind == Kind::Live && walk.pages >= most {
            self.start_over_or_leave(at, server_now);
        }
        false
    }

    /// The explicit end: the one way in which a walk closes.
    pub(super) fn close(
        &mut self,
        at: usize,
        page: &Page<'_>,
        server_now: Timestamp,
        now: Timestamp,
        gaps: &mut Vec<Gap>,
    ) {
        gaps.extend(self.lost_while_walking(at, server_now));
        let walk = self.position.walks.remove(at);
        if walk.kind == Kind::History {
            self.close_window(&walk);
            return;
        }
        let began = walk.began.min(Some(server_now));
        // What is newer than the edge that was asked for has not been read.
        let began = walk.horizon.map_or(began, |horizon| began.min(Some(horizon)));
        let position = &mut self.position;
        if page.server_time.is_some() {
            // What a wrong clock put into the future is put right by the API's own.
            let passed = |moment: &Timestamp| *moment <= server_now.plus(SAME_CLOCK);
            position.complete_until = position.complete_until.filter(passed);
            position.newest = position.newest.filter(passed);
            // Nobody knows when the last sweep was: the next one is due, and reaches back twice as far.
            let before = server_now.minus(self.policy.resweep_over);
            position.swept_until =
                position.swept_until.map(|swept| if passed(&swept) { swept } else { before });
        }
        position.complete_until = position.complete_until.max(began);
        position.newest = position.newest.max(walk.newest);
        if walk.kind == Kind::Sweep || position.swept_until.is_none() {
            position.swept_until = position.swept_until.max(began);
        }
        self.has_been_live |= walk.fresh;
        self.top = walk.top;
        // A walk of an earlier process began long ago: the present is due at once.
        self.next_poll = walk.fresh.then(|| now.plus(self.policy.poll_interval));
    }
}
