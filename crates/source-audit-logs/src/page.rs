//! One page, taken apart as described.
//!
//! | seen | taken as |
//! |---|---|
//! | a cursor that is a number, a text or `true` | opaque, kept as it stands |
//! | a cursor that is absent, `null`, `false` or an empty text | the end |
//! | no list of records where one is described | no page, whatever the status says; the error names what is there instead |
//! | an element of the list that is no object | a record all the same |
//! | `more` that is absent, or says that more follows where nothing leads on | no page: an end that is not told is none |
//! | a next URL at another origin | no page: credentials do not travel |
//! | bytes that are no UTF-8 | replaced by U+FFFD, rather than losing the page |

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http_client::header::{HeaderMap, LINK};
use http_client::{Url, origin};
use pipeline::{RecordId, Timestamp};
use poll::identity::{Content, Members, record_id};
use poll::outline::{Outline, Shape, lookup, scalar};
use poll::{Cursor, Onward, Path};
use serde_json::value::RawValue;

use crate::api::{Api, Bound, CursorFrom, Paging};
use crate::describe::{EndName, FormatName, WhenAbsent};

/// A page as received.
#[derive(Debug)]
pub(crate) struct Page {
    /// The whole answer.
    pub(crate) body: Bytes,
    /// Where each record's JSON text stands in it, in the order of the page.
    pub(crate) records: Vec<Range<u32>>,
    /// Identity and time of each of them.
    pub(crate) identities: Vec<(RecordId, Option<Timestamp>)>,
    /// Where what follows begins.
    next: Option<Cursor>,
    /// What follows is not there yet.
    is_later: bool,
    /// How many records have an id of their own.
    pub(crate) with_id: usize,
}

/// Why an answer is no page. Holds names of members and no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAPage {
    #[error("answer is not JSON, or cut")]
    Json(#[source] serde_json::Error),
    #[error("line {0} of the answer is not JSON, or cut")]
    Line(usize),
    #[error("answer is larger than 4 GiB")]
    Size,
    /// The description does not fit the answer.
    #[error("{0}")]
    Description(String),
}

/// How an API's pages are read, made once a source.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    shape: Shape,
    volatile: Members,
    id: Vec<usize>,
    time: Vec<usize>,
    more: Option<usize>,
    from: Vec<usize>,
}

/// What the answer was to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a poll::Request,
    /// Records asked for in one page.
    pub(crate) size: usize,
    pub(crate) url: &'a Url,
    /// A parameter of the query that is no part of a position.
    pub(crate) secret: Option<&'a str>,
}

/// What the page says besides its records.
struct Around<'t> {
    more: Option<Option<&'t str>>,
    from: Vec<Option<&'t str>>,
    /// The last element of the list of records.
    last: Option<&'t str>,
}

impl Reader {
    pub(crate) fn new(api: &Api) -> Self {
        let mut shape = Shape::new(api.records.clone());
        let mut volatile = Members::default();
        api.volatile.iter().for_each(|path| volatile.leave_out(path));
        shape.record = volatile.clone();
        let places =
            |paths: &[Path], members: &mut Members| paths.iter().map(|path| members.find(path)).collect();
        let (id, time) = (places(&api.id, &mut shape.record), places(&api.time, &mut shape.record));
        let from: Vec<Path> = match &api.paging {
            Paging::Cursor { from: CursorFrom::Body(paths), .. } => paths.clone(),
            Paging::NextUrl { from } | Paging::Page { from: Some(from), .. } => vec![from.clone()],
            _ => Vec::new(),
        };
        let from = from.iter().map(|path| shape.value(path)).collect();
        let more = api.more.as_ref().map(|path| shape.value(path));
        Self { shape, volatile, id, time, more, from }
    }

    /// Takes an answer apart without copying its records.
    pub(crate) fn read(
        &self,
        api: &Api,
        body: Bytes,
        headers: &HeaderMap,
        asked: Asked<'_>,
    ) -> Result<Page, NotAPage> {
        match simdutf8::compat::from_utf8(&body) {
            Ok(text) => self.split(api, text, body.clone(), headers, asked),
            Err(error) => {
                tracing::warn!(
                    offset = error.valid_up_to(),
                    "page holds bytes that are no UTF-8, they are replaced"
                );
                self.read(api, String::from_utf8_lossy(&body).into_owned().into(), headers, asked)
            }
        }
    }

