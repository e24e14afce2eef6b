//! The knobs: how the API is made, what happens to its records, how it answers, and what it limits.

use std::str::FromStr;
use std::time::Duration;

use crate::answer::Answer;
use crate::limits::{MonthlyQuota, RateLimit, RateLimitHeaders};
use crate::random::Random;

/// Everything that can be unusual. [`Faults::none`] is the good API; change what a test needs:
///
/// ```
/// use simulator::{Answer, Cursor, Faults};
/// let faults = Faults { cursor: Cursor::Opaque, answers: vec![(Answer::Reset, 0.1)], ..Faults::none() };
/// assert!(faults.describe().iter().any(|knob| knob.name == "reset" && knob.setting == "10%"));
/// ```
///
/// Probabilities are from 0 to 1. All chance comes from the builder's seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// What `nextCursor` is.
    pub cursor: Cursor,
    /// Where `nextCursor` is, and how the end is told.
    pub next_cursor: NextCursor,
    /// What the records are sorted by.
    pub order: Order,
    /// How `since` and `until` are understood.
    pub time_filter: TimeFilter,
    /// What a larger `limit` is reduced to.
    pub largest_page: usize,
    /// How far back records exist; a `since` before that is refused.
    pub retention: Duration,
    /// Whether the key may read audit logs.
    pub access: Access,
    /// Whether `GET /audit-actions` may be read.
    pub action_list: bool,
    /// Ids of the newer half of the records lie beyond 2^60, where neighbours are equal as floating-point numbers.
    pub huge_ids: bool,
    /// A cursor is refused when its filters are not repeated with it.
    pub bound_cursors: bool,
    /// A cursor is refused when it is older than this.
    pub cursor_lifetime: Option<Duration>,
    /// Empty pages with fresh cursors after the last record; `u32::MAX` never ends.
    pub trailing_pages: u32,

    /// Probability that a record has the same second as the one before it.
    pub ties: f64,
    /// So many records in the middle of the history have the same second: more than a page holds.
    pub crowded_second: usize,
    /// Records that appear long after their time.
    pub late: Late,
    /// Probability that a record is dated up to thirty days in the future.
    pub future: f64,
    /// Probability, per request for a page, that up to forty records appear just before it is answered.
    pub bursts: f64,
    /// Probability, per new record, that one of the newest two thousand changes its content.
    pub edits: f64,
    /// `data.actor.active` of every fourth record flips this often.
    pub flips: Option<Duration>,
    /// Probability that a record is malformed or extreme.
    pub odd_records: f64,

    /// Each answer's probability per request for a page. Of those that spoil a page, at most one is taken.
    pub answers: Vec<(Answer, f64)>,
    /// After so many spoiled answers in a row at the same place of a walk, a page is good: a correct client finishes.
    pub persistence: u32,
    /// Time before every answer.
    pub latency: Duration,

    /// A rate limit, enforced and announced.
    pub rate_limit: Option<RateLimit>,
    /// A monthly quota, enforced and announced.
    pub monthly_quota: Option<MonthlyQuota>,
    /// A longer time window than this is answered so: large teams' unbounded queries time out.
    pub longest_window: Option<(Duration, Answer)>,
    /// Times in which every request is answered badly.
    pub outages: Vec<Outage>,
}

/// What `nextCursor` is made of. Clients must not care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// A JSON number, the id of the next record: what the real API was seen to send.
    NextId,
    /// The same as a string.
    NextIdText,
    /// Opaque base64, different for each answer.
    Opaque,
    /// The next record's second as base64 of a JavaScript date. Records of that second come again. Sorts by time.
    Date,
    /// The number of records to skip: what arrives during a walk shifts the pages.
    Offset,
}

/// Where the cursor of the next page is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextCursor {
    /// `nextCursor`, absent at the end.
    Absent,
    /// `nextCursor`, null at the end.
    Null,
    /// `meta.nextCursor`, with a `meta.total`; absent at the end.
    InMeta,
}

