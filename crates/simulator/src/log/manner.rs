//! How an API speaks: what its documentation would say, and what is unusual.

use std::time::Duration;

/// How an API speaks.
#[derive(Clone, Debug)]
pub struct Manner {
    /// How a page is asked for.
    pub method: Method,
    /// The path of the list.
    pub path: String,
    /// What every request has to bring, all of it.
    pub credentials: Vec<Credential>,
    /// Parameters that are documented besides those that have a key of their own, with the one value that is taken.
    pub fixed: Vec<(Parameter, String)>,
    /// What is not documented is refused: other parameters, pages above the largest size, filters with a cursor that must
    /// stand alone. Otherwise it is passed over, as many APIs do.
    pub strict: bool,
    /// The member with the list, by dotted path; empty where the answer is the list.
    pub list: String,
    /// An empty list is left out of the answer.
    pub absent_when_empty: bool,
    /// The member of each element that is the record, where it is not the element itself.
    pub wrapper: Option<String>,
    /// The answer is one record a line.
    pub lines: bool,
    /// How the next page is asked for.
    pub paging: Paging,
    /// The member that says whether more follows; the cursor beside it is there in any case.
    pub more: Option<String>,
    /// What leads on is kept for ever: it is there on the last page too, and leads to what arrives later.
    pub feed: bool,
    /// In which order records are listed.
    pub order: Order,
    /// The lower edge of the time filter.
    pub since: Option<Edge>,
    /// The upper edge.
    pub until: Option<Edge>,
    /// How the edges are read.
    pub edges: Edges,
    /// Whether it is documented what edges are cut to, so that they are never cut to anything coarser.
    pub edges_documented: bool,
    /// Only the first page is asked for with the edges.
    pub filter_first_page_only: bool,
    /// The longest window that is answered.
    pub max_span: Option<Duration>,
    /// The page's size.
    pub size: Size,
    /// What records look like.
    pub shape: Shape,
    /// How long records are kept. An older lower edge is refused if [`Manner::said`] has a way to say so.
    pub retention: Option<Duration>,
    /// The records, and what is unusual with them.
    pub records: Records,
    /// Cursors are good with the filters that they were made with, for so many requests and for ten minutes.
    pub strict_cursors: Option<usize>,
    /// How errors are said; what is not in here is said by the status alone.
    pub said: Vec<(Meaning, Said)>,
    /// How far the API's clock is ahead of this machine's, in seconds; negative: behind.
    pub skew: i64,
    /// Time before every answer.
    pub latency: Duration,
    /// Answers are compressed for whom takes that.
    pub gzip: bool,
    /// What all chance comes from.
    pub seed: u64,
}

impl Default for Manner {
    /// `GET /v1/audit_logs` with a bearer token: `{"items": […], "pagination": {"next_cursor": …}}`, newest first,
    /// `created_at_min` and `created_at_max` inclusive.
    fn default() -> Self {
        Self {
            method: Method::Get,
            path: "/v1/audit_logs".into(),
            credentials: vec![Credential::bearer(super::KEY)],
            fixed: Vec::new(),
            strict: false,
            list: "items".into(),
            absent_when_empty: false,
            wrapper: None,
            lines: false,
            paging: Paging::cursor("pagination.next_cursor", Parameter::query("cursor")),
            more: None,
            feed: false,
            order: Order::NewestFirst,
            since: Some(Edge::new("created_at_min", TimeFormat::Rfc3339)),
            until: Some(Edge::new("created_at_max", TimeFormat::Rfc3339)),
            edges: Edges::INCLUSIVE,
            edges_documented: false,
            filter_first_page_only: false,
            max_span: None,
            size: Size::new("limit", 50, 100),
            shape: Shape::new("created_at", TimeFormat::Rfc3339),
            retention: None,
            records: Records::default(),
            strict_cursors: None,
            said: vec![
                (Meaning::Retention, Said::new(400, "the lower edge cannot be older than what is kept")),
                (Meaning::Quota, Said::new(429, "the monthly quota is used up")),
                (
                    Meaning::RateLimit,
                    Said {
                        header: Some(("x-ratelimit-remaining".into(), "0".into())),
                        ..Said::new(403, "slow down")
                    },
                ),
                (Meaning::Unavailable, Said::new(200, "it broke")),
            ],
            skew: 0,
            latency: Duration::ZERO,
            gzip: false,
            seed: 7,
        }
    }
}

