//! The suite that every sink passes against rsyslog and syslog-ng, whose directories `TOWPATH_RSYSLOG` and
//! `TOWPATH_SYSLOG_NG` name (`tests/services/syslog.sh`), on the ports from `SYSLOG_PORT` on if that is set. Every case has a host name of its own. Certificates are judged by the
//! receivers themselves; a proxy of ours stands before them, goes away, and keeps messages or answers of RELP back. It makes up
//! none, and does not look into TLS.

#![allow(clippy::print_stderr)] // The report that is asked for.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pipeline::Sink;
use serde_json::{Value, json};
use testkit::sink::{CannotHappen, Delivery, Destination, Ended, Harness, Held, Patience, Trouble, Unheard};
use testkit::tcp::{Fate, Framing, Proxy, Way, as_it_comes, unread};

/// So long nothing may have moved before what a receiver has written down counts as all.
const QUIET: Duration = Duration::from_millis(80);

/// How messages go to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Tcp,
    /// RFC 3164, a line each, over TCP.
    Lines,
    Tls,
    Relp,
    RelpTls,
}

#[derive(Clone)]
struct ReceiverHarness {
    dir: PathBuf,
    /// Its first port.
    port: u16,
    /// Where it takes lines, from there on.
    lines: u16,
    carrier: Carrier,
    /// Whether the limit of a case is our own `max_bytes`.
    is_limited: bool,
    given: Arc<AtomicUsize>,
}

/// What the proxy does with RELP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Connections end at each message.
    Ends,
    /// The next connection with messages ends after two of them and their answers.
    TakesTwo,
    /// The answers to the next connection with messages are lost.
    Mute,
    Slow(Duration),
}

struct Passage {
    mood: Mood,
    /// The one with two messages, how many were sent and answered.
    cut_short: Option<(u64, usize, usize)>,
    mute: Option<u64>,
    /// When the last message of each connection went on.
    passed: HashMap<u64, Instant>,
}

struct Target {
    harness: ReceiverHarness,
    host: String,
    proxy: Proxy,
    passage: Arc<Mutex<Passage>>,
    max_bytes: AtomicUsize,
    written: Mutex<Written>,
}

/// What of the receiver's file was read.
struct Written {
    at: u64,
    rest: Vec<u8>,
    held: Held,
}

/// `TXNR SP COMMAND SP LENGTH [SP DATA] LF`
fn relp_frame(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..bytes.len().min(40))?;
    let ends: Vec<usize> = (0..head.len()).filter(|at| b" \n".contains(&head[*at])).take(3).collect();
    let [_, second, third] = ends[..] else { return None };
    let length: usize = std::str::from_utf8(&head[second + 1..third]).ok()?.parse().ok()?;
    let whole = if length == 0 { third + 1 } else { third + length + 2 };
    (bytes.len() >= whole).then_some(whole)
}

fn word(frame: &[u8], number: usize) -> &[u8] {
    frame.split(|byte| *byte == b' ').nth(number).unwrap_or_default()
}

impl Passage {
    fn relp(&mut self, connection: u64, way: Way, frame: Vec<u8>) -> Fate {
        let is_message = way == Way::ToServer && word(&frame, 1) == b"syslog";
        let is_answer = way == Way::ToClient && word(&frame, 1) == b"rsp";
        if let Some((cut, sent, answered)) = &mut self.cut_short
            && *cut == connection
        {
            if is_message {
                *sent += 1;
                return if *sent > 2 { Fate::Swallow } else { Fate::Pass(frame) };
            }
            *answered += usize::from(is_answer);
            return if *answered == 2 { Fate::PassAndCut(frame) } else { Fate::Pass(frame) };
        }
        if self.mute == Some(connection) && is_answer {
            return Fate::Swallow;
        }
        if !is_message {
            return Fate::Pass(frame);
        }
        match self.mood {
            Mood::Ends => return Fate::Cut,
            Mood::TakesTwo => {
                self.cut_short = Some((connection, 1, 0));
                self.mood = Mood::Well;
            }
            Mood::Mute => {
                self.mute = Some(connection);
                self.mood = Mood::Well;
            }
            // Those that come with it wait behind it.
            Mood::Slow(wait) => {
                let now = Instant::now();
                let passed = self.passed.insert(connection, now);
                if passed.is_none_or(|passed| now > passed + Duration::from_millis(20)) {
                    self.passed.insert(connection, now + wait);
                    return Fate::Late(wait, frame);
                }
            }
            Mood::Well => {}
        }
        Fate::Pass(frame)
    }
}

impl ReceiverHarness {
    fn new(dir: &std::ffi::OsStr, port: u16, lines: u16, carrier: Carrier) -> Self {
        Self { dir: dir.into(), port, lines, carrier, is_limited: false, given: Arc::default() }
    }

    fn at(&self, offset: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port + offset))
    }

    /// Where the carrier's messages go.
    fn server(&self) -> SocketAddr {
        self.at(match self.carrier {
            Carrier::Tcp => 0,
            Carrier::Lines => self.lines,
            Carrier::Tls => 2,
            Carrier::Relp => 3,
            Carrier::RelpTls => 4,
        })
    }
}

