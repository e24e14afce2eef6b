//! A receiver on loopback that takes what its protocol takes and nothing else, and misbehaves on demand.
//!
//! A thread turns it; whoever asks what it holds turns it as well, until nothing moves any more. So what the kernel has for
//! it counts as held: that is what an acknowledgement over TCP says.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};
use testkit::sink::POISON;

use crate::parse::{self, Message};

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Udp,
    Octets,
    Lines,
    Relp,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Reads nothing.
    Stalled,
    /// Looks at the client's certificate only so long after it has shown its own.
    Hesitant(Duration),
    /// Cuts each connection as soon as it has something to read.
    Resets,
    // The others are for RELP, which answers.
    /// Shakes hands, where there is TLS, and takes what comes; answers to nothing.
    Silent,
    /// Ends the session at each message.
    Ends,
    /// Is a server of something else.
    Foreign,
    /// Refuses sessions.
    Refuses,
    /// Takes two messages of the next connection that sends some, then cuts it.
    TakesTwo,
    /// Takes the messages of the next connection that sends some, and cuts it without an answer.
    Mute,
    /// Refuses messages whose body is longer.
    Limit(usize),
    /// Refuses what is poisonous.
    Dainty,
    /// Answers only after a while.
    Slow(Duration),
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    protocol: Protocol,
    mood: Mood,
    tls: Option<Arc<ServerConfig>>,
    listener: Option<TcpListener>,
    datagrams: Option<UdpSocket>,
    connections: Vec<Connection>,
    taken: Vec<Message>,
    violations: Vec<String>,
    /// Connections over TLS that ended without a `close_notify`.
    rude_ends: usize,
    /// Connections that ended in good order, and with nothing half in them.
    clean_ends: usize,
    /// Connections that were accepted.
    accepted: usize,
    /// The first number of RELP that a session of this receiver expects.
    first: u32,
}

struct Connection {
    tcp: TcpStream,
    tls: Option<ServerConnection>,
    input: Vec<u8>,
    output: Vec<(Instant, Vec<u8>)>,
    /// Of RELP: the number of the next frame.
    next: u32,
    is_open: bool,
    /// Takes so many messages more.
    left: Option<usize>,
    is_mute: bool,
    /// Is cut then.
    cut_at: Option<Instant>,
    /// When it has first said something over TLS.
    spoke: Option<Instant>,
    is_over: bool,
}

