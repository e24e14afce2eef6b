use std::collections::HashMap;
use std::iter::Cycle;
use std::slice;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde::de::IgnoredAny;

use super::*;

fn content_without(paths: &[&str], text: impl AsRef<[u8]>) -> u64 {
    record_id(text.as_ref(), None, None, &Members::volatile(paths)).content
}

fn content(text: impl AsRef<[u8]>) -> u64 {
    content_without(&[], text)
}

#[test]
fn the_same_json_has_the_same_content() {
    for texts in [
        &["{}", "{ }", " \t\r\n{\n}\n"][..],
        &["[1,[],{}]", " [ 1 , [ ] , { } ] "],
        &[r#"{"a":1,"b":{"c":2,"d":3}}"#, r#"{"b":{"d":3,"c":2},"a":1}"#],
        &[r#"{"a":1,"a":2,"b":3}"#, r#"{"b":3,"a":2,"a":1}"#],
        &[r#""é/""#, r#""\u00e9\/""#, r#""\u00E9/""#],
        &[r#"{"é":1}"#, r#"{"\u00e9":1}"#],
        &[r#""😀\"\\""#, r#""\ud83d\ude00\u0022\u005c""#],
        &[r#""\b\f\n\r\t""#, r#""\u0008\u000c\u000A\u000d\u0009""#],
        &["\"\u{10000}\u{10ffff}\"", r#""\ud800\udc00\uDBFF\uDFFF""#],
        &[r#""\ud800\ud83d\ude00""#, r#""\uD800😀""#],
    ] {
        for text in texts {
            assert!(canonical_hash(text.as_bytes(), &Members::default()).is_some(), "{text}");
            assert_eq!(content(text), content(texts[0]), "{text}");
        }
    }
}

#[test]
fn different_json_has_different_content() {
    for (one, other) in [
        ("1", "\"1\""),
        ("1", "1.0"),
        ("1", "1e0"),
        ("0", "-0"),
        ("null", "\"null\""),
        ("true", "false"),
        ("{}", "[]"),
        ("{}", r#"{"":""}"#),
        ("[]", "[null]"),
        ("[[]]", "[]"),
        ("[[],[]]", "[[[]]]"),
        ("[1,2]", "[2,1]"),
        ("[1,[2,3]]", "[[1,2],3]"),
        (r#"["ab"]"#, r#"["a","b"]"#),
        (r#"["a,b"]"#, r#"["a","b"]"#),
        (r#"["a\",\"b"]"#, r#"["a","b"]"#),
        (r#"{"a":1}"#, r#"["a",1]"#),
        (r#"{"a":1}"#, r#"{"a":1,"a":1}"#),
        (r#"{"a":1}"#, r#"{"a":null}"#),
        (r#"{"a":"b"}"#, r#"{"b":"a"}"#),
        (r#"{"a":1,"b":2}"#, r#"{"a":2,"b":1}"#),
        (r#"{"a":{"b":1},"c":2}"#, r#"{"a":{"b":1,"c":2}}"#),
        (r#"{"a":{"b":1},"c":{"d":1}}"#, r#"{"a":{"d":1},"c":{"b":1}}"#),
        (r#""é""#, "\"e\u{301}\""),
        (r#""\ud800""#, r#""\udc00""#),
        (r#""\ud800""#, r#""\ufffd""#),
        (r#""\\u00e9""#, r#""\u00e9""#),
        ("[1]", "[1] x"),
        ("[1 1]", "[1,1]"),
        ("[1,1", "[1,1]"),
        ("", "\"\""),
    ] {
        assert_ne!(content(one), content(other), "{one} {other}");
    }
}

/// Every value that a few scalars, two names and two levels of containers of up to two make has a hash of its own.
#[test]
fn no_two_small_values_share_a_hash() {
    fn values_of(elements: &[String]) -> Vec<String> {
        let members: Vec<_> =
            elements.iter().flat_map(|e| ["a", "b"].map(|name| format!("\"{name}\":{e}"))).collect();
        let mut values = vec!["[]".to_owned(), "{}".to_owned()];
        values.extend(elements.iter().map(|e| format!("[{e}]")));
        values.extend(elements.iter().flat_map(|e| elements.iter().map(move |f| format!("[{e},{f}]"))));
        values.extend(members.iter().map(|m| format!("{{{m}}}")));
        for (index, m) in members.iter().enumerate() {
            values.extend(members[index..].iter().map(|n| format!("{{{},{}}}", m.min(n), m.max(n))));
        }
        values
    }
    let scalars = ["null", "true", "1", "11", "-1", "\"\"", "\"a\"", "\"b\"", "\"ab\"", "\"1\"", "\"null\""];
    let scalars = scalars.map(String::from);
    let flat = values_of(&scalars);
    let some: Vec<_> = scalars.iter().chain(flat.iter().step_by(7)).cloned().collect();
    let mut texts = HashMap::new();
    for text in scalars.iter().cloned().chain(values_of(&some)).chain(flat) {
        let known = texts.entry(content(&text)).or_insert_with(|| text.clone());
        assert_eq!(*known, text);
    }
    assert!(texts.len() > 10_000, "{}", texts.len());
}

#[test]
fn text_that_is_not_json_is_told_apart_byte_by_byte() {
    let words = r#"nul nulll tru True { } [ [1 [1, [1,] [,1] [1[2]] {1:2} {"a"} {"a":} {"a"1} {"a":1,} {,} {a:1} '1'
        01 -01 + - +1 1. .1 1.e1 1e 1e+ 1e+- " "\ "\" "\x" "\U0031" "\u" "\u12" "\u12g4" "\u+123" "\ud800\u" "a"b"#;
    let rest: [&[u8]; _] =
        [b"", b" ", b"1 1", b"[1 2]", b"\x0b1", b"\xef\xbb\xbf1", b"1\0", b"\"\xff\"", b"\"\xed\xa0\x80\""];
    let texts: Vec<_> = words.split_ascii_whitespace().map(str::as_bytes).chain(rest).collect();
    let mut hashes = HashMap::new();
    for text in texts {
        assert_eq!(canonical_hash(text, &Members::default()), None, "{}", text.escape_ascii());
        assert_eq!(hashes.insert(content(text), text), None, "{}", text.escape_ascii());
    }
    assert_ne!(content(b"\"\xed\xa0\x80\""), content(r#""\ud800""#));
}

/// Wherever in the words of eight bytes they stand.
#[test]
fn quotes_backslashes_and_control_characters_do_not_stand_for_themselves_in_strings() {
    for (at, byte) in (0..20).flat_map(|at| (0..128).map(move |byte| (at, byte))) {
        let mut text = *b"\"xxxxxxxxxxxxxxxxxxxx\"";
        text[1 + at] = byte;
        let plain = byte >= b' ' && byte != b'"' && byte != b'\\';
        let is_json = canonical_hash(&text, &Members::default()).is_some();
        assert_eq!(is_json, plain, "byte {byte} at {at}");
    }
}

#[test]
fn text_that_is_nested_too_deep_is_hashed_as_bytes() {
    let nested = |depth, space| format!("{}{space}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(content(nested(64, "")), content(nested(64, " ")));
    assert_ne!(content(nested(65, "")), content(nested(65, " ")));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(65), "}".repeat(65));
    assert_eq!(canonical_hash(objects.as_bytes(), &Members::default()), None);
    content("[".repeat(1_000_000));
    content(r#"{"a":"#.repeat(1_000_000));
}

#[test]
fn collection_08_content_is_compared_without_volatile_paths() {
    let hash = |text| content_without(&["data.actor.active", "seen"], text);
    let base = hash(r#"{"data":{"actor":{"id":1,"active":true}}}"#);
    for same in [
        r#"{"data":{"actor":{"id":1,"active":false}}}"#,
        r#"{"data":{"actor":{"active":{"since":[1]},"id":1}}}"#,
        r#"{"data":{"actor":{"id":1}}}"#,
        r#"{"seen":3,"data":{"actor":{"\u0061ctive":0,"id":1,"active":1}}}"#,
    ] {
        assert_eq!(hash(same), base, "{same}");
    }
    for different in [
        r#"{"data":{"actor":{"id":2,"active":true}}}"#,
        r#"{"data":{"actor":{"id":1,"Active":true}}}"#,
        r#"{"data":{"actor":{"id":1},"active":true}}"#,
        r#"{"data":{"actor":{"id":1,"seen":true}}}"#,
        r#"{"data":{"actor":{"id":1,"x":{"active":true}}}}"#,
        r#"{"data":{"actor":[{"id":1,"active":true}]}}"#,
        r#"{"data":[{"actor":{"id":1,"active":true}}]}"#,
        r#"{"data":{"actor":{"id":1}},"actor":{"active":true}}"#,
        r#"{"data":{"actor":{"id":1}},"data.actor.active":true}"#,
        r#"[{"data":{"actor":{"id":1}}}]"#,
        r#"{"data":{"actor":{"id":1}},"seen":x}"#,
    ] {
        assert_ne!(hash(different), base, "{different}");
    }
    let in_array = |paths, flag| content_without(paths, format!(r#"{{"list":[{{"active":{flag}}}]}}"#));
    assert_ne!(in_array(&["list.active"], true), in_array(&["list.active"], false));
}

#[test]
fn an_id_is_its_text_and_the_content_where_there_is_none() {
    let none = Members::default();
    let time = Timestamp::from_millis(1_795_165_523_999);
    let id = record_id(b"{}", Some("50000001"), Some(time), &none);
    assert_eq!(id, RecordId { second: 1_795_165_523, native: 0x742b_3449_b260_991c, content: content("{}") });
    let before_1970 = record_id(b"{}", None, Some(Timestamp::from_millis(-1)), &none);
    assert_eq!(before_1970.second, -1);
    let timeless = record_id(b"{\"a\":1}", None, None, &none);
    assert_eq!((timeless.second, timeless.native), (RecordId::TIMELESS, timeless.content));
    let native = |id| record_id(b"{}", id, None, &none).native;
    assert_ne!(native(Some("8")), native(Some("7")));
    assert_ne!(native(Some("")), native(None));
}

/// What is on disk was written by earlier versions: these never change. The values come from a second implementation,
/// written from the table in the module's documentation.
#[test]
fn the_content_hash_is_stable_for_ever() {
    let long = format!("\"{}\"", "long text ".repeat(30));
    let record = r#" {"id": 50000001, "ip": null, "data": {"actor": {"name": "Zo\u00eb", "roles": ["admin", "user"], "n": -1.50e+3}}}"#;
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let vectors: [(&[u8], u64); _] = [
        (b"null", 0xb785_b6ec_423c_44e1),
        (b"true", 0x40bb_d512_750b_7629),
        (b"0", 0x1982_e3a7_bb24_1055),
        (b"-12.50e+7", 0x5b84_0e85_1e92_ceee),
        (b"\"\"", 0xa102_76e8_38f4_5d34),
        (b"\"abc\"", 0x236a_c269_8e6b_6688),
        (br#""\ud83d\ude00\ud83d \"\\\/\b\f\n\r\t\u0000""#, 0xadd9_d12f_0497_1bd8),
        (long.as_bytes(), 0xc8c5_b71e_a1a7_4297),
        (b"[]", 0x1a05_abcf_a1f5_8a3f),
        (b"{}", 0x60d8_48bf_f832_74a3),
        (b"[[],{},[null]]", 0x4b4f_61d8_c15a_4873),
        (b"[\"a\",\"b\"]", 0x1476_f791_6090_75b7),
        (br#"{"a":1,"b":[true,false]}"#, 0xfd2c_54ee_1137_da84),
        (br#"{"a":1,"a":1}"#, 0x4a9c_ce14_789d_b79c),
        (record.as_bytes(), 0xfb16_63e0_1519_761e),
        (b"", 0x4d50_739a_f8f9_9a55),
        (b"{", 0xbcb2_0add_4e65_e318),
        (b"1 1", 0xe060_1b2b_632e_c9c9),
        (b"\xff", 0xcfd4_6c85_5077_08e2),
        (deep.as_bytes(), 0xe21d_500d_36d3_7d7a),
    ];
    for (text, hash) in vectors {
        assert_eq!(content(text), hash, "{:#018x} {}", content(text), text.escape_ascii());
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Json {
    /// `null`, a truth value or a number.
    Bare(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

fn any_string() -> impl Strategy<Value = String> {
    let chars = ['a', 'b', '1', '"', '\\', '/', '\n', '\t', '\0', '\u{1f}', ' ', 'é', '\u{2028}', '😀'];
    vec(prop_oneof![select(&['a', 'b', '1'][..]), select(chars.to_vec())], 0..20).prop_map(String::from_iter)
}

fn any_json() -> impl Strategy<Value = Json> {
    let bare = select(&["null", "true", "false", "0", "-0", "1", "12", "1.0", "1e0", "-12.5E+3"][..]);
    let scalar =
        prop_oneof![bare.prop_map(|text| Json::Bare(text.into())), any_string().prop_map(Json::String)];
    scalar.prop_recursive(4, 40, 5, |below| {
        let name = prop_oneof![select(&["a", "b", "c", "", "a.b"][..]).prop_map(String::from), any_string()];
        prop_oneof![
            vec(below.clone(), 0..5).prop_map(Json::Array),
            vec((name, below), 0..5).prop_map(Json::Object)
        ]
    })
}

/// Chooses how JSON is written.
struct Dice<'d>(Cycle<slice::Iter<'d, u8>>);

impl Dice<'_> {
    fn roll(&mut self, sides: usize) -> usize {
        usize::from(*self.0.next().unwrap()) % sides
    }
}

fn any_dice() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..100)
}

fn written(json: &Json, dice: &[u8]) -> String {
    let mut text = String::new();
    write(json, &mut Dice(dice.iter().cycle()), &mut text);
    text
}

fn write(json: &Json, dice: &mut Dice<'_>, text: &mut String) {
    write_space(dice, text);
    match json {
        Json::Bare(bare) => text.push_str(bare),
        Json::String(string) => write_string(string, dice, text),
        Json::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                write(element, dice, text);
            }
            write_space(dice, text);
            text.push(']');
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let mut comma = "";
            text.push('{');
            while !members.is_empty() {
                let (name, value) = members.swap_remove(dice.roll(members.len()));
                text.push_str(comma);
                comma = ",";
                write_space(dice, text);
                write_string(name, dice, text);
                write_space(dice, text);
                text.push(':');
                write(value, dice, text);
            }
            write_space(dice, text);
            text.push('}');
        }
    }
    write_space(dice, text);
}

fn write_space(dice: &mut Dice<'_>, text: &mut String) {
    text.push_str(["", "", "", " ", "\n", "\t", "\r\n  "][dice.roll(7)]);
}

fn write_string(string: &str, dice: &mut Dice<'_>, text: &mut String) {
    text.push('"');
    for char in string.chars() {
        let short = match char {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\n' => Some("\\n"),
            '\t' => Some("\\t"),
            _ => None,
        };
        let must_escape = char < ' ' || char == '"' || char == '\\';
        match (dice.roll(4), short) {
            (0, Some(short)) => text.push_str(short),
            (1.., _) if !must_escape => text.push(char),
            (roll, _) => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let escape = if roll == 2 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                    text.push_str(&escape);
                }
            }
        }
    }
    text.push('"');
}

/// Everything in `json` that one change can be made to: scalars, and names as strings.
fn changes(json: &Json) -> Vec<Json> {
    match json {
        Json::Bare(bare) => {
            let others = ["null", "true", "0", "-0"].into_iter().filter(|other| other != bare);
            let others = others.map(|other| Json::Bare(other.into()));
            others.chain([Json::String(bare.clone()), Json::Array(vec![json.clone()])]).collect()
        }
        Json::String(string) => {
            let mut shorter = string.clone();
            let shorter = shorter.pop().map(|_| Json::String(shorter));
            let longer = ["a", "\"", "\0"].map(|end| Json::String(format!("{string}{end}")));
            let other = Json::String(string.replace('a', "b"));
            let others = longer.into_iter().chain(shorter).chain([other, Json::Bare("null".into())]);
            others.filter(|other| other != json).collect()
        }
        Json::Array(elements) => changes_of_one(elements, changes).into_iter().map(Json::Array).collect(),
        Json::Object(members) => changes_of_one(members, |(name, value)| {
            let values = changes(value).into_iter().map(|value| (name.clone(), value));
            let names = changes(&Json::String(name.clone())).into_iter().filter_map(|name| match name {
                Json::String(name) => Some((name, value.clone())),
                _ => None,
            });
            values.chain(names).collect()
        })
        .into_iter()
        .map(Json::Object)
        .collect(),
    }
}

fn changes_of_one<T: Clone>(items: &[T], changes: impl Fn(&T) -> Vec<T>) -> Vec<Vec<T>> {
    let replaced = |index: usize, item| {
        let mut items = items.to_vec();
        items[index] = item;
        items
    };
    let replaced = |(index, item)| changes(item).into_iter().map(move |item| replaced(index, item));
    items.iter().enumerate().flat_map(replaced).collect()
}

/// What `json` is without the members at `path`.
fn without(json: &Json, path: &[&str]) -> Json {
    let (Json::Object(members), [name, rest @ ..]) = (json, path) else { return json.clone() };
    let kept = members.iter().filter(|(n, _)| n != name || !rest.is_empty());
    let inner = |(n, value): &(String, Json)| {
        (n.clone(), if n == name { without(value, rest) } else { value.clone() })
    };
    Json::Object(kept.map(inner).collect())
}

proptest! {
    #[test]
    fn however_it_is_written_the_content_is_the_same(json in any_json(), one in any_dice(), other in any_dice()) {
        let (one, other) = (written(&json, &one), written(&json, &other));
        prop_assert!(canonical_hash(one.as_bytes(), &Members::default()).is_some());
        prop_assert_eq!(content(&one), content(&other), "{}\n{}", one, other);
    }

    #[test]
    fn any_single_change_is_another_content(json in any_json(), dice in any_dice()) {
        let original = written(&json, &dice);
        for changed in changes(&json) {
            let changed = written(&changed, &dice);
            prop_assert_ne!(content(&original), content(&changed), "{}\n{}", original, changed);
        }
    }

    #[test]
    fn a_volatile_member_is_as_if_it_were_not_there(
        json in vec((select(&["a", "b", "a.b"][..]), any_json()), 0..4),
        paths in vec(vec(select(&["a", "b", "c", ""][..]), 1..4), 0..4),
        dice in any_dice(),
    ) {
        let json = Json::Object(json.into_iter().map(|(name, value)| (name.into(), value)).collect());
        let stripped = paths.iter().fold(json.clone(), |json, path| without(&json, path));
        let joined: Vec<_> = paths.iter().map(|path| path.join(".")).collect();
        let volatile: Vec<_> = joined.iter().map(String::as_str).collect();
        let text = written(&json, &dice);
        prop_assert_eq!(content_without(&volatile, &text), content(written(&stripped, &dice)), "{}", text);
    }

    #[test]
    fn any_bytes_have_a_hash(bytes in vec(any::<u8>(), 0..200)) {
        content_without(&["a"], &bytes);
    }

    /// JSON with one byte changed, or cut short.
    #[test]
    fn damaged_json_is_judged_as_by_serde_json(json in any_json(), dice in any_dice(), at: usize, byte: u8, cut: bool) {
        let mut bytes = written(&json, &dice).into_bytes();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let valid = str::from_utf8(&bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        prop_assert_eq!(canonical_hash(&bytes, &Members::default()).is_some(), valid, "{}", bytes.escape_ascii());
    }

    #[test]
    fn token_soup_is_judged_as_by_serde_json(tokens in vec(select(&[
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\"a\"", "\"a\":", "\\u", "d83d", "null", "true", "0", "1", "-", "+", ".", "e",
        "E", " ", "\n", "é", "\u{1}",
    ][..]), 0..12)) {
        let text = tokens.concat();
        let valid = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(canonical_hash(text.as_bytes(), &Members::default()).is_some(), valid, "{}", text);
    }
}
