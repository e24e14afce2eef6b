use super::*;

fn config(json: &str) -> HttpConfig {
    serde_json::from_str(json).unwrap()
}

fn wrong(json: &str) -> Vec<String> {
    let wrong = config(json).validate().unwrap_err();
    let text = format!("{wrong:?}");
    assert!(!text.contains("s3cret"), "{text}");
    let mut keys: Vec<String> = wrong.into_iter().map(|invalid| invalid.path).collect();
    keys.sort_unstable();
    keys
}

fn headers(json: &str) -> Vec<(String, String)> {
    let settings = config(json).validate().unwrap();
    let text = |value: &http_client::header::HeaderValue| value.to_str().unwrap().to_owned();
    settings.prepared.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[test]
fn a_url_is_all_it_takes() {
    let config = config(r#"{"url": "https://intake.example.com/v1?s3cret=1"}"#);
    let settings = config.validate().unwrap();
    assert_eq!(settings.to_string(), "POST https://intake.example.com");
    assert_eq!((settings.body, settings.compression), (Body::Ndjson, Compression::None));
    assert_eq!(settings.client.timeout, Duration::from_secs(30));
    assert!(config.warnings().is_empty());
}

#[test]
fn credentials_become_headers() {
    let header = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let url = "https://a.example.com";
    let auth = |auth: &str| headers(&format!(r#"{{"url": "{url}", "auth": {auth}}}"#));
    assert_eq!(auth(r#"{"bearer": "t1"}"#), header("authorization", "Bearer t1"));
    assert_eq!(
        auth(r#"{"basic": {"username": "Aladdin", "password": "open sesame"}}"#),
        header("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), // the example of RFC 7617
    );
    assert_eq!(auth(r#"{"header": {"name": "X-Api-Key", "value": "k"}}"#), header("x-api-key", "k"));
    let more =
        headers(&format!(r#"{{"url": "{url}", "headers": {{"Content-Type": "application/cloudevents"}}}}"#));
    assert_eq!(more, header("content-type", "application/cloudevents"));
}

#[test]
fn nothing_secret_shows() {
    let config = config(
        r#"{"url": "https://a.example.com/s3cret?s3cret", "headers": {"X-A": "s3cret"}, "proxy": "http://u:s3cret@p:1",
            "auth": {"basic": {"username": "u", "password": "s3cret"}}, "signing": {"secret": "whsec_s3cretAA"}}"#,
    );
    let settings = config.validate().unwrap();
    let shown = format!("{config:?} {settings:?} {settings:#?} {settings} {:?}", settings.prepared);
    assert!(!shown.contains("s3cret") && !shown.contains("dTpzM2NyZXQ"), "{shown}");
}

#[test]
fn all_that_is_wrong_is_said_at_once_without_the_secrets() {
    let keys = wrong(
        r#"{"url": "ftp://s3cret", "headers": {"Host": "s3cret", "a b": "s3cret", "X-A": "s3cret\n"},
            "auth": {"basic": {"username": "a:b", "password": "s3cret"}}, "signing": {"secret": "s3cret"},
            "proxy": "socks5://u:s3cret@p:1", "tls": {"key_file": "k.pem"}, "timeout": "0s"}"#,
    );
    let expected = [
        "auth.basic.username",
        "headers.Host",
        "headers.X-A",
        "headers.a b",
        "proxy",
        "signing.secret",
        "timeout",
        "tls.key_file",
        "url",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn each_key_has_its_rules() {
    for (rest, key) in [
        (r#""auth": {"bearer": " "}"#, "auth.bearer"),
        (r#""auth": {"bearer": "s3cret\u0001"}"#, "auth.bearer"),
        (r#""auth": {"basic": {"username": "", "password": ""}}"#, "auth.basic"),
        (r#""auth": {"header": {"name": "X-A", "value": ""}}"#, "auth.header.value"),
        (r#""auth": {"header": {"name": "X-A", "value": "s3cret\u0001"}}"#, "auth.header.value"),
        (r#""auth": {"header": {"name": "X A", "value": "s3cret"}}"#, "auth.header.name"),
        (r#""auth": {"header": {"name": "webhook-id", "value": "s3cret"}}"#, "auth.header.name"),
        (r#""auth": {"bearer": "s3cret"}, "headers": {"AUTHORIZATION": "s3cret"}"#, "auth.bearer"),
        (r#""headers": {"X-A": "1", "x-a": "2"}"#, "headers.x-a"),
        (r#""headers": {"Content-Length": "1"}"#, "headers.Content-Length"),
        (r#""headers": {"Idempotency-Key": "1"}"#, "headers.Idempotency-Key"),
        (r#""signing": {}"#, "signing"),
        (r#""signing": {"secrets": []}"#, "signing"),
        (r#""signing": {"secret": "whsec_AAAA", "secrets": ["whsec_AAAA"]}"#, "signing"),
        (r#""signing": {"secrets": ["whsec_AAAA", "s3cret"]}"#, "signing.secrets.1"),
        (r#""timeout": "2h""#, "timeout"),
    ] {
        assert_eq!(wrong(&format!(r#"{{"url": "https://a.example.com", {rest}}}"#)), [key], "{rest}");
    }
}

#[test]
fn plain_http_to_another_machine_carries_no_credentials() {
    for (json, fine) in [
        (r#"{"url": "http://10.0.0.1/events"}"#, true),
        (r#"{"url": "http://10.0.0.1/events", "signing": {"secret": "whsec_AAAA"}}"#, true),
        (r#"{"url": "http://10.0.0.1/events?token=s3cret"}"#, false),
        (r#"{"url": "http://10.0.0.1/events", "auth": {"bearer": "s3cret"}}"#, false),
        (r#"{"url": "http://10.0.0.1/events", "headers": {"X-Api-Key": "s3cret"}}"#, false),
        (r#"{"url": "http://127.0.0.1:1/events?a=b", "auth": {"bearer": "s3cret"}}"#, true),
        (r#"{"url": "http://localhost/events", "auth": {"bearer": "s3cret"}}"#, true),
    ] {
        match config(json).validate() {
            Ok(_) => assert!(fine, "{json}"),
            Err(_) => assert_eq!((fine, wrong(json)), (false, vec!["url".to_owned()]), "{json}"),
        }
    }
}

#[test]
fn what_is_hardly_meant_is_said() {
    fn doubts(json: &str) -> Vec<String> {
        config(json).warnings().into_iter().map(|doubt| doubt.path).collect()
    }
    assert_eq!(doubts(r#"{"url": "http://10.0.0.1/"}"#), ["url"]);
    assert!(doubts(r#"{"url": "http://127.0.0.1/"}"#).is_empty());
    // Then it is an error.
    assert!(doubts(r#"{"url": "http://10.0.0.1/", "auth": {"bearer": "s3cret"}}"#).is_empty());
    let key = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB";
    let signed = |secrets: &str| format!(r#"{{"url": "https://a", "signing": {{"secrets": [{secrets}]}}}}"#);
    assert!(doubts(&signed(&format!(r#""whsec_{key}""#))).is_empty());
    assert_eq!(doubts(&signed(&format!(r#""whsec_{key}", "whsec_AAAA""#))), ["signing.secrets.1"]);
}

#[test]
fn unknown_words_and_keys_are_refused() {
    for json in [
        r#"{"url": "https://a", "method": "GET"}"#,
        r#"{"url": "https://a", "body": "xml"}"#,
        r#"{"url": "https://a", "compression": "br"}"#,
        r#"{"url": "https://a", "auth": {"digest": "x"}}"#,
        r#"{"url": "https://a", "retries": 3}"#,
        "{}",
    ] {
        assert!(serde_json::from_str::<HttpConfig>(json).is_err(), "{json}");
    }
}
