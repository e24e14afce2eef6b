//! What has happened in the simulated team: its records, in order, and how new ones come about. Nothing here knows HTTP.
//!
//! Time passes only in [`World::advance`]: records are made when somebody looks, dated when they were due, and each from its
//! own stream of random numbers, so that equal seeds and times give equal records however often one looks.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::faults::{Faults, Order};
use crate::random::Random;
use crate::record::{Fill, Template, Templates};

/// A record may change this often; each content has a bit in [`Event::shown`].
const MOST_EDITS: u8 = 7;

/// Ids are global to the vendor, so a team's have gaps of about this size between them.
const MEAN_GAP: u64 = 20;

/// Smaller numbers are never ids, so that a cursor can count pages past the end with them.
pub(crate) const FIRST_ID: u64 = 500_000_000;

const BEYOND_FLOAT: u64 = 1 << 60;

/// One record: all but its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) id: u64,
    /// Its time, in seconds since the Unix epoch.
    pub(crate) second: i64,
    pub(crate) template: u32,
    pub(crate) edits: u8,
    /// Bit `2 × edits + flipped` is set once the record was shown with that content.
    pub(crate) shown: u16,
}

/// Which record, with which content, a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    index: u32,
    id: u64,
    second: i64,
    variant: u8,
}

/// A page's records: their positions in the order of the page, and the position of the one that follows.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) records: Vec<usize>,
    pub(crate) next: Option<usize>,
}

/// Which records are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// First and last second.
    pub(crate) seconds: (i64, i64),
    pub(crate) ascending: bool,
    pub(crate) action: Option<&'a str>,
    pub(crate) actor: Option<u64>,
}

pub(crate) struct World {
    seed: u64,
    events: Vec<Event>,
    templates: Templates,
    order: Order,
    /// Whether times never fall along the order, so that a time window is a range.
    sorted_by_time: bool,
    newest_id: u64,
    newest_second: i64,
    /// New records per second, since this moment (milliseconds), of which so many are made.
    rate: f64,
    rate_since: i64,
    made: u64,
    /// Records ever made while running; each has its own random numbers.
    arrivals: u64,
    bursts: u64,
}

impl World {
    /// A team with a history of `events` records that ends now.
    pub(crate) fn new(
        seed: u64,
        events: usize,
        span: Duration,
        bytes: Option<usize>,
        faults: &Faults,
        now: i64,
    ) -> Self {
        let mut world = Self {
            seed,
            events: Vec::with_capacity(events),
            templates: Templates::new(seed, bytes),
            order: faults.order,
            sorted_by_time: true,
            newest_id: FIRST_ID,
            newest_second: i64::MIN,
            rate: 0.0,
            rate_since: now,
            made: 0,
            arrivals: 0,
            bursts: 0,
        };
        let span = span.as_millis() as i64;
        for number in 0..events {
            let mut random = Random::new(seed, "history", number as u64);
            let crowded = (events / 2..events / 2 + faults.crowded_second).contains(&number);
            if faults.huge_ids && number == events / 2 {
                world.newest_id = BEYOND_FLOAT;
            }
            let due = now - span + (span as f64 * (number as f64 + 0.5) / events as f64) as i64;
            let mut second = due.div_euclid(1000);
            if random.chance(faults.ties) || (crowded && number > events / 2) {
                second = world.newest_second.max(now.div_euclid(1000) - span / 1000);
            } else if random.chance(faults.late.share) {
                let delay = random.between(faults.late.least, faults.late.most);
                let event = world.event(second - delay.as_secs() as i64, faults, &mut random);
                world.insert(event);
                continue;
            }
            world.newest_second = second;
            let event = world.event(second, faults, &mut random);
            world.insert(event);
        }
        world
    }

    /// Makes the records that were due up to now.
    pub(crate) fn advance(&mut self, now: i64, faults: &Faults) {
        let due = ((now - self.rate_since).max(0) as f64 / 1000.0 * self.rate) as u64;
        while self.made < due {
            self.made += 1;
            let at = self.rate_since + (self.made as f64 / self.rate * 1000.0) as i64;
            self.arrive(at.min(now), faults);
        }
    }

    pub(crate) fn set_rate(&mut self, rate: f64, now: i64, faults: &Faults) {
        self.advance(now, faults);
        (self.rate, self.rate_since, self.made) = (rate, now, 0);
    }

    /// Up to forty records at once, just before a page is answered.
    pub(crate) fn burst(&mut self, now: i64, faults: &Faults) {
        self.bursts += 1;
        let records = 1 + Random::new(self.seed, "burst", self.bursts).below(40);
        for _ in 0..records {
            self.arrive(now, faults);
        }
    }

