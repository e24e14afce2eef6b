//! The admin server, asked as anybody would ask it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Where nothing listens yet.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap()
}

/// Status and body; nothing when nobody answers.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: towpath\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The value of a metric, named with its labels as it is told: `towpath_sink_queue_events{sink="archive"}`.
pub(crate) fn metric(address: SocketAddr, series: &str) -> Option<f64> {
    let (_, text) = get(address, "/metrics").filter(|(status, _)| *status == 200)?;
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}
