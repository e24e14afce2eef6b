//! The request for one page.

use std::time::Duration;

use bytes::Bytes;
use http_client::header::{CONTENT_TYPE, HeaderValue};
use http_client::{Request, Url};
use pipeline::Timestamp;
use serde_json::Value;

use crate::api::{Api, Bound, Edge, Paging, Parameter};
use crate::describe::TimeFormat;

impl Api {
    /// The request for the page that `asked` is about, of at most `size` records; without credentials. The edges are written in
    /// the way of that number, `form`. A cursor of paging by URL that leads out of `url`'s origin is dropped when it is read, so
    /// it cannot be in here.
    pub(crate) fn request(
        &self,
        url: &Url,
        asked: &poll::Request,
        size: usize,
        form: usize,
        body_cap: usize,
    ) -> Request {
        let mut out = Outgoing { query: self.query.clone(), body: self.body.clone() };
        let mut address = joined(url, &self.path);
        let later = asked.cursor.as_ref();
        let text = later.map(poll::Cursor::text).unwrap_or_default();
        let filtered = later.is_none() || !self.filter_first_page_only;
        let (mut since, mut until) = (asked.since.filter(|_| filtered), asked.until.filter(|_| filtered));
        let mut sized = true;
        let mut place = None;
        match (&self.paging, later) {
            (Paging::Cursor { to, alone, path, .. }, Some(cursor)) => {
                if let Some(path) = path {
                    address = joined(url, path);
                }
                if *alone {
                    (since, until, sized) = (None, None, false);
                    out = Outgoing {
                        query: Vec::new(),
                        body: self.body.as_ref().map(|_| Value::Object(Default::default())),
                    };
                }
                let json = serde_json::from_str(cursor.json()).unwrap_or(Value::Null);
                place = Some((to, text.into_owned(), json));
            }
            (Paging::NextUrl { .. } | Paging::Link { .. }, Some(_)) => {
                // The URL has all that it needs.
                (since, until, sized) = (None, None, false);
                out.query.clear();
                // A saved position may have been edited: credentials go to no other origin.
                let next = url.join(&text).ok().filter(|next| next.origin() == url.origin());
                address = next.unwrap_or(address);
            }
            (Paging::Page { to, .. } | Paging::Offset { to }, Some(_)) => {
                place = Some((to, text.clone().into_owned(), number(&text)));
            }
            (Paging::Page { to, first, .. }, None) => {
                place = Some((to, first.to_string(), (*first).into()));
            }
            (Paging::Bound { moves, .. }, Some(_)) => {
                let edge = Timestamp::read(&text);
                match moves {
                    Bound::Until => until = edge.or(until),
                    Bound::Since => since = edge.or(since),
                }
            }
            (Paging::None, _) | (_, None) => {}
        }
        for (edge, moment) in [(&self.since, since), (&self.until, until)] {
            if let (Some(edge), Some(moment)) = (edge, moment) {
                let (text, json) = edge.write(moment, form);
                out.set(&edge.to, text, json);
            }
        }
        if let (Some((to, _)), true) = (&self.page_size, sized) {
            out.set(to, size.to_string(), size.into());
            if matches!(to, Parameter::Query(_)) {
                out.query.rotate_right(1);
            }
        }
        // Last, so that whoever reads a log of requests sees at once what differs between the pages of a walk.
        if let Some((to, text, json)) = place {
            out.set(to, text, json);
        }
        if !out.query.is_empty() {
            address.query_pairs_mut().extend_pairs(&out.query);
        }
        let mut request = Request::get(address, body_cap);
        request.method = self.method.clone();
        request.headers = self.headers.clone();
        if let Some(body) = out.body {
            request.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            request.body = Bytes::from(body.to_string());
        }
        request
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// `path` below `url`.
pub(crate) fn joined(url: &Url, path: &str) -> Url {
    let mut address = url.clone();
    let base = address.path().trim_end_matches('/').to_owned();
    address.set_path(&format!("{base}{path}"));
    address
}

fn number(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}

struct Outgoing {
    query: Vec<(String, String)>,
    body: Option<Value>,
}

impl Outgoing {
    /// Puts a value where it goes, instead of what may stand there.
    fn set(&mut self, to: &Parameter, text: String, json: Value) {
        match to {
            Parameter::Query(name) => {
                self.query.retain(|(other, _)| other != name);
                self.query.push((name.clone(), text));
            }
            Parameter::Body(path) => {
                let mut place = self.body.get_or_insert_with(|| Value::Object(Default::default()));
                for name in path.names() {
                    if !place.is_object() {
                        *place = Value::Object(Default::default());
                    }
                    place = &mut place[&**name];
                }
                *place = json;
            }
        }
    }
}

impl Edge {
    /// How moments are written in the way of that number; the last one where there are fewer.
    pub(crate) fn format(&self, form: usize) -> TimeFormat {
        self.formats.get(form).or(self.formats.last()).copied().unwrap_or_default()
    }

    /// The moment as text, and as JSON.
    fn write(&self, moment: Timestamp, form: usize) -> (String, Value) {
        let format = self.format(form);
        let moment = match format {
            TimeFormat::Date if self.day_before => moment.minus(DAY),
            _ => moment,
        };
        let (text, json) = match format {
            TimeFormat::EpochS => (moment.second().to_string(), moment.second().into()),
            TimeFormat::EpochMs => (moment.as_millis().to_string(), moment.as_millis().into()),
            format => {
                let whole = moment.to_string();
                let text = match format {
                    TimeFormat::Date => whole.chars().take(10).collect(),
                    TimeFormat::Rfc3339 => format!("{}Z", whole.chars().take(19).collect::<String>()),
                    _ => whole,
                };
                (text.clone(), Value::String(text))
            }
        };
        match &self.around {
            None => (text, json),
            Some((before, after)) => {
                let text = format!("{before}{text}{after}");
                (text.clone(), Value::String(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AuditLogsConfig;

    /// What is sent for one moment, in each form.
    fn sent(time_filter: serde_json::Value) -> Vec<String> {
        let config: AuditLogsConfig = serde_json::from_value(serde_json::json!({
            "url": "https://api.example.com", "auth": {"none": {}}, "request": {"path": "/log"}, "paging": {"none": {}},
            "time_filter": time_filter,
        }))
        .unwrap();
        let settings = config.validate().unwrap();
        let moment: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let asked = poll::Request {
            kind: poll::position::Kind::Live,
            since: Some(moment),
            until: Some(moment),
            cursor: None,
        };
        let query = |form| {
            let url = settings.api.request(&settings.url, &asked, 1, form, 1).url;
            url.query().unwrap_or_default().replace("%3A", ":")
        };
        (0..=settings.api.forms()).map(query).collect()
    }

    #[test]
    fn edges_are_written_in_each_of_their_forms() {
        let edge = |name: &str, format: serde_json::Value| serde_json::json!({"to": {"query": name}, "format": format});
        let both = |format: serde_json::Value| serde_json::json!({"since": edge("a", format.clone()), "until": edge("b", format)});
        let times = "a=2026-11-20T10:00:00.000Z&b=2026-11-20T10:00:00.000Z";
        // The filter may leave out the whole day that it names.
        let dates = "a=2026-11-19&b=2026-11-20";
        assert_eq!(sent(both(serde_json::json!(["rfc3339_ms", "date"]))), [times, dates, dates]);
        assert_eq!(sent(both("rfc3339_ms".into())), [times, times]);
        // Where only dates are written, the edges that are asked for are whole days already.
        assert_eq!(sent(both("date".into()))[0], "a=2026-11-20&b=2026-11-20");
        let mixed = serde_json::json!({"since": edge("a", serde_json::json!(["epoch_s", "date"])), "until": edge("b", "epoch_ms".into())});
        assert_eq!(
            sent(mixed),
            ["a=1795168800&b=1795168800000", "a=2026-11-19&b=1795168800000", "a=2026-11-19&b=1795168800000"]
        );
    }
}
