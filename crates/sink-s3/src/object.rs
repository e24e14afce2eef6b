//! What an object is called and what it holds. Both follow from its events alone.
//!
//! Key: `PREFIX/PARTITION/YYYYMMDDThhmmssZ-HASH.ndjson[.gz|.zst]`. The time is that of the oldest event, so that a listing
//! is in order; the hash is the first half of a SHA-256 over the encoding and the ids of the events, so that the same
//! events have the same key whenever they come together, and no others have it.

use std::fmt::Write as _;
use std::io;

use bytes::Bytes;
use encode::Compression;
use pipeline::{Timestamp, View};
use sha2::{Digest, Sha256};

use crate::partition::{Group, civil};

/// An object, ready to be stored.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) body: Bytes,
    /// Of the body.
    pub(crate) sha256: [u8; 32],
    pub(crate) events: usize,
    pub(crate) first_id: u128,
    pub(crate) last_id: u128,
}

impl Object {
    /// Makes the object of a group; compresses, and so takes its time.
    ///
    /// # Errors
    /// The compressor's, when it has no memory for its tables.
    pub(crate) fn make(
        key: String,
        lines: &[Bytes],
        ids: &[u128],
        compression: Compression,
    ) -> io::Result<Self> {
        let body = compression.body(lines)?;
        let sha256 = Sha256::digest(&body).into();
        let (first_id, last_id) =
            (ids.first().copied().unwrap_or_default(), ids.last().copied().unwrap_or_default());
        Ok(Self { key, body, sha256, events: ids.len(), first_id, last_id })
    }

    /// The metadata of the object, each an `x-amz-meta-…` header: what lets a bucket be audited without reading its
    /// objects.
    pub(crate) fn metadata(&self) -> [(&'static str, String); 4] {
        [
            ("events", self.events.to_string()),
            ("first-id", format!("{:032x}", self.first_id)),
            ("last-id", format!("{:032x}", self.last_id)),
            ("sha256", hex(&self.sha256)),
        ]
    }
}

/// The key of the object with this group's events.
pub(crate) fn key(prefix: &str, group: &Group, view: &View, compression: Compression) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{view} {}\n", view.keep_raw));
    for id in &group.ids {
        hash.update(id.to_be_bytes());
    }
    let hash = hex(&hash.finalize()[..16]);
    let name = format!("{}-{hash}.{}", stamp(group.oldest), extension(compression));
    let segments = [prefix, &group.path, &name];
    segments.into_iter().filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/")
}

/// `20261120T080000Z` (ISO 8601, basic format).
fn stamp(time: Timestamp) -> String {
    let t = civil(time);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// Readers tell the compression by it; `Content-Encoding` is not set, because clients that undo it by themselves would
/// hand out plain text under a name that ends in `.gz`.
const fn extension(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "ndjson",
        Compression::Gzip => "ndjson.gz",
        Compression::Zstd => "ndjson.zst",
    }
}

/// The media type of the body as it lies there (RFC 6713; RFC 8878, section 7.1).
pub(crate) const fn content_type(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "application/x-ndjson",
        Compression::Gzip => "application/gzip",
        Compression::Zstd => "application/zstd",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a `String` cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests;
