//! The one outbound HTTP client of Towpath, used by sources and sinks alike.
//!
//! What it adds to [`reqwest`], so that no connector has to think of it:
//!
//! - [`HttpClient`]: TLS roots, own CA and client certificate, read again after a TLS failure; proxies; one time-out
//!   for the whole exchange and one for silence; redirects followed within the origin only, so that a key never
//!   travels elsewhere; a cap on the body **after** decompression; cut answers told from whole ones;
//! - [`HttpError`]: what went wrong in words for an operator, and what to do where waiting will not help. It never
//!   holds a header's value, a path or a query, because those hold keys;
//! - [`RateLimiter`]: when the next request may go out, fed by every answer; pure. [`Budgets`] are those of all credentials;
//! - [`delivery`]: what all sinks share that deliver over HTTP;
//! - [`oauth2`]: access tokens for a client's credentials;
//! - [`endpoint`] and [`destination`]: the checks of a configured URL, to read from and to write to;
//! - [`tls_config`] and [`tls_failure`]: trust, identity and words for failures, for sinks that speak something else than
//!   HTTP over TLS.
//!
//! Nothing is read or built before the first request.
//!
//! ```no_run
//! # async fn example() -> Result<(), http_client::HttpError> {
//! use http_client::{ClientSettings, HttpClient, Request, endpoint};
//!
//! let url = endpoint("https://api.example.com/audit/logs").expect("a literal");
//! let client = HttpClient::new(ClientSettings::default());
//! let answer = client.send(&Request::get(url, 16 << 20)).await?;
//! println!("{} with {} bytes", answer.status, answer.body.len());
//! # Ok(())
//! # }
//! ```

mod advice;
mod body;
mod budget;
mod client;
mod connection;
pub mod delivery;
mod endpoint;
mod error;
pub mod oauth2;
mod rate_limit;
mod tls;

pub use advice::Advice;
pub use budget::{Budget, Budgets};
pub use client::{Answer, ClientSettings, HttpClient, Request, secret_header};
pub use endpoint::{EndpointError, Proxy, destination, endpoint, is_loopback, origin};
pub use error::{HttpError, TimedOut, tls_failure};
pub use rate_limit::{LONGEST_WAIT, Limit, MONTHLY_QUOTA_WAIT, Permit, RateLimiter};
pub use reqwest::{Method, StatusCode, Url, header};
pub use tls::client_config as tls_config;
