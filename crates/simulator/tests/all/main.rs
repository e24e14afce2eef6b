//! The simulated API over a real socket: the good one as documented, and each knob doing what it says.

#![allow(clippy::unwrap_used, reason = "what surprises a test fails it")]

mod answers;
mod client;
mod collector;
mod command;
mod documented;
mod knobs;
mod makes;
mod oracle;
mod support;
