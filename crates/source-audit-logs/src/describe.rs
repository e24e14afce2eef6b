//! The parts of an `audit_logs` block that describe an API, as a user writes them.

mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use settings::HumanDuration;

pub use values::{OneOrMany, Scalar};

/// How a page is asked for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestConfig {
    /// `GET` or `POST`.
    #[serde(default)]
    pub method: MethodName,
    /// What follows `url`, such as `/v1/audit_logs` or `/orgs/{org}/audit-log`.
    pub path: String,
    /// Parameters that never change, such as the order that is asked for.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers that never change; credentials belong into `auth`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body of a `POST`.
    #[serde(default)]
    pub body: BTreeMap<String, Value>,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum MethodName {
    /// Reads.
    #[default]
    GET,
    /// Reads, with a JSON body.
    POST,
}

/// Where the records of a page are.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsConfig {
    /// The member that is the list of records, such as `items` or `data.entries`. Empty where the answer itself is the list.
    pub path: String,
    /// The member of each element that is the record, where it is not the element itself.
    pub unwrap: Option<String>,
    /// What an answer without the list means.
    pub when_absent: WhenAbsent,
    /// How the answer is written.
    pub format: FormatName,
}

/// What an answer without the list of records means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenAbsent {
    /// That it is no page, or described wrongly.
    #[default]
    Error,
    /// That there are none, where the API leaves an empty list out.
    Empty,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormatName {
    /// One JSON value.
    #[default]
    Json,
    /// One record a line.
    Ndjson,
}

/// How the next page is asked for: exactly one of `cursor`, `next_url`, `link`, `page`, `offset`, `bound` and `none`. And what the
/// last page is told by.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PagingConfig {
    /// An opaque value out of one page is a parameter of the next.
    pub cursor: Option<CursorConfig>,
    /// One page has the URL of the next.
    pub next_url: Option<NextUrlConfig>,
    /// The header `Link` has the URL of the next page (RFC 8288).
    pub link: Option<LinkConfig>,
    /// Pages have numbers.
    pub page: Option<PageConfig>,
    /// Pages begin at the number of records before them.
    pub offset: Option<OffsetConfig>,
    /// There is no paging: what a page has not is asked for by moving an edge of the time filter to its last record. Needs
    /// `page_size`, `order` and `time_filter.granularity`. When more records may share a moment than a page holds, that is an
    /// error.
    pub bound: Option<Nothing>,
    /// One answer has all.
    pub none: Option<Nothing>,
    /// A member that is `true` when another page follows. Where it is `false`, a cursor beside it is for later.
    pub more: Option<String>,
    /// What else is the end. Without it, the first page without records for `page` and `offset`, which have no other, and for
    /// `resume: cursor` without `more`.
    pub ends: Vec<EndName>,
    /// How many records are asked for in one page.
    pub page_size: Option<PageSizeConfig>,
    /// Whether the time filter is sent with every page, or with the first one only.
    pub filter_first_page_only: bool,
}

/// Nothing to be said.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// An opaque value out of one page is a parameter of the next.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorConfig {
    /// The member with it, or several of which the first that is there counts. `null`, an empty text and absence are the end.
    pub from: OneOrMany,
    /// Where `from` is.
    #[serde(default, rename = "in")]
    pub place: PlaceName,
    /// Where it goes.
    pub to: ParameterConfig,
    /// Later pages send the cursor alone: neither the filter nor the rest of `request.query` or `request.body`.
    #[serde(default)]
    pub alone: bool,
    /// What follows `url` for later pages, where it is another path.
    #[serde(default)]
    pub path: Option<String>,
}

/// Where a cursor is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceName {
    /// In the answer's body.
    #[default]
    Body,
    /// In a header of the answer.
    Header,
    /// In the last element of the list of records.
    LastRecord,
}

/// Where a value goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterConfig {
    /// A parameter of the query: its name.
    Query(String),
    /// A member of the body.
    Body(String),
}

/// One page has the URL of the next.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextUrlConfig {
    /// The member with it, absolute or relative; it never leads to another origin.
    pub from: String,
}

/// The header `Link` has the URL of the next page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinkConfig {
    /// The relation of the link.
    pub rel: String,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self { rel: "next".to_owned() }
    }
}

/// Pages have numbers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageConfig {
    /// Where the number goes.
    pub to: ParameterConfig,
    /// The number of the first page.
    #[serde(default = "one")]
    pub first: u64,
    /// The member with the number of the next page, where the answer has it; absent or `null` is the end.
    #[serde(default)]
    pub from: Option<String>,
}

fn one() -> u64 {
    1
}

/// Pages begin at the number of records before them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetConfig {
    /// Where the number goes.
    pub to: ParameterConfig,
}

/// What else is the end of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndName {
    /// A page without records.
    EmptyPage,
    /// A page with fewer records than asked for. Only where the API surely fills its pages, and never clamps their size.
    ShortPage,
}

/// How many records are asked for in one page.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageSizeConfig {
    /// Where the number goes.
    pub to: ParameterConfig,
    /// The most that the API gives. Fewer are asked for when a page is too large for the memory.
    pub size: std::num::NonZeroU32,
}

