//! The API as a function from request to reply.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::time::Instant;

use super::fault::{Fault, error, spoiled};
use super::http::{Call, Delivery, Reply};
use super::manner::{Credential, CursorFrom, Manner, Meaning, Method, Order, Paging};
use super::path;
use super::records::{Record, World};
use super::wanted::Wanted;
use crate::clock;
use crate::random::Random;

/// Everything behind the API.
pub(super) struct Service {
    pub(super) manner: Manner,
    pub(super) world: World,
    /// The API's clock at the start, in seconds since 1970, and when that was. It passes with the runtime's, which tests can set.
    started: (i64, Instant),
    pub(super) origin: String,
    pub(super) accepts: bool,
    pub(super) script: VecDeque<Fault>,
    /// Faults that come again and again, one with each n-th page.
    pub(super) trouble: (Vec<Fault>, usize),
    pub(super) requests: usize,
    pages: usize,
    pub(super) asked: Vec<String>,
    /// Members of each answer besides.
    pub(super) more: Vec<(String, String)>,
    cursors: HashMap<String, Issued>,
    /// Tokens that were given out, and for how many requests they are good.
    tokens: HashMap<String, usize>,
}

/// With which edges a cursor was made, at which request, and at which second.
#[derive(Clone, Copy)]
struct Issued {
    edges: (Option<i64>, Option<i64>),
    at: usize,
    second: i64,
}

/// Where cursors are strict they live no longer than this, in seconds.
const CURSOR_LIFE: i64 = 600;

impl Service {
    pub(super) fn new(manner: Manner, records: usize, origin: String) -> Self {
        let now = clock::milliseconds(SystemTime::now()) / 1000 + manner.skew;
        let world = World::new(&manner, records, now);
        Self {
            manner,
            world,
            started: (now, Instant::now()),
            origin,
            accepts: true,
            script: VecDeque::new(),
            trouble: (Vec::new(), 1),
            requests: 0,
            pages: 0,
            asked: Vec::new(),
            more: Vec::new(),
            cursors: HashMap::new(),
            tokens: HashMap::new(),
        }
    }