/// What the records are sorted by; both newest first unless the client asks for `asc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By id: a late record appears at the top (or, with an older id, in the middle).
    Id,
    /// By time, then id: a late record always appears in the middle.
    Time,
}

/// How `since` and `until` are understood. Postman documents only "after" and "before" a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFilter {
    /// Both are cut to the beginning of their day.
    pub cut_to_day: bool,
    /// A date-time is refused with 400.
    pub dates_only: bool,
    /// Whether a record of exactly that moment is taken, for both edges.
    pub inclusive: bool,
}

/// Whether the key may read audit logs. Otherwise 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may.
    Granted,
    /// Its owner is no administrator.
    NoAdminRights,
    /// The feature is not available in its region.
    WrongRegion,
    /// The plan has no audit logs.
    NoPlan,
}

/// Records that appear after their time. Half of them get an id when they appear, half have the id that fits their time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Late {
    /// Probability that a record is late.
    pub share: f64,
    /// By how much at least.
    pub least: Duration,
    /// By how much at most.
    pub most: Duration,
}

/// A recurring time in which every request is answered in one way: [`Answer::Status`] 401 is a key that is wrong for a
/// while, 503 or [`Answer::Reset`] an outage.
#[derive(Clone, Debug, PartialEq)]
pub struct Outage {
    /// Time from one beginning to the next; the first begins after this time.
    pub every: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// The answer meanwhile; must be one that needs no page.
    pub answer: Answer,
}

/// One knob and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knob {
    /// The field's name, or the answer's.
    pub name: &'static str,
    /// What it is set to.
    pub setting: String,
    /// What it does.
    pub meaning: &'static str,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

impl Faults {
    /// The API as documented and as seen on a good day.
    pub fn none() -> Self {
        Self {
            cursor: Cursor::NextId,
            next_cursor: NextCursor::Absent,
            order: Order::Id,
            time_filter: TimeFilter { cut_to_day: false, dates_only: false, inclusive: true },
            largest_page: 300,
            retention: 180 * DAY,
            access: Access::Granted,
            action_list: true,
            huge_ids: false,
            bound_cursors: false,
            cursor_lifetime: None,
            trailing_pages: 0,
            ties: 0.0,
            crowded_second: 0,
            late: Late { share: 0.0, least: MINUTE, most: 30 * MINUTE },
            future: 0.0,
            bursts: 0.0,
            edits: 0.0,
            flips: None,
            odd_records: 0.0,
            answers: Vec::new(),
            persistence: 3,
            latency: Duration::ZERO,
            rate_limit: None,
            monthly_quota: None,
            longest_window: None,
            outages: Vec::new(),
        }
    }

    /// The real one on a bad day: throttling, server errors, a lost connection now and then, late records, repetitions.
    pub fn bad_day() -> Self {
        Self {
            ties: 0.2,
            late: Late { share: 0.02, least: MINUTE, most: 30 * MINUTE },
            answers: vec![
                (Answer::TooManyRequests(RateLimitHeaders::RetryAfterSeconds, Duration::from_secs(1)), 0.02),
                (Answer::Status(500), 0.01),
                (Answer::Status(502), 0.01),
                (Answer::Status(503), 0.01),
                (Answer::Reset, 0.005),
                (Answer::Repeated(5), 0.05),
                (Answer::ShortPage, 0.05),
            ],
            latency: Duration::from_millis(20),
            rate_limit: Some(RateLimit {
                requests: 300,
                per: MINUTE,
                headers: Some(RateLimitHeaders::RateLimit),
            }),
            ..Self::none()
        }
    }

