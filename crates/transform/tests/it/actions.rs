//! Every known action, as the specification lists it, and records of each in every state that they come in.

use pipeline::EventOutcome;
use serde_json::{Value, json};

use crate::support::{ecs, events, ocsf, one, postman, views};

/// One line of `actions.tsv`.
struct Listed {
    action: &'static str,
    display: &'static str,
    type_uid: u64,
    activity: &'static str,
    thing: &'static str,
    severity: u8,
    categories: Vec<&'static str>,
    types: Vec<&'static str>,
}

fn listed() -> Vec<Listed> {
    let lines = include_str!("../actions.tsv").lines().skip(1);
    let list: Vec<_> = lines
        .map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            let [action, display, type_uid, activity, thing, severity, categories, types] = columns[..]
            else {
                panic!("not eight columns: {line}")
            };
            Listed {
                action,
                display,
                type_uid: type_uid.parse().unwrap(),
                activity,
                thing,
                severity: severity.parse().unwrap(),
                categories: categories.split(' ').collect(),
                types: types.split(' ').collect(),
            }
        })
        .collect();
    assert_eq!(list.len(), 81);
    list
}

/// A record of `action` that has everything that any action has.
pub(crate) fn full(action: &str) -> Value {
    json!({
        "id": 50_000_001, "ip": "192.0.2.44", "userAgent": "PostmanRuntime/7.43.0", "action": action,
        "timestamp": "2026-11-20T18:31:32.000Z", "message": "Something was done.",
        "data": {
            "actor": {"name": "Taylor Lee", "username": "taylor-lee", "email": "taylor.lee@example.com", "id": 12_345_678, "active": true},
            "user": {"name": "Alex Cruz", "username": "alex-cruz", "email": "alex.cruz@example.com", "id": 87_654_321},
            "team": {"name": "Test-Team", "id": 1234},
            "variables": {
                "id": 77, "name": "A thing", "roles": "user", "group": {"id": 5, "name": "Developers"},
                "users": "{\"87654321\":[\"user\"]}", "appName": "An app"
            }
        }
    })
}

#[test]
fn every_known_action_is_what_the_specification_lists() {
    for listed in listed() {
        let record = full(listed.action);
        let event = one(&ocsf("1.8.0"), &record);
        let action = listed.action;
        assert_eq!(event["type_uid"], listed.type_uid, "{action}");
        assert_eq!(event["activity_name"], listed.activity, "{action}");
        assert_eq!(
            (&event["severity_id"], event.meta.severity),
            (&json!(listed.severity), listed.severity),
            "{action}"
        );
        assert_eq!((&event["status_id"], event.meta.outcome), (&json!(1), EventOutcome::Success), "{action}");
        let thing = match event["class_uid"].as_u64() {
            Some(3004) => &event["entity"]["type"],
            Some(6001) => &event["web_resources"][0]["type"],
            _ => &json!(""),
        };
        assert_eq!(thing, listed.thing, "{action}");
        let team = listed.thing == "Organization";
        if event["class_uid"] == 3004 {
            assert_eq!(event["entity"]["type_id"], if team { 4 } else { 99 }, "{action}");
        }
        let document = one(&ecs(), &record);
        assert_eq!(document["event"]["category"], json!(listed.categories), "{action}");
        assert_eq!(document["event"]["type"], json!(listed.types), "{action}");
        assert_eq!(document["event"]["action"], action);
        assert_eq!(
            (document.meta.class, document.meta.severity),
            (event.meta.class, listed.severity),
            "{action}"
        );
        assert_eq!(document.meta.id, event.meta.id, "{action}");
    }
}

