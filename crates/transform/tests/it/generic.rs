//! The common shape `/v1/audit_logs`.

use pipeline::EventOutcome;
use serde_json::{Value, json};

use crate::support::{Event, checked, ecs, generic, lines, mapping, ocsf, origin, record, views};

fn one(view: &pipeline::View, value: &Value) -> Event {
    let origin = origin("acme.audit");
    let text = value.to_string();
    let mut found = checked(view, lines(&*generic(view), &record(&origin, text.as_bytes())), &text);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn in_ocsf(value: &Value) -> Event {
    one(&ocsf("1.8.0"), value)
}

fn full() -> Value {
    json!({
        "id": "al_1", "action": "api_key.rotate", "actor": {"id": "usr_1", "name": "Dana Kim", "type": "user"},
        "client_ip": "203.0.113.9", "created_at": "2026-11-20T08:15:30Z", "method": "patch", "path": "/v1/keys/7?dry=1&x",
        "status_code": 200, "user_agent": "curl", "target": {"id": "key_7", "type": "api_key", "name": "deploy", "age": 3}
    })
}

fn with(changes: Value) -> Value {
    let mut record = full();
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

#[test]
fn the_verb_of_the_action_decides_then_the_method() {
    for (action, method, activity, kind) in [
        ("user.create", "GET", 1, "creation"),
        ("audit_log.list", "POST", 2, "access"),
        ("token.rotate", "POST", 3, "change"),
        ("key.revoke", "POST", 4, "deletion"),
        ("report", "POST", 1, "creation"),
        ("report", "head", 2, "access"),
        ("report", "OPTIONS", 2, "access"),
        ("report", "PUT", 3, "change"),
        ("report", "Patch", 3, "change"),
        ("report", "DELETE", 4, "deletion"),
        ("report", "BREW", 99, "info"),
        ("report", "", 99, "info"),
        ("feature.enable", "GET", 2, "access"),
    ] {
        let record = with(json!({"action": action, "method": method}));
        let event = in_ocsf(&record);
        assert_eq!(
            (&event["class_uid"], &event["activity_id"]),
            (&json!(6003), &json!(activity)),
            "{action} {method}"
        );
        assert_eq!(event["api"]["operation"], action);
        assert_eq!(one(&ecs(), &record)["event"]["type"], json!([kind]), "{action} {method}");
    }
    assert_eq!(in_ocsf(&with(json!({"action": "report", "method": "BREW"})))["activity_name"], "report");
}

#[test]
fn sign_ins_are_authentication_by_the_actor() {
    let event = in_ocsf(&with(json!({"action": "user.login"})));
    assert_eq!(
        (&event["type_uid"], &event["user"]["uid"], &event["service"]),
        (&json!(300_201), &json!("usr_1"), &json!({"name": "Acme Platform"}))
    );
    assert_eq!((&event["http_response"]["code"], event.get("api")), (&json!(200), None));
    assert_eq!(event["unmapped"]["target"]["id"], "key_7");
    assert_eq!(in_ocsf(&with(json!({"action": "session.logout"})))["type_uid"], 300_202);
    assert_eq!(in_ocsf(&with(json!({"action": "login_settings.update"})))["type_uid"], 600_303);
    let failed = with(json!({"action": "user.login", "status_code": 401}));
    assert_eq!(one(&ecs(), &failed)["event"]["category"], json!(["authentication"]));
    assert_eq!(one(&ecs(), &failed)["event"]["type"], json!(["start"]));
}

#[test]
fn the_status_code_tells_the_outcome() {
    for (code, status, severity, kept) in [
        (json!(100), 1, 1, json!("100")),
        (json!(204), 1, 1, json!("204")),
        (json!("302"), 1, 1, json!("302")),
        (json!(399), 1, 1, json!("399")),
        (json!(401), 2, 2, json!("401")),
        (json!(403), 2, 2, json!("403")),
        (json!(404), 2, 1, json!("404")),
        (json!(599), 2, 1, json!("599")),
        (json!(99), 0, 1, json!("99")),
        (json!(600), 0, 1, json!("600")),
        (json!(204.5), 0, 1, Value::Null),
        (json!(-1), 0, 1, Value::Null),
        (json!("ok"), 0, 1, Value::Null),
        (Value::Null, 0, 1, Value::Null),
    ] {
        let record = with(json!({"status_code": code}));
        let event = in_ocsf(&record);
        assert_eq!(
            (&event["status_id"], &event["severity_id"]),
            (&json!(status), &json!(severity)),
            "{code}"
        );
        assert_eq!(
            (&event["status_code"], event["http_response"]["code"].to_string()),
            (&kept, kept.as_str().unwrap_or("null").to_owned())
        );
        let document = one(&ecs(), &record);
        assert_eq!(document["event"]["outcome"], ["unknown", "success", "failure"][status], "{code}");
        let denied = document["event"]["type"] == json!(["change", "denied"]);
        assert_eq!(denied, matches!(code.as_u64(), Some(401 | 403)), "{code}");
        if kept.is_null() && !code.is_null() {
            assert_eq!(event["unmapped"]["status_code"], code);
        }
    }
    assert_eq!(
        in_ocsf(&with(json!({"status_code": null, "action": "job.failed"}))).meta.outcome,
        EventOutcome::Failure
    );
}

#[test]
fn requests_and_targets_stand_where_they_belong() {
    let event = in_ocsf(&full());
    let url = json!({"path": "/v1/keys/7", "query_string": "dry=1&x", "url_string": "https://api.acme.example/v1/keys/7?dry=1&x"});
    assert_eq!(event["http_request"], json!({"http_method": "PATCH", "url": url, "user_agent": "curl"}));
    assert_eq!(
        event["resources"],
        json!([{"uid": "key_7", "name": "deploy", "type": "api_key", "role_id": 1, "role": "Target"}])
    );
    assert_eq!(event["unmapped"], json!({"target": {"age": 3}}));
    let document = one(&ecs(), &full());
    assert_eq!(document["http"], json!({"request": {"method": "patch"}, "response": {"status_code": 200}}));
    assert_eq!(document["url"]["original"], "/v1/keys/7?dry=1&x");
    assert_eq!(
        document["acme"]["audit"]["target"],
        json!({"id": "key_7", "name": "deploy", "type": "api_key"})
    );
    assert_eq!(document["acme"]["audit"]["extra_json"], "{\"target\":{\"age\":3}}");
    let odd = in_ocsf(&with(json!({"method": "BREW", "path": "?x=1", "target": {"type": "none"}})));
    assert_eq!(odd["http_request"], json!({"user_agent": "curl"}));
    assert_eq!(odd["unmapped"], json!({"method": "BREW", "path": "?x=1", "target": {"type": "none"}}));
    assert_eq!(in_ocsf(&with(json!({"path": "v1/keys"})))["http_request"]["url"], json!({"path": "v1/keys"}));
}

#[test]
fn without_a_base_url_there_is_no_full_url() {
    let view = ocsf("1.8.0");
    let (origin, text) = (origin("acme.audit"), full().to_string());
    let url = |config: Value| {
        let transform = transform::generic(&view, &mapping(config)).unwrap();
        let event = checked(&view, lines(&*transform, &record(&origin, text.as_bytes())), &text).remove(0);
        event["http_request"]["url"].get("url_string").cloned()
    };
    assert_eq!(url(json!({})), None);
    let full = json!("https://x.example/api/v1/keys/7?dry=1&x");
    assert_eq!(url(json!({"base_url": "https://x.example/api/"})), Some(full));
}

#[test]
fn actors_are_what_their_type_says() {
    let actor = |actor: Value| in_ocsf(&with(json!({"actor": actor})));
    let key = actor(json!({"id": "key_1", "name": "ci", "type": "api_key"}));
    assert_eq!(
        key["actor"]["user"]["programmatic_credentials"],
        json!([{"uid": "key_1", "type": "API Key"}])
    );
    assert_eq!(key["api"]["token"], json!({"uid": "key_1", "name": "ci", "type_id": 7, "type": "API Token"}));
    let service = actor(json!({"id": "s", "type": "service_account"}));
    assert_eq!(service["actor"]["user"], json!({"uid": "s", "type_id": 99, "type": "service_account"}));
    let untyped = actor(json!({"name": "x"}));
    assert_eq!(untyped["actor"]["user"], json!({"name": "x", "type_id": 0, "type": "Unknown"}));
    let nameless_key = actor(json!({"name": "ci", "type": "api_key"}));
    assert_eq!(nameless_key["actor"]["user"].get("programmatic_credentials"), None);
    for nobody in [json!(null), json!(7), json!({"type": "user"}), json!([])] {
        let event = actor(nobody.clone());
        assert_eq!(
            (&event["class_uid"], &event["activity_name"]),
            (&json!(0), &json!("api_key.rotate")),
            "{nobody}"
        );
        assert_eq!(event["unmapped"]["path"], "/v1/keys/7?dry=1&x");
    }
}

#[test]
fn records_with_anything_missing_or_wrong_are_valid_in_every_view() {
    let keys: Vec<String> = full().as_object().unwrap().keys().cloned().collect();
    for view in views() {
        for key in keys.iter().filter(|key| *key != "action") {
            for value in [
                json!(null),
                json!(""),
                json!(7),
                json!(true),
                json!([1]),
                json!({"id": {}, "type": 3, "name": []}),
                json!("text"),
            ] {
                one(&view, &with(json!({key.as_str(): value})));
            }
        }
    }
}
