use serde_json::{Value, json};

use super::*;

fn config(rest: &Value) -> ElasticsearchConfig {
    let mut config = json!({"urls": ["https://es.example.com:9200"], "data_stream": "logs-audit-default"});
    for (key, value) in rest.as_object().unwrap() {
        config[key] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

#[test]
fn nodes_and_a_target_are_all_it_takes() {
    let settings = config(&json!({})).validate().unwrap();
    assert_eq!(settings.to_string(), "https://es.example.com:9200");
    assert_eq!((settings.flavor, settings.compression), (Flavor::Elasticsearch, Compression::Gzip));
    assert!(settings.prepared.authorization.is_none());
}

#[test]
fn credentials_become_a_header_and_nothing_secret_shows() {
    for (auth, header) in [
        (json!({"api_key": "czNjcmV0LXMzY3JldA=="}), "ApiKey czNjcmV0LXMzY3JldA=="),
        (
            json!({"basic": {"username": "Aladdin", "password": "open sesame"}}),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", // the example of RFC 7617
        ),
    ] {
        let config = config(&json!({"auth": auth}));
        let settings = config.validate().unwrap();
        assert_eq!(settings.prepared.authorization.as_ref().unwrap().to_str().unwrap(), header);
        let shown = format!("{config:?} {settings:?} {settings} {:?}", settings.prepared.authorization);
        assert!(!shown.contains("czNj") && !shown.contains("sesame") && !shown.contains("QWxh"), "{shown}");
    }
}

#[test]
fn each_key_has_its_rules_and_all_that_is_wrong_is_said_at_once() {
    for (rest, keys) in [
        (json!({"urls": []}), vec!["urls"]),
        (json!({"urls": ["https://a.example.com", "es:9200"]}), vec!["urls.1"]),
        (json!({"urls": ["https://a.example.com/_bulk"]}), vec!["urls.0"]),
        (json!({"urls": ["https://a.example.com?x=s3cret"]}), vec!["urls.0"]),
        (
            json!({"urls": ["http://es.example.com"], "auth": {"basic": {"username": "u", "password": "s3cret"}}}),
            vec!["urls.0"],
        ),
        (json!({"data_stream": null}), vec!["data_stream"]),
        (json!({"index": "audit"}), vec!["index"]),
        (json!({"data_stream": "Logs"}), vec!["data_stream"]),
        (json!({"data_stream": null, "index": "audit-%Q"}), vec!["index"]),
        (json!({"auth": {"api_key": "id:s3cret"}}), vec!["auth.api_key"]),
        (json!({"auth": {"api_key": "ApiKey s3cret"}}), vec!["auth.api_key"]),
        (json!({"flavor": "opensearch", "auth": {"api_key": "s3cret"}}), vec!["auth.api_key"]),
        (json!({"auth": {"basic": {"username": "a:b", "password": "s3cret"}}}), vec!["auth.basic.username"]),
        (json!({"compression": "zstd", "pipeline": " "}), vec!["pipeline", "compression"]),
        (json!({"timeout": "0s"}), vec!["timeout"]),
    ] {
        let wrong = config(&rest).validate().unwrap_err();
        assert!(!format!("{wrong:?}").contains("s3cret"));
        let found: Vec<_> = wrong.iter().map(|invalid| invalid.path.as_str()).collect();
        assert_eq!(found, keys, "{rest}");
    }
}

#[test]
fn clear_text_to_another_machine_is_doubted() {
    let doubts = |url: &str| config(&json!({"urls": [url]})).warnings().len();
    assert_eq!(
        (doubts("http://10.0.0.1:9200"), doubts("http://127.0.0.1:9200"), doubts("https://a")),
        (1, 0, 0)
    );
}
