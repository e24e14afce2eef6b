//! `GET /audit/logs`: which records, in which order, with which lies.

use std::ops::Range;
use std::time::Duration;

use crate::answer::Answer;
use crate::clock::Moment;
use crate::cursor::{self, Place};
use crate::faults::{Cursor, Faults, NextCursor, Order};
use crate::query::Query;
use crate::random::Random;
use crate::refusal::{self, Refusal};
use crate::service::{Call, Delivery, Reply, Service};
use crate::world::{Selection, Wanted};

/// When the client names no limit; the real default is not documented.
const DEFAULT_LIMIT: usize = 100;

/// A walk that lost its cursor this often keeps it from then on.
const MOST_EXPIRIES: u32 = 2;

impl Service {
    pub(crate) fn page(&mut self, call: &Call, now: i64, names: &mut Vec<&'static str>) -> Reply {
        if let Some(reply) = self.forbidden() {
            return reply;
        }
        let asked = match self.understand(&call.query, now) {
            Ok(asked) => asked,
            Err(refused) => return refused.into(),
        };
        if let Some((longest, answer)) = &self.faults.longest_window {
            let window = (asked.seconds.1.min(now / 1000) - asked.seconds.0).max(0);
            if window > longest.as_secs() as i64 {
                names.push("longest_window");
                return self.without_page(answer, now).unwrap_or_else(|| refusal::with_status(504, 0).into());
            }
        }
        self.pages_asked += 1;
        let mut random = Random::new(self.seed, "page", self.pages_asked);
        if random.chance(self.faults.bursts) {
            self.world.burst(now, &self.faults);
        }
        let mut answers = self.choose(&asked, &mut random);
        for answer in &mut answers {
            match answer {
                Answer::GzipBomb(bytes) if !call.accepts_gzip => *answer = Answer::Oversized(*bytes),
                _ => {}
            }
        }
        names.extend(answers.iter().map(Answer::name));
        let spoiler = answers.iter().find(|answer| answer.spoils());
        if let Some(reply) = spoiler.and_then(|answer| self.without_page(answer, now)) {
            return reply;
        }
        let mut reply = self.build(&asked, &answers, now, &mut random);
        reply.gzip &= call.accepts_gzip;
        reply
    }

    /// Reads the query, its time window as first and last second, and its cursor.
    fn understand(&self, text: &str, now: i64) -> Result<Asked, Refusal> {
        let query = Query::read(text)?;
        let filter = self.faults.time_filter;
        for (name, moment) in [("since", query.since), ("until", query.until)] {
            if filter.dates_only && moment.is_some_and(|moment| !moment.date_only) {
                return Err(refusal::parameter(name, "YYYY-MM-DD"));
            }
        }
        let cut = |second: i64| if filter.cut_to_day { second - second.rem_euclid(86_400) } else { second };
        let date_only = query.since.is_some_and(|since| since.date_only);
        let retained = now / 1000 - self.faults.retention.as_secs() as i64;
        // A date is older than the floor only if all of its day is.
        let floor =
            if date_only || filter.cut_to_day { retained - retained.rem_euclid(86_400) } else { retained };
        if query.since.is_some_and(|since| since.second < floor) {
            return Err(refusal::older_than_retention(self.retention_days()));
        }
        let edge = i64::from(!filter.inclusive);
        let second = |moment: Moment| cut(moment.second);
        let first = query.since.map_or(i64::MIN, |since| second(since) + edge).max(retained);
        let last = query.until.map_or(i64::MAX, |until| second(until) - edge);
        let place = match &query.cursor {
            None => None,
            Some(text) => Some(self.known_cursor(&query, text, now).ok_or_else(|| refusal::cursor(0))?),
        };
        Ok(Asked { query, seconds: (first, last), place })
    }

    fn known_cursor(&self, query: &Query, text: &str, now: i64) -> Option<Place> {
        let place = cursor::read(text)?;
        if !self.remembers_cursors() {
            return Some(place);
        }
        let issued = self.issued.get(&(query.walk(), text.to_owned()));
        let bound = !self.faults.bound_cursors || issued.is_some();
        let lifetime = self.faults.cursor_lifetime.map_or(i64::MAX, |lifetime| lifetime.as_millis() as i64);
        let alive = issued.is_none_or(|issued| now - issued <= lifetime);
        (bound && alive).then_some(place)
    }

    fn remembers_cursors(&self) -> bool {
        self.faults.bound_cursors || self.faults.cursor_lifetime.is_some()
    }

