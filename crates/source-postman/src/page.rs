//! One page of the audit log: `{"trails": [...], "nextCursor": ...}`.
//!
//! | seen | taken as |
//! |---|---|
//! | `nextCursor` a number (the API) or a string (the prose of its documentation) | opaque, kept as it stands |
//! | `nextCursor` absent, `null` or an empty string | the end |
//! | `meta.nextCursor` instead (third-party descriptions) | the same |
//! | no `trails` array | no page, whatever the status says: an error body or another server's page |
//! | an entry of `trails` that is no object | a record all the same |
//! | bytes that are no UTF-8 | replaced by U+FFFD, rather than losing the page |

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use pipeline::{RecordId, Timestamp};
use poll::identity::{Content, Members, record_id};
use poll::outline::{Shape, scalar};
use poll::{Cursor, Path};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A page as received.
#[derive(Debug)]
pub(crate) struct Page {
    /// The whole answer.
    pub(crate) body: Bytes,
    /// Where each record's JSON text stands in it, in the order of the page.
    pub(crate) records: Vec<Range<u32>>,
    /// Identity and time of each of them.
    pub(crate) identities: Vec<(RecordId, Option<Timestamp>)>,
    /// Where the next page begins; none at the end.
    pub(crate) next_cursor: Option<Cursor>,
}

/// Why an answer is no page. Holds nothing of the body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAPage {
    #[error("answer is not JSON, or cut")]
    Json(#[source] serde_json::Error),
    #[error("answer has no `trails` array")]
    NoTrails,
    #[error("`nextCursor` of the answer is neither a number nor a text")]
    Cursor,
    #[error("answer is larger than 4 GiB")]
    Size,
}

/// What is looked for on a page, made once a source.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    shape: Shape,
    next: usize,
    next_in_meta: usize,
    id: usize,
    time: usize,
    volatile: Members,
}

impl Form {
    /// With members that the content of a record does without.
    pub(crate) fn new(volatile: &[&str]) -> Self {
        let mut shape = Shape::new(Path::of(&["trails"]));
        let volatile = Members::volatile(volatile);
        shape.record = volatile.clone();
        Self {
            next: shape.value(&Path::of(&["nextCursor"])),
            next_in_meta: shape.value(&Path::of(&["meta", "nextCursor"])),
            id: shape.record.find(&Path::of(&["id"])),
            time: shape.record.find(&Path::of(&["timestamp"])),
            shape,
            volatile,
        }
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    trails: Option<Vec<&'a RawValue>>,
    #[serde(borrow, rename = "nextCursor")]
    next_cursor: Option<&'a RawValue>,
    #[serde(borrow)]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "nextCursor")]
    next_cursor: Option<&'a RawValue>,
}

/// What tells records apart. Of members that stand there twice the first counts.
#[derive(Default)]
struct Head<'a> {
    id: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Id,
    Timestamp,
    #[serde(other)]
    Other,
}

/// Fills a head and reads no further: most of a record lies behind it, and reading that, too, would make up a quarter
/// of all the time that a page takes.
struct HeadReader<'h, 'a>(&'h mut Head<'a>);

impl<'a> Visitor<'a> for HeadReader<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        let Self(head) = self;
        while head.id.is_none() || head.timestamp.is_none() {
            let Some(member) = members.next_key()? else { break };
            let value = match member {
                Member::Id => &mut head.id,
                Member::Timestamp => &mut head.timestamp,
                Member::Other => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let text = members.next_value()?;
            value.get_or_insert(text);
        }
        Ok(())
    }
}

/// Where a record says whose it is: `data.team.id`.
#[derive(Deserialize)]
struct WithTeam<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    team: Team<'a>,
}

#[derive(Deserialize)]
struct Team<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

impl Page {
    /// Takes an answer apart without copying its records.
    pub(crate) fn read(body: Bytes, form: &Form) -> Result<Self, NotAPage> {
        match simdutf8::compat::from_utf8(&body) {
            Ok(text) => Self::split(text, body.clone(), form),
            Err(error) => {
                tracing::warn!(
                    offset = error.valid_up_to(),
                    "page holds bytes that are no UTF-8, they are replaced"
                );
                Self::read(String::from_utf8_lossy(&body).into_owned().into(), form)
            }
        }
    }

