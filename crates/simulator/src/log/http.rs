//! As much of HTTP/1.1 as a client of an API needs: one request after the other on a connection, bodies of a known length.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

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

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Only half of the body leaves, then the connection ends.
    pub(super) cut: bool,
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
        let reply = service.lock().unwrap_or_else(PoisonError::into_inner).answer(&call);
        let mut answer = format!("HTTP/1.1 {} -\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            answer += &format!("{name}: {value}\r\n");
        }
        let body = if reply.cut { &reply.body[..reply.body.len() / 2] } else { &reply.body[..] };
        stream.write_all((answer + "\r\n").as_bytes()).await?;
        // In pieces, as it comes over a network.
        for piece in body.chunks(body.len() / 5 + 1) {
            tokio::task::yield_now().await;
            stream.write_all(piece).await?;
        }
        if reply.cut {
            return Ok(());
        }
    }
}
