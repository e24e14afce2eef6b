//! Records of any API, read by a mapping.

use pipeline::{Buffers, EventOutcome, EventWriter, Schema, View};
use proptest::prelude::*;
use serde_json::{Value, json};
use transform::OCSF_VERSIONS;

use crate::support::{Event, checked, ecs, lines, mapping, ocsf, origin, record, views};

fn events(view: &View, config: &Value, text: &str) -> Vec<Event> {
    let settings = mapping(config.clone());
    let origin = origin(settings.dataset());
    let transform = transform::generic(view, &settings).unwrap();
    checked(view, lines(&*transform, &record(&origin, text.as_bytes())), text)
}

fn one(view: &View, config: &Value, value: &Value) -> Event {
    let mut found = events(view, config, &value.to_string());
    assert_eq!(found.len(), 1);
    found.remove(0)
}

fn in_ocsf(config: &Value, value: &Value) -> Event {
    one(&ocsf("1.8.0"), config, value)
}

/// Activities: each one's id, its name, and the oldest of our versions that has it.
type Activities = &'static [(u8, &'static str, &'static str)];

/// Every class, by name and id, with all of its activities.
const CLASSES: [(&str, u32, Activities); 8] = [
    ("base_event", 0, &[(99, "other", "1.1.0")]),
    (
        "account_change",
        3001,
        &[
            (1, "create", "1.1.0"),
            (2, "enable", "1.1.0"),
            (3, "password_change", "1.1.0"),
            (4, "password_reset", "1.1.0"),
            (5, "disable", "1.1.0"),
            (6, "delete", "1.1.0"),
            (7, "attach_policy", "1.1.0"),
            (8, "detach_policy", "1.1.0"),
            (9, "lock", "1.1.0"),
            (10, "mfa_factor_enable", "1.1.0"),
            (11, "mfa_factor_disable", "1.1.0"),
            (12, "unlock", "1.5.0"),
            (99, "other", "1.1.0"),
        ],
    ),
    (
        "authentication",
        3002,
        &[
            (1, "logon", "1.1.0"),
            (2, "logoff", "1.1.0"),
            (3, "authentication_ticket", "1.1.0"),
            (4, "service_ticket_request", "1.1.0"),
            (5, "service_ticket_renew", "1.1.0"),
            (6, "preauth", "1.3.0"),
            (7, "account_switch", "1.8.0"),
            (99, "other", "1.1.0"),
        ],
    ),
    (
        "entity_management",
        3004,
        &[
            (1, "create", "1.1.0"),
            (2, "read", "1.1.0"),
            (3, "update", "1.1.0"),
            (4, "delete", "1.1.0"),
            (5, "move", "1.3.0"),
            (6, "enroll", "1.3.0"),
            (7, "unenroll", "1.3.0"),
            (8, "enable", "1.3.0"),
            (9, "disable", "1.3.0"),
            (10, "activate", "1.3.0"),
            (11, "deactivate", "1.3.0"),
            (12, "suspend", "1.3.0"),
            (13, "resume", "1.3.0"),
            (99, "other", "1.1.0"),
        ],
    ),
    (
        "user_access",
        3005,
        &[(1, "assign_privileges", "1.1.0"), (2, "revoke_privileges", "1.1.0"), (99, "other", "1.1.0")],
    ),
    (
        "group_management",
        3006,
        &[
            (1, "assign_privileges", "1.1.0"),
            (2, "revoke_privileges", "1.1.0"),
            (3, "add_user", "1.1.0"),
            (4, "remove_user", "1.1.0"),
            (5, "delete", "1.1.0"),
            (6, "create", "1.1.0"),
            (7, "add_subgroup", "1.8.0"),
            (8, "remove_subgroup", "1.8.0"),
            (99, "other", "1.1.0"),
        ],
    ),
    (
        "web_resources_activity",
        6001,
        &[
            (1, "create", "1.1.0"),
            (2, "read", "1.1.0"),
            (3, "update", "1.1.0"),
            (4, "delete", "1.1.0"),
            (5, "search", "1.1.0"),
            (6, "import", "1.1.0"),
            (7, "export", "1.1.0"),
            (8, "share", "1.1.0"),
            (99, "other", "1.1.0"),
        ],
    ),
    (
        "api_activity",
        6003,
        &[
            (1, "create", "1.1.0"),
            (2, "read", "1.1.0"),
            (3, "update", "1.1.0"),
            (4, "delete", "1.1.0"),
            (99, "other", "1.1.0"),
        ],
    ),
];

