//! `towpath run` into a syslog receiver on loopback that reads as fast as it can: TCP, counted octets.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::{JoinHandle, spawn};

use serde_json::Value;

use crate::collect::World;
use crate::process::measure;

/// Records to deliver.
const RECORDS: usize = 200_000;

/// Keeps what each connection says in a file of its own.
struct Receiver {
    address: String,
    dir: PathBuf,
    accepting: JoinHandle<Vec<JoinHandle<()>>>,
}

impl Receiver {
    fn start(dir: &Path) -> Self {
        fs::create_dir(dir).expect("a directory");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let kept = dir.to_owned();
        let accepting = spawn(move || {
            let mut connections = Vec::new();
            for (number, stream) in listener.incoming().flatten().enumerate() {
                // A connection that says this is ours, and the last one.
                if stream.peer_addr().is_ok_and(|peer| peer.ip().is_ipv4()) && is_goodbye(&stream) {
                    break;
                }
                let file = File::create(kept.join(number.to_string())).expect("a file");
                connections.push(spawn(move || keep(stream, file)));
            }
            connections
        });
        Self { address, dir: dir.to_owned(), accepting }
    }

    /// What came, once all connections have ended.
    fn end(self) -> Vec<Vec<u8>> {
        let mut goodbye = TcpStream::connect(&self.address).expect("it listens");
        goodbye.write_all(b"!").expect("it reads");
        for connection in self.accepting.join().expect("no defect") {
            connection.join().expect("no defect");
        }
        let files = fs::read_dir(&self.dir).expect("the directory is ours");
        files.map(|file| fs::read(file.expect("a file").path()).expect("it can be read")).collect()
    }
}

fn is_goodbye(stream: &TcpStream) -> bool {
    let mut first = [0];
    stream.peek(&mut first).is_ok_and(|length| length == 1) && first == *b"!"
}

fn keep(mut stream: TcpStream, file: File) {
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let mut bytes = vec![0; 256 << 10];
    while let Ok(length @ 1..) = stream.read(&mut bytes) {
        file.write_all(&bytes[..length]).expect("the disk has room");
    }
}

/// API → receiver, as JSON and as CEF.
pub(crate) fn throughput(towpath: &Path, work: &Path) {
    println!("syslog: {RECORDS} records, OCSF, over TCP to a receiver on loopback");
    for body in ["json", "cef"] {
        let world = World::new(work, &format!("syslog-{body}"), RECORDS);
        let receiver = Receiver::start(&world.dir.join("received"));
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
