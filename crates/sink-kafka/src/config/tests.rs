use serde_json::{Value, json};

use super::*;

fn config(value: Value) -> KafkaConfig {
    serde_json::from_value(value).unwrap()
}

/// A good configuration with these keys on top.
fn with(more: Value) -> KafkaConfig {
    let mut value = json!({"brokers": ["b-1.example.com:9092"], "topic": "audit"});
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config(value)
}

/// Where it is wrong.
fn wrong(config: &KafkaConfig) -> Vec<String> {
    config.validate().unwrap_err().into_iter().map(|invalid| invalid.path).collect()
}

/// What librdkafka is given.
fn client(config: &KafkaConfig) -> ClientConfig {
    let settings = config.validate().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(settings.access().pass()).unwrap().client
}

#[test]
fn defaults_are_safe() {
    let config = with(json!({}));
    let client = client(&config);
    let expected = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("message.timeout.ms", "0"),
        ("allow.auto.create.topics", "false"),
        ("partitioner", "murmur2_random"),
        ("compression.type", "zstd"),
        ("security.protocol", "plaintext"),
        ("bootstrap.servers", "b-1.example.com:9092"),
    ];
    for (name, value) in expected {
        assert_eq!(client.get(name), Some(value), "{name}");
    }
    assert_eq!(config.key, Key::EventId);
    assert_eq!(config.warnings().len(), 1, "it is not encrypted");
}

#[test]
fn every_error_comes_at_once_with_its_key() {
    let config = config(json!({
        "brokers": ["good:9092", "https://bad:9092", "noport", "bad:0"],
        "topic": "with blank",
        "timeout": "10ms",
        "tls": {"cert_file": "c.pem"},
        "sasl": {"mechanism": "PLAIN", "username": "", "password": "hunter2"},
        "properties": {"acks": "1", "sasl.password": "hunter2", "test.mock.num.brokers": "1", "linger.ms": "5"},
    }));
    assert_eq!(
        wrong(&config),
        [
            "brokers.1",
            "brokers.2",
            "brokers.3",
            "topic",
            "timeout",
            "tls.cert_file",
            "sasl.username",
            "properties.acks",
            "properties.sasl.password",
            "properties.test.mock.num.brokers",
        ]
    );
    assert_eq!(wrong(&with(json!({"brokers": []}))), ["brokers"]);
}

#[test]
fn librdkafka_judges_the_other_properties_and_shows_no_value() {
    assert_eq!(client(&with(json!({"properties": {"linger.ms": "20"}}))).get("linger.ms"), Some("20"));
    for (name, value) in [("linger.ms", "hunter2-long"), ("lingering.ms", "hunter2-long")] {
        let invalid = with(json!({"properties": {name: value}})).validate().unwrap_err();
        assert_eq!(invalid[0].path, format!("properties.{name}"));
        assert!(!format!("{invalid:?}").contains("hunter2"), "{invalid:?}");
    }
}

#[test]
fn no_refused_property_is_one_that_librdkafka_does_not_know() {
    // A slip in the lists would refuse nothing.
    for name in
        ["acks", "retries", "delivery.timeout.ms", "max.in.flight", "metadata.broker.list", "ssl.ca.pem"]
    {
        assert_eq!(wrong(&with(json!({"properties": {name: "x"}}))), [format!("properties.{name}")]);
    }
}

#[test]
fn protocol_follows_from_tls_and_sasl() {
    let sasl = json!({"mechanism": "SCRAM-SHA-512", "username": "towpath", "password": "hunter2"});
    let both = client(&with(json!({"tls": {}, "sasl": sasl})));
    assert_eq!(both.get("security.protocol"), Some("sasl_ssl"));
    assert_eq!(both.get("ssl.ca.location"), Some("probe"));
    assert_eq!(both.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
    assert_eq!(both.get("sasl.password"), Some("hunter2"));
    let tls = json!({"ca_file": "/ca.pem", "cert_file": "/c.pem", "key_file": "/k.pem"});
    let mutual = client(&with(json!({ "tls": tls })));
    assert_eq!(mutual.get("security.protocol"), Some("ssl"));
    assert_eq!(mutual.get("ssl.ca.location"), Some("/ca.pem"));
    assert_eq!(mutual.get("ssl.certificate.location"), Some("/c.pem"));
    assert_eq!(mutual.get("ssl.key.location"), Some("/k.pem"));
    assert_eq!(client(&with(json!({ "sasl": sasl }))).get("security.protocol"), Some("sasl_plaintext"));
}

#[test]
fn a_password_does_not_leave_this_machine_in_clear() {
    let sasl = json!({"mechanism": "PLAIN", "username": "towpath", "password": "hunter2"});
    assert_eq!(wrong(&with(json!({ "sasl": sasl }))), ["sasl.mechanism"]);
    let local = with(json!({"sasl": sasl, "brokers": ["localhost:9092", "127.0.0.1:9093", "[::1]:9094"]}));
    local.validate().unwrap();
    assert_eq!(local.warnings(), []);
}

#[test]
fn settings_show_no_secret() {
    let sasl = json!({"mechanism": "PLAIN", "username": "towpath", "password": "hunter2"});
    let config = with(json!({"tls": {}, "sasl": sasl, "properties": {"ssl.key.password": "hunter2"}}));
    let settings = config.validate().unwrap();
    let text = format!("{config:?} {settings:?} {settings}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("topic audit at b-1.example.com:9092"), "{text}");
}
