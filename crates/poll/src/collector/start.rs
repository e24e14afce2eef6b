//! Whether the configuration asks for another start than the one that collection began with.

use std::fmt;
use std::time::Duration;

use pipeline::Timestamp;

use super::Collector;
use super::clock::believed;
use crate::policy::Start;

/// An age is counted by a clock that may have been wrong, or stood in another zone: less is no difference.
const SAME_AGE: Duration = Duration::from_secs(86_400);

/// Lower bound on event time in a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldStart(pub Option<Timestamp>);

impl fmt::Display for HeldStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(moment) => moment.fmt(f),
            None => f.write_str("all"),
        }
    }
}

impl Collector {
    /// The start that holds, when the position surely does not come from `start`, which then has no effect. An age is
    /// only told from another one when it asks for more than is held.
    pub fn other_start(&self, start: Start, now: Timestamp) -> Option<HeldStart> {
        let held = self.position.start;
        let same = match (start, held) {
            (Start::All, held) => held.is_none(),
            (Start::At(moment), held) => held == Some(believed(moment)),
            (Start::Now | Start::Ago(_), None) => false,
            (Start::Now, Some(_)) => true,
            (Start::Ago(age), Some(held)) => held <= believed(now).minus(age).plus(SAME_AGE),
        };
        (!same).then_some(HeldStart(held))
    }
}
