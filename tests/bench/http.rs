//! `towpath run` into endpoints on loopback that acknowledge at once (any, Splunk's, Elasticsearch's), and into one that is
//! dead.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

use flate2::bufread::{GzDecoder, MultiGzDecoder};
use serde_json::Value;

use crate::collect::World;
use crate::process::{measure, memory, peak_memory, stop};

/// Records to deliver.
const RECORDS: usize = 200_000;

/// How often one and two sinks are compared.
const ROUNDS: usize = 3;

/// What is answered to a request, by its first line and its body; nothing when it brings no events.
type Answer = fn(&str, &[u8]) -> (bool, String);

/// An endpoint that says yes.
fn plainly(_: &str, _: &[u8]) -> (bool, String) {
    (true, String::new())
}

/// HTTP Event Collector, which has indexed everything by the time it is asked. A channel has one write at a time, so that one
/// number does for all.
fn as_splunk(line: &str, _: &[u8]) -> (bool, String) {
    match line.contains("/ack") {
        true => (false, r#"{"acks":{"0":true}}"#.to_owned()),
        false => (true, r#"{"text":"Success","code":0,"ackId":0}"#.to_owned()),
    }
}

/// `_bulk`, which has created every document.
fn as_elasticsearch(_: &str, body: &[u8]) -> (bool, String) {
    let mut text = Vec::new();
    let body = match body.starts_with(&[0x1f, 0x8b]) {
        true => {
            GzDecoder::new(body).read_to_end(&mut text).expect("the body is gzip");
            &text
        }
        false => body,
    };
    let documents = memchr::memchr_iter(b'\n', body).count() / 2;
    let items = vec![r#"{"create":{"status":201}}"#; documents].join(",");
    (true, format!(r#"{{"errors":false,"items":[{items}]}}"#))
}

/// A store of objects, which lists none.
fn as_s3(line: &str, _: &[u8]) -> (bool, String) {
    match line.starts_with("put ") {
        true => (true, String::new()),
        false => (false, "<ListBucketResult/>".to_owned()),
    }
}

/// Every body with events, as it came.
type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

/// Answers, and keeps the bodies in memory: writing them to a disk would cost several times what receiving them does.
struct Receiver {
    url: String,
    bodies: Bodies,
}

impl Receiver {
    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let bodies = Bodies::default();
        let kept = bodies.clone();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let bodies = kept.clone();
                spawn(move || serve(stream, &bodies, answer));
            }
        });
        Self { url, bodies }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.bodies.lock().expect("no defect"))
    }
}