    fn split(text: &str, body: Bytes, form: &Form) -> Result<Self, NotAPage> {
        if u32::try_from(text.len()).is_err() {
            return Err(NotAPage::Size);
        }
        if let Some(outline) = form.shape.outline(text) {
            let part = |span: &Range<u32>| &text[span.start as usize..span.end as usize];
            let identified = |(index, (_, content)): (usize, &(Range<u32>, Content))| {
                let found =
                    |slot: usize| outline.places(index)[slot].as_ref().and_then(|span| scalar(part(span)));
                let (id, time) = (found(form.id), found(form.time).and_then(|text| Timestamp::read(&text)));
                (content.record_id(id.as_deref(), time), time)
            };
            let identities = outline.records.iter().enumerate().map(identified).collect();
            let records = outline.records.iter().map(|(span, _)| span.clone()).collect();
            let is_there = |cursor: &&str| *cursor != "null";
            let next = outline.values[form.next].filter(is_there);
            let next = next.or(outline.values[form.next_in_meta].filter(is_there));
            return Ok(Self { body, records, identities, next_cursor: cursor(next)? });
        }
        Self::split_any(text, body, &form.volatile)
    }

    /// The same for whatever [`Shape::outline`] does not follow, and the one that says what is wrong.
    fn split_any(text: &str, body: Bytes, volatile: &Members) -> Result<Self, NotAPage> {
        let wire: Wire<'_> = match serde_json::from_str(text) {
            Ok(wire) => wire,
            // Valid JSON of another form is another finding than a cut answer.
            Err(error) if error.is_data() => return Err(NotAPage::NoTrails),
            Err(error) => return Err(NotAPage::Json(error)),
        };
        let trails = wire.trails.ok_or(NotAPage::NoTrails)?;
        let records = trails.iter().map(|record| {
            let from = record.get().as_ptr().addr() - text.as_ptr().addr();
            // It was checked that every offset fits.
            from as u32..(from + record.get().len()) as u32
        });
        let records = records.collect();
        let identities = trails.iter().map(|record| identity(record.get(), volatile)).collect();
        let in_meta = || serde_json::from_str::<Meta<'_>>(wire.meta?.get()).ok()?.next_cursor;
        let next_cursor = cursor(wire.next_cursor.or_else(in_meta).map(RawValue::get))?;
        Ok(Self { body, records, identities, next_cursor })
    }

    /// The teams that the records name, in the order of the page, with repetitions.
    pub(crate) fn teams(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.records.iter().filter_map(|span| {
            let record: WithTeam<'_> = serde_json::from_slice(self.text(span)).ok()?;
            scalar(record.data.team.id.get())
        })
    }

    fn text(&self, span: &Range<u32>) -> &[u8] {
        &self.body[span.start as usize..span.end as usize]
    }
}

fn identity(text: &str, volatile: &Members) -> (RecordId, Option<Timestamp>) {
    let (id, time) = id_and_time(text);
    (record_id(text.as_bytes(), id.as_deref(), time, volatile), time)
}

fn id_and_time(text: &str) -> (Option<Cow<'_, str>>, Option<Timestamp>) {
    let head = head(text);
    let time = head.timestamp.map(RawValue::get).and_then(scalar).and_then(|text| Timestamp::read(&text));
    (head.id.map(RawValue::get).and_then(scalar), time)
}

/// A record that is no object has no head; it is told apart by its content.
fn head(text: &str) -> Head<'_> {
    let mut head = Head::default();
    // The page has been read as JSON, so all that can be wrong is that it is no object, or that its rest was not read.
    drop(serde_json::Deserializer::from_str(text).deserialize_map(HeadReader(&mut head)));
    head
}

