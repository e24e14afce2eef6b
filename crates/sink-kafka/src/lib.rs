//! Delivers events to a Kafka topic through librdkafka's idempotent producer.
//!
//! A write puts its events into the producer in their order and ends when each is reported: taken by all in-sync
//! replicas, or not. What every code means is one table (`policy`), and nothing in it drops an event. A producer that
//! complains, falls silent, or whose write was dropped is thrown away with all that is in it, and the next write makes
//! another. `README.md` has the guarantees in full.
//!
//! ```no_run
//! use pipeline::{Sink, Write};
//! use sink_kafka::{KafkaConfig, KafkaSink};
//!
//! # async fn example() -> Result<(), pipeline::BoxError> {
//! let config: KafkaConfig =
//!     serde_json::from_str(r#"{"brokers": ["localhost:9092"], "topic": "audit", "key": "actor"}"#)?;
//! let sink = KafkaSink::new(config.validate().expect("a good configuration"));
//! sink.check().await?; // asks the cluster for the topic, delivers nothing
//! sink.write(&Write::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Code map
//! `config` is what a user writes, `properties` what of librdkafka is set and what is refused; `sasl` is how the
//! brokers know us, `access` takes up new secrets, `token` asks for tokens and `renewal` hands them on. `producer` is one life of a producer with its thread, `generation` how one follows the other. `record` is
//! what a record looks like, `flight` a write under way, `policy` the table of codes, `verdict` makes an outcome of the
//! reports; `statistics` are figures for metrics.

mod access;
mod check;
mod config;
mod flight;
mod generation;
mod policy;
mod producer;
mod properties;
mod record;
mod renewal;
mod sasl;
mod statistics;
mod token;
mod verdict;

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::{BoxError, Outcome, Sink, SinkError, Write};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer as _};
use telemetry::metrics::KafkaClient;
use tokio::sync::RwLock;
use tokio::time::timeout_at;

pub use crate::config::{Compression, KafkaConfig, KafkaSettings};
use crate::flight::Flight;
use crate::generation::Generations;
use crate::producer::Producer;
pub use crate::record::Key;
pub use crate::sasl::{Mechanism, SaslConfig};
use crate::verdict::Reports;

/// So many events are put into the producer before other tasks get their turn: about a tenth of a millisecond.
const AT_A_TIME: usize = 128;

/// The sink. Writes to it share one producer.
pub struct KafkaSink {
    settings: KafkaSettings,
    producers: Generations,
    /// A write of one event has the producer for itself, so that what a broker says of a batch is said of that event.
    company: RwLock<()>,
}

/// Ends a producer's life unless its write has come to a good end, also when the write is dropped.
struct Retire<'a> {
    producer: &'a Producer,
    is_good: bool,
}

impl Drop for Retire<'_> {
    fn drop(&mut self) {
        if !self.is_good {
            self.producer.retire();
        }
    }
}

impl KafkaSink {
    /// A sink that has reached for nothing yet: [`Sink::check`] or the first write does.
    pub fn new(settings: KafkaSettings) -> Self {
        let producers = Generations::new(settings.access(), settings.timeout);
        Self { settings, producers, company: RwLock::new(()) }
    }

    /// Tells `observer` every few seconds what the Kafka client at hand says of itself, in a thread of the client's.
    pub fn observed(mut self, observer: impl Fn(&KafkaClient) + Send + Sync + 'static) -> Self {
        self.producers.observer = Some(Arc::new(observer));
        self
    }