    fn arrive(&mut self, at: i64, faults: &Faults) {
        self.arrivals += 1;
        let mut random = Random::new(self.seed, "arrival", self.arrivals);
        let second = at.div_euclid(1000);
        let event = if random.chance(faults.late.share) {
            let delay = random.between(faults.late.least, faults.late.most).as_secs() as i64;
            let late = self.event(second - delay, faults, &mut random);
            match self.id_at(late.second) {
                Some(id) if random.chance(0.5) => Event { id, ..late },
                _ => late,
            }
        } else if random.chance(faults.future) {
            let ahead = random.between(Duration::from_secs(60), Duration::from_secs(30 * 86_400));
            self.event(second + ahead.as_secs() as i64, faults, &mut random)
        } else {
            if !random.chance(faults.ties) || self.newest_second < second - 60 {
                self.newest_second = second;
            }
            self.event(self.newest_second, faults, &mut random)
        };
        self.insert(event);
        if random.chance(faults.edits) {
            let newest = (self.events.len() as u64).min(2000);
            let chosen = self.events.len() - 1 - random.below(newest) as usize;
            self.events[chosen].edits = (self.events[chosen].edits + 1).min(MOST_EDITS);
        }
    }

    /// A new record of that second, with the next id.
    fn event(&mut self, second: i64, faults: &Faults, random: &mut Random) -> Event {
        let odd = random.chance(faults.odd_records);
        let template =
            if odd { self.templates.pick_odd(random) } else { self.templates.pick_regular(random) };
        // At least two, so that there is a free id beside each: see the cursor of an empty page.
        self.newest_id += 2 + random.below(2 * MEAN_GAP - 3);
        Event { id: self.newest_id, second, template, edits: 0, shown: 0 }
    }

    /// A free id among those of the records of that second.
    fn id_at(&self, second: i64) -> Option<u64> {
        // Times may fall here and there along the ids; the search then ends near by, which is all that is needed.
        let near = self.events.partition_point(|event| event.second <= second);
        let id = self.events.get(near.checked_sub(1)?)?.id + 1;
        let taken = self.events.iter().any(|event| event.id == id);
        (!taken).then_some(id)
    }

    fn key(&self, event: &Event) -> (i64, u64) {
        match self.order {
            Order::Id => (0, event.id),
            Order::Time => (event.second, event.id),
        }
    }

    fn insert(&mut self, event: Event) {
        let key = self.key(&event);
        let at = match self.events.last() {
            Some(last) if self.key(last) > key => self.events.partition_point(|e| self.key(e) < key),
            _ => self.events.len(),
        };
        let rises = at == 0 || self.events[at - 1].second <= event.second;
        let falls_after = self.events.get(at).is_some_and(|next| next.second < event.second);
        self.sorted_by_time &= rises && !falls_after;
        self.events.insert(at, event);
    }

    /// Sorts anew when the faults demand another order.
    pub(crate) fn set_order(&mut self, order: Order) {
        if self.order != order {
            self.order = order;
            let mut events = std::mem::take(&mut self.events);
            events.sort_by_key(|event| self.key(event));
            self.sorted_by_time = events.is_sorted_by_key(|event| event.second);
            self.events = events;
        }
    }

    /// Adds one regular record of that second, with the next id or, `in_place`, one that fits its time.
    pub(crate) fn add(&mut self, second: i64, in_place: bool) -> u64 {
        self.arrivals += 1;
        let mut random = Random::new(self.seed, "arrival", self.arrivals);
        let mut event = self.event(second, &Faults::none(), &mut random);
        if in_place && let Some(id) = self.id_at(second) {
            event.id = id;
        }
        self.insert(event);
        event.id
    }

    /// Adds one record with a given text.
    pub(crate) fn add_text(&mut self, id: u64, second: i64, text: &str) {
        let template = self.templates.add_literal(text);
        self.newest_id = self.newest_id.max(id);
        self.insert(Event { id, second, template, edits: 0, shown: 0 });
    }

    /// Changes a record's content; false when there is no such record or it has changed too often.
    pub(crate) fn edit(&mut self, id: u64) -> bool {
        match self.events.iter_mut().find(|event| event.id == id) {
            Some(event) if event.edits < MOST_EDITS => {
                event.edits += 1;
                true
            }
            _ => false,
        }
    }

