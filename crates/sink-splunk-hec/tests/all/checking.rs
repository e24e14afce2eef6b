//! `check` and the token.

use std::fs;

use pipeline::Sink;
use serde_json::json;
use settings::Secret;
use sink_splunk_hec::{SplunkHecConfig, SplunkHecSink};
use testkit::line;

use crate::splunk::{Setup, Splunk, code};
use crate::{deliver, sink, sink_to, words};

#[tokio::test]
async fn a_good_token_is_told_from_a_bad_one_and_nothing_is_delivered() {
    for acks in [true, false] {
        let splunk = Splunk::start(Setup { acks, ..Setup::default() }).await;
        sink_to(&splunk, &json!({"acknowledgements": acks})).check().await.unwrap();
        let error = sink_to(&splunk, &json!({"acknowledgements": acks, "token": "s3cret-other"}))
            .check()
            .await
            .unwrap_err();
        let text = line(&*error);
        assert!(text.contains("correct `token`") && !text.contains("s3cret"), "{text}");
        assert!(splunk.indexed().is_empty() && splunk.violations().is_empty());
    }
}

#[tokio::test]
async fn acknowledgements_must_agree_with_the_token() {
    let with = Splunk::start(Setup::default()).await;
    let error = sink_to(&with, &json!({"acknowledgements": false})).check().await.unwrap_err();
    assert!(line(&*error).contains("set `acknowledgements: true`"), "{}", line(&*error));
    let without = Splunk::start(Setup { acks: false, ..Setup::default() }).await;
    let error = sink_to(&without, &json!({})).check().await.unwrap_err();
    assert!(line(&*error).contains("or set `acknowledgements: false`"), "{}", line(&*error));
}

#[tokio::test]
async fn a_collector_in_trouble_says_so() {
    let splunk = Splunk::start(Setup::default()).await;
    splunk.busy(true);
    let error = sink_to(&splunk, &json!({})).check().await.unwrap_err();
    assert!(line(&*error).contains("queues are full (code 18)"), "{}", line(&*error));
    splunk.busy(false);
    splunk.refuse(Some(code(404, 404, "The requested URL was not found on this server.")));
    let error = sink_to(&splunk, &json!({})).check().await.unwrap_err();
    assert!(line(&*error).contains("check the path of `url`"), "{}", line(&*error));
    splunk.refuse(Some((200, "<html>please log in</html>".to_owned())));
    let error = sink_to(&splunk, &json!({})).check().await.unwrap_err();
    assert!(line(&*error).contains("no HTTP Event Collector"), "{}", line(&*error));

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = sink(&json!({"url": format!("http://{free}"), "token": "t0ken"})).check().await.unwrap_err();
    assert!(line(&*error).contains("check host and port"), "{}", line(&*error));
}

#[tokio::test]
async fn a_rotated_token_is_taken_up_after_a_refusal() {
    for acks in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "old-t0ken\n").unwrap();
        let splunk = Splunk::start(Setup { acks, ..Setup::default() }).await;
        let mut config: SplunkHecConfig = serde_json::from_value(
            json!({"url": splunk.url(), "token": "", "compression": "none", "acknowledgements": acks}),
        )
        .unwrap();
        config.token = Secret::from_file(String::new(), path.clone(), String::new(), "old-t0ken\n");
        let sink = SplunkHecSink::new(config.validate().unwrap());
        assert_eq!(words(&deliver(&sink, &[1]).await), "paused authentication");
        fs::write(&path, "t0ken-of-splunk\n").unwrap();
        assert_eq!(words(&deliver(&sink, &[1]).await), "taken");

        // The file has changed by the time of the refusal: worth trying at once.
        fs::write(&path, "old-t0ken\n").unwrap();
        let sink = SplunkHecSink::new(config.validate().unwrap());
        fs::write(&path, "t0ken-of-splunk\n").unwrap();
        assert_eq!(words(&deliver(&sink, &[2]).await), "transient 0ns");
        assert_eq!(words(&deliver(&sink, &[2]).await), "taken");
        assert_eq!(splunk.events().len(), 2);
    }
}