fn cursor(raw: Option<&str>) -> Result<Option<Cursor>, NotAPage> {
    match raw {
        Some(text) if text.starts_with(['{', '[']) => Err(NotAPage::Cursor),
        text => Ok(text.and_then(Cursor::from_json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<(Vec<String>, Option<String>), NotAPage> {
        let page = Page::read(Bytes::from_static(text.as_bytes()), &Form::new(&[]))?;
        let text = |span: &Range<u32>| {
            String::from_utf8(page.body[span.start as usize..span.end as usize].to_vec()).unwrap()
        };
        let records = page.records.iter().map(text).collect();
        Ok((records, page.next_cursor.map(|cursor| cursor.json().to_owned())))
    }

    #[test]
    fn records_stand_where_they_stood() {
        let (records, cursor) =
            read(r#" { "trails" : [ {"id": 1, "s": "]}"} , 7,"x" ,null, [1 , {}] ], "nextCursor": 554891778, "n": {} }"#)
                .unwrap();
        assert_eq!(records, [r#"{"id": 1, "s": "]}"}"#, "7", "\"x\"", "null", "[1 , {}]"]);
        assert_eq!(cursor.as_deref(), Some("554891778"));
    }

    #[test]
    fn every_form_of_cursor_is_taken() {
        for (rest, expected) in [
            ("", None),
            (r#", "nextCursor": null"#, None),
            (r#", "nextCursor": """#, None),
            (r#", "nextCursor": 12345678901234567890123"#, Some("12345678901234567890123")),
            (r#", "nextCursor": "RnJpIEZlYg==""#, Some("\"RnJpIEZlYg==\"")),
            (r#", "meta": {"nextCursor": "01J", "total": 5}"#, Some("\"01J\"")),
            (r#", "meta": {"nextCursor": null}"#, None),
            (r#", "meta": 5"#, None),
            (r#", "nextCursor": 1, "meta": {"nextCursor": 2}"#, Some("1")),
        ] {
            let text: &'static str = format!(r#"{{"trails": []{rest}}}"#).leak();
            assert_eq!(read(text).unwrap().1.as_deref(), expected, "{text}");
        }
        assert!(matches!(read(r#"{"trails": [], "nextCursor": {"a": 1}}"#), Err(NotAPage::Cursor)));
        assert!(matches!(read(r#"{"trails": [], "nextCursor": [1]}"#), Err(NotAPage::Cursor)));
    }

    #[test]
    fn what_is_no_page_is_never_an_empty_one() {
        for text in [
            r#"{"error": {"name": "x"}}"#,
            r#"{"trails": null}"#,
            r#"{"trails": {}}"#,
            r#"{"trails": "none"}"#,
            r#"{"data": []}"#,
            "[]",
            "null",
            "{}",
        ] {
            assert!(matches!(read(text), Err(NotAPage::NoTrails)), "{text}");
        }
        let whole = r#"{"trails": [{"id": 1}], "nextCursor": 5}"#;
        for cut in 0..whole.len() {
            assert!(matches!(read(&whole[..cut]), Err(NotAPage::Json(_))), "{}", &whole[..cut]);
        }
        for text in ["<html><body>Sign in</body></html>", "upstream error", r#"{"trails": []} {"#] {
            assert!(matches!(read(text), Err(NotAPage::Json(_))), "{text}");
        }
    }

    #[test]
    fn broken_utf8_costs_the_character_and_not_the_page() {
        let page = Page::read(Bytes::from_static(b"{\"trails\": [{\"m\": \"a\xffb\"}, 2]}"), &Form::new(&[]))
            .unwrap();
        assert_eq!(page.records.len(), 2);
        let first = &page.records[0];
        assert_eq!(
            &page.body[first.start as usize..first.end as usize],
            "{\"m\": \"a\u{fffd}b\"}".as_bytes()
        );
    }

    fn identities(text: &'static str) -> Vec<(RecordId, Option<Timestamp>)> {
        let form = Form::new(crate::source::VOLATILE);
        Page::read(Bytes::from_static(text.as_bytes()), &form).unwrap().identities
    }

    #[test]
    fn records_are_told_apart_by_id_time_and_content() {
        let ids = identities(
            r#"{"trails": [
                {"id": 7, "timestamp": "2026-11-20T10:00:00.000Z", "data": {"actor": {"active": true}}},
                {"data": {"actor": {"active": false}}, "timestamp": "2026-11-20T10:00:00.000Z", "id": 7},
                {"id": "7", "timestamp": "2026-11-20T10:00:00.000Z", "data": {"actor": {"active": false}}},
                {"id": 7, "timestamp": "2026-11-20T10:00:00.000Z", "message": "new"},
                {"id": 8, "timestamp": 1795168800000, "message": "new"},
                {"id": null, "timestamp": "yesterday"}, {"id": "", "timestamp": null}, [7, 1795168800000], 7, true,
                {"id": 7, "id": 8, "more": [{"timestamp": 1}], "timestamp": "2026-11-20T10:00:00.000Z"},
                {"id": "\u0037", "timestamp": "2026-11-20T10:00:00.000Z", "message": "new"}
            ]}"#,
        );
        let (first, time) = ids[0];
        assert_eq!((first.second, time), (1_795_168_800, Timestamp::read("2026-11-20T10:00:00Z")));
        assert_eq!(ids[1].0, first, "order of members and who is active now make no other record");
        assert_eq!((ids[2].0.native, ids[2].0.content == first.content), (first.native, false));
        assert_eq!((ids[3].0.native, ids[3].0.content == first.content), (first.native, false));
        assert_eq!((ids[4].0.second, ids[4].0.native == first.native), (first.second, false));
        for (id, time) in &ids[5..10] {
            assert_eq!((id.second, id.native, *time), (RecordId::TIMELESS, id.content, None));
        }
        assert_eq!((ids[10].0.native, ids[10].1), (first.native, time), "of two ids the first counts");
        assert_eq!(ids[11].0.native, first.native, "an escaped id is the same id");
    }

    #[test]
    fn both_ways_of_reading_a_page_find_the_same() {
        let text = r#" { "trails" : [ {"id": 7, "timestamp": "2026-11-20T10:00:00.000Z", "data": {"actor": {"active": true}}} ,
            {"id":"\u0037","a":[1,{"b":null}],"s":"]}\"\\"},7,"x",null,[1 , {}], {} ], "nextCursor": "abc", "n": {"a":[]} }"#;
        let form = Form::new(crate::source::VOLATILE);
        let body = Bytes::from_static(text.as_bytes());
        assert!(form.shape.outline(text).is_some());
        let quick = Page::split(text, body.clone(), &form).unwrap();
        let general = Page::split_any(text, body, &form.volatile).unwrap();
        assert_eq!((quick.records.len(), &quick.records), (7, &general.records));
        assert_eq!(quick.identities, general.identities);
        assert_eq!(quick.next_cursor, general.next_cursor);
    }

    #[test]
    fn teams_are_found_where_they_are() {
        let page = Page::read(Bytes::from_static(
            br#"{"trails": [5, {"data": {}}, {"data": {"team": {"name": "T", "id": 1234}}}, {"data": {"team": {"id": "x"}}}]}"#,
        ), &Form::new(&[]));
        assert_eq!(page.unwrap().teams().collect::<Vec<_>>(), ["1234", "x"]);
    }

    /// `cargo test --release -p source-postman -- --ignored --nocapture cost`
    #[test]
    #[ignore = "measures; means something in release only"]
    fn cost_of_a_page() {
        let record = |n: usize| {
            let record = format!(
                r#"{{"id":{},"ip":null,"userAgent":null,"action":"user.login_google_success","timestamp":"2026-11-20T10:{:02}:{:02}.000Z","message":"Zo\u00eb Doe logged in with \"Google\"","data":{{"actor":{{"name":"Zo\u00eb Doe","username":"zoe-doe","email":"zoe.doe@example.com","id":12345678,"active":true}},"user":{{"name":"Zo\u00eb Doe","username":"zoe-doe","email":"zoe.doe@example.com","id":12345678}},"team":{{"name":"Example Team","id":1234}},"variables":{{"pad":""}}}}}}"#,
                500_000_000 + n,
                n / 60 % 60,
                n % 60
            );
            let pad = format!(r#""pad":"{}""#, "x".repeat(588 - record.len()));
            record.replace(r#""pad":"""#, &pad)
        };
        let records: Vec<String> = (0..300).map(record).collect();
        assert!(records.iter().all(|record| record.len() == 588));
        let body = Bytes::from(format!(r#"{{"trails":[{}],"nextCursor":1}}"#, records.join(",")));
        let form = Form::new(crate::source::VOLATILE);
        let round = || {
            let began = std::time::Instant::now();
            let page = Page::read(body.clone(), &form).unwrap();
            assert_eq!(std::hint::black_box(page).identities.len(), 300);
            began.elapsed()
        };
        let best = (0..1000).map(|_| round()).min().unwrap();
        println!("a record of 588 bytes: {:?}", best / 300);
    }
}
