//! Collects Postman's team audit log: a description of its API for `source-audit-logs`, and what no description can say. The crate's
//! README tells the API's quirks and what is done about each.
//!
//! - [`PostmanConfig`] is what a user writes, [`PostmanConfig::validate`] checks it;
//! - an [`Account`] is a credential at the API: one client, one key, for all restarts of a stream; [`http_client::Budgets`] are what
//!   streams with the same key share: one rate limiter, one request at a time;
//! - a [`PostmanSource`] is one stream, a [`pipeline::Source`].
//!
//! ```no_run
//! # async fn example(seen: std::sync::Arc<dyn pipeline::SeenIds>) -> Result<(), pipeline::SourceError> {
//! use pipeline::{Next, Source};
//! use source_postman::{Account, PostmanConfig, PostmanSource, Wiring};
//!
//! let config: PostmanConfig = serde_json::from_str(r#"{"api_key": "PMAK-1", "start": "7d"}"#).unwrap();
//! let account = Account::new(config.validate().unwrap(), Wiring::default());
//! let mut source = PostmanSource::new("postman", account);
//! let progress = source.open(None, seen).await?;
//! // … save the progress, then, again and again:
//! match source.next().await? {
//!     Next::Page { batch, progress } => println!("{} records, then {}", batch.records.len(), progress.position),
//!     Next::Learnt(progress) => println!("refused; to be known from here on: {}", progress.position),
//!     Next::Wait(wait) => println!("nothing to do for {:?}", wait.duration),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Code map
//! `description` is the API, and what its answers mean: the file to look at first. `config` is what a user writes, `address` its URL,
//! `quota` what it costs; `actions` reads the list of actions, `source` does so between pages, and says what `check --connect`
//! has seen. Requests, paging, pages and verdicts are `source-audit-logs`'s.

mod actions;
mod address;
mod config;
mod description;
mod quota;
mod source;

pub use actions::{Account, ActionNames, Wiring};
pub use config::{PostmanConfig, PostmanSettings, SinceFormat};
pub use source::PostmanSource;
pub use source_audit_logs::{Clock, Requested, ResweepConfig};