impl ReceiverHarness {
    /// Whether a thread of the receiver runs or waits for a processor or a disk: on a machine with much to do that may be
    /// long after it has read what it is to write down.
    fn is_at_work(&self) -> bool {
        let pid = std::fs::read_to_string(self.dir.join("pid")).unwrap();
        let threads = std::fs::read_dir(format!("/proc/{}/task", pid.trim())).unwrap();
        threads.flatten().any(|thread| {
            // The state stands behind the name, which is in brackets. A thread may end meanwhile.
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['R', 'D']))
        })
    }
}

#[async_trait]
impl Harness for ReceiverHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let passage = Passage { mood: Mood::Well, cut_short: None, mute: None, passed: HashMap::new() };
        let passage = Arc::new(Mutex::new(passage));
        let deciding = passage.clone();
        let (framing, is_relp): (Framing, bool) = match self.carrier {
            Carrier::Relp => (relp_frame, true),
            _ => (as_it_comes, false),
        };
        let proxy = Proxy::start(None, self.server(), framing, move |connection, way, frame| {
            if is_relp { deciding.lock().unwrap().relp(connection, way, frame) } else { Fate::Pass(frame) }
        });
        let at = std::fs::metadata(self.dir.join("received.jsonl")).map_or(0, |file| file.len());
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        Box::new(Target {
            host: format!("case-{}-{:?}-{number:04}", std::process::id(), self.carrier),
            harness: self.clone(),
            proxy,
            passage,
            max_bytes: AtomicUsize::new(3 << 19),
            written: Mutex::new(Written { at, rest: Vec::new(), held: Held::default() }),
        })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }

    fn patience(&self) -> Patience {
        Patience { factor: 3, ..Patience::default() }
    }
}

impl Target {
    fn mood(&self, mood: Mood) {
        self.passage.lock().unwrap().mood = mood;
    }

    /// Connections from now on go to another port of the receiver.
    fn moved(&self, offset: u16) {
        self.proxy.server(self.harness.at(offset));
    }

    /// Bytes of a message beside the event.
    fn head(&self) -> usize {
        let data = r#"[towpath@32473 event_id="0123456789abcdef0123456789abcdef" source="numbers" dataset="test.numbers" schema="ocsf" version="1.8.0"]"#;
        format!("<110>1 2023-11-14T22:13:20.123Z {} towpath - user.login  ", self.host).len() + data.len()
    }

    /// Reads what was written since.
    fn read_on(&self) -> usize {
        let mut written = self.written.lock().unwrap();
        let Written { at, rest, held } = &mut *written;
        let Ok(mut file) = std::fs::File::open(self.harness.dir.join("received.jsonl")) else { return 0 };
        file.seek(SeekFrom::Start(*at)).unwrap();
        let read = file.read_to_end(rest).unwrap();
        *at += read as u64;
        let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else { return read };
        for line in rest.drain(..=end).collect::<Vec<u8>>().split(|byte| *byte == b'\n') {
            let Ok(line) = serde_json::from_slice::<Value>(line) else { continue };
            if line["host"] != self.host {
                continue;
            }
            let data = line["data"].as_str().unwrap_or_default();
            let id = data.split_once("event_id=\"").and_then(|(_, rest)| rest.split('"').next());
            let is_old = self.harness.carrier == Carrier::Lines;
            let text = line["msg"].as_str().unwrap_or_default();
            // rsyslog keeps the blank behind the tag.
            let text = if is_old { text.trim_start() } else { text }.to_owned();
            if (id.is_none() && !is_old) || !text.ends_with('}') {
                held.damage.push(line.to_string().chars().take(300).collect());
            }
            held.deliveries.push(Delivery { id: id.map(str::to_owned), events: vec![text] });
        }
        read
    }
}

