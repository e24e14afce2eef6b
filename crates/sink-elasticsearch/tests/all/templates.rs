//! The index templates in `templates/` are made of what the mapping writes: each field of the golden events gets a type.
//! `UPDATE_EXPECT=1` rewrites them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sink_elasticsearch::{Flavor, TemplateSchema, template};

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All golden events of a schema.
pub(crate) fn golden(schema: &str) -> Vec<String> {
    let mut events = Vec::new();
    for vendor in fs::read_dir(crates().join("transform/golden")).unwrap() {
        let mut cases: Vec<PathBuf> =
            fs::read_dir(vendor.unwrap().path()).unwrap().map(|case| case.unwrap().path()).collect();
        cases.sort();
        for case in cases {
            let text = fs::read_to_string(case.join(format!("{schema}.json"))).unwrap();
            events.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
        }
    }
    assert!(events.len() > 30, "there are golden events");
    events
}

/// The values of each field, by its path.
fn walk(value: &Value, path: &str, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, &path, fields);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, fields)),
        Value::Null => {}
        value => {
            fields.insert(path.to_owned(), value.clone());
        }
    }
}

/// What is kept whole and not looked into.
fn opaque(flavor: Flavor) -> Value {
    match flavor {
        Flavor::Elasticsearch => json!({"type": "flattened", "ignore_above": 1024, "depth_limit": 100}),
        // Its `flat_object` refuses long values, and no event may be refused for what it quotes.
        Flavor::Opensearch => json!({"type": "object", "enabled": false}),
    }
}

fn keyword() -> Value {
    json!({"type": "keyword", "ignore_above": 1024})
}

/// The type of a field that is no object.
fn type_of(path: &str, value: &Value) -> Value {
    let last = path.rsplit('.').next().unwrap_or(path);
    match (path, last, value) {
        // The vendor's record: longer than a keyword may be.
        (_, "original" | "raw_data", _) if path != "user_agent.original" && path != "url.original" => {
            json!({"type": "keyword", "index": false, "doc_values": false})
        }
        ("time", ..) => json!({"type": "date", "format": "epoch_millis"}),
        (_, "@timestamp" | "created" | "original_time", _) => json!({"type": "date"}),
        (_, "ip", _) => json!({"type": "ip"}),
        (_, "message" | "status_detail", _) => json!({"type": "text"}),
        (_, _, Value::Bool(_)) => json!({"type": "boolean"}),
        (_, _, Value::Number(_)) => json!({"type": "long"}),
        _ => keyword(),
    }
}

/// Top-level members that ECS knows: every other one is a vendor's.
fn field_sets() -> Vec<String> {
    let text = fs::read_to_string(crates().join("testkit/schemas/ecs-9.4.0-slim.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

fn made(schema: TemplateSchema, flavor: Flavor) -> String {
    let (name, patterns) = match schema {
        TemplateSchema::Ecs => ("ecs", ["logs-*.audit-*"]),
        TemplateSchema::Ocsf => ("ocsf", ["ocsf-*"]),
    };
    let mut fields = BTreeMap::new();
    for event in golden(name) {
        walk(&serde_json::from_str(&event).unwrap(), "", &mut fields);
    }
    fields.insert("@timestamp".to_owned(), json!("2026-11-22T00:00:00.000Z"));
    let known = field_sets();
    let mut properties = Map::new();
    for (path, value) in &fields {
        let top = path.split('.').next().unwrap();
        if schema == TemplateSchema::Ecs && !known.iter().any(|set| set == top) {
            continue;
        }
        if top == "unmapped" {
            properties.insert("unmapped".to_owned(), opaque(flavor));
            continue;
        }
        let mut level = &mut properties;
        let mut segments = path.split('.').peekable();
        while let Some(segment) = segments.next() {
            if segments.peek().is_none() {
                level.insert(segment.to_owned(), type_of(path, value));
                break;
            }
            let object = level.entry(segment).or_insert_with(|| json!({"properties": {}}));
            level = object["properties"].as_object_mut().unwrap();
        }
    }
    let template = json!({
        "index_patterns": patterns,
        "priority": 300,
        "data_stream": {},
        "_meta": {"description": format!("Audit events of Towpath, schema {name}")},
        "template": {
            "settings": {"index.mapping.ignore_malformed": true},
            "mappings": {
                "date_detection": false,
                "numeric_detection": false,
                // A vendor's own object is one field, however many members it has.
                "dynamic_templates": [
                    {"objects_whole": {"match_mapping_type": "object", "mapping": opaque(flavor)}},
                    {"strings_as_keywords": {"match_mapping_type": "string", "mapping": keyword()}},
                ],
                "properties": properties,
            },
        },
    });
    serde_json::to_string_pretty(&template).unwrap() + "\n"
}

const ALL: [(TemplateSchema, Flavor, &str); 4] = [
    (TemplateSchema::Ecs, Flavor::Elasticsearch, "ecs-elasticsearch"),
    (TemplateSchema::Ecs, Flavor::Opensearch, "ecs-opensearch"),
    (TemplateSchema::Ocsf, Flavor::Elasticsearch, "ocsf-elasticsearch"),
    (TemplateSchema::Ocsf, Flavor::Opensearch, "ocsf-opensearch"),
];

#[test]
fn templates_have_every_field_that_the_mapping_writes() {
    for (schema, flavor, name) in ALL {
        let made = made(schema, flavor);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("templates/{name}.json"));
            fs::write(path, &made).unwrap();
            continue;
        }
        assert!(made == template(schema, flavor), "templates/{name}.json is stale: `make docs` rewrites it");
    }
}

/// A guard against rules that would map nothing.
#[test]
fn the_fields_that_matter_have_their_types() {
    let at = |schema, pointer: &str| {
        let template: Value = serde_json::from_str(template(schema, Flavor::Elasticsearch)).unwrap();
        template["template"]["mappings"]["properties"].pointer(pointer).cloned().unwrap_or_default()["type"]
            .clone()
    };
    for (pointer, kind) in [
        ("/@timestamp", "date"),
        ("/source/properties/ip", "ip"),
        ("/event/properties/id", "keyword"),
        ("/message", "text"),
        ("/http/properties/response/properties/status_code", "long"),
    ] {
        assert_eq!(at(TemplateSchema::Ecs, pointer), kind, "{pointer}");
    }
    for (pointer, kind) in
        [("/time", "date"), ("/unmapped", "flattened"), ("/class_uid", "long"), ("/raw_data", "keyword")]
    {
        assert_eq!(at(TemplateSchema::Ocsf, pointer), kind, "{pointer}");
    }
    assert_eq!(at(TemplateSchema::Ecs, "/postman"), Value::Null);
}
