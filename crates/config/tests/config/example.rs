//! The documented example, and the schema that editors get.

use serde_json::{Value, json};

use crate::connectors::{Fake, PostmanConfig, load, types};

/// As in the reference of the configuration.
const EXAMPLE: &str = r#"
data_dir: ./data                     # checkpoints and dead letters
admin: { listen: 127.0.0.1:9600 }    # "off" turns it off
limits: { in_flight: 64MiB }
drain_timeout: 25s
retry: { initial: 1s, max: 60s }
dead_letters: { dir: ./data/dead-letters, max_size: 1GiB }

sources:
  postman:
    type: postman
    api_key: ${POSTMAN_API_KEY}
    url: https://api.getpostman.com
    start: all
    poll_interval: 60s
    requests_per_minute: 240
    labels: { env: prod }
    proxy: http://proxy:3128
    overlap: 15m
    resweep: { every: 1h, over: 24h }

sinks:
  archive:
    type: file
    path: ./out/events.ndjson
    schema: ocsf
    ocsf_version: 1.8.0
    keep_raw: true
    from: [postman]
    batch: { max_events: 1000, max_bytes: 1MiB, max_age: 1s }
"#;

#[test]
fn documented_example_is_right() {
    let (config, report) = load(EXAMPLE, &Fake::new(&[("POSTMAN_API_KEY", "k-1")], &[]));
    assert_eq!(report.to_string(), "");
    let config = config.unwrap();
    let source: PostmanConfig = config.sources[0].block.read().unwrap();
    assert_eq!((source.api_key.expose(), &*source.url), ("k-1", "https://api.getpostman.com"));
    assert_eq!((source.overlap.to_string(), source.resweep.over.to_string()), ("15m".into(), "1d".into()));
    assert_eq!(
        (source.requests_per_minute.get(), source.proxy.unwrap().expose()),
        (240, "http://proxy:3128")
    );
    assert_eq!(config.sources[0].labels, [("env".to_owned(), "prod".to_owned())]);
}

/// The example in JSON, as an editor sees it.
fn example() -> Value {
    json!({
        "data_dir": "./data",
        "admin": { "listen": "127.0.0.1:9600" },
        "limits": { "in_flight": "64MiB" },
        "drain_timeout": "25s",
        "retry": { "initial": "1s", "max": "60s" },
        "dead_letters": { "dir": "./data/dead-letters", "max_size": "1GiB" },
        "sources": { "postman": {
            "type": "postman", "api_key": "${POSTMAN_API_KEY}", "url": "https://api.getpostman.com", "start": "all",
            "poll_interval": "60s", "requests_per_minute": 240, "labels": { "env": "prod" },
            "proxy": "http://proxy:3128", "overlap": "15m", "resweep": { "every": "1h", "over": "24h" },
            "tls": { "ca_file": "ca.pem" },
        } },
        "sinks": {
            "archive": {
                "type": "file", "path": "./out/events.ndjson", "schema": "ocsf", "ocsf_version": "1.8.0",
                "keep_raw": true, "from": ["postman"],
                "batch": { "max_events": 1000, "max_bytes": "1MiB", "max_age": "1s" },
            },
            "web": {
                "type": "http", "url": "https://a.example", "auth": { "bearer": "${TOKEN}" }, "compression": "gzip",
                "quiet": false, "concurrency": 4, "max_body": "1MiB", "topics": ["a"], "share": 0.5,
                "properties": { "a.b": "c" },
            },
        },
    })
}