fn rich() -> Value {
    json!({
        "id": 7, "action": "thing.done", "created_at": 1_795_162_530, "message": "m", "outcome": "ok", "roles": ["Admin", "x"],
        "actor": {"id": "a", "name": "Ann", "email": "ann@x.example", "type": "user"},
        "target_user": {"id": "u", "name": "bob", "email": "bob@x.example"}, "group": {"id": "g", "name": "G"},
        "target": {"id": "t", "name": "T", "type": "thing"}, "org": {"id": 1, "name": "Org"}, "client_ip": "192.0.2.1:80, ::1",
        "user_agent": "UA", "method": "PUT", "path": "/p?q", "status_code": 403, "more": {"a": [1]}
    })
}

#[test]
fn every_activity_of_every_class_can_be_named_and_is_valid_in_every_view() {
    for (class, uid, activities) in CLASSES {
        for (id, name, since) in activities {
            let config = json!({"actions": [{"match": "thing.*", "class": class, "activity": name}]});
            for version in OCSF_VERSIONS {
                let event = one(&ocsf(version), &config, &rich());
                let has = version >= *since;
                let expected = if has { *id } else { 99 };
                assert_eq!(
                    (&event["class_uid"], &event["activity_id"]),
                    (&json!(uid), &json!(expected)),
                    "{class} {name} {version}"
                );
                let label = event["activity_name"].as_str().unwrap().to_lowercase().replace(' ', "_");
                assert_eq!(label, if *id == 99 { "thing.done" } else { *name });
            }
            let document = one(&ecs(), &config, &rich());
            assert_eq!(document.meta.class, uid);
        }
    }
}

#[test]
fn every_class_is_valid_whatever_is_missing_or_wrong() {
    let wrong = [
        json!(null),
        json!(""),
        json!(7),
        json!(true),
        json!([]),
        json!(["x", 1]),
        json!({"id": {}, "name": 3}),
    ];
    for (class, _, activities) in CLASSES {
        let activity = activities[0].1;
        let config = json!({"actions": [{"match": "*", "class": class, "activity": activity}]});
        for view in views() {
            let bare = json!({"action": "thing.done"});
            one(&view, &config, &bare);
            for key in rich().as_object().unwrap().keys().filter(|key| *key != "action") {
                for wrong in &wrong {
                    let mut record = rich();
                    record[key] = wrong.clone();
                    one(&view, &config, &record);
                    let mut alone = bare.clone();
                    alone[key] = wrong.clone();
                    one(&view, &config, &alone);
                }
                let mut alone = bare.clone();
                alone[key] = rich()[key].clone();
                one(&view, &config, &alone);
            }
        }
    }
}

#[test]
fn without_an_activity_the_action_s_words_tell_it() {
    for (class, action, activity) in [
        ("account_change", "member.created", 1),
        ("account_change", "member.suspended", 5),
        ("account_change", "member.blinked", 99),
        ("authentication", "user.signed_out", 2),
        ("authentication", "sso.login", 1),
        ("authentication", "sso.touched", 99),
        ("entity_management", "key.enabled", 8),
        ("user_access", "role.revoked", 2),
        ("user_access", "role.granted", 1),
        ("user_access", "role", 99),
        ("group_management", "team.member_added", 3),
        ("group_management", "team.user.removed", 4),
        ("group_management", "team.created", 6),
        ("group_management", "team.deleted", 5),
        ("group_management", "team.renamed", 99),
        ("web_resources_activity", "board.shared", 8),
        ("api_activity", "x.listed", 2),
        ("api_activity", "x", 3),
        ("base_event", "x.created", 99),
    ] {
        let config = json!({"actions": [{"match": "*", "class": class}]});
        let mut record = rich();
        record["action"] = json!(action);
        assert_eq!(in_ocsf(&config, &record)["activity_id"], activity, "{class} {action}");
    }
}

