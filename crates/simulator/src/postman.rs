//! The handle of a running simulator.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::clock::{self, Clock};
use crate::faults::Faults;
use crate::oracle::{Record, Snapshot};
use crate::random::Random;
use crate::server::{self, Origin, Shared};
use crate::service::{self, Request, Service};
use crate::world::World;

/// How the simulated API begins.
#[derive(Clone, Debug)]
pub struct Builder {
    seed: u64,
    events: usize,
    rate: f64,
    span: Duration,
    faults: Faults,
    record_bytes: Option<usize>,
    start: Option<SystemTime>,
}

impl Builder {
    /// What all chance comes from; 0 by default. Equal seeds, start times and requests give equal answers.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Records that exist at the start; 1000 by default. Each takes 24 bytes of memory, whatever its size.
    pub fn events(mut self, events: usize) -> Self {
        self.events = events;
        self
    }

    /// New records per second from the start on; none by default.
    pub fn rate(mut self, per_second: f64) -> Self {
        self.rate = per_second;
        self
    }

    /// The time before the start over which the first records are spread; 7 days by default.
    pub fn span(mut self, span: Duration) -> Self {
        self.span = span;
        self
    }

    /// What is unusual; [`Faults::none`] by default.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Pads regular records to this size (with ids of nine digits); as they come by default, about 450 bytes.
    pub fn record_bytes(mut self, bytes: usize) -> Self {
        self.record_bytes = Some(bytes);
        self
    }

    /// What the simulator's clock shows at the start; the system's time by default.
    pub fn clock(mut self, start: SystemTime) -> Self {
        self.start = Some(start);
        self
    }

    /// Binds the address (port 0: any free one) and serves until the handle is shut down or dropped.
    pub async fn start(mut self, address: SocketAddr) -> io::Result<Postman> {
        let listener = TcpListener::bind(address).await?;
        let elsewhere = TcpListener::bind((address.ip(), 0)).await?;
        let address = listener.local_addr()?;
        service::settle(&mut self.faults);
        let clock = Clock::starting_at(self.start);
        // Exactly the start, not the millisecond after it: equal seeds give equal records.
        let now = self.start.map_or_else(|| clock.now(), clock::milliseconds);
        let mut world = World::new(self.seed, self.events, self.span, self.record_bytes, &self.faults, now);
        world.set_rate(self.rate, now, &self.faults);
        let key = new_key(self.seed);
        let mut service = Service::new(self.seed, clock, now, world, self.faults, key.clone());
        service.elsewhere = format!("http://{}", elsewhere.local_addr()?);
        let shared = Shared::new(service);
        let tasks = [
            tokio::spawn(server::serve(listener, shared.clone(), Origin::Api)),
            tokio::spawn(server::serve(elsewhere, shared.clone(), Origin::Elsewhere)),
        ];
        Ok(Postman { address, key, shared, tasks })
    }
}

/// A running simulation of Postman's API, and what it knows to be true. Dropping it stops it.
pub struct Postman {
    address: SocketAddr,
    key: String,
    shared: Shared,
    tasks: [JoinHandle<()>; 2],
}

impl Postman {
    /// How one is made.
    pub fn builder() -> Builder {
        Builder {
            seed: 0,
            events: 1000,
            rate: 0.0,
            span: Duration::from_secs(7 * 86_400),
            faults: Faults::none(),
            record_bytes: None,
            start: None,
        }
    }

    /// `http://127.0.0.1:12345`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key that was right at the start.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The records of which some content stood in a page with status 200 whose body was handed to the socket whole and
    /// undamaged, with each content that was.
    pub fn shown(&self) -> Vec<Record> {
        let snapshot = Snapshot::shown(&self.shared.lock().world);
        snapshot.records().collect()
    }

    /// The ids of [`Postman::shown`]: nothing is lost if each of them is delivered. Records without an id are left out.
    pub fn shown_ids(&self) -> BTreeSet<String> {
        let snapshot = Snapshot::shown(&self.shared.lock().world);
        snapshot.ids().collect()
    }

    /// The records that exist now within retention, with their content of now (and `data.actor.active` as it was first).
    pub fn all(&self) -> Vec<Record> {
        let snapshot = self.shared.lock().all();
        snapshot.records().collect()
    }

    /// All records with each content that they ever had (and `data.actor.active` as it was first), whether or not a page
    /// that counts has shown it: what may be delivered at all.
    pub fn ever(&self) -> Vec<Record> {
        let snapshot = Snapshot::ever(&self.shared.lock().world);
        snapshot.records().collect()
    }

    /// The ids of [`Postman::all`]: what a collector has to have delivered in the end. Records without an id are left out.
    pub fn all_ids(&self) -> BTreeSet<String> {
        let snapshot = self.shared.lock().all();
        snapshot.ids().collect()
    }

