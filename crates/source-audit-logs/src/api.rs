//! A description of an API that holds together: what [`AuditLogsConfig`] comes to once it is checked.

mod check;

use std::time::Duration;

use http_client::header::{HeaderMap, HeaderName};
use http_client::{Method, StatusCode, Url};
use poll::Path;
use serde_json::Value;
use settings::Invalid;

use crate::config::AuditLogsConfig;
use crate::describe::{EndName, ErrorKind, FormatName, MethodName, ResumeName, TimeFormat, WhenAbsent};
use check::Check;

/// What is asked of an API, and how its answers are read.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// Of a `POST`.
    pub(crate) body: Option<Value>,
    pub(crate) records: Path,
    pub(crate) unwrap: Option<Path>,
    pub(crate) when_absent: WhenAbsent,
    pub(crate) format: FormatName,
    pub(crate) paging: Paging,
    pub(crate) more: Option<Path>,
    pub(crate) ends: Vec<EndName>,
    pub(crate) page_size: Option<(Parameter, usize)>,
    pub(crate) filter_first_page_only: bool,
    pub(crate) since: Option<Edge>,
    pub(crate) until: Option<Edge>,
    /// Empty: the whole record is its id.
    pub(crate) id: Vec<Path>,
    pub(crate) time: Vec<Path>,
    pub(crate) tenant: Option<Path>,
    pub(crate) volatile: Vec<Path>,
    pub(crate) errors: Vec<ErrorRule>,
    /// Whether cursors are kept for ever.
    pub(crate) follows: bool,
}

/// How the next page is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Paging {
    Cursor { from: CursorFrom, to: Parameter, alone: bool, path: Option<String> },
    NextUrl { from: Path },
    Link { rel: String },
    Page { to: Parameter, first: u64, from: Option<Path> },
    Offset { to: Parameter },
    Bound { moves: Bound, unit: Duration },
    None,
}

impl Paging {
    /// Its key.
    pub(crate) fn key(&self) -> &'static str {
        match self {
            Self::Cursor { .. } => "paging.cursor",
            Self::NextUrl { .. } => "paging.next_url",
            Self::Link { .. } => "paging.link",
            Self::Page { .. } => "paging.page",
            Self::Offset { .. } => "paging.offset",
            Self::Bound { .. } => "paging.bound",
            Self::None => "paging.none",
        }
    }
}

/// Which edge of the time filter is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The upper one: newest first.
    Until,
    /// The lower one: oldest first.
    Since,
}

/// Where a cursor is found; of several places the first that has one.
#[derive(Clone, Debug)]
pub(crate) enum CursorFrom {
    Body(Vec<Path>),
    Header(Vec<HeaderName>),
    LastRecord(Vec<Path>),
}

/// Where a value goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    Query(String),
    Body(Path),
}

/// One edge of the time filter.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) to: Parameter,
    /// The ways to write it, the first to be tried first.
    pub(crate) formats: Vec<TimeFormat>,
    /// A date is that of the day before: where the API leaves out the day that it is given, the rest of it is not lost.
    pub(crate) day_before: bool,
    /// What stands before and after the moment.
    pub(crate) around: Option<(String, String)>,
}

/// What an answer means.
#[derive(Clone, Debug)]
pub(crate) struct ErrorRule {
    pub(crate) status: Option<StatusCode>,
    pub(crate) header: Option<HeaderName>,
    pub(crate) path: Option<Path>,
    pub(crate) equals: Option<String>,
    /// Texts of which one must be there, in lower case; none where any may.
    pub(crate) contains: Vec<String>,
    pub(crate) message: Option<Path>,
    pub(crate) kind: ErrorKind,
    pub(crate) remedy: Option<String>,
}

