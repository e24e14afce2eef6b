//! The second half of collecting: pages are encoded, chunk by chunk, and handed to the sinks.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{Buffers, Progress, RawBatch, SinkSet};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::budget::Budget;
use crate::chunk::encode;
use crate::parcel::Parcel;
use crate::seen::SeenInRun;
use crate::status::{SourceState, count};
use crate::stream::{Outlet, StreamSpec, defect};
use crate::tracker::Tracker;

/// A stream without a page for so long gives back the memory that the next ones would be encoded in.
const QUIET: Duration = Duration::from_secs(10);

/// What handing out needs.
pub(crate) struct HandOut {
    pub(crate) spec: Arc<StreamSpec>,
    pub(crate) pages: mpsc::Receiver<(Option<RawBatch>, Progress)>,
    pub(crate) tracker: Tracker,
    pub(crate) seen: Arc<SeenInRun>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) chunk_bytes: usize,
    pub(crate) outlets: Vec<Outlet>,
    pub(crate) state: Arc<SourceState>,
    pub(crate) buffers: Buffers,
}

impl HandOut {
    /// Gives memory back while no page comes.
    async fn next_page(&mut self) -> Option<(Option<RawBatch>, Progress)> {
        loop {
            match timeout(QUIET, self.pages.recv()).await {
                Ok(page) => return page,
                Err(_) => self.buffers.release(),
            }
        }
    }
}

/// Encodes page after page, chunk by chunk as the budget allows, and hands the parcels to the sinks.
pub(crate) async fn hand_out(mut work: HandOut) -> Result<(), String> {
    while let Some((page, progress)) = work.next_page().await {
        let Some(page) = page.filter(|page| !page.is_empty()) else {
            work.tracker.track(Some(progress), Vec::new(), None, SinkSet::NONE, &[]);
            continue;
        };
        let page = Arc::new(page);
        let mut start = 0;
        let mut progress = Some(progress);
        while progress.is_some() {
            let mut permit = work.budget.acquire(work.chunk_bytes).await;
            let (spec, seen, this) = (work.spec.clone(), work.seen.clone(), page.clone());
            let (cap, buffers) = (work.chunk_bytes, work.buffers.clone());
            let encoding = tokio::task::spawn_blocking(move || {
                encode(&this, start, cap, &spec.encoders, &buffers, |id| seen.had(id))
            });
            let chunk = encoding.await.map_err(|panic| defect(&panic))?;
            permit.resize(chunk.bytes);
            start = chunk.end;
            let position = if start == page.records.len() { progress.take() } else { None };

            let wants = |outlet: &&Outlet| {
                !chunk.had.contains(outlet.number) && !chunk.batches[outlet.encoder].events.is_empty()
            };
            let outlets: Vec<&Outlet> = work.outlets.iter().filter(wants).collect();
            let numbers: Vec<u32> = outlets.iter().map(|outlet| outlet.number).collect();
            if let Some(first) = chunk.batches.first() {
                count(&work.state.extra_events, first.events.len().saturating_sub(chunk.ids.len()));
            }
            let acks = work.tracker.track(position, chunk.ids, Some(permit), chunk.had, &numbers);
            for (outlet, ack) in outlets.into_iter().zip(acks) {
                let parcel = Parcel::new(
                    chunk.batches[outlet.encoder].clone(),
                    page.clone(),
                    ack,
                    outlet.state.clone(),
                );
                if outlet.parcels.send(parcel).await.is_err() {
                    return Err(format!("sink {} has ended", outlet.state.name));
                }
            }
        }
    }
    Ok(())
}