#[test]
fn schema_accepts_what_is_right_and_refuses_what_is_not() {
    let schema = config::schema(&types());
    assert!(jsonschema::meta::is_valid(&schema), "not a valid schema");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let problems =
        |value: &Value| -> Vec<String> { validator.iter_errors(value).map(|e| e.to_string()).collect() };
    assert_eq!(problems(&example()), Vec::<String>::new());
    for (pointer, value) in [
        ("/drain_timeout", json!("25")),
        ("/drain_timeout", json!(25)),
        ("/drain_timeout", json!(null)),
        ("/limits/in_flight", json!("64M")),
        ("/admin", json!("off")),
        ("/admin/listen", json!("here")),
        ("/sources", json!({})),
        ("/sources/postman", json!({ "type": "postman" })),
        ("/sources/postman", json!({ "api_key": "x" })),
        ("/sources/postman/type", json!("okta")),
        ("/sources/postman/type", json!("file")),
        ("/sources/postman/api_key", json!(5)),
        ("/sources/postman/requests_per_minute", json!(0)),
        ("/sources/postman/requests_per_minute", json!("many")),
        ("/sources/postman/resweep", json!({ "evry": "1h" })),
        ("/sinks/archive/schema", json!("osf")),
        ("/sinks/archive/batch/max_events", json!(0)),
        ("/sinks/archive/path", json!(null)),
        ("/sinks/archive/batch", json!(null)),
        ("/sinks/web/auth", json!({ "baerer": "x" })),
        ("/sinks/web/auth", json!("non")),
        ("/sinks/web/quiet", json!("yes")),
        ("/sinks/web/properties", json!({ "a": ["b"] })),
    ] {
        let mut wrong = example();
        *wrong.pointer_mut(pointer).unwrap() = value.clone();
        assert!(!problems(&wrong).is_empty(), "{pointer} takes {value}");
    }
    for (parent, key) in
        [("", "data"), ("/sources", "Postman"), ("/sources/postman", "poll"), ("/sinks/archive", "url")]
    {
        let mut wrong = example();
        wrong.pointer_mut(parent).unwrap()[key] = wrong["sources"]["postman"].clone();
        assert!(!problems(&wrong).is_empty(), "{parent} takes the key {key}");
    }
}

#[test]
fn schema_takes_references_wherever_a_single_value_stands() {
    let validator = jsonschema::draft202012::new(&config::schema(&types())).unwrap();
    fn scalars(value: &Value, path: String, out: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                object.iter().for_each(|(key, value)| scalars(value, format!("{path}/{key}"), out))
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, value)| scalars(value, format!("{path}/{index}"), out));
            }
            _ if path.ends_with("/type") => {}
            _ => out.push(path),
        }
    }
    let mut paths = Vec::new();
    scalars(&example(), String::new(), &mut paths);
    assert!(paths.len() > 30, "{paths:?}");
    for path in paths {
        for reference in ["${NAME}", "${NAME:-x}", "${file:/run/x}", "a${NAME}b"] {
            let mut value = example();
            *value.pointer_mut(&path).unwrap() = json!(reference);
            assert!(validator.is_valid(&value), "{path}: {reference}");
        }
    }
}

#[test]
fn schema_describes_every_key() {
    fn check(schema: &Value, path: &str) {
        // A key may be called `properties` too, but only a schema says that it is one of an object.
        let is_schema = schema.get("type").is_some_and(|name| name == "object");
        if let Some(properties) = schema.get("properties").and_then(Value::as_object).filter(|_| is_schema) {
            for (key, property) in properties {
                assert!(property["description"].is_string(), "{path}.{key} has no description: {property}");
            }
        }
        match schema {
            Value::Object(object) => {
                object.iter().for_each(|(key, value)| check(value, &format!("{path}.{key}")))
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, path)),
            _ => {}
        }
    }
    let schema = config::schema(&types());
    check(&schema["properties"], "");
    let web = schema["properties"]["sinks"]["additionalProperties"]["oneOf"].as_array().unwrap();
    let web = web.iter().find(|block| block["properties"]["type"]["const"] == "http").unwrap();
    assert_eq!(web["properties"]["properties"]["type"], "object");
    assert_eq!(web["properties"].get("additionalProperties"), None, "a key called `properties` is a key");
    assert_eq!(schema["properties"]["drain_timeout"]["default"], "25s");
    assert_eq!(schema["properties"]["limits"]["default"], json!({ "in_flight": "64MiB" }));
    assert_eq!(schema["properties"]["data_dir"]["default"], "./data");
}
