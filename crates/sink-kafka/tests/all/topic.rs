//! A real broker as a destination of the suite: every case has a topic of its own. A missing topic, sizes and passwords are
//! judged by the broker itself. A proxy of ours stands before it, ends TLS, puts its own address where the broker tells its,
//! and keeps requests or answers back; it makes up none.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pipeline::Sink;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use serde_json::json;
use sink_kafka::{KafkaConfig, KafkaSink};
use testkit::http::Authority;
use testkit::sink::{CannotHappen, Destination, Harness, Held, Patience, Trouble, Unheard};
use testkit::tcp::{Fate, Proxy, Way};

use crate::cluster::{Reader, held};

const PASSWORD: &str = "towpath-secret";
const PARTITIONS: i32 = 3;

/// What a topic takes at once, as long as nothing else is said.
const LARGE: usize = 8 << 20;

/// Bytes of a batch of one record beside the event's text: heads, key and headers.
const AROUND: usize = 225;

// Requests (Apache Kafka, "Protocol guide", API keys).
const PRODUCE: i16 = 0;
const SASL_AUTHENTICATE: i16 = 36;

pub(crate) struct TopicHarness {
    /// Without login, for us.
    plain: String,
    /// Without TLS, with a password.
    broker: SocketAddr,
}

/// Topics that were given out.
static GIVEN: AtomicUsize = AtomicUsize::new(0);

impl TopicHarness {
    pub(crate) fn new(plain: String, broker: SocketAddr) -> Self {
        Self { plain, broker }
    }
}

/// What the proxy does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Well,
    /// Keeps back what is to be written.
    Holds,
    /// So for the next connection that writes, but for its first request.
    HoldsRest(Option<u64>),
    /// Keeps back the answers to the next connection that writes.
    Mute(Option<u64>),
    Slow(Duration),
    /// The password is another one when it arrives.
    Forges,
}

#[derive(Default)]
struct Passage {
    mood: Mood,
    /// Requests whose answers nobody hears, by connection and number.
    muted: HashMap<u64, Vec<[u8; 4]>>,
}

struct Topic {
    plain: String,
    name: String,
    admin: AdminClient<DefaultClientContext>,
    reader: Mutex<Reader>,
    proxy: Proxy,
    passage: Arc<Mutex<Passage>>,
    /// Ours, and one that nobody trusts.
    ours: Authority,
    strange: Authority,
    is_strange: AtomicBool,
    is_deleted: AtomicBool,
    is_limited: AtomicBool,
    dir: tempfile::TempDir,
}

/// A length of four bytes, then so many.
fn frame(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?) as usize + 4;
    (bytes.len() >= length).then_some(length)
}

/// Puts `new` wherever `old` stands, which is as long.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    for at in 0..bytes.len().saturating_sub(old.len() - 1) {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
}

/// An address as answers have it.
fn told(port: u16) -> Vec<u8> {
    [b"127.0.0.1", &u32::from(port).to_be_bytes()[..]].concat()
}

impl Passage {
    fn request(&mut self, connection: u64, mut frame: Vec<u8>) -> Fate {
        let kind = i16::from_be_bytes([frame[4], frame[5]]);
        let number = [frame[8], frame[9], frame[10], frame[11]];
        match (self.mood, kind) {
            (Mood::Forges, SASL_AUTHENTICATE) => {
                let other: String = PASSWORD.chars().rev().collect();
                replace(&mut frame, PASSWORD.as_bytes(), other.as_bytes());
                Fate::Pass(frame)
            }
            (Mood::Holds, PRODUCE) => Fate::Swallow,
            (Mood::HoldsRest(None), PRODUCE) => {
                self.mood = Mood::HoldsRest(Some(connection));
                Fate::Pass(frame)
            }
            (Mood::HoldsRest(Some(held)), PRODUCE) if held == connection => Fate::Swallow,
            (Mood::Mute(None), PRODUCE) => {
                self.mood = Mood::Mute(Some(connection));
                self.muted.entry(connection).or_default().push(number);
                Fate::Pass(frame)
            }
            (Mood::Mute(Some(mute)), PRODUCE) if mute == connection => {
                self.muted.entry(connection).or_default().push(number);
                Fate::Pass(frame)
            }
            (Mood::Slow(wait), PRODUCE) => Fate::Late(wait, frame),
            _ => Fate::Pass(frame),
        }
    }

    fn answer(&self, connection: u64, frame: Vec<u8>) -> Fate {
        let is_muted = self.muted.get(&connection).is_some_and(|all| all.iter().any(|n| *n == frame[4..8]));
        if is_muted { Fate::Swallow } else { Fate::Pass(frame) }
    }
}