#[test]
fn the_first_rule_that_fits_counts() {
    let config = json!({"actions": [
        {"match": "user.login", "class": "base_event"},
        {"match": "USER.*", "class": "authentication", "activity": "logon"},
        {"match": "billing.*", "severity": "critical"},
        {"match": "*.x", "class": "entity_management", "severity": "low"}
    ]});
    let classified = |action: &str| {
        let event = in_ocsf(&config, &json!({"action": action, "actor": {"id": 1}, "status_code": 200}));
        (event.meta.class, event["activity_id"].as_u64().unwrap(), event.meta.severity)
    };
    assert_eq!(classified("user.login"), (0, 99, 1));
    assert_eq!(classified("user.login_twice"), (3002, 1, 1));
    assert_eq!(classified("billing.paid"), (6003, 99, 5));
    assert_eq!(classified("a.x"), (3004, 99, 2));
    assert_eq!(classified("a.login"), (3002, 1, 1));
    assert_eq!(classified("a.deleted"), (6003, 4, 1));
    // Making somebody an administrator is never less than medium.
    let roles = json!({"actions": [{"match": "*", "class": "user_access", "activity": "assign_privileges", "severity": "low"}]});
    assert_eq!(in_ocsf(&roles, &rich()).meta.severity, 3);
}

#[test]
fn a_code_is_called_by_its_name_and_kept_beside_it() {
    let config = json!({
        "fields": {"action": "type"},
        "action_names": {"1000": "User_LoggedIn", "del": "Item_Deleted"},
        "actions": [{"match": "user_*", "class": "authentication"}, {"match": "1000", "severity": "fatal"}],
    });
    let of = |code: Value| json!({"type": code, "actor": {"id": "u7"}, "created_at": "2026-11-20T08:00:00Z"});
    for (code, action, class, activity, event_code) in [
        (json!(1000), "User_LoggedIn", 3002, 1, Some("1000")),
        (json!("1000"), "User_LoggedIn", 3002, 1, Some("1000")),
        (json!("del"), "Item_Deleted", 6003, 4, Some("del")),
        (json!(1001), "1001", 6003, 99, None),
        (json!("DEL"), "DEL", 6003, 99, None),
    ] {
        let event = in_ocsf(&config, &of(code.clone()));
        assert_eq!((event.meta.class, event.action.as_str()), (class, action), "{code}");
        assert_eq!((&event.json["activity_id"], &event.json["severity_id"]), (&json!(activity), &json!(1)));
        assert_eq!(event.json["metadata"]["event_code"], action);
        assert_eq!(event.json.get("unmapped"), event_code.map(|_| json!({"type": code})).as_ref());
        let event = one(&ecs(), &config, &of(code));
        assert_eq!(event.json["event"]["action"], action);
        assert_eq!(event.json["event"].get("code"), event_code.map(|code| json!(code)).as_ref());
        assert_eq!(event.json.pointer("/acme/audit/extra_json"), None, "{}", event.json);
    }
    for (code, why) in
        [(json!(true), "not a string"), (json!([1000]), "not a string"), (Value::Null, "no action")]
    {
        let event = in_ocsf(&config, &of(code));
        assert_eq!(event.meta.class, 0);
        assert!(event.json.to_string().contains(why), "{}", event.json);
    }
}

