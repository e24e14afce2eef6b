//! A page taken apart and its records identified in one pass over its text: [`Shape::outline`].
//!
//! Reading a page as JSON and then each record again, for its identity, costs nearly half as much as mapping the records.
//! A page that has not the expected shape is not understood here: whoever asks reads it in another way and finds out what is wrong.

use std::borrow::Cow;
use std::ops::Range;

use crate::Path;
use crate::identity::{Content, Members, Place};

/// Where on a page what stands.
///
/// ```
/// use poll::{Path, outline::Shape};
///
/// let mut shape = Shape::new(Path::of(&["items"]));
/// let next = shape.value(&Path::of(&["meta", "next"]));
/// let id = shape.record.find(&Path::of(&["id"]));
/// let text = r#"{"items": [{"id": 7}, {"id": 8}], "meta": {"next": "abc"}}"#;
/// let outline = shape.outline(text).unwrap();
/// let second = &text[outline.places(1)[id].clone().unwrap().start as usize..][..1];
/// assert_eq!((outline.records.len(), second, outline.values[next]), (2, "8", Some("\"abc\"")));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Shape {
    top: Node,
    values: usize,
    /// What matters in each record.
    pub record: Members,
}

/// A member of the page, or the page itself.
#[derive(Clone, Debug, Default)]
struct Node {
    members: Vec<(Box<str>, Node)>,
    /// The records are its elements.
    is_list: bool,
    slot: Option<usize>,
}

/// What a page holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline<'t> {
    /// Where each record stands, and its content.
    pub records: Vec<(Range<u32>, Content)>,
    /// The JSON texts of the values that were asked for; of members that stand there twice the first.
    pub values: Vec<Option<&'t str>>,
    places: Vec<Place>,
    places_each: usize,
}

impl Outline<'_> {
    /// Where the members of [`Shape::record`] that are to be found stand on the page, for one record.
    pub fn places(&self, record: usize) -> &[Place] {
        let from = record * self.places_each;
        self.places.get(from..from + self.places_each).unwrap_or_default()
    }
}

impl Shape {
    /// Of a page whose records are the elements of the list at `records`; the empty path is the page itself.
    pub fn new(records: Path) -> Self {
        let mut shape = Self::default();
        shape.top.at(records.names()).is_list = true;
        shape
    }

    /// Asks for a value beside the records. Returns its number among [`Outline::values`].
    pub fn value(&mut self, path: &Path) -> usize {
        let next = self.values;
        let slot = *self.top.at(path.names()).slot.get_or_insert(next);
        self.values = self.values.max(slot + 1);
        slot
    }

    /// The outline of a page, if it has this shape and the list of records once. `text` is shorter than 4 GiB.
    pub fn outline<'t>(&self, text: &'t str) -> Option<Outline<'t>> {
        let mut reader = Reader {
            text,
            at: 0,
            record: &self.record,
            has_records: false,
            found: Outline {
                values: vec![None; self.values],
                places_each: self.record.places(),
                ..Outline::default()
            },
        };
        reader.node(&self.top)?;
        reader.skip_space();
        (reader.at == text.len() && reader.has_records).then_some(reader.found)
    }
}

impl Node {
    fn at(&mut self, names: &[Box<str>]) -> &mut Self {
        let Some((name, rest)) = names.split_first() else { return self };
        let index = self.members.iter().position(|(member, _)| member == name).unwrap_or_else(|| {
            self.members.push((name.clone(), Self::default()));
            self.members.len() - 1
        });
        self.members[index].1.at(rest)
    }

    fn member(&self, name: &str) -> Option<&Self> {
        self.members.iter().find(|(member, _)| **member == *name).map(|(_, node)| node)
    }
}

struct Reader<'t, 's> {
    text: &'t str,
    at: usize,
    record: &'s Members,
    has_records: bool,
    found: Outline<'t>,
}

impl<'t> Reader<'t, '_> {
    fn node(&mut self, node: &Node) -> Option<()> {
        self.skip_space();
        let start = self.at;
        match self.text.as_bytes().get(start)? {
            b'[' if node.is_list => self.list()?,
            b'{' if !node.members.is_empty() => self.object(node)?,
            _ => {
                self.value(&Members::default())?;
            }
        }
        if let Some(value) = node.slot.and_then(|slot| self.found.values.get_mut(slot)) {
            value.get_or_insert(&self.text[start..self.at]);
        }
        Some(())
    }

    fn object(&mut self, node: &Node) -> Option<()> {
        self.expect(b'{')?;
        self.skip_space();
        if self.text.as_bytes().get(self.at) == Some(&b'}') {
            self.at += 1;
            return Some(());
        }
        let none = Node::default();
        loop {
            let key = self.key()?;
            self.expect(b':')?;
            self.node(node.member(key).unwrap_or(&none))?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn list(&mut self) -> Option<()> {
        // The same list twice: which one counts is not for here to say.
        if std::mem::replace(&mut self.has_records, true) {
            return None;
        }
        self.expect(b'[')?;
        self.skip_space();
        if self.text.as_bytes().get(self.at) == Some(&b']') {
            self.at += 1;
            return Some(());
        }
        let members = self.record;
        loop {
            let record = self.value(members)?;
            self.found.records.push(record);
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Any value; notes the places of its members.
    fn value(&mut self, members: &Members) -> Option<(Range<u32>, Content)> {
        self.skip_space();
        let (start, first) = (self.at, self.found.places.len());
        self.found.places.resize(first + members.places(), None);
        let places = &mut self.found.places[first..];
        let (content, end) = Content::read_noting(self.text, start, members, places)?;
        self.at = end;
        Some((u32::try_from(start).ok()?..u32::try_from(end).ok()?, content))
    }

    /// A name without escapes.
    fn key(&mut self) -> Option<&'t str> {
        self.expect(b'"')?;
        let rest = &self.text[self.at..];
        let end = rest.find(['"', '\\'])?;
        let key = &rest[..end];
        self.at += end;
        (self.expect(b'"').is_some() && !key.bytes().any(|byte| byte < 0x20)).then_some(key)
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        byte
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
    }
}

/// The JSON text of one member of a JSON value, if it is there.
pub fn lookup<'t>(text: &'t str, path: &Path) -> Option<&'t str> {
    if path.is_empty() {
        return Some(text.trim());
    }
    let mut shape = Shape::default();
    let slot = shape.value(path);
    let mut reader = Reader {
        text,
        at: 0,
        record: &shape.record,
        has_records: false,
        found: Outline { values: vec![None; shape.values], ..Outline::default() },
    };
    reader.node(&shape.top)?;
    reader.found.values[slot]
}