fn serve(mut stream: TcpStream, bodies: &Mutex<Vec<Vec<u8>>>, answer: Answer) -> Option<()> {
    let mut input = BufReader::with_capacity(256 << 10, stream.try_clone().ok()?);
    loop {
        let (mut length, mut first) = (0, String::new());
        loop {
            let mut line = String::new();
            if input.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = Vec::with_capacity(length);
        if input.by_ref().take(length as u64).read_to_end(&mut body).ok()? < length {
            return None;
        }
        let (has_events, text) = answer(&first, &body);
        if has_events {
            bodies.lock().ok()?.push(body);
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
        stream.write_all((head + &text).as_bytes()).ok()?;
    }
}

/// API → endpoints that acknowledge at once, plain and compressed.
pub(crate) fn throughput(towpath: &Path, work: &Path) {
    let keys = |url: &str| format!("type: http, url: \"{url}/events\"");
    deliver(towpath, work, "http", keys, plainly);
    let keys = |url: &str| format!("type: splunk_hec, url: \"{url}\", token: t");
    deliver(towpath, work, "splunk_hec", keys, as_splunk);
    let keys = |url: &str| format!("type: elasticsearch, schema: ocsf, index: audit, urls: [ \"{url}\" ]");
    deliver(towpath, work, "elasticsearch", keys, as_elasticsearch);
    let keys = |url: &str| {
        format!(
            "type: s3, bucket: bench, region: us-east-1, endpoint: \"{url}\", path_style: true, \
             credentials: {{ access_key_id: bench, secret_access_key: bench-secret }}"
        )
    };
    deliver(towpath, work, "s3", keys, as_s3);
    second(towpath, work);
}

/// What a second sink costs that takes the same encoding.
fn second(towpath: &Path, work: &Path) {
    println!("two sinks: {RECORDS} records, OCSF, to one and to two receivers on loopback, in turn");
    // The difference is smaller than what one run differs from the next by: the best of each counts.
    let mut best = [f64::INFINITY; 2];
    for sinks in [1, 2].repeat(ROUNDS) {
        let world = World::new(work, &format!("sinks-{sinks}"), RECORDS);
        let receivers: Vec<_> = (0..sinks).map(|_| Receiver::start(plainly)).collect();
        let keys = |receiver: &Receiver| format!("type: http, url: \"{}/events\"", receiver.url);
        // `configure` writes a block of one sink; each further one begins behind it.
        let all = receivers.iter().map(keys).collect::<Vec<_>>().join(" }\n  another: { ");
        let config = world.configure(&all);
        let cost = measure(&mut world.command(towpath, &config, true));
        let events = receivers.iter().map(|receiver| validate(&world, receiver.bodies(), "none")).min();
        let events = events.unwrap_or(0);
        println!("  {sinks}     {}", cost.figures(events));
        best[sinks - 1] = best[sinks - 1].min(cost.cpu_per_million(events));
        fs::remove_dir_all(&world.dir).expect("the directory is ours");
    }
    println!(
        "  the second sink adds {:.0} % to what collecting and the first one cost\n",
        (best[1] / best[0] - 1.0) * 100.0
    );
}

fn deliver(towpath: &Path, work: &Path, name: &str, keys: impl Fn(&str) -> String, answer: Answer) {
    println!("{name}: {RECORDS} records, OCSF, to a receiver on loopback that acknowledges at once");
    for compression in ["none", "gzip"] {
        let world = World::new(work, &format!("{name}-{compression}"), RECORDS);
        let receiver = Receiver::start(answer);
        let config = world.configure(&format!("{}, compression: {compression}", keys(&receiver.url)));
        let cost = measure(&mut world.command(towpath, &config, true));
        let events = validate(&world, receiver.bodies(), compression);
        println!("  {compression:<5} {}", cost.figures(events));
        fs::remove_dir_all(&world.dir).expect("the directory is ours");
    }
    println!();
}

/// The bodies hold every record of the API; returns how many events they hold.
fn validate(world: &World, bodies: Vec<Vec<u8>>, compression: &str) -> u64 {
    let mut ids = BTreeSet::new();
    let mut events = 0;
    for body in bodies {
        let text = match compression {
            "gzip" => {
                let mut text = Vec::new();
                MultiGzDecoder::new(&body[..]).read_to_end(&mut text).expect("each body is gzip");
                text
            }
            _ => body,
        };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if line.starts_with(b"{\"create\"") {
                continue;
            }
            let line: Value = serde_json::from_slice(line).expect("each line is JSON");
            // Splunk's envelope, or the event itself.
            let event = line.get("event").unwrap_or(&line);
            ids.extend(event["metadata"]["original_event_uid"].as_str().map(str::to_owned));
            events += 1;
        }
    }
    assert!(ids == world.api.all_ids(), "{} of {RECORDS} records", ids.len());
    events
}

/// Memory while many records wait behind a destination that is gone.
pub(crate) fn dead(towpath: &Path, work: &Path) {
    let world = World::new(work, "http-dead", RECORDS);
    // Bound and closed again: nobody listens.
    let address =
        TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a free port");
    let config = world.configure(&format!("type: http, url: \"http://{address}/events\""));
    let child = world.command(towpath, &config, false).spawn().expect("towpath starts");
    let mut requests = 0;
    loop {
        sleep(Duration::from_secs(3));
        let now = world.api.requests().len();
        if now == requests && now > 0 {
            break;
        }
        requests = now;
    }
    println!(
        "http: {RECORDS} records behind a dead destination: the source stops after {requests} pages, RSS {:.1} MiB, peak {:.1} MiB\n",
        memory(&child) as f64 / 1024.0,
        peak_memory(&child) as f64 / 1024.0,
    );
    stop(child);
}
