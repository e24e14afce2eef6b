//! Role changes of several users: one event each, within limits.

use serde_json::{Value, json};

use crate::actions::full;
use crate::support::{Event, ecs, events, in_ecs, in_ocsf, ocsf, postman, raw};

fn with_users(users: Value) -> Value {
    let mut record = full("team.update_user_roles");
    record["data"]["user"] = Value::Null;
    record["data"]["variables"] = json!({"users": users});
    record
}

fn fan_out(record: &Value) -> Vec<Event> {
    let view = ocsf("1.8.0");
    events(&*postman(&view), &view, record.to_string().as_bytes())
}

#[test]
fn each_user_has_an_event_in_the_order_of_the_keys() {
    for users in [
        json!({"9": ["user"], "10": ["admin"], "2": "user"}),
        json!("{\"9\":[\"user\"],\"10\":[\"admin\"],\"2\":\"user\"}"),
    ] {
        let found = fan_out(&with_users(users));
        let seen: Vec<_> = found
            .iter()
            .map(|event| (&event["user"]["uid"], &event["privileges"], event.meta.severity))
            .collect();
        assert_eq!(
            seen,
            [
                (&json!("10"), &json!(["admin"]), 3),
                (&json!("2"), &json!(["user"]), 2),
                (&json!("9"), &json!(["user"]), 2)
            ]
        );
        assert!(found.iter().all(|event| event["metadata"]["correlation_uid"] == "50000001"));
        let mut uids: Vec<_> = found.iter().map(|event| event["metadata"]["uid"].to_string()).collect();
        let mut ids: Vec<_> = found.iter().map(|event| event.meta.id).collect();
        uids.dedup();
        ids.dedup();
        assert_eq!((uids.len(), ids.len()), (3, 3));
        assert!(found.iter().all(|event| event["unmapped"]["data"].get("variables").is_none()));
        assert!(found.iter().all(|event| event.get("raw_data").is_some() && event.meta.record == 0));
    }
}

#[test]
fn one_user_is_no_fan_out() {
    let mut record = with_users(json!({"87654321": ["user"]}));
    let found = fan_out(&record);
    assert_eq!((found.len(), found[0]["metadata"].get("correlation_uid")), (1, None));
    assert_eq!(found[0]["user"].get("name"), None);
    // The record's user, if it is the same, brings its name.
    record["data"]["user"] = full("")["data"]["user"].clone();
    assert_eq!(fan_out(&record)[0]["user"]["name"], "alex-cruz");
    record["data"]["user"]["id"] = json!(1);
    let other = fan_out(&record);
    assert_eq!(
        (&other[0]["user"]["uid"], &other[0]["unmapped"]["data"]["user"]["username"]),
        (&json!("87654321"), &json!("alex-cruz"))
    );
}

#[test]
fn a_user_with_roles_needs_no_list_of_users() {
    let mut record = full("user.update_roles");
    record["data"]["variables"] = json!({"roles": ["owner"]});
    let event = in_ocsf(&record);
    assert_eq!((&event["class_uid"], &event["user"]["uid"]), (&json!(3005), &json!("87654321")));
    assert_eq!((&event["privileges"], &event["severity_id"]), (&json!(["owner"]), &json!(3)));
    let document = in_ecs(&record);
    assert_eq!(document["user"]["changes"], json!({"roles": ["owner"]}));
    assert_eq!(document["event"]["type"], json!(["user", "change", "admin"]));
}

#[test]
fn of_equal_users_the_last_counts() {
    let found = fan_out(&with_users(json!("{\"1\":[\"a\"],\"2\":[\"b\"],\"1\":[\"c\"]}")));
    let seen: Vec<_> = found.iter().map(|event| (&event["user"]["uid"], &event["privileges"])).collect();
    assert_eq!(seen, [(&json!("1"), &json!(["c"])), (&json!("2"), &json!(["b"]))]);
}

#[test]
fn what_is_no_list_of_roles_is_kept_as_it_is() {
    for users in [
        json!("{broken"),
        json!({}),
        json!({"1": 7}),
        json!({"1": ["a", null]}),
        json!("text"),
        json!(5),
        json!({"": ["a"]}),
    ] {
        let event = in_ocsf(&with_users(users.clone()));
        assert_eq!((&event["class_uid"], &event["activity_id"]), (&json!(3004), &json!(3)), "{users}");
        assert_eq!(event["entity"]["type"], "User Roles", "{users}");
        let kept = if users == json!({}) { Value::Null } else { json!({"users": users}) };
        assert_eq!(event["unmapped"]["data"]["variables"], kept);
    }
}

fn many(count: usize, padding: usize) -> Value {
    let users: serde_json::Map<_, _> = (0..count).map(|n| (format!("{n:05}"), json!(["user"]))).collect();
    let mut record = with_users(Value::Object(users));
    record["padding"] = json!("x".repeat(padding));
    record
}

#[test]
fn above_two_hundred_users_there_is_one_event() {
    assert_eq!(fan_out(&many(200, 0)).len(), 200);
    let mut record = many(201, 0);
    record["data"]["variables"]["users"]["00007"] = json!(["admin"]);
    let event = in_ocsf(&record);
    assert_eq!(
        (&event["class_uid"], &event["entity"]["type"], &event["severity_id"]),
        (&json!(3004), &json!("User Roles"), &json!(3))
    );
    assert_eq!(event["unmapped"]["data"]["variables"], record["data"]["variables"]);
    assert_eq!(in_ecs(&record)["related"]["user"].as_array().unwrap().len(), 3 + 201);
}

#[test]
fn large_records_are_not_multiplied() {
    // 20 users × 60 kB: the record stands in the first event only.
    let found = fan_out(&many(20, 60_000));
    assert_eq!(found.len(), 20);
    assert!(found[0].get("raw_data").is_some() && found[0]["unmapped"].get("padding").is_some());
    assert!(
        found[1..].iter().all(|event| event.get("raw_data").is_none() && event.get("unmapped").is_none())
    );
    // 20 users × 40 kB: in each.
    assert!(fan_out(&many(20, 40_000)).iter().all(|event| event.get("raw_data").is_some()));
    // 200 users × 100 kB would be 20 MB.
    assert_eq!(fan_out(&many(200, 100_000)).len(), 1);
}

#[test]
fn other_views_have_one_event_a_record() {
    for view in [ecs(), raw()] {
        let found = events(&*postman(&view), &view, many(5, 0).to_string().as_bytes());
        assert_eq!((found.len(), found[0].meta.class), (1, 3005));
    }
}
