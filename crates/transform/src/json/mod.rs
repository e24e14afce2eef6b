//! JSON in and out, as this crate needs it: records are read into a flat tree that borrows their text and remembers
//! which values have been written, events are written into the batch buffer without an intermediate form.

mod document;
mod leftovers;
mod write;

pub(crate) use document::{Buffers, Document, Flaw, Kind, Value};
pub(crate) use leftovers::{leftovers, whole};
pub(crate) use write::{Line, escape, key};

/// Marks, with the top bit of each byte, the bytes of `word` that end a clean run of JSON string text: `"`, `\` and
/// control characters. The first mark is exact; later ones may be false.
const fn breaks(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = quote.wrapping_sub(ONES) & !quote;
    let backslash = backslash.wrapping_sub(ONES) & !backslash;
    (below | quote | backslash) & TOPS
}

/// The place in `bytes`, from `at` on, of the first byte that ends a clean run, or the length.
#[inline]
fn clean_until(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = breaks(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|b| !matches!(b, b'"' | b'\\' | ..0x20)) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
