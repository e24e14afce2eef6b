use serde_json::{Value, json};

use super::*;

fn sasl(value: Value) -> SaslConfig {
    serde_json::from_value(value).unwrap()
}

/// The keys that are wrong, over a connection that nobody listens to.
fn wrong(value: Value) -> Vec<String> {
    sasl(value).validate(true).into_iter().map(|invalid| invalid.path).collect()
}

#[test]
fn each_mechanism_wants_its_own_keys() {
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        assert_eq!(
            wrong(json!({"mechanism": mechanism, "username": "towpath", "password": "hunter2"})),
            [""; 0]
        );
        assert_eq!(wrong(json!({ "mechanism": mechanism })), ["username", "password"]);
        assert_eq!(
            wrong(json!({"mechanism": mechanism, "username": "", "password": "a\0b", "scope": "kafka"})),
            ["scope", "username", "password"]
        );
    }
    let client = json!({
        "mechanism": "OAUTHBEARER", "token_url": "https://id.example.com/token?p=1", "client_id": "towpath",
        "client_secret": "hunter2", "scope": "kafka", "token_tls": {"ca_file": "ca.pem"},
    });
    assert_eq!(wrong(client), [""; 0]);
    assert_eq!(wrong(json!({"mechanism": "OAUTHBEARER", "token": "e30.e30.c2ln"})), [""; 0]);
    assert_eq!(
        wrong(json!({"mechanism": "OAUTHBEARER", "username": "towpath", "password": "hunter2"})),
        ["username", "password", "token_url", "client_id", "client_secret"]
    );
    assert_eq!(
        wrong(json!({"mechanism": "OAUTHBEARER", "token": "two words", "scope": "kafka", "client_id": "x"})),
        ["client_id", "scope", "token"]
    );
    assert_eq!(
        wrong(json!({
            "mechanism": "OAUTHBEARER", "token_url": "http://id.example.com/token", "client_id": "towpath",
            "client_secret": "", "token_tls": {"cert_file": "c.pem"},
        })),
        ["token_tls.cert_file", "client_secret", "token_url"]
    );
}

#[test]
fn what_shows_a_secret_does_not_leave_this_machine_in_clear() {
    for (value, may) in [
        (json!({"mechanism": "PLAIN", "username": "towpath", "password": "hunter2"}), false),
        (json!({"mechanism": "OAUTHBEARER", "token": "e30.e30.c2ln"}), false),
        (json!({"mechanism": "SCRAM-SHA-512", "username": "towpath", "password": "hunter2"}), true),
    ] {
        let sasl = sasl(value);
        assert_eq!(sasl.validate(false).is_empty(), may, "{sasl:?}");
        assert_eq!(sasl.validate(true), []);
    }
}

/// RFC 6749, 2.3.1: name and secret are encoded before they go into the header.
#[test]
fn the_request_for_a_token_is_that_of_the_rfc() {
    let sasl = sasl(json!({
        "mechanism": "OAUTHBEARER", "token_url": "https://id.example.com/token", "client_id": "a:b",
        "client_secret": "pass word/ü", "scope": "kafka.write api://x",
    }));
    let identity = sasl.prepare().unwrap();
    let Proof::Client(request) = &identity.proof else { panic!("{:?}", identity.proof) };
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://id.example.com/token"));
    let text = |name| request.headers.get(name).unwrap().to_str().unwrap().to_owned();
    // base64 of a%3Ab:pass%20word%2F%C3%BC
    assert_eq!(text("authorization"), "Basic YSUzQWI6cGFzcyUyMHdvcmQlMkYlQzMlQkM=");
    assert_eq!(text("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(request.body, "grant_type=client_credentials&scope=kafka.write%20api%3A%2F%2Fx");
    let words = identity.hidden.blotted("pass word/ü YSUzQWI6cGFzcyUyMHdvcmQlMkYlQzMlQkM=");
    assert_eq!(words, "… …");
    assert!(!format!("{sasl:?} {request:?}").contains("pass word"));
}

#[test]
fn a_token_is_what_the_rfc_calls_one() {
    for good in ["e30.e30.c2ln", "abc==", "-._~+/"] {
        assert!(is_token(good), "{good}");
    }
    for bad in ["", "=", "two words", "a=b", "a\u{1}b=c", "ü"] {
        assert!(!is_token(bad), "{bad}");
    }
}
