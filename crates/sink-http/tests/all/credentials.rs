//! Every way in which an endpoint may know us, and what happens when it does not.

use std::fs;

use serde_json::{Value, json};
use settings::Secret;
use sink_http::{AuthConfig, HttpConfig, HttpSink};

use crate::independent::base64;
use crate::receiver::{Protocol, Receiver, Reply};
use crate::{all_words, deliver, sink, words};

#[tokio::test]
async fn every_form_is_sent_as_configured() {
    let basic = format!("Basic {}", base64(b"towpath:pa:ss w\xc3\xb6rd"));
    let table: Vec<(Value, &'static str, &str)> = vec![
        (json!({"bearer": "s3cret-t0ken"}), "authorization", "Bearer s3cret-t0ken"),
        (json!({"basic": {"username": "towpath", "password": "pa:ss wörd"}}), "authorization", &basic),
        (json!({"header": {"name": "X-Api-Key", "value": "s3cret-key"}}), "x-api-key", "s3cret-key"),
    ];
    for (auth, header, value) in table {
        let expected = Some((header, value.to_owned()));
        let receiver = Receiver::start(Protocol { auth: expected, ..Protocol::default() }, vec![]).await;
        let good = sink(&json!({"url": receiver.url(), "auth": auth}));
        assert_eq!(words(&deliver(&good, &[1]).await), "taken", "{auth}");

        let without = sink(&json!({"url": receiver.url()}));
        assert_eq!(words(&deliver(&without, &[1]).await), "paused authentication");
        let other = sink(&json!({"url": receiver.url(), "auth": {"bearer": "s3cret-other"}}));
        let error = deliver(&other, &[1]).await.unwrap_err();
        assert_eq!(error.to_string().split(':').next(), Some("correct `auth` or `signing`"));
        // The receiver repeats what it was sent.
        let text = all_words(&error);
        assert!(text.contains("who are you?") && !text.contains("s3cret"), "{text}");
    }
}

fn with_file(url: String, path: &std::path::Path) -> HttpSink {
    let mut config: HttpConfig = serde_json::from_value(json!({"url": url})).unwrap();
    let text = fs::read_to_string(path).unwrap();
    config.auth =
        Some(AuthConfig::Bearer(Secret::from_file(String::new(), path.into(), String::new(), &text)));
    HttpSink::new(config.validate().unwrap())
}

#[tokio::test]
async fn a_rotated_secret_is_taken_up_after_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    fs::write(&path, "old\n").unwrap();
    let auth = Some(("authorization", "Bearer new".to_owned()));
    let receiver = Receiver::start(Protocol { auth, ..Protocol::default() }, vec![]).await;
    let sink = with_file(receiver.url(), &path);
    // The file still holds the old one.
    assert_eq!(words(&deliver(&sink, &[1]).await), "paused authentication");
    assert_eq!(words(&deliver(&sink, &[1]).await), "paused authentication");
    fs::write(&path, "new\n").unwrap();
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");

    // The file has changed by the time of the refusal: worth trying at once.
    fs::write(&path, "old\n").unwrap();
    let sink = with_file(receiver.url(), &path);
    fs::write(&path, "new\n").unwrap();
    assert_eq!(words(&deliver(&sink, &[2]).await), "transient 0ns");
    assert_eq!(words(&deliver(&sink, &[2]).await), "taken");
    assert_eq!(receiver.taken().len(), 2);
}

#[tokio::test]
async fn a_rotated_signing_secret_is_taken_up_before_events_count_as_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let secret = |key: &[u8]| format!("whsec_{}", base64(key));
    fs::write(&path, secret(&[1; 24])).unwrap();
    let receiver = Receiver::start(Protocol { keys: vec![vec![2; 24]], ..Protocol::default() }, vec![]).await;
    let mut config: HttpConfig =
        serde_json::from_value(json!({"url": receiver.url(), "signing": {"secret": secret(&[1; 24])}}))
            .unwrap();
    let filed = Secret::from_file(String::new(), path.clone(), String::new(), &secret(&[1; 24]));
    config.signing.as_mut().unwrap().secret = Some(filed);
    let sink = HttpSink::new(config.validate().unwrap());
    fs::write(&path, secret(&[2; 24])).unwrap();
    // The receiver answers 400 to a signature that it does not know.
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient 0ns");
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
}

#[tokio::test]
async fn a_redirect_to_another_origin_gets_neither_events_nor_credentials() {
    let elsewhere = Receiver::start(Protocol::default(), vec![]).await;
    for status in [301, 302, 303, 307, 308] {
        let to = vec![("Location", elsewhere.url())];
        let receiver =
            Receiver::start(Protocol::default(), vec![Reply::Refuse(status, to, String::new())]).await;
        let sink = sink(&json!({"url": receiver.url(), "auth": {"bearer": "s3cret"}}));
        let error = deliver(&sink, &[1]).await.unwrap_err();
        assert!(error.to_string().starts_with("set `url` to the address"), "{error}");
        assert!(!all_words(&error).contains("s3cret"));
    }
    assert!(elsewhere.heads().is_empty());
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_when_it_keeps_the_request() {
    let auth = Some(("authorization", "Bearer s3cret".to_owned()));
    for (status, result, requests) in [
        (307, "taken", 2),
        (308, "taken", 2),
        (301, "paused redirect", 1),
        (302, "paused redirect", 1),
        (303, "paused redirect", 1),
    ] {
        let protocol = Protocol { auth: auth.clone(), ..Protocol::default() };
        let to = vec![("Location", "/".to_owned())];
        let receiver = Receiver::start(protocol, vec![Reply::Refuse(status, to, String::new())]).await;
        let sink = sink(&json!({"url": receiver.url(), "auth": {"bearer": "s3cret"}}));
        assert_eq!(words(&deliver(&sink, &[1, 2]).await), result, "{status}");
        let deliveries = receiver.deliveries();
        assert_eq!(deliveries.len(), requests);
        assert!(deliveries.iter().all(|delivery| delivery.body == deliveries[0].body));
    }
    // In a circle.
    let to = || vec![("Location", "/".to_owned())];
    let replies = (0..9).map(|_| Reply::Refuse(307, to(), String::new())).collect();
    let receiver = Receiver::start(Protocol::default(), replies).await;
    assert_eq!(words(&deliver(&sink(&json!({"url": receiver.url()})), &[1]).await), "paused protocol");
    assert_eq!(receiver.deliveries().len(), 4);
}
