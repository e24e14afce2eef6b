//! The crate as the binary uses it, with connectors made up for the purpose.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod connectors;
mod errors;
mod example;
mod recipes;
mod secrets;
mod values;
