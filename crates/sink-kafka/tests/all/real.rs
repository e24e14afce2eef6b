//! Against a real broker, which `tests/services/kafka.sh` starts: what the mock cluster cannot show.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pipeline::{Sink, SinkError};
use serde_json::{Value, json};
use settings::Secret;
use sink_kafka::{KafkaConfig, KafkaSink};

use testkit::http::{Reply, Server};

use crate::cluster::Reader;
use crate::topic::TopicHarness;
use crate::{deliver, events, words};

const EVENTS: u32 = 20_000;

/// A sink to a topic of this name, made by the first write.
fn sink(brokers: &str, topic: &str, more: &Value) -> KafkaSink {
    KafkaSink::new(config(brokers, topic, more).validate().unwrap())
}

fn config(brokers: &str, topic: &str, more: &Value) -> KafkaConfig {
    let mut value = json!({
        "brokers": [brokers],
        "topic": topic,
        "timeout": "5s",
        "properties": {"allow.auto.create.topics": "true"},
    });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set; tests/services/kafka.sh prints it"))
}

fn fresh(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// What `tests/services/kafka.sh` does to the broker.
async fn broker(action: &'static str, more: &[&str]) {
    let mut command = Command::new(variable("TOWPATH_KAFKA_SCRIPT"));
    command.arg(action).arg(variable("TOWPATH_KAFKA_DIR")).args(more);
    // What it starts must not hold our output open.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status()).await.unwrap().unwrap();
    assert!(status.success(), "{action}");
}

fn file(name: &str) -> PathBuf {
    Path::new(&variable("TOWPATH_KAFKA_DIR")).join(name)
}

/// The suite that every sink passes, over TLS and with a password.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "needs tests/services/kafka.sh"]
async fn the_sink_conforms_to_a_real_broker() {
    let harness = TopicHarness::new(
        variable("TOWPATH_KAFKA_BROKERS"),
        variable("TOWPATH_KAFKA_PASSWORD_BROKERS").parse().unwrap(),
    );
    testkit::sink::conforms_to("Kafka", harness).await;
}

/// Twenty thousand events, with a pause after each write of a hundred.
async fn nothing_is_lost(brokers: &str, topic: &str, more: &Value, pause: Duration) {
    let sink = sink(brokers, topic, more);
    let mut failures = Vec::new();
    for first in (0..EVENTS).step_by(100) {
        let mut left: Vec<u32> = (first..first + 100).collect();
        while !left.is_empty() {
            match deliver(&sink, &left).await {
                Ok(outcome) => {
                    assert!(outcome.rejected.is_empty(), "{outcome:?}");
                    left = outcome.retry.iter().map(|index| left[*index as usize]).collect();
                }
                Err(error @ SinkError::Transient { .. }) => {
                    failures.push(format!("{error:?}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        tokio::time::sleep(pause).await;
    }
    // Always read where nothing needs to be proved first.
    let plain = variable("TOWPATH_KAFKA_BROKERS");
    let records = tokio::task::block_in_place(|| Reader::new(&plain, topic, 3).catch_up().to_vec());
    let texts: HashSet<&str> = records.iter().map(|record| &*record.text).collect();
    let expected: HashSet<String> = (0..EVENTS).map(events::text).collect();
    let repeated = records.len() - texts.len();
    #[expect(clippy::print_stderr, reason = "it is the report of a test")]
    {
        eprintln!(
            "{} records, {repeated} of them repeated, {} failures: {failures:#?}",
            records.len(),
            failures.len()
        );
    }
    assert_eq!(texts.len(), EVENTS as usize);
    assert!(expected.iter().all(|text| texts.contains(&**text)), "an event is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn nothing_is_lost_in_clear() {
    nothing_is_lost(&variable("TOWPATH_KAFKA_BROKERS"), &fresh("plain"), &json!({}), Duration::ZERO).await;
}

/// It dies and comes back, and it hangs for longer than the sink waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn nothing_is_lost_when_the_broker_crashes_and_hangs() {
    let (brokers, topic) = (variable("TOWPATH_KAFKA_BROKERS"), fresh("bounced"));
    let troubles = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        broker("kill", &[]).await;
        broker("start", &[]).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        broker("hang", &[]).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        broker("resume", &[]).await;
        Instant::now()
    };
    let writing = async {
        nothing_is_lost(&brokers, &topic, &json!({}), Duration::from_millis(100)).await;
        Instant::now()
    };
    let (healed, written) = tokio::join!(troubles, writing);
    assert!(written > healed, "the events were written before it was over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn nothing_is_lost_over_tls_with_a_password() {
    let more = secured("towpath-secret");
    nothing_is_lost(&variable("TOWPATH_KAFKA_TLS_BROKERS"), &fresh("secured"), &more, Duration::ZERO).await;
}

fn secured(password: &str) -> Value {
    json!({
        "tls": {"ca_file": file("ca.pem")},
        "sasl": {"mechanism": "SCRAM-SHA-512", "username": "towpath", "password": password},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn a_wrong_password_and_a_strange_authority_pause() {
    let brokers = variable("TOWPATH_KAFKA_TLS_BROKERS");
    let wrong = sink(&brokers, &fresh("refused"), &secured("another-secret"));
    let result = deliver(&wrong, &[1]).await;
    assert_eq!(words(&result), "paused authentication", "{result:?}");
    assert!(!format!("{result:?}").contains("another-secret"));
    let error = format!("{:?}", wrong.check().await.unwrap_err());
    assert!(error.contains("authentication") && !error.contains("another-secret"), "{error}");
    // The system's authorities do not know the broker's.
    let mut more = secured("towpath-secret");
    more["tls"] = json!({});
    let strange = sink(&brokers, &fresh("refused"), &more);
    let result = deliver(&strange, &[1]).await;
    assert_eq!(words(&result), "paused tls", "{result:?}");
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let mut more = secured("towpath-secret");
        more["sasl"]["mechanism"] = json!(mechanism);
        let good = sink(&brokers, &fresh("mechanisms"), &more);
        assert_eq!(words(&deliver(&good, &[1]).await), "taken", "{mechanism}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn a_client_certificate_is_shown_and_a_strange_or_missing_one_pauses() {
    let brokers = variable("TOWPATH_KAFKA_MUTUAL_BROKERS");
    let with = |certificate: &str, key: &str| {
        let tls = json!({"ca_file": file("ca.pem"), "cert_file": file(certificate), "key_file": file(key)});
        sink(&brokers, &fresh("mutual"), &json!({ "tls": tls }))
    };
    let good = with("client.crt", "client.key");
    assert_eq!(words(&deliver(&good, &[1]).await), "taken");
    let strange = with("stranger.crt", "stranger.key");
    let result = deliver(&strange, &[2]).await;
    assert_eq!(words(&result), "paused tls", "{result:?}");
    let without = sink(&brokers, &fresh("mutual"), &json!({"tls": {"ca_file": file("ca.pem")}}));
    let result = deliver(&without, &[3]).await;
    assert_eq!(words(&result), "paused tls", "{result:?}");
    // Files that do not fit together make no client.
    let result = deliver(&with("client.crt", "stranger.key"), &[4]).await;
    assert_eq!(words(&result), "paused client", "{result:?}");
}

/// Files of a certificate are replaced, and the sink goes on without a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn a_certificate_that_was_replaced_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    let put = |name: &str| {
        fs::copy(file(&format!("{name}.crt")), &certificate).unwrap();
        fs::copy(file(&format!("{name}.key")), &key).unwrap();
    };
    put("stranger");
    let tls = json!({"ca_file": file("ca.pem"), "cert_file": certificate, "key_file": key});
    let sink = sink(&variable("TOWPATH_KAFKA_MUTUAL_BROKERS"), &fresh("renewed"), &json!({ "tls": tls }));
    assert_eq!(words(&deliver(&sink, &[1]).await), "paused tls");
    put("client");
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
}

/// The password is changed in the cluster first, and then in the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn a_password_that_was_rotated_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    fs::write(&password, "towpath-secret\n").unwrap();
    let mut config = config(&variable("TOWPATH_KAFKA_TLS_BROKERS"), &fresh("rotated"), &secured("x"));
    config.sasl.as_mut().unwrap().password =
        Some(Secret::from_file(String::new(), password.clone(), String::new(), "towpath-secret\n"));
    let sink = KafkaSink::new(config.validate().unwrap());
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
    broker("password", &["another-secret"]).await;
    // A connection that stands goes on. A dropped write ends it.
    assert_eq!(words(&deliver(&sink, &[2]).await), "taken");
    assert!(tokio::time::timeout(Duration::ZERO, deliver(&sink, &[3])).await.is_err());
    let mut results = Vec::new();
    for _ in 0..2 {
        results.push(words(&deliver(&sink, &[3]).await));
    }
    fs::write(&password, "another-secret\n").unwrap();
    let healed = words(&deliver(&sink, &[3]).await);
    broker("password", &["towpath-secret"]).await;
    assert_eq!((results, &*healed), (vec!["paused authentication".to_owned(); 2], "taken"));
}

/// A token that the broker takes although nobody has signed it (RFC 7519, 6).
fn unsecured_token(lifetime: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = json!({"sub": "towpath", "iat": now.as_secs_f64(), "exp": (now + lifetime).as_secs_f64()});
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Sessions end with their tokens at the latest, and the broker wants proof anew every three seconds. Shorter lives would
/// make it twice a second, which brokers refuse.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn tokens_are_shown_and_renewed() {
    let granted = Arc::new(AtomicU32::new(0));
    let count = granted.clone();
    let endpoint = Server::start(None, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let token = unsecured_token(Duration::from_secs(8));
        let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": 8}).to_string();
        Box::pin(async move { Reply::Answer(200, vec![], answer) })
    })
    .await;
    let brokers = variable("TOWPATH_KAFKA_TOKEN_BROKERS");
    let sasl = json!({
        "mechanism": "OAUTHBEARER", "client_id": "towpath", "client_secret": "hunter2-secret",
        "token_url": format!("http://{}/token", endpoint.address),
    });
    let topic = fresh("tokens");
    let good = sink(&brokers, &topic, &json!({ "sasl": sasl }));
    for number in 0..40 {
        let result = deliver(&good, &[number]).await;
        assert_eq!(words(&result), "taken", "{number}: {result:?}");
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    // Fourteen seconds, and a new one after four fifths of eight.
    let granted = granted.load(Ordering::SeqCst);
    assert!((3..=4).contains(&granted), "{granted} tokens");
    let plain = variable("TOWPATH_KAFKA_BROKERS");
    let records = tokio::task::block_in_place(|| Reader::new(&plain, &topic, 3).catch_up().to_vec());
    assert_eq!(records.len(), 40, "each once");

    let bad = sink(&brokers, &topic, &json!({"sasl": {"mechanism": "OAUTHBEARER", "token": "not.a.token"}}));
    let result = deliver(&bad, &[1]).await;
    assert_eq!(words(&result), "paused authentication", "{result:?}");
    assert!(!format!("{result:?}").contains("not.a.token"), "{result:?}");
}

/// What the broker takes at once is decided by the broker, after compression: its refusal ends with the event alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/services/kafka.sh"]
async fn an_event_above_the_broker_s_limit_is_refused_alone() {
    let topic = fresh("limited");
    let sink = sink(&variable("TOWPATH_KAFKA_BROKERS"), &topic, &json!({"compression": "none"}));
    assert_eq!(words(&deliver(&sink, &[0]).await), "taken");
    let text = |number| {
        if number == 2 { format!(r#"{{"x":"{}"}}"#, "x".repeat(2 << 20)) } else { events::text(number) }
    };
    let write = events::write_of((1..4).map(|number| (number, text(number))));
    assert_eq!(words(&sink.write(&write).await), "again [1] refused []", "its neighbours are taken");
    let alone = events::write_of([(2, text(2))].into_iter());
    assert_eq!(words(&sink.write(&alone).await), r#"again [] refused ["0 too_large"]"#);
    let plain = variable("TOWPATH_KAFKA_BROKERS");
    let mut records = tokio::task::block_in_place(|| Reader::new(&plain, &topic, 3).catch_up().to_vec());
    records.sort_by(|a, b| a.text.cmp(&b.text));
    let texts: Vec<String> = records.into_iter().map(|record| record.text).collect();
    assert_eq!(texts, [0, 1, 3].map(events::text));
}
