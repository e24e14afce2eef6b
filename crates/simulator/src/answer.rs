//! How one request for a page is answered: well, oddly, falsely, or not at all.

use std::time::Duration;

use crate::limits::RateLimitHeaders;

/// The answer to one request for a page. [`Faults::answers`](crate::Faults::answers) gives each a probability,
/// [`Postman::script`](crate::Postman::script) lines them up.
///
/// An answer either *keeps* the page, which then counts as shown, or *spoils* it ([`Answer::spoils`]). Several that keep it
/// may fall on one page; at most one spoils it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The page as asked for.
    Good,
    /// The page's records in random order.
    Shuffled,
    /// The page begins with the last so many records of the page before it.
    Repeated(usize),
    /// Fewer records than asked for although more follow: a short page is not the last page.
    ShortPage,
    /// Up to twice as many records as asked for: the limit is ignored.
    LongPage,
    /// The body compressed with gzip, if the client accepts that.
    Gzip,
    /// The body in many pieces over this time, chunked.
    Slow(Duration),
    /// The page declared as `text/html`.
    WrongContentType,
    /// A `Date` header ahead of the clock.
    ClockFast(Duration),
    /// A `Date` header behind the clock.
    ClockSlow(Duration),
    /// No `Date` header.
    NoDate,

    /// No records and a cursor, although records follow: an empty page is not the end.
    EmptyPage,
    /// The page with the cursor that was asked for as its next one: following it never ends.
    RepeatedCursor,
    /// 200 and a JSON object without `trails`.
    NoTrails,
    /// 200 and a JSON error.
    ErrorWithStatus200,
    /// 200 and a page of HTML.
    HtmlWithStatus200,
    /// The page with one byte that is not UTF-8 in a record.
    NotUtf8,
    /// Half of the page's text, with the right `Content-Length` for that half.
    Truncated,
    /// A small gzip body that expands to this many bytes of white space; [`Answer::Oversized`] if the client does not accept gzip.
    GzipBomb(u64),
    /// The page after this many bytes of white space.
    Oversized(u64),

    /// This status, with a body in one of the families that occur with it, taking turns.
    Status(u16),
    /// 429 with this dialect of "come again after".
    TooManyRequests(RateLimitHeaders, Duration),
    /// 429 `serviceLimitExhausted`: the monthly quota is gone.
    QuotaExhausted,
    /// 400 `cannot be older than`, as for a `since` before the retention floor.
    OlderThanRetention,
    /// A refusal of the cursor with status 400, 404 or 410, taking turns. Spoils at most two pages of a walk (equal
    /// filters), as the client must begin that walk again.
    ExpiredCursor,
    /// A redirect (301, 302, 307, 308, taking turns) to another origin, which answers 200 with a sign-in page and
    /// remembers whether the key was sent to it.
    Redirect,

    /// The connection is reset before the answer.
    Reset,
    /// The connection is closed before the answer.
    Closed,
    /// The connection is closed in the middle of the body.
    Cut,
    /// Half of the body, then silence for this long, then the connection is closed.
    Stalled(Duration),
    /// Nothing for this long, then the connection is closed.
    Hang(Duration),
}

impl Answer {
    /// Whether the page's records do not count as shown and the client has to ask again.
    pub fn spoils(&self) -> bool {
        !matches!(
            self,
            Self::Good
                | Self::Shuffled
                | Self::Repeated(_)
                | Self::ShortPage
                | Self::LongPage
                | Self::Gzip
                | Self::Slow(_)
                | Self::WrongContentType
                | Self::ClockFast(_)
                | Self::ClockSlow(_)
                | Self::NoDate
        )
    }

    /// Its name in statistics and descriptions.
    pub fn name(&self) -> &'static str {
        self.text().0
    }

    /// What it does, in a few words.
    pub fn meaning(&self) -> &'static str {
        self.text().1
    }

    fn text(&self) -> (&'static str, &'static str) {
        match self {
            Self::Good => ("good", "the page as asked for"),
            Self::Shuffled => ("shuffled", "records of a page in random order"),
            Self::Repeated(_) => ("repeated", "records of the page before come again"),
            Self::ShortPage => ("short_page", "fewer records than the limit although more follow"),
            Self::LongPage => ("long_page", "more records than the limit"),
            Self::Gzip => ("gzip", "compressed body"),
            Self::Slow(_) => ("slow", "body in small pieces"),
            Self::WrongContentType => ("wrong_content_type", "JSON declared as HTML"),
            Self::ClockFast(_) => ("clock_fast", "Date header in the future"),
            Self::ClockSlow(_) => ("clock_slow", "Date header in the past"),
            Self::NoDate => ("no_date", "no Date header"),
            Self::EmptyPage => ("empty_page", "no records and a cursor although records follow"),
            Self::RepeatedCursor => ("repeated_cursor", "the next cursor is the one asked for"),
            Self::NoTrails => ("no_trails", "200 without trails"),
            Self::ErrorWithStatus200 => ("error_with_status_200", "200 with an error body"),
            Self::HtmlWithStatus200 => ("html_with_status_200", "200 with HTML"),
            Self::NotUtf8 => ("not_utf8", "a byte that is not UTF-8"),
            Self::Truncated => ("truncated", "JSON cut short, its length declared rightly"),
            Self::GzipBomb(_) => ("gzip_bomb", "small body that expands to a huge one"),
            Self::Oversized(_) => ("oversized", "huge body"),
            Self::Status(401) => ("status_401", "key refused"),
            Self::Status(403) => ("status_403", "no right to read audit logs"),
            Self::Status(429) => ("status_429", "too many requests, no hint when to come again"),
            Self::Status(500) => ("status_500", "server error"),
            Self::Status(502) => ("status_502", "bad gateway"),
            Self::Status(503) => ("status_503", "service unavailable"),
            Self::Status(504) => ("status_504", "gateway time-out"),
            Self::Status(_) => ("status", "another status"),
            Self::TooManyRequests(headers, _) => (headers.name(), "too many requests, in this dialect"),
            Self::QuotaExhausted => ("quota_exhausted", "monthly quota is gone"),
            Self::OlderThanRetention => ("older_than_retention", "since refused as too old"),
            Self::ExpiredCursor => ("expired_cursor", "cursor refused with 400, 404 or 410"),
            Self::Redirect => ("redirect", "redirect to another origin"),
            Self::Reset => ("reset", "connection reset before the answer"),
            Self::Closed => ("closed", "connection closed before the answer"),
            Self::Cut => ("cut", "connection closed in the middle of the body"),
            Self::Stalled(_) => ("stalled", "half a body, then silence"),
            Self::Hang(_) => ("hang", "no answer for a long time"),
        }
    }
}
