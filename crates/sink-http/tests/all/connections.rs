//! Connections that end, stall or never come about.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::receiver::{Protocol, Receiver, Reply};
use crate::{deliver, events, sink, words};

#[tokio::test]
async fn a_time_out_after_sending_comes_again_with_the_same_id() {
    let receiver = Receiver::start(Protocol::default(), vec![Reply::TakeAndHang]).await;
    let sink = sink(&json!({"url": receiver.url(), "timeout": "1s"}));
    let began = Instant::now();
    let error = deliver(&sink, &[1, 2]).await;
    assert_eq!(words(&error), "transient");
    assert!((900..15_000).contains(&began.elapsed().as_millis()));
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    let deliveries = receiver.deliveries();
    assert_eq!((deliveries.len(), &deliveries[0].id), (2, &deliveries[1].id));
    assert_eq!(deliveries[0].body, deliveries[1].body, "the receiver can drop the second one");
}

#[tokio::test]
async fn a_connection_that_ends_after_sending_comes_again_with_the_same_id() {
    let receiver = Receiver::start(Protocol::default(), vec![Reply::TakeAndClose]).await;
    let sink = sink(&json!({"url": receiver.url()}));
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "transient");
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    let deliveries = receiver.deliveries();
    assert_eq!((deliveries.len(), &deliveries[0].id), (2, &deliveries[1].id));
}

#[tokio::test]
async fn a_slow_endpoint_is_waited_for_and_holds_no_other_write() {
    let slow = Reply::TakeSlowly(Duration::from_secs(2));
    let receiver = Receiver::start(Protocol::default(), vec![slow]).await;
    let sink = sink(&json!({"url": receiver.url(), "timeout": "15s"}));
    let began = Instant::now();
    let one = async {
        assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
        began.elapsed()
    };
    let other = async {
        while receiver.heads().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(words(&deliver(&sink, &[2]).await), "taken");
        began.elapsed()
    };
    let (one, other) = tokio::join!(one, other);
    assert!(one >= Duration::from_secs(2) && other < one, "{one:?} {other:?}");
    assert_eq!(receiver.taken(), [1, 2].map(events::text));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_asked_again() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink = sink(&json!({"url": format!("http://{free}/")}));
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient");
    let listener = TcpListener::bind(free).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    });
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
}

/// A server of bytes: answers each connection with `reply` as soon as the head of the request is there, and ends the
/// connection with what it has not read.
async fn hasty(reply: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(reply).await.unwrap();
        }
    });
    format!("http://{address}/")
}

/// Gateways refuse a body that is too large, or credentials, before they have read it, and end the connection. The
/// answer counts, not the end: as a mere failure it would come again for ever.
#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_read_counts() {
    let many: Vec<u32> = (0..100_000).collect();
    for (reply, expected) in [
        (&b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"[..], "too large"),
        (b"HTTP/1.1 401 Who\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", "paused authentication"),
    ] {
        let sink = sink(&json!({"url": hasty(reply).await}));
        for _ in 0..5 {
            assert_eq!(words(&deliver(&sink, &many).await), expected);
        }
    }
}

#[tokio::test]
async fn a_status_counts_whatever_becomes_of_its_body() {
    for reply in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut"[..],
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\n???",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let sink = sink(&json!({"url": hasty(reply).await}));
        assert_eq!(words(&deliver(&sink, &[1]).await), "taken", "{}", String::from_utf8_lossy(reply));
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_matter_of_configuration() {
    let sink = sink(&json!({"url": hasty(b"SSH-2.0-OpenSSH_9.6\r\n").await}));
    assert_eq!(words(&deliver(&sink, &[1]).await), "paused protocol");
}

#[tokio::test]
async fn a_proxy_is_gone_through() {
    // Asked for the whole URL, it answers in the endpoint's place.
    let protocol = Protocol { target: "http://127.0.0.1:1/events", ..Protocol::default() };
    let proxy = Receiver::start(protocol, vec![Reply::Take, Reply::Refuse(407, vec![], String::new())]).await;
    let sink = sink(&json!({
        "url": "http://127.0.0.1:1/events", "proxy": format!("http://us:s3cret@{}", proxy.address),
    }));
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
    let login = crate::independent::base64(b"us:s3cret");
    assert_eq!(proxy.deliveries()[0].headers["proxy-authorization"], format!("Basic {login}"));
    assert_eq!(words(&deliver(&sink, &[2]).await), "paused proxy");
}