/// How a stretch of time is asked for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeFilterConfig {
    /// The lower edge.
    #[serde(default)]
    pub since: Option<EdgeConfig>,
    /// The upper edge.
    #[serde(default)]
    pub until: Option<EdgeConfig>,
    /// What the API cuts the edges to. Without it either is allowed for: a request reaches one to two days beyond what it is
    /// for, and what is read twice is delivered once.
    #[serde(default)]
    pub granularity: Option<GranularityName>,
    /// The longest stretch that the API answers.
    #[serde(default)]
    pub max_span: Option<HumanDuration>,
    /// So much of the newest is not asked for, because the API says that it is not complete.
    #[serde(default)]
    pub settle: HumanDuration,
}

impl TimeFilterConfig {
    /// The edges that it has.
    pub(crate) fn edges(&self) -> impl Iterator<Item = &EdgeConfig> {
        [&self.since, &self.until].into_iter().flatten()
    }

    /// How fine it is, as far as is said.
    pub(crate) fn poll_granularity(&self) -> poll::Granularity {
        match self.granularity {
            None if self.edges().any(EdgeConfig::is_date) => poll::Granularity::Day,
            None => poll::Granularity::Unknown,
            Some(name) => name.into(),
        }
    }
}

/// One edge of the time filter. Whether it includes its moment does not matter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeConfig {
    /// Where it goes.
    pub to: ParameterConfig,
    /// How the moment is written; or several ways, where it is not known which one the API takes: the next one is written once a
    /// first page is refused with status 400 or 422, or by an error of `kind: request`, and from then on.
    #[serde(default)]
    pub format: OneOrMany<TimeFormat>,
    /// What is written around it, where it is part of a query language: `created:>={}`.
    #[serde(default)]
    pub template: Option<String>,
    /// The API refuses requests without it.
    #[serde(default)]
    pub required: bool,
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// `2026-11-20T10:00:00Z`
    #[default]
    Rfc3339,
    /// `2026-11-20T10:00:00.000Z`
    Rfc3339Ms,
    /// `2026-11-20`
    Date,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
}

impl TimeFormat {
    /// As it is written in a configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::Rfc3339Ms => "rfc3339_ms",
            Self::Date => "date",
            Self::EpochS => "epoch_s",
            Self::EpochMs => "epoch_ms",
        }
    }
}

impl EdgeConfig {
    /// Whether it may be written as a date.
    pub(crate) fn has_dates(&self) -> bool {
        self.format.each().contains(&TimeFormat::Date)
    }

    /// Whether it is always written as a date.
    pub(crate) fn is_date(&self) -> bool {
        self.format.each().iter().all(|format| *format == TimeFormat::Date)
    }
}

/// What an API cuts the edges of its time filter to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GranularityName {
    /// Seconds, or less.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Whole days.
    Day,
}

impl From<GranularityName> for poll::Granularity {
    fn from(name: GranularityName) -> Self {
        match name {
            GranularityName::Second => Self::Second,
            GranularityName::Minute => Self::Minute,
            GranularityName::Hour => Self::Hour,
            GranularityName::Day => Self::Day,
        }
    }
}

/// In which order an API answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderName {
    /// By time, the newest first.
    NewestFirst,
    /// By time, the oldest first.
    OldestFirst,
    /// In any other, or nobody knows.
    #[default]
    Unordered,
}

impl From<OrderName> for poll::Order {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::NewestFirst => Self::NewestFirst,
            OrderName::OldestFirst => Self::OldestFirst,
            OrderName::Unordered => Self::Unordered,
        }
    }
}

/// What collection goes on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResumeName {
    /// A window of time, another one with each poll.
    #[default]
    Window,
    /// The last cursor, for ever: the API lists in the order of arrival, and its last page has a cursor too.
    Cursor,
}

impl From<ResumeName> for poll::Resume {
    fn from(name: ResumeName) -> Self {
        match name {
            ResumeName::Window => Self::Window,
            ResumeName::Cursor => Self::Cursor,
        }
    }
}

/// What an answer means that has all of this.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorConfig {
    /// It has this status.
    #[serde(default)]
    pub status: Option<u16>,
    /// It has this header.
    #[serde(default)]
    pub header: Option<String>,
    /// It has this member, which is neither `null`, `false` nor empty.
    #[serde(default)]
    pub path: Option<String>,
    /// The header, or else the member, is this.
    #[serde(default)]
    pub equals: Option<Scalar>,
    /// The member, or without `path` the body, contains this text or one of these, in capitals or not. Without `status`, `header`
    /// and `path` that is asked of answers only that are no success: the records of a page may contain any text.
    #[serde(default)]
    pub contains: Option<OneOrMany>,
    /// The member with the words of the API, for the log.
    #[serde(default)]
    pub message: Option<String>,
    /// Then it means this.
    pub kind: ErrorKind,
    /// What is to be done about it, for the log; where it is not said, what can be said of every such error.
    #[serde(default)]
    pub remedy: Option<String>,
}

/// What an answer can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The credential is wrong or revoked.
    Authentication,
    /// The credential may not read the log, or the plan has none.
    Permission,
    /// The account's plan has no log.
    Plan,
    /// Too many requests for the moment.
    RateLimit,
    /// Too many requests for long: a quota is used up.
    Quota,
    /// The lower edge is before what the API keeps.
    Retention,
    /// The stretch of time takes too long to read.
    Timeout,
    /// The API is in trouble.
    Unavailable,
    /// The cursor is not known any more.
    Cursor,
    /// The request is wrong.
    Request,
}
