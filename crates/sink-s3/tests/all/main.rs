//! The sink against a store that refuses whatever S3 refuses. What `README.md` promises, one file for each kind of
//! trouble.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod answers;
mod chain;
mod conformance;
mod minio;
mod real;
mod server;
mod writes;

use sink_s3::{S3Config, S3Sink};

/// A sink of this configuration, which must be a good one.
fn sink(config: &serde_json::Value) -> S3Sink {
    let config: S3Config = serde_json::from_value(config.clone()).unwrap();
    S3Sink::new(config.validate().unwrap())
}
