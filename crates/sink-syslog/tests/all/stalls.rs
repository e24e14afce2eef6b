//! Connections that stall, break or are given up.

use std::time::{Duration, Instant};

use pipeline::{Sink, SinkError};
use serde_json::json;
use testkit::http::Authority;
use tokio::time::timeout;

use crate::events::{text, write};
use crate::receiver::{Mood, Protocol, Receiver};
use crate::{deliver, sink, words};

fn config(receiver: &Receiver, framing: &str) -> serde_json::Value {
    json!({"address": format!("tcp://{}", receiver.address), "framing": framing, "timeout": "1s", "max_bytes": "1MiB"})
}

/// What the kernel on the other side has no room for was not taken: more than it can hold, and nobody reads.
#[tokio::test]
async fn what_is_not_acknowledged_is_not_taken() {
    let receiver = Receiver::start(Protocol::Octets, None);
    let sink = sink(&config(&receiver, "octet_counting"));
    receiver.mood(Mood::Stalled);
    let began = Instant::now();
    // 16 MiB; loopback windows end at 6 MiB.
    let result = sink.write(&write(0..160, 100 << 10)).await;
    assert_eq!(words(&result), "transient");
    assert!((1..15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(result.unwrap_err().to_string().len() > 5);
    receiver.mood(Mood::Well);
    assert_eq!(words(&deliver(&sink, 500..510).await), "taken");
    let taken = receiver.taken();
    assert!(taken.iter().any(|message| message.body == text(509, 0)));
    assert_eq!(receiver.violations(), Vec::<String>::new());
}

/// The same for what fits into our own kernel's buffer, which takes it at once.
#[tokio::test]
async fn what_waits_in_our_own_kernel_is_not_taken() {
    let receiver = Receiver::start(Protocol::Octets, None);
    receiver.narrow();
    receiver.mood(Mood::Stalled);
    let sink = sink(&config(&receiver, "octet_counting"));
    assert_eq!(words(&sink.write(&write(0..100, 1000)).await), "transient");
    receiver.mood(Mood::Well);
    assert_eq!(words(&sink.write(&write(0..100, 1000)).await), "taken");
    assert!(receiver.taken().len() >= 100);
}

/// A write that is given up in the middle takes nothing away from what was taken before on the same connection. Half of a
/// counted message is none; half of a line is one for whoever reads lines, and the whole one comes as well.
#[tokio::test]
async fn a_write_that_is_given_up_takes_nothing_away() {
    for (framing, protocol, halves) in [("lf", Protocol::Lines, 1), ("octet_counting", Protocol::Octets, 0)] {
        let receiver = Receiver::start(protocol, None);
        let sink = sink(&config(&receiver, framing));
        assert_eq!(words(&deliver(&sink, 0..1).await), "taken");
        receiver.mood(Mood::Stalled);
        assert_eq!(words(&deliver(&sink, 1..40).await), "taken", "the kernel has them");
        let large = write(100..260, 100 << 10);
        assert!(timeout(Duration::from_millis(300), sink.write(&large)).await.is_err());
        receiver.mood(Mood::Well);
        assert_eq!(words(&deliver(&sink, 40..50).await), "taken");
        let taken = receiver.taken();
        for number in 0..50 {
            assert!(taken.iter().any(|message| message.body == text(number, 0)), "{framing} {number}");
        }
        assert!(receiver.violations().is_empty(), "{framing}");
        let half = taken.iter().filter(|message| !message.body.ends_with('}')).count();
        assert_eq!(half, halves, "{framing}");
        assert_eq!(receiver.accepted(), 2);
    }
}

/// What is told of a receiver that says nothing is how long it had, connecting included, and what to look at.
#[tokio::test]
async fn the_wait_for_a_session_is_told() {
    for carrier in ["relp", "relp+tls"] {
        let (dir, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let ca_file = dir.path().join("ca.pem");
        std::fs::write(&ca_file, authority.pem()).unwrap();
        let receiver =
            Receiver::start(Protocol::Relp, (carrier == "relp+tls").then(|| authority.server(None)));
        receiver.mood(Mood::Silent);
        let mut config = json!({"address": format!("{carrier}://{}", receiver.address), "timeout": "1500ms"});
        if carrier == "relp+tls" {
            config["tls"] = json!({"ca_file": ca_file});
        }
        let (sink, began) = (sink(&config), Instant::now());
        let Err(SinkError::Transient { source, .. }) = deliver(&sink, 0..1).await else {
            panic!("{carrier}")
        };
        assert!(began.elapsed() >= Duration::from_millis(1500));
        let told = source.to_string();
        assert!(told.contains("within 1.5 s") && told.contains("`imrelp`"), "{told}");
        // The same where it is checked, with what to look at first.
        let SinkError::Paused { source, remedy, .. } =
            *sink.check().await.unwrap_err().downcast::<SinkError>().unwrap()
        else {
            panic!("{carrier}")
        };
        assert!(source.to_string().contains("within 1.5 s"), "{source}");
        assert!(remedy.contains("check scheme and port"), "{remedy}");
    }
}

/// Resets are told from acknowledgements, whenever they come.
#[tokio::test]
async fn a_reset_is_no_acknowledgement() {
    let receiver = Receiver::start(Protocol::Octets, None);
    let sink = sink(&config(&receiver, "octet_counting"));
    receiver.mood(Mood::Resets);
    for _ in 0..3 {
        assert_eq!(words(&sink.write(&write(0..160, 100 << 10)).await), "transient");
    }
    receiver.mood(Mood::Well);
    assert_eq!(words(&deliver(&sink, 0..10).await), "taken");
}

/// A receiver that was restarted while nothing was to do costs no failure.
#[tokio::test]
async fn an_idle_connection_that_was_closed_is_not_written_to() {
    for (protocol, scheme) in [(Protocol::Octets, "tcp"), (Protocol::Relp, "relp")] {
        let receiver = Receiver::start(protocol, None);
        let address = format!("{scheme}://{}", receiver.address);
        let sink = sink(&json!({"address": address, "timeout": "1s"}));
        assert_eq!(words(&deliver(&sink, 0..3).await), "taken");
        receiver.away(true);
        receiver.away(false);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(words(&deliver(&sink, 3..6).await), "taken", "{scheme}");
        assert_eq!((receiver.taken().len(), receiver.accepted()), (6, 2));
    }
}
