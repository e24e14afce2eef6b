//! How connections end when no write comes any more.

use std::time::Duration;

use pipeline::Sink;
use serde_json::json;
use testkit::http::Authority;
use tokio::time::timeout;

use crate::receiver::{Mood, Protocol, Receiver};
use crate::{deliver, sink, words};

/// Both sides have ended when `close` returns, and the last message was whole.
#[tokio::test]
async fn what_is_open_is_ended_in_good_order() {
    for (protocol, scheme, framing) in [
        (Protocol::Octets, "tcp", "octet_counting"),
        (Protocol::Lines, "tcp", "lf"),
        (Protocol::Relp, "relp", "octet_counting"),
        (Protocol::Octets, "tls", "octet_counting"),
        (Protocol::Relp, "relp+tls", "octet_counting"),
    ] {
        let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let ca_file = dir.path().join("ca.pem");
        std::fs::write(&ca_file, authority.pem()).unwrap();
        let is_tls = scheme.contains("tls");
        let receiver = Receiver::start(protocol, is_tls.then(|| authority.server(None)));
        let mut config = json!({"address": format!("{scheme}://{}", receiver.address)});
        match protocol {
            Protocol::Relp => {}
            _ => config["framing"] = framing.into(),
        }
        if is_tls {
            config["tls"] = json!({"ca_file": ca_file});
        }
        let sink = sink(&config);
        let (one, other) = tokio::join!(deliver(&sink, 0..200), deliver(&sink, 200..400));
        assert_eq!((&*words(&one), &*words(&other)), ("taken", "taken"));
        assert_eq!((receiver.accepted(), receiver.clean_ends()), (2, 0), "{scheme} {framing}");
        sink.close().await;
        assert_eq!((receiver.clean_ends(), receiver.rude_ends()), (2, 0), "{scheme} {framing}");
        assert_eq!(receiver.taken().len(), 400);
        assert_eq!(receiver.violations(), Vec::<String>::new());
    }
}

/// A connection that is closed with something in it that nobody has read is reset, and the receiver may lose what it has
/// not read itself.
#[tokio::test]
async fn a_receiver_that_speaks_is_not_reset() {
    for is_closed in [true, false] {
        let receiver = Receiver::start(Protocol::Octets, None);
        let sink = sink(&json!({"address": format!("tcp://{}", receiver.address)}));
        assert_eq!(words(&deliver(&sink, 0..3).await), "taken");
        receiver.say(b"250 received\r\n");
        if is_closed {
            sink.close().await;
        }
        drop(sink);
        assert_eq!(receiver.clean_ends(), usize::from(is_closed));
    }
}

/// A receiver that does not read has said that it has the bytes, and reads them when it can.
#[tokio::test]
async fn an_end_that_is_not_waited_for_takes_nothing_away() {
    for (protocol, framing) in [(Protocol::Octets, "octet_counting"), (Protocol::Lines, "lf")] {
        let receiver = Receiver::start(protocol, None);
        let sink = sink(&json!({"address": format!("tcp://{}", receiver.address), "framing": framing}));
        assert_eq!(words(&deliver(&sink, 0..1).await), "taken");
        receiver.mood(Mood::Stalled);
        assert_eq!(words(&deliver(&sink, 1..40).await), "taken", "the kernel has them");
        assert!(timeout(Duration::from_millis(200), sink.close()).await.is_err(), "nobody has ended it");
        receiver.mood(Mood::Well);
        assert_eq!((receiver.clean_ends(), receiver.taken().len()), (1, 40));
    }
}