    fn split(
        &self,
        api: &Api,
        text: &str,
        body: Bytes,
        headers: &HeaderMap,
        asked: Asked<'_>,
    ) -> Result<Page, NotAPage> {
        if u32::try_from(text.len()).is_err() {
            return Err(NotAPage::Size);
        }
        let outline = if api.format == FormatName::Json && api.unwrap.is_none() {
            self.shape.outline(text)
        } else {
            None
        };
        let (mut page, around) = match &outline {
            Some(outline) => (self.quick(text, outline), self.around_outline(text, outline)),
            None if api.format == FormatName::Ndjson => {
                (self.lines(text)?, Around { more: None, from: vec![], last: None })
            }
            None => self.slow(api, text)?,
        };
        (page.next, page.is_later) = next(api, &page, &around, headers, asked)?;
        page.body = body;
        Ok(page)
    }

    /// From an outline, in which everything is found already.
    fn quick(&self, text: &str, outline: &Outline<'_>) -> Page {
        let mut page = Page::empty();
        page.records.reserve_exact(outline.records.len());
        page.identities.reserve_exact(outline.records.len());
        for (index, (span, content)) in outline.records.iter().enumerate() {
            let places = outline.places(index);
            let found = |slot: &usize| {
                let span = places.get(*slot)?.as_ref()?;
                scalar(&text[span.start as usize..span.end as usize])
            };
            let time = self.time.iter().find_map(|slot| Timestamp::read(&found(slot)?));
            let id = joined(self.id.iter().map(found));
            page.with_id += usize::from(id.is_some());
            page.records.push(span.clone());
            page.identities.push((content.record_id(id.as_deref(), time), time));
        }
        page
    }

    fn around_outline<'t>(&self, text: &'t str, outline: &Outline<'t>) -> Around<'t> {
        Around {
            more: self.more.map(|slot| outline.values[slot]),
            from: self.from.iter().map(|slot| outline.values[*slot]).collect(),
            last: outline.records.last().map(|(span, _)| &text[span.start as usize..span.end as usize]),
        }
    }

    /// For whatever [`Shape::outline`] does not follow, and the one that says what is wrong.
    fn slow<'t>(&self, api: &Api, text: &'t str) -> Result<(Page, Around<'t>), NotAPage> {
        let root: &RawValue = serde_json::from_str(text).map_err(NotAPage::Json)?;
        let root = root.get();
        let list = match (member(root, &api.records), api.when_absent) {
            (Some(list), _) if list.starts_with('[') => list,
            (None | Some("null"), WhenAbsent::Empty) if root.starts_with('{') => "[]",
            _ => return Err(NotAPage::Description(no_records(root, &api.records))),
        };
        let elements: Vec<&RawValue> = serde_json::from_str(list).map_err(NotAPage::Json)?;
        let mut page = Page::empty();
        for (index, element) in elements.iter().enumerate() {
            let record = match &api.unwrap {
                None => element.get(),
                Some(path) => member(element.get(), path).ok_or_else(|| {
                    NotAPage::Description(format!(
                        "`records.unwrap` is `{path}`, but element {index} of the list has {}",
                        members_of(element.get())
                    ))
                })?,
            };
            page.push(text, record, self);
        }
        let of = |path: &Path| member(root, path);
        let from = match &api.paging {
            Paging::Cursor { from: CursorFrom::Body(paths), .. } => paths.iter().map(of).collect(),
            Paging::NextUrl { from } | Paging::Page { from: Some(from), .. } => vec![of(from)],
            _ => Vec::new(),
        };
        let last = elements.last().map(|element| element.get());
        Ok((page, Around { more: api.more.as_ref().map(of), from, last }))
    }

    /// One record a line.
    fn lines(&self, text: &str) -> Result<Page, NotAPage> {
        let mut page = Page::empty();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let record: &RawValue = serde_json::from_str(line).map_err(|_| NotAPage::Line(number))?;
            page.push(text, record.get(), self);
        }
        Ok(page)
    }

    /// Id and time of a record that stands alone.
    fn identity(&self, record: &str) -> ((RecordId, Option<Timestamp>), bool) {
        let mut places = vec![None; self.shape.record.places()];
        let read = Content::read_noting(record, 0, &self.shape.record, &mut places);
        let found = |slot: &usize| {
            let span: &Range<u32> = places.get(*slot)?.as_ref()?;
            scalar(&record[span.start as usize..span.end as usize])
        };
        let time = self.time.iter().find_map(|slot| Timestamp::read(&found(slot)?));
        let id = joined(self.id.iter().map(found));
        let identity = match read {
            Some((content, _)) => content.record_id(id.as_deref(), time),
            None => record_id(record.as_bytes(), id.as_deref(), time, &self.volatile),
        };
        ((identity, time), id.is_some())
    }
}

