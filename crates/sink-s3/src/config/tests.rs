use serde_json::{Value, json};

use super::*;

fn read(more: Value) -> S3Config {
    let mut config = json!({"bucket": "audit-archive"});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

fn wrong(more: Value) -> Vec<String> {
    let found = read(more).validate().map(|_| ()).unwrap_err();
    found.into_iter().map(|invalid| invalid.path).collect()
}

#[test]
fn a_bucket_is_enough() {
    let settings = read(json!({})).validate().unwrap();
    assert_eq!((settings.region, settings.path_style), (None, false));
    assert_eq!(settings.compression, Compression::Gzip);
    assert_eq!(settings.checksum, Checksum::WhenRequired);
    assert_eq!(settings.client.timeout, Duration::from_secs(60));
}

#[test]
fn another_store_has_its_bucket_in_the_path_and_some_region() {
    let settings = read(json!({"endpoint": "https://minio.example.com:9000"})).validate().unwrap();
    assert_eq!((settings.region.as_deref(), settings.path_style), (Some("us-east-1"), true));
    let settings = read(json!({"endpoint": "https://s3.example.com", "path_style": false, "region": "eu-1"}));
    let settings = settings.validate().unwrap();
    assert_eq!((settings.region.as_deref(), settings.path_style), (Some("eu-1"), false));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_key() {
    for (key, value) in [
        ("bucket", json!("")),
        ("bucket", json!("s3://audit-archive")),
        ("bucket", json!("a/b")),
        ("prefix", json!("a//b")),
        ("prefix", json!("../b")),
        ("prefix", json!("a\nb")),
        ("region", json!("eu central")),
        ("endpoint", json!("minio:9000")),
        ("endpoint", json!("https://minio.example.com/?x=1")),
        ("partition", json!("%q")),
        ("credentials", json!({"access_key_id": "AKID"})),
        ("credentials.session_token", json!({"session_token": "token"})),
        ("credentials.secret_access_key", json!({"access_key_id": "AKID", "secret_access_key": " "})),
        ("credentials.assume_role.role_arn", json!({"assume_role": {"role_arn": "audit-writer"}})),
        (
            "credentials.assume_role.session_name",
            json!({"assume_role": {"role_arn": "arn:aws:iam::1:role/r", "session_name": "a b"}}),
        ),
        ("server_side_encryption.kms_key_id", json!({"algorithm": "AES256", "kms_key_id": "alias/a"})),
        ("server_side_encryption.kms_key_id", json!({"algorithm": "aws:kms", "kms_key_id": ""})),
        ("server_side_encryption.bucket_key", json!({"algorithm": "aws:kms:dsse", "bucket_key": true})),
    ] {
        let block = key.split('.').next().unwrap();
        assert_eq!(wrong(json!({block: value.clone()})), [key], "{value}");
    }
    let all = json!({"bucket": "", "prefix": "..", "region": "", "endpoint": "x", "partition": "%"});
    assert_eq!(wrong(all), ["bucket", "prefix", "region", "endpoint", "partition"]);
}

#[test]
fn slashes_around_the_prefix_are_none_of_the_key() {
    for prefix in ["a/b", "/a/b/", "a/b/"] {
        assert_eq!(read(json!({"prefix": prefix})).validate().unwrap().prefix, "a/b");
    }
    assert_eq!(read(json!({"prefix": "/"})).validate().unwrap().prefix, "");
}

#[test]
fn only_clear_text_to_another_machine_is_doubted() {
    let doubts = |endpoint: &str| read(json!({"endpoint": endpoint})).warnings().len();
    assert_eq!(doubts("http://minio.example.com:9000"), 1);
    assert_eq!(doubts("https://minio.example.com:9000"), 0);
    assert_eq!(doubts("http://127.0.0.1:9000"), 0);
    assert!(read(json!({})).warnings().is_empty());
}

#[test]
fn debug_forms_show_no_secret() {
    let keys =
        json!({"access_key_id": "AKIDSECRET", "secret_access_key": "hunter22", "session_token": "hunter33"});
    let config = read(json!({"credentials": keys, "proxy": "http://u:hunter44@p:1"}));
    let text = format!("{config:?} {:?}", config.validate().unwrap());
    assert!(!text.contains("hunter") && !text.contains("AKIDSECRET"), "{text}");
}
