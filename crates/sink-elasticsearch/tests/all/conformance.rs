//! The suite that every sink passes: an index of Elasticsearch over TLS, and an index of OpenSearch named after the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use pipeline::Sink;
use serde_json::{Value, json};
use testkit::http::Authority;
use testkit::sink::{CannotHappen, Destination, Harness, Held, POISON, Trouble, Unheard};

use crate::cluster::{Cluster, Fate, Setup, error};

const KEY: &str = "a2V5LW9mLWEtdGVzdDpzM2NyZXQ=";

struct ClusterHarness {
    setup: Setup,
    /// The rest of the configuration.
    config: Value,
    secrets: Vec<&'static str>,
    tls: bool,
}

struct Running {
    cluster: Cluster,
    config: Value,
    secrets: Vec<&'static str>,
    /// Ours, and one that nobody trusts.
    authorities: Option<(Authority, Authority)>,
    is_strange: AtomicBool,
    dir: tempfile::TempDir,
}

#[async_trait]
impl Harness for ClusterHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let dir = tempfile::tempdir().unwrap();
        let authorities = self.tls.then(|| (Authority::new(), Authority::new()));
        let cluster = match &authorities {
            Some((ours, _)) => {
                std::fs::write(dir.path().join("ca.pem"), ours.pem()).unwrap();
                Cluster::secured(self.setup.clone(), ours.server(None)).await
            }
            None => Cluster::start(self.setup.clone(), 2).await,
        };
        Box::new(Running {
            cluster,
            config: self.config.clone(),
            secrets: self.secrets.clone(),
            authorities,
            is_strange: AtomicBool::default(),
            dir,
        })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

impl Destination for Running {
    fn sink(&self) -> Arc<dyn Sink> {
        let mut config = self.config.clone();
        config["timeout"] = json!("3s");
        config["urls"] = json!(self.cluster.urls());
        if self.authorities.is_some() {
            config["urls"] = json!([format!("https://{}", self.cluster.nodes[0].address)]);
            config["tls"] = json!({"ca_file": self.dir.path().join("ca.pem")});
        }
        Arc::new(crate::sink(&config))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        // What stands in front of a cluster may repeat what it was sent.
        let words = format!("no, {}", self.secrets.join(" "));
        match trouble {
            Trouble::Failing => {
                self.cluster.rule(Some(Box::new(move |events| {
                    let busy = |at| (at, 429, "es_rejected_execution_exception", words.clone());
                    Fate::But((0..events.len()).map(busy).collect())
                })));
            }
            Trouble::Misplaced => self.cluster.refuse(Some((404, words))),
            Trouble::Unauthorised => self.cluster.refuse(Some(error(401, "security_exception", &words))),
            Trouble::Unreachable => self.cluster.nodes.iter().for_each(|node| node.away(true)),
            Trouble::TakesPart => {
                let busy = |at| (at, 503, "unavailable_shards_exception", words.clone());
                self.cluster.fates([Fate::But(vec![busy(1), busy(4)])]);
            }
            Trouble::AnswerLost => self.cluster.fates([Fate::TakeAndClose]),
            Trouble::Limit(most) => self.cluster.rule(Some(Box::new(move |events| {
                let bytes: usize = events.iter().map(|event| event.len() + 1).sum();
                if bytes > most { Fate::Refuse(413, vec![], words.clone()) } else { Fate::Take }
            }))),
            Trouble::Poison => self.cluster.rule(Some(Box::new(move |events| {
                let bad = events.iter().enumerate().filter(|(_, event)| event.contains(POISON));
                Fate::But(bad.map(|(at, _)| (at, 400, "document_parsing_exception", words.clone())).collect())
            }))),
            Trouble::Slow(wait) => self.cluster.rule(Some(Box::new(move |_| Fate::TakeSlowly(wait)))),
            Trouble::Untrusted => {
                let Some((_, strange)) = &self.authorities else {
                    return Err(CannotHappen("this cluster is reached without TLS"));
                };
                self.is_strange.store(true, Ordering::SeqCst);
                self.cluster.nodes[0].identity(strange.server(None));
            }
        }
        Ok(())
    }

    fn heal(&self) {
        self.cluster.rule(None);
        self.cluster.refuse(None);
        self.cluster.nodes.iter().for_each(|node| node.away(false));
        if self.is_strange.swap(false, Ordering::SeqCst)
            && let Some((ours, _)) = &self.authorities
        {
            self.cluster.nodes[0].identity(ours.server(None));
        }
    }

    fn held(&self) -> Held {
        let delivery = |document: crate::cluster::Document| testkit::sink::Delivery {
            id: Some(document.id),
            events: vec![document.text],
        };
        Held {
            deliveries: self.cluster.documents().into_iter().map(delivery).collect(),
            damage: self.cluster.violations(),
        }
    }

    fn secrets(&self) -> Vec<String> {
        self.secrets.iter().map(|&secret| secret.to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elasticsearch_over_tls_conforms() {
    let auth = Some("ApiKey a2V5LW9mLWEtdGVzdDpzM2NyZXQ=");
    let setup = Setup { auth, coding: Some("gzip"), ..Setup::default() };
    let config = json!({"index": "audit", "auth": {"api_key": KEY}});
    testkit::sink::conforms(ClusterHarness { setup, config, secrets: vec![KEY], tls: true }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opensearch_with_two_nodes_conforms() {
    let (password, pair) = ("pa55word", "dG93cGF0aDpwYTU1d29yZA==");
    let setup = Setup { opensearch: true, auth: Some("Basic dG93cGF0aDpwYTU1d29yZA=="), ..Setup::default() };
    let config = json!({
        "index": "audit-%Y.%m.%d",
        "flavor": "opensearch",
        "compression": "none",
        "auth": {"basic": {"username": "towpath", "password": password}},
    });
    testkit::sink::conforms(ClusterHarness { setup, config, secrets: vec![password, pair], tls: false })
        .await;
}