    /// The position of the first record, in the order of the walk, that a cursor leads to: the range of positions left.
    pub(crate) fn starting_at_id(&self, id: u64, ascending: bool) -> Range<usize> {
        let position = match self.order {
            Order::Id => {
                self.events.partition_point(|event| event.id < id.saturating_add(u64::from(!ascending)))
            }
            // The id's neighbour in id order tells the place.
            Order::Time if ascending => {
                let at = |e: &&Event| e.id >= id;
                let found = self.events.iter().filter(at).min_by_key(|event| event.id);
                found.map_or(self.events.len(), |event| self.position(event.second, event.id))
            }
            Order::Time => {
                let at = |e: &&Event| e.id <= id;
                let found = self.events.iter().filter(at).max_by_key(|event| event.id);
                found.map_or(0, |event| self.position(event.second, event.id) + 1)
            }
        };
        self.rest(position, ascending)
    }

    /// The same for a time and an id.
    pub(crate) fn starting_at_key(&self, second: i64, id: u64, ascending: bool) -> Range<usize> {
        let position = self.position(second, id);
        let there = self.events.get(position).is_some_and(|event| event.id == id);
        self.rest(position + usize::from(there && !ascending), ascending)
    }

    /// The same for a second; only in order of time.
    pub(crate) fn starting_at_second(&self, second: i64, ascending: bool) -> Range<usize> {
        let position =
            self.events.partition_point(|event| event.second < second.saturating_add(i64::from(!ascending)));
        self.rest(position, ascending)
    }

    fn rest(&self, position: usize, ascending: bool) -> Range<usize> {
        if ascending { position..self.events.len() } else { 0..position }
    }

    fn position(&self, second: i64, id: u64) -> usize {
        let key = self.key(&Event { id, second, template: 0, edits: 0, shown: 0 });
        self.events.partition_point(|event| self.key(event) < key)
    }

    /// The first `limit` wanted records of a range, after skipping `skip` wanted ones.
    pub(crate) fn select(
        &self,
        wanted: &Wanted<'_>,
        range: Range<usize>,
        skip: usize,
        limit: usize,
    ) -> Selection {
        let (first, last) = wanted.seconds;
        let mut range = range.start..range.end.min(self.events.len());
        if self.sorted_by_time || self.order == Order::Time {
            range.start = range.start.max(self.events.partition_point(|event| event.second < first));
            range.end = range.end.min(self.events.partition_point(|event| event.second <= last));
        }
        let is_wanted = |position: &usize| {
            let event = &self.events[*position];
            let template = || self.templates.get(event.template);
            (first..=last).contains(&event.second)
                && wanted.action.is_none_or(|action| template().action == action)
                && wanted.actor.is_none_or(|actor| template().actor == actor)
        };
        let mut found: Box<dyn Iterator<Item = usize>> = if wanted.ascending {
            Box::new(range.filter(is_wanted).skip(skip))
        } else {
            Box::new(range.rev().filter(is_wanted).skip(skip))
        };
        Selection { records: found.by_ref().take(limit).collect(), next: found.next() }
    }

    /// Whether `data.actor.active` of a record is turned round at this time.
    fn flipped(id: u64, now: i64, flips: Option<Duration>) -> bool {
        flips.is_some_and(|every| {
            id.is_multiple_of(4) && now.div_euclid((every.as_millis() as i64).max(1)).rem_euclid(2) == 1
        })
    }

    /// Appends a record's text as it is now.
    pub(crate) fn render(
        &self,
        position: usize,
        now: i64,
        flips: Option<Duration>,
        out: &mut Vec<u8>,
    ) -> Sight {
        let event = &self.events[position];
        let flipped = Self::flipped(event.id, now, flips);
        let variant = event.edits * 2 + u8::from(flipped);
        render(event, self.templates.get(event.template), variant, out);
        Sight { index: position as u32, id: event.id, second: event.second, variant }
    }

    pub(crate) fn template(&self, event: &Event) -> Arc<Template> {
        Arc::clone(self.templates.get(event.template))
    }

    pub(crate) fn event_at(&self, position: usize) -> &Event {
        &self.events[position]
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Remembers that a record was shown.
    pub(crate) fn saw(&mut self, sight: Sight) {
        let position = match self.events.get(sight.index as usize) {
            Some(event) if event.id == sight.id => sight.index as usize,
            // Others came before it meanwhile.
            _ => self.position(sight.second, sight.id),
        };
        if let Some(event) = self.events.get_mut(position).filter(|event| event.id == sight.id) {
            event.shown |= 1 << sight.variant;
        }
    }
}

/// Appends a record's text with a content of which a bit is in [`Event::shown`].
pub(crate) fn render(event: &Event, template: &Template, variant: u8, out: &mut Vec<u8>) {
    // A few have left the team; the lower bit turns it round.
    let active = (event.id % 20 != 3) == variant.is_multiple_of(2);
    template.render(Fill { id: event.id, second: event.second, edits: variant / 2, active }, out);
}
