//! Any bytes give an event; those that are no record give one that says so and holds them.

use pipeline::Schema;
use serde_json::{Value, json};

use crate::support::{
    Event, check, checked, collected_at, ecs, events, generic, lines, ocsf, origin, postman, raw, record,
    views,
};

fn in_ocsf(text: &[u8]) -> Event {
    let view = ocsf("1.8.0");
    let mut found = events(&*postman(&view), &view, text);
    assert_eq!(found.len(), 1);
    let event = found.remove(0);
    assert_eq!((event.meta.class, event.meta.severity, &event["activity_id"]), (0, 0, &json!(0)));
    let why = event["status_detail"].as_str().unwrap();
    assert_eq!(event["message"], format!("Unmapped audit record: {why}"));
    event
}

#[test]
fn the_event_says_why_and_holds_the_record() {
    for (text, why, unmapped, is_json) in [
        (&b"{}"[..], "no action field", json!({}), true),
        (b"{\"action\":null,\"x\":[]}", "no action field", json!({"action": null, "x": []}), true),
        (b"{\"action\":\"\"}", "no action field", json!({"action": ""}), true),
        (b"{\"action\":7}", "action field is not a string", json!({"action": 7}), true),
        (
            b"[1,{\"action\":\"user.logout\"}]",
            "not a JSON object",
            json!({"record": [1, {"action": "user.logout"}]}),
            true,
        ),
        (b"null", "not a JSON object", json!({"record": null}), true),
        (b"\"text\"", "not a JSON object", json!({"record": "text"}), true),
        (b"", "not valid JSON at byte 0", json!({"record": ""}), false),
        (b"\n", "not valid JSON at byte 1", json!({"record": "\n"}), false),
        (b"<html>\n\x01", "not valid JSON at byte 0", json!({"record": "<html>\n\u{1}"}), false),
        (
            b"{\"action\":\"user.logout\"",
            "not valid JSON at byte 23",
            json!({"record": "{\"action\":\"user.logout\""}),
            false,
        ),
        (
            b"{\"action\":\"user.logout\"} x",
            "not valid JSON at byte 25",
            json!({"record": "{\"action\":\"user.logout\"} x"}),
            false,
        ),
        (b"\xff\xfe", "not valid UTF-8", json!({"record": "\u{fffd}\u{fffd}"}), false),
    ] {
        let event = in_ocsf(text);
        assert_eq!((&event["status_detail"], &event["unmapped"]), (&json!(why), &unmapped));
        let kept = event.get("raw_data").and_then(Value::as_str);
        assert_eq!(kept, is_json.then(|| std::str::from_utf8(text).unwrap()), "{why}");
        assert_eq!(event["time"], collected_at().as_millis());
    }
}

#[test]
fn what_can_be_read_is_used() {
    let event = in_ocsf(br#"{"id":7,"timestamp":"2026-11-20T08:16:00Z","data":{"team":{"id":1234}}}"#);
    assert_eq!((&event["time"], event.tenant.as_str()), (&json!(1_795_162_560_000_i64), "1234"));
    assert_eq!(
        (&event["metadata"]["original_event_uid"], &event["metadata"]["tenant_uid"]),
        (&json!("7"), &json!("1234"))
    );
}

#[test]
fn bytes_that_are_no_utf8_are_replaced_and_said() {
    let text = b"{\"id\":7,\"action\":\"user.logout\",\"message\":\"Jos\xe9\"}";
    let event = in_ocsf(text);
    assert_eq!(event["status_detail"], "not valid UTF-8");
    assert_eq!(event["unmapped"]["message"], "Jos\u{fffd}");
    assert_eq!(event["raw_data"], String::from_utf8_lossy(text).as_ref());
    assert_eq!(event["metadata"]["original_event_uid"], "7");
}

#[test]
fn ecs_says_it_too() {
    let view = ecs();
    let one = |text: &[u8]| events(&*postman(&view), &view, text).remove(0);
    let plain = one(b"{\"id\":1}");
    assert_eq!(plain["event"]["kind"], "pipeline_error");
    assert_eq!(plain["error"]["message"], "audit record could not be mapped");
    assert_eq!(one(b"[]")["error"]["message"], "audit record could not be mapped: not a JSON object");
    assert_eq!(one(b"\"\\q").json["event"]["original"], "\"\\q");
    assert_eq!(one(b"")["event"].get("original"), None);
    let mut bare = view.clone();
    bare.keep_raw = false;
    let kept = events(&*postman(&bare), &bare, b"{\"id\":1,\"x\":\"y\"}").remove(0);
    assert_eq!(kept["postman"]["audit"]["extra_json"], "{\"id\":1,\"x\":\"y\"}");
}

#[test]
fn raw_keeps_json_as_it_is_and_wraps_what_is_none() {
    let view = raw();
    let one = |text: &[u8]| String::from_utf8(events(&*postman(&view), &view, text).remove(0).text).unwrap();
    assert_eq!(one(b"[1,\n 2]"), "[1, 2]");
    assert_eq!(one(b"{\"a\":\r\n1}"), "{\"a\":1}");
    assert_eq!(one(b"no\nJSON"), "{\"record\":\"no\\nJSON\"}");
    assert_eq!(one(b"\xff"), "{\"record\":\"\u{fffd}\"}");
}

#[test]
fn json_is_read_as_strictly_as_the_standard_says() {
    let view = raw();
    let transform = postman(&view);
    let accepts = |text: &str| {
        let line = events(&*transform, &view, text.as_bytes()).remove(0).text;
        !line.starts_with(b"{\"record\":")
    };
    for text in [
        "0",
        "-0",
        "1e5",
        "1E-5",
        "0.5e+10",
        "-12.75",
        " [ ] ",
        "[[],{}]",
        "\"\\u00e9\\ud800\\b\\/\"",
        "{\"a\":{\"b\":[null,true,false]}}",
        "[1 , 2 ]",
        "{ \"a\" : 1 , \"b\" : 2 }",
        "\t\r\n1\n",
    ] {
        assert!(accepts(text), "{text}");
    }
    for text in [
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "-",
        "--1",
        "0x1",
        "NaN",
        "Infinity",
        "tru",
        "truee",
        "nul",
        "'a'",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:2}",
        "[1}",
        "{\"a\":1]",
        "]",
        "[",
        "{",
        "[[]",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"\u{0}\"",
        "1 2",
        "[] []",
        "\u{feff}1",
        "\u{a0}1",
        "// 1",
        "[1]//",
    ] {
        assert!(!accepts(text), "{text}");
    }
}

