//! JSON in and out, as this crate needs it: records are read into a flat tree that borrows their text and remembers
//! which values have been written, events are written into the batch buffer without an intermediate form.

mod document;
mod leftovers;
mod scan;
mod write;

pub(crate) use document::{Buffers, Flaw, Kind, Value};
pub(crate) use leftovers::{leftovers, whole};
pub(crate) use write::{Line, escape, key};

#[cfg(test)]
mod tests;
