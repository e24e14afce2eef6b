use serde_json::json;

use super::*;

fn ocsf() -> Value {
    json!({
        "metadata": {"version": "1.8.0", "product": {"name": "P", "vendor_name": "V"}},
        "time": 1_795_199_492_000_i64,
        "class_uid": 3002, "class_name": "Authentication",
        "category_uid": 3, "category_name": "Identity & Access Management",
        "activity_id": 1, "activity_name": "Logon", "type_uid": 300_201, "type_name": "Authentication: Logon",
        "severity_id": 1, "severity": "Informational", "status_id": 1, "status": "Success",
        "user": {"uid": "7"}, "service": {"name": "P"},
        "observables": [{"name": "user.uid", "type_id": 31, "type": "User Object: uid", "value": "7"}],
        "raw_data": "{\"n\":1e999,\"s\":\"\\ud800\"}"
    })
}

fn ecs() -> Value {
    json!({
        "@timestamp": "2026-11-20T18:31:32.000Z", "ecs": {"version": "9.4.0"},
        "data_stream": {"type": "logs", "dataset": "p.audit", "namespace": "default"},
        "event": {"kind": "event", "module": "p", "dataset": "p.audit", "category": ["iam"], "type": ["user", "change"]},
        "user": {"id": "7"}, "source": {"ip": "192.0.2.1"},
        "related": {"user": ["7"], "ip": ["192.0.2.1"]}
    })
}

fn with(mut event: Value, pointer: &str, value: Value) -> Vec<u8> {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
    event.to_string().into_bytes()
}

#[test]
fn good_events_pass() {
    assert_eq!(check_ocsf("1.8.0", ocsf().to_string().as_bytes()), Ok(()));
    assert_eq!(check_ecs(ecs().to_string().as_bytes()), Ok(()));
}

#[test]
fn each_ocsf_rule_has_an_event_that_breaks_it() {
    let observable = json!([{"name": "user.uid", "type_id": 31, "type": "User Object: uid", "value": "8"}]);
    for (pointer, value, expected) in [
        ("/activity_name", json!("Logoff"), "/activity_name: \"Logon\" was expected"),
        ("/severity_id", json!(9), "/severity_id"),
        ("/invented", json!(1), "invented"),
        ("/time", json!(1_795_199_492), "/time: not epoch milliseconds"),
        ("/observables", observable, "user.uid does not resolve to \"8\""),
        ("/raw_data", json!("{"), "/raw_data: not JSON"),
        ("/metadata/version", json!("1.5.0"), "1.8.0"),
        ("/user/email_addr", json!("nobody"), "/user/email_addr"),
        ("/src_endpoint", json!({"ip": "300.1.1.1"}), "/src_endpoint/ip"),
    ] {
        let errors = check_ocsf("1.8.0", &with(ocsf(), pointer, value)).unwrap_err();
        assert!(errors.iter().any(|error| error.contains(expected)), "{pointer}: {errors:?}");
    }
    assert!(check_ocsf("1.1.0", b"{").unwrap_err()[0].starts_with("not JSON"));
}

#[test]
fn each_ecs_rule_has_a_document_that_breaks_it() {
    for (pointer, value, expected) in [
        ("/event/type", json!(["start"]), "/event/category"),
        ("/event/type", json!(["change"]), "an iam event needs user or group"),
        ("/event/type", Value::Null, "/event/type"),
        ("/event/dataset", json!("p.other"), "not data_stream.dataset"),
        ("/event/module", json!("q"), "does not start with event.module"),
        ("/user/name", json!("ann"), "user.name: missing from related.user"),
        ("/user/target", json!({"email": "a@b.c"}), "user.target.email: missing"),
        ("/source/ip", json!("192.0.2.2"), "source.ip: missing from related.ip"),
        ("/related/ip", json!(["here"]), "/related/ip/0"),
        ("/message", json!(""), "/message"),
        ("/vendor", json!("flat"), "/vendor"),
    ] {
        let errors = check_ecs(&with(ecs(), pointer, value)).unwrap_err();
        assert!(errors.iter().any(|error| error.contains(expected)), "{pointer}: {errors:?}");
    }
    let mut untyped = ecs();
    untyped["event"].as_object_mut().unwrap().remove("type");
    let errors = check_ecs(untyped.to_string().as_bytes()).unwrap_err();
    assert!(errors.iter().any(|error| error.contains("without event.type")), "{errors:?}");
}

#[test]
#[should_panic(expected = "no schema of OCSF 2.0.0")]
fn an_unknown_version_is_a_mistake_of_the_test() {
    let _checked = check_ocsf("2.0.0", b"{}");
}
