//! What follows a page: where the next one begins, or that there is none.

use std::borrow::Cow;
use std::time::Duration;

use http_client::header::{HeaderMap, LINK};
use http_client::origin;
use pipeline::Timestamp;
use poll::outline::scalar;
use poll::{Cursor, Path};

use super::{Around, Asked, NotAPage, Page, member, members_of};
use crate::api::{Api, Bound, CursorFrom, Paging};
use crate::describe::EndName;

/// How many records a page of the API holds in truth: some give fewer than they are asked for, and do not say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// The most records of a page so far: no page of fewer is full.
    largest: usize,
}

/// Whether a page had room for more than it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Surely,
    /// It has as many records as any page so far.
    Perhaps,
    No,
}

impl Capacity {
    /// For a page with so many records, of as many as `asked`. A page that holds one record is none.
    fn room(self, count: usize, asked: usize) -> Room {
        match count {
            _ if count >= asked => Room::No,
            _ if count < self.largest || count < 2 => Room::Surely,
            _ => Room::Perhaps,
        }
    }

    /// A page had so many records.
    pub(crate) fn held(&mut self, count: usize) {
        self.largest = self.largest.max(count);
    }
}

/// What follows a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Followed {
    /// Where the next one begins.
    pub(super) next: Option<Cursor>,
    /// It is not there yet.
    pub(super) is_later: bool,
    /// See [`Page::in_doubt`].
    pub(super) in_doubt: bool,
}

/// What follows the page, and whether it is there yet.
pub(super) fn next(
    api: &Api,
    page: &Page,
    around: &Around<'_>,
    headers: &HeaderMap,
    asked: Asked<'_>,
) -> Result<Followed, NotAPage> {
    let count = page.records.len();
    let key = api.paging.key();
    let description = |text: String| Err(NotAPage::Description(text));
    let before = asked.request.cursor.as_ref();
    let counted = || before.and_then(|cursor| cursor.text().parse::<u64>().ok());
    let found = match &api.paging {
        Paging::Cursor { from, .. } => cursor(from, around, headers)?,
        Paging::NextUrl { .. } => match around.from.iter().flatten().find_map(|json| scalar(json)) {
            Some(next) => Some(within(asked, &next, key)?),
            None => None,
        },
        Paging::Link { rel } => match linked(headers, rel) {
            Some(next) => Some(within(asked, &next, key)?),
            None => None,
        },
        Paging::Page { from: Some(_), .. } => {
            around.from.iter().flatten().find_map(|json| Cursor::from_json(json))
        }
        Paging::Page { first, from: None, .. } => number(counted().unwrap_or(*first) + 1),
        Paging::Offset { .. } => number(counted().unwrap_or(0) + count as u64),
        Paging::Bound { moves, unit } => return bound(page, asked, *moves, *unit),
        Paging::None => None,
    };
    let is_more = is_more(api, around)?;
    let ends = |end: EndName| api.ends.contains(&end);
    let over = is_more == Some(false)
        || ends(EndName::EmptyPage) && count == 0
        || ends(EndName::ShortPage) && count < asked.size;
    match found {
        None if is_more == Some(true) => description(format!(
            "`paging.more` says that another page follows, but `{key}` finds nothing that leads to it"
        )),
        // Without records, the place from which collection goes on may be the one that it has.
        Some(next) if over => {
            Ok(Followed { next: Some(next).filter(|_| api.follows), is_later: true, in_doubt: false })
        }
        next => Ok(Followed { next, ..Followed::default() }),
    }
}

/// What the page says of a page after it, where that is described.
pub(super) fn is_more(api: &Api, around: &Around<'_>) -> Result<Option<bool>, NotAPage> {
    match (api.more.as_ref(), around.more) {
        (None, _) => Ok(None),
        (Some(path), None | Some(None)) => Err(NotAPage::Description(format!(
            "`paging.more` is `{path}`, but the answer has no such member"
        ))),
        (Some(_), Some(Some(json))) => {
            Ok(Some(!matches!(json.trim(), "false" | "null" | "0" | "\"\"" | "\"false\"")))
        }
    }
}

fn number(number: u64) -> Option<Cursor> {
    Cursor::from_json(&number.to_string())
}

fn cursor(from: &CursorFrom, around: &Around<'_>, headers: &HeaderMap) -> Result<Option<Cursor>, NotAPage> {
    let texts: Vec<Option<Cow<'_, str>>> = match from {
        CursorFrom::Body(_) => around.from.iter().map(|json| json.map(Cow::Borrowed)).collect(),
        CursorFrom::LastRecord(paths) => {
            let of = |path: &Path| Some(Cow::Borrowed(member(around.last?, path)?));
            paths.iter().map(of).collect()
        }
        CursorFrom::Header(names) => {
            let of = |name| {
                headers.get(name)?.to_str().ok().map(|text| serde_json::Value::from(text).to_string().into())
            };
            names.iter().map(of).collect()
        }
    };
    if texts.iter().flatten().any(|json| json.starts_with(['{', '['])) {
        return Err(NotAPage::Cursor);
    }
    if let (CursorFrom::LastRecord(paths), Some(last)) = (from, around.last)
        && texts.iter().all(Option::is_none)
    {
        let paths = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
        let message = format!(
            "`paging.cursor.from` is {paths}, but the last element of the list has {}",
            members_of(last)
        );
        return Err(NotAPage::Description(message));
    }
    Ok(texts.iter().flatten().find_map(|json| Cursor::from_json(json)))
}