impl Api {
    /// Checks a description.
    pub(crate) fn read(config: &AuditLogsConfig) -> Result<Self, Vec<Invalid>> {
        let mut check = Check { wrong: Vec::new(), variables: &config.variables };
        let request = &config.request;
        let path = check.filled("request.path", &request.path);
        if !path.starts_with('/') && !path.is_empty() || path.contains(['?', '#']) {
            check.refuse(
                "request.path",
                "is no path",
                "write it like `/v1/audit_logs`; parameters belong into `request.query`",
            );
        }
        let query: Vec<(String, String)> = request
            .query
            .iter()
            .map(|(name, value)| (name.clone(), check.filled(&format!("request.query.{name}"), value)))
            .collect();
        let headers = check.headers(&request.headers);
        let body = (request.method == MethodName::POST).then(|| {
            let members = request.body.iter().map(|(name, value)| (name.clone(), check.filled_json(value)));
            Value::Object(members.collect())
        });
        if body.is_none() && !request.body.is_empty() {
            check.refuse("request.body", "belongs to a `POST`", "write `method: POST`, or leave it out");
        }
        let has_body = body.is_some();
        let filter = config.time_filter.as_ref();
        let since = filter.and_then(|filter| filter.since.as_ref());
        let since = since.and_then(|edge| check.edge("time_filter.since", edge, has_body));
        // Of a filter that takes dates only, the edges are whole days already.
        let is_by_days = filter.is_some_and(|filter| filter.poll_granularity() == poll::Granularity::Day);
        let since = since.map(|edge| Edge { day_before: !is_by_days, ..edge });
        let until = filter.and_then(|filter| filter.until.as_ref());
        let until = until.and_then(|edge| check.edge("time_filter.until", edge, has_body));
        check.filter(config);
        let paging = check.paging(config, has_body);
        let page_size = config.paging.page_size.as_ref().and_then(|page_size| {
            let to = check.parameter("paging.page_size.to", &page_size.to, has_body)?;
            Some((to, usize::try_from(page_size.size.get()).unwrap_or(usize::MAX)))
        });
        let ends = check.ends(&config.paging, config.resume);
        let more = config.paging.more.as_ref().and_then(|more| check.path("paging.more", more));
        let records = check.any_path("records.path", &config.records.path);
        let unwrap = config.records.unwrap.as_ref().and_then(|unwrap| check.path("records.unwrap", unwrap));
        if config.records.format == FormatName::Ndjson && !config.records.path.is_empty() {
            check.refuse("records.path", "has no meaning with `format: ndjson`", "leave it out");
        }
        let id = if config.id.is("content") { Vec::new() } else { check.paths("id", config.id.each()) };
        let time = check.paths("time", config.time.each());
        let tenant = config.tenant.as_ref().and_then(|tenant| check.path("tenant", tenant));
        let volatile = check.paths("volatile", &config.volatile);
        let errors = (0..).zip(&config.errors).filter_map(|(at, error)| check.error(at, error)).collect();
        match (paging, records) {
            (Some(paging), Some(records)) if check.wrong.is_empty() => Ok(Self {
                method: if has_body { Method::POST } else { Method::GET },
                path,
                query,
                headers,
                body,
                records,
                unwrap,
                when_absent: config.records.when_absent,
                format: config.records.format,
                paging,
                more,
                ends,
                page_size,
                filter_first_page_only: config.paging.filter_first_page_only,
                since,
                until,
                id,
                time,
                tenant,
                volatile,
                errors,
                follows: config.resume == ResumeName::Cursor,
            }),
            _ => Err(check.wrong),
        }
    }

    /// In how many ways the edges can be written.
    pub(crate) fn forms(&self) -> usize {
        let each = [&self.since, &self.until].into_iter().flatten().map(|edge| edge.formats.len());
        each.max().unwrap_or(1)
    }

    /// The name of one of these ways: the formats of the edges.
    pub(crate) fn form_name(&self, form: usize) -> String {
        let each = [&self.since, &self.until].into_iter().flatten().map(|edge| edge.format(form).name());
        let mut names: Vec<&str> = each.collect();
        names.dedup();
        names.join(" ")
    }

    /// What of a request says which log it is: the path, and the parameters that never change but for the order.
    pub(crate) fn place(&self, url: &Url) -> String {
        format!("{}{}", url.path().trim_end_matches('/'), self.path)
    }
}
