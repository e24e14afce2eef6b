//! What poll promises, proved against adversarial APIs: each rule by itself, and all of them together in a model.
#![allow(clippy::unwrap_used)]

mod api;
mod conversation;
mod manners;
mod model;
mod oracle;
mod positions;
mod rules;
mod world;
