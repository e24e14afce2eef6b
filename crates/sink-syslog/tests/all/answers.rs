//! Our own receiver of RELP against rsyslog: the same odd conversations with both, and the same answers, by number and status,
//! and the same end. A difference is a defect of ours.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::receiver::{Protocol, Receiver};

/// So long a receiver has nothing more to say.
const QUIET: Duration = Duration::from_millis(700);

fn frame(number: u32, command: &str, data: &str) -> String {
    let blank = if data.is_empty() { "" } else { " " };
    format!("{number} {command} {}{blank}{data}\n", data.len())
}

/// What is odd about it, and what is sent.
fn conversations() -> Vec<(&'static str, Vec<String>)> {
    let open = |number| frame(number, "open", "relp_version=0\nrelp_software=odd,1\ncommands=syslog");
    let message = |number| {
        let data = r#"[towpath@32473 event_id="00000000000000000000000000000001"]"#;
        frame(
            number,
            "syslog",
            &format!("<110>1 2023-11-14T22:13:20.123Z odd towpath - user.login {data} {{}}"),
        )
    };
    vec![
        ("a message", vec![open(1), message(2), message(3)]),
        ("a close", vec![open(1), message(2), frame(3, "close", "")]),
        ("a message before the session", vec![message(1)]),
        ("two sessions in one", vec![open(1), open(2)]),
        ("an unknown command", vec![open(1), frame(2, "frobnicate", "x"), message(3)]),
        ("numbers with a gap", vec![open(1), message(7), message(8)]),
        ("a number twice", vec![open(1), message(2), message(2)]),
        ("a first number that is not 1", vec![open(5), message(6)]),
        ("no RELP", vec!["EHLO mail.example.com\r\n".to_owned()]),
        ("a length that is none", vec![open(1), "2 syslog many x\n".to_owned()]),
        ("a length that is too small", vec![open(1), "2 syslog 3 abcdef\n".to_owned()]),
    ]
}

/// Everything that a receiver says to this.
fn talk(server: SocketAddr, sent: &[String]) -> Vec<String> {
    let mut connection = TcpStream::connect(server).unwrap();
    connection.set_read_timeout(Some(QUIET)).unwrap();
    let mut heard = Vec::new();
    let mut said = Vec::new();
    let mut is_over = false;
    for piece in sent {
        // One that has hung up is heard of below.
        drop(connection.write_all(piece.as_bytes()));
        let mut space = [0; 4096];
        loop {
            match connection.read(&mut space) {
                Ok(0) => is_over = true,
                Ok(read) => {
                    heard.extend_from_slice(&space[..read]);
                    continue;
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => is_over = true,
            }
            break;
        }
        if is_over {
            break;
        }
    }
    let mut rest = &heard[..];
    while let Ok(Some(frame)) = crate::parse::relp(rest) {
        let status: String = String::from_utf8_lossy(&frame.data).chars().take(3).collect();
        said.push(format!("{} {} {status}", frame.number, frame.command).trim_end().to_owned());
        rest = &rest[frame.length..];
    }
    said.extend((!rest.is_empty()).then(|| String::from_utf8_lossy(rest).into_owned()));
    said.extend(is_over.then(|| "end".to_owned()));
    said
}

#[test]
#[ignore = "needs rsyslog: TOWPATH_RSYSLOG"]
fn our_receiver_answers_as_rsyslog_does() {
    let port = std::env::var("SYSLOG_PORT").map_or(26514, |port| port.parse().unwrap());
    let real = SocketAddr::from(([127, 0, 0, 1], port + 3));
    let mut differences = Vec::new();
    for (odd, sent) in conversations() {
        let ours = Receiver::start(Protocol::Relp, None);
        let (real, ours) = (talk(real, &sent), talk(ours.address, &sent));
        if real != ours {
            differences.push(format!("{odd}: real {real:?}, ours {ours:?}"));
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