impl Page {
    fn empty() -> Self {
        Self {
            body: Bytes::new(),
            records: Vec::new(),
            identities: Vec::new(),
            next: None,
            is_later: false,
            with_id: 0,
        }
    }

    fn push(&mut self, text: &str, record: &str, reader: &Reader) {
        let from = record.as_ptr().addr() - text.as_ptr().addr();
        let (identity, has_id) = reader.identity(record);
        // It was checked that every offset fits.
        self.records.push(from as u32..(from + record.len()) as u32);
        self.identities.push(identity);
        self.with_id += usize::from(has_id);
    }

    /// What follows it.
    pub(crate) fn onward(&self) -> Onward<'_> {
        match &self.next {
            None => Onward::End,
            Some(next) if self.is_later => Onward::Later(next),
            Some(next) => Onward::Next(next),
        }
    }

    /// The text of one record.
    pub(crate) fn text(&self, span: &Range<u32>) -> &[u8] {
        &self.body[span.start as usize..span.end as usize]
    }

    /// What the records have at a path, in the order of the page, with repetitions.
    pub(crate) fn values<'p>(&'p self, path: &'p Path) -> impl Iterator<Item = Cow<'p, str>> {
        self.records.iter().filter_map(move |span| {
            let text = std::str::from_utf8(self.text(span)).ok()?;
            scalar(lookup(text, path)?)
        })
    }
}

/// The texts of all ids, or of the one; none where there is none at all.
fn joined<'t>(mut parts: impl ExactSizeIterator<Item = Option<Cow<'t, str>>>) -> Option<Cow<'t, str>> {
    if parts.len() <= 1 {
        return parts.next()?;
    }
    let parts: Vec<Option<Cow<'t, str>>> = parts.collect();
    if parts.iter().all(Option::is_none) {
        return None;
    }
    // A character that no id holds keeps `a, bc` and `ab, c` apart.
    Some(parts.iter().map(|part| part.as_deref().unwrap_or("\u{1}")).collect::<Vec<_>>().join("\u{0}").into())
}

/// The member of a value that was read as JSON before.
fn member<'t>(json: &'t str, path: &Path) -> Option<&'t str> {
    let mut value = json;
    for name in path.names() {
        if !value.starts_with('{') {
            return None;
        }
        let members: FirstOf<'t> = serde_json::from_str(value).ok()?;
        value = members.0.iter().find(|(member, _)| *member == **name).map(|(_, value)| value.get())?;
    }
    Some(value)
}

