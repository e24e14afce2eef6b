//! The suite that every sink passes, for each form of body, with and without TLS, signatures and compression.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use pipeline::Sink;
use serde_json::{Value, json};
use testkit::sink::{CannotHappen, Destination, Harness, Held, POISON, Trouble, Unheard};

use crate::independent::base64;
use crate::receiver::{Protocol, Receiver, Reply};
use testkit::http::Authority;

const TOKEN: &str = "t0ken-of-the-intake";

/// A make of endpoint.
struct HttpHarness {
    protocol: Protocol,
    /// The rest of the configuration.
    config: Value,
    secrets: Vec<String>,
    tls: bool,
}

struct Endpoint {
    receiver: Receiver,
    config: Value,
    secrets: Vec<String>,
    one_by_one: bool,
    /// Ours, and one that nobody trusts.
    authorities: Option<(Authority, Authority)>,
    is_strange: AtomicBool,
    dir: tempfile::TempDir,
}

#[async_trait]
impl Harness for HttpHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let dir = tempfile::tempdir().unwrap();
        let (authorities, receiver) = if self.tls {
            let (ours, strange) = (Authority::new(), Authority::new());
            let receiver = Receiver::secured(self.protocol.clone(), ours.server(None)).await;
            std::fs::write(dir.path().join("ca.pem"), ours.pem()).unwrap();
            (Some((ours, strange)), receiver)
        } else {
            (None, Receiver::start(self.protocol.clone(), vec![]).await)
        };
        let one_by_one = self.protocol.form == "json";
        let (config, secrets) = (self.config.clone(), self.secrets.clone());
        Box::new(Endpoint {
            receiver,
            config,
            secrets,
            one_by_one,
            authorities,
            is_strange: AtomicBool::default(),
            dir,
        })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

impl Destination for Endpoint {
    fn sink(&self) -> Arc<dyn Sink> {
        let mut config = self.config.clone();
        let target = config["url"].as_str().unwrap_or("/").to_owned();
        // Nothing in the matrix waits for it: a lost answer is a connection that ends, `connections.rs` has one that hangs.
        config["timeout"] = json!("5s");
        config["url"] = json!(format!("http://{}{target}", self.receiver.address));
        if self.authorities.is_some() {
            config["url"] = json!(format!("https://{}{target}", self.receiver.address));
            config["tls"] = json!({"ca_file": self.dir.path().join("ca.pem")});
        }
        Arc::new(crate::sink(&config))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        // Many endpoints repeat what they were sent.
        let secrets = self.secrets.join(" ");
        let refuse = move |status: u16| Reply::Refuse(status, vec![], format!("no, {secrets}"));
        match trouble {
            Trouble::Failing => self.receiver.rule(Some(Box::new(move |_| refuse(503)))),
            Trouble::Misplaced => self.receiver.refuse(Some(404)),
            Trouble::Unauthorised => self.receiver.refuse(Some(401)),
            Trouble::Unreachable => self.receiver.away(true),
            Trouble::TakesPart if self.one_by_one => {
                self.receiver.reply(vec![Reply::Take, Reply::Take, refuse(503)]);
            }
            Trouble::TakesPart => return Err(CannotHappen("a request is answered as a whole")),
            // With one event a request, the answer that is lost is not the first one.
            Trouble::AnswerLost if self.one_by_one => {
                self.receiver.reply(vec![Reply::Take, Reply::TakeAndClose]);
            }
            Trouble::AnswerLost => self.receiver.reply(vec![Reply::TakeAndClose]),
            Trouble::Limit(most) => self.receiver.rule(Some(Box::new(move |events| {
                let bytes: usize = events.iter().map(|event| event.len() + 1).sum();
                if bytes > most { refuse(413) } else { Reply::Take }
            }))),
            Trouble::Poison => self.receiver.rule(Some(Box::new(move |events| {
                let is_bad = events.iter().any(|event| event.contains(POISON));
                if is_bad { refuse(422) } else { Reply::Take }
            }))),
            Trouble::Slow(wait) => {
                self.receiver.rule(Some(Box::new(move |_| Reply::TakeSlowly(wait))));
            }
            Trouble::Untrusted => {
                let Some((_, strange)) = &self.authorities else {
                    return Err(CannotHappen("this endpoint is reached without TLS"));
                };
                self.is_strange.store(true, Ordering::SeqCst);
                self.receiver.identity(strange.server(None));
            }
        }
        Ok(())
    }

    fn heal(&self) {
        self.receiver.rule(None);
        self.receiver.refuse(None);
        self.receiver.away(false);
        if self.is_strange.swap(false, Ordering::SeqCst)
            && let Some((ours, _)) = &self.authorities
        {
            self.receiver.identity(ours.server(None));
        }
    }

    fn held(&self) -> Held {
        let taken = self.receiver.taken_deliveries();
        let delivery = |delivery: crate::receiver::Delivery| testkit::sink::Delivery {
            id: Some(delivery.id),
            events: delivery.events,
        };
        Held { deliveries: taken.into_iter().map(delivery).collect(), damage: self.receiver.violations() }
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_over_tls_conform() {
    let auth = Some(("authorization", format!("Bearer {TOKEN}")));
    testkit::sink::conforms(HttpHarness {
        protocol: Protocol { form: "ndjson", auth, ..Protocol::default() },
        config: json!({"body": "ndjson", "auth": {"bearer": TOKEN}}),
        secrets: vec![TOKEN.to_owned()],
        tls: true,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_a_request_conforms() {
    let target = "/v1/events?key=t0ken-in-the-query";
    let auth = Some(("x-api-key", TOKEN.to_owned()));
    testkit::sink::conforms(HttpHarness {
        protocol: Protocol { form: "json", coding: "gzip", auth, target, ..Protocol::default() },
        config: json!({
            "url": target,
            "body": "json",
            "compression": "gzip",
            "auth": {"header": {"name": "X-Api-Key", "value": TOKEN}},
        }),
        secrets: vec![TOKEN.to_owned(), "t0ken-in-the-query".to_owned()],
        tls: false,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_arrays_conform() {
    let key = vec![7; 24];
    let secret = format!("whsec_{}", base64(&key));
    testkit::sink::conforms(HttpHarness {
        protocol: Protocol { form: "json_array", coding: "zstd", keys: vec![key], ..Protocol::default() },
        config: json!({"body": "json_array", "compression": "zstd", "signing": {"secret": secret}}),
        secrets: vec![secret],
        tls: false,
    })
    .await;
}
