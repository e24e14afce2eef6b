//! Whether the parts of a description hold together.

use std::collections::BTreeMap;
use std::time::Duration;

use http_client::StatusCode;
use http_client::header::{HeaderMap, HeaderName, HeaderValue};
use poll::Path;
use serde_json::Value;
use settings::Invalid;

use super::{Bound, CursorFrom, Edge, ErrorRule, Paging, Parameter};
use crate::config::AuditLogsConfig;
use crate::describe::{
    CursorConfig, EdgeConfig, EndName, ErrorConfig, GranularityName, OneOrMany, OrderName, PagingConfig,
    ParameterConfig, PlaceName, ResumeName,
};

pub(super) struct Check<'c> {
    pub(super) wrong: Vec<Invalid>,
    pub(super) variables: &'c BTreeMap<String, String>,
}

impl Check<'_> {
    pub(super) fn refuse(&mut self, key: &str, message: &str, remedy: &str) {
        self.wrong.push(Invalid::new(key, message, remedy));
    }

    /// The text with its variables filled in; a `{name}` that nobody has given is refused.
    pub(super) fn filled(&mut self, key: &str, text: &str) -> String {
        let (filled, unknown) = fill(text, self.variables);
        if let Some(name) = unknown {
            let message = format!("has `{{{name}}}`, which is not one of `variables`");
            self.wrong.push(Invalid::new(key, message, format!("write `variables: {{ {name}: … }}`")));
        }
        filled
    }

    /// In a body braces mean other things as well, so that what is not known stays.
    pub(super) fn filled_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(fill(text, self.variables).0),
            Value::Array(items) => items.iter().map(|item| self.filled_json(item)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.filled_json(value))).collect()
            }
            other => other.clone(),
        }
    }

    pub(super) fn headers(&mut self, headers: &BTreeMap<String, String>) -> HeaderMap {
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
    pub(super) fn any_path(&mut self, key: &str, text: &str) -> Option<Path> {
        match text.parse() {
            Ok(path) => Some(path),
            Err(error) => {
                let remedy = "write it like `data.items`; a name with a dot in it stands in quotes: `'data.\"with.dot\"'`";
                self.wrong.push(Invalid::new(key, format!("is {error}"), remedy));
                None
            }
        }
    }

    pub(super) fn path(&mut self, key: &str, text: &str) -> Option<Path> {
        let path = self.any_path(key, text)?;
        if path.is_empty() {
            self.refuse(key, "is empty", "write the name of a member");
            return None;
        }
        Some(path)
    }

    pub(super) fn paths(&mut self, key: &str, texts: &[String]) -> Vec<Path> {
        let is_one = texts.len() == 1;
        let key = |at: usize| if is_one { key.to_owned() } else { format!("{key}.{at}") };
        texts.iter().enumerate().filter_map(|(at, text)| self.path(&key(at), text)).collect()
    }

    pub(super) fn parameter(
        &mut self,
        key: &str,
        parameter: &ParameterConfig,
        has_body: bool,
    ) -> Option<Parameter> {
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

    pub(super) fn edge(&mut self, key: &str, edge: &EdgeConfig, has_body: bool) -> Option<Edge> {
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
            formats: edge.format.each().to_vec(),
            day_before: false,
            around,
        })
    }

    pub(super) fn filter(&mut self, config: &AuditLogsConfig) {
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
        let dates = filter.edges().any(EdgeConfig::has_dates);
        if dates && filter.granularity.is_some_and(|unit| unit != GranularityName::Day) {
            self.refuse(
                "time_filter.granularity",
                "is finer than a date can say",
                "write `day`, or leave it out",
            );
        }
    }

    pub(super) fn paging(&mut self, config: &AuditLogsConfig, has_body: bool) -> Option<Paging> {
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

    pub(super) fn cursor(&mut self, cursor: &CursorConfig, has_body: bool) -> Option<Paging> {
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

    pub(super) fn bound(&mut self, config: &AuditLogsConfig) -> Option<Paging> {
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
        let dates = filter.is_some_and(|filter| filter.edges().any(EdgeConfig::has_dates));
        let unit = match filter.and_then(|filter| filter.granularity) {
            Some(GranularityName::Second) => 1,
            Some(GranularityName::Minute) => 60,
            Some(GranularityName::Hour) => 3600,
            Some(GranularityName::Day) => 86_400,
            None if dates => 86_400,
            None => {
                self.refuse(
                    "paging.bound",
                    "needs `time_filter.granularity`: an edge that the API cuts to more than is known leaves records out",
                    "write what the API cuts the edges of its time filter to",
                );
                return None;
            }
        };
        edge.then_some(Paging::Bound { moves, unit: Duration::from_secs(unit) })
    }

    pub(super) fn ends(&mut self, paging: &PagingConfig, resume: ResumeName) -> Vec<EndName> {
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

    pub(super) fn error(&mut self, at: usize, error: &ErrorConfig) -> Option<ErrorRule> {
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
            contains: error
                .contains
                .iter()
                .flat_map(OneOrMany::each)
                .map(|text| text.to_lowercase())
                .collect(),
            message,
            kind: error.kind,
            remedy: error.remedy.clone(),
        })
    }
}

impl AuditLogsConfig {
    /// The names in braces that `variables` lacks: what a user of the description has to fill in.
    pub fn missing_variables(&self) -> Vec<String> {
        let cursor = self.paging.cursor.as_ref().and_then(|cursor| cursor.path.as_ref());
        let filter = self.time_filter.as_ref();
        let edges = filter.into_iter().flat_map(|filter| [&filter.since, &filter.until]).flatten();
        let texts = [&self.request.path].into_iter().chain(self.request.query.values());
        let texts = texts.chain(self.request.headers.values()).chain(cursor);
        let (mut variables, mut missing) = (self.variables.clone(), Vec::new());
        for text in texts.chain(edges.filter_map(|edge| edge.template.as_ref())) {
            while let (_, Some(name)) = fill(text, &variables) {
                variables.insert(name.clone(), String::new());
                missing.push(name);
            }
        }
        missing
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
