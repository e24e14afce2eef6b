//! What stands at the centre of each OCSF class, and what becomes of a record that lacks it.

use serde_json::{Value, json};

use crate::actions::full;
use crate::support::{events, in_ocsf, ocsf, postman};

fn without(action: &str, pointers: &[&str]) -> Value {
    let mut record = full(action);
    for pointer in pointers {
        *record.pointer_mut(pointer).unwrap() = Value::Null;
    }
    record
}

#[test]
fn sign_ins_say_how() {
    let event = |action: &str| in_ocsf(&full(action));
    let password = event("user.login_password_success");
    assert_eq!(password["auth_factors"], json!([{"factor_type_id": 11, "factor_type": "Password"}]));
    assert_eq!((&password["service"], &password["is_remote"]), (&json!({"name": "Postman"}), &json!(true)));
    assert_eq!(password["user"]["uid"], "87654321");
    let protocol = |event: &Value| (event["auth_protocol_id"].clone(), event["auth_protocol"].clone());
    assert_eq!(protocol(&event("user.login_google_success")), (json!(6), json!("OAUTH 2.0")));
    assert_eq!(protocol(&event("user.login_sso_success")), (json!(99), json!("SSO")));
    assert_eq!(protocol(&event("user.login_saml")), (json!(5), json!("SAML")));
    assert_eq!(event("user.session_revoked")["status_detail"], "User sessions revoked");
    assert_eq!(event("user.authenticate_third_party_app")["service"], json!({"name": "An app"}));
    let nameless = in_ocsf(&without("user.authenticate_third_party_app", &["/data/variables"]));
    assert_eq!(nameless["service"], json!({"name": "Postman"}));
}

#[test]
fn who_signs_in_is_the_user_or_else_the_actor_or_else_unknown() {
    let actor = in_ocsf(&without("user.logout", &["/data/user"]));
    assert_eq!((&actor["class_uid"], &actor["user"]["uid"]), (&json!(3002), &json!("12345678")));
    let nobody = in_ocsf(&without("user.logout", &["/data/user", "/data/actor"]));
    assert_eq!(
        (&nobody["class_uid"], &nobody["activity_id"], &nobody["type_name"]),
        (&json!(0), &json!(99), &json!("Base Event: Other"))
    );
    assert_eq!(nobody["activity_name"], "user.logout");
    assert_eq!(nobody["unmapped"]["ip"], "192.0.2.44");
    assert_eq!(nobody["metadata"].get("profiles"), None);
}

#[test]
fn an_account_change_without_its_user_is_about_an_entity() {
    for (action, label, activity, name) in [
        ("team.scim_add_member", "Account", 1, "Create"),
        ("team.scim_remove_member", "Account", 9, "Disable"),
        ("user.password_reset", "Account", 99, "Password Reset"),
        ("user.mfa_enabled", "Account", 99, "MFA Factor Enable"),
        ("user.mfa_reset", "Account", 99, "MFA Reset"),
        ("team.send_invite", "Invite", 99, "Invite Sent"),
    ] {
        let event = in_ocsf(&without(action, &["/data/user", "/data/variables"]));
        assert_eq!(
            (&event["class_uid"], &event["activity_id"]),
            (&json!(3004), &json!(activity)),
            "{action}"
        );
        assert_eq!(event["activity_name"], name, "{action}");
        let org = json!({"uid": "1234", "name": "Test-Team"});
        assert_eq!(event["entity"], json!({"type_id": 99, "type": label, "org": org}), "{action}");
    }
    let alone = in_ocsf(&without("user.mfa_enabled", &["/data/user", "/data/variables", "/data/team"]));
    assert_eq!(alone["entity"], json!({"type_id": 99, "type": "Account", "name": "Unknown"}));
}

#[test]
fn team_members_join_the_team_as_a_group() {
    let event = in_ocsf(&full("team.add_member"));
    assert_eq!(event["group"], json!({"uid": "1234", "name": "Test-Team", "type": "Team"}));
    assert_eq!((&event["privileges"], &event["user"]["uid"]), (&json!(["user"]), &json!("87654321")));
    let teamless = in_ocsf(&without("team.add_member", &["/data/team"]));
    assert_eq!((&teamless["class_uid"], &teamless["entity"]["type"]), (&json!(3004), &json!("Team")));
    assert_eq!((&teamless["activity_id"], &teamless["activity_name"]), (&json!(99), &json!("Add User")));
    assert_eq!(teamless["entity"]["user"]["uid"], "87654321");
}

#[test]
fn groups_are_found_under_any_of_their_names() {
    let group = |variables: Value| {
        let mut record = full("team.add_group_role");
        record["data"]["variables"] = variables;
        in_ocsf(&record)
    };
    for variables in [
        json!({"group": {"id": 5, "name": "Dev"}}),
        json!({"usergroup": {"id": "5", "name": "Dev"}}),
        json!({"groupId": 5, "groupName": "Dev"}),
    ] {
        let event = group(variables.clone());
        assert_eq!(event["group"], json!({"uid": "5", "name": "Dev"}), "{variables}");
        assert_eq!(event["unmapped"]["data"].get("variables"), None, "{variables}");
    }
    let event = group(json!({"group": "Dev"}));
    assert_eq!((&event["class_uid"], &event["entity"]["type"]), (&json!(3004), &json!("Group")));
    assert_eq!(event["unmapped"]["data"]["variables"], json!({"group": "Dev"}));
    assert_eq!(in_ocsf(&full("team.add_group_role"))["privileges"], json!(["user"]));
    let manager = in_ocsf(&without("team.add_group_manager", &["/data/variables/roles"]));
    assert_eq!(manager["privileges"], json!(["manager"]));
}

