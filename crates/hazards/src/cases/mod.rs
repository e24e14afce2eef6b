//! The cases. Each panics with what was lost.

pub(crate) mod answers;
pub(crate) mod crashes;
pub(crate) mod later;
pub(crate) mod opening;
pub(crate) mod records;

use super::CannotHappen;

/// Nothing was lost, or there is nothing to be lost.
pub(crate) type Verdict = Result<(), CannotHappen>;