    /// One write through the producer at hand.
    async fn deliver(&self, events: &Write) -> Result<Outcome, SinkError> {
        let producer = self.producers.current().await?;
        let flight = Flight::new(events.len());
        let mut guard = Retire { producer: &producer, is_good: false };
        let mut reports = Reports::new(events.len());
        let mut faults = producer.reports().fault.subscribe();
        let put_in = async {
            self.put_in(&producer, &flight, events, &mut reports).await
                && flight.complete(self.settings.timeout).await
        };
        let is_complete = tokio::select! {
            is_complete = put_in => is_complete,
            // It stays true, so it is seen also when it was there before.
            _ = faults.wait_for(Option::is_some) => false,
        };
        reports.heard(flight.reports());
        let fault = producer.fault();
        // After refusals of content alone a producer goes on; librdkafka has seen to its sequence.
        guard.is_good = is_complete && fault.is_none() && !reports.ends_a_life();
        if guard.is_good {
            self.producers.access().accepted();
        }
        let is_refused = fault.as_ref().is_some_and(|fault| verdict::is_about_credentials(fault.code));
        let has_newer = is_refused
            && (self.producers.access().refused(&producer.identity) || producer.reports().has_ended_token());
        reports.verdict(fault, producer.reports().trouble(), has_newer, self.settings.timeout)
    }

    /// Puts the events into the producer's queue, in their order. False when it does not take them all.
    async fn put_in(
        &self,
        producer: &Producer,
        flight: &Arc<Flight>,
        events: &Write,
        reports: &mut Reports,
    ) -> bool {
        let _turn = producer.entry.lock().await;
        for (index, (batch, meta)) in events.events().enumerate() {
            if index % AT_A_TIME == AT_A_TIME - 1 {
                tokio::task::yield_now().await;
            }
            let id = meta.id_digits();
            let mut next = BaseRecord::with_opaque_to(&self.settings.topic, flight.ticket(index))
                .payload(batch.text(meta))
                .headers(record::headers(&id, batch));
            next.key = record::key(self.settings.key, &id, batch, meta);
            // A queue that has no room though it was empty is too small for this event, and always will be.
            let mut was_empty = false;
            loop {
                // Registered before the attempt, so that room made in between is not missed.
                let room = producer.reports().room.notified();
                if producer.is_retired() {
                    return false;
                }
                let Err((error, refused)) = producer.client().send(next) else { break };
                match error {
                    KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) if was_empty => {
                        reports.too_large(index, "is larger than queue.buffering.max.kbytes of `properties`");
                        flight.report(index, Err(RDKafkaErrorCode::QueueFull));
                        break;
                    }
                    KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                        next = refused;
                        // Nobody else puts anything in meanwhile.
                        was_empty = producer.client().in_flight_count() == 0;
                        let until = flight.silent_at(self.settings.timeout);
                        if !was_empty && timeout_at(until.into(), room).await.is_err() {
                            return false;
                        }
                    }
                    // Found out by its size with key and headers, so it is this event and no other.
                    KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge) => {
                        reports.too_large(
                            index,
                            "is larger than message.max.bytes of `properties`, by default 8 MiB",
                        );
                        flight.report(index, Err(RDKafkaErrorCode::MessageSizeTooLarge));
                        break;
                    }
                    // Those behind it must not overtake it.
                    error => {
                        flight
                            .report(index, Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)));
                        return false;
                    }
                }
            }
        }
        true
    }
}

#[async_trait]
impl Sink for KafkaSink {
    /// Does the cluster know the topic, and accept the credentials? Delivers nothing.
    async fn check(&self) -> Result<(), BoxError> {
        // As a `SinkError` it brings its remedy.
        self.prove().await.map_err(Into::into)
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        match events.len() {
            0 => Ok(Outcome::default()),
            1 => {
                let _alone = self.company.write().await;
                self.deliver(events).await
            }
            _ => {
                let _together = self.company.read().await;
                self.deliver(events).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http_client::delivery::{Hidden, Secrets as _};

    use crate::access::Access;
    use crate::producer::Reports;
    use crate::renewal::Renewal;
    use crate::sasl::Sasl;

    /// Reports of a producer without credentials. To be called where a runtime is.
    pub(crate) fn reports(hidden: Hidden) -> Reports {
        let sasl = Sasl(None);
        let identity = Arc::new(sasl.prepare().unwrap());
        let access = Access::new(rdkafka::ClientConfig::new(), sasl, identity, Duration::from_secs(1));
        Reports::new(hidden, Renewal::new(Arc::new(access), None), None)
    }
}
