//! What every sink needs that delivers over HTTP, and none should have of its own.
//!
//! - [`class`]: what a status means where the destination's own protocol does not say it: one table, nothing that maps to
//!   dropping;
//! - [`Refusal`]: an answer that is no success, in words that may be shown; [`retry_after`], [`of_http_error`]: what
//!   follows from it, or from no answer at all;
//! - [`Credentials`]: secrets that are read again after a refusal, [`Hidden`]: texts that must not show, [`BasicConfig`].
//!
//! What a request looks like, and what a destination says in its own words, is for each sink to know.

mod basic;
mod credentials;
mod hidden;
mod policy;
mod refusal;

pub use basic::BasicConfig;
pub use credentials::{Credentials, Secrets};
pub use hidden::Hidden;
pub use policy::{Class, Keys, class};
pub use refusal::{Refusal, as_found, chain, of_http_error, retry_after};