    /// From now on so many new records per second; 0 lets a collector catch up.
    pub fn set_rate(&self, per_second: f64) {
        let mut service = self.shared.lock();
        let now = service.clock.now();
        let faults = service.faults.clone();
        service.world.set_rate(per_second, now, &faults);
    }

    /// Adds a record of that time, which gets the next id, and returns its id: a late event if the time is long past.
    pub fn add(&self, time: SystemTime) -> u64 {
        self.shared.lock().world.add(clock::milliseconds(time).div_euclid(1000), false)
    }

    /// The same with an id that fits its time, among older records.
    pub fn add_in_place(&self, time: SystemTime) -> u64 {
        self.shared.lock().world.add(clock::milliseconds(time).div_euclid(1000), true)
    }

    /// Adds a record with exactly this text, which the API files under this id and time whatever the text says.
    pub fn add_text(&self, id: u64, time: SystemTime, text: &str) {
        self.shared.lock().world.add_text(id, clock::milliseconds(time).div_euclid(1000), text);
    }

    /// Changes the content of a record; false when there is none with this id or it has changed seven times.
    pub fn edit(&self, id: u64) -> bool {
        self.shared.lock().world.edit(id)
    }

    /// Answers the next requests for pages with these, in this order and without further chance. A request that is
    /// refused (key, limits, parameters) takes none.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().script.extend(answers);
    }

    /// Other faults from now on. Records that exist stay as they are.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.lock().set_faults(faults);
    }

    /// Every key is wrong from now on.
    pub fn refuse_key(&self) {
        self.shared.lock().key = None;
    }

    /// This key, and no other, is right from now on.
    pub fn rotate_key(&self, key: &str) {
        self.shared.lock().key = Some(key.to_owned());
    }

    /// The newest 100,000 requests, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().log.iter().cloned().collect()
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        self.shared.lock().stats()
    }

    /// Stops listening and drops all connections.
    pub async fn shutdown(mut self) {
        for task in &mut self.tasks {
            task.abort();
            // Cancelled, as was just asked for.
            drop(task.await);
        }
    }
}

impl Drop for Postman {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Counts since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records that exist, retention aside.
    pub events: u64,
    /// Records of which some content was shown.
    pub shown: u64,
    /// Requests, by status; 0 for those that were left without an answer.
    pub statuses: BTreeMap<u16, u64>,
    /// [`Answer`]s given, by name; `good` for those without one, `refused` when the request was at fault, `limited` when
    /// a limit was used up.
    pub answers: BTreeMap<&'static str, u64>,
    /// Records in pages that counted as shown, with repetitions.
    pub records_sent: u64,
    /// Pages with records that were handed to the socket whole.
    pub pages_shown: u64,
    /// Requests at the origin to which redirects lead.
    pub requests_elsewhere: u64,
    /// Those of them that brought a key along, which must not happen.
    pub keys_elsewhere: u64,
}

impl Stats {
    pub(crate) fn to_json(&self) -> String {
        let statuses: Vec<_> =
            self.statuses.iter().map(|(status, count)| format!("\"{status}\":{count}")).collect();
        let answers: Vec<_> =
            self.answers.iter().map(|(name, count)| format!("\"{name}\":{count}")).collect();
        format!(
            "{{\"events\":{},\"shown\":{},\"records_sent\":{},\"pages_shown\":{},\"requests_elsewhere\":{},\
             \"keys_elsewhere\":{},\"statuses\":{{{}}},\"answers\":{{{}}}}}\n",
            self.events,
            self.shown,
            self.records_sent,
            self.pages_shown,
            self.requests_elsewhere,
            self.keys_elsewhere,
            statuses.join(","),
            answers.join(","),
        )
    }
}

impl Service {
    pub(crate) fn stats(&self) -> Stats {
        let events = self.world.events();
        Stats {
            events: events.len() as u64,
            shown: events.iter().filter(|event| event.shown != 0).count() as u64,
            statuses: self.statuses.clone(),
            answers: self.answers.clone(),
            records_sent: self.records_sent,
            pages_shown: self.pages_shown,
            requests_elsewhere: self.requests_elsewhere,
            keys_elsewhere: self.keys_elsewhere,
        }
    }

    /// What exists now within retention.
    pub(crate) fn all(&mut self) -> Snapshot {
        let now = self.clock.now();
        self.world.advance(now, &self.faults);
        Snapshot::all(&self.world, now.div_euclid(1000) - self.faults.retention.as_secs() as i64)
    }
}

/// A key in Postman's form; no real one, as it follows from the seed.
fn new_key(seed: u64) -> String {
    let mut random = Random::new(seed, "key", 0);
    let mut digits = |count| (0..count).map(|_| format!("{:x}", random.below(16))).collect::<String>();
    format!("PMAK-{}-{}", digits(24), digits(34))
}
