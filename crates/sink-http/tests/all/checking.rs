//! `check`: reaches the endpoint, delivers nothing.

use std::error::Error;

use pipeline::Sink;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::receiver::{Protocol, Receiver};
use crate::sink;

/// A server that answers everything with this status, and its URL.
async fn always(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(length > 0);
            let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}/hook")
}

fn line(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn only_what_is_sure_is_an_error() {
    for status in [200, 204, 400, 404, 405, 406, 411, 415, 422, 426, 429, 500, 501] {
        let checked = sink(&json!({"url": always(status).await})).check().await;
        assert!(checked.is_ok(), "{status}: {checked:?}");
    }
    for (status, remedy) in [
        (401, "correct `auth`"),
        (403, "let the user of `auth` or `signing` write"),
        (407, "`proxy`"),
        (410, "remove this sink"),
        (503, "answers 503"),
    ] {
        let error = sink(&json!({"url": always(status).await})).check().await.unwrap_err();
        assert!(line(&*error).contains(remedy), "{status}: {}", line(&*error));
    }
}

#[tokio::test]
async fn the_credentials_are_shown_and_nothing_is_delivered() {
    let auth = Some(("authorization", "Bearer t0ken".to_owned()));
    let receiver = Receiver::start(Protocol { auth, ..Protocol::default() }, vec![]).await;
    let config = |token: &str| json!({"url": receiver.url(), "auth": {"bearer": token}});
    sink(&config("t0ken")).check().await.unwrap();
    let error = sink(&config("s3cret")).check().await.unwrap_err();
    assert!(!line(&*error).contains("s3cret"));
    let heads: Vec<String> = receiver.heads().into_iter().map(|(head, _)| head).collect();
    assert_eq!(heads, ["HEAD /", "HEAD /"]);
    for (_, headers) in receiver.heads() {
        assert!(
            ["idempotency-key", "content-type", "webhook-id"].iter().all(|name| !headers.contains_key(*name))
        );
    }
    assert!(receiver.deliveries().is_empty());
}

#[tokio::test]
async fn what_cannot_be_reached_says_why() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, words) in [
        (format!("http://{free}/s3cret"), "Connection refused"),
        ("https://no-such-host.invalid/s3cret".to_owned(), "cannot be resolved"),
    ] {
        let error = sink(&json!({"url": url})).check().await.unwrap_err();
        assert!(line(&*error).contains(words), "{}", line(&*error));
        assert!(!line(&*error).contains("s3cret"));
    }
    let plain = Receiver::start(Protocol::default(), vec![]).await;
    let error = sink(&json!({"url": format!("https://{}/", plain.address)})).check().await.unwrap_err();
    assert!(line(&*error).contains("does not speak TLS"), "{}", line(&*error));
}
