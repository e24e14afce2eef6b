//! Every form of body in every compression, read back byte for byte.

use serde_json::json;

use crate::receiver::{Protocol, Receiver};
use crate::{deliver, events, sink, words};

#[tokio::test]
async fn every_form_and_compression_carries_the_events_byte_for_byte() {
    for form in ["ndjson", "json_array", "json"] {
        for coding in ["", "gzip", "zstd"] {
            // The larger one is compressed on a thread of its own.
            for count in [1, 2, 40, 1500] {
                if form == "json" && count > 40 {
                    continue;
                }
                let receiver =
                    Receiver::start(Protocol { form, coding, ..Protocol::default() }, vec![]).await;
                let compression = if coding.is_empty() { "none" } else { coding };
                let sink = sink(&json!({"url": receiver.url(), "body": form, "compression": compression}));
                let numbers: Vec<u32> = (0..count).collect();
                assert_eq!(words(&deliver(&sink, &numbers).await), "taken", "{form} {coding} {count}");
                let sent: Vec<String> = numbers.iter().map(|number| events::text(*number)).collect();
                assert_eq!(receiver.taken(), sent);
                let requests = if form == "json" { count as usize } else { 1 };
                assert_eq!(receiver.deliveries().len(), requests);
                if form == "ndjson" && coding.is_empty() {
                    assert_eq!(receiver.deliveries()[0].body, (sent.join("\n") + "\n").as_bytes());
                }
            }
        }
    }
}

#[tokio::test]
async fn method_target_and_headers_are_those_of_the_configuration() {
    let protocol = Protocol { method: "PUT", target: "/a%20b/c?x=1&y=%2F", ..Protocol::default() };
    let receiver = Receiver::start(protocol, vec![]).await;
    let sink = sink(&json!({
        "url": format!("http://{}/a%20b/c?x=1&y=%2F", receiver.address),
        "method": "PUT",
        "headers": {"X-Environment": "prod", "User-Agent": "us"},
    }));
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
    let headers = &receiver.deliveries()[0].headers;
    assert_eq!(
        (&headers["x-environment"], &headers["user-agent"]),
        (&"prod".parse().unwrap(), &"us".parse().unwrap())
    );
    assert_eq!(headers["host"], receiver.address.to_string());
}

#[tokio::test]
async fn nothing_to_write_asks_nothing() {
    let receiver = Receiver::start(Protocol::default(), vec![]).await;
    for form in ["ndjson", "json_array", "json"] {
        let sink = sink(&json!({"url": receiver.url(), "body": form}));
        assert_eq!(words(&deliver(&sink, &[]).await), "taken");
    }
    assert!(receiver.heads().is_empty());
}

/// The receiver is no better than its checks: each must be seen to refuse.
#[tokio::test]
async fn the_receiver_refuses_what_its_protocol_refuses() {
    let auth = Some(("authorization", "Bearer t".to_owned()));
    for (protocol, violation) in [
        (Protocol { form: "json", ..Protocol::default() }, "the media type is"),
        (Protocol { coding: "gzip", ..Protocol::default() }, "the coding is"),
        (Protocol { method: "PUT", ..Protocol::default() }, "the request is"),
        (Protocol { target: "/x", ..Protocol::default() }, "the request is"),
        (Protocol { keys: vec![vec![1]], ..Protocol::default() }, "unexpected or missing signature"),
        (Protocol { auth, ..Protocol::default() }, ""),
    ] {
        let receiver = Receiver::start(protocol, vec![]).await;
        let sink = sink(&json!({"url": receiver.url()}));
        let result = words(&deliver(&sink, &[1, 2]).await);
        match violation {
            "" => assert_eq!(result, "paused authentication"),
            violation => {
                assert_eq!(result, "rejected bad_request");
                assert!(receiver.violations()[0].starts_with(violation), "{:?}", receiver.violations());
            }
        }
    }
}
