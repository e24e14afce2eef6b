//! As much of HTTP/1.1 as a client of an API needs: one request after the other on a connection, bodies of a known length.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::service::Service;

/// A request.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) delivery: Delivery,
    /// It goes out so much later.
    pub(super) latency: Duration,
    pub(super) gzip: bool,
}

/// How an answer gets to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Whole,
    /// Only half of the body leaves, then the connection ends.
    Cut,
    /// Nothing leaves, and the connection is reset.
    Reset,
}

impl Reply {
    pub(super) fn json(status: u16, body: String) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.into_bytes(),
            delivery: Delivery::Whole,
            latency: Duration::ZERO,
            gzip: false,
        }
    }

    pub(super) fn with(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }
}

/// Accepts connections until dropped, and drops them then.
pub(super) async fn serve(listener: TcpListener, service: Arc<Mutex<Service>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve_connection(stream, service.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Until the client closes, or is at fault: what it has not read it has not seen.
async fn serve_connection(mut stream: TcpStream, service: Arc<Mutex<Service>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        };
        let text = String::from_utf8_lossy(&read[..head]).into_owned();
        let mut lines = text.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        while read.len() < head + length {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: read[head..head + length].to_vec(),
        };
        read.drain(..head + length);
        let mut reply = service.lock().unwrap_or_else(PoisonError::into_inner).answer(&call);
        if !reply.latency.is_zero() {
            tokio::time::sleep(reply.latency).await;
        }
        if reply.delivery == Delivery::Reset {
            // Without it the reset is a close.
            stream.set_zero_linger()?;
            return Ok(());
        }
        if reply.gzip && call.header("accept-encoding").is_some_and(|takes| takes.contains("gzip")) {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&reply.body)?;
            reply.body = encoder.finish()?;
            reply.headers.push(("content-encoding".into(), "gzip".into()));
        }
        let mut answer = format!("HTTP/1.1 {} -\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            answer += &format!("{name}: {value}\r\n");
        }
        let is_cut = reply.delivery == Delivery::Cut;
        let body = if is_cut { &reply.body[..reply.body.len() / 2] } else { &reply.body[..] };
        stream.write_all((answer + "\r\n").as_bytes()).await?;
        // In pieces, as it comes over a network.
        for piece in body.chunks(body.len() / 5 + 1) {
            tokio::task::yield_now().await;
            stream.write_all(piece).await?;
        }
        if is_cut {
            return Ok(());
        }
    }
}