#[test]
fn fields_are_taken_from_the_first_path_that_is_there() {
    let config = json!({"fields": {
        "id": ["a.id", "b"], "action": ["kind", "\"dotted.kind\""], "time": "t", "actor": {"id": "who.0.id", "name": "who.1"},
        "message": [], "tenant": {"id": "in"}
    }});
    let record = json!({
        "a": {"id": null}, "b": 12, "kind": "", "dotted.kind": "x.deleted", "t": "1795162530.25", "message": "kept", "in": "o1",
        "who": [{"id": 5, "extra": 1}, "Ann"]
    });
    let event = in_ocsf(&config, &record);
    assert_eq!(event["metadata"]["original_event_uid"], "12");
    assert_eq!((&event["metadata"]["event_code"], &event["activity_id"]), (&json!("x.deleted"), &json!(4)));
    assert_eq!((event.meta.time.as_millis(), event.tenant.as_str()), (1_795_162_530_250, "o1"));
    assert_eq!(
        event["actor"]["user"],
        json!({"uid": "5", "name": "Ann", "type_id": 0, "type": "Unknown", "org": {"uid": "o1"}})
    );
    // What is taken out of a list leaves the list as it was.
    assert_eq!(event["unmapped"], json!({"message": "kept", "who": [{"id": 5, "extra": 1}, "Ann"]}));
    assert_eq!(event.get("message"), None);
    let document = one(&ecs(), &config, &record);
    let extra: Value =
        serde_json::from_str(document["acme"]["audit"]["extra_json"].as_str().unwrap()).unwrap();
    assert_eq!(extra, event["unmapped"]);
    assert_eq!((&document["user"]["id"], &document["organization"]["id"]), (&json!("5"), &json!("o1")));
    // A number past the end, or with zeros before it, is no item; a key of that name is a member.
    let event = in_ocsf(
        &json!({"fields": {"id": ["l.2", "l.00", "m.0"]}}),
        &json!({"action": "x", "l": [1], "m": {"0": "k"}}),
    );
    assert_eq!(event["metadata"]["original_event_uid"], "k");
}

#[test]
fn one_somebody_is_never_put_together_from_two() {
    let empty = json!({});
    let event =
        in_ocsf(&empty, &json!({"action": "x", "actor": {"id": 1}, "initiator": {"id": 2, "name": "Eve"}}));
    assert_eq!(event["actor"]["user"], json!({"uid": "1", "type_id": 0, "type": "Unknown"}));
    assert_eq!(event["unmapped"], json!({"initiator": {"id": 2, "name": "Eve"}}));
    let event = in_ocsf(
        &empty,
        &json!({"action": "x", "initiator": {"id": 2, "name": "Eve"}, "actor": {"id": null}}),
    );
    assert_eq!(event["actor"]["user"]["name"], "Eve");
    let event = in_ocsf(
        &empty,
        &json!({"action": "x", "actor": "ann", "target": {"name": "T"}, "resource": {"id": 9, "type": "r"}}),
    );
    assert_eq!(event["resources"], json!([{"name": "T", "role_id": 1, "role": "Target"}]));
    assert_eq!(event["unmapped"], json!({"resource": {"id": 9, "type": "r"}}));
}

