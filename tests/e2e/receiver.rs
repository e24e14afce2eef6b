//! A destination for events over HTTP, on threads of its own, that misbehaves on demand. It refuses what the protocol refuses,
//! and remembers what it took whether it said so or not.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// The token that it wants.
pub(crate) const TOKEN: &str = "receiver-token";

/// What it does with a request that is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Take,
    /// Takes the events and never answers.
    Stall,
    /// Takes the events and resets the connection.
    Reset,
    /// 429, come back in a second.
    Throttle,
    /// 500.
    Fail,
    /// 413 to more than a few events.
    Small,
    /// 401.
    Unauthorized,
    /// 400 to whatever comes.
    RefuseAll,
    /// Nobody listens.
    Gone,
}

struct Shared {
    mood: Mutex<Mood>,
    /// A request with this text in it is refused with 400 in every mood that takes events.
    poison: Mutex<Option<String>>,
    taken: Mutex<Vec<u8>>,
    wrong: Mutex<Vec<String>>,
    requests: AtomicU64,
    ended: AtomicBool,
}

pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            mood: Mutex::new(Mood::Take),
            poison: Mutex::default(),
            taken: Mutex::default(),
            wrong: Mutex::default(),
            requests: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let thread = spawn({
            let shared = shared.clone();
            move || shared.listen(listener, address)
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/events", self.address)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    pub(crate) fn set_poison(&self, text: String) {
        *self.shared.poison.lock().unwrap() = Some(text);
    }

    /// All lines taken so far.
    pub(crate) fn taken(&self) -> Vec<u8> {
        self.shared.taken.lock().unwrap().clone()
    }

    /// Bytes of all lines taken so far.
    pub(crate) fn bytes(&self) -> usize {
        self.shared.taken.lock().unwrap().len()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Requests that no server should get.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.shared.wrong.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    fn listen(self: Arc<Self>, first: TcpListener, address: SocketAddr) {
        let mut listener = Some(first);
        while !self.has_ended() {
            if self.mood() == Mood::Gone {
                listener = None;
            } else if listener.is_none() {
                listener = TcpListener::bind(address).ok();
            }
            let accepted = listener.as_ref().map(|listener| {
                listener.set_nonblocking(true).unwrap();
                listener.accept()
            });
            match accepted {
                Some(Ok((stream, _))) => {
                    let shared = self.clone();
                    spawn(move || shared.serve(stream));
                }
                _ => sleep(Duration::from_millis(5)),
            }
        }
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut input = BufReader::new(stream.try_clone().unwrap());
        loop {
            // Waits for a request, but not beyond the end of the test.
            match input.fill_buf() {
                Ok([]) => return,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if self.has_ended() || self.mood() == Mood::Gone {
                        return;
                    }
                    continue;
                }
                Err(_) => return,
            }
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let Some(request) = Request::read(&mut input) else { return };
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            if !self.answer(&stream, &request) {
                return;
            }
        }
    }

    /// Whether the connection goes on.
    fn answer(&self, mut stream: &TcpStream, request: &Request) -> bool {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if let Err(wrong) = request.check() {
            self.wrong.lock().unwrap().push(wrong);
        }
        let mood = self.mood();
        let poison = self.poison.lock().unwrap().clone();
        let has = |text: &String| String::from_utf8_lossy(&request.body).contains(text.as_str());
        let poisoned = poison.as_ref().is_some_and(has);
        let (status, further) = match mood {
            Mood::Gone => return false,
            Mood::Throttle => ("429 Too Many Requests", "Retry-After: 1\r\n"),
            Mood::Fail => ("500 Internal Server Error", ""),
            Mood::Unauthorized => ("401 Unauthorized", ""),
            Mood::RefuseAll => ("400 Bad Request", ""),
            Mood::Small if request.body.len() > 4096 => ("413 Content Too Large", ""),
            _ if poisoned => ("400 Bad Request", ""),
            Mood::Take | Mood::Small | Mood::Stall | Mood::Reset => {
                self.taken.lock().unwrap().extend_from_slice(&request.body);
                ("200 OK", "")
            }
        };
        match mood {
            Mood::Stall => {
                while self.mood() == Mood::Stall && !self.has_ended() {
                    sleep(Duration::from_millis(20));
                }
                return false;
            }
            Mood::Reset => {
                rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
                return false;
            }
            _ => {}
        }
        let body = format!("{{\"said\":\"{status}\"}}");
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{further}\r\n{body}");
        stream.write_all(answer.as_bytes()).is_ok()
    }
}

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(input: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut next = || {
            let mut line = String::new();
            input.read_line(&mut line).ok()?;
            Some(line.trim_end().to_owned())
        };
        let line = next()?;
        let mut headers = Vec::new();
        loop {
            let header = next()?;
            let Some((name, value)) = header.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { line, headers, body: Vec::new() };
        request.body.resize(request.header("content-length")?.parse().ok()?, 0);
        input.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// What a strict server would say against it.
    fn check(&self) -> Result<(), String> {
        let Self { line, body, .. } = self;
        if line != "POST /v1/events HTTP/1.1" {
            return Err(format!("request line {line:?}"));
        }
        if self.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Err("wrong token".into());
        }
        if self.header("content-type") != Some("application/x-ndjson") {
            return Err(format!("content type {:?}", self.header("content-type")));
        }
        if self.header("idempotency-key").is_none() {
            return Err("no idempotency key".into());
        }
        if body.last() != Some(&b'\n') {
            return Err("the last line has no end".into());
        }
        for line in body[..body.len() - 1].split(|byte| *byte == b'\n') {
            serde_json::from_slice::<serde_json::Value>(line)
                .map_err(|error| format!("a line is no JSON: {error}"))?;
        }
        Ok(())
    }
}
