//! A page of the usual form, taken apart and its records identified in one pass over its text.
//!
//! Reading a page as JSON and then each record again, for its identity, costs nearly half as much as mapping the records. A page
//! that is anything but `{"trails": […], "nextCursor": …}` with further members that do not matter is left to the general
//! reader, which also says what is wrong with it.

use std::ops::Range;

use poll::identity::{Content, Volatile};

/// What a page holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outline<'t> {
    /// Where each record stands, and its content.
    pub(crate) trails: Vec<(Range<u32>, Content)>,
    /// The text of `nextCursor`; none where it is absent or `null`.
    pub(crate) next_cursor: Option<&'t str>,
}

/// The outline of a page, if it has the usual form. `text` is shorter than 4 GiB.
pub(crate) fn outline<'t>(text: &'t str, volatile: &Volatile) -> Option<Outline<'t>> {
    let mut reader = Reader { text, at: 0 };
    let none = Volatile::default();
    let (mut trails, mut next_cursor) = (None, None);
    reader.expect(b'{')?;
    loop {
        let key = reader.key()?;
        reader.expect(b':')?;
        match key {
            "trails" if trails.is_none() => trails = Some(reader.trails(volatile)?),
            "nextCursor" if next_cursor.is_none() => {
                let (span, _) = reader.value(&none)?;
                next_cursor = Some(&text[span.start as usize..span.end as usize]);
            }
            // The same member twice, or the cursor in another place: not the usual form.
            "trails" | "nextCursor" | "meta" => return None,
            _ => {
                reader.value(&none)?;
            }
        }
        match reader.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    reader.skip_space();
    let next_cursor = next_cursor.filter(|cursor| *cursor != "null");
    (reader.at == text.len()).then_some(Outline { trails: trails?, next_cursor })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
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

    /// A name without escapes.
    fn key(&mut self) -> Option<&'t str> {
        self.expect(b'"')?;
        let rest = &self.text[self.at..];
        let end = rest.find(['"', '\\'])?;
        let key = &rest[..end];
        self.at += end;
        (self.expect(b'"').is_some() && !key.bytes().any(|byte| byte < 0x20)).then_some(key)
    }

    fn value(&mut self, volatile: &Volatile) -> Option<(Range<u32>, Content)> {
        self.skip_space();
        let start = self.at;
        let (content, end) = Content::read(self.text, start, volatile)?;
        self.at = end;
        Some((u32::try_from(start).ok()?..u32::try_from(end).ok()?, content))
    }

    fn trails(&mut self, volatile: &Volatile) -> Option<Vec<(Range<u32>, Content)>> {
        self.expect(b'[')?;
        let mut trails = Vec::new();
        self.skip_space();
        if self.text.as_bytes().get(self.at) == Some(&b']') {
            self.at += 1;
            return Some(trails);
        }
        loop {
            trails.push(self.value(volatile)?);
            match self.next()? {
                b',' => {}
                b']' => return Some(trails),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Option<(Vec<&str>, Option<&str>)> {
        let outline = outline(text, &Volatile::default())?;
        let part = |(span, _): &(Range<u32>, Content)| &text[span.start as usize..span.end as usize];
        Some((outline.trails.iter().map(part).collect(), outline.next_cursor))
    }

    #[test]
    fn pages_of_the_usual_form_are_followed_and_no_others() {
        assert_eq!(found(r#"{"trails":[],"nextCursor":null}"#), Some((vec![], None)));
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
            r#"{"trails":[],"meta":{"nextCursor":1}}"#,
            "{\"a\nb\":1,\"trails\":[]}",
        ] {
            assert_eq!(found(other), None, "{other}");
        }
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