/// The members of an object, in their order.
struct FirstOf<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'t> serde::Deserialize<'t> for FirstOf<'t> {
    fn deserialize<D: serde::Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'t> serde::de::Visitor<'t> for Members {
            type Value = FirstOf<'t>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'t>>(self, mut map: A) -> Result<FirstOf<'t>, A::Error> {
                let mut members = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    members.push((name.into(), map.next_value()?));
                }
                Ok(FirstOf(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// What stands where the list of records should: names only.
fn no_records(root: &str, path: &Path) -> String {
    if path.is_empty() {
        return format!(
            "`records.path` is empty, so that the answer should be a list, but it has {}",
            members_of(root)
        );
    }
    let mut reached = Path::default();
    for name in path.names() {
        let Some(value) = member(root, &reached) else { break };
        let further: Vec<&str> = reached.names().iter().chain([name]).map(|name| &**name).collect();
        let further = Path::of(&further);
        if member(root, &further).is_none() {
            let place = if reached.is_empty() {
                "the answer".to_owned()
            } else {
                format!("`{reached}` of the answer")
            };
            return format!("`records.path` is `{path}`, but {place} has {}", members_of(value));
        }
        reached = further;
    }
    let kind = member(root, path).map_or("nothing", kind_of);
    format!("`records.path` is `{path}`, but there the answer has {kind}, not a list")
}

fn kind_of(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b'n') => "`null`",
        Some(b't' | b'f') => "`true` or `false`",
        _ => "a number",
    }
}

/// The most names that are listed.
const MOST_NAMES: usize = 8;

/// The members that a value has, by name; names that look like values are left out.
fn members_of(json: &str) -> String {
    let Ok(FirstOf(members)) = serde_json::from_str(json) else { return kind_of(json).to_owned() };
    let is_name = |name: &&str| {
        (1..=40).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'@' | b'.' | b'$'))
    };
    let names: Vec<&str> = members.iter().map(|(name, _)| &**name).filter(is_name).collect();
    if names.is_empty() {
        return "no members".to_owned();
    }
    let listed = names.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > MOST_NAMES { format!("{listed} and more") } else { listed }
}

/// What follows the page, and whether it is there yet.
fn next(
    api: &Api,
    page: &Page,
    around: &Around<'_>,
    headers: &HeaderMap,
    asked: Asked<'_>,
) -> Result<(Option<Cursor>, bool), NotAPage> {
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
        Paging::Bound { moves, unit } => return bound(page, asked, *moves, *unit).map(|next| (next, false)),
        Paging::None => None,
    };
    let is_more = match (api.more.as_ref(), around.more) {
        (None, _) => None,
        (Some(path), None | Some(None)) => {
            return description(format!("`paging.more` is `{path}`, but the answer has no such member"));
        }
        (Some(_), Some(Some(json))) => {
            Some(!matches!(json.trim(), "false" | "null" | "0" | "\"\"" | "\"false\""))
        }
    };
    let ends = |end: EndName| api.ends.contains(&end);
    let over = is_more == Some(false)
        || ends(EndName::EmptyPage) && count == 0
        || ends(EndName::ShortPage) && count < asked.size;
    match found {
        None if is_more == Some(true) => description(format!(
            "`paging.more` says that another page follows, but `{key}` finds nothing that leads to it"
        )),
        // Without records, the place from which collection goes on may be the one that it has.
        Some(next) if over => Ok((Some(next).filter(|_| api.follows), true)),
        found => Ok((found, false)),
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
        let message = "`paging.cursor.from` leads to an object or a list, not to a single value".to_owned();
        return Err(NotAPage::Description(message));
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
fn bound(page: &Page, asked: Asked<'_>, moves: Bound, unit: Duration) -> Result<Option<Cursor>, NotAPage> {
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
            let Some(oldest) = times.iter().min() else { return Ok(None) };
            let edge = cut(*oldest).plus(unit);
            (edge, before.or(asked.request.until).is_none_or(|before| edge < before))
        }
        Bound::Since => {
            let Some(newest) = times.iter().max() else { return Ok(None) };
            let edge = cut(*newest).minus(unit);
            (edge, before.or(asked.request.since).is_none_or(|before| edge > before))
        }
    };
    if goes_on {
        return Ok(Cursor::from_json(&format!("\"{edge}\"")));
    }
    if times.len() >= asked.size {
        let message = "`paging.bound` goes no further: more records share one moment than a page holds; raise \
                       `paging.page_size`, or write a finer `time_filter.granularity` if the API has one";
        return Err(NotAPage::Description(message.to_owned()));
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
