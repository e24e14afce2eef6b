//! What poll promises, proved against adversarial APIs.

mod api;
mod model;
mod oracle;
mod positions;
mod rules;
mod world;
