//! What every OCSF event says of its record, whatever class it has.

use pipeline::Origin;
use serde_json::{Value, json};

use crate::actions::full;
use crate::support::{
    checked, collected_at, ecs, events, in_ocsf, lines, ocsf, one, origin, postman, record, views,
};

fn with(changes: Value) -> Value {
    let mut record = full("user.logout");
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    record
}

#[test]
fn ids_of_any_scalar_are_texts() {
    for (id, text) in [
        (json!(50_000_001), "50000001"),
        (json!("al_9"), "al_9"),
        (json!(true), "true"),
        (json!(123_456_789_012_345_678_u64), "123456789012345678"),
    ] {
        let mut record = with(json!({"id": id}));
        record["data"]["actor"]["id"] = id.clone();
        record["data"]["team"]["id"] = id;
        let event = in_ocsf(&record);
        assert_eq!(event["metadata"]["original_event_uid"], text);
        assert_eq!(event["actor"]["user"]["uid"], text);
        assert_eq!(event["metadata"]["tenant_uid"], text);
        assert_eq!((event.actor.as_str(), event.tenant.as_str()), (text, text));
    }
}

#[test]
fn a_record_without_an_id_gets_one_from_its_bytes() {
    let event = in_ocsf(&with(json!({"id": null})));
    assert_eq!(event["metadata"].get("original_event_uid"), None);
    let other = in_ocsf(&with(json!({"id": null, "message": "else"})));
    assert_ne!(event["metadata"]["uid"], other["metadata"]["uid"]);
    // UUIDv5 of `postman.audit||<SHA-256 of the record>|0`, computed with Python's uuid and hashlib.
    let view = ocsf("1.8.0");
    let found = events(&*postman(&view), &view, br#"{"action":"user.logout","actor":{"id":1}}"#);
    assert_eq!(found[0]["metadata"]["uid"], PINNED_UUID);
}

const PINNED_UUID: &str = "67db227a-a75a-5e41-a1c1-e0e1dccb8a45";

#[test]
fn times_in_any_form_are_read_and_kept_as_written() {
    for (time, millis) in [
        (json!("2026-11-20T18:31:32+02:00"), 1_795_192_292_000_i64),
        (json!("2026-11-20T16:31:32Z"), 1_795_192_292_000),
        (json!(1_795_192_292), 1_795_192_292_000),
        (json!("1795192292000"), 1_795_192_292_000),
    ] {
        let event = in_ocsf(&with(json!({"timestamp": time})));
        assert_eq!(event["time"], millis);
        assert_eq!(event.meta.time.as_millis(), millis);
        assert_eq!(event["metadata"]["original_time"], time.as_str().map_or(time.to_string(), str::to_owned));
        assert_eq!(event["unmapped"].get("timestamp"), None);
    }
}

#[test]
fn an_unreadable_time_gives_way_to_the_collection_time() {
    for time in ["yesterday", "1995-01-01T00:00:00Z"] {
        let event = in_ocsf(&with(json!({"timestamp": time})));
        assert_eq!(event["time"], collected_at().as_millis());
        assert_eq!(event["metadata"]["original_time"], time);
        assert_eq!(event["unmapped"]["timestamp"], time);
    }
    let event = in_ocsf(&with(json!({"timestamp": null})));
    assert_eq!(event["time"], collected_at().as_millis());
    assert_eq!(event["metadata"].get("original_time"), None);
}

#[test]
fn users_are_named_by_what_there_is() {
    let named = |user: Value| {
        let mut record = full("team.add_member");
        record["data"]["user"] = user;
        let event = in_ocsf(&record);
        (event["user"].clone(), event["unmapped"]["data"]["user"].clone())
    };
    let org = json!({"uid": "1234", "name": "Test-Team"});
    let (user, rest) =
        named(json!({"id": 7, "name": "Ann Lee", "username": "ann", "email": "ann@x.example"}));
    assert_eq!(
        user,
        json!({"uid": "7", "name": "ann", "full_name": "Ann Lee", "email_addr": "ann@x.example", "type_id": 1, "type": "User", "org": org})
    );
    assert_eq!(rest, Value::Null);
    let (user, rest) = named(json!({"id": 7, "name": "ann", "username": "ann"}));
    assert_eq!(user, json!({"uid": "7", "name": "ann", "type_id": 1, "type": "User", "org": org}));
    assert_eq!(rest, Value::Null);
    let (user, _) = named(json!({"email": "ann@x.example"}));
    assert_eq!((&user["name"], &user["email_addr"]), (&json!("ann@x.example"), &json!("ann@x.example")));
    let (user, rest) = named(json!({"id": 7, "username": "ann", "email": "ann at x"}));
    assert_eq!((user.get("email_addr"), &rest), (None, &json!({"email": "ann at x"})));
    let (user, rest) = named(json!({"id": 2, "name": "Robot", "shoe": 43}));
    assert_eq!(user, json!({"uid": "2", "name": "Robot", "type_id": 3, "type": "System"}));
    assert_eq!(rest, json!({"shoe": 43}));
}

#[test]
fn addresses_are_those_that_ocsf_takes() {
    for (email, taken) in [
        ("a.b+c@x.example", true),
        ("a,b@x.example", true),
        ("o'neil@x-y.co.uk", true),
        ("a@x", false),
        ("a@.x", false),
        ("a b@x.example", false),
        ("a@b@x.example", false),
        ("ä@x.example", false),
        ("@x.example", false),
        ("a@x.", false),
    ] {
        let mut record = full("user.logout");
        record["data"]["actor"]["email"] = json!(email);
        assert_eq!(in_ocsf(&record)["actor"]["user"].get("email_addr").is_some(), taken, "{email}");
    }
}

#[test]
fn sources_are_read_in_all_their_forms() {
    let source = |ip: Value| {
        let event = in_ocsf(&with(json!({"ip": ip})));
        (
            event["src_endpoint"].clone(),
            event["http_request"]["x_forwarded_for"].clone(),
            event["unmapped"]["ip"].clone(),
        )
    };
    let none = Value::Null;
    for (ip, endpoint, forwarded, rest) in [
        (json!("192.0.2.1"), json!({"ip": "192.0.2.1"}), none.clone(), none.clone()),
        (json!("192.0.2.1:443"), json!({"ip": "192.0.2.1", "port": 443}), none.clone(), none.clone()),
        (json!("2001:db8::7"), json!({"ip": "2001:db8::7"}), none.clone(), none.clone()),
        (json!("[2001:db8::7]:80"), json!({"ip": "2001:db8::7", "port": 80}), none.clone(), none.clone()),
        (json!("[2001:db8::7]"), json!({"ip": "2001:db8::7"}), none.clone(), none.clone()),
        (
            json!("192.0.2.1, 198.51.100.7,2001:db8::7"),
            json!({"ip": "192.0.2.1"}),
            json!(["198.51.100.7", "2001:db8::7"]),
            none.clone(),
        ),
        (json!("192.0.2.1, unknown"), json!({"ip": "192.0.2.1"}), none.clone(), json!("192.0.2.1, unknown")),
        (
            json!("192.0.2.1, 198.51.100.7:9"),
            json!({"ip": "192.0.2.1"}),
            json!(["198.51.100.7"]),
            json!("192.0.2.1, 198.51.100.7:9"),
        ),
        (json!("office"), none.clone(), none.clone(), json!("office")),
        (json!("192.0.2.1:99999"), none.clone(), none.clone(), json!("192.0.2.1:99999")),
        (json!("fe80::1%eth0"), none.clone(), none.clone(), json!("fe80::1%eth0")),
        // OCSF ends at 40 characters.
        (
            json!("0000:0000:0000:0000:0000:ffff:192.168.100.228"),
            none.clone(),
            none.clone(),
            json!("0000:0000:0000:0000:0000:ffff:192.168.100.228"),
        ),
        (json!(7), none.clone(), none.clone(), json!(7)),
        (none.clone(), none.clone(), none.clone(), none.clone()),
    ] {
        assert_eq!(source(ip.clone()), (endpoint, forwarded, rest), "{ip}");
    }
    let api = in_ocsf(&json!({"id": 1, "action": "robot.moved", "user": {"id": 1}}));
    assert_eq!((&api["class_uid"], &api["src_endpoint"]), (&json!(6003), &json!({"name": "Unknown"})));
}

#[test]
fn observables_stand_in_their_order_and_once() {
    let mut record = full("team.add_group_member");
    record["data"]["user"]["username"] = json!("taylor-lee");
    let event = in_ocsf(&record);
    let names: Vec<_> = event["observables"].as_array().unwrap().iter().map(|each| &each["name"]).collect();
    let expected = [
        "src_endpoint.ip",
        "actor.user.name",
        "actor.user.email_addr",
        "actor.user.uid",
        "user.email_addr",
        "user.uid",
        "group.name",
        "group.uid",
        "http_request.user_agent",
    ];
    assert_eq!(names, expected);
    let ids: Vec<_> = event["observables"].as_array().unwrap().iter().map(|each| &each["type_id"]).collect();
    assert_eq!(ids, [2, 4, 5, 31, 5, 31, 32, 33, 16]);
}

#[test]
fn what_is_not_mapped_stays_where_it_was_without_blanks() {
    let mut record =
        with(json!({"new": {"a": [null, {}], "b": null, "c": {"d": ""}}, "blank": [], "note": "é\"\n"}));
    record["data"]["more"] = json!({"deep": {"er": 1}});
    let event = in_ocsf(&record);
    let mut expected = json!({
        "new": {"a": [null, {}]}, "note": "é\"\n",
        "data": {"actor": {"active": true}, "more": {"deep": {"er": 1}}}
    });
    expected["data"]["variables"] = record["data"]["variables"].clone();
    assert_eq!(event["unmapped"], expected);
}

/// A record as no serializer writes it: spaces, equal keys, escapes of all sorts, numbers beyond every type.
const ODD: &str = "{ \"id\" : 12345678901234567890123456789 , \"id\":\"\\u0041\\/b\", \"acti\\u006fn\":\"user.logout\",\t\"actor\":{\"id\":1e2,\"name\":\"\\ud83d\\ude00\\ud800 \\b\\f\"},\r\n \"n\":[1e999,-0.0,9007199254740993], \"x\":1, \"x\":{\"y\":1,\"y\":2}, \"\":\"\\u0000\" }";

#[test]
fn the_raw_record_survives_byte_for_byte() {
    for view in views() {
        for event in events(&*postman(&view), &view, ODD.as_bytes()) {
            let kept = match view.schema {
                pipeline::Schema::Ocsf => event["raw_data"].as_str().unwrap().to_owned(),
                pipeline::Schema::Ecs => event["event"]["original"].as_str().unwrap().to_owned(),
                pipeline::Schema::Raw => {
                    assert_eq!(event.text, ODD.replace(['\r', '\n'], "").as_bytes());
                    continue;
                }
            };
            assert_eq!(kept, ODD);
        }
    }
}

#[test]
fn odd_records_are_read_all_the_same() {
    let view = ocsf("1.8.0");
    let event = &events(&*postman(&view), &view, ODD.as_bytes())[0];
    assert_eq!(event["class_uid"], 3002);
    // Of equal keys the last counts, for what is mapped and for what is left over.
    assert_eq!(event["metadata"]["original_event_uid"], "A/b");
    assert_eq!(event["actor"]["user"]["uid"], "1e2");
    assert_eq!(event["actor"]["user"]["name"], "😀\u{fffd} \u{8}\u{c}");
    let text = String::from_utf8(event.text.clone()).unwrap();
    let rest = text.split_once("\"unmapped\":").unwrap().1;
    let expected = r#"{"id":12345678901234567890123456789,"n":["1e999",-0.0,9007199254740993],"x":{"y":2},"":"\u0000"},"raw_data""#;
    assert!(rest.starts_with(expected), "{rest}");
}

#[test]
fn the_raw_record_is_left_out_on_request() {
    for mut view in views() {
        view.keep_raw = false;
        let event = &events(&*postman(&view), &view, full("user.logout").to_string().as_bytes())[0];
        assert_eq!((event.get("raw_data"), event["event"].get("original")), (None, None));
        if view.schema == pipeline::Schema::Ecs {
            assert_eq!(event["tags"], json!(["postman-audit", "forwarded"]));
        }
    }
}

#[test]
fn labels_of_the_source_are_on_every_event() {
    let labels = vec![("env".into(), "prod \"eu\"".into()), ("cost.center".into(), "7".into())];
    let origin = Origin { labels, ..origin("postman.audit") };
    for text in [full("user.logout").to_string(), "{}".to_owned(), "no JSON".to_owned()] {
        for view in views() {
            let record = record(&origin, text.as_bytes());
            let event = &checked(&view, lines(&*postman(&view), &record), &text)[0];
            match view.schema {
                pipeline::Schema::Ocsf => {
                    assert_eq!(event["metadata"]["labels"], json!(["env:prod \"eu\"", "cost.center:7"]));
                }
                pipeline::Schema::Ecs => {
                    assert_eq!(event["labels"], json!({"env": "prod \"eu\"", "cost_center": "7"}));
                }
                pipeline::Schema::Raw => {}
            }
        }
    }
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let record_text = full("team.update_user_roles").to_string();
    let origin = origin("postman.audit");
    for view in views() {
        let transform = postman(&view);
        let first = record(&origin, record_text.as_bytes());
        let mut later = first;
        later.collected_at = "2027-01-01T00:00:00Z".parse().unwrap();
        let (one, two, moved) =
            (lines(&*transform, &first), lines(&*postman(&view), &first), lines(&*transform, &later));
        assert_eq!(one.ndjson(), two.ndjson());
        assert_eq!(one.events(), two.events());
        // Only ECS tells when a record was collected.
        let same = String::from_utf8(moved.ndjson().to_vec()).unwrap();
        let same = same.replace("2027-01-01T00:00:00.000Z", "2026-11-21T19:00:00.000Z");
        assert_eq!(one.ndjson(), same.as_bytes());
        assert_eq!(moved.ndjson() == one.ndjson(), view.schema != pipeline::Schema::Ecs);
    }
}

#[test]
fn the_content_is_part_of_the_event_id() {
    let origin = origin("postman.audit");
    let text = full("user.logout").to_string();
    for view in [ocsf("1.8.0"), ecs()] {
        let first = record(&origin, text.as_bytes());
        let mut changed = first;
        changed.id.content += 1;
        let transform = postman(&view);
        assert_ne!(lines(&*transform, &first).events()[0].id, lines(&*transform, &changed).events()[0].id);
    }
    assert_eq!(one(&ocsf("1.1.0"), &full("user.logout")).meta.id, one(&ecs(), &full("user.logout")).meta.id);
}
