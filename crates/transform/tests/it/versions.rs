//! What older versions of OCSF have no place for.

use serde_json::{Value, json};
use transform::{ECS_VERSION, OCSF_VERSIONS, PostmanOptions};

use crate::actions::full;
use crate::support::{acme, checked, ecs, generic, lines, ocsf, one, origin, raw, record};

fn of_acme(version: &str, value: &Value) -> Value {
    let (origin, text, view) = (origin("acme.audit"), value.to_string(), ocsf(version));
    checked(&view, lines(&*generic(&view), &record(&origin, text.as_bytes())), &text).remove(0).json
}

/// In which versions, oldest first, the event has something under `pointer`.
fn has(action: &str, pointer: &str) -> [bool; 4] {
    OCSF_VERSIONS.map(|version| one(&ocsf(version), &full(action)).pointer(pointer).is_some())
}

#[test]
fn parts_appear_with_the_version_that_brought_them() {
    for (action, pointer, expected) in [
        ("user.logout", "/metadata/original_event_uid", [false, false, false, true]),
        ("user.logout", "/unmapped/id", [true, true, true, false]),
        ("user.login_password_success", "/auth_factors", [false, false, true, true]),
        ("user.logout", "/src_endpoint", [true; 4]),
        ("team.add_card", "/src_endpoint", [false, true, true, true]),
        ("team.add_card", "/http_request", [false, true, true, true]),
        ("team.add_card", "/unmapped/ip", [true, false, false, false]),
        ("team.add_card", "/unmapped/userAgent", [true, false, false, false]),
        ("team.add_card", "/entity/type_id", [false, true, true, true]),
        ("team.add_card", "/entity/user", [false, true, true, true]),
        ("team.add_card", "/entity/org", [false, true, true, true]),
        ("team.add_card", "/unmapped/data/user/username", [true, false, false, false]),
        ("team.add_card", "/metadata/profiles", [true, true, false, false]),
        ("team.add_member", "/metadata/profiles", [true, true, false, false]),
        ("user.logout", "/metadata/profiles", [false; 4]),
        ("collection.shared", "/metadata/profiles", [true; 4]),
        ("team.add_member", "/http_request", [false, true, true, true]),
    ] {
        assert_eq!(has(action, pointer), expected, "{action} {pointer}");
    }
}

#[test]
fn observables_are_of_the_types_that_a_version_has() {
    let ids = |version| {
        let event = one(&ocsf(version), &full("team.add_group_member"));
        let ids =
            event["observables"].as_array().unwrap().iter().map(|each| each["type_id"].as_u64().unwrap());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("1.1.0"), [4, 5, 4, 5]);
    assert_eq!(ids("1.3.0"), [2, 4, 5, 4, 5, 16]);
    assert_eq!(ids("1.5.0"), [2, 4, 5, 31, 4, 5, 31, 32, 33, 16]);
    assert_eq!(ids("1.5.0"), ids("1.8.0"));
}

#[test]
fn activities_that_a_version_lacks_are_others_by_the_same_name() {
    let activity = |version: &str| {
        let event = one(&ocsf(version), &full("team.customauth.disable"));
        (event["activity_id"].clone(), event["activity_name"].clone(), event["type_name"].clone())
    };
    assert_eq!(activity("1.1.0"), (json!(99), json!("Disable"), json!("Entity Management: Other")));
    assert_eq!(activity("1.3.0"), (json!(9), json!("Disable"), json!("Entity Management: Disable")));
}

#[test]
fn an_entity_has_a_name_where_the_version_wants_one() {
    let mut record = full("team.add_card");
    record["data"]["variables"] = Value::Null;
    assert_eq!(one(&ocsf("1.1.0"), &record)["entity"], json!({"type": "Payment Method", "name": "Unknown"}));
    assert_eq!(one(&ocsf("1.3.0"), &record)["entity"].get("name"), None);
}

#[test]
fn a_bare_group_event_becomes_an_entity_event_where_it_must() {
    let mut record = full("team.create_group");
    record["data"]["user"] = Value::Null;
    record["data"]["variables"] = json!({"group": {"id": 5, "name": "Developers"}});
    let class = |version: &str, record: &Value| {
        let event = one(&ocsf(version), record);
        (event["class_uid"].clone(), event["activity_id"].clone())
    };
    assert_eq!(class("1.1.0", &record), (json!(3004), json!(1)));
    assert_eq!(class("1.3.0", &record), (json!(3004), json!(1)));
    assert_eq!(class("1.5.0", &record), (json!(3006), json!(6)));
    let entity = one(&ocsf("1.1.0"), &record)["entity"].clone();
    assert_eq!(entity, json!({"type": "Group", "uid": "5", "name": "Developers"}));
    // With roles it may stay.
    record["data"]["variables"]["roles"] = json!("user");
    assert_eq!(class("1.1.0", &record), (json!(3006), json!(6)));
}

#[test]
fn the_generic_shape_loses_what_a_version_lacks() {
    let record = json!({
        "id": "a", "action": "key.rotate", "actor": {"id": "k", "name": "ci", "type": "api_key"}, "client_ip": "192.0.2.1",
        "method": "PATCH", "path": "/x", "status_code": 200, "target": {"id": "t"}
    });
    let has =
        |pointer: &str| OCSF_VERSIONS.map(|version| of_acme(version, &record).pointer(pointer).is_some());
    assert_eq!(has("/http_response"), [false, false, true, true]);
    assert_eq!(has("/api/response/code"), [true; 4]);
    assert_eq!(has("/api/token"), [false, false, false, true]);
    assert_eq!(has("/actor/user/programmatic_credentials"), [false, false, false, true]);
    assert_eq!(has("/resources/0/role_id"), [false, false, false, true]);
    assert_eq!(has("/http_request/http_method"), [false, false, false, true]);
    assert_eq!(has("/unmapped/method"), [true, true, true, false]);
}

#[test]
fn an_unknown_version_is_refused_with_what_there_is() {
    for (mut view, supported) in [(ocsf("1.8.0"), &OCSF_VERSIONS[..]), (ecs(), &[ECS_VERSION])] {
        view.version = "9.9.9".into();
        let Err(error) = transform::postman(&view, PostmanOptions::default()) else { panic!("taken") };
        assert_eq!(error.supported, supported);
        let name = view.schema.name();
        assert_eq!(
            error.to_string(),
            format!("no {name} version \"9.9.9\"; this release writes {}", supported.join(", "))
        );
        assert!(transform::generic(&view, &acme()).is_err());
    }
    assert!(transform::postman(&raw(), PostmanOptions::default()).is_ok());
    assert_eq!(OCSF_VERSIONS, testkit::schema::OCSF_VERSIONS);
}
