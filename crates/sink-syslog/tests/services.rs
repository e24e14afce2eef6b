//! The sink against rsyslog and syslog-ng, started by `tests/services/syslog.sh`:
//!
//! ```sh
//! tests/services/syslog.sh start rsyslog /tmp/rsyslog
//! tests/services/syslog.sh start syslog-ng /tmp/syslog-ng
//! TOWPATH_RSYSLOG=/tmp/rsyslog TOWPATH_SYSLOG_NG=/tmp/syslog-ng cargo test -p sink-syslog --test services -- --ignored --test-threads 1
//! ```
//!
//! A server whose variable is not set is left out. `SYSLOG_PORT` is its first port, if it is not the script's own choice; then
//! only one of them can be asked.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // Test helpers, and the figures that are asked for.

#[path = "all/events.rs"]
mod events;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pipeline::{Outcome, Sink, SinkError};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sink_syslog::{SyslogConfig, SyslogSink};
use tokio::time::sleep;

use crate::events::{text, write};

/// Longest time that a receiver may take to write down what it has.
const LONGEST: Duration = Duration::from_secs(20);

struct Server {
    name: &'static str,
    dir: PathBuf,
    port: u16,
    /// Bytes that it had written down when the last numbers were given out.
    before: AtomicUsize,
}

impl Server {
    fn rsyslog() -> Option<Self> {
        let dir = std::env::var_os("TOWPATH_RSYSLOG")?.into();
        Some(Self { name: "rsyslog", dir, port: port(26514), before: AtomicUsize::default() })
    }

    fn syslog_ng() -> Option<Self> {
        let dir = std::env::var_os("TOWPATH_SYSLOG_NG")?.into();
        Some(Self { name: "syslog-ng", dir, port: port(27514), before: AtomicUsize::default() })
    }

    /// Each way to it: the configuration of the sink, and a word for it.
    fn ways(&self) -> Vec<(&'static str, Value)> {
        let mutual = json!({
            "ca_file": self.dir.join("ca.pem"),
            "cert_file": self.dir.join("client.crt"),
            "key_file": self.dir.join("client.key"),
        });
        let tls = json!({"ca_file": self.dir.join("ca.pem")});
        let way = |scheme: &str, offset: u16| format!("{scheme}://localhost:{}", self.port + offset);
        let (udp, lines) = (format!("udp://127.0.0.1:{}", self.port), way("tcp", self.lines()));
        let mut ways = vec![
            ("tcp", json!({"address": format!("tcp://127.0.0.1:{}", self.port)})),
            ("tls", json!({"address": way("tls", 1), "tls": tls})),
            ("mtls", json!({"address": way("tls", 2), "tls": mutual})),
            ("lines", json!({"address": lines, "framing": "lf"})),
            ("lines of RFC 3164", json!({"address": lines, "framing": "lf", "format": "rfc3164"})),
            ("udp", json!({"address": udp, "max_bytes": "32KiB"})),
            ("udp with RFC 3164", json!({"address": udp, "max_bytes": "32KiB", "format": "rfc3164"})),
        ];
        if self.name == "rsyslog" {
            ways.push(("relp", json!({"address": way("relp", 3)})));
            ways.push(("relp+tls", json!({"address": way("relp+tls", 4), "tls": mutual})));
        }
        for (_, way) in &mut ways {
            way["timeout"] = json!("3s");
            way["hostname"] = json!("forwarder.example.com");
            if way["max_bytes"].is_null() {
                way["max_bytes"] = json!("512KiB");
            }
        }
        ways
    }

    /// Where lines go, from its first port on. rsyslog tells them from counted octets by itself.
    fn lines(&self) -> u16 {
        if self.name == "rsyslog" { 0 } else { 3 }
    }

    fn way(&self, name: &str) -> Value {
        self.ways().into_iter().find(|(word, _)| *word == name).unwrap().1
    }

