//! Any audit-log API, described by its [`Manner`]: how it pages, filters, sorts and misbehaves.
//!
//! It acts as the API's documentation says, which [`Manner`] is made of, and not as a client happens to ask. It shares no code
//! with any client.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! use simulator::log::{Log, Manner, Paging, Parameter};
//! let manner = Manner { paging: Paging::Offset { to: Parameter::query("offset") }, ..Manner::default() };
//! let api = Log::start(manner, 500).await?;
//! // … let the collector run against `api.url()` with `api.key()` …
//! # Ok(()) }
//! ```
//!
//! From another process: `GET /_simulator/shown` and `/_simulator/all` answer with the ids as NDJSON.

mod fault;
mod http;
mod manner;
mod path;
mod records;
mod render;
mod service;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use fault::Fault;
pub use manner::{
    Credential, CursorFrom, Edge, Edges, Manner, Meaning, Method, Order, Paging, Parameter, Records, Said,
    Shape, Size, TimeFormat,
};
use service::Service;

/// A running API, and what it knows to be true. Dropping it stops it.
pub struct Log {
    address: SocketAddr,
    service: Arc<Mutex<Service>>,
    task: JoinHandle<()>,
}

/// The credential of [`Manner::default`].
pub const KEY: &str = "k3y-of-the-simulated-log";

impl Log {
    /// Starts one on loopback, with so many records of the last seven days.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(manner: Manner, records: usize) -> io::Result<Self> {
        Self::listen(manner, records, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The same at an address; port 0 takes any free one.
    ///
    /// # Errors
    /// The address cannot be had.
    pub async fn listen(manner: Manner, records: usize, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let service = Arc::new(Mutex::new(Service::new(manner, records, format!("http://{address}"))));
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

    /// With each n-th page one of these, in turn, when nothing else was said.
    pub fn trouble(&self, faults: Vec<Fault>, every: usize) {
        self.service().trouble = (faults, every.max(1));
    }

    /// The time of its clock.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.service().now().max(0) as u64)
    }

    /// The id in a record's text.
    pub fn id_of(&self, text: &[u8]) -> Option<String> {
        self.service().world.id_of(text)
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
