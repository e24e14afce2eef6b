//! Stands before a real server that speaks anything over TCP, in a test's process, with or without TLS of its own, and lets
//! through what a rule says, frame by frame.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Whom a frame goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// What happens to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// These bytes are passed on.
    Pass(Vec<u8>),
    /// The same after a time, in which nothing else goes this way.
    Late(Duration, Vec<u8>),
    /// Nobody hears of it.
    Swallow,
    /// Nobody hears of it, and the connection ends.
    Cut,
    /// The same, and the client hears of it by a reset.
    Reset,
    /// It is passed on, and then the connection ends.
    PassAndCut(Vec<u8>),
}

/// How long the first frame in some bytes is; nothing while it is not there as a whole.
pub type Framing = fn(&[u8]) -> Option<usize>;

/// What has come, as it is: for protocols that nobody looks into.
pub fn as_it_comes(bytes: &[u8]) -> Option<usize> {
    (!bytes.is_empty()).then_some(bytes.len())
}

/// Decides on the frames of each connection, which have numbers.
type Rule = dyn Fn(u64, Way, Vec<u8>) -> Fate + Send + Sync;

struct State {
    tls: Option<TlsAcceptor>,
    server: SocketAddr,
    listener: Option<TcpListener>,
    /// Each ends its connection at once.
    connections: Vec<CancellationToken>,
}

struct Shared {
    state: Mutex<State>,
    /// Whether clients are sent away.
    away: watch::Sender<bool>,
    /// Whether nothing is passed on.
    held: watch::Sender<bool>,
    /// How often one way of a connection had to wait for that.
    held_up: AtomicU64,
    /// Bytes that were read and not yet passed on.
    in_hand: AtomicUsize,
    /// Connections whose clients have not been told that it is over.
    open: AtomicUsize,
    accepted: AtomicU64,
    framing: Framing,
    rule: Box<Rule>,
}

