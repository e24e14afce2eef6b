//! The API as a function from request to reply. It knows what to say, `server` how to say it badly.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use crate::actions::ACTIONS;
use crate::answer::Answer;
use crate::clock::Clock;
use crate::faults::{Access, Cursor, Faults, Order};
use crate::limits::{Header, Meter, RateLimitHeaders};
use crate::record::quote;
use crate::refusal::{self, Refusal};
use crate::world::{Sight, World};

/// So many of the newest requests are remembered.
const LOG: usize = 100_000;

/// A request that the simulator saw. Keys are never kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When, by the simulator's clock.
    pub at: SystemTime,
    /// `/audit/logs` and so on.
    pub path: String,
    /// As sent, still encoded, but for a key in it.
    pub query: String,
    /// Names in lower case; without those that carry credentials.
    pub headers: Vec<(String, String)>,
    /// Whether a key was sent, and whether it was the right one.
    pub key: Option<bool>,
    /// Names of the [`Answer`]s that it got; `refused` when the request itself was at fault.
    pub answers: Vec<&'static str>,
    /// Status of the reply; 0 when the connection was closed or reset instead.
    pub status: u16,
    /// Records in the reply, whether or not the reply arrives.
    pub records: usize,
}

/// What the server hands in.
pub(crate) struct Call {
    pub(crate) get: bool,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) key: Option<String>,
    pub(crate) accepts_gzip: bool,
}

/// What the server sends.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Vec<u8>,
    pub(crate) gzip: bool,
    pub(crate) delivery: Delivery,
    /// How many seconds the `Date` header is off the clock; `None`: there is no such header.
    pub(crate) date: Option<i64>,
    /// What counts as shown once the whole body was handed to the socket.
    pub(crate) sights: Vec<Sight>,
    pub(crate) latency: Duration,
}

/// How a reply leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Delivery {
    Whole,
    /// In pieces over this time.
    Slow(Duration),
    /// Half of it, then after this time an end.
    Half(Duration),
    /// White space first.
    Padded(u64),
    /// White space, compressed, instead of the body.
    Bomb(u64),
    /// A reset instead.
    Reset,
    /// Silence for this long, then an end, instead.
    Nothing(Duration),
}

impl Reply {
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            content_type: "application/json; charset=utf-8",
            headers: Vec::new(),
            body: body.into(),
            gzip: false,
            delivery: Delivery::Whole,
            date: Some(0),
            sights: Vec::new(),
            latency: Duration::ZERO,
        }
    }

    fn nothing(delivery: Delivery) -> Self {
        Self { status: 0, delivery, ..Self::json("") }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status, content_type: refusal.content_type, ..Self::json(refusal.body) }
    }
}

/// Everything behind the API.
pub(crate) struct Service {
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) started: i64,
    pub(crate) world: World,
    pub(crate) faults: Faults,
    /// The key that is right; none while every key is wrong.
    pub(crate) key: Option<String>,
    pub(crate) script: VecDeque<Answer>,
    /// Where redirects lead.
    pub(crate) elsewhere: String,
    meter: Meter,
    month: Meter,
    /// When each cursor was handed out, by walk and text; only kept when the faults ask about it.
    pub(crate) issued: HashMap<(u64, String), i64>,
    /// Spoiled answers in a row, by walk and place.
    pub(crate) spoiled: HashMap<(u64, Option<u64>), u32>,
    /// Cursors that expired, by walk.
    pub(crate) expired: HashMap<u64, u32>,
    pub(crate) pages_asked: u64,
    pub(crate) answers: BTreeMap<&'static str, u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) records_sent: u64,
    pub(crate) pages_shown: u64,
    pub(crate) requests_elsewhere: u64,
    pub(crate) keys_elsewhere: u64,
    pub(crate) log: VecDeque<Request>,
}

impl Service {
    pub(crate) fn new(
        seed: u64,
        clock: Clock,
        started: i64,
        world: World,
        faults: Faults,
        key: String,
    ) -> Self {
        Self {
            seed,
            clock,
            started,
            world,
            faults,
            key: Some(key),
            script: VecDeque::new(),
            elsewhere: String::new(),
            meter: Meter::default(),
            month: Meter::default(),
            issued: HashMap::new(),
            spoiled: HashMap::new(),
            expired: HashMap::new(),
            pages_asked: 0,
            answers: BTreeMap::new(),
            statuses: BTreeMap::new(),
            records_sent: 0,
            pages_shown: 0,
            requests_elsewhere: 0,
            keys_elsewhere: 0,
            log: VecDeque::new(),
        }
    }