/// How a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a query.
    Get,
    /// With a JSON body.
    Post,
}

/// Where a value of a request is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// In the query: its name.
    Query(String),
    /// In the body: its dotted path.
    Body(String),
}

impl Parameter {
    /// In the query.
    pub fn query(name: impl Into<String>) -> Self {
        Self::Query(name.into())
    }

    /// In the body.
    pub fn body(path: impl Into<String>) -> Self {
        Self::Body(path.into())
    }

    /// Its name or path.
    pub fn name(&self) -> &str {
        match self {
            Self::Query(name) | Self::Body(name) => name,
        }
    }
}

/// What a request has to bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A header with this whole value.
    Header {
        /// In lower case.
        name: String,
        /// The value.
        value: String,
    },
    /// A parameter of the query.
    Query {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Name and password (RFC 7617).
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
    /// A bearer token that is given out for a client's credentials (RFC 6749, 4.4) and is good for some requests.
    Token {
        /// Where tokens are given out.
        path: String,
        /// The client.
        client: String,
        /// Its secret.
        secret: String,
        /// So many requests may be made with one token.
        requests: usize,
    },
}

impl Credential {
    /// `Authorization: Bearer TOKEN`
    pub fn bearer(token: &str) -> Self {
        Self::Header { name: "authorization".into(), value: format!("Bearer {token}") }
    }

    /// What nothing may show.
    pub fn secret(&self) -> &str {
        match self {
            // `Bearer x` is as secret as x.
            Self::Header { value, .. } | Self::Query { value, .. } => {
                value.rsplit([' ', '=']).next().unwrap_or(value)
            }
            Self::Basic { username, password } if password.is_empty() => username,
            Self::Basic { password, .. } => password,
            Self::Token { secret, .. } => secret,
        }
    }
}

/// How the next page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paging {
    /// A value out of the answer is a parameter of the next request.
    Cursor {
        /// Where the answer has it.
        from: CursorFrom,
        /// The parameter.
        to: Parameter,
        /// Later pages are asked for with the cursor alone.
        alone: bool,
        /// The path of later pages, where it is another one.
        path: Option<String>,
    },
    /// The header `Link`, with that relation.
    Link {
        /// Such as `next`.
        rel: String,
    },
    /// A member of the answer is the absolute URL of the next page.
    NextUrl {
        /// The member, by dotted path.
        member: String,
    },
    /// Pages have numbers.
    Page {
        /// The parameter.
        to: Parameter,
        /// The number of the first page.
        first: usize,
        /// The member with the next number, by dotted path, where there is one.
        member: Option<String>,
    },
    /// So many records are left out.
    Offset {
        /// The parameter.
        to: Parameter,
    },
    /// No paging: the first records of the window, as many as asked for; who wants others moves an edge.
    Bound,
    /// No paging: all records of the window.
    None,
}

impl Paging {
    /// A member of the answer is a parameter of the next request, beside all others.
    pub fn cursor(member: &str, to: Parameter) -> Self {
        Self::Cursor { from: CursorFrom::Member(member.into()), to, alone: false, path: None }
    }

    /// Whether pages are counted.
    pub fn counts(&self) -> bool {
        matches!(self, Self::Page { .. } | Self::Offset { .. })
    }

    /// Whether anything leads from a page to the next one but what the client reckons itself.
    pub fn leads_on(&self) -> bool {
        matches!(self, Self::Cursor { .. } | Self::Link { .. } | Self::NextUrl { .. })
    }
}

/// Where an answer has its cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorFrom {
    /// In a member, by dotted path.
    Member(String),
    /// In a header.
    Header(String),
    /// It is the id of the last record, which that has in this member, by dotted path.
    LastRecord(String),
}