    /// What it has written down since numbers were given out, whole lines only.
    fn received(&self) -> Vec<Value> {
        let text = self.file();
        let lines = text[self.before.load(Ordering::Relaxed)..].split(|byte| *byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    fn file(&self) -> Vec<u8> {
        std::fs::read(self.dir.join("received.jsonl")).unwrap_or_default()
    }

    /// Numbers that no other run of a test on this server has used.
    fn fresh(&self, count: u32) -> Range<u32> {
        self.before.store(self.file().len(), Ordering::Relaxed);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let first = (now.as_millis() % 80_000_000) as u32 * 50;
        first..first + count
    }

    /// How often it has each of these events.
    fn counts(&self, numbers: Range<u32>) -> HashMap<u32, usize> {
        let mut counts = HashMap::new();
        for line in self.received() {
            let number = number(&line);
            if let Some(number) = number.filter(|number| numbers.contains(number)) {
                *counts.entry(number).or_default() += 1;
            }
        }
        counts
    }

    async fn until_it_has(&self, numbers: Range<u32>) -> HashMap<u32, usize> {
        let began = Instant::now();
        loop {
            let counts = self.counts(numbers.clone());
            if counts.len() == numbers.len() || began.elapsed() > LONGEST {
                return counts;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.dir.join("pid")).unwrap().trim().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn script(&self, verb: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/services/syslog.sh");
        let status = Command::new(script).args([verb, self.name]).arg(&self.dir).status().unwrap();
        assert!(status.success(), "{verb} {}", self.name);
    }
}

/// The first port of a server, which the tests and the script have to agree on.
fn port(usual: u16) -> u16 {
    std::env::var("SYSLOG_PORT").map_or(usual, |port| port.parse().unwrap())
}

/// The event's number, by its id or, where there is none, by its text.
fn number(line: &Value) -> Option<u32> {
    if let Some((_, id)) = line["data"].as_str().unwrap_or_default().split_once("event_id=\"") {
        return Some(u32::from_str_radix(&id[..16], 16).unwrap());
    }
    let event: Value = serde_json::from_str(line["msg"].as_str()?).ok()?;
    event["n"].as_u64()?.try_into().ok()
}

fn servers() -> Vec<Server> {
    let servers: Vec<Server> = [Server::rsyslog(), Server::syslog_ng()].into_iter().flatten().collect();
    assert!(!servers.is_empty(), "neither TOWPATH_RSYSLOG nor TOWPATH_SYSLOG_NG names a directory");
    servers
}

fn sink(config: &Value) -> SyslogSink {
    let config: SyslogConfig = serde_json::from_value(config.clone()).unwrap();
    SyslogSink::new(config.validate().unwrap())
}

/// Writes until all is taken, as the runtime does; counts what had to come again.
async fn settle(sink: &SyslogSink, numbers: Range<u32>, padding: usize) -> usize {
    let mut again = 0;
    let mut left: Vec<u32> = numbers.collect();
    while !left.is_empty() {
        let mut events = pipeline::Write::default();
        for number in &left {
            let one = write(*number..*number + 1, padding);
            events.push(one.parts()[0].0.clone(), 0..1);
        }
        match sink.write(&events).await {
            Ok(Outcome { retry, rejected, .. }) => {
                assert!(rejected.is_empty(), "{rejected:?}");
                left = retry.iter().map(|index| left[*index as usize]).collect();
            }
            Err(SinkError::Transient { .. }) => sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other}: {:?}", std::error::Error::source(&other)),
        }
        again += left.len();
    }
    again
}

#[tokio::test]
#[ignore = "needs rsyslog and syslog-ng"]
async fn messages_arrive_as_they_were_sent() {
    for server in servers() {
        for (word, config) in server.ways() {
            let (is_udp, is_old) = (word.starts_with("udp"), word.ends_with("3164"));
            let sink = sink(&config);
            sink.check().await.unwrap();
            let numbers = server.fresh(if is_udp { 1010 } else { 60 });
            let (small, large) = (numbers.start..numbers.end - 10, numbers.end - 10..numbers.end);
            if is_udp {
                // In pieces that fit into the receiver's buffer: what does not is lost, and nobody hears of it.
                for first in small.clone().step_by(50).chain([large.start]) {
                    let piece = first..numbers.end.min(first + if first < small.end { 50 } else { 10 });
                    settle(&sink, piece.clone(), if first < small.end { 0 } else { 9_000 }).await;
                    server.until_it_has(piece).await;
                }
            } else {
                settle(&sink, small.clone(), 0).await;
                settle(&sink, large, 100_000).await;
            }
            sink.close().await;
            let counts = server.until_it_has(numbers.clone()).await;
            assert_eq!(counts.len(), numbers.len(), "{} {word}", server.name);
            assert!(counts.values().all(|times| *times == 1), "{counts:?}");
            let mut seen = 0;
            for line in server.received() {
                let Some(number) = number(&line).filter(|number| small.contains(number)) else { continue };
                seen += 1;
                let msg = line["msg"].as_str().unwrap();
                assert_eq!(
                    (&line["host"], &line["app"], &line["pri"]),
                    (&json!("forwarder.example.com"), &json!("towpath"), &json!("110")),
                    "{} {word}",
                    server.name
                );
                let time = line["time"].as_str().unwrap();
                if is_old {
                    // rsyslog keeps the blank behind the tag.
                    assert_eq!(msg.trim_start(), text(number, 0), "{} {word}", server.name);
                    // The year is a guess of the receiver's.
                    assert!(time.contains("-11-20T09:05:23"), "{line}");
                    continue;
                }
                assert_eq!(msg, text(number, 0), "{} {word}", server.name);
                assert_eq!(line["msgid"], json!("user.login"));
                assert!(time.starts_with("2026-11-20T09:05:23.12"), "{line}");
                let id = format!("{:032x}", u128::from(number) << 64 | 7);
                assert!(line["data"].as_str().unwrap().contains(&format!("event_id=\"{id}\"")), "{line}");
            }
            assert_eq!(seen, small.len());
            eprintln!("{} {word}: {} messages, each once and as sent", server.name, numbers.len());
        }
    }
}

#[tokio::test]
#[ignore = "needs rsyslog and syslog-ng"]
async fn without_a_client_certificate_nothing_counts() {
    for server in servers() {
        let file = |name: &str| server.dir.join(name);
        let ways: &[&str] = if server.name == "rsyslog" { &["mtls", "relp+tls"] } else { &["mtls"] };
        for word in ways {
            for (whose, tls) in [
                ("none", json!({"ca_file": file("ca.pem")})),
                (
                    "a stranger's",
                    json!({"ca_file": file("ca.pem"), "cert_file": file("stranger.crt"), "key_file": file("stranger.key")}),
                ),
            ] {
                let mut config = server.way(word);
                config["tls"] = tls;
                let numbers = server.fresh(20);
                for number in numbers.clone() {
                    let result = sink(&config).write(&write(number..number + 1, 0)).await;
                    let is_told = matches!(&result, Err(SinkError::Paused { reason: "tls", remedy, .. }) if remedy.contains("tls.cert_file"));
                    assert!(is_told, "{} {word} {whose}: {result:?}", server.name);
                    if number == numbers.start {
                        let Err(SinkError::Paused { remedy, source, .. }) = result else { continue };
                        eprintln!("{} {word}, {whose}: {source}; {remedy}", server.name);
                    }
                }
                sleep(Duration::from_millis(300)).await;
                assert_eq!(server.counts(numbers).len(), 0);
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs rsyslog and syslog-ng"]
async fn what_is_wrong_is_told() {
    for server in servers() {
        let (closed, plain) = (server.port + 9, server.port);
        for (config, words) in [
            (json!({"address": format!("tcp://127.0.0.1:{closed}")}), "that the receiver listens there"),
            (
                json!({"address": format!("relp://127.0.0.1:{plain}"), "timeout": "2s"}),
                "does not answer RELP",
            ),
            (json!({"address": format!("tls://localhost:{plain}"), "timeout": "2s"}), "`address`"),
            (json!({"address": format!("tls://localhost:{}", plain + 1)}), "tls.ca_file"),
        ] {
            let error = sink(&config).check().await.expect_err("something is wrong").to_string();
            assert!(error.contains(words), "{} {config}: {error}", server.name);
        }
    }
}

/// A receiver that is stopped, continued, killed and started again in the middle. Over RELP nothing is lost that it has
/// not lost itself; over TCP what it had in its buffers is.
#[tokio::test]
#[ignore = "needs rsyslog and syslog-ng"]
async fn a_receiver_that_is_stopped_and_killed() {
    const WRITES: u32 = 40;
    for server in servers() {
        let words: &[&str] = match server.name {
            "rsyslog" => &["relp", "relp+tls", "tcp", "tls"],
            _ => &["tcp", "tls"],
        };
        for word in words {
            for last in [Signal::TERM, Signal::KILL] {
                let sink = sink(&server.way(word));
                let numbers = server.fresh(20_000);
                let mut again = 0;
                for turn in 0..WRITES {
                    let first = numbers.start + turn * 500;
                    let writing = settle(&sink, first..first + 500, 200);
                    let trouble = async {
                        match turn {
                            10 => {
                                server.signal(Signal::STOP);
                                sleep(Duration::from_millis(500)).await;
                                server.signal(Signal::CONT);
                            }
                            20 => {
                                sleep(Duration::from_millis(2)).await;
                                server.signal(last);
                                sleep(Duration::from_millis(300)).await;
                                server.script("stop");
                                server.script("start");
                            }
                            _ => {}
                        }
                    };
                    again += tokio::join!(writing, trouble).0;
                }
                let counts = server.until_it_has(numbers.clone()).await;
                let (lost, twice) =
                    (numbers.len() - counts.len(), counts.values().filter(|times| **times > 1).count());
                eprintln!("{} {word}, {last:?}: lost {lost}, twice {twice}, sent again {again}", server.name);
                // With a queue in memory, which is how it is installed, rsyslog says yes before it has written anything.
                let keeps = word.starts_with("relp")
                    && (last == Signal::TERM || std::env::var_os("SYSLOG_QUEUE").is_some());
                assert!(!keeps || lost == 0, "{} {word} {last:?}: {lost} are lost", server.name);
            }
        }
    }
}

/// A write that is given up while the receiver does not read takes nothing away that was taken before, and leaves no half
/// of a message where octets are counted.
#[tokio::test]
#[ignore = "needs rsyslog and syslog-ng"]
async fn a_write_that_is_given_up() {
    for server in servers() {
        for word in ["lines", "tcp"] {
            let sink = sink(&server.way(word));
            let numbers = server.fresh(600);
            settle(&sink, numbers.start..numbers.start + 50, 0).await;
            server.signal(Signal::STOP);
            settle(&sink, numbers.start + 50..numbers.start + 100, 0).await;
            let large = write(numbers.start + 100..numbers.end, 50_000);
            let given_up = tokio::time::timeout(Duration::from_millis(500), sink.write(&large)).await;
            assert!(given_up.is_err(), "{given_up:?}");
            server.signal(Signal::CONT);
            let counts = server.until_it_has(numbers.start..numbers.start + 100).await;
            assert_eq!(counts.len(), 100, "{} {word}", server.name);
            sleep(Duration::from_millis(500)).await;
            let torn = server.received().into_iter().filter(|line| {
                let is_ours = line["data"].as_str().is_some_and(|data| data.contains("towpath@32473"));
                let ends = line["msg"].as_str().is_some_and(|msg| msg.ends_with('}'));
                is_ours != ends
            });
            let torn: Vec<String> = torn.map(|line| line.to_string().chars().take(200).collect()).collect();
            assert!(word == "lines" || torn.is_empty(), "{} {word}: {torn:?}", server.name);
            eprintln!("{} {word}: nothing lost, {} halves", server.name, torn.len());
        }
    }
}
