//! What follows from each answer.

use std::fs;

use pipeline::SinkError;
use serde_json::json;
use settings::Secret;
use sink_elasticsearch::{AuthConfig, ElasticsearchConfig, ElasticsearchSink};
use testkit::line;

use crate::cluster::{Cluster, Fate, Setup, but, error};
use crate::{deliver, events, sink_to, words};

async fn answered(fate: Fate) -> (String, usize) {
    let cluster = Cluster::start(Setup::default(), 1).await;
    cluster.fates([fate]);
    let result = deliver(&sink_to(&cluster, &json!({})), &[1, 2, 3]).await;
    (words(&result), cluster.documents().len())
}

#[tokio::test]
async fn an_item_is_told_by_itself() {
    for (status, kind, reason, expected) in [
        (429, "es_rejected_execution_exception", "", "retry [1], rejected [], known 0"),
        (503, "unavailable_shards_exception", "", "retry [1], rejected [], known 0"),
        (400, "document_parsing_exception", "", r#"retry [], rejected ["1 mapping"], known 0"#),
        (403, "cluster_block_exception", "FORBIDDEN/12/index read-only", "retry [1], rejected [], known 0"),
        // A person must act, but what was taken stays taken: the rest says so when it comes alone.
        (403, "cluster_block_exception", "FORBIDDEN/8/index write", "retry [1], rejected [], known 0"),
        (404, "index_not_found_exception", "no such index", "retry [1], rejected [], known 0"),
    ] {
        assert_eq!(answered(but(1, status, kind, reason)).await, (expected.to_owned(), 2), "{status} {kind}");
    }
}

#[tokio::test]
async fn when_nothing_is_taken_the_write_says_why() {
    let all = |status, kind, reason: &str| {
        Fate::But((0..3).map(|at| (at, status, kind, reason.to_owned())).collect())
    };
    for (fate, expected) in [
        (all(429, "es_rejected_execution_exception", "queue"), "transient"),
        (all(403, "cluster_block_exception", "FORBIDDEN/12/index read-only"), "transient"),
        (all(403, "cluster_block_exception", "FORBIDDEN/8/index write"), "paused write_block"),
        (all(403, "security_exception", "unauthorized"), "paused permission"),
        (all(404, "index_not_found_exception", "no such index [audit]"), "paused not_found"),
        (all(400, "illegal_argument_exception", "pipeline with id [x] does not exist"), "paused pipeline"),
        (
            all(400, "strict_dynamic_mapping_exception", "not allowed"),
            r#"retry [], rejected ["0 mapping", "1 mapping", "2 mapping"], known 0"#,
        ),
    ] {
        assert_eq!(answered(fate.clone()).await, (expected.to_owned(), 0), "{fate:?}");
    }
}

#[tokio::test]
async fn a_whole_request_that_is_not_taken() {
    let refuse = |(status, body): (u16, String)| Fate::Refuse(status, vec![], body);
    for (fate, expected) in [
        (refuse((413, String::new())), "too large"),
        (refuse(error(429, "circuit_breaking_exception", "data too large")), "transient"),
        (Fate::Refuse(503, vec![("retry-after", "3".to_owned())], String::new()), "transient 3s"),
        (refuse((502, "<html>".to_owned())), "transient"),
        (refuse(error(500, "exception", "")), "transient"),
        (refuse(error(400, "illegal_argument_exception", "Malformed action")), "rejected bad_request"),
        (refuse(error(401, "security_exception", "who")), "paused authentication"),
        (refuse(error(403, "security_exception", "no")), "paused permission"),
        (refuse(error(403, "cluster_block_exception", "FORBIDDEN/12/flood")), "transient"),
        (refuse(error(404, "index_not_found_exception", "no such index")), "paused not_found"),
        (refuse(error(400, "media_type_header_exception", "version")), "paused flavor"),
        (refuse((406, "{}".to_owned())), "paused flavor"),
        (refuse((405, r#"{"error":"Incorrect HTTP method","status":405}"#.to_owned())), "paused method"),
        (refuse((200, "<html>please log in</html>".to_owned())), "paused protocol"),
        (refuse((200, r#"{"errors":false,"items":[{"create":{"status":201}}"#.to_owned())), "transient"),
        (refuse((200, "{}".to_owned())), "transient"),
        (refuse((200, r#"{"items":[{"index":{"status":201}}]}"#.to_owned())), "paused protocol"),
        (Fate::TakeTellingLess, "transient"),
        (Fate::TakeAndClose, "transient"),
        (Fate::TakeAndHang, "transient"),
    ] {
        assert_eq!(answered(fate.clone()).await.0, expected, "{fate:?}");
    }
}

#[tokio::test]
async fn fewer_answers_than_events_are_none_and_nothing_is_stored_twice() {
    let cluster = Cluster::start(Setup::default(), 1).await;
    let sink = sink_to(&cluster, &json!({}));
    cluster.fates([Fate::TakeTellingLess]);
    let text = line(&deliver(&sink, &[1, 2, 3]).await.unwrap_err());
    assert!(text.contains("tells of 2 events, and 3 were sent"), "{text}");
    assert_eq!(words(&deliver(&sink, &[1, 2, 3]).await), "retry [], rejected [], known 3");
    assert_eq!(cluster.documents().len(), 3);
}

#[tokio::test]
async fn values_of_fields_are_not_repeated() {
    let cluster = Cluster::start(Setup::default(), 1).await;
    let reason = "[1:7] failed to parse field [n] of type [long]. Preview of field's value: 's3cret'";
    cluster.fates([but(0, 400, "document_parsing_exception", reason)]);
    let outcome = deliver(&sink_to(&cluster, &json!({})), &[1, 2]).await.unwrap();
    let expected = "status 400: document_parsing_exception: [1:7] failed to parse field [n] of type [long].";
    assert_eq!(&*outcome.rejected[0].1.detail, expected);
}

#[tokio::test]
async fn what_is_diverted_to_the_failure_store_is_held_there() {
    assert_eq!(answered(Fate::Divert).await.0, "taken");
}

#[tokio::test]
async fn a_rotated_password_is_taken_up_after_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, "b2xk\n").unwrap();
    let cluster = Cluster::start(Setup { auth: Some("ApiKey bmV3"), ..Setup::default() }, 1).await;
    let mut config: ElasticsearchConfig =
        serde_json::from_value(json!({"urls": cluster.urls(), "index": "audit", "compression": "none"}))
            .unwrap();
    config.auth =
        Some(AuthConfig::ApiKey(Secret::from_file(String::new(), path.clone(), String::new(), "b2xk\n")));
    let sink = ElasticsearchSink::new(config.validate().unwrap());
    let error = deliver(&sink, &[1]).await.unwrap_err();
    assert!(matches!(error, SinkError::Paused { reason: "authentication", .. }));
    assert!(!line(&error).contains("b2xk"), "{}", line(&error));
    fs::write(&path, "bmV3\n").unwrap();
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
    assert_eq!(cluster.documents()[0].text, events::text(1));
}

/// A cluster may take a request and refuse the events in it.
#[tokio::test]
async fn a_rotated_key_is_taken_up_also_when_single_events_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, "bmV3").unwrap();
    for (status, reason) in [(401, "authentication"), (403, "permission")] {
        let cluster = Cluster::start(Setup::default(), 1).await;
        let mut config: ElasticsearchConfig =
            serde_json::from_value(json!({"urls": cluster.urls(), "index": "audit", "compression": "none"}))
                .unwrap();
        let key = Secret::from_file(String::new(), path.clone(), String::new(), "b2xk");
        config.auth = Some(AuthConfig::ApiKey(key));
        let sink = ElasticsearchSink::new(config.validate().unwrap());
        cluster.fates([(); 2].map(|()| but(0, status, "security_exception", "is unauthorized")));
        assert_eq!(words(&deliver(&sink, &[1]).await), "transient 0ns");
        assert_eq!(words(&deliver(&sink, &[1]).await), format!("paused {reason}"), "the file holds no other");
        assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
    }
}
