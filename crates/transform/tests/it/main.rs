//! What the mappings promise, each output checked against the published schemas.

mod actions;
mod examples;
mod support;