#[test]
fn what_nests_deeper_than_readers_go_becomes_a_string_and_the_rest_is_mapped() {
    let around = |inside: &str| {
        format!(r#"{{"id":"n1","action":"user.logout","actor":{{"id":1}},"x":{inside},"y":"last"}}"#)
    };
    let nested = |depth: usize| around(&format!("{} 1{}", "[".repeat(depth), "]".repeat(depth)));
    for view in views() {
        for depth in [119, 120, 5000] {
            let record = nested(depth);
            let found = events(&*postman(&view), &view, record.as_bytes());
            assert_eq!(found[0].meta.class, 3002, "{view}");
            let text = match view.schema {
                Schema::Raw => {
                    assert_eq!(found[0].text, record.as_bytes());
                    continue;
                }
                Schema::Ocsf => {
                    assert_eq!(found[0]["raw_data"], *record);
                    assert_eq!(found[0]["unmapped"]["y"], "last");
                    found[0]["unmapped"]["x"].to_string()
                }
                Schema::Ecs => {
                    assert_eq!(found[0]["event"]["original"], *record);
                    continue;
                }
            };
            // The record itself is the first of the 120 levels.
            let expected = match depth.checked_sub(119) {
                None | Some(0) => nested(depth),
                Some(deeper) => around(&format!(
                    "{}\"{} 1{}\"{}",
                    "[".repeat(119),
                    "[".repeat(deeper),
                    "]".repeat(deeper),
                    "]".repeat(119)
                )),
            };
            assert!(expected.replace(' ', "").contains(&text.replace(' ', "")), "{view} {depth} {text}");
        }
        // Its grammar is checked all the same.
        let broken = around(&format!("{}1,{}", "[".repeat(200), "]".repeat(200)));
        let found = events(&*postman(&view), &view, broken.as_bytes());
        assert_eq!(found[0].meta.class, 0, "{view}");
    }
}

#[test]
fn the_generic_shape_has_no_other_malformed_records() {
    for view in views() {
        for text in [&b"{\"id\":\"a\"}"[..], b"\xff", b"{", b"{\"action\":{}}"] {
            let found = events_of_acme(&view, text);
            assert_eq!((found.len(), found[0].meta.class, found[0].meta.severity), (1, 0, 0));
        }
    }
    let view = ecs();
    assert_eq!(events_of_acme(&view, b"{}")[0]["event"]["module"], "acme");
}

fn events_of_acme(view: &pipeline::View, text: &[u8]) -> Vec<Event> {
    let origin = origin("acme.audit");
    checked(view, lines(&*generic(view), &record(&origin, text)), "malformed")
}

#[test]
fn the_checks_of_this_suite_can_fail() {
    assert!(
        check(&ocsf("1.8.0"), b"{}").is_err()
            && check(&ecs(), b"{}").is_err()
            && check(&raw(), b"{").is_err()
    );
}
