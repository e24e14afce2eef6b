//! `towpath run` into a syslog receiver on loopback that reads as fast as it can: TCP, counted octets.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::{JoinHandle, spawn};

use serde_json::Value;

use crate::collect::World;
use crate::process::measure;

/// Records to deliver.
const RECORDS: usize = 200_000;

/// About how large a message is, so that room for all is there from the beginning.
const EVENT_BYTES: usize = 2048;

/// Keeps what each connection says in memory: writing it to a disk would cost several times what receiving it does.
struct Receiver {
    address: String,
    accepting: JoinHandle<Vec<JoinHandle<Vec<u8>>>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let accepting = spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming().flatten() {
                // A connection that says this is ours, and the last one.
                if stream.peer_addr().is_ok_and(|peer| peer.ip().is_ipv4()) && is_goodbye(&stream) {
                    break;
                }
                connections.push(spawn(move || read(stream)));
            }
            connections
        });
        Self { address, accepting }
    }

    /// What came, once all connections have ended.
    fn end(self) -> Vec<Vec<u8>> {
        let mut goodbye = TcpStream::connect(&self.address).expect("it listens");
        goodbye.write_all(b"!").expect("it reads");
        let connections = self.accepting.join().expect("no defect");
        connections.into_iter().map(|connection| connection.join().expect("no defect")).collect()
    }
}

fn is_goodbye(stream: &TcpStream) -> bool {
    let mut first = [0];
    stream.peek(&mut first).is_ok_and(|length| length == 1) && first == *b"!"
}

/// All that comes until the connection ends, in whatever way.
fn read(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORDS * EVENT_BYTES);
    drop(stream.read_to_end(&mut bytes));
    bytes
}

/// API → receiver, as JSON and as CEF.
pub(crate) fn throughput(towpath: &Path, work: &Path) {
    println!("syslog: {RECORDS} records, OCSF, over TCP to a receiver on loopback");
    for body in ["json", "cef"] {
        let world = World::new(work, &format!("syslog-{body}"), RECORDS);
        let receiver = Receiver::start();
        let address = &receiver.address;
        let config = world.configure(&format!(
            "type: syslog, address: \"tcp://{address}\", body: {body}, max_bytes: 64KiB"
        ));
        let cost = measure(&mut world.command(towpath, &config, true));
        let events = validate(&world, &receiver.end());
        println!("  {body:<5} {}", cost.figures(events));
        fs::remove_dir_all(&world.dir).expect("the directory is ours");
    }
    println!();
}

/// The messages hold every record of the API; returns how many there are.
fn validate(world: &World, streams: &[Vec<u8>]) -> u64 {
    let mut ids = BTreeSet::new();
    let mut events = 0;
    for stream in streams {
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let blank = rest.iter().position(|byte| *byte == b' ').expect("a length");
            let length: usize =
                std::str::from_utf8(&rest[..blank]).expect("digits").parse().expect("a number");
            let (message, after) = rest[blank + 1..].split_at(length);
            let text = std::str::from_utf8(message).expect("UTF-8");
            let body = match text.split_once(" rawEvent=") {
                Some((_, escaped)) => escaped.replace("\\=", "=").replace("\\\\", "\\"),
                None => text[text.find("] {").expect("a body") + 2..].to_owned(),
            };
            let event: Value = serde_json::from_str(&body).expect("each body is JSON");
            ids.extend(event["metadata"]["original_event_uid"].as_str().map(str::to_owned));
            events += 1;
            rest = after;
        }
    }
    assert!(ids == world.api.all_ids(), "{} of {RECORDS} records", ids.len());
    events
}
