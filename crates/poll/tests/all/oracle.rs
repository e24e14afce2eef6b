//! Judges what a collector does by what the API really has.

use std::collections::{HashMap, HashSet};

use pipeline::{Gap, Position, RecordId, Timestamp};
use serde_json::Value;

use crate::api::{Api, DAY, HOUR, MINUTE, Record, SECOND};

/// What a position claims.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Claim {
    complete_until: Option<i64>,
    swept_until: Option<i64>,
    /// Still open; without an end up to the present.
    open: Vec<(i64, i64)>,
}

impl Claim {
    fn read(position: &Position) -> Self {
        let json: Value = serde_json::from_str(position.as_str()).unwrap();
        let moment =
            |value: &Value| value.as_str().map(|text| text.parse::<Timestamp>().expect("a time").as_millis());
        let open = json["history"].as_array().unwrap().iter();
        let open = open.map(|range| {
            (moment(&range["from"]).unwrap_or(i64::MIN), moment(&range["to"]).unwrap_or(i64::MAX))
        });
        Self {
            complete_until: moment(&json["complete_until"]),
            swept_until: moment(&json["swept_until"]),
            open: open.collect(),
        }
    }

    fn is_open(&self, time: i64) -> bool {
        self.open.iter().any(|(from, to)| (*from..=*to).contains(&time))
    }
}

pub(crate) struct Oracle {
    records: Vec<Record>,
    by_id: HashMap<u64, usize>,
    /// Events before this are not asked for.
    pub(crate) start: i64,
    /// What the API keeps at least of what was there at the first page: set by it, for `start: all`.
    pub(crate) starts_at_floor: Option<i64>,
    pub(crate) overlap: i64,
    pub(crate) resweep_over: i64,
    pub(crate) resweep_every: i64,
    pub(crate) poll_interval: i64,
    /// So much of the newest is not asked for, nor what is dated in the future; none: all is.
    pub(crate) settle: Option<i64>,
    /// So much later may all be, as hardly any time is spent alive.
    pub(crate) dead_time: i64,
    /// How long the API keeps, by what the policy says and by what it does: the shorter.
    pub(crate) keeps: Option<i64>,
    /// Filters name days, and may leave out the one that they name.
    pub(crate) whole_days: bool,
    gaps: Vec<(i64, i64)>,
    /// Given to the sinks, and not forgotten by a crash.
    given: HashSet<RecordId>,
    /// Given, and forgotten by a crash.
    forgotten: HashSet<RecordId>,
    /// Delivered and saved.
    safe: HashSet<RecordId>,
    opened: i64,
    checked: Claim,
    /// Records that should be given soon: (deadline, index), by visibility.
    visible: Vec<usize>,
    next_visible: usize,
    /// No promise about promptness for events before this.
    calm_from: i64,
    first_page: Option<i64>,
}

impl Oracle {
    pub(crate) fn new(records: &[Record]) -> Self {
        let mut visible: Vec<usize> = (0..records.len()).collect();
        visible.sort_by_key(|index| records[*index].visible);
        Self {
            by_id: records.iter().enumerate().map(|(index, record)| (record.id, index)).collect(),
            records: records.to_vec(),
            start: i64::MIN,
            starts_at_floor: None,
            overlap: 0,
            resweep_over: 0,
            resweep_every: 0,
            poll_interval: MINUTE,
            settle: None,
            dead_time: 0,
            keeps: None,
            whole_days: false,
            gaps: Vec::new(),
            given: HashSet::new(),
            forgotten: HashSet::new(),
            safe: HashSet::new(),
            opened: 0,
            checked: Claim::default(),
            visible,
            next_visible: 0,
            calm_from: i64::MIN,
            first_page: None,
        }
    }

    pub(crate) fn opened(&mut self, now: i64) {
        self.opened = now;
        self.interrupted(now);
    }

    /// Until then, nothing is promised to be prompt.
    pub(crate) fn interrupted(&mut self, until: i64) {
        self.calm_from = self.calm_from.max(until);
    }

    pub(crate) fn crashed(&mut self, pending: impl Iterator<Item = RecordId>) {
        for id in pending {
            self.given.remove(&id);
            self.forgotten.insert(id);
        }
    }

    pub(crate) fn page(
        &mut self,
        new: &[RecordId],
        gaps: &[Gap],
        (before, after): (&Position, &Position),
        api: &Api,
        now: i64,
    ) {
        self.first_page.get_or_insert(now);
        for id in new {
            assert!(api.shown.contains(id), "invented: {id:?}");
            assert!(
                self.given.insert(*id),
                "given twice without a crash: {:?}",
                self.records[self.by_id[&id.native]]
            );
        }
        if !gaps.is_empty() {
            self.judge_gaps(gaps, &Claim::read(before), now);
        }
        self.gaps.extend(gaps.iter().map(|gap| (gap.from.as_millis(), gap.to.as_millis())));
        self.judge_promptness(now);
        if new.is_empty() && gaps.is_empty() && before == after {
            return;
        }
        let claim = Claim::read(after);
        if claim.complete_until.is_some() {
            self.judge_claim(&claim, &self.given, "given");
        }
    }

