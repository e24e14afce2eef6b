//! The source against the simulated Postman, and against single answers.
#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod collect;
mod conformance;
mod driver;
mod positions;
mod recipe;
mod verdicts;
