//! What a request for a page asks for.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::clock::{self, Moment};
use crate::refusal::{self, Refusal};

/// The parameters of `GET /audit/logs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) limit: Option<usize>,
    pub(crate) cursor: Option<String>,
    pub(crate) since: Option<Moment>,
    pub(crate) until: Option<Moment>,
    pub(crate) ascending: bool,
    pub(crate) user: Option<u64>,
    pub(crate) action: Option<String>,
}

impl Query {
    /// Reads a query string; unknown parameters are ignored, as the API does.
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value);
            let moment = || clock::read_moment(&value).ok_or_else(|| refusal::parameter(name, "a date"));
            let number = || value.parse::<u64>().map_err(|_| refusal::parameter(name, "a number"));
            match name {
                "limit" => query.limit = Some(number()?.max(1) as usize),
                "cursor" => query.cursor = Some(value),
                "since" => query.since = Some(moment()?),
                "until" => query.until = Some(moment()?),
                "userId" => query.user = Some(number()?),
                "orderBy" | "order_by" if value == "asc" || value == "desc" => {
                    query.ascending = value == "asc"
                }
                "orderBy" | "order_by" => return Err(refusal::parameter(name, "asc or desc")),
                "action" if value.split('.').count() > 1 && !value.split('.').any(str::is_empty) => {
                    query.action = Some(value);
                }
                "action" => return Err(refusal::action_format()),
                _ => {}
            }
        }
        Ok(query)
    }

    /// Tells the walks apart: all that has to stay the same from page to page.
    pub(crate) fn walk(&self) -> u64 {
        let edge = |moment: Option<Moment>| moment.map(|moment| moment.second);
        let mut hasher = DefaultHasher::new();
        (edge(self.since), edge(self.until), self.ascending, self.user, &self.action).hash(&mut hasher);
        hasher.finish()
    }
}

/// Percent-decoding of `application/x-www-form-urlencoded`.
fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                let hex = str::from_utf8(&hex).unwrap_or_default();
                u8::from_str_radix(hex, 16).unwrap_or(b'?')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_bad_ones_refused() {
        let query = Query::read(
            "limit=300&orderBy=asc&since=2026-06-12T16%3A00%3A00.000Z&cursor=a%2Bb%3D&x=1&userId=7",
        )
        .unwrap();
        assert_eq!(query.limit, Some(300));
        assert!(query.ascending);
        assert_eq!(query.since.unwrap().second, 1_781_280_000);
        assert_eq!((query.cursor.as_deref(), query.user), (Some("a+b="), Some(7)));
        for text in
            ["limit=many", "since=yesterday", "orderBy=up", "action=login", "action=user.", "userId=me"]
        {
            assert_eq!(Query::read(text).unwrap_err().status, 400, "{text}");
        }
    }

    #[test]
    fn a_walk_is_its_filters_without_limit_and_cursor() {
        let walk = |text| Query::read(text).unwrap().walk();
        assert_eq!(walk("since=2026-06-12&limit=5"), walk("limit=300&cursor=7&since=2026-06-12"));
        assert_ne!(walk("since=2026-06-12"), walk("since=2026-06-13"));
        assert_ne!(walk("orderBy=asc"), walk(""));
    }
}
