//! Receivers that do not want us, or some of our messages.

use std::time::Duration;

use pipeline::Sink;
use serde_json::json;
use testkit::sink::POISON;

use crate::events::write;
use crate::receiver::{Mood, Protocol, Receiver};
use crate::{deliver, sink, words};
use testkit::http::Authority;

/// With TLS 1.3 the handshake is over on our side before the receiver has seen that we have no certificate. Not one
/// message may count as taken.
#[tokio::test]
async fn a_missing_client_certificate_is_seen_before_a_message_counts() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let receiver = Receiver::start(Protocol::Octets, Some(servers.server(Some(&clients))));
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, servers.pem()).unwrap();
    let address = format!("tls://{}", receiver.address);
    for turn in 0..10 {
        // The refusal comes long after the handshake, and after a message could have been sent.
        receiver.mood(if turn % 2 == 0 { Mood::Well } else { Mood::Hesitant(Duration::from_millis(100)) });
        let sink = sink(&json!({"address": address, "tls": {"ca_file": ca}}));
        let result = deliver(&sink, 0..1).await;
        assert_eq!(words(&result), "paused tls");
        let error = result.unwrap_err();
        assert!(error.to_string().contains("tls.cert_file"), "{error}");
    }
    assert!(receiver.taken().is_empty());
}

/// A connection over TLS ends as TLS has it, also when the sink just goes away.
#[tokio::test]
async fn tls_ends_with_a_goodbye() {
    let servers = Authority::new();
    let receiver = Receiver::start(Protocol::Octets, Some(servers.server(None)));
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, servers.pem()).unwrap();
    let sink = sink(&json!({"address": format!("tls://{}", receiver.address), "tls": {"ca_file": ca}}));
    sink.check().await.unwrap();
    assert_eq!(words(&deliver(&sink, 0..5).await), "taken");
    drop(sink);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(receiver.taken().len(), 5);
    assert_eq!((receiver.accepted(), receiver.rude_ends()), (2, 0));
}

/// Each message has its own answer, and only what has none comes again.
#[tokio::test]
async fn relp_answers_are_told_item_by_item() {
    let receiver = Receiver::start(Protocol::Relp, None);
    let config = json!({"address": format!("relp://{}", receiver.address), "timeout": "1s"});
    let sink = sink(&config);
    receiver.mood(Mood::Limit(60));
    let mut events = write(0..2, 0);
    let large = write(2..3, 400);
    events.push(large.parts()[0].0.clone(), 0..1);
    let outcome = sink.write(&events).await.unwrap();
    assert_eq!((outcome.retry.len(), outcome.rejected.len()), (0, 1));
    assert_eq!((outcome.rejected[0].0, outcome.rejected[0].1.kind), (2, "refused"));
    assert_eq!(&*outcome.rejected[0].1.detail, "receiver answers 500 message too long");

    receiver.mood(Mood::TakesTwo);
    let outcome = deliver(&sink, 10..20).await.unwrap();
    assert_eq!(outcome.retry, (2..10).collect::<Vec<u32>>());
    assert_eq!(receiver.taken().len(), 4);
    assert!(!POISON.is_empty());

    // Nothing was answered at all.
    receiver.mood(Mood::Ends);
    assert_eq!(words(&deliver(&sink, 20..30).await), "transient");
    receiver.mood(Mood::Well);
    // More than a window.
    assert_eq!(words(&deliver(&sink, 1000..6000).await), "taken");
    assert_eq!(receiver.taken().len(), 5004);
    assert_eq!(receiver.violations(), Vec::<String>::new());
}

/// Too long for `max_bytes`: refused alone, or cut where the user wants that.
#[tokio::test]
async fn what_is_too_long_is_refused_or_cut() {
    let receiver = Receiver::start(Protocol::Octets, None);
    let mut config =
        json!({"address": format!("tcp://{}", receiver.address), "timeout": "1s", "max_bytes": "600B"});
    let mut events = write(0..2, 0);
    let large = write(2..3, 4000);
    events.push(large.parts()[0].0.clone(), 0..1);
    let outcome = sink(&config).write(&events).await.unwrap();
    assert_eq!(
        (outcome.rejected.len(), outcome.rejected[0].0, outcome.rejected[0].1.kind),
        (1, 2, "too_large")
    );
    assert!(outcome.rejected[0].1.detail.contains("`max_bytes` is 600"));
    assert_eq!(receiver.taken().len(), 2);
    config["on_oversize"] = json!("truncate");
    assert_eq!(words(&sink(&config).write(&events).await), "taken");
    let taken = receiver.taken();
    assert_eq!(taken.len(), 5);
    assert!(taken[4].body.starts_with(r#"{"n":2,"#) && taken[4].body.len() > 300, "{taken:?}");
    assert_eq!(receiver.violations(), Vec::<String>::new());
}
