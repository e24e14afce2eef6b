//! Standard Webhooks, verified by a computation of our own.

use serde_json::json;

use crate::independent::base64;
use crate::receiver::{Protocol, Receiver, Reply};
use crate::{deliver, sink, words};

fn secret(key: &[u8]) -> String {
    format!("whsec_{}", base64(key))
}

#[tokio::test]
async fn the_bytes_that_are_sent_are_what_is_signed() {
    let key = b"a key of thirty-two bytes, or so".to_vec();
    for form in ["ndjson", "json_array", "json"] {
        for (coding, compression) in [("", "none"), ("gzip", "gzip"), ("zstd", "zstd")] {
            let protocol = Protocol { form, coding, keys: vec![key.clone()], ..Protocol::default() };
            let receiver = Receiver::start(protocol, vec![]).await;
            let sink = sink(&json!({
                "url": receiver.url(), "body": form, "compression": compression, "signing": {"secret": secret(&key)},
            }));
            assert_eq!(words(&deliver(&sink, &[1, 2, 3]).await), "taken");
            assert_eq!(receiver.taken().len(), 3);
        }
    }
}

#[tokio::test]
async fn while_a_secret_is_replaced_a_receiver_may_know_either() {
    let (old, new, other) = (vec![1; 24], vec![2; 64], vec![3; 65]);
    for known in [vec![old.clone()], vec![new.clone()], vec![new.clone(), old.clone()]] {
        let receiver = Receiver::start(Protocol { keys: known, ..Protocol::default() }, vec![]).await;
        let sink = sink(&json!({
            "url": receiver.url(), "signing": {"secrets": [secret(&new), secret(&old)]},
        }));
        assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
        let delivery = receiver.deliveries().remove(0);
        assert_eq!(delivery.headers["webhook-signature"].to_str().unwrap().split(' ').count(), 2);
    }
    let receiver = Receiver::start(Protocol { keys: vec![other], ..Protocol::default() }, vec![]).await;
    let sink = sink(&json!({"url": receiver.url(), "signing": {"secrets": [secret(&new), secret(&old)]}}));
    assert_eq!(words(&deliver(&sink, &[1]).await), "rejected bad_request");
    assert!(receiver.violations()[0].starts_with("no known signature"));
}

#[tokio::test]
async fn an_attempt_has_a_new_time_and_the_old_id() {
    let key = vec![9; 32];
    let protocol = Protocol { keys: vec![key.clone()], ..Protocol::default() };
    let receiver = Receiver::start(protocol, vec![Reply::Refuse(503, vec![], String::new())]).await;
    let sink = sink(&json!({"url": receiver.url(), "signing": {"secret": secret(&key)}}));
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "transient");
    // Timestamps count seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1050)).await;
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    let deliveries = receiver.deliveries();
    let [first, second] = &deliveries[..] else { panic!("two attempts") };
    assert_eq!(first.id, second.id);
    assert_eq!(first.body, second.body);
    let time =
        |n: usize| deliveries[n].headers["webhook-timestamp"].to_str().unwrap().parse::<u64>().unwrap();
    assert!(time(0) < time(1), "{} {}", time(0), time(1));
    assert_ne!(first.headers["webhook-signature"], second.headers["webhook-signature"]);
}
