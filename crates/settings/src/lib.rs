//! The value types of configuration: durations, sizes, secrets, the TLS block. No I/O.
//!
//! A connector describes what a user writes in a `…Config` struct made of these types, and checks it in a pure
//! `validate` that returns what code passes on (`…Settings`) or every [`Invalid`] key at once:
//!
//! ```
//! use std::time::Duration;
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use settings::{HumanDuration, Invalid, Secret};
//!
//! /// Collects from the example API.
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct ExampleConfig {
//!     /// Key of a user who may read the log.
//!     api_key: Secret,
//!     /// Pause between two requests.
//!     #[serde(default = "a_minute")]
//!     poll_interval: HumanDuration,
//! }
//!
//! fn a_minute() -> HumanDuration {
//!     Duration::from_secs(60).into()
//! }
//!
//! impl ExampleConfig {
//!     fn validate(&self) -> Result<Duration, Vec<Invalid>> {
//!         let pause = self.poll_interval.get();
//!         if pause < Duration::from_secs(1) {
//!             return Err(vec![Invalid::new("poll_interval", "is below 1s", "write `1s` or more")]);
//!         }
//!         Ok(pause)
//!     }
//! }
//!
//! let config: ExampleConfig = serde_json::from_str(r#"{"api_key": "k-123", "poll_interval": "500ms"}"#).unwrap();
//! assert_eq!(format!("{:?}", config.api_key), "Secret(…)");
//! assert_eq!(config.validate().unwrap_err()[0].path, "poll_interval");
//! ```

mod duration;
mod invalid;
mod secret;
mod size;
pub mod suggest;
mod tls;

pub use duration::{DurationError, HumanDuration};
pub use invalid::Invalid;
pub use secret::Secret;
pub use size::{ByteSize, SizeError};
pub use tls::Tls;
