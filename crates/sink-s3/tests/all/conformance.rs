//! The suite that every sink passes, with and without TLS, for two forms of compression.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use pipeline::Sink;
use serde_json::{Value, json};
use testkit::sink::{CannotHappen, Delivery, Destination, Harness, Held, Trouble, Unheard};

use crate::server::{self, BUCKET, KEY_ID, Reply, SECRET, Server};
use testkit::http::Authority;

struct S3Harness {
    config: Value,
    tls: bool,
}

struct Bucket {
    server: Server,
    config: Value,
    /// Ours, and one that nobody trusts.
    authorities: Option<(Authority, Authority)>,
    is_strange: AtomicBool,
    dir: tempfile::TempDir,
}

#[async_trait]
impl Harness for S3Harness {
    async fn destination(&self) -> Box<dyn Destination> {
        let dir = tempfile::tempdir().unwrap();
        let (authorities, server) = if self.tls {
            let (ours, strange) = (Authority::new(), Authority::new());
            std::fs::write(dir.path().join("ca.pem"), ours.pem()).unwrap();
            let server = Server::secured(ours.server(None)).await;
            (Some((ours, strange)), server)
        } else {
            (None, Server::start().await)
        };
        let config = self.config.clone();
        Box::new(Bucket { server, config, authorities, is_strange: AtomicBool::default(), dir })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

impl Destination for Bucket {
    fn sink(&self) -> Arc<dyn Sink> {
        let mut config = self.config.clone();
        config["bucket"] = json!(BUCKET);
        config["timeout"] = json!("5s");
        config["credentials"] = json!({"access_key_id": KEY_ID, "secret_access_key": SECRET});
        config["endpoint"] = json!(format!("http://{}", self.server.address));
        if self.authorities.is_some() {
            config["endpoint"] = json!(format!("https://{}", self.server.address));
            config["tls"] = json!({"ca_file": self.dir.path().join("ca.pem")});
        }
        Arc::new(crate::sink(&config))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        // Some stores repeat what they were sent.
        let refuse = |status, code| self.server.refuse(Some((status, code, format!("not with {SECRET}"))));
        match trouble {
            Trouble::Failing => refuse(503, "SlowDown"),
            Trouble::Misplaced => refuse(404, "NoSuchBucket"),
            Trouble::Unauthorised => refuse(403, "InvalidAccessKeyId"),
            Trouble::Unreachable => self.server.away(true),
            Trouble::TakesPart => {
                return Err(CannotHappen("the suite's events are of one time, and so one object"));
            }
            Trouble::AnswerLost => self.server.reply(vec![Reply::StoreAndClose]),
            Trouble::Limit(most) => self.server.rule(Some(Box::new(move |lines| {
                let refusal = Reply::Refuse(400, "EntityTooLarge", format!("not with {SECRET}"), vec![]);
                if lines.len() > most { refusal } else { Reply::Store }
            }))),
            Trouble::Poison => return Err(CannotHappen("a store does not look into objects")),
            Trouble::Slow(wait) => self.server.slow(Some(wait)),
            Trouble::Untrusted => {
                let Some((_, strange)) = &self.authorities else {
                    return Err(CannotHappen("this store is reached without TLS"));
                };
                self.is_strange.store(true, Ordering::SeqCst);
                self.server.identity(strange.server(None));
            }
        }
        Ok(())
    }

    fn heal(&self) {
        self.server.refuse(None);
        self.server.rule(None);
        self.server.slow(None);
        self.server.away(false);
        if self.is_strange.swap(false, Ordering::SeqCst)
            && let Some((ours, _)) = &self.authorities
        {
            self.server.identity(ours.server(None));
        }
    }

    fn held(&self) -> Held {
        let delivery = |object: server::Object| Delivery {
            events: server::lines(&object.key, &object.body).lines().map(str::to_owned).collect(),
            id: Some(object.key),
        };
        let deliveries = self.server.objects().into_iter().map(delivery).collect();
        Held { deliveries, damage: self.server.violations() }
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gzip_over_tls_conforms() {
    testkit::sink::conforms(S3Harness { config: json!({"prefix": "audit/"}), tls: true }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_objects_without_partitions_conform() {
    let config = json!({"compression": "none", "partition": "", "checksum": "sha256"});
    testkit::sink::conforms(S3Harness { config, tls: false }).await;
}
