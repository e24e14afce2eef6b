//! What Towpath says about itself, made in one place.
//!
//! - [`logs`]: the log on stderr, as text for people or as JSON for machines;
//! - [`metrics`]: the names, kinds and meanings of the metrics;
//! - [`repeated`]: a failure that lasts is logged once a minute with its count, not each time.
//!
//! ```
//! use telemetry::logs::{self, Format};
//!
//! logs::init(Format::Text, Some("info"))?;
//! tracing::info!(source = "postman", "polling");
//! # Ok::<(), telemetry::logs::LogError>(())
//! ```

pub mod logs;
pub mod metrics;
pub mod repeated;

pub use repeated::Repeated;
