//! `check --connect`: each thing that is wrong is told with what to do about it.

use std::net::TcpListener;

use pipeline::Sink;
use serde_json::{Value, json};

use crate::receiver::{Mood, Protocol, Receiver};
use crate::sink;
use testkit::http::Authority;

async fn told(config: Value) -> String {
    let error = sink(&config).check().await.expect_err("something is wrong");
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text += &format!(": {source}");
        next = source.source();
    }
    text
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_remedy() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let ca = file("ca.pem", servers.pem());
    let wrong_ca = file("wrong.pem", clients.pem());
    let secured = Receiver::start(Protocol::Octets, Some(servers.server(Some(&clients))));
    let tls = format!("tls://{}", secured.address);
    let plain = Receiver::start(Protocol::Octets, None);
    let relp = Receiver::start(Protocol::Relp, None);
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap();

    for (config, words) in [
        (json!({"address": tls, "tls": {"ca_file": wrong_ca}}), "set tls.ca_file"),
        (json!({"address": tls, "tls": {"ca_file": ca}}), "tls.cert_file"),
        (
            json!({"address": tls.replace("127.0.0.1", "localhost"), "tls": {"ca_file": ca}}),
            "set `address` to a name",
        ),
        (json!({"address": tls, "tls": {"ca_file": dir.path().join("none.pem")}}), "none.pem cannot be read"),
        (json!({"address": format!("tcp://{closed}")}), "that the receiver listens there"),
        (json!({"address": format!("relp://{closed}")}), "that the receiver listens there"),
        (json!({"address": "tcp://no.such.host.invalid:601"}), "that this machine can resolve names"),
        // It takes the question for a broken frame and closes.
        (json!({"address": format!("relp://{}", plain.address), "timeout": "1s"}), "does not answer RELP"),
        (
            json!({"address": format!("tls://{}", plain.address), "timeout": "1s"}),
            "one without TLS does not answer TLS",
        ),
    ] {
        let told = told(config.clone()).await;
        assert!(told.contains(words), "{config}: {told}");
    }
    for (mood, words) in [(Mood::Foreign, "something else than RELP"), (Mood::Refuses, "500 access denied")] {
        relp.mood(mood);
        let told = told(json!({"address": format!("relp://{}", relp.address)})).await;
        assert!(told.contains(words), "{told}");
    }
    relp.mood(Mood::Well);
    for address in [format!("relp://{}", relp.address), format!("udp://{closed}")] {
        sink(&json!({"address": address})).check().await.unwrap();
    }
}