#[test]
fn roles_are_read_in_all_their_forms_and_only_from_lists_of_texts() {
    let privileges = |roles: Value| {
        let mut record = full("team.add_member");
        record["data"]["variables"] = json!({"roles": roles});
        let event = in_ocsf(&record);
        (
            event["privileges"].clone(),
            event["severity_id"].clone(),
            event["unmapped"]["data"]["variables"].clone(),
        )
    };
    let none = Value::Null;
    for (roles, found, severity, rest) in [
        (json!("user"), json!(["user"]), 2, none.clone()),
        (json!(["user", "Admin"]), json!(["user", "Admin"]), 3, none.clone()),
        (json!("[\"user\",\"super-admin\"]"), json!(["user", "super-admin"]), 3, none.clone()),
        (json!([]), json!([]), 2, none.clone()),
        (json!(["user", 7]), none.clone(), 2, json!({"roles": ["user", 7]})),
        (json!({"a": 1}), none.clone(), 2, json!({"roles": {"a": 1}})),
        (json!("[broken"), json!(["[broken"]), 2, none.clone()),
    ] {
        assert_eq!(privileges(roles.clone()), (found, json!(severity), rest), "{roles}");
    }
    // Taking the role away is no grant.
    let mut record = full("team.remove_group_role");
    record["data"]["variables"]["roles"] = json!("admin");
    assert_eq!(in_ocsf(&record)["severity_id"], 2);
}

#[test]
fn entities_are_named_by_the_variables() {
    let entity = |variables: Value| {
        let mut record = full("user.apikey_create");
        record["data"]["variables"] = variables;
        let mut event = in_ocsf(&record);
        assert_eq!(event["entity"]["user"]["uid"], "87654321");
        let rest = event.json["unmapped"]["data"]["variables"].take();
        (event["entity"]["uid"].clone(), event["entity"]["name"].clone(), rest)
    };
    let none = Value::Null;
    for (variables, uid, name, rest) in [
        (json!({"id": 7, "name": "K"}), json!("7"), json!("K"), none.clone()),
        (json!({"keyId": "k1", "apiKey": "6a30***"}), json!("6a30***"), none.clone(), json!({"keyId": "k1"})),
        (
            json!({"domain": "x.example", "email": "a@b.c"}),
            none.clone(),
            json!("x.example"),
            json!({"email": "a@b.c"}),
        ),
        (json!({"id": {"x": 1}, "name": 7}), none.clone(), none.clone(), json!({"id": {"x": 1}, "name": 7})),
        (json!([1]), none.clone(), none.clone(), json!([1])),
    ] {
        assert_eq!(entity(variables.clone()), (uid, name, rest), "{variables}");
    }
}

#[test]
fn web_resources_are_named_by_variables_or_resource() {
    let event = in_ocsf(&full("collection.shared"));
    assert_eq!(event["web_resources"], json!([{"type": "Collection", "uid": "77", "name": "A thing"}]));
    assert_eq!(event["metadata"]["profiles"], json!(["host"]));
    let mut record = full("collection.shared");
    record["data"]["variables"] = Value::Null;
    assert_eq!(in_ocsf(&record)["web_resources"], json!([{"type": "Collection", "name": "Unknown"}]));
    record["resource"] = json!({"id": "c1", "type": "collection", "name": "Pets", "extra": 1});
    let event = in_ocsf(&record);
    assert_eq!(event["web_resources"], json!([{"type": "collection", "uid": "c1", "name": "Pets"}]));
    assert_eq!(event["unmapped"]["resource"], json!({"extra": 1}));
    record["data"]["actor"] = Value::Null;
    assert_eq!(in_ocsf(&record)["metadata"].get("profiles"), None);
}

#[test]
fn the_shape_of_older_descriptions_is_read() {
    let view = ocsf("1.8.0");
    let text = br#"{"id":"a1","ip":"203.0.113.5","userAgent":"UA","action":"workspace.created","timestamp":"2026-11-20T10:15:00+02:00",
        "message":"m","user":{"id":9,"name":"Ann","email":"ann@x.example","username":"ann"},"data":{"team":{"id":1,"name":"T"}}}"#;
    let event = &events(&*postman(&view), &view, text)[0];
    assert_eq!((&event["actor"]["user"]["name"], &event["type_uid"]), (&json!("ann"), &json!(600_101)));
    assert_eq!((event["time"].as_i64(), event.get("unmapped")), (Some(1_795_162_500_000), None));
    // A top-level actor comes before a top-level user, `data.actor` before both.
    let mut record = full("workspace.created");
    record["actor"] = json!({"id": 1});
    record["user"] = json!({"id": 2});
    assert_eq!(in_ocsf(&record).actor, "12345678");
    record["data"]["actor"] = Value::Null;
    assert_eq!(in_ocsf(&record).actor, "1");
    record["actor"] = Value::Null;
    assert_eq!(in_ocsf(&record).actor, "2");
}