#[async_trait]
impl Harness for TopicHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let name = format!("case-{}-{}", std::process::id(), GIVEN.fetch_add(1, Ordering::SeqCst));
        let (ours, strange, dir) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("ca.pem"), ours.pem()).unwrap();
        let passage = Arc::new(Mutex::new(Passage::default()));
        let (deciding, here) = (passage.clone(), Arc::new(OnceLock::new()));
        let (port, own) = (self.broker.port(), here.clone());
        let rule = move |connection, way, mut frame: Vec<u8>| match way {
            Way::ToServer => deciding.lock().unwrap().request(connection, frame),
            Way::ToClient => {
                replace(&mut frame, &told(port), &told(*own.wait()));
                deciding.lock().unwrap().answer(connection, frame)
            }
        };
        let proxy = Proxy::start(Some(ours.server(None)), self.broker, frame, rule);
        here.set(proxy.address.port()).unwrap();
        let mut admin = ClientConfig::new();
        // Whoever asks for a topic that is gone must not bring it back.
        admin.set("bootstrap.servers", &self.plain).set("allow.auto.create.topics", "false");
        let admin = admin.create().unwrap();
        let topic = Topic {
            reader: Mutex::new(Reader::new(&self.plain, &name, PARTITIONS)),
            plain: self.plain.clone(),
            name,
            admin,
            proxy,
            passage,
            ours,
            strange,
            is_strange: AtomicBool::default(),
            is_deleted: AtomicBool::default(),
            is_limited: AtomicBool::default(),
            dir,
        };
        topic.create();
        Box::new(topic)
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }

    fn patience(&self) -> Patience {
        Patience { factor: 3, at_once: 4 }
    }
}

/// Waits for what the cluster is asked.
fn wait<T>(asked: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(asked))
}

impl Topic {
    fn create(&self) {
        let largest = LARGE.to_string();
        let new = NewTopic::new(&self.name, PARTITIONS, TopicReplication::Fixed(1));
        let new = new.set("max.message.bytes", &largest);
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
        wait(self.admin.create_topics([&new], &options)).unwrap().remove(0).unwrap();
        // The answer comes before everybody is told of the topic.
        let began = Instant::now();
        while self.partitions() != PARTITIONS as usize {
            assert!(began.elapsed() < Duration::from_secs(20), "the cluster does not know its new topic");
            wait(tokio::time::sleep(Duration::from_millis(20)));
        }
    }

    fn partitions(&self) -> usize {
        let client = self.admin.inner();
        let known =
            tokio::task::block_in_place(|| client.fetch_metadata(Some(&self.name), Duration::from_secs(5)));
        let known = known.unwrap();
        known.topics().first().map_or(0, |topic| topic.partitions().len())
    }

    fn delete(&self) {
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
        wait(self.admin.delete_topics(&[&self.name], &options)).unwrap().remove(0).unwrap();
    }

    fn limit(&self, bytes: usize) {
        let bytes = bytes.to_string();
        let config = AlterConfig::new(ResourceSpecifier::Topic(&self.name)).set("max.message.bytes", &bytes);
        wait(self.admin.alter_configs([&config], &AdminOptions::new())).unwrap().remove(0).unwrap();
        // The answer comes before the topic's log has it.
        wait(tokio::time::sleep(Duration::from_millis(300)));
    }

    fn mood(&self, mood: Mood) {
        self.passage.lock().unwrap().mood = mood;
    }
}

impl Destination for Topic {
    fn sink(&self) -> Arc<dyn Sink> {
        let config: KafkaConfig = serde_json::from_value(json!({
            "brokers": [self.proxy.address.to_string()],
            "topic": self.name,
            "timeout": "3s",
            "compression": "none",
            "properties": {"linger.ms": "1"},
            "tls": {"ca_file": self.dir.path().join("ca.pem")},
            "sasl": {"mechanism": "PLAIN", "username": "towpath", "password": PASSWORD},
        }))
        .unwrap();
        Arc::new(KafkaSink::new(config.validate().unwrap()))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        match trouble {
            Trouble::Failing => self.mood(Mood::Holds),
            Trouble::Misplaced => {
                self.mood(Mood::Holds);
                // What was passed on before arrives.
                wait(tokio::time::sleep(Duration::from_millis(50)));
                if !self.held().deliveries.is_empty() {
                    self.mood(Mood::Well);
                    return Err(CannotHappen("a topic does not go away and come back with what it holds"));
                }
                self.is_deleted.store(true, Ordering::SeqCst);
                self.delete();
                self.mood(Mood::Well);
            }
            Trouble::Unauthorised => {
                self.mood(Mood::Forges);
                self.proxy.cut();
            }
            Trouble::Unreachable => self.proxy.away(true),
            Trouble::TakesPart => self.mood(Mood::HoldsRest(None)),
            Trouble::AnswerLost => self.mood(Mood::Mute(None)),
            Trouble::Limit(most) => {
                self.is_limited.store(true, Ordering::SeqCst);
                self.limit(most + AROUND);
            }
            Trouble::Poison => return Err(CannotHappen("a broker looks into no record")),
            Trouble::Slow(wait) => self.mood(Mood::Slow(wait)),
            Trouble::Untrusted => {
                self.is_strange.store(true, Ordering::SeqCst);
                self.proxy.identity(self.strange.server(None));
            }
        }
        Ok(())
    }

    fn heal(&self) {
        self.mood(Mood::Well);
        if self.is_limited.swap(false, Ordering::SeqCst) {
            self.limit(LARGE);
        }
        if self.is_deleted.load(Ordering::SeqCst) {
            self.create();
            *self.reader.lock().unwrap() = Reader::new(&self.plain, &self.name, PARTITIONS);
            self.is_deleted.store(false, Ordering::SeqCst);
        }
        self.proxy.away(false);
        if self.is_strange.swap(false, Ordering::SeqCst) {
            self.proxy.identity(self.ours.server(None));
        }
    }

    fn held(&self) -> Held {
        if self.is_deleted.load(Ordering::SeqCst) {
            return Held::default();
        }
        held(tokio::task::block_in_place(|| self.reader.lock().unwrap().catch_up().to_vec()))
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }
}