#[test]
fn of_equal_keys_the_last_counts() {
    let view = ocsf("1.8.0");
    let event = |text: &str| events(&view, &json!({}), text).remove(0);
    let ann = event(r#"{"action":"a","actor":{"id":1,"name":"Eve"},"actor":{"name":"Ann"},"action":"b"}"#);
    assert_eq!(ann["actor"]["user"], json!({"name": "Ann", "type_id": 0, "type": "Unknown"}));
    assert_eq!(ann.action, "b");
    let none = event(r#"{"action":"a","action":null,"id":1}"#);
    assert_eq!((none.meta.class, &none["status_detail"]), (0, &json!("no action field")));
    let nobody = event(r#"{"action":"a","actor":{"id":1},"actor":null}"#);
    assert_eq!((nobody.meta.class, nobody.actor.as_str()), (0, ""));
}

#[test]
fn the_target_is_the_user_or_the_group_where_the_class_needs_one() {
    let of =
        |class: &str, record: &Value| in_ocsf(&json!({"actions": [{"match": "*", "class": class}]}), record);
    let user = json!({"action": "member.removed", "target": {"id": 5, "name": "bob", "type": "User"}, "roles": "viewer"});
    let event = of("account_change", &user);
    assert_eq!((&event["type_uid"], &event["user"]["uid"]), (&json!(300_106), &json!("5")));
    assert_eq!(event["unmapped"], json!({"target": {"type": "User"}, "roles": "viewer"}));
    let event = of("user_access", &user);
    assert_eq!((&event["class_uid"], &event["privileges"]), (&json!(3005), &json!(["viewer"])));
    // Group management of a person, without a group, is about an entity.
    let event = of("group_management", &user);
    assert_eq!((&event["class_uid"], &event["entity"]["user"]["uid"]), (&json!(3004), &json!("5")));
    let mut team = user.clone();
    team["target"]["type"] = json!("team");
    let event = of("group_management", &team);
    assert_eq!((&event["class_uid"], &event["group"]), (&json!(3006), &json!({"uid": "5", "name": "bob"})));
    assert_eq!(event.get("user"), None);
    let mut both = user;
    both["group"] = json!("Admins");
    let event = of("group_management", &both);
    assert_eq!((&event["group"]["name"], &event["user"]["uid"]), (&json!("Admins"), &json!("5")));
}

#[test]
fn entities_are_called_by_their_type_or_by_the_action() {
    let config = json!({"actions": [{"match": "*", "class": "entity_management"}]});
    let label = |record: &Value| in_ocsf(&config, record)["entity"]["type"].clone();
    assert_eq!(label(&json!({"action": "sso.updated", "target": {"type": "idp"}})), "idp");
    assert_eq!(label(&json!({"action": "updated_sso.x"})), "SSO");
    assert_eq!(label(&json!({"action": "updated"})), "Resource");
}

#[test]
fn words_for_actors_and_outcomes_are_the_mapping_s() {
    let config = json!({"actor_types": {"api_key": ["PAT"], "system": ["robot"]}, "outcomes": {"failure": ["Nope"], "success": ["1"]}});
    let kind = |kind: &str| {
        let event = in_ocsf(&config, &json!({"action": "x", "actor": {"id": "i", "type": kind}}));
        event["actor"]["user"]["type"].clone()
    };
    assert_eq!(
        ["pat", "Robot", "USER", "api_key"].map(kind),
        ["API Key", "System", "User", "api_key"].map(Value::from)
    );
    for (result, code, outcome) in [
        (json!("nope"), json!(200), EventOutcome::Failure),
        (json!(1), json!(500), EventOutcome::Success),
        (json!("ok"), json!(500), EventOutcome::Failure),
        (json!("ok"), json!(null), EventOutcome::Unknown),
        (json!(true), json!(null), EventOutcome::Unknown),
    ] {
        let record = json!({"action": "x", "actor": "a", "result": result, "status_code": code});
        let event = in_ocsf(&config, &record);
        assert_eq!(event.meta.outcome, outcome, "{record}");
        // It is not what the event calls the outcome, so it stays.
        assert_eq!(event["unmapped"]["result"], result);
    }
    let completed = json!({"outcomes": {"otherwise": "success"}});
    let outcome = |record: Value| in_ocsf(&completed, &record).meta.outcome;
    assert_eq!(outcome(json!({"action": "x", "actor": "a"})), EventOutcome::Success);
    assert_eq!(outcome(json!({"action": "x", "actor": "a", "status_code": 404})), EventOutcome::Failure);
    assert_eq!(outcome(json!({"action": "x.failed", "actor": "a"})), EventOutcome::Failure);
    let usual = |record: Value| in_ocsf(&json!({}), &record).meta.outcome;
    assert_eq!(usual(json!({"action": "x", "outcome": {"result": "DENY"}})), EventOutcome::Failure);
    assert_eq!(usual(json!({"action": "x", "success": true})), EventOutcome::Success);
    assert_eq!(usual(json!({"action": "login.failed"})), EventOutcome::Failure);
}

#[test]
fn names_come_from_the_source_where_none_are_given() {
    let view = ecs();
    for (source, config, module, dataset, vendor) in [
        ("acme-prod", json!({}), "acme_prod", "acme_prod.audit", "acme-prod"),
        ("Cloud", json!({}), "cloud_audit", "cloud_audit.audit", "Cloud"),
        ("1password", json!({}), "api_1password", "api_1password.audit", "1password"),
        ("x", json!({"module": "m", "vendor": "V"}), "m", "m.audit", "V"),
        ("x", json!({"dataset": "d.log"}), "d", "d.log", "x"),
    ] {
        let config: transform::MappingConfig = serde_json::from_value(config).unwrap();
        let settings = config.validate(source).unwrap();
        assert_eq!(settings.dataset(), dataset);
        let origin = origin(dataset);
        let text = br#"{"action":"x","actor":{"id":1,"type":"t"}}"#;
        let out = lines(&*transform::generic(&view, &settings).unwrap(), &record(&origin, text));
        let event = &checked(&view, out, source)[0];
        assert_eq!(
            (&event["event"]["module"], &event["event"]["dataset"]),
            (&json!(module), &json!(dataset))
        );
        assert_eq!(event[module]["audit"]["actor"]["type"], "t");
        let view = ocsf("1.8.0");
        let out = lines(&*transform::generic(&view, &settings).unwrap(), &record(&origin, text));
        let event = &checked(&view, out, source)[0];
        let product = &event["metadata"]["product"];
        assert_eq!((&product["vendor_name"], &product["name"]), (&json!(vendor), &json!(vendor)));
    }
}

#[test]
fn an_ordinary_record_costs_no_allocation() {
    let config = json!({"actions": [{"match": "user.*", "class": "account_change"}, {"match": "*", "class": "entity_management"}]});
    let settings = mapping(config);
    let (origin, text) = (origin(settings.dataset()), rich().to_string());
    for view in views().into_iter().filter(|view| view.schema != Schema::Raw) {
        let transform = transform::generic(&view, &settings).unwrap();
        let mut out = EventWriter::with_buffer(&Buffers::default(), 16, 1 << 16);
        let mut apply = || {
            out.clear();
            out.start_record(0);
            transform.apply(&record(&origin, text.as_bytes()), &mut out);
        };
        apply();
        assert_eq!(allocation_counter::measure(apply).count_total, 0, "{view}");
    }
}

/// A mapping that looks for every field under keys of which junk is made.
fn greedy(class: &str) -> Value {
    let keys = json!(["a", "b", "a.b", "b.a", "a.0", "b.1.a", "c"]);
    let person = json!({"id": keys, "name": keys, "email": keys});
    let typed = json!({"id": keys, "name": keys, "type": keys});
    let named = json!({"id": keys, "name": keys});
    let mut actor = person.clone();
    actor["type"] = keys.clone();
    json!({
        "actions": [{"match": "*", "class": class}], "base_url": "https://x.example",
        "fields": {
            "id": keys, "time": keys, "action": ["action", "a", "b"], "message": keys, "actor": actor, "user": person, "group": named,
            "target": typed, "tenant": named, "roles": keys, "client_ip": keys, "user_agent": keys, "method": keys, "path": keys,
            "status_code": keys, "outcome": keys
        }
    })
}

fn junk() -> impl Strategy<Value = Value> {
    const TEXTS: &[&str] = &[
        "user",
        "api_key",
        "200",
        "ok",
        "GET",
        "/x?y",
        "::1",
        "a@b.co",
        "2026-11-20T08:16:00Z",
        "login",
        "[\"admin\"]",
        "",
        "{\"a\":1}",
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        4 => prop::sample::select(TEXTS).prop_map(Value::from),
        1 => ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop::sample::select(&["a", "b", "c", "0", "1", "action", "id"][..]).prop_map(str::to_owned);
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec((key, inner), 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn junk_is_valid_in_every_class_and_view(a in junk(), b in junk(), c in junk(), action in "[a-z._]{1,12}") {
        let record = json!({"a": a, "b": b, "c": c, "action": action});
        for (class, ..) in CLASSES {
            let config = greedy(class);
            for view in views() {
                one(&view, &config, &record);
            }
        }
    }
}

#[test]
fn name_that_a_class_has_no_place_for_is_kept_beside_it() {
    let config = json!({ "fields": { "user": { "id": "whom", "name": "called" } } });
    let record = json!({ "id": 1, "action": "note.write", "actor": { "id": "a", "name": "Ann" }, "whom": "b", "called": "Bea" });
    let event = in_ocsf(&config, &record);
    assert_eq!(event.json["class_uid"], 6003);
    assert_eq!(event.json["unmapped"], json!({ "whom": "b", "called": "Bea" }));
    // Nobody acts, so that it is a base event, which has no place for a target either.
    let record = json!({ "id": 1, "action": "lock", "target": { "id": "b", "name": "Bea" } });
    let event = in_ocsf(&json!({ "actions": [{ "match": "lock", "class": "authentication" }] }), &record);
    assert_eq!(event.json["unmapped"], json!({ "target": { "id": "b", "name": "Bea" } }));
}
