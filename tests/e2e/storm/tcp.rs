//! Stands between the process and a server that speaks anything over TCP, and makes the weather: holds connections up, and
//! resets them when the server answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testkit::tcp::{self, Fate, Way, as_it_comes};
use tokio::runtime::Runtime;

use super::{Damage, Weather};

/// How long a connection lives in lossy weather.
const LIFE: Duration = Duration::from_millis(400);

/// A running proxy; ends when dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    proxy: tcp::Proxy,
    state: Arc<State>,
    // Dropped after what runs on it.
    _runtime: Runtime,
}

#[derive(Default)]
struct State {
    /// Since when each connection has been in lossy weather; nothing in other weather.
    exposed: Mutex<Option<HashMap<u64, Instant>>>,
    answers_lost: AtomicU64,
}

impl Proxy {
    /// Listens at this address for connections to the server.
    pub(super) fn start(listen: SocketAddr, server: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        let entered = runtime.enter();
        let rule = move |connection, way, bytes| shared.fate(connection, way, bytes);
        let proxy = tcp::Proxy::at(listen, None, server, as_it_comes, rule);
        drop(entered);
        Self { address: proxy.address, proxy, state, _runtime: runtime }
    }

    pub(super) fn weather(&self, weather: Weather) {
        *self.state.exposed.lock().unwrap() = (weather == Weather::Lossy).then(HashMap::new);
        self.proxy.hold(weather == Weather::Busy);
    }

    pub(super) fn damage(&self) -> Damage {
        Damage { refused: self.proxy.held_up(), answers_lost: self.state.answers_lost.load(Ordering::SeqCst) }
    }
}

impl State {
    fn fate(&self, connection: u64, way: Way, bytes: Vec<u8>) -> Fate {
        let mut exposed = self.exposed.lock().unwrap();
        let Some(exposed) = &mut *exposed else { return Fate::Pass(bytes) };
        let since = exposed.entry(connection).or_insert_with(Instant::now);
        if way == Way::ToClient && since.elapsed() > LIFE {
            self.answers_lost.fetch_add(1, Ordering::SeqCst);
            return Fate::Reset;
        }
        Fate::Pass(bytes)
    }
}