    /// What this request is answered with: the script's next answer, or chance, within the bounds that let a client finish.
    fn choose(&mut self, asked: &Asked, random: &mut Random) -> Vec<Answer> {
        if let Some(answer) = self.script.pop_front() {
            return vec![answer];
        }
        if self.faults.answers.is_empty() {
            return Vec::new();
        }
        let (range, skip) = self.start(asked);
        let first = self.world.select(&asked.wanted(), range, skip, 1);
        let here =
            asked.place.map(|_| first.records.first().map_or(0, |first| self.world.event_at(*first).id));
        let key = (asked.query.walk(), here);
        let spoiled = self.spoiled.get(&key).copied().unwrap_or(0);
        let mut may_spoil = spoiled < self.faults.persistence;
        let mut chosen = Vec::new();
        for (answer, probability) in &self.faults.answers {
            let drawn = random.chance(*probability);
            let expiries = self.expired.get(&key.0).copied().unwrap_or(0);
            let applies = match answer {
                Answer::ExpiredCursor => asked.place.is_some() && expiries < MOST_EXPIRIES,
                Answer::Repeated(_) => asked.place.is_some(),
                Answer::EmptyPage | Answer::RepeatedCursor => !first.records.is_empty(),
                _ => true,
            };
            if drawn && applies && (may_spoil || !answer.spoils()) {
                may_spoil &= !answer.spoils();
                chosen.push(answer.clone());
            }
        }
        if chosen.contains(&Answer::ExpiredCursor) {
            *self.expired.entry(key.0).or_default() += 1;
        }
        if chosen.iter().any(Answer::spoils) {
            self.spoiled.insert(key, spoiled + 1);
        } else {
            self.spoiled.remove(&key);
        }
        chosen
    }

    /// The records from a place on, and how many wanted ones of them to skip.
    fn start(&self, asked: &Asked) -> (Range<usize>, usize) {
        let ascending = asked.query.ascending;
        let all = 0..self.world.events().len();
        match asked.place {
            None => (all, 0),
            Some(Place::Id(id)) => (self.world.starting_at_id(id, ascending), 0),
            Some(Place::Key(second, id)) => (self.world.starting_at_key(second, id, ascending), 0),
            Some(Place::Second(second)) if self.faults.order == Order::Time => {
                (self.world.starting_at_second(second, ascending), 0)
            }
            Some(Place::Second(_)) => (all, 0),
            Some(Place::Offset(records)) => (all, records),
            Some(Place::Beyond(_)) => (0..0, 0),
        }
    }

    fn build(&mut self, asked: &Asked, answers: &[Answer], now: i64, random: &mut Random) -> Reply {
        let mut page = self.select(asked, answers, random);
        let empty = answers.contains(&Answer::EmptyPage) && !page.selection.records.is_empty();
        let repeated = answers.contains(&Answer::RepeatedCursor);
        let mut spoiled = answers.iter().any(Answer::spoils);
        let here = if empty { self.beside(&page, asked) } else { self.first_of(&page, asked) };
        let mut next = self.next(&page, asked.place).map(|place| self.write_cursor(place));
        if empty {
            let cursor = here.map(|place| self.write_cursor(place));
            // The cursor of an empty page must be another one than was asked for; a good page must do where there is none.
            spoiled = cursor != asked.query.cursor;
            if spoiled {
                next = cursor;
                page.selection.records.clear();
            }
        } else if repeated {
            next = asked.query.cursor.clone().or_else(|| here.map(|place| self.write_cursor(place)));
        }
        if let (Some(next), true) = (&next, self.remembers_cursors()) {
            self.issued.insert((asked.query.walk(), next.clone()), now);
        }
        if answers.contains(&Answer::Shuffled) {
            random.shuffle(&mut page.selection.records);
        }
        let mut reply = self.render(&page.selection.records, next.as_deref(), now);
        answers.iter().for_each(|answer| distort(&mut reply, answer));
        if spoiled {
            reply.sights.clear();
        }
        reply
    }

    /// Picks the page's records.
    fn select(&self, asked: &Asked, answers: &[Answer], random: &mut Random) -> Page {
        let ascending = asked.query.ascending;
        let mut limit = asked.query.limit.unwrap_or(DEFAULT_LIMIT).min(self.faults.largest_page);
        let (mut range, mut skip) = self.start(asked);
        for answer in answers {
            match answer {
                Answer::ShortPage => limit = 1 + random.below(limit as u64) as usize,
                Answer::LongPage => limit *= 2,
                _ => {}
            }
        }
        for answer in answers {
            if let (Answer::Repeated(records), Some(_)) = (answer, asked.place) {
                // At least one record of the page is new, so that the walk goes on.
                let records = (*records).min(limit - 1);
                match asked.place {
                    Some(Place::Offset(_)) => skip = skip.saturating_sub(records),
                    Some(Place::Beyond(_)) => {}
                    _ if ascending => range.start = range.start.saturating_sub(records),
                    _ => range.end += records,
                }
            }
        }
        let mut selection = self.world.select(&asked.wanted(), range.clone(), skip, limit);
        if self.faults.cursor == Cursor::Date {
            // A second that fills a whole page would lead back to itself: such a page holds all of it.
            let second = |position: usize| self.world.event_at(position).second;
            while let (Some(first), Some(next)) = (selection.records.first(), selection.next)
                && second(*first) == second(next)
            {
                limit *= 2;
                selection = self.world.select(&asked.wanted(), range.clone(), skip, limit);
            }
        }
        Page { selection, skip }
    }

