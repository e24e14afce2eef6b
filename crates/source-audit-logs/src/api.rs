//! A description of an API that holds together: what [`AuditLogsConfig`] comes to once it is checked.

use std::collections::BTreeMap;
use std::time::Duration;

use http_client::header::{HeaderMap, HeaderName, HeaderValue};
use http_client::{Method, StatusCode, Url};
use poll::Path;
use serde_json::Value;
use settings::Invalid;

use crate::config::AuditLogsConfig;
use crate::describe::{
    CursorConfig, EdgeConfig, EndName, ErrorConfig, ErrorKind, FormatName, MethodName, OrderName,
    PagingConfig, ParameterConfig, PlaceName, ResumeName, TimeFormat, WhenAbsent,
};

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
    pub(crate) format: TimeFormat,
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
    /// In lower case.
    pub(crate) contains: Option<String>,
    pub(crate) message: Option<Path>,
    pub(crate) kind: ErrorKind,
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

    /// What of a request says which log it is: the path, and the parameters that never change but for the order.
    pub(crate) fn place(&self, url: &Url) -> String {
        format!("{}{}", url.path().trim_end_matches('/'), self.path)
    }
}

struct Check<'c> {
    wrong: Vec<Invalid>,
    variables: &'c BTreeMap<String, String>,
}

