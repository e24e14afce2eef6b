//! One datagram a message, and no answer.

use std::io;

use pipeline::Reason;
use tokio::net::{UdpSocket, lookup_host};

use crate::address::Address;
use crate::failure::Failure;
use crate::message::Messages;

/// `EMSGSIZE`: longer than the way there carries.
const TOO_LONG: i32 = nix::libc::EMSGSIZE;

/// A socket that sends to one receiver.
pub(crate) async fn connect(address: &Address) -> Result<UdpSocket, Failure> {
    let server = address.to_string();
    let found = lookup_host((address.host.as_str(), address.port)).await;
    let found = found.map_err(|source| Failure::Name { server: server.clone(), source })?;
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in found {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await;
        match socket {
            Ok(socket) => match socket.connect(address).await {
                Ok(()) => return Ok(socket),
                Err(error) => last = error,
            },
            Err(error) => last = error,
        }
    }
    Err(Failure::Connect { server, source: last })
}

/// Sends them, and says which could not be sent because of their size. An error is what this machine knows, or what another
/// one has said of an earlier datagram: which of them have arrived is not known in any case.
pub(crate) async fn deliver(
    socket: &UdpSocket,
    address: &Address,
    messages: &Messages,
) -> Result<Vec<(u32, Reason)>, Failure> {
    let lost = |source| Failure::Connect { server: address.to_string(), source };
    let mut refused = Vec::new();
    for (number, event) in messages.events.iter().enumerate() {
        match socket.send(messages.get(number)).await {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(TOO_LONG) => {
                let detail =
                    "its message is longer than a datagram on the way there can be; lower `max_bytes`".into();
                refused.push((*event, Reason { kind: "too_large", detail }));
            }
            Err(error) => return Err(lost(error)),
        }
    }
    match socket.take_error() {
        Ok(None) => Ok(refused),
        Ok(Some(error)) | Err(error) => Err(lost(error)),
    }
}