    fn place_of(&self, position: usize) -> Place {
        let event = self.world.event_at(position);
        match self.faults.order {
            Order::Id => Place::Id(event.id),
            Order::Time => Place::Key(event.second, event.id),
        }
    }

    /// Where the next page begins.
    fn next(&self, page: &Page, place: Option<Place>) -> Option<Place> {
        let trailing = self.faults.trailing_pages;
        match (page.selection.next, place) {
            (Some(_), _) if self.faults.cursor == Cursor::Offset => {
                Some(Place::Offset(page.skip + page.selection.records.len()))
            }
            (Some(next), _) => Some(self.place_of(next)),
            (None, Some(Place::Beyond(pages))) => {
                (pages < trailing).then(|| Place::Beyond(pages.saturating_add(1)))
            }
            (None, _) => (trailing > 0).then_some(Place::Beyond(1)),
        }
    }

    /// Where this page begins.
    fn first_of(&self, page: &Page, asked: &Asked) -> Option<Place> {
        if self.faults.cursor == Cursor::Offset {
            return Some(Place::Offset(page.skip));
        }
        page.selection.records.first().map(|first| self.place_of(*first)).or(asked.place)
    }

    /// A place that leads to this page's first record, and yet is not its own: the free id beside it, or the second before.
    fn beside(&self, page: &Page, asked: &Asked) -> Option<Place> {
        let place = self.first_of(page, asked)?;
        let ascending = asked.query.ascending;
        Some(match (self.faults.cursor, place) {
            (Cursor::NextId | Cursor::NextIdText, Place::Id(id) | Place::Key(_, id)) => {
                Place::Id(if ascending { id - 1 } else { id + 1 })
            }
            (Cursor::Date, Place::Key(second, _)) => {
                Place::Second(if ascending { second - 1 } else { second + 1 })
            }
            _ => place,
        })
    }

    fn write_cursor(&self, place: Place) -> String {
        cursor::write(self.faults.cursor, place, self.pages_asked)
    }

    fn render(&self, records: &[usize], next: Option<&str>, now: i64) -> Reply {
        let Faults { flips, cursor, next_cursor, .. } = self.faults;
        let mut body = Vec::with_capacity(records.len() * 640 + 64);
        let mut sights = Vec::with_capacity(records.len());
        body.extend_from_slice(b"{\"trails\":[");
        for (number, position) in records.iter().enumerate() {
            if number > 0 {
                body.push(b',');
            }
            sights.push(self.world.render(*position, now, flips, &mut body));
        }
        let next = next.map(|next| cursor::json(cursor, next));
        let tail = match (next_cursor, next) {
            (NextCursor::Absent, None) => "]}".to_owned(),
            (NextCursor::Null, None) => "],\"nextCursor\":null}".to_owned(),
            (NextCursor::Absent | NextCursor::Null, Some(next)) => format!("],\"nextCursor\":{next}}}"),
            (NextCursor::InMeta, next) => {
                let total = self.world.events().len();
                let next = next.map(|next| format!("\"nextCursor\":{next},")).unwrap_or_default();
                format!("],\"meta\":{{{next}\"total\":{total}}}}}")
            }
        };
        body.extend_from_slice(tail.as_bytes());
        Reply { sights, ..Reply::json(body) }
    }
}

/// A request for a page, understood.
struct Asked {
    query: Query,
    /// First and last second.
    seconds: (i64, i64),
    place: Option<Place>,
}

impl Asked {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            seconds: self.seconds,
            ascending: self.query.ascending,
            action: self.query.action.as_deref(),
            actor: self.query.user,
        }
    }
}

struct Page {
    selection: Selection,
    /// For a cursor that counts records.
    skip: usize,
}

/// What an answer does to a page that is complete.
fn distort(reply: &mut Reply, answer: &Answer) {
    let half = reply.body.len() / 2;
    match answer {
        Answer::Gzip => reply.gzip = true,
        Answer::WrongContentType => reply.content_type = "text/html; charset=utf-8",
        Answer::ClockFast(by) => reply.date = Some(by.as_secs() as i64),
        Answer::ClockSlow(by) => reply.date = Some(-(by.as_secs() as i64)),
        Answer::NoDate => reply.date = None,
        Answer::NotUtf8 => reply.body[half] = 0xff,
        Answer::Truncated => reply.body.truncate(half),
        Answer::Slow(time) => reply.delivery = Delivery::Slow(*time),
        Answer::Cut => reply.delivery = Delivery::Half(Duration::from_millis(20)),
        Answer::Stalled(time) => reply.delivery = Delivery::Half(*time),
        Answer::Oversized(bytes) => reply.delivery = Delivery::Padded(*bytes),
        _ => {}
    }
}
