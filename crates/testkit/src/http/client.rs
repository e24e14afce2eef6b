//! Passing a request on.

use std::io;
use std::net::SocketAddr;

use hyper::HeaderMap;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Full, Request, read};

/// What a server has answered.
#[derive(Clone, Debug)]
pub struct Received {
    /// `200`
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The bytes of the connection.
    pub body: Vec<u8>,
}

/// Sends a request, as it is and with its headers, over a connection of its own, and reads the answer to its end.
///
/// # Errors
/// No connection, no answer, or one that ends before its end.
pub async fn send(server: SocketAddr, request: Request) -> io::Result<Received> {
    let stream = TcpStream::connect(server).await?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(io::Error::other)?;
    // It ends with the sender; its error is the request's as well.
    let connection = tokio::spawn(connection);
    let mut head = hyper::Request::new(Full(Some(request.body.into())));
    *head.method_mut() = request.method.parse().map_err(io::Error::other)?;
    *head.uri_mut() = request.target.parse().map_err(io::Error::other)?;
    *head.headers_mut() = request.headers;
    let (head, body) = sender.send_request(head).await.map_err(io::Error::other)?.into_parts();
    let body = read(body).await?;
    connection.abort();
    Ok(Received { status: head.status.as_u16(), headers: head.headers, body })
}

/// The same for callers that wait, from wherever they are: the request is sent from a thread of its own.
///
/// # Errors
/// Those of [`send`].
///
/// # Panics
/// When there can be no more threads.
pub fn call(server: SocketAddr, request: Request) -> io::Result<Received> {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send(server, request))
    };
    std::thread::scope(|scope| scope.spawn(work).join().expect("it does not panic"))
}
