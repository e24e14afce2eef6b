//! Whatever a vendor sends, in whatever state, there is a valid event for it.

use pipeline::{Transform, View};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::support::{checked, generic, lines, origin, postman, record, views};

/// Valid in each view, in the shape of both vendors, and the same twice.
fn holds(text: &[u8]) {
    type Make = fn(&View) -> Box<dyn Transform>;
    for make in [postman as Make, generic] {
        for view in views() {
            let (transform, origin) = (make(&view), origin("x.audit"));
            let record = record(&origin, text);
            let out = lines(&*transform, &record);
            assert_eq!(out.ndjson(), lines(&*transform, &record).ndjson());
            checked(&view, out, &String::from_utf8_lossy(text));
        }
    }
}

fn key() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "id",
        "ip",
        "userAgent",
        "action",
        "timestamp",
        "message",
        "data",
        "actor",
        "user",
        "team",
        "variables",
        "users",
        "roles",
        "role",
        "group",
        "groupId",
        "name",
        "username",
        "email",
        "active",
        "type",
        "target",
        "method",
        "path",
        "status_code",
        "created_at",
        "client_ip",
        "user_agent",
        "resource",
        "appName",
        "apiKey",
        "",
    ];
    prop_oneof![8 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => ".{0,12}"]
}

fn text() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "team.update_user_roles",
        "team.add_member",
        "team.add_group_role",
        "user.login_sso_success",
        "team.customauth.disable",
        "user.x",
        "user.data_export_requested",
        "robot.painted",
        "{\"1\":[\"admin\"],\"2\":\"user\"}",
        "[\"a\",\"b\"]",
        "{\"1\":",
        "192.0.2.1:80, ::1",
        "a@b.co",
        "o'brien~a@example.com",
        "2026-11-20T08:16:00Z",
        "admin",
        "api_key",
        "GET",
        "/x?y=z",
        "200",
        "",
    ];
    prop_oneof![4 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => ".{0,30}", 1 => "[\\x00-\\x7f]{0,20}"]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        6 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            4 => prop::collection::vec((key(), inner), 0..9).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// An object with an action, as most junk should be looked at closely.
fn record_like() -> impl Strategy<Value = Value> {
    (text(), prop::collection::vec((key(), value()), 0..8)).prop_map(|(action, members)| {
        let mut object = Map::from_iter(members);
        object.insert("action".to_owned(), Value::from(action));
        Value::Object(object)
    })
}

/// A good record of either shape, to be damaged.
fn good() -> impl Strategy<Value = Vec<u8>> {
    let records = [
        crate::actions::full("team.update_user_roles"),
        crate::actions::full("team.add_group_member"),
        crate::actions::full("user.apikey_create"),
        serde_json::json!({
            "id": "al_1", "action": "key.rotate", "actor": {"id": "u", "name": "N", "type": "api_key"}, "client_ip": "203.0.113.9",
            "created_at": 1_795_192_292, "method": "PUT", "path": "/v1?x", "status_code": 403, "target": {"id": "k", "type": "t"}
        }),
    ];
    prop::sample::select(records.map(|record| record.to_string().into_bytes()).to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_object_with_an_action_gives_valid_events(value in record_like()) {
        holds(value.to_string().as_bytes());
    }

    #[test]
    fn any_json_gives_valid_events(value in value()) {
        holds(value.to_string().as_bytes());
    }

    #[test]
    fn any_bytes_give_valid_events(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        holds(&bytes);
    }

    #[test]
    fn damaged_records_give_valid_events(
        mut bytes in good(),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        holds(&bytes);
    }
}
