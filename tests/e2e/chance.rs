//! Chance that a seed repeats.

use std::time::{Duration, SystemTime};

/// SplitMix64: enough for a test.
pub(crate) struct Random(u64);

impl Random {
    /// The seed that `TOWPATH_E2E_SEED` gives, else another one every time; it is printed.
    pub(crate) fn seed() -> u64 {
        let seed = match std::env::var("TOWPATH_E2E_SEED") {
            Ok(seed) => seed.parse().expect("TOWPATH_E2E_SEED is a number"),
            Err(_) => SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64,
        };
        eprintln!("TOWPATH_E2E_SEED={seed}");
        seed
    }

    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.below(most.as_micros() as u64 + 1))
    }
}
