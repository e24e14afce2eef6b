//! OAUTHBEARER: tokens from an endpoint and from a file, shown to a broker that only knows SASL.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline::{Sink as _, SinkError};
use serde_json::{Value, json};
use settings::Secret;
use sink_kafka::{KafkaConfig, KafkaSink, SaslConfig};
use testkit::http::{Answer, Authority, Reply, Request, Server};

use crate::broker::Broker;
use crate::{deliver, words};

/// `towpath` and `hunter2-secret` in base64.
const BASIC: &str = "Basic dG93cGF0aDpodW50ZXIyLXNlY3JldA==";

/// A token endpoint; the reply may be changed.
struct Endpoint {
    server: Server,
    reply: Arc<Mutex<Reply>>,
    asked: Arc<AtomicU32>,
}

impl Endpoint {
    async fn start() -> Self {
        let reply = Arc::new(Mutex::new(Reply::Close));
        let asked = Arc::new(AtomicU32::new(0));
        let (replies, count) = (reply.clone(), asked.clone());
        let handler = move |request: Request| -> Answer {
            assert_eq!((&*request.method, &*request.target), ("POST", "/token"));
            assert_eq!(request.body, b"grant_type=client_credentials&scope=kafka");
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let reply = match (replies.lock().unwrap().clone(), request.header("authorization")) {
                (Reply::Answer(200, headers, text), Some(BASIC)) => {
                    Reply::Answer(200, headers, text.replace("NUMBER", &number.to_string()))
                }
                (Reply::Answer(200, ..), _) => refusal(401, "invalid_client"),
                (other, _) => other,
            };
            Box::pin(async move { reply })
        };
        Self { server: Server::start(None, handler).await, reply, asked }
    }

