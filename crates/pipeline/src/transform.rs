//! From a vendor's record to an event of one view.

use std::fmt;

use crate::event::EventWriter;
use crate::record::{Gap, Origin, RecordId};
use crate::time::Timestamp;

/// One record as a transform sees it.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// Where it comes from.
    pub origin: &'a Origin,
    /// Its bytes as received; usually, but not surely, one JSON value.
    pub text: &'a [u8],
    /// Its identity.
    pub id: RecordId,
    /// When it was collected.
    pub collected_at: Timestamp,
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// Encodes records in one view. A pure function: the same record gives the same bytes (but collection time).
pub trait Transform: Send + Sync + 'static {
    /// Appends the record's events, at least one: a record that cannot be mapped becomes a base event.
    fn apply(&self, record: &Record<'_>, out: &mut EventWriter);

    /// Appends the event that reports a hole in the history; schema `raw` has none.
    fn gap(&self, origin: &Origin, gap: &Gap, out: &mut EventWriter);
}
