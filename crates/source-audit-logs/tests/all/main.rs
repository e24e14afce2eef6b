//! The source against simulated APIs of every kind.
#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod apis;
mod conformance;
mod descriptions;
mod driver;
mod guarantees;
mod paging;
mod requests;
mod tokens;