impl Destination for Target {
    fn sink(&self) -> Arc<dyn Sink> {
        let scheme = match self.harness.carrier {
            Carrier::Tcp | Carrier::Lines => "tcp",
            Carrier::Tls => "tls",
            Carrier::Relp => "relp",
            Carrier::RelpTls => "relp+tls",
        };
        let mut config = json!({
            "hostname": self.host,
            "address": format!("{scheme}://{}", self.proxy.address),
            // It is waited for where the proxy keeps answers back, and nowhere else.
            "timeout": if self.harness.carrier == Carrier::Relp { "5s" } else { "10s" },
            "max_bytes": format!("{}B", self.max_bytes.load(Ordering::SeqCst)),
        });
        if self.harness.carrier == Carrier::Lines {
            (config["format"], config["framing"]) = ("rfc3164".into(), "lf".into());
        }
        if scheme.ends_with("tls") {
            let file = |name: &str| self.harness.dir.join(name);
            config["tls"] = json!({
                "ca_file": file("ca.pem"), "cert_file": file("client.crt"), "key_file": file("client.key"),
            });
        }
        Arc::new(crate::sink(&config))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        let carrier = self.harness.carrier;
        let strange = match carrier {
            Carrier::Tls => Some(5),
            Carrier::RelpTls => Some(7),
            Carrier::Tcp | Carrier::Lines | Carrier::Relp => None,
        };
        match (trouble, carrier) {
            (Trouble::Unreachable, _) => {
                self.proxy.away(true);
                // One that answers has not taken what comes after its goodbye.
                if carrier == Carrier::Relp {
                    self.proxy.cut();
                }
            }
            (Trouble::Untrusted, _) => match strange {
                Some(offset) => self.moved(offset),
                None => return Err(CannotHappen("it is reached without TLS")),
            },
            (Trouble::Limit(most), _) if self.harness.is_limited => {
                self.max_bytes.store(most + self.head(), Ordering::SeqCst);
            }
            (Trouble::Limit(_), _) => {
                return Err(CannotHappen(
                    "receivers refuse no size, they cut: the limit is our own `max_bytes`, which is examined alone",
                ));
            }
            (Trouble::Poison, _) => return Err(CannotHappen("receivers take whatever message there is")),
            (Trouble::Unauthorised, _) if let Some(offset) = strange => self.moved(offset + 1),
            (Trouble::Unauthorised, _) => {
                return Err(CannotHappen("without TLS a receiver does not ask who sends"));
            }
            (_, Carrier::Tcp | Carrier::Lines | Carrier::Tls) => {
                return Err(CannotHappen("a receiver of plain syslog does not answer: it can only go away"));
            }
            (Trouble::Misplaced, _) => {
                return Err(CannotHappen(
                    "what is no RELP says nothing to it or hangs up, as one that hangs or goes away does",
                ));
            }
            (_, Carrier::RelpTls) => {
                return Err(CannotHappen(
                    "nobody between can tell messages and answers: it is done without TLS",
                ));
            }
            (Trouble::Failing, Carrier::Relp) => self.mood(Mood::Ends),
            (Trouble::TakesPart, Carrier::Relp) => self.mood(Mood::TakesTwo),
            (Trouble::AnswerLost, Carrier::Relp) => self.mood(Mood::Mute),
            (Trouble::Slow(wait), Carrier::Relp) => self.mood(Mood::Slow(wait)),
        }
        Ok(())
    }

    fn heal(&self) {
        self.mood(Mood::Well);
        self.proxy.server(self.harness.server());
        self.proxy.away(false);
    }

    fn held(&self) -> Held {
        let (began, mut moved) = (Instant::now(), Instant::now());
        let server = self.harness.server().port();
        // What the proxy is to do next may stand in the queue of this thread, which another one takes over so.
        tokio::task::block_in_place(|| {
            while moved.elapsed() < QUIET {
                assert!(began.elapsed() < Duration::from_secs(20), "the receiver does not read");
                // Torn frames may stay with the proxy; a message of RELP that was answered was passed on.
                let in_hand = if self.harness.carrier == Carrier::Relp { 0 } else { self.proxy.in_hand() };
                let on_its_way = unread(self.proxy.address.port()) + in_hand + unread(server);
                if self.read_on() > 0 || on_its_way > 0 || self.harness.is_at_work() {
                    moved = Instant::now();
                }
                std::thread::sleep(Duration::from_millis(4));
            }
        });
        self.written.lock().unwrap().held.clone()
    }

    fn secrets(&self) -> Vec<String> {
        vec![]
    }
}

/// The matrix for each carrier, and what a limit means to it.
async fn conforms(name: &str, variable: &str, port: u16, lines: u16, carriers: &[Carrier]) {
    let port = std::env::var("SYSLOG_PORT").map_or(port, |port| port.parse().unwrap());
    let dir = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set"));
    for carrier in carriers {
        let harness = ReceiverHarness::new(&dir, port, lines, *carrier);
        let limited = ReceiverHarness { is_limited: true, ..harness.clone() };
        testkit::sink::conforms_to(&format!("{name}, {carrier:?}"), harness).await;
        // The cases' limits are below the least `max_bytes` there, because a message of RFC 3164 has little but the event.
        if *carrier == Carrier::Lines {
            continue;
        }
        let cases = ["oversize_batch", "oversize_event", "run_with_limits"];
        let report = testkit::sink::examine_only(limited, &cases).await;
        assert!(report.cases.iter().all(|(_, ended)| matches!(ended, Ended::Passed(_))), "{report}");
        eprintln!("matrix {name}, {carrier:?}, with our own limit: {}", report.counts());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "needs rsyslog: TOWPATH_RSYSLOG"]
async fn the_sink_conforms_to_rsyslog() {
    let carriers = [Carrier::Tcp, Carrier::Lines, Carrier::Tls, Carrier::Relp, Carrier::RelpTls];
    conforms("rsyslog", "TOWPATH_RSYSLOG", 26514, 0, &carriers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "needs syslog-ng: TOWPATH_SYSLOG_NG"]
async fn the_sink_conforms_to_syslog_ng() {
    let carriers = [Carrier::Tcp, Carrier::Lines, Carrier::Tls];
    conforms("syslog-ng", "TOWPATH_SYSLOG_NG", 27514, 3, &carriers).await;
}
