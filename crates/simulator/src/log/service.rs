//! The API as a function from request to reply.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value, json};

use super::http::{Call, Reply};
use super::records::{Record, World};
use super::{Edges, Fault, Manner, Order, Paging, TimeFormat};
use crate::clock::{self, Clock};
use crate::random::Random;

/// Everything behind the API.
pub(super) struct Service {
    manner: Manner,
    pub(super) world: World,
    clock: Clock,
    origin: String,
    key: &'static str,
    pub(super) accepts: bool,
    pub(super) script: VecDeque<Fault>,
    pub(super) requests: usize,
    pub(super) asked: Vec<String>,
    /// Members of each answer besides.
    pub(super) more: Vec<(String, String)>,
    /// The filters that a cursor was made with, and when.
    cursors: HashMap<String, (String, usize)>,
}

/// What a request asks for.
struct Wanted {
    parameters: HashMap<String, String>,
    since: Option<i64>,
    until: Option<i64>,
    size: usize,
}

const DAY: i64 = 86_400;

impl Service {
    pub(super) fn new(manner: Manner, records: usize, origin: String, key: &'static str) -> Self {
        let clock = Clock::starting_at(None);
        let world = World::new(&manner, records, clock.now() / 1000);
        Self {
            manner,
            world,
            clock,
            origin,
            key,
            accepts: true,
            script: VecDeque::new(),
            requests: 0,
            asked: Vec::new(),
            more: Vec::new(),
            cursors: HashMap::new(),
        }
    }

    /// Older records are gone.
    pub(super) fn kept_from(&self) -> i64 {
        let now = self.clock.now() / 1000;
        self.manner.retention.map_or(i64::MIN, |retention| now - retention.as_secs() as i64)
    }

    pub(super) fn answer(&mut self, call: &Call) -> Reply {
        self.requests += 1;
        let now = self.clock.now() / 1000;
        let body = String::from_utf8_lossy(&call.body);
        self.asked.push(if call.body.is_empty() { call.query.clone() } else { body.into_owned() });
        if self.manner.records.growing && self.requests.is_multiple_of(3) {
            self.world.add(now - 1);
        }
        let mut reply = self.route(call, now);
        reply.headers.push(("date", clock::http_date(now)));
        reply
    }

