//! What the mappings promise, each output checked against the published schemas.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

mod actions;
mod classes;
mod ecs;
mod examples;
mod gap;
mod generic;
mod golden;
mod junk;
mod malformed;
mod mapping;
mod mapping_errors;
mod record;
mod roles;
mod support;
mod unknown;
mod versions;