impl Receiver {
    pub(crate) fn start(protocol: Protocol, tls: Option<ServerConfig>) -> Self {
        let mut state = State {
            protocol,
            mood: Mood::Well,
            tls: tls.map(Arc::new),
            listener: None,
            datagrams: None,
            connections: Vec::new(),
            taken: Vec::new(),
            violations: Vec::new(),
            rude_ends: 0,
            clean_ends: 0,
            accepted: 0,
            first: 1,
        };
        let address = state.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let (state, stop) = (Arc::new(Mutex::new(state)), Arc::new(AtomicBool::new(false)));
        let (turned, stopped) = (state.clone(), stop.clone());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                lock(&turned).turn();
                thread::sleep(Duration::from_micros(300));
            }
        });
        Self { address, state, stop, thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Shows this certificate from now on.
    pub(crate) fn identity(&self, tls: ServerConfig) {
        self.state().tls = Some(Arc::new(tls));
    }

    /// Its kernel has room for a few kilobytes only, on connections that begin from now on.
    pub(crate) fn narrow(&self) {
        let state = self.state();
        let listener = state.listener.as_ref().unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(listener, 4096).unwrap();
    }

    /// Goes away in good order, or comes back.
    pub(crate) fn away(&self, is_away: bool) {
        let mut state = self.state();
        let is_here = state.listener.is_some() || state.datagrams.is_some();
        if is_away != is_here {
            return;
        }
        if is_away {
            while state.turn() {}
            state.listener = None;
            state.datagrams = None;
            // What is on its way is read all the same, until the sender has understood.
            for connection in &state.connections {
                drop(connection.tcp.shutdown(Shutdown::Write));
            }
        } else {
            state.listen(self.address);
        }
    }

    /// All that was sent to it and has arrived.
    pub(crate) fn taken(&self) -> Vec<Message> {
        let mut state = self.state();
        while state.turn() {}
        state.taken.clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    pub(crate) fn rude_ends(&self) -> usize {
        self.state().rude_ends
    }

    /// How many connections were ended in good order, between two messages.
    pub(crate) fn clean_ends(&self) -> usize {
        let mut state = self.state();
        while state.turn() {}
        state.clean_ends
    }

    /// Says something on every connection.
    pub(crate) fn say(&self, words: &[u8]) {
        let mut state = self.state();
        while state.turn() {}
        state.connections.iter_mut().for_each(|connection| connection.say(Duration::ZERO, words));
        while state.turn() {}
    }

    pub(crate) fn accepted(&self) -> usize {
        self.state().accepted
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn listen(&mut self, address: SocketAddr) -> SocketAddr {
        if self.protocol == Protocol::Udp {
            let socket = UdpSocket::bind(address).unwrap();
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4 << 20).unwrap();
            socket.set_nonblocking(true).unwrap();
            let address = socket.local_addr().unwrap();
            self.datagrams = Some(socket);
            return address;
        }
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        self.listener = Some(listener);
        address
    }

    /// Does what can be done at once; whether that was anything.
    fn turn(&mut self) -> bool {
        let mut moved = false;
        let mut datagram = vec![0; 65536];
        while let Some(Ok(length)) = self.datagrams.as_ref().map(|socket| socket.recv(&mut datagram)) {
            self.message(&datagram[..length]);
            moved = true;
        }
        while let Some(Ok((tcp, _))) = self.listener.as_ref().map(TcpListener::accept) {
            tcp.set_nonblocking(true).unwrap();
            tcp.set_nodelay(true).unwrap();
            let tls = self.tls.clone().map(|config| ServerConnection::new(config).unwrap());
            let mut connection = Connection {
                tcp,
                tls,
                input: Vec::new(),
                output: Vec::new(),
                next: self.first,
                is_open: false,
                left: None,
                is_mute: false,
                cut_at: None,
                spoke: None,
                is_over: false,
            };
            if self.mood == Mood::Foreign {
                connection.say(Duration::ZERO, b"220 mail.example.com ESMTP\r\n");
            }
            self.accepted += 1;
            self.connections.push(connection);
            moved = true;
        }
        for mut connection in std::mem::take(&mut self.connections) {
            moved |= self.serve(&mut connection);
            if !connection.is_over {
                self.connections.push(connection);
            }
        }
        moved
    }

    fn serve(&mut self, connection: &mut Connection) -> bool {
        if self.mood == Mood::Stalled {
            return false;
        }
        if let (Mood::Hesitant(wait), Some(spoke)) = (self.mood, connection.spoke)
            && spoke.elapsed() < wait
        {
            return false;
        }
        if self.mood == Mood::Resets && connection.tcp.peek(&mut [0]).is_ok_and(|length| length > 0) {
            // What nobody has read makes an end a reset.
            connection.is_over = true;
            return true;
        }
        let before = connection.input.len();
        let ended = connection.read(&mut self.violations);
        let has_read = connection.input.len() > before;
        self.frames(connection);
        connection.write();
        if connection.cut_at.is_some_and(|at| at <= Instant::now()) {
            connection.is_over = true;
            return true;
        }
        match ended {
            None => return has_read,
            // A session of RELP has an end of its own.
            Some(End::Clean) if self.protocol == Protocol::Relp => {}
            Some(End::Clean) => self.clean_ends += usize::from(connection.input.is_empty()),
            Some(End::Rude) => self.rude_ends += 1,
            // Nothing that is not whole counts.
            Some(End::Broken) => connection.input.clear(),
        }
        if self.protocol == Protocol::Lines && !connection.input.is_empty() {
            // What stands before the end is a line, as real receivers have it.
            let line = std::mem::take(&mut connection.input);
            self.message(&line);
        }
        connection.is_over = true;
        true
    }

    /// Takes whole frames out of the input.
    fn frames(&mut self, connection: &mut Connection) {
        let input = std::mem::take(&mut connection.input);
        let mut at = 0;
        loop {
            let rest = &input[at..];
            let step = match self.protocol {
                Protocol::Udp => return,
                Protocol::Octets => parse::octets(rest).map(|frame| {
                    frame.map(|(length, start)| {
                        self.message(&rest[start..length]);
                        length
                    })
                }),
                Protocol::Lines => Ok(rest.iter().position(|byte| *byte == b'\n').map(|length| {
                    self.message(&rest[..length]);
                    length + 1
                })),
                Protocol::Relp => parse::relp(rest).map(|frame| {
                    frame.map(|frame| {
                        let length = frame.length;
                        self.relp(connection, frame);
                        length
                    })
                }),
            };
            match step {
                Ok(Some(length)) => at += length,
                Ok(None) => break,
                Err(why) => {
                    self.violations.push(why);
                    match self.protocol {
                        Protocol::Relp => {
                            at = input.len();
                            connection.end_session();
                        }
                        _ => connection.is_over = true,
                    }
                    break;
                }
            }
        }
        connection.input = input[at..].to_vec();
    }

    fn message(&mut self, bytes: &[u8]) {
        match parse::message(bytes) {
            Ok(message) => self.taken.push(message),
            Err(why) => self.violations.push(why),
        }
    }

    /// One frame of RELP.
    fn relp(&mut self, connection: &mut Connection, frame: parse::Frame) {
        if self.mood == Mood::Silent {
            return;
        }
        if connection.cut_at.is_some() && !connection.is_mute {
            return;
        }
        if frame.number != connection.next {
            let expected = connection.next;
            self.violations.push(format!("number {} where {expected} was expected", frame.number));
            return connection.end_session();
        }
        connection.next = frame.number % 999_999_999 + 1;
        match (frame.command.as_str(), connection.is_open) {
            ("open", false) => {
                let offer = String::from_utf8_lossy(&frame.data).into_owned();
                let lines: Vec<&str> = offer.split('\n').collect();
                if !lines.contains(&"relp_version=0") || !lines.contains(&"commands=syslog") {
                    self.violations.push(format!("offers {offer:?}"));
                }
                if self.mood == Mood::Refuses {
                    connection.answer(Duration::ZERO, frame.number, "500 access denied");
                    connection.cut_at = Some(Instant::now() + Duration::from_millis(50));
                    return;
                }
                connection.is_open = true;
                let answer = "200 OK\nrelp_version=0\nrelp_software=strict,1\ncommands=syslog";
                connection.answer(Duration::ZERO, frame.number, answer);
            }
            ("syslog", true) => self.relp_message(connection, frame),
            ("close", true) if frame.data.is_empty() => {
                connection.is_open = false;
                self.clean_ends += 1;
                connection.say(Duration::ZERO, format!("{} rsp 0\n", frame.number).as_bytes());
                connection.end_session();
            }
            (command, is_open) => {
                self.violations.push(format!("{command} while open is {is_open}"));
                match command {
                    "syslog" => connection.answer(Duration::ZERO, frame.number, "500 command not enabled"),
                    "open" => {
                        // So does librelp.
                        for _ in 0..2 {
                            connection.answer(Duration::ZERO, frame.number, "500 session is open");
                        }
                        connection.end_session();
                    }
                    _ => connection.end_session(),
                }
            }
        }
    }

    fn relp_message(&mut self, connection: &mut Connection, frame: parse::Frame) {
        let mut wait = Duration::ZERO;
        match self.mood {
            Mood::Ends => {
                connection.say(Duration::ZERO, b"0 serverclose 0\n");
                connection.cut_at = Some(Instant::now() + Duration::from_millis(20));
                return;
            }
            Mood::TakesTwo => {
                connection.left = Some(2);
                self.mood = Mood::Well;
            }
            Mood::Mute => {
                connection.is_mute = true;
                connection.cut_at = Some(Instant::now() + Duration::from_millis(40));
                self.mood = Mood::Well;
            }
            Mood::Slow(time) => wait = time,
            _ => {}
        }
        let body = parse::message(&frame.data).map(|message| message.body).unwrap_or_default();
        let refusal = match self.mood {
            Mood::Limit(most) if body.len() > most => Some("500 message too long"),
            Mood::Dainty if body.contains(POISON) => Some("500 cannot be parsed\nsecond line"),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return connection.answer(wait, frame.number, refusal);
        }
        if connection.left == Some(0) {
            return;
        }
        self.message(&frame.data);
        if !connection.is_mute {
            connection.answer(wait, frame.number, "200 OK");
        }
        if let Some(left) = &mut connection.left {
            *left -= 1;
            if *left == 0 {
                connection.cut_at = Some(Instant::now() + Duration::from_millis(5));
            }
        }
    }
}

enum End {
    Clean,
    /// TLS without a goodbye.
    Rude,
    /// A reset, or no TLS at all.
    Broken,
}

impl Connection {
    /// Reads what there is; how the connection has ended, if it has.
    fn read(&mut self, violations: &mut Vec<String>) -> Option<End> {
        let mut space = vec![0; 64 << 10];
        let Some(tls) = &mut self.tls else {
            loop {
                match self.tcp.read(&mut space) {
                    Ok(0) => return Some(End::Clean),
                    Ok(length) => self.input.extend_from_slice(&space[..length]),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                    Err(_) => return Some(End::Broken),
                }
            }
        };
        loop {
            let read = match tls.read_tls(&mut self.tcp) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => return Some(End::Broken),
            };
            match tls.process_new_packets() {
                Ok(state) => {
                    let waiting = state.plaintext_bytes_to_read();
                    let start = self.input.len();
                    self.input.resize(start + waiting, 0);
                    tls.reader().read_exact(&mut self.input[start..]).unwrap();
                    if state.peer_has_closed() {
                        return Some(End::Clean);
                    }
                }
                Err(error) => {
                    if matches!(error, rustls::Error::DecryptError) {
                        violations.push(error.to_string());
                    }
                    // The alert.
                    drop(tls.write_tls(&mut self.tcp));
                    return Some(End::Broken);
                }
            }
            if read == 0 {
                return Some(if tls.is_handshaking() { End::Broken } else { End::Rude });
            }
        }
    }

    /// Writes what is due.
    fn write(&mut self) {
        let now = Instant::now();
        while self.output.first().is_some_and(|(due, _)| *due <= now) {
            let (due, bytes) = self.output.remove(0);
            match &mut self.tls {
                // Not before the handshake: it would go out in the middle of it.
                Some(tls) if tls.is_handshaking() => {
                    self.output.insert(0, (due, bytes));
                    break;
                }
                Some(tls) => tls.writer().write_all(&bytes).unwrap(),
                None => match self.tcp.write(&bytes) {
                    Ok(length) if length == bytes.len() => {}
                    Ok(length) => self.output.insert(0, (due, bytes[length..].to_vec())),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.output.insert(0, (due, bytes));
                        break;
                    }
                    Err(_) => break,
                },
            }
        }
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                if tls.write_tls(&mut self.tcp).is_err() {
                    break;
                }
                self.spoke.get_or_insert_with(Instant::now);
            }
        }
    }

    fn say(&mut self, wait: Duration, bytes: &[u8]) {
        let due = Instant::now() + wait;
        match self.output.last_mut() {
            // One write for all that is due together.
            Some((last, waiting)) if wait.is_zero() && *last <= due => waiting.extend_from_slice(bytes),
            _ => self.output.push((due, bytes.to_vec())),
        }
    }

    /// As rsyslog ends one, in good order or not (`answers.rs`).
    fn end_session(&mut self) {
        self.say(Duration::ZERO, b"0 serverclose 0\n");
        self.cut_at = Some(Instant::now() + Duration::from_millis(20));
    }

    fn answer(&mut self, wait: Duration, number: u32, text: &str) {
        self.say(wait, format!("{number} rsp {} {text}\n", text.len()).as_bytes());
    }
}