    fn route(&mut self, call: &Call, now: i64) -> Reply {
        let (name, prefix) = self.manner.credential;
        let sent = call.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str());
        if !self.accepts || sent.and_then(|value| value.strip_prefix(prefix)) != Some(self.key) {
            return error(401, "who are you?");
        }
        if call.path != self.manner.path || call.method != self.manner.method {
            return error(404, "there is nothing here");
        }
        let fault = self.script.pop_front();
        if let Some(reply) = fault.and_then(|fault| spoiled(fault, now)) {
            return reply;
        }
        let wanted = match self.wanted(call, now) {
            Ok(wanted) => wanted,
            Err(message) => return error(400, message),
        };
        self.page(&wanted, fault)
    }

    fn wanted(&self, call: &Call, now: i64) -> Result<Wanted, &'static str> {
        let manner = &self.manner;
        let parameters = if manner.method == "POST" {
            let body: Value = serde_json::from_slice(&call.body).map_err(|_| "the body is not JSON")?;
            let mut flat = HashMap::new();
            flatten("", &body, &mut flat);
            flat
        } else {
            call.query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(n, v)| (decoded(n), decoded(v)))
                .collect()
        };
        let edge = |name: Option<&str>| match name.and_then(|name| parameters.get(name)) {
            None => Ok(None),
            Some(text) => {
                read_edge(text, manner.edge_format).map(Some).ok_or("an edge is written in another way")
            }
        };
        let (since, until) = (edge(manner.since)?, edge(manner.until)?);
        let is_later = self.token(&parameters).is_some();
        if manner.edges_required && (since.is_none() || until.is_none()) && !is_later {
            return Err("both edges are required");
        }
        if let (Some(most), Some(from)) = (manner.max_span, since)
            && until.unwrap_or(now) - from > most.as_secs() as i64
        {
            return Err("the window is too long");
        }
        if since.is_some_and(|since| since < self.kept_from()) {
            return Err("the lower edge cannot be older than what is kept");
        }
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err("the window ends before it begins");
        }
        let (name, usual, most) = manner.size;
        let size = name.and_then(|name| parameters.get(name)?.parse().ok()).unwrap_or(usual).min(most);
        Ok(Wanted { parameters, since, until, size })
    }

    /// What leads to a later page.
    fn token<'p>(&self, parameters: &'p HashMap<String, String>) -> Option<&'p str> {
        let name = match self.manner.paging {
            Paging::Cursor { parameter, .. }
            | Paging::Page { parameter, .. }
            | Paging::Offset { parameter } => parameter,
            Paging::Link | Paging::NextUrl { .. } => "after",
            Paging::None => return None,
        };
        parameters.get(name).map(String::as_str)
    }

    fn page(&mut self, wanted: &Wanted, fault: Option<Fault>) -> Reply {
        let token = self.token(&wanted.parameters).map(str::to_owned);
        let filters = format!("{:?} {:?}", wanted.since, wanted.until);
        if let (Some(life), Some(token)) = (self.manner.strict_cursors, &token) {
            let good = self.cursors.get(token).is_some_and(|(made_with, at)| {
                (*made_with == filters || self.is_feed()) && self.requests - at <= life
            });
            if !good {
                return error(400, "the cursor is not valid");
            }
        }
        let mut listed: Vec<&Record> =
            self.world.all().iter().filter(|record| self.passes(record, wanted)).collect();
        match self.manner.order {
            Order::NewestFirst => {
                listed.sort_by_key(|record| std::cmp::Reverse((record.second, record.number)))
            }
            Order::OldestFirst => listed.sort_by_key(|record| (record.second, record.number)),
            Order::Arrival => listed.sort_by_key(|record| record.number),
        }
        let counts = matches!(self.manner.paging, Paging::Page { .. } | Paging::Offset { .. });
        let number = token.as_deref().map_or(0, |token| token.parse::<usize>().unwrap_or(0));
        let mut from = match self.manner.paging {
            Paging::Page { .. } => number.saturating_sub(1) * wanted.size,
            Paging::Offset { .. } => number,
            _ => token.as_deref().map_or(0, |token| self.behind(&listed, token)),
        };
        if fault == Some(Fault::Repeated) && !counts {
            from = from.saturating_sub(5);
        }
        let size = if fault == Some(Fault::EmptyPage) { 0 } else { wanted.size };
        let mut page: Vec<&Record> = listed.iter().copied().skip(from).take(size).collect();
        let more = listed.len() > from + page.len();
        let last = page.last().copied();
        if fault == Some(Fault::Shuffled) {
            let mut random = Random::new(3, "shuffle", self.requests as u64);
            page.sort_by_cached_key(|_| random.below(1 << 30));
        }
        let next = match self.manner.paging {
            Paging::None => None,
            Paging::Page { .. } => more.then(|| (number.max(1) + 1).to_string()),
            Paging::Offset { .. } => None,
            _ if fault == Some(Fault::RepeatedCursor) && token.is_some() => token.clone(),
            _ if more || self.is_feed() => Some(match last {
                Some(last) => format!("{}.{}.{}", last.second, last.number, self.requests),
                // The same place under another name.
                None => {
                    let place = token.as_deref().unwrap_or("start");
                    let place = place.split('.').take(2).collect::<Vec<_>>().join(".");
                    format!("{place}.{}", self.requests)
                }
            }),
            _ => None,
        };
        let texts: Vec<String> = page.iter().map(|record| self.world.text(record)).collect();
        let numbers: BTreeSet<u64> = page.iter().map(|record| record.number).collect();
        if let Some(next) = &next {
            self.cursors.insert(next.clone(), (filters, self.requests));
        }
        let mut reply = self.rendered(&texts, next, more, wanted);
        match fault {
            Some(Fault::Cut) => reply.cut = true,
            Some(Fault::Truncated) => reply.body.truncate(reply.body.len() / 2),
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

    fn is_feed(&self) -> bool {
        matches!(self.manner.paging, Paging::Cursor { feed: Some(_), .. })
    }

    fn passes(&self, record: &Record, wanted: &Wanted) -> bool {
        let day = |second: i64| second.div_euclid(DAY);
        let (at, since, until) = (record.second, wanted.since, wanted.until);
        let inside = match self.manner.edges {
            Edges::Inclusive => {
                since.is_none_or(|since| at >= since) && until.is_none_or(|until| at <= until)
            }
            Edges::Exclusive => since.is_none_or(|since| at > since) && until.is_none_or(|until| at < until),
            Edges::ExclusiveDays => {
                since.is_none_or(|since| day(at) > day(since))
                    && until.is_none_or(|until| day(at) < day(until))
            }
            Edges::Days => {
                since.is_none_or(|since| day(at) >= day(since))
                    && until.is_none_or(|until| day(at) <= day(until))
            }
        };
        inside && at >= self.kept_from()
    }

    /// The first record behind the one that the token names.
    fn behind(&self, listed: &[&Record], token: &str) -> usize {
        let mut parts = token.split('.');
        let (Some(Ok(second)), Some(Ok(number))) =
            (parts.next().map(str::parse::<i64>), parts.next().map(str::parse::<u64>))
        else {
            return 0;
        };
        listed.partition_point(|record| match self.manner.order {
            Order::NewestFirst => (record.second, record.number) >= (second, number),
            Order::OldestFirst => (record.second, record.number) <= (second, number),
            Order::Arrival => record.number <= number,
        })
    }

    fn rendered(&self, texts: &[String], next: Option<String>, more: bool, wanted: &Wanted) -> Reply {
        let manner = &self.manner;
        let mut headers = vec![("content-type", "application/json".to_owned())];
        let url = next.as_ref().map(|next| {
            let name = "after";
            let mut query: Vec<String> = wanted
                .parameters
                .iter()
                .filter(|(other, _)| *other != name)
                .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
                .collect();
            query.sort();
            query.push(format!("{name}={}", encoded(next)));
            format!("{}{}?{}", self.origin, manner.path, query.join("&"))
        });
        let mut members = Map::new();
        members.extend(self.more.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))));
        match manner.paging {
            Paging::Cursor { member, feed, .. } => {
                set(&mut members, member, next.map_or(Value::Null, Value::from));
                if let Some(feed) = feed {
                    set(&mut members, feed, more.into());
                }
            }
            Paging::Link => {
                if let Some(url) = url {
                    headers
                        .push(("link", format!("<{}>; rel=\"first\", <{url}>; rel=\"next\"", self.origin)));
                }
            }
            Paging::NextUrl { member } => set(&mut members, member, url.map_or(Value::Null, Value::from)),
            Paging::Page { member, .. } => {
                let next = next.and_then(|next| next.parse::<u64>().ok());
                set(&mut members, member, next.map_or(Value::Null, Value::from));
            }
            Paging::Offset { .. } | Paging::None => {}
        }
        let list = format!("[{}]", texts.join(","));
        let body = if manner.list.is_empty() {
            list
        } else {
            // The texts stand in the page as they are, byte for byte.
            set(&mut members, manner.list, json!("THE-LIST"));
            Value::Object(members).to_string().replacen("\"THE-LIST\"", &list, 1)
        };
        Reply { status: 200, headers, body: body.into_bytes(), cut: false }
    }
}

