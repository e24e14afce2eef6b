//! The worked examples that came with the specification, compared as JSON.

use std::path::Path;

use serde_json::Value;

use crate::support::{ecs, events, generic, ocsf, postman};

fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples").join(file);
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

/// Without spaces, keys in their order: the examples' raw text is that of the compact record.
fn compact(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut in_string = false;
    let mut escaped = false;
    let keep = text.chars().filter(|letter| {
        let quote = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        in_string ^= quote;
        in_string || !letter.is_whitespace()
    });
    keep.collect::<String>().into_bytes()
}

#[test]
fn the_worked_examples_come_out_as_given() {
    let index = read("index.json");
    let mut compared = 0;
    for case in index.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let text = compact(&format!("{name}.input.json"));
        let transform = match case["source"].as_str() {
            Some("postman") => postman,
            Some("generic") => generic,
            other => panic!("no source {other:?}"),
        };
        let view = ocsf("1.8.0");
        let found = events(&*transform(&view), &view, &text);
        let expected = read(&format!("{name}.ocsf.json"));
        let jsons: Value = found.iter().map(|event| event.json.clone()).collect();
        assert_eq!(jsons, expected, "{name}, OCSF");
        for (event, ids) in found.iter().zip(case["ocsf"].as_array().unwrap()) {
            assert_eq!(event.meta.class, ids[0]);
            assert_eq!(event.json["activity_id"], ids[1]);
            assert_eq!(event.json["status_id"], ids[2]);
            assert_eq!(event.meta.severity, ids[3]);
        }
        let view = ecs();
        let found = events(&*transform(&view), &view, &text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].json, read(&format!("{name}.ecs.json")), "{name}, ECS");
        compared += 1;
    }
    assert_eq!(compared, 8);
}
