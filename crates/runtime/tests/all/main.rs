//! The runtime against a small world that misbehaves: rules one by one, then all at once through crashes.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod crashes;
mod delivery;
mod encoding;
mod refusals;
mod support;
