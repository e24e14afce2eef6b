//! What a source collects: the vendor's records, byte for byte.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::time::Timestamp;

/// Where records come from. One per source stream, shared by all its batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The source's name in the configuration: metric label and checkpoint key.
    pub source: Box<str>,
    /// The source's type in the configuration, e.g. `postman`.
    pub kind: Box<str>,
    /// What the records are, e.g. `postman.audit`; part of every event id.
    pub dataset: Box<str>,
    /// Static labels that every event carries, in the configured order.
    pub labels: Vec<(Box<str>, Box<str>)>,
}

/// What makes two sightings of a record the same record.
///
/// Ordered by event second first, so that a store which keeps them sorted is written nearly in sequence and pruned by
/// one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The record's own time, in whole seconds since the Unix epoch; [`RecordId::TIMELESS`] when it has none that can be read.
    pub second: i64,
    /// Hash of the vendor's id, or of the whole record where it has none.
    pub native: u64,
    /// Hash of the content, as canonical JSON without the source's volatile paths.
    pub content: u64,
}

impl RecordId {
    /// [`RecordId::second`] of a record without a readable time: sorts after everything and is never pruned by time.
    pub const TIMELESS: i64 = i64::MAX;
}

/// One record of a page: its bytes and its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRecord {
    /// Where the record's JSON text stands in [`RawBatch::body`].
    pub span: Range<u32>,
    /// Its identity.
    pub id: RecordId,
}

/// A hole in the history: the API no longer had it, or it could not be read. Travels like a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Start of the hole.
    pub from: Timestamp,
    /// End of the hole.
    pub to: Timestamp,
    /// Why, as a clause: `the API keeps 180 days`.
    pub reason: Box<str>,
}

/// The new records of one page, as the vendor sent them, oldest first.
#[derive(Clone, Debug)]
pub struct RawBatch {
    /// Where they come from.
    pub origin: Arc<Origin>,
    /// When the page was received (the collector's clock).
    pub collected_at: Timestamp,
    /// The whole answer, decompressed.
    pub body: Bytes,
    /// The records to deliver; known ones are left out.
    pub records: Vec<RawRecord>,
    /// Holes found while fetching this page.
    pub gaps: Vec<Gap>,
}

impl RawBatch {
    /// The JSON text of `record`, which must be one of this batch.
    pub fn text(&self, record: &RawRecord) -> &[u8] {
        &self.body[record.span.start as usize..record.span.end as usize]
    }

    /// Whether there is nothing to deliver.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.gaps.is_empty()
    }
}