/// In which order records are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By time, the newest first.
    NewestFirst,
    /// By time, the oldest first.
    OldestFirst,
    /// As they have arrived.
    Arrival,
}

/// One edge of a window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The parameter.
    pub to: Parameter,
    /// How the moment is written.
    pub format: TimeFormat,
    /// What stands before and after it.
    pub around: (String, String),
    /// A first page is refused without it.
    pub required: bool,
}

impl Edge {
    /// A parameter of the query with nothing around the moment.
    pub fn new(name: &str, format: TimeFormat) -> Self {
        Self { to: Parameter::query(name), format, around: Default::default(), required: false }
    }
}

/// How the edges of a window are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edges {
    /// They are cut to this many seconds.
    pub unit: i64,
    /// What they are cut to is inside.
    pub included: bool,
}

impl Edges {
    /// To the second, and included.
    pub const INCLUSIVE: Self = Self { unit: 1, included: true };
    /// To the second, and left out.
    pub const EXCLUSIVE: Self = Self { unit: 1, included: false };
    /// Whole days, both included.
    pub const DAYS: Self = Self { unit: 86_400, included: true };
    /// Cut to their day, which is left out.
    pub const EXCLUSIVE_DAYS: Self = Self { unit: 86_400, included: false };
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-11-20T10:00:00Z`, with or without a fraction.
    Rfc3339,
    /// `2026-11-20`
    Date,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

/// The size of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// The parameter.
    pub to: Option<Parameter>,
    /// How many records a page has when nothing is asked for.
    pub usual: usize,
    /// The most that may be asked for.
    pub most: usize,
    /// The most that are given, whatever was asked for.
    pub given: usize,
}

impl Size {
    /// A parameter of the query, its default and its most.
    pub fn new(name: &str, usual: usize, most: usize) -> Self {
        Self { to: Some(Parameter::query(name)), usual, most, given: most }
    }
}

/// What records look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The members that are the id together, by dotted path.
    pub id: Vec<String>,
    /// The member with the time, by dotted path.
    pub time: String,
    /// How the time is written.
    pub format: TimeFormat,
    /// The member that tells whose log it is, by dotted path.
    pub tenant: Option<String>,
}

impl Shape {
    /// With the id in `id`.
    pub fn new(time: &str, format: TimeFormat) -> Self {
        Self { id: vec!["id".into()], time: time.into(), format, tenant: None }
    }
}

/// What is unusual with the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Of 100 records, so many share the same second.
    pub crowded: u8,
    /// Of 100 records, so many have arrived hours after their time.
    pub late: u8,
    /// Of 100 records, so many are dated in the future.
    pub future: u8,
    /// Of 100 records, so many are no objects, or have no id or time.
    pub odd: u8,
    /// With each third request another record appears, of the last minutes.
    pub growing: bool,
    /// With each third request a record that was shown changes.
    pub edited: bool,
}

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The credential is wrong.
    Authentication,
    /// The credential may not read the log.
    Permission,
    /// Too many requests for the moment.
    RateLimit,
    /// A quota is used up.
    Quota,
    /// The lower edge is before what is kept.
    Retention,
    /// It takes too long.
    Timeout,
    /// The API is in trouble.
    Unavailable,
    /// The cursor is not known.
    Cursor,
    /// The request is wrong.
    Request,
}

/// How an error is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// A header that tells it.
    pub header: Option<(String, String)>,
    /// A member that tells it, by dotted path.
    pub member: Option<(String, serde_json::Value)>,
    /// The member with the words, by dotted path; `error.message` where there is none.
    pub words_in: Option<String>,
    /// The words.
    pub words: String,
}

impl Said {
    /// By a status, with these words in `error.message`.
    pub fn new(status: u16, words: &str) -> Self {
        Self { status, words: words.into(), ..Self::default() }
    }
}

impl Manner {
    /// How something is said, where that is not by the status alone.
    pub fn said(&self, meaning: Meaning) -> Option<&Said> {
        self.said.iter().find(|(other, _)| *other == meaning).map(|(_, said)| said)
    }
}
