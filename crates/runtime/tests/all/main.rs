//! The runtime against a small world that misbehaves: rules one by one, then all at once through crashes.

mod crashes;
mod delivery;
mod support;
