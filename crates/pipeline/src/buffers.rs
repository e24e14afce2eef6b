//! Memory for encoded events that is used again: [`Buffers`].
//!
//! A chunk of events has some hundred KiB. The system's allocator asks the kernel for each block of that size and gives it back, and
//! the kernel clears every page of it at its first touch: together as dear as half of the mapping of the events in it.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// So many are kept when nobody uses them: chunks between the encoder and a sink that keeps up are few.
const MOST: usize = 4;

/// Larger ones are given back to the system: a chunk has at most a MiB and the record that ends it, and one huge record is no
/// reason to keep as much for the next ones.
const LARGEST: usize = 2 << 20;

/// Buffers that come back when the batch that was made in them is dropped, wherever that is.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty buffer with room for `bytes`: one that has come back, or else a new one.
    pub(crate) fn take(&self, bytes: usize) -> Buffer {
        // The last one that came back is most likely still in the processor's cache.
        let kept = self.with(|kept| {
            let at = kept.iter().rposition(|buffer| buffer.capacity() >= bytes)?;
            Some(kept.remove(at))
        });
        Buffer { bytes: kept.unwrap_or_else(|| Vec::with_capacity(bytes)), home: Some(self.clone()) }
    }

    /// Gives what nobody uses back to the system. For times without work.
    pub fn release(&self) {
        self.with(|kept| *kept = Vec::new());
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() > LARGEST {
            return;
        }
        buffer.clear();
        self.with(|kept| {
            // One too many makes room for one that is warm, and has the size that is asked for at present.
            if kept.len() == MOST {
                kept.remove(0);
            }
            kept.push(buffer);
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A buffer, and where it goes when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    home: Option<Buffers>,
}

impl Buffer {
    /// Gives up room that is not used, where that is more than half: what was written may be held for long, and counts with
    /// what it holds.
    pub(crate) fn trim(&mut self) {
        if self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to_fit();
        }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            home.give_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_the_last_view_of_it_is_gone() {
        let buffers = Buffers::default();
        let mut first = buffers.take(100);
        first.extend_from_slice(b"events");
        let address = first.as_ptr();
        let batch = Bytes::from_owner(first);
        let view = batch.slice(2..);
        drop(batch);
        assert_ne!(buffers.take(100).as_ptr(), address, "a view of it is left");
        drop(view);
        let again = buffers.take(100);
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
    }

    #[test]
    fn few_are_kept_and_none_of_another_size() {
        let buffers = Buffers::default();
        drop((0..10).map(|_| buffers.take(100)).collect::<Vec<_>>());
        assert_eq!(buffers.with(|kept| kept.len()), MOST);
        assert!(buffers.take(101).capacity() > 100);
        buffers.release();
        drop(buffers.take(LARGEST + 1));
        assert_eq!(buffers.with(|kept| kept.len()), 0, "one that is too large");
        drop(buffers.take(100));
        buffers.release();
        assert_eq!(buffers.with(|kept| kept.capacity()), 0);
    }

    #[test]
    fn room_that_is_mostly_unused_is_given_up() {
        let buffers = Buffers::default();
        for (used, left) in [(49, 49), (50, 100)] {
            let mut buffer = buffers.take(100);
            buffer.resize(used, 0);
            buffer.trim();
            assert_eq!(buffer.capacity(), left);
            drop(buffer);
            buffers.release();
        }
    }
}
