//! Cutting a page into chunks and encoding each once per view.
//!
//! A chunk is the unit of transport, acknowledgement and budget: as many records of a page as fit its bytes, with every
//! encoding of them. Only a page's last chunk carries the page's position.

use std::sync::Arc;

use pipeline::{Buffers, EventBatch, EventMeta, EventWriter, RawBatch, RecordId, SinkSet, Transform, View};

/// An event is usually less than this many times its record.
const GROWTH: usize = 5;

/// Room for the record that ends a chunk.
const SLACK: usize = 8 << 10;

/// One view of a stream's records, and how it is made.
#[derive(Clone)]
pub struct Encoder {
    /// What the encoding is.
    pub view: Arc<View>,
    /// What makes it.
    pub transform: Arc<dyn Transform>,
}

/// A row of a page's records, encoded.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// One batch a view, in the order of the encoders.
    pub(crate) batches: Vec<Arc<EventBatch>>,
    /// The records in it.
    pub(crate) ids: Vec<RecordId>,
    /// Index of the page's first record behind it.
    pub(crate) end: usize,
    /// Bytes of the records and of every encoding.
    pub(crate) bytes: usize,
    /// Which sinks have these records already.
    pub(crate) had: SinkSet,
}

/// Encodes records from `start` on until `cap` bytes are full, the page ends, or a record follows that other sinks have
/// already. The page's gaps go into its last chunk.
pub(crate) fn encode(
    page: &RawBatch,
    start: usize,
    cap: usize,
    encoders: &[Encoder],
    buffers: &Buffers,
    had: impl Fn(&RecordId) -> SinkSet,
) -> Chunk {
    let records = &page.records[start..];
    let had_by_first = records.first().map_or(SinkSet::NONE, |record| had(&record.id));
    // Room for what records usually grow to, so that a buffer is rarely moved.
    let text: usize = records.iter().map(|record| record.span.len()).sum();
    let room = (text * GROWTH).min(cap) + SLACK;
    let mut writers: Vec<EventWriter> =
        encoders.iter().map(|_| EventWriter::with_buffer(buffers, records.len(), room)).collect();
    let mut ids = Vec::with_capacity(records.len());
    let mut raw_bytes = 0;
    for (index, record) in records.iter().enumerate() {
        let full = raw_bytes + encoded_bytes(&writers) >= cap;
        if !ids.is_empty() && (full || had(&record.id) != had_by_first) {
            break;
        }
        let text = page.text(record);
        raw_bytes += text.len();
        let collected_at = page.collected_at;
        let record = pipeline::Record { origin: &page.origin, text, id: record.id, collected_at };
        for (encoder, writer) in encoders.iter().zip(&mut writers) {
            writer.start_record(u32::try_from(start + index).expect("a page is below 4 GiB"));
            encoder.transform.apply(&record, writer);
        }
        ids.push(record.id);
    }
    let end = start + ids.len();
    if end == page.records.len() {
        for gap in &page.gaps {
            for (encoder, writer) in encoders.iter().zip(&mut writers) {
                writer.start_record(EventMeta::NO_RECORD);
                encoder.transform.gap(&page.origin, gap, writer);
            }
        }
    }
    let bytes = raw_bytes + encoded_bytes(&writers);
    let finish = |(encoder, writer): (&Encoder, EventWriter)| {
        Arc::new(writer.finish(page.origin.clone(), encoder.view.clone()))
    };
    let batches = encoders.iter().zip(writers).map(finish).collect();
    Chunk { batches, ids, end, bytes, had: had_by_first }
}

fn encoded_bytes(writers: &[EventWriter]) -> usize {
    writers.iter().map(EventWriter::bytes).sum()
}