    fn answers(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// Gives out `token-1`, `token-2` and so on.
    fn grants(&self, seconds: u32) {
        let body = json!({"access_token": "token-NUMBER", "token_type": "Bearer", "expires_in": seconds, "scope": "x"});
        self.answers(Reply::Answer(200, vec![], body.to_string()));
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    fn sasl(&self, secret: &str) -> Value {
        json!({
            "mechanism": "OAUTHBEARER",
            "token_url": format!("http://{}/token", self.server.address),
            "client_id": "towpath",
            "client_secret": secret,
            "scope": "kafka",
        })
    }
}

fn refusal(status: u16, error: &str) -> Reply {
    let body = json!({"error": error, "error_description": "no: hunter2-secret"});
    Reply::Answer(status, vec![("retry-after", "7".to_owned())], body.to_string())
}

fn sink(broker: &Broker, sasl: &Value) -> KafkaSink {
    KafkaSink::new(config(broker, sasl).validate().unwrap())
}

/// A sink with one more secret, which stands in a file.
fn sink_with_file(
    broker: &Broker,
    sasl: &Value,
    file: &Path,
    secret: impl FnOnce(&mut SaslConfig) -> &mut Option<Secret>,
) -> KafkaSink {
    let mut config = config(broker, sasl);
    let text = fs::read_to_string(file).unwrap();
    *secret(config.sasl.as_mut().unwrap()) =
        Some(Secret::from_file(String::new(), file.to_owned(), String::new(), &text));
    KafkaSink::new(config.validate().unwrap())
}

fn config(broker: &Broker, sasl: &Value) -> KafkaConfig {
    serde_json::from_value(json!({
        "brokers": [broker.address],
        "topic": "audit",
        "timeout": "1500ms",
        "sasl": sasl,
        "properties": {"reconnect.backoff.ms": "50"},
    }))
    .unwrap()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_fetched_and_shown_and_renewed_before_it_ends() {
    let broker = Broker::start(|_| true).await;
    let endpoint = Endpoint::start().await;
    endpoint.grants(3600);
    let unhurried = sink(&broker, &endpoint.sasl("hunter2-secret"));
    // The broker lets it in and says nothing more.
    assert_eq!(words(&deliver(&unhurried, &[1]).await), "transient");
    assert_eq!(broker.shown().first().unwrap(), "n,, auth=Bearer token-1  ");
    assert_eq!(endpoint.asked(), 1, "one token serves until it ends");
    drop(unhurried);
    // Of its two seconds four fifths pass.
    endpoint.grants(2);
    let busy = sink(&broker, &endpoint.sasl("hunter2-secret"));
    let (result, ()) = tokio::join!(busy.check(), until("it is renewed", || endpoint.asked() > 2));
    assert!(result.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_endpoint_answers_ends_as_its_class_says() {
    let broker = Broker::start(|_| true).await;
    let endpoint = Endpoint::start().await;
    let sink = sink(&broker, &endpoint.sasl("hunter2-secret"));
    let no_token = |body: &str| Reply::Answer(200, vec![], body.to_owned());
    for (reply, expected) in [
        (refusal(401, "invalid_client"), "paused authentication"),
        (refusal(400, "invalid_client"), "paused authentication"),
        (refusal(400, "unauthorized_client"), "paused permission"),
        (refusal(400, "invalid_scope"), "paused scope"),
        (refusal(400, "invalid_request"), "paused token"),
        (refusal(403, "nobody"), "paused permission"),
        (refusal(404, "nothing"), "paused not_found"),
        (refusal(429, "slow_down"), "transient"),
        (refusal(500, "invalid_client"), "transient"),
        (refusal(503, "temporarily_unavailable"), "transient"),
        (Reply::Close, "transient"),
        (Reply::Hang, "transient"),
        (no_token("<html>hunter2-secret</html>"), "paused token"),
        (no_token(r#"{"access_token": "two words", "token_type": "Bearer"}"#), "paused token"),
        (no_token(r#"{"access_token": "abc", "token_type": "mac"}"#), "paused token"),
        (no_token(r#"{"access_token": "abc", "expires_in": 0}"#), "paused authentication"),
    ] {
        endpoint.answers(reply.clone());
        let began = Instant::now();
        let result = deliver(&sink, &[1]).await;
        assert_eq!(words(&result), expected, "{reply:?}: {result:?}");
        assert!(!format!("{result:?}").contains("hunter2"), "{result:?}");
        assert!(began.elapsed() < Duration::from_secs(15), "{reply:?}: {:?}", began.elapsed());
        if let (Err(SinkError::Transient { retry_after, .. }), Reply::Answer(..)) = (&result, &reply) {
            assert_eq!(*retry_after, Some(Duration::from_secs(7)));
        }
    }
    assert_eq!(broker.shown(), [""; 0], "no connection without a token");
    // `check` says the same, and it heals.
    endpoint.answers(refusal(401, "invalid_client"));
    let error = sink.check().await.unwrap_err().to_string();
    assert!(error.contains("`sasl.client_secret`"), "{error}");
    let mut nowhere = endpoint.sasl("hunter2-secret");
    nowhere["token_url"] = json!("http://127.0.0.1:1/token");
    let error = self::sink(&broker, &nowhere).check().await.unwrap_err().to_string();
    assert!(error.contains("check host and port of http://127.0.0.1:1"), "{error}");
    endpoint.grants(3600);
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient");
    assert!(!broker.shown().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_broker_refuses_pauses_and_does_not_show() {
    let broker = Broker::start(|shown| shown.contains("good-token")).await;
    let endpoint = Endpoint::start().await;
    endpoint.grants(3600);
    let refused = sink(&broker, &endpoint.sasl("hunter2-secret"));
    let result = deliver(&refused, &[1]).await;
    assert_eq!(words(&result), "paused authentication", "{result:?}");
    assert!(!format!("{result:?}").contains("token-1"), "{result:?}");
    let error = refused.check().await.unwrap_err().to_string();
    assert!(error.contains("`sasl`"), "{error}");

    // From a file, which is written anew.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, "bad-token\n").unwrap();
    let sasl = json!({"mechanism": "OAUTHBEARER"});
    let from_file = sink_with_file(&broker, &sasl, &file, |sasl| &mut sasl.token);
    assert_eq!(words(&deliver(&from_file, &[1]).await), "paused authentication");
    fs::write(&file, "good-token\n").unwrap();
    assert_eq!(words(&deliver(&from_file, &[1]).await), "transient");
    assert!(broker.shown().contains(&"n,, auth=Bearer good-token  ".to_owned()), "{:?}", broker.shown());
}

/// While the token at hand is good, an endpoint that is away is no failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_renewed_goes_on() {
    let broker = Broker::start(|_| true).await;
    let endpoint = Endpoint::start().await;
    endpoint.grants(1);
    let sink = sink(&broker, &endpoint.sasl("hunter2-secret"));
    let (result, ()) = tokio::join!(deliver(&sink, &[1]), async {
        until("there is a token", || endpoint.asked() == 1).await;
        endpoint.answers(refusal(503, "temporarily_unavailable"));
        until("it is asked for another one", || endpoint.asked() > 1).await;
    });
    // Only the broker's silence ends it.
    assert!(format!("{result:?}").contains("nothing was heard"), "{result:?}");
}

/// When it has ended, the endpoint is told of and not the credentials.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_token_is_not_called_a_wrong_one() {
    let broker = Broker::start(|_| false).await;
    let endpoint = Endpoint::start().await;
    // It has ended when the broker sees it.
    endpoint.answers(Reply::Answer(
        200,
        vec![],
        json!({"access_token": "token-NUMBER", "expires_in": "0.05"}).to_string(),
    ));
    let sink = sink(&broker, &endpoint.sasl("hunter2-secret"));
    let result = deliver(&sink, &[1]).await;
    assert_eq!(words(&result), "transient", "{result:?}");
    assert!(format!("{result:?}").contains("invalid_token"), "the broker refuses it: {result:?}");
    endpoint.answers(refusal(503, "temporarily_unavailable"));
    let result = deliver(&sink, &[1]).await;
    assert_eq!(words(&result), "transient", "{result:?}");
    assert!(format!("{result:?}").contains("503"), "{result:?}");
}

/// The secret of the client is rotated while nobody restarts anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_secret_in_a_file_is_read_again_after_a_refusal() {
    let broker = Broker::start(|_| true).await;
    let endpoint = Endpoint::start().await;
    endpoint.grants(3600);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    fs::write(&file, "old-secret").unwrap();
    let sink = sink_with_file(&broker, &endpoint.sasl(""), &file, |sasl| &mut sasl.client_secret);
    assert_eq!(words(&deliver(&sink, &[1]).await), "paused authentication");
    fs::write(&file, "hunter2-secret\n").unwrap();
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient");
    assert_eq!(broker.shown().first().unwrap(), "n,, auth=Bearer token-2  ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_endpoint_s_authority_is_that_of_token_tls() {
    let authority = Authority::new();
    let handler = |_: Request| -> Answer {
        let body = json!({"access_token": "over-tls", "token_type": "bearer"}).to_string();
        Box::pin(async move { Reply::Answer(200, vec![], body) })
    };
    let server = Server::start(Some(authority.server(None)), handler).await;
    let broker = Broker::start(|_| true).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    fs::write(&file, authority.pem()).unwrap();
    let mut sasl = json!({
        "mechanism": "OAUTHBEARER", "token_url": format!("https://127.0.0.1:{}/token", server.address.port()),
        "client_id": "towpath", "client_secret": "hunter2-secret",
    });
    let result = deliver(&sink(&broker, &sasl), &[1]).await;
    assert_eq!(words(&result), "paused tls", "{result:?}");
    sasl["token_tls"] = json!({ "ca_file": file });
    assert_eq!(words(&deliver(&sink(&broker, &sasl), &[1]).await), "transient");
    assert_eq!(broker.shown().first().unwrap(), "n,, auth=Bearer over-tls  ");
}
