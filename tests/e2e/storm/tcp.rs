//! Stands between the process and a server that speaks anything over TCP, and makes the weather: holds connections up, and
//! resets them when the server answers.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::{Damage, Weather};

/// How long a connection lives in lossy weather.
const LIFE: Duration = Duration::from_millis(400);

/// How long a blocking call waits before it looks at the weather again.
const GLANCE: Duration = Duration::from_millis(20);

struct State {
    server: SocketAddr,
    weather: Mutex<Weather>,
    ended: AtomicBool,
    held_up: AtomicU64,
    answers_lost: AtomicU64,
}

/// A running proxy; ends when dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens at this address for connections to the server.
    pub(super) fn start(listen: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(listen).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server,
            weather: Mutex::default(),
            ended: AtomicBool::new(false),
            held_up: AtomicU64::new(0),
            answers_lost: AtomicU64::new(0),
        });
        let shared = state.clone();
        let thread = spawn(move || {
            while !shared.ended.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((client, _)) => shared.connect(client),
                    Err(_) => sleep(Duration::from_millis(5)),
                }
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    pub(super) fn weather(&self, weather: Weather) {
        *self.state.weather.lock().unwrap() = weather;
    }

    pub(super) fn damage(&self) -> Damage {
        Damage {
            refused: self.state.held_up.load(Ordering::SeqCst),
            answers_lost: self.state.answers_lost.load(Ordering::SeqCst),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl State {
    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap()
    }

    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else { return reset(&client) };
        for stream in [&client, &server] {
            stream.set_nonblocking(false).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(GLANCE)).unwrap();
        }
        let ways =
            [(client.try_clone().unwrap(), server.try_clone().unwrap(), false), (server, client, true)];
        let over = Arc::new(AtomicBool::new(false));
        for (from, to, answers) in ways {
            let (state, over) = (self.clone(), over.clone());
            spawn(move || {
                state.pump(from, to, answers, &over);
                over.store(true, Ordering::SeqCst);
            });
        }
    }

    /// Passes on what one side says, until either side or the weather ends the connection.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream, answers: bool, over: &AtomicBool) {
        let mut buffer = vec![0; 64 << 10];
        let mut lossy_since = None;
        while !over.load(Ordering::SeqCst) && !self.ended.load(Ordering::SeqCst) {
            if self.weather() == Weather::Busy {
                self.held_up.fetch_add(1, Ordering::SeqCst);
                while self.weather() == Weather::Busy && !self.ended.load(Ordering::SeqCst) {
                    sleep(GLANCE);
                }
            }
            match self.weather() {
                Weather::Lossy => _ = lossy_since.get_or_insert_with(Instant::now),
                _ => lossy_since = None,
            }
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            if answers && lossy_since.is_some_and(|since| since.elapsed() > LIFE) {
                self.answers_lost.fetch_add(1, Ordering::SeqCst);
                return reset(&to);
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // The other side is to hear of it; that it is gone as well is no news.
        drop(to.shutdown(Shutdown::Both));
    }
}

/// It ends with a reset once nobody holds it any more.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}