    /// Replaces the faults; a date as a cursor needs the order of time.
    pub(crate) fn set_faults(&mut self, mut faults: Faults) {
        settle(&mut faults);
        self.world.set_order(faults.order);
        self.faults = faults;
    }

    pub(crate) fn answer(&mut self, call: Call) -> Reply {
        let now = self.clock.now();
        self.world.advance(now, &self.faults);
        let mut names = Vec::new();
        let mut reply = self.route(&call, now, &mut names);
        reply.latency = self.faults.latency;
        if names.is_empty() {
            names.push(if reply.status == 200 { "good" } else { "refused" });
        }
        for name in &names {
            *self.answers.entry(name).or_default() += 1;
        }
        *self.statuses.entry(reply.status).or_default() += 1;
        self.records_sent += reply.sights.len() as u64;
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(Request {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(now as u64),
            path: call.path,
            query: without_key(&call.query),
            headers: call.headers,
            key: call.key.map(|key| Some(key) == self.key),
            answers: names,
            status: reply.status,
            records: reply.sights.len(),
        });
        reply
    }

    fn route(&mut self, call: &Call, now: i64, names: &mut Vec<&'static str>) -> Reply {
        if let Some(answer) = self.outage(now) {
            names.push(answer.name());
            return self.without_page(&answer, now).unwrap_or_else(|| refusal::with_status(503, 0).into());
        }
        if call.key.is_none() || call.key != self.key {
            return refusal::with_status(401, self.turn("refused")).into();
        }
        let mut headers = Vec::new();
        let mut reply = match self.limit(now, &mut headers) {
            Err(refused) => {
                names.push("limited");
                refused.into()
            }
            Ok(()) => match call.path.as_str() {
                _ if !call.get => refusal::with_status(404, 0).into(),
                "/audit/logs" => self.page(call, now, names),
                "/audit-actions" if self.faults.action_list => action_list(),
                "/audit-actions" => refusal::with_status(403, 0).into(),
                "/me" => Reply::json(
                    "{\"user\":{\"id\":12345678,\"username\":\"taylor-lee\",\"email\":\"taylor.lee@example.com\",\
                     \"teamId\":1234,\"roles\":[\"admin\",\"user\"]}}",
                ),
                _ => refusal::with_status(404, 0).into(),
            },
        };
        reply.headers.extend(headers);
        reply
    }

    /// The answer of the outage that is on, if one is.
    fn outage(&self, now: i64) -> Option<Answer> {
        let elapsed = Duration::from_millis((now - self.started).max(0) as u64);
        let is_on = |outage: &&crate::faults::Outage| {
            let every = outage.every.as_millis().max(1);
            elapsed >= outage.every && elapsed.as_millis() % every < outage.lasts.as_millis()
        };
        self.faults.outages.iter().find(is_on).map(|outage| outage.answer.clone())
    }

    /// Counts the request against the limits, and says where they stand.
    fn limit(&mut self, now: i64, headers: &mut Vec<Header>) -> Result<(), Refusal> {
        if let Some(quota) = self.faults.monthly_quota {
            let taken = self.month.take(quota.requests, quota.month, now);
            let (Ok(budget) | Err(budget)) = taken;
            headers.push(("ratelimit-limit-month", budget.limit.to_string()));
            headers.push(("ratelimit-remaining-month", budget.left.to_string()));
            taken.map_err(|_| refusal::quota_exhausted())?;
        }
        if let Some(limit) = self.faults.rate_limit {
            let turn = self.statuses.values().sum::<u64>() as usize;
            let dialect = limit.headers.unwrap_or(RateLimitHeaders::ALL[turn % RateLimitHeaders::ALL.len()]);
            let taken = self.meter.take(limit.requests, limit.per, now);
            let (Ok(budget) | Err(budget)) = taken;
            headers.extend(dialect.headers(&budget, now));
            taken.map_err(|budget| too_many(dialect, budget.full_at, turn as u64))?;
        }
        Ok(())
    }