/// A running proxy; it ends with the runtime that it was started in, or when dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port for connections to the server.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(
        tls: Option<ServerConfig>,
        server: SocketAddr,
        framing: Framing,
        rule: impl Fn(u64, Way, Vec<u8>) -> Fate + Send + Sync + 'static,
    ) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), tls, server, framing, rule)
    }

    /// The same at this address.
    ///
    /// # Panics
    /// When it is taken.
    pub fn at(
        address: SocketAddr,
        tls: Option<ServerConfig>,
        server: SocketAddr,
        framing: Framing,
        rule: impl Fn(u64, Way, Vec<u8>) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let listener = listen(address);
        let address = listener.local_addr().expect("an address");
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let state = State { tls, server, listener: Some(listener), connections: Vec::new() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            away: watch::Sender::new(false),
            held: watch::Sender::new(false),
            held_up: AtomicU64::new(0),
            in_hand: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            framing,
            rule: Box::new(rule),
        });
        let turning = shared.clone();
        let accepting = tokio::spawn(async move {
            loop {
                turning.accept_all(&mut turning.state());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self { address, shared, accepting }
    }

    /// Whom connections go to from now on; those that stand stay.
    pub fn server(&self, server: SocketAddr) {
        self.shared.state().server = server;
    }

    /// Who it is from the next connection on; there is none before.
    pub fn identity(&self, tls: ServerConfig) {
        self.shared.state().tls = Some(TlsAcceptor::from(Arc::new(tls)));
        self.cut();
    }

    /// Ends all connections at once.
    pub fn cut(&self) {
        self.shared.state().connections.drain(..).for_each(|connection| connection.cancel());
    }

    /// Goes away in good order, or comes back: nobody can connect, clients are told that it is over, which this waits for,
    /// and what they send until they have understood is passed on. Only for a runtime of several threads.
    ///
    /// # Panics
    /// When a client cannot be told within some seconds.
    pub fn away(&self, is_away: bool) {
        let mut state = self.shared.state();
        if is_away {
            self.shared.accept_all(&mut state);
            state.listener = None;
        } else if state.listener.is_none() {
            state.listener = Some(listen(self.address));
        }
        self.shared.away.send_replace(is_away);
        drop(state);
        let began = Instant::now();
        // What was woken just now may stand in the queue of this very thread, which another one takes over so.
        tokio::task::block_in_place(|| {
            while is_away && self.shared.open.load(Ordering::SeqCst) > 0 {
                assert!(began.elapsed() < Duration::from_secs(5), "a client cannot be told");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    /// Passes nothing on, on any connection, until it is told otherwise.
    pub fn hold(&self, is_held: bool) {
        self.shared.held.send_replace(is_held);
    }

    /// How often something had to wait for that.
    pub fn held_up(&self) -> u64 {
        self.shared.held_up.load(Ordering::SeqCst)
    }

    /// Bytes that were read from either side and not yet passed on.
    pub fn in_hand(&self) -> usize {
        self.shared.in_hand.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

fn listen(address: SocketAddr) -> TcpListener {
    let listener = TcpListener::bind(address).expect("a free port");
    listener.set_nonblocking(true).expect("an open socket");
    listener
}

/// Counts an open connection until its client is told.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes whoever waits.
    fn accept_all(self: &Arc<Self>, state: &mut State) {
        while let Some(Ok((client, _))) = state.listener.as_ref().map(TcpListener::accept) {
            let over = CancellationToken::new();
            state.connections.push(over.clone());
            let (shared, tls, server) = (self.clone(), state.tls.clone(), state.server);
            let number = self.accepted.fetch_add(1, Ordering::SeqCst);
            let away = self.away.subscribe();
            let open = Open::new(self.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = over.cancelled() => {}
                    _ = shared.serve(number, client, tls, server, &over, (away, open)) => {}
                }
            });
        }
    }

    /// Serves one connection to its end, of which nobody needs to hear.
    async fn serve(
        &self,
        number: u64,
        client: std::net::TcpStream,
        tls: Option<TlsAcceptor>,
        server: SocketAddr,
        over: &CancellationToken,
        told: (watch::Receiver<bool>, Open),
    ) -> std::io::Result<()> {
        client.set_nonblocking(true)?;
        client.set_nodelay(true)?;
        // A second handle, closed together with the first.
        let control = client.try_clone()?;
        let client = TcpStream::from_std(client)?;
        let client: Box<dyn Stream> = match tls {
            Some(tls) => Box::new(tls.accept(client).await?),
            None => Box::new(client),
        };
        let server = TcpStream::connect(server).await?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = split(client);
        let (from_server, to_server) = split(server);
        let end = End { over, client: &control };
        let asks = self.pump(number, Way::ToServer, from_client, to_server, &end, None);
        let answers = self.pump(number, Way::ToClient, from_server, to_client, &end, Some(told));
        tokio::join!(asks, answers);
        Ok(())
    }

    /// Waits while nothing is to be passed on.
    async fn until_passing(&self) {
        let mut held = self.held.subscribe();
        if *held.borrow_and_update() {
            self.held_up.fetch_add(1, Ordering::SeqCst);
            // The sender lives as long as this.
            drop(held.wait_for(|is_held| !is_held).await);
        }
    }

    /// Passes on what one side says until it has no more to say, then tells the other side.
    async fn pump(
        &self,
        number: u64,
        way: Way,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        end: &End<'_>,
        mut told: Option<(watch::Receiver<bool>, Open)>,
    ) {
        let mut waiting = Vec::new();
        loop {
            let read = tokio::select! {
                read = from.read_buf(&mut waiting) => read,
                () = is_true(told.as_mut()) => break,
            };
            let Ok(read @ 1..) = read else { break };
            self.in_hand.fetch_add(read, Ordering::SeqCst);
            self.until_passing().await;
            while let Some(length) = (self.framing)(&waiting) {
                let frame: Vec<u8> = waiting.drain(..length).collect();
                let passed = match (self.rule)(number, way, frame) {
                    Fate::Pass(bytes) => to.write_all(&bytes).await,
                    Fate::Late(wait, bytes) => {
                        tokio::time::sleep(wait).await;
                        to.write_all(&bytes).await
                    }
                    Fate::Swallow => Ok(()),
                    Fate::Cut => Err(std::io::ErrorKind::ConnectionReset.into()),
                    Fate::Reset => {
                        end.by_reset();
                        Err(std::io::ErrorKind::ConnectionReset.into())
                    }
                    Fate::PassAndCut(bytes) => {
                        drop(to.write_all(&bytes).await);
                        Err(std::io::ErrorKind::ConnectionReset.into())
                    }
                };
                // TLS keeps something back otherwise.
                let passed = if passed.is_ok() { to.flush().await } else { passed };
                self.in_hand.fetch_sub(length, Ordering::SeqCst);
                if passed.is_err() {
                    self.in_hand.fetch_sub(waiting.len(), Ordering::SeqCst);
                    return end.over.cancel();
                }
            }
        }
        self.in_hand.fetch_sub(waiting.len(), Ordering::SeqCst);
        // One that is gone needs not be told.
        drop(to.shutdown().await);
        drop(told);
    }
}

/// How one connection is ended.
struct End<'a> {
    over: &'a CancellationToken,
    client: &'a std::net::TcpStream,
}

impl End<'_> {
    /// The client is not told in good order: what is closed without time to linger is reset.
    fn by_reset(&self) {
        let linger = rustix::net::sockopt::set_socket_linger(self.client, Some(Duration::ZERO));
        linger.expect("an open socket");
    }
}

/// Resolves when it is away; never where there is nothing to watch.
async fn is_true(watched: Option<&mut (watch::Receiver<bool>, Open)>) {
    let is_true = match watched {
        Some((watched, _)) => watched.wait_for(|is_away| *is_away).await.is_ok(),
        None => false,
    };
    if !is_true {
        std::future::pending().await
    }
}

/// Bytes that somebody has sent to a port of this machine and nobody has read there (Linux, `/proc/net/tcp`).
///
/// # Panics
/// Where there is no such file.
pub fn unread(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let here = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    // Of one that listens the column counts connections.
    let rows = rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&here)) && row[3] != "0A");
    let queue = |row: Vec<&str>| {
        let (_, unread) = row.get(4)?.split_once(':')?;
        usize::from_str_radix(unread, 16).ok()
    };
    rows.filter_map(queue).sum()
}
