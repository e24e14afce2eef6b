//! How one producer follows another: never two at once, so that nothing of an old one is sent after the new one begins.

use std::sync::Arc;
use std::time::Duration;

use pipeline::SinkError;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::access::{Access, Pass};
use crate::producer::{Ended, Producer, Reports};
use crate::renewal::Renewal;
use crate::statistics::Observer;
use crate::verdict::Complaint;

/// The producer at hand, and its predecessor while that ends.
pub(crate) struct Generations {
    access: Arc<Access>,
    /// Hears the figures of each producer.
    pub(crate) observer: Option<Observer>,
    /// Longest wait for an end or a beginning.
    patience: Duration,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    producer: Option<Arc<Producer>>,
    /// Of the producer at hand, or of the last one.
    ended: Option<Ended>,
}

impl Generations {
    pub(crate) fn new(access: Access, patience: Duration) -> Self {
        Self { access: Arc::new(access), observer: None, patience, slot: Mutex::default() }
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The producer at hand, or a new one. Dropped at any await, it leaves the slot as it is.
    pub(crate) async fn current(&self) -> Result<Arc<Producer>, SinkError> {
        let mut slot = self.slot.lock().await;
        if let Some(producer) = slot.producer.take_if(|producer| producer.is_retired()) {
            // Also one that fell out while idle, whose queue is empty.
            producer.retire();
        }
        if let Some(producer) = &slot.producer {
            return Ok(producer.clone());
        }
        if let Some(ended) = &mut slot.ended {
            // That its sender is gone is what it tells.
            if timeout(self.patience, ended).await.is_err() {
                return Err(transient("the producer before this one still ends"));
            }
            slot.ended = None;
        }
        let Pass { client, identity, token, hidden } = self.access.pass().await?;
        let reports = Reports::new(hidden, Renewal::new(self.access.clone(), token), self.observer.clone());
        let (starting, ended) = Producer::spawn(client, reports)
            .map_err(|error| SinkError::Transient { retry_after: None, source: error.into() })?;
        slot.ended = Some(ended);
        let made = timeout(self.patience, starting).await;
        let Ok(Ok(made)) = made else { return Err(transient("no producer could be started in time")) };
        match made {
            Ok(client) => {
                let producer = Arc::new(Producer::new(client, identity));
                slot.producer = Some(producer.clone());
                Ok(producer)
            }
            // It has read the files of `tls`, and connected to nothing yet.
            Err(error) => Err(SinkError::Paused {
                reason: "client",
                remedy: "correct `tls` or `properties`: librdkafka makes no client of them".to_owned(),
                source: Complaint(error.to_string()).into(),
            }),
        }
    }
}

fn transient(words: &str) -> SinkError {
    SinkError::Transient { retry_after: None, source: Complaint(words.to_owned()).into() }
}
