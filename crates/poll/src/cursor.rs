//! Opaque cursors, and noticing that they go round in a circle.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

/// Where an API says the next page begins: a JSON scalar of any type, kept and sent back as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// From the JSON text of the answer. `None` for `null` and the empty string, which say that there is no next page,
    /// and for arrays and objects, which are no cursors.
    pub fn from_json(json: &str) -> Option<Self> {
        let json = json.trim();
        let is_scalar = matches!(json.as_bytes().first()?, b'"' | b'-' | b'0'..=b'9' | b't' | b'f');
        (is_scalar && json != "\"\"" && json != "false").then(|| Self(json.into()))
    }

    /// The text for a query string: a string's content, a number's digits as received.
    pub fn text(&self) -> Cow<'_, str> {
        match serde_json::from_str::<Cow<'_, str>>(&self.0) {
            Ok(text) => Cow::Owned(text.into_owned()),
            Err(_) => Cow::Borrowed(&self.0),
        }
    }

    /// The JSON text as received.
    pub fn json(&self) -> &str {
        &self.0
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Cursors come from JSON text, so this parses; should it not, the position is not saved.
        serde_json::from_str::<&RawValue>(&self.0).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(json.get()).ok_or_else(|| de::Error::custom("a cursor is a string, a number or true"))
    }
}

/// Notices a cursor that comes again, in constant memory (Brent's algorithm): it compares each with one that it keeps,
/// and keeps a newer one after 1, 2, 4, 8 … steps, so a circle of any length is found after a few rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CircleGuard {
    kept: Option<Cursor>,
    steps: u64,
    limit: u64,
}

impl CircleGuard {
    /// Whether `next` was given before in this walk.
    pub(crate) fn comes_again(&mut self, next: &Cursor) -> bool {
        if self.kept.as_ref() == Some(next) {
            return true;
        }
        self.steps += 1;
        if self.steps >= self.limit {
            self.kept = Some(next.clone());
            self.limit = (self.limit * 2).max(1);
            self.steps = 0;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_01_cursors_are_scalars_of_any_type_sent_back_as_received() {
        for (json, text) in [
            ("554891778", "554891778"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("1.50", "1.50"),
            ("\"abc+/=\"", "abc+/="),
            ("\"\\u00e9\\/\"", "é/"),
            ("\"7\"", "7"),
            ("true", "true"),
        ] {
            let cursor = Cursor::from_json(json).unwrap();
            assert_eq!(cursor.text(), text);
            let saved = serde_json::to_string(&cursor).unwrap();
            assert_eq!(saved, json, "saved as received");
            assert_eq!(serde_json::from_str::<Cursor>(&saved).unwrap(), cursor);
        }
        for json in ["null", "", "\"\"", "{}", "[1]", "false", " null "] {
            assert_eq!(Cursor::from_json(json), None, "{json}");
        }
    }

    #[test]
    fn a_circle_of_any_length_is_found_and_a_straight_walk_is_none() {
        for length in 1..60 {
            let mut guard = CircleGuard::default();
            let cursor = |n: u32| Cursor::from_json(&n.to_string()).unwrap();
            assert!((0..10).all(|n| !guard.comes_again(&cursor(n))));
            let rounds = (0..6 * (length + 10)).map(|n| 10 + n % length);
            assert!(rounds.map(cursor).any(|next| guard.comes_again(&next)), "length {length}");
        }
        let mut guard = CircleGuard::default();
        assert!((0..10_000).all(|n| !guard.comes_again(&Cursor::from_json(&n.to_string()).unwrap())));
    }
}