impl Check<'_> {
    fn refuse(&mut self, key: &str, message: &str, remedy: &str) {
        self.wrong.push(Invalid::new(key, message, remedy));
    }

    /// The text with its variables filled in; a `{name}` that nobody has given is refused.
    fn filled(&mut self, key: &str, text: &str) -> String {
        let (filled, unknown) = fill(text, self.variables);
        if let Some(name) = unknown {
            let message = format!("has `{{{name}}}`, which is not one of `variables`");
            self.wrong.push(Invalid::new(key, message, format!("write `variables: {{ {name}: … }}`")));
        }
        filled
    }

    /// In a body braces mean other things as well, so that what is not known stays.
    fn filled_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(fill(text, self.variables).0),
            Value::Array(items) => items.iter().map(|item| self.filled_json(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.filled_json(value))).collect()
            }
            other => other.clone(),
        }
    }

    fn headers(&mut self, headers: &BTreeMap<String, String>) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let key = format!("request.headers.{name}");
            let value = self.filled(&key, value);
            match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
                (Ok(name), Ok(value)) => {
                    map.insert(name, value);
                }
                _ => self.refuse(&key, "is no header", "write a name such as `Accept`, and one line of text"),
            }
        }
        map
    }

    /// A path that may be empty.
    fn any_path(&mut self, key: &str, text: &str) -> Option<Path> {
        match text.parse() {
            Ok(path) => Some(path),
            Err(error) => {
                let remedy = "write it like `data.items`; a name with a dot in it stands in quotes: `'data.\"with.dot\"'`";
                self.wrong.push(Invalid::new(key, format!("is {error}"), remedy));
                None
            }
        }
    }

    fn path(&mut self, key: &str, text: &str) -> Option<Path> {
        let path = self.any_path(key, text)?;
        if path.is_empty() {
            self.refuse(key, "is empty", "write the name of a member");
            return None;
        }
        Some(path)
    }

    fn paths(&mut self, key: &str, texts: &[String]) -> Vec<Path> {
        let is_one = texts.len() == 1;
        let key = |at: usize| if is_one { key.to_owned() } else { format!("{key}.{at}") };
        texts.iter().enumerate().filter_map(|(at, text)| self.path(&key(at), text)).collect()
    }

    fn parameter(&mut self, key: &str, parameter: &ParameterConfig, has_body: bool) -> Option<Parameter> {
        match parameter {
            ParameterConfig::Query(name) if name.is_empty() => {
                self.refuse(key, "is empty", "write the name of a parameter");
                None
            }
            ParameterConfig::Query(name) => Some(Parameter::Query(name.clone())),
            ParameterConfig::Body(_) if !has_body => {
                self.refuse(
                    key,
                    "is a member of the body, but a `GET` has none",
                    "write `request: { method: POST }`",
                );
                None
            }
            ParameterConfig::Body(path) => self.path(key, path).map(Parameter::Body),
        }
    }

    fn edge(&mut self, key: &str, edge: &EdgeConfig, has_body: bool) -> Option<Edge> {
        let around = match &edge.template {
            None => None,
            Some(template) => {
                let template_key = format!("{key}.template");
                // The place of the moment is no variable.
                let filled: Vec<String> =
                    template.split("{}").map(|part| self.filled(&template_key, part)).collect();
                let [before, after] = &filled[..] else {
                    self.refuse(
                        &template_key,
                        "has not one `{}`",
                        "write `{}` where the moment stands: `created:>={}`",
                    );
                    return None;
                };
                Some((before.clone(), after.clone()))
            }
        };
        Some(Edge {
            to: self.parameter(&format!("{key}.to"), &edge.to, has_body)?,
            format: edge.format,
            around,
        })
    }

    fn filter(&mut self, config: &AuditLogsConfig) {
        let Some(filter) = &config.time_filter else { return };
        if filter.since.is_none() {
            self.refuse(
                "time_filter",
                "has no `since`",
                "write how the lower edge is asked for, or leave `time_filter` out",
            );
        }
        if !filter.settle.get().is_zero() && filter.until.is_none() {
            self.refuse("time_filter.settle", "needs `until`", "write how the upper edge is asked for");
        }
        if filter.max_span.is_some() && filter.until.is_none() {
            self.refuse("time_filter.max_span", "needs `until`", "write how the upper edge is asked for");
        }
        let dates = [&filter.since, &filter.until].into_iter().flatten().any(|edge| edge.format.is_date());
        if dates && filter.granularity.is_some_and(|unit| unit != crate::describe::GranularityName::Day) {
            self.refuse(
                "time_filter.granularity",
                "is finer than a date can say",
                "write `day`, or leave it out",
            );
        }
    }

    fn paging(&mut self, config: &AuditLogsConfig, has_body: bool) -> Option<Paging> {
        let paging = &config.paging;
        let kinds = [
            paging.cursor.is_some(),
            paging.next_url.is_some(),
            paging.link.is_some(),
            paging.page.is_some(),
            paging.offset.is_some(),
            paging.bound.is_some(),
            paging.none.is_some(),
        ];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            let message =
                "has not exactly one of `cursor`, `next_url`, `link`, `page`, `offset`, `bound` and `none`";
            self.refuse("paging", message, "keep the one by which the API gives its next page");
            return None;
        }
        if config.resume == ResumeName::Cursor
            && paging.cursor.is_none()
            && paging.next_url.is_none()
            && paging.link.is_none()
        {
            let remedy = "write `resume: window`, or describe the cursor";
            self.refuse("resume", "is `cursor`, but the API's paging gives none that lasts", remedy);
        }
        if let Some(cursor) = &paging.cursor {
            return self.cursor(cursor, has_body);
        }
        if let Some(next_url) = &paging.next_url {
            return Some(Paging::NextUrl { from: self.path("paging.next_url.from", &next_url.from)? });
        }
        if let Some(link) = &paging.link {
            return Some(Paging::Link { rel: link.rel.clone() });
        }
        if let Some(page) = &paging.page {
            let from = match &page.from {
                Some(from) => Some(self.path("paging.page.from", from)?),
                None => None,
            };
            let to = self.parameter("paging.page.to", &page.to, has_body)?;
            return Some(Paging::Page { to, first: page.first, from });
        }
        if let Some(offset) = &paging.offset {
            return Some(Paging::Offset { to: self.parameter("paging.offset.to", &offset.to, has_body)? });
        }
        if paging.bound.is_some() { self.bound(config) } else { Some(Paging::None) }
    }

    fn cursor(&mut self, cursor: &CursorConfig, has_body: bool) -> Option<Paging> {
        let key = "paging.cursor.from";
        let from = match cursor.place {
            PlaceName::Body => CursorFrom::Body(self.paths(key, cursor.from.each())),
            PlaceName::LastRecord => CursorFrom::LastRecord(self.paths(key, cursor.from.each())),
            PlaceName::Header => {
                let names = cursor.from.each().iter().map(|name| HeaderName::from_bytes(name.as_bytes()));
                match names.collect::<Result<_, _>>() {
                    Ok(names) => CursorFrom::Header(names),
                    Err(_) => {
                        self.refuse(key, "is no name of a header", "write a name such as `X-Next-Cursor`");
                        return None;
                    }
                }
            }
        };
        let path = cursor.path.as_ref().map(|path| self.filled("paging.cursor.path", path));
        let to = self.parameter("paging.cursor.to", &cursor.to, has_body)?;
        Some(Paging::Cursor { from, to, alone: cursor.alone, path })
    }

    fn bound(&mut self, config: &AuditLogsConfig) -> Option<Paging> {
        let filter = config.time_filter.as_ref();
        let moves = match config.order {
            OrderName::NewestFirst => Bound::Until,
            OrderName::OldestFirst => Bound::Since,
            OrderName::Unordered => {
                let remedy = "write the order in which the API answers, `newest_first` or `oldest_first`";
                self.refuse("order", "is `unordered`, but `paging.bound` goes by it", remedy);
                return None;
            }
        };
        let edge = match moves {
            Bound::Until => filter.is_some_and(|filter| filter.until.is_some()),
            Bound::Since => filter.is_some_and(|filter| filter.since.is_some()),
        };
        if !edge {
            self.refuse(
                "paging.bound",
                "needs the edge of `time_filter` that it moves",
                "describe `until`, or for `oldest_first` `since`",
            );
        }
        if config.paging.page_size.is_none() {
            self.refuse(
                "paging.bound",
                "needs `paging.page_size`, by which the last page is told",
                "write it",
            );
        }
        let unit = match filter.and_then(|filter| filter.granularity) {
            None | Some(crate::describe::GranularityName::Second) => 1,
            Some(crate::describe::GranularityName::Minute) => 60,
            Some(crate::describe::GranularityName::Hour) => 3600,
            Some(crate::describe::GranularityName::Day) => 86_400,
        };
        edge.then_some(Paging::Bound { moves, unit: Duration::from_secs(unit) })
    }

    fn ends(&mut self, paging: &PagingConfig, resume: ResumeName) -> Vec<EndName> {
        let mut ends = paging.ends.clone();
        if ends.contains(&EndName::ShortPage) && paging.page_size.is_none() {
            self.refuse(
                "paging.ends",
                "has `short_page`, but no `page_size` is asked for",
                "write `paging.page_size`",
            );
        }
        let has_no_other =
            paging.page.as_ref().is_some_and(|page| page.from.is_none()) || paging.offset.is_some();
        let follows = resume == ResumeName::Cursor;
        if ends.is_empty() && paging.more.is_none() && (has_no_other || follows) {
            ends.push(EndName::EmptyPage);
        }
        ends
    }

    fn error(&mut self, at: usize, error: &ErrorConfig) -> Option<ErrorRule> {
        let key = format!("errors.{at}");
        let names_something =
            [error.status.is_some(), error.header.is_some(), error.path.is_some(), error.contains.is_some()];
        if !names_something.contains(&true) {
            self.refuse(
                &key,
                "says nothing of the answers that it is about",
                "write `status`, `header`, `path` or `contains`",
            );
        }
        if error.equals.is_some() && error.header.is_none() && error.path.is_none() {
            self.refuse(
                &key,
                "has `equals`, but neither `header` nor `path`",
                "write what it is that equals",
            );
        }
        let status = match error.status.map(StatusCode::from_u16).transpose() {
            Ok(status) => status,
            Err(_) => {
                self.refuse(&format!("{key}.status"), "is no status", "write a number such as `400`");
                None
            }
        };
        let header =
            match error.header.as_ref().map(|name| HeaderName::from_bytes(name.as_bytes())).transpose() {
                Ok(header) => header,
                Err(_) => {
                    self.refuse(
                        &format!("{key}.header"),
                        "is no name of a header",
                        "write a name such as `X-RateLimit-Remaining`",
                    );
                    None
                }
            };
        let path = error.path.as_ref().map(|path| self.path(&format!("{key}.path"), path));
        let message = error.message.as_ref().and_then(|path| self.path(&format!("{key}.message"), path));
        Some(ErrorRule {
            status,
            header,
            path: path.flatten(),
            equals: error.equals.as_ref().map(|scalar| scalar.0.clone()),
            contains: error.contains.as_ref().map(|text| text.to_lowercase()),
            message,
            kind: error.kind,
        })
    }
}

/// Puts variables in place of `{name}`. Returns the first name that is none of them as well.
fn fill(text: &str, variables: &BTreeMap<String, String>) -> (String, Option<String>) {
    let (mut filled, mut unknown, mut rest) = (String::new(), None, text);
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let name = after.split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
        match name.map(|name| (name, variables.get(name))) {
            Some((name, Some(value))) => {
                filled.push_str(value);
                rest = &after[name.len() + 1..];
            }
            other => {
                if let Some((name, None)) = other {
                    unknown.get_or_insert_with(|| name.to_owned());
                }
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    (filled, unknown)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