/// The next URL as a cursor: without its origin, which must be ours, and without the credential that may stand in it.
fn within(asked: Asked<'_>, next: &str, key: &str) -> Result<Cursor, NotAPage> {
    let wrong = |text: String| NotAPage::Description(text);
    let mut next =
        asked.url.join(next).map_err(|_| wrong(format!("`{key}` leads to a text that is no URL")))?;
    if next.origin() != asked.url.origin() {
        let (there, here) = (origin(&next), origin(asked.url));
        return Err(wrong(format!("`{key}` leads to {there}, but credentials go to {here} only")));
    }
    if let Some(secret) = asked.secret {
        let rest: Vec<(String, String)> = next
            .query_pairs()
            .filter(|(name, _)| name != secret)
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        next.set_query(None);
        if !rest.is_empty() {
            next.query_pairs_mut().extend_pairs(rest);
        }
    }
    let query = next.query().map(|query| format!("?{query}")).unwrap_or_default();
    let json = serde_json::Value::from(format!("{}{query}", next.path())).to_string();
    Cursor::from_json(&json).ok_or_else(|| wrong(format!("`{key}` leads to an empty text")))
}

/// The target of the header `Link` with that relation (RFC 8288).
fn linked(headers: &HeaderMap, rel: &str) -> Option<String> {
    let mut links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.find_map(|links| {
        let mut rest = links;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, parameters) = after.split_once('>')?;
            // Up to the next link; a comma may stand in quotes, a `<` does not.
            let own = parameters.split('<').next().unwrap_or_default();
            let is_wanted = own.split(';').any(|parameter| {
                let Some((name, value)) = parameter.split_once('=') else { return false };
                let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(rel))
            });
            if is_wanted {
                return Some(target.to_owned());
            }
            rest = parameters;
        }
        None
    })
}

/// The edge of the time filter that the next page is asked for with: that of the last record, moved outwards by what the filter may
/// leave out, so that records of the same moment which had no room are not lost.
fn bound(page: &Page, asked: Asked<'_>, moves: Bound, unit: Duration) -> Result<Followed, NotAPage> {
    let times: Vec<Timestamp> = page.identities.iter().filter_map(|(_, time)| *time).collect();
    if times.len() < page.identities.len() {
        let message =
            "`paging.bound` needs the time of every record, but with `time` not all can be read".to_owned();
        return Err(NotAPage::Description(message));
    }
    let cut = |moment: Timestamp| {
        let unit = i64::try_from(unit.as_millis()).unwrap_or(i64::MAX).max(1);
        Timestamp::from_millis(moment.as_millis().div_euclid(unit) * unit)
    };
    let before = asked.request.cursor.as_ref().and_then(|cursor| Timestamp::read(&cursor.text()));
    let (edge, goes_on) = match moves {
        Bound::Until => {
            let Some(oldest) = times.iter().min() else { return Ok(Followed::default()) };
            let edge = cut(*oldest).plus(unit);
            (edge, before.or(asked.request.until).is_none_or(|before| edge < before))
        }
        Bound::Since => {
            let Some(newest) = times.iter().max() else { return Ok(Followed::default()) };
            let edge = cut(*newest).minus(unit);
            (edge, before.or(asked.request.since).is_none_or(|before| edge > before))
        }
    };
    if goes_on {
        let next = Cursor::from_json(&format!("\"{edge}\""));
        return Ok(Followed { next, ..Followed::default() });
    }
    let count = times.len();
    match asked.capacity.room(count, asked.size) {
        Room::No => Err(NotAPage::Crowded(format!(
            "`paging.bound` goes no further: {count} records that share one moment fill a page; {RAISE}"
        ))),
        room => Ok(Followed { in_doubt: room == Room::Perhaps, ..Followed::default() }),
    }
}

/// What helps where one moment has more records than a page.
const RAISE: &str = "raise `paging.page_size` if the API heeds it, or write a finer `time_filter.granularity` if the API has one";

/// A page that is [`Page::in_doubt`], where the API has shown none with more records.
pub(crate) fn crowded(count: usize) -> NotAPage {
    NotAPage::Crowded(format!(
        "`paging.bound` goes no further: {count} records share one moment, and no page of the API had more, so that others of that \
         moment may not be shown; with the next record this is settled, and if it is not, {RAISE}"
    ))
}