    /// A hole lies in what was open, and is of what the API no longer has.
    fn judge_gaps(&self, gaps: &[Gap], before: &Claim, now: i64) {
        let slack = 3 * HOUR + if self.whole_days { 2 * DAY } else { 0 };
        let forgotten = self.keeps.map_or(i64::MIN, |keeps| now - keeps);
        let unclaimed = match before.complete_until {
            Some(until) => {
                until.min(before.swept_until.unwrap_or(until)) - self.resweep_over - self.overlap - MINUTE
            }
            None => i64::MIN,
        };
        for gap in gaps {
            let (from, to) = (gap.from.as_millis(), gap.to.as_millis());
            assert!(from < to, "an empty gap");
            assert!(to <= forgotten + slack, "a gap where nothing was lost: {gap:?}");
            let open = before.open.iter().any(|(start, end)| *start <= from && to <= *end);
            assert!(open || from >= unclaimed, "a gap in what was complete: {gap:?} {before:?}");
        }
    }

    fn is_asked_for(&self, record: &Record) -> bool {
        let floor = self.starts_at_floor.zip(self.first_page).map(|(keeps, first)| first - keeps + 2 * HOUR);
        record.time >= self.start && floor.is_none_or(|floor| record.time >= floor)
    }

    fn is_in_gap(&self, time: i64) -> bool {
        self.gaps.iter().any(|(from, to)| (*from..=*to).contains(&time))
    }

    fn has(&self, record: &Record, set: &HashSet<RecordId>) -> bool {
        let mut id = record.shown_at(i64::MIN).0;
        let first = set.contains(&id);
        id.content = 1;
        first || record.changes.is_some() && set.contains(&id)
    }

    /// Everything that a position calls complete is there.
    fn judge_claim(&self, claim: &Claim, set: &HashSet<RecordId>, what: &str) {
        let Some(complete_until) = claim.complete_until else { return };
        let swept_until = claim.swept_until.map_or(i64::MIN, |swept| swept.min(complete_until));
        for record in &self.records {
            // The API's clock and its `Date` differ by a second; a page is as old as the time it takes.
            let by_live = record.lag() <= self.overlap - 5 * SECOND
                && record.time <= complete_until
                && record.visible <= complete_until - 5 * SECOND;
            let by_sweep =
                record.lag() <= self.resweep_over - 5 * SECOND && record.visible <= swept_until - 5 * SECOND;
            let by_sweep = by_sweep && (self.settle.is_none() || record.time <= swept_until);
            if (by_live || by_sweep)
                && self.is_asked_for(record)
                && !claim.is_open(record.time)
                && !self.is_in_gap(record.time)
            {
                assert!(self.has(record, set), "claims {record:?}, which is not {what}: {claim:?}");
            }
        }
    }

    pub(crate) fn saved(&mut self, ids: &[RecordId], position: &Position, _now: i64) {
        self.safe.extend(ids);
        let claim = Claim::read(position);
        if claim != self.checked {
            self.judge_claim(&claim, &self.safe, "delivered");
            self.checked = claim;
        }
    }

    pub(crate) fn caught_up(&self, position: &Position) {
        let claim = Claim::read(position);
        assert_eq!(claim.open, [], "caught up with open history");
        assert!(
            claim.complete_until >= Some(self.opened.div_euclid(SECOND) * SECOND - self.settle.unwrap_or(0)),
            "caught up without a walk"
        );
    }

    /// Whatever history does, what appears is given within a few polls.
    fn judge_promptness(&mut self, now: i64) {
        let patience = 6 * self.poll_interval + 10 * MINUTE;
        while let Some(record) = self.visible.get(self.next_visible).map(|index| &self.records[*index]) {
            if record.visible + patience > now {
                break;
            }
            self.next_visible += 1;
            let late = record.lag() > self.overlap - 5 * SECOND;
            let is_ahead = self.settle.is_some() && record.time > record.visible;
            // Far events of the future lie behind the upper edge of history, and before the live window they lie never.
            if record.visible > self.calm_from
                && now > self.calm_from + patience
                && !late
                && !is_ahead
                && self.is_asked_for(record)
            {
                assert!(
                    self.has(record, &self.given) || self.is_in_gap(record.time),
                    "not prompt: {record:?} at {}",
                    Timestamp::from_millis(now)
                );
            }
        }
    }

    pub(crate) fn is_closed(&self, position: &Position) -> bool {
        Claim::read(position).open.is_empty()
    }

    pub(crate) fn finished(&mut self, position: &Position, calm: i64, now: i64) {
        let claim = Claim::read(position);
        assert_eq!(claim.open, [], "history is not closed");
        assert!(
            claim.complete_until > Some(now - 3 * self.poll_interval - 10 * MINUTE - self.dead_time),
            "{claim:?} at {now}"
        );
        assert!(claim.swept_until > Some(calm), "never swept in peace: {claim:?}");
        self.judge_claim(&claim, &self.safe, "delivered");
        for record in &self.records {
            let in_time = record.lag() <= self.resweep_over - 5 * SECOND && record.visible <= calm;
            let in_time = in_time && self.settle.is_none_or(|settle| record.time <= calm - settle);
            if in_time && self.is_asked_for(record) {
                assert!(
                    self.has(record, &self.safe) || self.is_in_gap(record.time),
                    "lost: {record:?}, gaps {:?}",
                    self.gaps
                );
            }
        }
    }

    /// Every content that was shown was delivered, unless a crash took it, and the record has changed or the API forgot it since.
    pub(crate) fn delivered_all_shown(&self, api: &Api) {
        for id in &api.shown {
            let record = &self.records[self.by_id[&id.native]];
            let is_excused =
                self.forgotten.contains(id) && (self.has(record, &self.safe) || self.is_in_gap(record.time));
            assert!(self.safe.contains(id) || is_excused, "shown and not delivered: {id:?}");
        }
    }
}
