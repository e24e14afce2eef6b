use proptest::prelude::*;

use super::*;
use crate::entry::Text;

/// The text that comes out when all of `text` is read and written again; nothing if it is not read.
fn rewritten(text: &str) -> Option<String> {
    Buffers::default().read(text, |root| {
        let mut out = Vec::new();
        whole(&mut Line::new(&mut out), root.ok()?);
        Some(String::from_utf8(out).unwrap())
    })
}

#[test]
fn reading_and_writing_keeps_everything() {
    for text in ["null", "[1,-2.50e3,\"a\",{},[]]", r#"{"a":{"b":[{"c":true}]},"":""}"#] {
        assert_eq!(rewritten(text).as_deref(), Some(text));
    }
    assert_eq!(rewritten(r#" { "\u0061" : "\u00e9\/\n\u0001" } "#).as_deref(), Some(r#"{"a":"é/\n\u0001"}"#));
    assert_eq!(rewritten(r#"{"a":1,"b":2,"a":3}"#).as_deref(), Some(r#"{"b":2,"a":3}"#));
    assert_eq!(
        rewritten("[1e400,1e-400,123456789012345678901234567890]").as_deref(),
        Some("[\"1e400\",1e-400,123456789012345678901234567890]")
    );
}

#[test]
fn objects_with_many_members_keep_the_last_of_equal_keys() {
    let members: Vec<_> = (0..200).map(|n| format!("\"k{}\":{n}", n % 150)).collect();
    let expected: Vec<_> = (50..200).map(|n| format!("\"k{}\":{n}", n % 150)).collect();
    assert_eq!(
        rewritten(&format!("{{{}}}", members.join(","))).unwrap(),
        format!("{{{}}}", expected.join(","))
    );
}

#[test]
fn what_is_used_or_blank_is_no_leftover() {
    let text = r#"{"a":1,"b":{"c":2,"d":3,"e":null},"f":[],"g":{"h":""},"i":{"j":{"k":4}}}"#;
    let rest = |keys: &[&str]| {
        Buffers::default().read(text, |root| {
            let root = root.unwrap();
            let nested = root.members().flat_map(Value::members);
            root.members()
                .chain(nested)
                .filter(|value| keys.contains(&value.key()))
                .for_each(Value::mark_used);
            let mut out = Vec::new();
            leftovers(&mut Line::new(&mut out), root).then(|| String::from_utf8(out).unwrap())
        })
    };
    assert_eq!(rest(&[]).as_deref(), Some(r#"{"a":1,"b":{"c":2,"d":3},"i":{"j":{"k":4}}}"#));
    assert_eq!(rest(&["a", "c", "j"]).as_deref(), Some(r#"{"b":{"d":3}}"#));
    assert_eq!(rest(&["a", "b", "i"]), None);
}

#[test]
fn json_inside_a_string_is_read_too() {
    let inside = |text: &str| {
        Buffers::default().read(text, |root| {
            let string = root.unwrap().members().next().unwrap();
            let mut out = Vec::new();
            whole(&mut Line::new(&mut out), string.embedded()?);
            Some(String::from_utf8(out).unwrap())
        })
    };
    assert_eq!(inside(r#"{"a":"{\"b\":[\"\\u0063\",\"[1]\"]}"}"#).as_deref(), Some(r#"{"b":["c","[1]"]}"#));
    assert_eq!(inside(r#"{"a":"[1,2] "}"#).as_deref(), Some("[1,2]"));
    for none in [
        r#"{"a":"{"}"#,
        r#"{"a":"[1] x"}"#,
        r#"{"a":" [1]"}"#,
        r#"{"a":"7"}"#,
        r#"{"a":[1]}"#,
        r#"{"a":"{\"b\":\"\\q\"}","c":1}"#,
    ] {
        assert_eq!(inside(none), None, "{none}");
    }
    // A string around it stays one value, and what follows is not disturbed.
    assert_eq!(rewritten(r#"["{\"a\":[1,2]}","[x",3]"#).as_deref(), Some(r#"["{\"a\":[1,2]}","[x",3]"#));
}

#[test]
fn a_huge_record_does_not_stay_in_memory() {
    let mut buffers = Buffers::default();
    let huge = format!("[{}1]", "1,".repeat(100_000));
    assert!(buffers.read(&huge, |root| root.is_ok()));
    assert!(buffers.read("[1]", |root| root.unwrap().size() == 2));
}

#[test]
fn commas_stand_between_members_only() {
    let mut out = Vec::new();
    let mut line = Line::new(&mut out);
    line.push("{");
    line.number(key!("a"), 1);
    line.key(key!("b"));
    line.push("{");
    line.string(key!("c"), "{");
    line.text(key!("d"), Text::constant("["));
    line.push("},\"e\":[");
    line.item();
    line.push("1");
    line.item();
    line.joined(Text::foreign("x\""), Text::constant("y"));
    line.push("]}");
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":1,"b":{"c":"{","d":"["},"e":[1,"x\"y"]}"#);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn escapes_are_those_of_the_json_library(text in "([\\x00-\\x24\\\\\"a-zé日]|[ -~]{8}){0,40}") {
        let mut out = Vec::from("before");
        escape(&mut out, text.as_bytes());
        let expected = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(String::from_utf8(out).unwrap(), format!("before{}", &expected[1..expected.len() - 1]));
    }

    #[test]
    fn strings_are_read_as_the_json_library_reads_them(text in "\"([ -~]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}|é){0,40}\"") {
        let expected = serde_json::from_str::<String>(&text).ok();
        let found = Buffers::default().read(&text, |root| root.ok().map(|root| root.text().value.to_owned()));
        match expected {
            Some(expected) => prop_assert_eq!(found, Some(expected)),
            // Only half surrogate pairs are taken beyond what the library takes.
            None => prop_assert!(found.is_none_or(|found| found.contains(char::REPLACEMENT_CHARACTER))),
        }
    }

    #[test]
    fn long_texts_are_escaped_block_by_block(text in "[a\\x01\"]{4090,4200}") {
        let mut out = Vec::new();
        escape(&mut out, text.as_bytes());
        let expected = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(&String::from_utf8(out).unwrap(), &expected[1..expected.len() - 1]);
    }
}
