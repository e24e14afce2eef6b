//! Keeps events as objects in Amazon S3, and in stores that speak its protocol.
//!
//! A write is sorted into partitions by the time of each event; a partition's events are one object, stored by one
//! request (no multipart). Key and bytes follow from the events alone, and objects are only stored where none of their key
//! is, so that what comes again is recognised. `README.md` has the guarantees in full.
//!
//! ```no_run
//! use pipeline::{Sink, Write};
//! use sink_s3::{S3Config, S3Sink};
//!
//! # async fn example() -> Result<(), pipeline::BoxError> {
//! let config: S3Config =
//!     serde_json::from_str(r#"{"bucket": "audit-archive", "prefix": "postman", "region": "eu-central-1"}"#)?;
//! let sink = S3Sink::new(config.validate().expect("a good configuration"));
//! sink.check().await?; // reaches the bucket, delivers nothing
//! sink.write(&Write::default()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Code map
//! `config` is what a user writes. `partition` sorts a write, `object` makes keys and bodies. `store` makes the SDK's client
//! and the requests, `transport` sends them through Towpath's own HTTP client. `policy` is the table of answers, `failure`
//! turns what went wrong into what the runtime does next.

mod config;
mod failure;
mod object;
mod partition;
mod policy;
mod store;
mod transport;

use std::error::Error;

use async_trait::async_trait;
use pipeline::{BoxError, Outcome, Sink, SinkError, View, Write};
use tokio::task::spawn_blocking;

pub use crate::config::{
    Algorithm, Checksum, CredentialsConfig, EncryptionConfig, RoleConfig, S3Config, S3Settings,
};
use crate::failure::{Refused, Told};
use crate::object::Object;
use crate::partition::Group;
use crate::store::{Store, Stored};

/// Most bytes of lines in one object. One request may carry 5 GiB (S3 user guide, "Uploading objects"), but is made of
/// memory, and sent again as a whole.
const MOST_BYTES: usize = 64 << 20;

/// The sink. Writes to it do not wait for one another.
pub struct S3Sink {
    store: Store,
}

impl S3Sink {
    /// A sink that has reached for nothing yet: [`Sink::check`], [`Sink::open`] or the first write does.
    pub fn new(settings: S3Settings) -> Self {
        Self { store: Store::new(settings) }
    }

    /// One object.
    async fn store(&self, group: Group, view: &View) -> Result<Stored, SinkError> {
        let settings = &self.store.settings;
        let compression = settings.compression;
        let key = object::key(&settings.prefix, &group, view, compression);
        // Compression takes tens of milliseconds a mebibyte, which is too long for the threads that serve connections.
        let making = spawn_blocking(move || Object::make(key, &group.lines, &group.ids, compression));
        let unmade = |error: BoxError| SinkError::Transient { retry_after: None, source: error };
        let object = making.await.map_err(|panic| unmade(panic.into()))?;
        let object = object.map_err(|error| unmade(error.into()))?;
        let stored = self.store.put(&object).await.map_err(Refused::into_error)?;
        tracing::debug!(
            key = object.key,
            events = object.events,
            bytes = object.body.len(),
            new = stored == Stored::New,
            "object is stored"
        );
        Ok(stored)
    }

    /// Is the bucket there, and does it accept the credentials? Delivers nothing. Whether objects may be written shows with
    /// the first one: a right to write alone, without the right to list, is enough, and all that is worth giving.
    async fn prove(&self) -> Result<(), SinkError> {
        match self.store.list().await {
            Err(Refused::Failed(SinkError::Paused { reason: "permission", source, .. })) => {
                tracing::debug!(
                    store = %self.store.settings,
                    answer = %source,
                    "the bucket may not be listed; whether it may be written to shows with the first object"
                );
                Ok(())
            }
            // Listing is more than a store must know.
            Err(Refused::NotImplemented(_) | Refused::AlreadyThere) | Ok(()) => Ok(()),
            Err(refused) => Err(refused.into_error()),
        }
    }
}

#[async_trait]
impl Sink for S3Sink {
    async fn check(&self) -> Result<(), BoxError> {
        // As a `SinkError` it brings its remedy.
        self.prove().await.map_err(|error| failure::as_found(error).into())
    }

    /// The first object may be minutes away: what is wrong is said now.
    async fn open(&self) -> Result<(), SinkError> {
        self.prove().await
    }

    /// One object a partition, one after the other. What was stored before a failure is not sent again: the failure is
    /// then only told when it meets the first object of a write, which it does at the next one.
    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        let Some((batch, _)) = events.parts().first() else { return Ok(Outcome::default()) };
        if events.bytes() > MOST_BYTES && events.len() > 1 {
            let told = Told::new(format!("{} bytes are more than one object may hold", events.bytes()));
            return Err(SinkError::TooLarge(told.into()));
        }
        let sorted = partition::sort(&self.store.settings.partition, events);
        let mut outcome = Outcome { retry: sorted.left, ..Outcome::default() };
        let mut groups = sorted.groups.into_iter();
        let mut stored = 0;
        while let Some(group) = groups.next() {
            let indexes = group.indexes.clone();
            match self.store(group, &batch.view).await {
                Ok(Stored::New) => {}
                Ok(Stored::Before) => outcome.deduplicated += indexes.len() as u32,
                Err(error) if stored == 0 => return Err(error),
                Err(error) => {
                    tracing::debug!(
                        stored,
                        error = %failure::chain(&error as &(dyn Error + 'static)),
                        "write ends in the middle"
                    );
                    if let SinkError::Transient { retry_after, .. } = error {
                        outcome.slow_down = retry_after;
                    }
                    outcome.retry.extend(indexes);
                    outcome.retry.extend(groups.flat_map(|group| group.indexes));
                    break;
                }
            }
            stored += 1;
        }
        outcome.retry.sort_unstable();
        Ok(outcome)
    }
}