    /// How often an answer was given: what takes turns, turns with it.
    pub(crate) fn turn(&self, name: &str) -> u64 {
        self.answers.get(name).copied().unwrap_or(0)
    }

    /// The reply of an answer that needs no page.
    pub(crate) fn without_page(&self, answer: &Answer, now: i64) -> Option<Reply> {
        let turn = self.turn(answer.name());
        Some(match answer {
            Answer::NoTrails => Reply::json("{\"nextCursor\":null,\"status\":\"ok\"}"),
            Answer::ErrorWithStatus200 => Reply { status: 200, ..refusal::with_status(500, turn % 2).into() },
            Answer::HtmlWithStatus200 => refusal::sign_in().into(),
            Answer::Status(status) => refusal::with_status(*status, turn).into(),
            Answer::TooManyRequests(dialect, wait) => {
                let full_at = now + wait.as_millis() as i64;
                let budget =
                    crate::limits::Budget { limit: 300, left: 0, per: Duration::from_secs(60), full_at };
                Reply { headers: dialect.headers(&budget, now), ..too_many(*dialect, full_at, turn).into() }
            }
            Answer::QuotaExhausted => refusal::quota_exhausted().into(),
            Answer::OlderThanRetention => refusal::older_than_retention(self.retention_days()).into(),
            Answer::ExpiredCursor => refusal::cursor(turn).into(),
            Answer::Redirect => Reply {
                status: [301, 302, 307, 308][turn as usize % 4],
                headers: vec![("location", format!("{}/audit/logs", self.elsewhere))],
                ..Reply::json("")
            },
            Answer::GzipBomb(bytes) => {
                Reply { delivery: Delivery::Bomb(*bytes), ..Reply::json("{\"trails\":[]}") }
            }
            Answer::Reset => Reply::nothing(Delivery::Reset),
            Answer::Closed => Reply::nothing(Delivery::Nothing(Duration::ZERO)),
            Answer::Hang(time) => Reply::nothing(Delivery::Nothing(*time)),
            _ => return None,
        })
    }

    pub(crate) fn retention_days(&self) -> u64 {
        self.faults.retention.as_secs() / 86_400
    }

    pub(crate) fn forbidden(&self) -> Option<Reply> {
        let turn = match self.faults.access {
            Access::Granted => return None,
            Access::NoAdminRights => 0,
            Access::WrongRegion => 1,
            Access::NoPlan => 2,
        };
        Some(refusal::with_status(403, turn).into())
    }

    /// A request at the other origin.
    pub(crate) fn answer_elsewhere(&mut self, with_key: bool) -> Reply {
        self.requests_elsewhere += 1;
        self.keys_elsewhere += u64::from(with_key);
        refusal::sign_in().into()
    }

    /// Pages whose last byte was handed to the socket.
    pub(crate) fn saw(&mut self, sights: Vec<Sight>) {
        self.pages_shown += 1;
        sights.into_iter().for_each(|sight| self.world.saw(sight));
    }
}

/// Makes the knobs agree with each other.
pub(crate) fn settle(faults: &mut Faults) {
    if faults.cursor == Cursor::Date {
        faults.order = Order::Time;
    }
}

fn too_many(dialect: RateLimitHeaders, full_at: i64, turn: u64) -> Refusal {
    match dialect {
        RateLimitHeaders::Prose => refusal::retry_at(full_at),
        _ => refusal::with_status(429, turn),
    }
}

fn action_list() -> Reply {
    let entry = |(name, display): &(&str, &str)| {
        format!("{{\"name\":{},\"displayName\":{}}}", quote(name), quote(display))
    };
    Reply::json(format!("[{}]", ACTIONS.iter().map(entry).collect::<Vec<_>>().join(",")))
}

/// The query without the value of `apikey`, which some clients put there.
fn without_key(query: &str) -> String {
    let hide =
        |pair: &str| if pair.starts_with("apikey=") { "apikey=***".to_owned() } else { pair.to_owned() };
    query.split('&').map(hide).collect::<Vec<_>>().join("&")
}
