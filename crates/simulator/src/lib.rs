//! Simulated audit-log APIs, at least as nasty as the real ones.
//!
//! The demo, the end-to-end tests and the benchmarks collect from here. The crate shares no code with the rest of Towpath:
//! what both sides read wrongly in the same way would prove nothing.
//!
//! [`Postman`] is the API: it makes records ([`Builder`]), serves them over HTTP/1.1, misbehaves as [`Faults`] and
//! [`Postman::script`] say, and knows the truth: what exists ([`Postman::all`]) and what it has shown
//! ([`Postman::shown`]). A collector has lost nothing if all that was shown is delivered, and works if in the end all
//! that exists is.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! use simulator::{Answer, Faults, Postman};
//! let api = Postman::builder().seed(7).events(1000).faults(Faults::hostile()).start(([127, 0, 0, 1], 0).into()).await?;
//! api.script([Answer::Status(503), Answer::Cut, Answer::Good]);
//! // … let the collector run against `api.url()` with `api.key()` …
//! let delivered = std::collections::BTreeSet::<String>::new();
//! let lost: Vec<_> = api.shown_ids().difference(&delivered).cloned().collect();
//! assert!(lost.is_empty());
//! # Ok(()) }
//! ```
//!
//! From another process: `GET /_simulator/shown` and `/_simulator/all` answer with NDJSON
//! (`{"id":"554891778","revision":0,"sha256":"…"}`), `GET /_simulator/stats` with counts.

mod actions;
mod answer;
mod clock;
mod cursor;
mod faults;
mod limits;
pub mod log;
mod oracle;
mod page;
mod postman;
mod query;
mod random;
mod record;
mod refusal;
mod server;
mod service;
mod world;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use answer::Answer;
pub use faults::{Access, Cursor, Faults, Knob, Late, NextCursor, Order, Outage, TimeFilter, UnknownFaults};
pub use limits::{MonthlyQuota, RateLimit, RateLimitHeaders};
pub use oracle::{Record, Version};
pub use postman::{Builder, Postman, Stats};
pub use service::Request;

/// What the command `towpath simulate` is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Records that exist at the start, spread over the last seven days.
    pub events: usize,
    /// New records per second.
    pub rate: f64,
    /// What is unusual.
    pub faults: Faults,
    /// What all chance comes from.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            events: 10_000,
            rate: 5.0,
            faults: Faults::bad_day(),
            seed: 0,
        }
    }
}

/// Starts the API of the options; it runs until the handle, which has its URL and key, is dropped.
///
/// # Errors
/// The address cannot be bound.
pub async fn run(options: Options) -> io::Result<Postman> {
    Postman::builder()
        .seed(options.seed)
        .events(options.events)
        .rate(options.rate)
        .span(Duration::from_secs(7 * 86_400))
        .faults(options.faults)
        .start(options.listen)
        .await
}