fn error(status: u16, message: &str) -> Reply {
    let body = json!({"error": {"message": message}}).to_string().into_bytes();
    Reply { status, headers: vec![("content-type", "application/json".to_owned())], body, cut: false }
}

/// The reply of a fault that needs no page.
fn spoiled(fault: Fault, now: i64) -> Option<Reply> {
    let with = |mut reply: Reply, headers: &[(&'static str, String)]| {
        reply.headers.extend(headers.iter().cloned());
        Some(reply)
    };
    let reset = |wait: u64| (now + wait as i64).to_string();
    match fault {
        Fault::Status(status) => Some(error(status, "trouble")),
        Fault::RetryAfter(wait) => with(error(429, "slow down"), &[("retry-after", wait.to_string())]),
        Fault::RateLimitReset(wait) => with(error(429, "slow down"), &[("x-ratelimit-reset", reset(wait))]),
        Fault::ForbiddenRateLimit(wait) => with(
            error(403, "slow down"),
            &[
                ("x-ratelimit-limit", "60".to_owned()),
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", reset(wait)),
            ],
        ),
        Fault::Quota => Some(error(429, "the monthly quota is used up")),
        Fault::Html => Some(Reply {
            status: 200,
            headers: vec![("content-type", "text/html".to_owned())],
            body: b"<!DOCTYPE html><html><body>Sign in</body></html>".to_vec(),
            cut: false,
        }),
        Fault::ErrorAsSuccess => Some(error(200, "it broke")),
        _ => None,
    }
}

fn read_edge(text: &str, format: TimeFormat) -> Option<i64> {
    match format {
        TimeFormat::EpochSeconds => text.parse().ok(),
        TimeFormat::EpochMillis => text.parse::<i64>().ok().map(|millis| millis.div_euclid(1000)),
        TimeFormat::Date => {
            clock::read_moment(text).filter(|moment| moment.date_only).map(|moment| moment.second)
        }
        TimeFormat::Rfc3339 => {
            clock::read_moment(text).filter(|moment| !moment.date_only).map(|moment| moment.second)
        }
    }
}

/// Members of a body by dotted path.
fn flatten(path: &str, value: &Value, out: &mut HashMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, out);
            }
        }
        Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
        other => drop(out.insert(path.to_owned(), other.to_string())),
    }
}

fn set(members: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(members.insert(path.to_owned(), value)),
        Some((name, rest)) => {
            let inner = members.entry(name).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                set(inner, rest, value);
            }
        }
    }
}

/// A name or value of a query.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let hex = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'+', ..) => bytes.push(b' '),
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
