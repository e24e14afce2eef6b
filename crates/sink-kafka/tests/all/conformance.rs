//! The suite that every sink passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pipeline::Sink;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr as Answer};
use serde_json::json;
use testkit::sink::{CannotHappen, Destination, Harness, Held, Trouble, Unheard};

use crate::cluster::{Cluster, held};

/// More requests than a case makes.
const MANY: usize = 2000;

/// Longest time that an answer takes.
const SLOWEST: Duration = Duration::from_millis(700);

/// So long a look waits for a topic that cannot be read to be readable again: what was written just before is not known else.
const PATIENCE: Duration = Duration::from_millis(500);

struct KafkaHarness;

struct Topic {
    cluster: Cluster,
    /// It cannot be read for the moment.
    is_hidden: AtomicBool,
}

#[async_trait]
impl Harness for KafkaHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        Box::new(Topic { cluster: Cluster::start(3), is_hidden: AtomicBool::default() })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

impl Topic {
    /// Looks for the last time.
    fn hide(&self) {
        tokio::task::block_in_place(|| drop(self.cluster.records()));
        self.is_hidden.store(true, Ordering::SeqCst);
    }
}

impl Destination for Topic {
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(crate::sink(&self.cluster, &json!({"properties": {"linger.ms": "1"}})))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        let produce = |answers| self.cluster.answer(RDKafkaApiKey::Produce, answers);
        match trouble {
            Trouble::Failing => produce(vec![Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; MANY]),
            Trouble::Unauthorised => {
                produce(vec![Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; MANY])
            }
            Trouble::Misplaced => {
                self.hide();
                self.cluster.knows_topic(false);
            }
            Trouble::Unreachable => {
                self.hide();
                self.cluster.is_up(false);
            }
            // Each partition is a request of its own.
            Trouble::TakesPart => produce(vec![
                Answer::RD_KAFKA_RESP_ERR_NO_ERROR,
                Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            ]),
            // Whoever reads it is slowed as well, several times a look.
            Trouble::Slow(wait) => self.cluster.delay(wait.min(SLOWEST)),
            Trouble::AnswerLost => {
                return Err(CannotHappen(
                    "librdkafka asks again on a new connection, and the broker knows what it has; `troubles.rs` has a broker \
                     that does not answer at all",
                ));
            }
            Trouble::Limit(_) => {
                return Err(CannotHappen(
                    "the mock cluster looks at no sizes; `codes.rs` has their error, `real.rs` a real limit",
                ));
            }
            Trouble::Poison => {
                return Err(CannotHappen(
                    "the mock cluster looks into no record; `codes.rs` has the error for it",
                ));
            }
            Trouble::Untrusted => return Err(CannotHappen("the mock cluster has no TLS; `real.rs` has")),
        }
        Ok(())
    }

    fn heal(&self) {
        self.cluster.answer_well(RDKafkaApiKey::Produce);
        self.cluster.delay(Duration::ZERO);
        self.cluster.knows_topic(true);
        self.cluster.is_up(true);
        self.is_hidden.store(false, Ordering::SeqCst);
    }

    fn held(&self) -> Held {
        // Waits for the cluster.
        let records = tokio::task::block_in_place(|| {
            let end = Instant::now() + PATIENCE;
            while self.is_hidden.load(Ordering::SeqCst) && Instant::now() < end {
                sleep(Duration::from_millis(5));
            }
            if self.is_hidden.load(Ordering::SeqCst) {
                self.cluster.records_before()
            } else {
                self.cluster.records()
            }
        });
        held(records)
    }

    fn secrets(&self) -> Vec<String> {
        // The mock cluster asks for none.
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sink_conforms() {
    testkit::sink::conforms(KafkaHarness).await;
}