    /// Everything at once, and yet a correct client finishes: each spoiled answer ends after [`Faults::persistence`]
    /// repetitions, each outage passes.
    ///
    /// Not in it, because they change what a correct client can obtain, or how long it waits: `monthly_quota`, `access`,
    /// `time_filter.cut_to_day` and `dates_only`, `QuotaExhausted`, `OlderThanRetention`, endless `trailing_pages`.
    pub fn hostile() -> Self {
        let second = Duration::from_secs(1);
        let mut answers = vec![
            (Answer::Shuffled, 0.1),
            (Answer::Repeated(7), 0.1),
            (Answer::ShortPage, 0.1),
            (Answer::LongPage, 0.05),
            (Answer::Gzip, 0.3),
            (Answer::Slow(second / 5), 0.02),
            (Answer::WrongContentType, 0.02),
            (Answer::ClockFast(5 * HOUR), 0.03),
            (Answer::ClockSlow(5 * HOUR), 0.03),
            (Answer::NoDate, 0.05),
            (Answer::EmptyPage, 0.02),
            (Answer::RepeatedCursor, 0.01),
            (Answer::NoTrails, 0.01),
            (Answer::ErrorWithStatus200, 0.01),
            (Answer::HtmlWithStatus200, 0.01),
            (Answer::NotUtf8, 0.01),
            (Answer::Truncated, 0.01),
            (Answer::GzipBomb(1 << 30), 0.005),
            (Answer::Oversized(64 << 20), 0.002),
            (Answer::Status(500), 0.01),
            (Answer::Status(502), 0.01),
            (Answer::Status(503), 0.01),
            (Answer::Status(429), 0.005),
            (Answer::ExpiredCursor, 0.01),
            (Answer::Redirect, 0.005),
            (Answer::Reset, 0.01),
            (Answer::Closed, 0.01),
            (Answer::Cut, 0.01),
            (Answer::Stalled(3 * second), 0.003),
            (Answer::Hang(3 * second), 0.003),
        ];
        answers
            .extend(RateLimitHeaders::ALL.map(|headers| (Answer::TooManyRequests(headers, second), 0.003)));
        Self {
            time_filter: TimeFilter { inclusive: false, ..Self::none().time_filter },
            next_cursor: NextCursor::Null,
            huge_ids: true,
            bound_cursors: true,
            cursor_lifetime: Some(10 * MINUTE),
            trailing_pages: 2,
            ties: 0.5,
            crowded_second: 1000,
            late: Late { share: 0.05, least: 10 * second, most: 6 * HOUR },
            future: 0.001,
            bursts: 0.1,
            edits: 0.01,
            flips: Some(5 * second),
            odd_records: 0.02,
            answers,
            rate_limit: Some(RateLimit { requests: 300, per: 10 * second, headers: None }),
            longest_window: Some((10 * DAY, Answer::Status(504))),
            outages: vec![
                Outage { every: 60 * second, lasts: 2 * second, answer: Answer::Status(401) },
                Outage { every: 47 * second, lasts: 2 * second, answer: Answer::Reset },
                Outage { every: 83 * second, lasts: 3 * second, answer: Answer::Status(503) },
            ],
            ..Self::none()
        }
    }

    /// [`Faults::hostile`] with a random half of its answers and another make of API, chosen by the seed: what all faults
    /// at once would hide shows when some are absent.
    pub fn swarm(seed: u64) -> Self {
        let mut random = Random::new(seed, "swarm", 0);
        let mut faults = Self::hostile();
        faults.answers.retain(|_| random.chance(0.5));
        for (_, probability) in &mut faults.answers {
            *probability = (*probability * 2.0).min(0.5);
        }
        faults.cursor =
            random.pick(&[Cursor::NextId, Cursor::NextIdText, Cursor::Opaque, Cursor::Date, Cursor::Offset]);
        faults.next_cursor = random.pick(&[NextCursor::Absent, NextCursor::Null, NextCursor::InMeta]);
        faults.order = random.pick(&[Order::Id, Order::Time]);
        faults.time_filter.inclusive = random.chance(0.5);
        faults.trailing_pages = random.below(3) as u32;
        faults.huge_ids = random.chance(0.5);
        faults.edits *= f64::from(u8::from(random.chance(0.5)));
        faults.bursts *= f64::from(u8::from(random.chance(0.5)));
        faults.late.share *= f64::from(u8::from(random.chance(0.5)));
        faults
    }

