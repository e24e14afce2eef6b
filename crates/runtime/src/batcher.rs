//! Collecting parcels into writes of the size that a sink likes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::parcel::Parcel;

/// How large a write may grow, and how long its first event may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Events in a write.
    pub max_events: usize,
    /// Bytes in a write; one larger event goes alone.
    pub max_bytes: usize,
    /// How long an event may wait for others.
    pub max_age: Duration,
}

/// The parcels that wait for a write, oldest first.
#[derive(Debug)]
pub(crate) struct Batcher {
    limits: BatchLimits,
    parcels: VecDeque<Parcel>,
    events: usize,
    bytes: usize,
    oldest: Option<Instant>,
}

impl Batcher {
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self { limits, parcels: VecDeque::new(), events: 0, bytes: 0, oldest: None }
    }

    pub(crate) fn push(&mut self, parcel: Parcel) {
        self.events += parcel.len();
        self.bytes += parcel.bytes();
        self.parcels.push_back(parcel);
        self.oldest.get_or_insert_with(Instant::now);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }

    /// Whether a write is full, so that nothing more need be taken in.
    pub(crate) fn is_full(&self) -> bool {
        self.events >= self.limits.max_events || self.bytes >= self.limits.max_bytes
    }

    /// When the oldest event has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.oldest.map(|since| since + self.limits.max_age)
    }

    /// Takes out one write's worth of at most `most` bytes, at least one event if there is any. Stale parcels are dropped on
    /// the way.
    pub(crate) fn take(&mut self, most: usize) -> Vec<Parcel> {
        let most = self.limits.max_bytes.min(most);
        let (mut taken, mut events, mut bytes) = (Vec::new(), 0, 0);
        while let Some(mut parcel) = self.parcels.pop_front() {
            if parcel.is_stale() {
                continue;
            }
            let fits = fitting(&parcel, self.limits.max_events - events, most.saturating_sub(bytes));
            // The first event of a write goes, however large it is.
            let fits = if events == 0 { fits.max(1) } else { fits };
            if fits < parcel.len() {
                if fits > 0 {
                    taken.push(parcel.split_front(fits));
                }
                self.parcels.push_front(parcel);
                break;
            }
            events += parcel.len();
            bytes += parcel.bytes();
            taken.push(parcel);
        }
        self.events = self.parcels.iter().map(Parcel::len).sum();
        self.bytes = self.parcels.iter().map(Parcel::bytes).sum();
        if self.parcels.is_empty() {
            self.oldest = None;
        }
        taken
    }
}

/// How many of the parcel's first events stay within the bounds.
fn fitting(parcel: &Parcel, events: usize, bytes: usize) -> usize {
    let metas = &parcel.batch().events[parcel.range()];
    let start = metas.first().map_or(0, |first| first.span.start as usize);
    let within = |end: u32| end as usize + 1 - start <= bytes;
    metas.iter().take(events).take_while(|meta| within(meta.span.end)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parcel::tests::parcel;

    /// An event larger than a write may be goes alone and whole: a remainder without events would stay behind, with an ack that
    /// nobody gives.
    #[tokio::test]
    async fn nothing_without_events_stays_behind() {
        let mut batcher =
            Batcher::new(BatchLimits { max_events: 10, max_bytes: 1000, max_age: Duration::ZERO });
        batcher.push(parcel(2));
        batcher.push(parcel(1));
        let mut sizes = Vec::new();
        while !batcher.is_empty() {
            // Less than one event.
            let taken = batcher.take(1);
            sizes.push(taken.iter().map(Parcel::len).collect::<Vec<_>>());
            // One that is dropped makes the rest of its run stale.
            taken.into_iter().for_each(Parcel::delivered);
        }
        assert_eq!(sizes, [[1], [1], [1]]);
    }
}
