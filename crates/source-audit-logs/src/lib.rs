//! Collects any audit log that can be described. The crate's README tells which APIs each construct serves.
//!
//! - [`AuditLogsConfig`] is what a user writes, [`AuditLogsConfig::validate`] checks it;
//! - an [`Account`] is a credential at the API: one client, for all restarts of a stream;
//! - an [`AuditLogsSource`] is one stream, a [`pipeline::Source`].
//!
//! ```no_run
//! # async fn example(seen: std::sync::Arc<dyn pipeline::SeenIds>) -> Result<(), pipeline::SourceError> {
//! use pipeline::{Next, Source};
//! use source_audit_logs::{Account, AuditLogsConfig, AuditLogsSource, Wiring};
//!
//! let config: AuditLogsConfig = serde_json::from_str(
//!     r#"{"url": "https://api.example.com", "auth": {"bearer": "t0ken"}, "request": {"path": "/v1/audit_logs"},
//!         "records": {"path": "items"},
//!         "paging": {"cursor": {"from": "pagination.next_cursor", "to": {"query": "cursor"}}},
//!         "time_filter": {"since": {"to": {"query": "created_at_min"}}}}"#,
//! )
//! .unwrap();
//! let account = Account::new(config.validate().unwrap(), Wiring::default());
//! let mut source = AuditLogsSource::new("example", account);
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
//! `config` is what a user writes, with `describe` for the description of the API and `auth` for its credential; `api` is a
//! description that holds together; `vendor` is what a source of its own type has besides. `send` makes a request of it, `page` takes the answer apart (`page/onward` says what follows it), `refusal` reads what is no
//! page, `verdict` says what follows from it: the table to look at first. `page/recorded` takes answers apart that somebody has saved. `account` sends requests, `source` puts the
//! pieces together, `check` does so for `check --connect`.

mod account;
mod api;
mod auth;
mod check;
mod config;
mod describe;
mod page;
mod refusal;
mod send;
mod source;
mod vendor;
mod verdict;

pub use account::{Account, Clock, Requested, Wiring};
pub use auth::{AuthConfig, BasicConfig, ClientAuthName, GrantName, Oauth2Config, QueryConfig};
pub use check::Sight;
pub use config::{AuditLogsConfig, AuditLogsSettings, ResweepConfig};
pub use describe::{
    CursorConfig, EdgeConfig, EndName, ErrorConfig, ErrorKind, FormatName, GranularityName, LinkConfig,
    MethodName, NextUrlConfig, Nothing, OffsetConfig, OneOrMany, OrderName, PageConfig, PageSizeConfig,
    PagingConfig, ParameterConfig, PlaceName, RecordsConfig, RequestConfig, ResumeName, Scalar,
    TimeFilterConfig, TimeFormat, WhenAbsent,
};
pub use page::{Leads, Recorded, RecordedPage};
pub use source::AuditLogsSource;
pub use vendor::{Vendor, Voice};