    /// The API's clock, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        let (second, at) = self.started;
        second + at.elapsed().as_secs() as i64
    }

    /// Older records are gone.
    pub(super) fn kept_from(&self) -> i64 {
        let now = self.now();
        self.manner.retention.map_or(i64::MIN, |retention| now - retention.as_secs() as i64)
    }

    pub(super) fn answer(&mut self, call: &Call) -> Reply {
        if let Some(what) = call.path.strip_prefix("/_simulator/") {
            return self.truth(what);
        }
        self.requests += 1;
        let now = self.now();
        let body = String::from_utf8_lossy(&call.body);
        self.asked.push(if call.body.is_empty() { call.query.clone() } else { body.into_owned() });
        let mut random = Random::new(self.manner.seed, "request", self.requests as u64);
        if self.requests.is_multiple_of(3) {
            if self.manner.records.growing {
                self.world.add(now - 1 - random.below(300) as i64);
            }
            if self.manner.records.edited {
                self.world.edit_any(&mut random);
            }
        }
        let mut reply = self.route(call, now).with("date", clock::http_date(now));
        (reply.latency, reply.gzip) = (self.manner.latency, self.manner.gzip);
        reply
    }

    /// For whoever judges a collector: ids as NDJSON.
    fn truth(&self, what: &str) -> Reply {
        let ids = match what {
            "shown" => self.world.shown(),
            "all" => self.world.with_id().map(|record| record.id.clone()).collect(),
            _ => return self.refused(Meaning::Request, 404, "there are `shown` and `all`"),
        };
        let lines: String = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}\n")).collect();
        Reply::json(200, lines)
    }

    fn route(&mut self, call: &Call, now: i64) -> Reply {
        if let Some(reply) = self.token(call) {
            return reply;
        }
        if !self.accepts || !self.is_authorized(call) {
            return self.refused(Meaning::Authentication, 401, "who are you?");
        }
        let later = match &self.manner.paging {
            Paging::Cursor { path, .. } => path.as_ref(),
            _ => None,
        };
        let is_page = call.path == self.manner.path || later.is_some_and(|path| call.path == *path);
        let method = if self.manner.method == Method::Post { "POST" } else { "GET" };
        if !is_page || call.method != method {
            return self.refused(Meaning::Request, 404, "there is nothing here");
        }
        self.pages += 1;
        let fault = self.script.pop_front().or_else(|| {
            let (faults, every) = &self.trouble;
            let is_due = !faults.is_empty() && self.pages.is_multiple_of(*every);
            is_due.then(|| faults[self.pages / every % faults.len()])
        });
        if let Some(reply) = fault.and_then(|fault| spoiled(&self.manner, fault, now)) {
            return reply;
        }
        let mut wanted = match self.manner.wanted(call) {
            Ok(wanted) => wanted,
            Err(message) => return self.refused(Meaning::Request, 400, &message),
        };
        let in_place = later.is_none_or(|path| (call.path == *path) == wanted.token.is_some());
        if !in_place {
            return self.refused(Meaning::Request, 400, "this page is to be had elsewhere");
        }
        if self.manner.remembers_filters()
            && let Some(issued) = wanted.token.as_ref().and_then(|token| self.cursors.get(token))
        {
            (wanted.since, wanted.until) = issued.edges;
        }
        if let (Some(most), Some(since)) = (self.manner.max_span, wanted.since)
            && wanted.until.unwrap_or(now) - since > most.as_secs() as i64
        {
            return self.refused(Meaning::Request, 400, "the window is too long");
        }
        let is_old = wanted.since.is_some_and(|since| since < self.kept_from());
        if is_old && self.manner.said(Meaning::Retention).is_some() {
            return self.refused(Meaning::Retention, 400, "");
        }
        self.page(&wanted, fault)
    }

    fn refused(&self, meaning: Meaning, status: u16, words: &str) -> Reply {
        error(&self.manner, meaning, status, words)
    }

    /// Gives out a token, if it is asked for one.
    fn token(&mut self, call: &Call) -> Option<Reply> {
        let (client, secret, requests) =
            self.manner.credentials.iter().find_map(|credential| match credential {
                Credential::Token { path, client, secret, requests } if *path == call.path => {
                    Some((client, secret, *requests))
                }
                _ => None,
            })?;
        let form: HashMap<String, String> = path::pairs(&String::from_utf8_lossy(&call.body)).collect();
        let basic = format!("Basic {}", BASE64.encode(format!("{client}:{secret}")));
        let in_form = |name: &str, value: &String| form.get(name) == Some(value);
        let is_known = call.header("authorization") == Some(&basic)
            || in_form("client_id", client) && in_form("client_secret", secret);
        if !self.accepts || !is_known || call.method != "POST" || !form.contains_key("grant_type") {
            return Some(Reply::json(401, r#"{"error": "invalid_client"}"#.to_owned()));
        }
        let token = format!("token-{}", self.requests);
        self.tokens.insert(token.clone(), requests);
        let answer = format!(r#"{{"access_token": "{token}", "token_type": "bearer", "expires_in": 3600}}"#);
        Some(Reply::json(200, answer))
    }

    fn is_authorized(&mut self, call: &Call) -> bool {
        let Self { manner, tokens, .. } = self;
        manner.credentials.iter().all(|credential| match credential {
            Credential::Header { name, value } => call.header(name) == Some(value),
            Credential::Query { name, value } => {
                path::pairs(&call.query).any(|(own, sent)| own == *name && sent == *value)
            }
            Credential::Basic { username, password } => {
                let value = format!("Basic {}", BASE64.encode(format!("{username}:{password}")));
                call.header("authorization") == Some(&value)
            }
            Credential::Token { .. } => {
                let sent = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
                match sent.and_then(|token| tokens.get_mut(token)) {
                    Some(left @ 1..) => {
                        *left -= 1;
                        true
                    }
                    _ => false,
                }
            }
        })
    }

    fn page(&mut self, wanted: &Wanted, fault: Option<Fault>) -> Reply {
        let token = wanted.token.as_deref();
        let edges = (wanted.since, wanted.until);
        let counts = self.manner.paging.counts();
        if let (Some(life), Some(token), false) = (self.manner.strict_cursors, token, counts) {
            let free = self.manner.feed || self.manner.remembers_filters();
            let good = self.cursors.get(token).is_some_and(|issued| {
                (free || issued.edges == edges)
                    && self.requests - issued.at <= life
                    && self.now() - issued.second <= CURSOR_LIFE
            });
            if !good {
                return self.refused(Meaning::Cursor, 400, "the cursor is not valid");
            }
        }
        let mut listed: Vec<&Record> =
            self.world.all().iter().filter(|record| self.passes(record, edges)).collect();
        match self.manner.order {
            Order::NewestFirst => {
                listed.sort_by_key(|record| std::cmp::Reverse((record.second, record.number)))
            }
            Order::OldestFirst => listed.sort_by_key(|record| (record.second, record.number)),
            Order::Arrival => listed.sort_by_key(|record| record.number),
        }
        let number = token.map(str::parse::<usize>);
        let from = match (&self.manner.paging, number, token) {
            (_, _, None) => Some(0),
            (Paging::Page { first, .. }, Some(Ok(number)), _) => {
                number.checked_sub(*first).map(|pages| pages * wanted.size)
            }
            (Paging::Offset { .. }, Some(Ok(number)), _) => Some(number),
            (Paging::Page { .. } | Paging::Offset { .. }, ..) => None,
            (.., Some(token)) => self.behind(&listed, token),
        };
        let mut from = match from {
            Some(from) => from,
            None if self.manner.strict => {
                return self.refused(Meaning::Cursor, 400, "the cursor is not valid");
            }
            None => 0,
        };
        if fault == Some(Fault::Repeated) && self.manner.paging.leads_on() {
            from = from.saturating_sub(5);
        }
        let size = if fault == Some(Fault::EmptyPage) { 0 } else { wanted.size };
        let mut page: Vec<&Record> = listed.iter().copied().skip(from).take(size).collect();
        let more = listed.len() > from + page.len();
        let last = page.last().copied();
        if fault == Some(Fault::Shuffled) {
            let mut random = Random::new(self.manner.seed, "shuffle", self.requests as u64);
            page.sort_by_cached_key(|_| random.below(1 << 30));
        }
        let next = if fault == Some(Fault::RepeatedCursor) && token.is_some() {
            wanted.token.clone()
        } else {
            self.next(token, more, last)
        };
        let texts: Vec<String> = page.iter().map(|record| self.world.text(record)).collect();
        let numbers: BTreeSet<u64> = page.iter().map(|record| record.number).collect();
        if let Some(next) = &next {
            self.cursors.insert(next.clone(), Issued { edges, at: self.requests, second: self.now() });
        }
        let mut reply = self.rendered(&texts, next, more, wanted);
        match fault {
            Some(Fault::Cut) => reply.delivery = Delivery::Cut,
            Some(Fault::Truncated) => {
                reply.body.truncate(reply.body.len() / 2);
                // Between two lines nobody could see that more should follow.
                while self.manner.lines && matches!(reply.body.last(), Some(b'\n' | b'}')) {
                    reply.body.pop();
                }
            }
            Some(Fault::NotUtf8) => {
                if let Some(at) = reply.body.windows(4).position(|four| four == b"curl") {
                    reply.body[at] = 0xff;
                }
            }
            _ => {}
        }
        if !matches!(fault, Some(Fault::Cut | Fault::Truncated)) {
            self.world.show(&numbers);
        }
        reply
    }

    /// What leads on from a page.
    fn next(&self, token: Option<&str>, more: bool, last: Option<&Record>) -> Option<String> {
        let of_last = matches!(self.manner.paging, Paging::Cursor { from: CursorFrom::LastRecord(_), .. });
        // Each record has its cursor, the last one of all too.
        let always = self.manner.feed || (of_last || self.manner.more.is_some()) && last.is_some();
        match &self.manner.paging {
            Paging::None | Paging::Bound | Paging::Offset { .. } => None,
            Paging::Page { first, .. } => {
                let number = token.and_then(|token| token.parse::<usize>().ok()).unwrap_or(*first);
                more.then(|| (number + 1).to_string())
            }
            _ if !more && !always => None,
            Paging::Cursor { from: CursorFrom::LastRecord(_), .. } => {
                last.map(|last| last.id.clone()).or_else(|| token.map(str::to_owned))
            }
            Paging::Cursor { .. } | Paging::Link { .. } | Paging::NextUrl { .. } => Some(match last {
                Some(last) => format!("{}.{}.{}", last.second, last.number, self.requests),
                // The same place under another name.
                None => {
                    let place = token.unwrap_or("start");
                    let place = place.split('.').take(2).collect::<Vec<_>>().join(".");
                    format!("{place}.{}", self.requests)
                }
            }),
        }
    }

    fn passes(&self, record: &Record, (since, until): (Option<i64>, Option<i64>)) -> bool {
        let edges = self.manner.edges;
        let cut = |second: i64| second.div_euclid(edges.unit.max(1));
        let at = cut(record.second);
        let behind = |edge: i64| if edges.included { at >= cut(edge) } else { at > cut(edge) };
        let before = |edge: i64| if edges.included { at <= cut(edge) } else { at < cut(edge) };
        since.is_none_or(behind) && until.is_none_or(before) && record.second >= self.kept_from()
    }

    /// The first record behind the one that the token names; nothing when it names none.
    fn behind(&self, listed: &[&Record], token: &str) -> Option<usize> {
        let of_last = matches!(self.manner.paging, Paging::Cursor { from: CursorFrom::LastRecord(_), .. });
        let (second, number) = if of_last {
            let record = self.world.all().iter().find(|record| record.id == token)?;
            (record.second, record.number)
        } else {
            let mut parts = token.split('.');
            let second = parts.next()?;
            if second == "start" {
                return Some(0);
            }
            (second.parse().ok()?, parts.next()?.parse().ok()?)
        };
        Some(listed.partition_point(|record| match self.manner.order {
            Order::NewestFirst => (record.second, record.number) >= (second, number),
            Order::OldestFirst => (record.second, record.number) <= (second, number),
            Order::Arrival => record.number <= number,
        }))
    }
}