#[test]
fn a_guessed_name_that_is_wrong_is_set_right_by_the_display_name() {
    for listed in listed() {
        let options = transform::PostmanOptions::default();
        let name = format!("x{}", listed.action.replace(['.', '_'], "")).replace("log", "").to_uppercase();
        let strange = options.names.learn([(name.as_str(), format!(" {} ", listed.display.to_lowercase()))]);
        assert_eq!(strange, Vec::<String>::new());
        let view = ocsf("1.8.0");
        let transform = transform::postman(&view, options).unwrap();
        let event = &events(&*transform, &view, full(&name).to_string().as_bytes())[0];
        assert_eq!(event["type_uid"], listed.type_uid, "{}", listed.action);
        assert_eq!(event["metadata"]["event_code"], name);
        assert_ne!(one(&view, &full(&name))["type_uid"], listed.type_uid, "the name alone tells as much");
    }
}

/// What can be missing or wrong in a record, one at a time.
fn variants(action: &str) -> Vec<Value> {
    let change = |pointer: &str, value: Value| {
        let mut record = full(action);
        *record.pointer_mut(pointer).unwrap() = value;
        record
    };
    let mut nowhere = change("/ip", Value::Null);
    nowhere["userAgent"] = Value::Null;
    let system = json!({"name": "Postman Internal System", "id": 2, "active": true});
    let mut variants = vec![
        full(action),
        nowhere,
        change("/data/user", Value::Null),
        change("/data/variables", Value::Null),
        change("/data/actor", system),
        change("/data", json!("wrong")),
    ];
    for pointer in [
        "/id",
        "/timestamp",
        "/message",
        "/data/actor",
        "/data/team",
        "/data/variables/users",
        "/data/variables/group",
        "/data/variables/roles",
    ] {
        variants.push(change(pointer, Value::Null));
    }
    let mut bare = change("/data/variables", json!({}));
    bare["data"]["user"] = Value::Null;
    variants.push(bare.clone());
    bare["data"]["team"] = json!({});
    variants.push(bare.clone());
    bare["data"]["actor"] = json!({"name": "Postman Internal System", "id": 2, "active": true});
    variants.push(bare);
    let mut other = Value::String("other".to_owned());
    for wrong in [json!(7), json!(true), json!(["x", {"y": null}]), json!({"z": [1, "2"]}), json!(1.5e300)] {
        let mut record = full(action);
        for pointer in [
            "/id",
            "/ip",
            "/userAgent",
            "/timestamp",
            "/message",
            "/data/actor",
            "/data/user",
            "/data/team",
            "/data/variables",
        ] {
            *record.pointer_mut(pointer).unwrap() = wrong.clone();
        }
        variants.push(record);
        for (object, keys) in [
            ("/data/actor", &["name", "username", "email", "id", "active"][..]),
            ("/data/user", &["name", "username", "email", "id"]),
            ("/data/team", &["name", "id"]),
            ("/data/variables", &["id", "name", "roles", "group", "users", "appName"]),
        ] {
            let mut record = full(action);
            for key in keys {
                std::mem::swap(&mut other, &mut record.pointer_mut(object).unwrap()[key]);
                record.pointer_mut(object).unwrap()[key] = wrong.clone();
            }
            variants.push(record);
        }
    }
    variants
}

#[test]
fn every_known_action_in_any_state_is_valid_in_every_view() {
    // All states of one action of each kind; of the others those that every action has to do with.
    const KINDS: [&str; 12] = [
        "team.name_updated",
        "team.customauth.disable",
        "team.scim_add_member",
        "team.send_invite",
        "team.add_member",
        "team.update_user_roles",
        "team.add_group_member",
        "team.delete_group",
        "user.login_sso_success",
        "user.data_export_requested",
        "admin.apikey_create",
        "some.unknown_action",
    ];
    let transforms: Vec<_> = views().into_iter().map(|view| (postman(&view), view)).collect();
    let names: Vec<_> = listed().iter().map(|listed| listed.action).chain(["some.unknown_action"]).collect();
    for action in names {
        let all = variants(action);
        let count = if KINDS.contains(&action) { all.len() } else { 6 };
        for record in &all[..count] {
            let text = record.to_string();
            for (transform, view) in &transforms {
                let found = events(&**transform, view, text.as_bytes());
                assert!(found.iter().all(|event| event.action == action), "{view}: {text}");
            }
        }
    }
}
