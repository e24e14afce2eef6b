//! Where things stand in an ECS document.

use serde_json::{Value, json};

use crate::actions::full;
use crate::support::in_ecs;

#[test]
fn the_user_is_who_acted_and_the_target_somebody_else() {
    let other = in_ecs(&full("team.scim_add_member"));
    assert_eq!(
        (&other["user"]["id"], &other["user"]["target"]["id"]),
        (&json!("12345678"), &json!("87654321"))
    );
    let people = json!([
        "taylor-lee",
        "taylor.lee@example.com",
        "12345678",
        "alex-cruz",
        "alex.cruz@example.com",
        "87654321"
    ]);
    assert_eq!(other["related"]["user"], people);
    let mut record = full("team.scim_add_member");
    record["data"]["user"] =
        json!({"id": 12_345_678, "username": "taylor-lee", "email": "other@example.com"});
    let own = in_ecs(&record);
    assert_eq!(own["user"].get("target"), None);
    // The same person in other words: what is new of it is kept.
    assert_eq!(
        own["related"]["user"],
        json!(["taylor-lee", "taylor.lee@example.com", "12345678", "other@example.com"])
    );
    assert_eq!(
        own["postman"]["audit"]["extra_json"],
        "{\"data\":{\"user\":{\"email\":\"other@example.com\"}}}"
    );
    record["data"]["actor"] = Value::Null;
    let nobody = in_ecs(&record);
    assert_eq!(
        nobody["user"],
        json!({"target": {"id": "12345678", "name": "taylor-lee", "email": "other@example.com"}})
    );
}

#[test]
fn of_a_sign_in_the_user_is_who_signed_in() {
    let document = in_ecs(&full("user.session_revoked"));
    assert_eq!((&document["user"]["id"], document["user"].get("target")), (&json!("87654321"), None));
    assert_eq!(document["related"]["user"].as_array().unwrap().len(), 6);
    assert!(document["postman"]["audit"]["extra_json"].as_str().unwrap().contains("taylor-lee"));
}

#[test]
fn groups_stand_at_the_target_and_at_the_root() {
    let document = in_ecs(&full("team.add_group_member"));
    let group = json!({"id": "5", "name": "Developers"});
    assert_eq!((&document["group"], &document["user"]["target"]["group"]), (&group, &group));
    assert_eq!(in_ecs(&full("team.add_member")).get("group"), None);
    assert_eq!(in_ecs(&full("user.logout")).get("group"), None);
}

#[test]
fn roles_stand_with_whom_they_concern() {
    let joined = in_ecs(&full("team.add_member"));
    assert_eq!((&joined["user"]["target"]["roles"], joined["user"].get("roles")), (&json!(["user"]), None));
    let mut record = full("team.add_member");
    record["data"]["user"] = record["data"]["actor"].clone();
    assert_eq!(in_ecs(&record)["user"]["roles"], json!(["user"]));
    record["data"]["user"] = Value::Null;
    assert_eq!(in_ecs(&record)["user"].get("roles"), None);
    let mut record = full("team.update_user_roles");
    let changed = in_ecs(&record);
    assert_eq!(
        (&changed["user"]["target"]["name"], &changed["user"]["changes"]),
        (&json!("alex-cruz"), &json!({"roles": ["user"]}))
    );
    record["data"]["user"]["id"] = json!(1);
    let changed = in_ecs(&record);
    assert_eq!(
        (&changed["user"]["target"], &changed["user"]["changes"]),
        (&json!({"id": "87654321"}), &json!({"roles": ["user"]}))
    );
    record["data"]["variables"]["users"] = json!({"1": ["user"], "2": ["user"]});
    let changed = in_ecs(&record);
    assert_eq!((&changed["user"]["target"]["id"], changed["user"].get("changes")), (&json!("1"), None));
}

#[test]
fn sources_have_an_address_and_an_ip_if_it_is_one() {
    let source = |ip: &str| {
        let mut record = full("user.logout");
        record["ip"] = json!(ip);
        let document = in_ecs(&record);
        (document["source"].clone(), document["related"]["ip"].clone())
    };
    assert_eq!(
        source("192.0.2.1:8080"),
        (json!({"address": "192.0.2.1", "ip": "192.0.2.1", "port": 8080}), json!(["192.0.2.1"]))
    );
    assert_eq!(
        source("192.0.2.1, 2001:db8::1"),
        (json!({"address": "192.0.2.1", "ip": "192.0.2.1"}), json!(["192.0.2.1", "2001:db8::1"]))
    );
    assert_eq!(source("head office"), (json!({"address": "head office"}), Value::Null));
}

#[test]
fn values_that_come_twice_stand_in_a_list_once() {
    let mut record = full("team.add_member");
    let twice: Vec<String> = (0..60).map(|n| format!("role-{}", n % 30)).collect();
    record["data"]["variables"]["roles"] = json!(twice);
    record["ip"] = json!("192.0.2.1, 192.0.2.2, 192.0.2.1, 192.0.2.2");
    let document = in_ecs(&record);
    assert_eq!(document["user"]["target"]["roles"], json!(twice[..30]));
    assert_eq!(document["related"]["ip"], json!(["192.0.2.1", "192.0.2.2"]));
}

#[test]
fn what_ecs_has_no_place_for_is_text_under_the_vendors_name() {
    let mut record = full("team.add_card");
    record["data"]["variables"] = json!({"12345": ["x"], "n": {"m": null}});
    record["data"]["actor"]["active"] = json!(false);
    record["color"] = json!({"a": [1, null], "b": ""});
    record["timestamp"] = json!("soon");
    let document = in_ecs(&record);
    let vendor = &document["postman"]["audit"];
    assert_eq!(vendor["actor"]["active"], false);
    let text = |key: &str| serde_json::from_str::<Value>(vendor[key].as_str().unwrap()).unwrap();
    assert_eq!(text("variables_json"), record["data"]["variables"]);
    assert_eq!(text("extra_json"), json!({"timestamp": "soon", "color": {"a": [1, null]}}));
    record["data"]["actor"]["active"] = json!("yes");
    let document = in_ecs(&record);
    assert_eq!(document["postman"]["audit"].get("actor"), None);
    assert!(document["postman"]["audit"]["extra_json"].as_str().unwrap().contains("\"active\":\"yes\""));
    assert_eq!(document["@timestamp"], "2026-11-21T19:00:00.000Z");
}

#[test]
fn what_an_index_would_refuse_is_left_out() {
    let mut record = full("team.add_member");
    record["message"] = json!("");
    record["userAgent"] = json!("");
    record["ip"] = json!("");
    record["data"]["variables"] = json!({"roles": ["", "user", ""]});
    record["data"]["team"] = json!({"id": 1, "name": ""});
    let document = in_ecs(&record);
    assert_eq!(
        (document.get("message"), document.get("user_agent"), document.get("source")),
        (None, None, None)
    );
    assert_eq!(document["user"]["target"]["roles"], json!(["user"]));
    assert_eq!(document["organization"], json!({"id": "1"}));
}