    /// Every knob that there is, in the order of the fields, then of the answers: name, setting, meaning.
    pub fn describe(&self) -> Vec<Knob> {
        let knob = |name, setting, meaning| Knob { name, setting, meaning };
        let percent = |share: f64| format!("{}%", share * 100.0);
        // Taken apart, so that a new field cannot be forgotten here.
        let Self {
            cursor,
            next_cursor,
            order,
            time_filter,
            largest_page,
            retention,
            access,
            action_list,
            huge_ids,
            bound_cursors,
            cursor_lifetime,
            trailing_pages,
            ties,
            crowded_second,
            late,
            future,
            bursts,
            edits,
            flips,
            odd_records,
            answers,
            persistence,
            latency,
            rate_limit,
            monthly_quota,
            longest_window,
            outages,
        } = self;
        let mut knobs = vec![
            knob("cursor", format!("{cursor:?}"), "what nextCursor is"),
            knob("next_cursor", format!("{next_cursor:?}"), "where it is, and how the end is told"),
            knob("order", format!("{order:?}"), "what records are sorted by"),
            knob(
                "time_time_filter.cut_to_day",
                time_filter.cut_to_day.to_string(),
                "since and until lose their time",
            ),
            knob("time_time_filter.dates_only", time_filter.dates_only.to_string(), "a date-time is refused"),
            knob(
                "time_time_filter.inclusive",
                time_filter.inclusive.to_string(),
                "records at the edges are taken",
            ),
            knob("largest_page", largest_page.to_string(), "what a larger limit is reduced to"),
            knob("retention", format!("{retention:?}"), "how far back records exist"),
            knob("access", format!("{access:?}"), "whether the key may read audit logs"),
            knob("action_list", action_list.to_string(), "whether the list of actions may be read"),
            knob("huge_ids", huge_ids.to_string(), "ids beyond what a floating-point number holds"),
            knob("bound_cursors", bound_cursors.to_string(), "a cursor needs its filters repeated"),
            knob("cursor_lifetime", format!("{cursor_lifetime:?}"), "older cursors are refused"),
            knob(
                "trailing_pages",
                trailing_pages.to_string(),
                "empty pages with cursors after the last record",
            ),
            knob("ties", percent(*ties), "records of the same second as the one before"),
            knob("crowded_second", crowded_second.to_string(), "records that share one second"),
            knob("late", percent(late.share), "records that appear long after their time"),
            knob("future", percent(*future), "records dated in the future"),
            knob("bursts", percent(*bursts), "pages before which many records appear"),
            knob("edits", percent(*edits), "new records upon which an older one changes"),
            knob("flips", format!("{flips:?}"), "how often actor.active changes on known records"),
            knob("odd_records", percent(*odd_records), "malformed or extreme records"),
            knob("persistence", persistence.to_string(), "spoiled answers in a row, at most"),
            knob("latency", format!("{latency:?}"), "time before every answer"),
            knob("rate_limit", format!("{rate_limit:?}"), "enforced and announced"),
            knob("monthly_quota", format!("{monthly_quota:?}"), "enforced and announced"),
            knob("longest_window", format!("{longest_window:?}"), "longer time windows fail"),
            knob("outages", format!("{outages:?}"), "times in which every request fails"),
        ];
        knobs.extend(
            answers
                .iter()
                .map(|(answer, probability)| knob(answer.name(), percent(*probability), answer.meaning())),
        );
        knobs
    }
}

/// The text is not `none`, `default` or `hostile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFaults;

impl std::fmt::Display for UnknownFaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faults are one of none, default, hostile")
    }
}

impl std::error::Error for UnknownFaults {}

impl FromStr for Faults {
    type Err = UnknownFaults;

    /// `none`, `default` ([`Faults::bad_day`]) or `hostile`.
    fn from_str(text: &str) -> Result<Self, UnknownFaults> {
        match text {
            "none" => Ok(Self::none()),
            "default" => Ok(Self::bad_day()),
            "hostile" => Ok(Self::hostile()),
            _ => Err(UnknownFaults),
        }
    }
}
