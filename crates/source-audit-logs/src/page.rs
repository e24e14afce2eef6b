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

mod onward;
mod recorded;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use http_client::Url;
use http_client::header::HeaderMap;
use pipeline::{RecordId, Timestamp};
use poll::identity::{Content, Members, record_id};
use poll::outline::{Outline, Shape, lookup, scalar};
use poll::{Onward, Path};
use serde_json::value::RawValue;

use crate::api::{Api, CursorFrom, Paging};
use crate::describe::{FormatName, WhenAbsent};
pub(crate) use onward::{Capacity, crowded};
use onward::{Followed, next};
pub use recorded::{Leads, Recorded, RecordedPage};

/// A page as received.
#[derive(Debug)]
pub(crate) struct Page {
    /// The whole answer.
    pub(crate) body: Bytes,
    /// Where each record's JSON text stands in it, in the order of the page.
    pub(crate) records: Vec<Range<u32>>,
    /// Identity and time of each of them.
    pub(crate) identities: Vec<(RecordId, Option<Timestamp>)>,
    followed: Followed,
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
    /// The list of records is not where it should be; and what is there instead, by key.
    #[error("{instead}")]
    NoRecords { list: String, instead: String },
    /// What should lead on cannot.
    #[error("`paging.cursor.from` leads to an object or a list, not to a single value")]
    Cursor,
    /// The description does not fit the answer in another way.
    #[error("{0}")]
    Description(String),
    /// The page may leave out records that no other page would have.
    #[error("{0}")]
    Crowded(String),
    /// One of the last four, for users who have not written the description.
    #[error("{0}")]
    NotAsDocumented(String),
}

impl NotAPage {
    /// Whether it names the key of the description to change.
    pub(crate) fn is_description(&self) -> bool {
        matches!(self, Self::NoRecords { .. } | Self::Cursor | Self::Description(_) | Self::Crowded(_))
    }

    /// The same for users who have not written the description.
    pub(crate) fn without_keys(self) -> Self {
        match self {
            Self::NoRecords { list, .. } => Self::NotAsDocumented(format!("answer has no `{list}` array")),
            Self::Cursor => {
                Self::NotAsDocumented("the cursor in the answer is neither a number nor a text".to_owned())
            }
            Self::Description(text) | Self::Crowded(text) => {
                Self::NotAsDocumented(format!("answer is not as it is documented: {text}"))
            }
            other => other,
        }
    }
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
    /// What is known of the API's pages.
    pub(crate) capacity: Capacity,
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
            Ok(text) => {
                let (mut page, around) = self.split(api, text)?;
                page.followed = next(api, &page, &around, headers, asked)?;
                page.body = body;
                Ok(page)
            }
            Err(error) => {
                tracing::warn!(
                    offset = error.valid_up_to(),
                    "page holds bytes that are no UTF-8, they are replaced"
                );
                self.read(api, String::from_utf8_lossy(&body).into_owned().into(), headers, asked)
            }
        }
    }

    /// Finds the records of a page, and what it says besides.
    fn split<'t>(&self, api: &Api, text: &'t str) -> Result<(Page, Around<'t>), NotAPage> {
        if u32::try_from(text.len()).is_err() {
            return Err(NotAPage::Size);
        }
        let outline = if api.format == FormatName::Json && api.unwrap.is_none() {
            self.shape.outline(text)
        } else {
            None
        };
        Ok(match &outline {
            Some(outline) => (self.quick(text, outline), self.around_outline(text, outline)),
            None if api.format == FormatName::Ndjson => {
                (self.lines(text)?, Around { more: None, from: vec![], last: None })
            }
            None => self.slow(api, text)?,
        })
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
            _ => {
                let list = api.records.to_string();
                return Err(NotAPage::NoRecords { list, instead: no_records(root, &api.records) });
            }
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
            followed: Followed::default(),
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
        match &self.followed.next {
            None => Onward::End,
            Some(next) if self.followed.is_later => Onward::Later(next),
            Some(next) => Onward::Next(next),
        }
    }

    /// Nothing leads on, as far as it can be told: it is the end if a page of the API has room for more records than this one has.
    pub(crate) fn in_doubt(&self) -> bool {
        self.followed.in_doubt
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

#[cfg(test)]
mod tests;
