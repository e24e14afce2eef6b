//! The suite that every sink passes, with acknowledgements over TLS, and without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use pipeline::Sink;
use serde_json::json;
use testkit::http::Authority;
use testkit::sink::{CannotHappen, Destination, Harness, Held, POISON, Trouble, Unheard};

use crate::splunk::{Fate, Setup, Splunk, Sticky, code};

const TOKEN: &str = "t0ken-of-splunk";

struct HecHarness {
    setup: Setup,
    tls: bool,
}

struct Collector {
    splunk: Splunk,
    acks: bool,
    gzip: bool,
    /// Ours, and one that nobody trusts.
    authorities: Option<(Authority, Authority)>,
    is_strange: AtomicBool,
    dir: tempfile::TempDir,
}

#[async_trait]
impl Harness for HecHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let dir = tempfile::tempdir().unwrap();
        let authorities = self.tls.then(|| (Authority::new(), Authority::new()));
        let server = authorities.as_ref().map(|(ours, _)| ours.server(None));
        if let Some((ours, _)) = &authorities {
            std::fs::write(dir.path().join("ca.pem"), ours.pem()).unwrap();
        }
        let splunk = Splunk::listen(self.setup.clone(), server).await;
        let (acks, gzip) = (self.setup.acks, self.setup.coding.is_some());
        Box::new(Collector { splunk, acks, gzip, authorities, is_strange: AtomicBool::default(), dir })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

impl Destination for Collector {
    fn sink(&self) -> Arc<dyn Sink> {
        let scheme = if self.authorities.is_some() { "https" } else { "http" };
        let mut config = json!({
            "url": format!("{scheme}://{}", self.splunk.server.address),
            "token": TOKEN,
            "index": "audit",
            "acknowledgements": self.acks,
            // Nothing in the matrix waits for them: a lost answer is a connection that ends.
            "ack_timeout": "5s",
            "timeout": "5s",
            "compression": if self.gzip { "gzip" } else { "none" },
        });
        if self.authorities.is_some() {
            config["tls"] = json!({"ca_file": self.dir.path().join("ca.pem")});
        }
        Arc::new(crate::sink(&config))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        // Some that speak the protocol repeat what they were sent.
        let answer = |(status, body): (u16, String)| Fate::Refuse(status, vec![], body);
        let words = format!("no, {TOKEN}");
        match trouble {
            Trouble::Failing => {
                self.splunk
                    .rule(Some(Box::new(move |_| answer(code(503, 9, &format!("Server is busy {words}"))))));
            }
            Trouble::Misplaced => self.splunk.refuse(Some((404, words))),
            Trouble::Unauthorised => {
                self.splunk.refuse(Some(code(403, 4, &format!("Invalid token {words}"))))
            }
            Trouble::Unreachable => self.splunk.server.away(true),
            Trouble::TakesPart => {
                return Err(CannotHappen("a request is taken as a whole, unless an event in it is at fault"));
            }
            Trouble::AnswerLost => self.splunk.fates([Fate::TakeAndClose]),
            Trouble::Limit(most) => self.splunk.rule(Some(Box::new(move |events| {
                let bytes: usize = events.iter().map(|event| event.len() + 1).sum();
                let page = format!("<html><body>Content-Length too large {TOKEN}</body></html>");
                if bytes > most { answer((413, page)) } else { Fate::Take }
            }))),
            Trouble::Poison => self.splunk.rule(Some(Box::new(move |events| {
                let bad = events.iter().position(|event| event.contains(POISON));
                bad.map_or(Fate::Take, Fate::Invalid)
            }))),
            Trouble::Slow(wait) => self.splunk.rule(Some(Box::new(move |_| Fate::TakeSlowly(wait)))),
            Trouble::Untrusted => {
                let Some((_, strange)) = &self.authorities else {
                    return Err(CannotHappen("this collector is reached without TLS"));
                };
                self.is_strange.store(true, Ordering::SeqCst);
                self.splunk.server.identity(strange.server(None));
            }
        }
        Ok(())
    }

    fn heal(&self) {
        self.splunk.rule(None);
        self.splunk.refuse(None);
        self.splunk.server.away(false);
        if self.is_strange.swap(false, Ordering::SeqCst)
            && let Some((ours, _)) = &self.authorities
        {
            self.splunk.server.identity(ours.server(None));
        }
    }

    /// What is indexed: what the collector has only in memory does not count.
    fn held(&self) -> Held {
        let delivery =
            |delivery: crate::splunk::Delivery| testkit::sink::Delivery { id: None, events: delivery.events };
        Held {
            deliveries: self.splunk.indexed().into_iter().map(delivery).collect(),
            damage: self.splunk.violations(),
        }
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_over_tls_conforms() {
    let setup = Setup { coding: Some("gzip"), indexers: 3, sticky: Sticky::Cookie, ..Setup::default() };
    testkit::sink::conforms(HecHarness { setup, tls: true }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unacknowledged_conforms() {
    testkit::sink::conforms(HecHarness { setup: Setup { acks: false, ..Setup::default() }, tls: false })
        .await;
}