/// A string's content or a number's digits; nothing for an empty string, for other values and for what is no JSON.
pub fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes() {
        [b'-' | b'0'..=b'9', ..] => Some(Cow::Borrowed(json)),
        [b'"', b'"'] => None,
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Some(Cow::Borrowed(&json[1..json.len() - 1])),
        [b'"', ..] => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape() -> (Shape, usize) {
        let mut shape = Shape::new(Path::of(&["trails"]));
        let next = shape.value(&Path::of(&["nextCursor"]));
        (shape, next)
    }

    fn found(text: &str) -> Option<(Vec<&str>, Option<&str>)> {
        let (shape, next) = shape();
        let outline = shape.outline(text)?;
        let part = |(span, _): &(Range<u32>, Content)| &text[span.start as usize..span.end as usize];
        Some((outline.records.iter().map(part).collect(), outline.values[next]))
    }

    #[test]
    fn pages_of_the_shape_are_followed_and_no_others() {
        assert_eq!(found(r#"{"trails":[],"nextCursor":null}"#), Some((vec![], Some("null"))));
        assert_eq!(
            found(" { \"x\" : [1, {}] , \"trails\" : [ {\"a\":1} , 7,\"b\" ] , \"nextCursor\" : 12.50 } \n"),
            Some((vec![r#"{"a":1}"#, "7", "\"b\""], Some("12.50")))
        );
        for other in [
            "",
            "[]",
            "{}",
            r#"{"nextCursor":1}"#,
            r#"{"trails":{}}"#,
            r#"{"trails":[1}"#,
            r#"{"trails":[1,]}"#,
            r#"{"trails":[1],}"#,
            r#"{"trails":[1]} x"#,
            r#"{"trails":[1]"#,
            r#"{"trails":[{"a":01}]}"#,
            r#"{"trails":[],"trails":[]}"#,
            r#"{"tr\u0061ils":[]}"#,
            "{\"a\nb\":1,\"trails\":[]}",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn records_lie_anywhere_and_their_members_too() {
        let mut shape = Shape::new(Path::of(&["meta", "log"]));
        let cursor = shape.value(&Path::of(&["meta", "cursor"]));
        let whole = shape.value(&Path::of(&["meta"]));
        let time = shape.record.find(&Path::of(&["at", "time"]));
        let id = shape.record.find(&Path::of(&["id"]));
        assert_eq!(shape.record.find(&Path::of(&["id"])), id);
        let text = r#"{"a": {}, "meta": {"cursor": {"x": 1}, "log": [{"at": {"time": 5, "id": 6}, "id": "7", "id": 8}, 9]}}"#;
        let outline = shape.outline(text).unwrap();
        let place = |record: usize, slot: usize| {
            outline.places(record)[slot].clone().map(|span| &text[span.start as usize..span.end as usize])
        };
        assert_eq!(
            (place(0, time), place(0, id), place(1, time), place(1, id)),
            (Some("5"), Some("\"7\""), None, None)
        );
        assert_eq!(outline.values[cursor], Some(r#"{"x": 1}"#));
        assert!(outline.values[whole].unwrap().ends_with("9]}"));
        let root = Shape::new(Path::default());
        assert_eq!(root.outline(" [1,2] ").unwrap().records.len(), 2);
        assert!(root.outline(r#"{"message": "no"}"#).is_none());
        assert_eq!(lookup(text, &Path::of(&["meta", "cursor", "x"])), Some("1"));
        assert_eq!(lookup(text, &Path::of(&["meta", "nothing"])), None);
        assert_eq!(lookup(text, &Path::of(&["meta", "log", "at"])), None, "paths lead through objects only");
        assert_eq!(lookup(" 7 ", &Path::default()), Some("7"));
        assert_eq!(lookup("[1", &Path::of(&["a"])), None);
    }

    proptest! {
        /// Whatever it takes is JSON, and says the same as the general reader.
        #[test]
        fn what_it_takes_is_json(
            records in prop::collection::vec(r#"\{"id":[0-9]{1,3},"t":"[a"\\ ]{0,4}"\}|[0-9\[\]{},"]{1,3}"#, 0..4),
            tail in r#"(,"nextCursor":(null|[0-9"]{1,4}))?\}?[ }]?"#,
        ) {
            let text = format!("{{\"trails\":[{}]{tail}", records.join(","));
            if let Some((trails, next_cursor)) = found(&text) {
                let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                let parsed: Vec<serde_json::Value> =
                    trails.iter().map(|record| serde_json::from_str(record).unwrap()).collect();
                prop_assert_eq!(&json["trails"], &serde_json::Value::Array(parsed));
                let cursor = next_cursor.map(|cursor| serde_json::from_str(cursor).unwrap());
                prop_assert_eq!(&json["nextCursor"], &cursor.unwrap_or(serde_json::Value::Null));
            }
        }
    }
}
