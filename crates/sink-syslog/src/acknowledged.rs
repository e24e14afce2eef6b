//! Whether the other machine has acknowledged every byte of a connection, which the kernel knows and `write` does not
//! wait for.
//!
//! Asked is `TCP_INFO` (tcp(7)), which shows the state of the connection and the bytes on their way at one moment.
//! `SIOCOUTQ` would show the bytes alone, and they are none as well once a connection is broken.

use std::io;
use std::os::fd::AsFd;

// The macro below names it.
use nix::libc;
use nix::sys::socket::GetSockOpt;
use nix::sys::socket::sockopt::GetStruct;

/// How many words of the kernel's `struct tcp_info` are read: up to and with `tcpi_notsent_bytes`, which Linux has since 4.6.
const WORDS: usize = 37;

/// `tcpi_unacked`: segments that were sent and not acknowledged.
const UNACKED: usize = 6;

/// `tcpi_notsent_bytes`: bytes that were not sent yet, for instance because the window is full.
const NOT_SENT: usize = 36;

/// `TCP_ESTABLISHED`: neither side has closed.
const ESTABLISHED: u8 = 1;

#[derive(Clone, Copy, Debug)]
struct TcpInfo;
nix::getsockopt_impl!(TcpInfo, libc::IPPROTO_TCP, libc::TCP_INFO, [u32; WORDS], GetStruct<[u32; WORDS]>);

/// What the kernel knows about the bytes that were written to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// The other machine has all of them.
    Acknowledged,
    /// Some are on their way.
    Outstanding,
    /// The connection is closed, or the other side closes it: no telling.
    Unknown,
}

/// Asks the kernel.
pub(crate) fn ask(socket: &impl AsFd) -> io::Result<Bytes> {
    let info = TcpInfo.get(socket)?;
    // The first byte is `tcpi_state`.
    Ok(match info[0].to_ne_bytes()[0] {
        ESTABLISHED if info[UNACKED] == 0 && info[NOT_SENT] == 0 => Bytes::Acknowledged,
        ESTABLISHED => Bytes::Outstanding,
        _ => Bytes::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    fn wait_for(socket: &TcpStream, expected: Bytes) {
        let began = Instant::now();
        while ask(socket).unwrap() != expected {
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{:?} is not {expected:?}",
                ask(socket).unwrap()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn bytes_are_outstanding_while_the_window_is_full_and_unknown_once_it_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        assert_eq!(ask(&ours).unwrap(), Bytes::Acknowledged);
        ours.write_all(b"some").unwrap();
        wait_for(&ours, Bytes::Acknowledged);
        // Nobody reads: sooner or later the windows are full.
        ours.set_nonblocking(true).unwrap();
        let mut sent = 4;
        while let Ok(bytes) = ours.write(&[b'x'; 65536]) {
            sent += bytes;
        }
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(ask(&ours).unwrap(), Bytes::Outstanding);
        let mut received = vec![0; sent];
        theirs.read_exact(&mut received).unwrap();
        wait_for(&ours, Bytes::Acknowledged);
        drop(theirs);
        wait_for(&ours, Bytes::Unknown);
    }
}
