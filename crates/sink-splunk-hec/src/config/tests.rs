use serde_json::{Value, json};

use super::*;

fn config(rest: &Value) -> SplunkHecConfig {
    let mut config = json!({"url": "https://splunk.example.com:8088", "token": "t0ken-of-a-test"});
    for (key, value) in rest.as_object().unwrap() {
        config[key] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

#[test]
fn url_and_token_are_all_it_takes() {
    let config = config(&json!({}));
    let settings = config.validate().unwrap();
    assert_eq!(settings.event_url.as_str(), "https://splunk.example.com:8088/services/collector/event");
    assert_eq!(settings.acknowledged_within, Some(Duration::from_secs(300)));
    assert_eq!(settings.compression, Compression::Gzip);
    assert!(settings.metadata.is_empty() && config.warnings().is_empty());
    let shown = format!("{config:?} {settings:?} {settings}");
    assert!(!shown.contains("t0ken"), "{shown}");
}

#[test]
fn the_path_may_stand_there_or_not() {
    for path in [
        "",
        "/",
        "/services/collector",
        "/services/collector/",
        "/services/collector/event",
        "/services/collector/event/1.0",
    ] {
        let url = format!("https://s.example.com{path}");
        let settings = config(&json!({"url": url})).validate().unwrap();
        assert_eq!(settings.event_url.path(), "/services/collector/event", "{path}");
        assert_eq!(settings.ack_url.path(), "/services/collector/ack", "{path}");
        assert_eq!(settings.health_url.path(), "/services/collector/health", "{path}");
    }
    let settings =
        config(&json!({"url": "https://gate.example.com/splunk/services/collector"})).validate().unwrap();
    assert_eq!(settings.ack_url.path(), "/splunk/services/collector/ack");
}

#[test]
fn each_key_has_its_rules_and_all_that_is_wrong_is_said_at_once() {
    for (rest, keys) in [
        (json!({"url": "http://splunk.example.com:8088"}), vec!["url"]),
        (json!({"url": "https://s.example.com/services/collector/raw"}), vec!["url"]),
        (json!({"url": "https://s.example.com?token=x"}), vec!["url"]),
        (json!({"token": " "}), vec!["token"]),
        (json!({"token": "Splunk s3cret"}), vec!["token"]),
        (json!({"token": "s3cret\u{1}"}), vec!["token"]),
        (json!({"compression": "zstd"}), vec!["compression"]),
        (json!({"ack_timeout": "0s"}), vec!["ack_timeout"]),
        (
            json!({"index": "", "host": " ", "timeout": "2h", "url": "x"}),
            vec!["url", "timeout", "host", "index"],
        ),
    ] {
        let wrong = config(&rest).validate().unwrap_err();
        assert!(!format!("{wrong:?}").contains("s3cret"));
        let found: Vec<_> = wrong.iter().map(|invalid| invalid.path.as_str()).collect();
        assert_eq!(found, keys, "{rest}");
    }
}

#[test]
fn a_time_in_which_splunk_does_not_acknowledge_is_doubted() {
    let doubts = |rest| config(&rest).warnings().len();
    assert_eq!(doubts(json!({"ack_timeout": "1m"})), 1);
    assert_eq!(doubts(json!({"ack_timeout": "1m", "acknowledgements": false})), 0);
}
