//! A client on a bare socket: it sees what is on the wire, and shares nothing with any HTTP library.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use serde_json::value::RawValue;
use simulator::Postman;

/// More than this of a body is not read.
const MOST: usize = 4 << 20;

pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]);
        write!(f, "{} {:?} {} bytes: {body}", self.status, self.headers, self.body.len())
    }
}

/// How an exchange can go wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused,
    Reset,
    ClosedBeforeAnswer,
    ClosedInBody,
    TimedOut,
    TooLarge,
}

pub(crate) struct Client {
    address: SocketAddr,
    pub(crate) key: String,
    /// For a whole exchange.
    pub(crate) timeout: Duration,
    pub(crate) accept_gzip: bool,
    stream: Option<TcpStream>,
}

impl Client {
    pub(crate) fn new(api: &Postman) -> Self {
        Self {
            address: api.address(),
            key: api.key().to_owned(),
            timeout: Duration::from_secs(10),
            accept_gzip: false,
            stream: None,
        }
    }

    pub(crate) fn get(&mut self, target: &str) -> Result<Response, Failure> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).map_err(|_| Failure::Refused)?,
        };
        let deadline = Instant::now() + self.timeout;
        let encoding = if self.accept_gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let key = if self.key.is_empty() { String::new() } else { format!("X-API-Key: {}\r\n", self.key) };
        let request = format!("GET {target} HTTP/1.1\r\nHost: api\r\n{key}{encoding}\r\n");
        if stream.write_all(request.as_bytes()).is_err() {
            return Err(Failure::Reset);
        }
        let mut buffer = Vec::new();
        let head = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if more(&mut stream, &mut buffer, deadline)? == 0 {
                return Err(Failure::ClosedBeforeAnswer);
            }
        };
        let text = String::from_utf8(buffer[..head].to_vec()).unwrap();
        let mut lines = text.lines();
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut rest = buffer.split_off(head);
        let body = match headers.get("content-length") {
            Some(length) => {
                let length: usize = length.parse().unwrap();
                while rest.len() < length {
                    match more(&mut stream, &mut rest, deadline)? {
                        0 => return Err(Failure::ClosedInBody),
                        _ if rest.len() > MOST => return Err(Failure::TooLarge),
                        _ => {}
                    }
                }
                rest
            }
            None => loop {
                if let Some(body) = unchunk(&rest) {
                    break body;
                }
                if more(&mut stream, &mut rest, deadline)? == 0 {
                    return Err(Failure::ClosedInBody);
                }
            },
        };
        self.stream = Some(stream);
        Ok(Response { status, headers, body })
    }

    /// The page at a target, which must be a good one.
    pub(crate) fn page(&mut self, target: &str) -> Page {
        let response = self.get(target).unwrap();
        assert_eq!(response.status, 200, "{target}: {}", String::from_utf8_lossy(&response.body));
        Page::read(&response.body).expect("a page")
    }

    /// All ids of a walk that begins at a target, in order, and the number of its pages.
    pub(crate) fn walk(&mut self, target: &str) -> (Vec<u64>, usize) {
        let (mut ids, mut pages, mut page) = (Vec::new(), 1, self.page(target));
        loop {
            ids.extend(page.ids());
            let Some(cursor) = page.cursor else { return (ids, pages) };
            assert!(pages < 1000, "the walk does not end");
            pages += 1;
            page = self.page(&format!("{target}&cursor={}", escape(&cursor)));
        }
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>, deadline: Instant) -> Result<usize, Failure> {
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    stream.set_read_timeout(Some(left)).unwrap();
    let mut part = [0; 1 << 16];
    match stream.read(&mut part) {
        Ok(count) => {
            buffer.extend_from_slice(&part[..count]);
            Ok(count)
        }
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(Failure::Reset),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(Failure::TimedOut)
        }
        Err(error) => panic!("{error}"),
    }
}

/// The body of chunks, if the last one is there.
fn unchunk(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = text.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(str::from_utf8(&text[..line]).unwrap(), 16).unwrap();
        let chunk = text.get(line + 2..line + 2 + size)?;
        text = text.get(line + 4 + size..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
    }
}

/// Percent-encodes what base64 has and a query has not.
pub(crate) fn escape(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// A page, its records as their exact text.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<String>,
    pub(crate) cursor: Option<String>,
}

impl Page {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let page: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
        let records: Vec<Box<RawValue>> = serde_json::from_str(page.get("trails")?.get()).ok()?;
        let mut cursor: Value = Value::Null;
        if let Some(next) = page.get("nextCursor") {
            cursor = serde_json::from_str(next.get()).ok()?;
        }
        if let Some(meta) = page.get("meta") {
            cursor = serde_json::from_str::<Value>(meta.get()).ok()?["nextCursor"].clone();
        }
        let cursor = match cursor {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let records = records.iter().map(|record| record.get().to_owned()).collect();
        Some(Self { records, cursor })
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.values().iter().map(|record| record["id"].as_u64().unwrap()).collect()
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        self.records.iter().map(|record| serde_json::from_str(record).unwrap()).collect()
    }
}
