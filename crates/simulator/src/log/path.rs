//! Members by dotted path, and names in a query.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// The names of a dotted path; a name with a dot in it stands in quotes.
fn names(path: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    for character in path.chars() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => names.push(std::mem::take(&mut name)),
            other => name.push(other),
        }
    }
    names.push(name);
    names
}

/// Puts a member where the path says.
pub(super) fn set(members: &mut Map<String, Value>, path: &str, value: Value) {
    set_at(members, &names(path), value);
}

fn set_at(members: &mut Map<String, Value>, names: &[String], value: Value) {
    match names {
        [] => {}
        [name] => drop(members.insert(name.clone(), value)),
        [name, rest @ ..] => {
            let inner = members.entry(name.clone()).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            if let Value::Object(inner) = inner {
                set_at(inner, rest, value);
            }
        }
    }
}

/// The member at that path.
pub(super) fn get<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    names(path).iter().try_fold(value, |value, name| value.get(name))
}

/// Members of a body by dotted path.
pub(super) fn flatten(path: &str, value: &Value, out: &mut HashMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let name = if name.contains('.') { format!("\"{name}\"") } else { name.clone() };
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                flatten(&path, value, out);
            }
        }
        Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
        other => drop(out.insert(path.to_owned(), other.to_string())),
    }
}

/// The pairs of a query or a form.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
}

/// A name or value of a query.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let hex = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'+', ..) => bytes.push(b' '),
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A name or value for a query.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_into_objects_and_quotes_keep_dots() {
        let mut members = Map::new();
        set(&mut members, "a.\"b.c\".d", json!(1));
        set(&mut members, "a.e", json!("x"));
        let value = Value::Object(members);
        assert_eq!(value, json!({"a": {"b.c": {"d": 1}, "e": "x"}}));
        assert_eq!(get(&value, "a.\"b.c\".d"), Some(&json!(1)));
        assert_eq!(get(&value, "a.b"), None);
        let mut flat = HashMap::new();
        flatten("", &value, &mut flat);
        assert_eq!(flat["a.\"b.c\".d"], "1");
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        for text in ["page[cursor]", "created:>=2026-11-20T10:00:00Z", "a b&c=d", "ü%"] {
            let query = format!("{}={}", encoded(text), encoded(text));
            assert_eq!(pairs(&query).next(), Some((text.to_owned(), text.to_owned())));
        }
        assert_eq!(pairs("a+b=c%20d").next(), Some(("a b".to_owned(), "c d".to_owned())));
    }
}
