//! Any audit-log API, described by its [`Manner`]: how it pages, filters, sorts and misbehaves.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! use simulator::log::{Log, Manner, Paging};
//! let manner = Manner { paging: Paging::Offset { parameter: "offset" }, ..Manner::default() };
//! let api = Log::start(manner, 500).await?;
//! // … let the collector run against `api.url()` with `api.key()` …
//! # Ok(()) }
//! ```

mod http;
mod records;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use service::Service;

/// How an API speaks.
#[derive(Clone, Debug)]
pub struct Manner {
    /// `GET` or `POST`; parameters of a `POST` are members of its body, by dotted path.
    pub method: &'static str,
    /// The path of the list.
    pub path: &'static str,
    /// The header with the credential, and what stands before it.
    pub credential: (&'static str, &'static str),
    /// The member with the list, by dotted path; empty where the answer is the list.
    pub list: &'static str,
    /// How the next page is asked for.
    pub paging: Paging,
    /// In which order records are listed.
    pub order: Order,
    /// The parameters of the lower and upper edge.
    pub since: Option<&'static str>,
    /// See [`Manner::since`].
    pub until: Option<&'static str>,
    /// Whether a request without both is refused.
    pub edges_required: bool,
    /// How edges are written.
    pub edge_format: TimeFormat,
    /// How the edges are read.
    pub edges: Edges,
    /// The longest window that is answered.
    pub max_span: Option<Duration>,
    /// The parameter of the page's size, its default and its most.
    pub size: (Option<&'static str>, usize, usize),
    /// The member with the time, and how it is written.
    pub time: (&'static str, TimeFormat),
    /// How long records are kept; an older lower edge is refused.
    pub retention: Option<Duration>,
    /// The records, and what is unusual with them.
    pub records: Records,
    /// Cursors are good with the filters that they were made with, and for so many requests.
    pub strict_cursors: Option<usize>,
}

impl Default for Manner {
    /// `GET /v1/audit_logs` with a bearer token: `{"items": […], "pagination": {"next_cursor": …}}`, newest first,
    /// `created_at_min` and `created_at_max` inclusive.
    fn default() -> Self {
        Self {
            method: "GET",
            path: "/v1/audit_logs",
            credential: ("authorization", "Bearer "),
            list: "items",
            paging: Paging::Cursor { member: "pagination.next_cursor", parameter: "cursor", feed: None },
            order: Order::NewestFirst,
            since: Some("created_at_min"),
            until: Some("created_at_max"),
            edges_required: false,
            edge_format: TimeFormat::Rfc3339,
            edges: Edges::Inclusive,
            max_span: None,
            size: (Some("limit"), 50, 100),
            time: ("created_at", TimeFormat::Rfc3339),
            retention: None,
            records: Records::default(),
            strict_cursors: None,
        }
    }
}

/// How the next page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// A member of the answer is a parameter of the next request.
    Cursor {
        /// The member, by dotted path.
        member: &'static str,
        /// The parameter.
        parameter: &'static str,
        /// The cursor is always there, and this member says whether more follows now.
        feed: Option<&'static str>,
    },
    /// The header `Link`.
    Link,
    /// A member of the answer is the absolute URL of the next page.
    NextUrl {
        /// The member, by dotted path.
        member: &'static str,
    },
    /// Pages have numbers, from 1; a member has the next one.
    Page {
        /// The parameter.
        parameter: &'static str,
        /// The member, by dotted path.
        member: &'static str,
    },
    /// So many records are left out.
    Offset {
        /// The parameter.
        parameter: &'static str,
    },
    /// No paging: the first records of the window are all.
    None,
}

/// In which order records are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By time, the newest first.
    NewestFirst,
    /// By time, the oldest first.
    OldestFirst,
    /// As they have arrived.
    Arrival,
}

/// How the edges of a window are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// To the second, and included.
    Inclusive,
    /// To the second, and left out.
    Exclusive,
    /// Cut to their day, which is left out.
    ExclusiveDays,
    /// Whole days, both included.
    Days,
}

/// How a moment is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2026-11-20T10:00:00Z`
    Rfc3339,
    /// `2026-11-20`
    Date,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

/// What is unusual with the records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Of 100 records, so many share the same second.
    pub crowded: u8,
    /// Of 100 records, so many have arrived hours after their time.
    pub late: u8,
    /// Of 100 records, so many are dated in the future.
    pub future: u8,
    /// Of 100 records, so many are no objects, or have no id or time.
    pub odd: u8,
    /// With each third request another record appears.
    pub growing: bool,
}

/// What happens to the next request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another status, with an error.
    Status(u16),
    /// 429 with `Retry-After`.
    RetryAfter(u64),
    /// 429 with `X-RateLimit-Reset` in seconds since 1970.
    RateLimitReset(u64),
    /// 403 with `X-RateLimit-Remaining: 0`.
    ForbiddenRateLimit(u64),
    /// 429 that says that a quota is used up.
    Quota,
    /// The connection is cut in the middle of the page.
    Cut,
    /// Half a page that claims to be whole.
    Truncated,
    /// A page of HTML with a status of success.
    Html,
    /// An error with a status of success.
    ErrorAsSuccess,
    /// A byte that is no UTF-8.
    NotUtf8,
    /// No records, although some follow.
    EmptyPage,
    /// What leads on is what was asked for.
    RepeatedCursor,
    /// Records of the page before come again.
    Repeated,
    /// The records of the page are in no order.
    Shuffled,
}

/// A running API, and what it knows to be true. Dropping it stops it.
pub struct Log {
    address: SocketAddr,
    service: Arc<Mutex<Service>>,
    task: JoinHandle<()>,
}

const KEY: &str = "k3y-of-the-simulated-log";

impl Log {
    /// Starts one on loopback, with so many records of the last seven days.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(manner: Manner, records: usize) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let service = Arc::new(Mutex::new(Service::new(manner, records, format!("http://{address}"), KEY)));
        let task = tokio::spawn(http::serve(listener, service.clone()));
        Ok(Self { address, service, task })
    }

    /// `http://127.0.0.1:12345`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The credential that it accepts.
    pub fn key(&self) -> &'static str {
        KEY
    }

    /// Accepts the credential from now on, or not.
    pub fn accept(&self, accepted: bool) {
        self.service().accepts = accepted;
    }

    /// What happens to the next request for a page, after those that were said before.
    pub fn script(&self, fault: Fault) {
        self.service().script.push_back(fault);
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.service().requests
    }

    /// The queries, or bodies, of the requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.service().asked.clone()
    }

    /// Adds a record of that time and returns its id.
    pub fn add(&self, time: SystemTime) -> String {
        let second = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        self.service().world.add(second)
    }

    /// Adds a member with a text to each answer.
    pub fn add_member(&self, name: &str, text: &str) {
        self.service().more.push((name.to_owned(), text.to_owned()));
    }

    /// Changes a record's content.
    pub fn edit(&self, id: &str) {
        self.service().world.edit(id);
    }

    /// Ids of the records that were shown.
    pub fn shown(&self) -> BTreeSet<String> {
        self.service().world.shown()
    }

    /// Ids and times of the records that can be had now.
    pub fn all(&self) -> BTreeMap<String, SystemTime> {
        let service = self.service();
        let kept = service.kept_from();
        let all = service.world.with_id().filter(|record| record.second >= kept);
        all.map(|record| (record.id.clone(), UNIX_EPOCH + Duration::from_secs(record.second.max(0) as u64)))
            .collect()
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.task.abort();
    }
}
