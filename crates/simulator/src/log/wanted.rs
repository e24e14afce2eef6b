//! What a request asks for, read as the documentation says.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::http::Call;
use super::manner::{Edge, Manner, Method, Paging, Parameter, TimeFormat};
use super::path;
use crate::clock;

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) parameters: HashMap<Parameter, String>,
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) size: usize,
    /// What leads to a later page.
    pub(super) token: Option<String>,
}

impl Manner {
    /// The parameter that leads to a later page.
    pub(super) fn onward(&self) -> Option<Parameter> {
        match &self.paging {
            Paging::Cursor { to, .. } | Paging::Page { to, .. } | Paging::Offset { to } => Some(to.clone()),
            Paging::Link { .. } | Paging::NextUrl { .. } => Some(Parameter::query("after")),
            Paging::Bound | Paging::None => None,
        }
    }

    /// Whether later pages come without the edges, which the API knows from the first one.
    pub(super) fn remembers_filters(&self) -> bool {
        self.filter_first_page_only || matches!(self.paging, Paging::Cursor { alone: true, .. })
    }

    /// Reads a request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn wanted(&self, call: &Call) -> Result<Wanted, String> {
        let parameters = self.parameters(call)?;
        let token = self.onward().and_then(|onward| parameters.get(&onward).cloned());
        if self.strict {
            self.refuse_what_is_not_documented(&parameters, token.is_some())?;
        }
        let (since, until) =
            (edge(&parameters, self.since.as_ref())?, edge(&parameters, self.until.as_ref())?);
        let size = match self.size.to.as_ref().and_then(|to| parameters.get(to)) {
            None => self.size.usual,
            Some(text) => match text.parse::<usize>() {
                Ok(size) if size == 0 || self.strict && size > self.size.most => {
                    return Err(format!("a page has 1 to {} records", self.size.most));
                }
                Ok(size) => size,
                Err(_) => return Err("the size of a page is no number".to_owned()),
            },
        };
        let size = if self.paging == Paging::None { usize::MAX } else { size.min(self.size.given) };
        if token.is_none() {
            for edge in [&self.since, &self.until].into_iter().flatten() {
                if edge.required && !parameters.contains_key(&edge.to) {
                    return Err(format!("{} is required", edge.to.name()));
                }
            }
        }
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err("the window ends before it begins".to_owned());
        }
        Ok(Wanted { parameters, since, until, size, token })
    }

    fn parameters(&self, call: &Call) -> Result<HashMap<Parameter, String>, String> {
        let mut parameters: HashMap<Parameter, String> =
            path::pairs(&call.query).map(|(name, value)| (Parameter::Query(name), value)).collect();
        if self.method == Method::Post {
            let body: Value = serde_json::from_slice(&call.body).map_err(|_| "the body is not JSON")?;
            let mut flat = HashMap::new();
            path::flatten("", &body, &mut flat);
            parameters.extend(flat.into_iter().map(|(path, value)| (Parameter::Body(path), value)));
        }
        Ok(parameters)
    }

    fn refuse_what_is_not_documented(
        &self,
        parameters: &HashMap<Parameter, String>,
        is_later: bool,
    ) -> Result<(), String> {
        let edges = [&self.since, &self.until].into_iter().flatten().map(|edge| edge.to.clone());
        let filters = !(is_later && self.filter_first_page_only);
        let mut known: HashSet<Parameter> = self.onward().into_iter().collect();
        if !(is_later && matches!(self.paging, Paging::Cursor { alone: true, .. })) {
            known.extend(self.size.to.clone());
            known.extend(edges.filter(|_| filters));
            known.extend(self.fixed.iter().map(|(parameter, _)| parameter.clone()));
        }
        known.extend(self.credentials.iter().filter_map(|credential| match credential {
            super::Credential::Query { name, .. } => Some(Parameter::query(name)),
            _ => None,
        }));
        if let Some(unknown) = parameters.keys().find(|parameter| !known.contains(parameter)) {
            return Err(format!("{} is not known here", unknown.name()));
        }
        let other =
            |(name, value): &&(Parameter, String)| parameters.get(name).is_some_and(|own| own != value);
        match self.fixed.iter().find(other) {
            Some((parameter, _)) => Err(format!("{} has a value that is not known", parameter.name())),
            None => Ok(()),
        }
    }
}

fn edge(parameters: &HashMap<Parameter, String>, edge: Option<&Edge>) -> Result<Option<i64>, String> {
    let Some(edge) = edge else { return Ok(None) };
    let Some(text) = parameters.get(&edge.to) else { return Ok(None) };
    let (before, after) = &edge.around;
    let moment = text.strip_prefix(&**before).and_then(|text| text.strip_suffix(&**after));
    match moment.and_then(|moment| read_edge(moment, edge.format)) {
        Some(second) => Ok(Some(second)),
        None => Err(format!("{} is written in another way", edge.to.name())),
    }
}

fn read_edge(text: &str, format: TimeFormat) -> Option<i64> {
    let moment = clock::read_moment(text);
    match format {
        TimeFormat::EpochSeconds => text.parse().ok().filter(|second| *second < 100_000_000_000),
        TimeFormat::EpochMillis => text
            .parse::<i64>()
            .ok()
            .filter(|millis| *millis > 100_000_000_000)
            .map(|millis| millis.div_euclid(1000)),
        TimeFormat::Date => moment.filter(|moment| moment.date_only).map(|moment| moment.second),
        TimeFormat::Rfc3339 => moment.filter(|moment| !moment.date_only).map(|moment| moment.second),
    }
}
