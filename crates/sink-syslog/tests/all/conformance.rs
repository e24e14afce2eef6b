//! The suite that every sink passes, for each way to carry messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use pipeline::Sink;
use serde_json::{Value, json};
use testkit::sink::{CannotHappen, Delivery, Destination, Ended, Harness, Held, Trouble, Unheard};

use crate::receiver::{Mood, Protocol, Receiver};
use testkit::http::Authority;

const NO_ANSWERS: CannotHappen =
    CannotHappen("a receiver of plain syslog does not answer: it can only go away");

/// A make of receiver.
struct SyslogHarness {
    protocol: Protocol,
    scheme: &'static str,
    /// The rest of the configuration.
    config: Value,
    tls: bool,
    /// Bytes of a message besides the event, when the limit of a case is our own `max_bytes`.
    head: Option<usize>,
}

impl SyslogHarness {
    fn new(protocol: Protocol, scheme: &'static str) -> Self {
        Self { protocol, scheme, config: json!({"hostname": "h"}), tls: scheme.contains("tls"), head: None }
    }
}

struct Target {
    receiver: Receiver,
    protocol: Protocol,
    scheme: &'static str,
    config: Value,
    authorities: Option<Authorities>,
    is_strange: AtomicBool,
    head: Option<usize>,
    max_bytes: AtomicUsize,
    dir: tempfile::TempDir,
}

/// Of the server, of us, and one that nobody trusts.
struct Authorities {
    servers: Authority,
    clients: Authority,
    strange: Authority,
}

#[async_trait]
impl Harness for SyslogHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let dir = tempfile::tempdir().unwrap();
        let authorities = self.tls.then(|| Authorities {
            servers: Authority::new(),
            clients: Authority::new(),
            strange: Authority::new(),
        });
        let server = authorities.as_ref().map(|all| {
            let (certificate, key) = all.clients.issue("towpath");
            for (name, text) in [("ca.pem", all.servers.pem()), ("cert.pem", certificate), ("key.pem", key)] {
                std::fs::write(dir.path().join(name), text).unwrap();
            }
            all.servers.server(Some(&all.clients))
        });
        Box::new(Target {
            receiver: Receiver::start(self.protocol, server),
            protocol: self.protocol,
            scheme: self.scheme,
            config: self.config.clone(),
            authorities,
            is_strange: AtomicBool::default(),
            head: self.head,
            max_bytes: AtomicUsize::new(if self.protocol == Protocol::Udp { 60_000 } else { 4 << 20 }),
            dir,
        })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

impl Destination for Target {
    fn sink(&self) -> Arc<dyn Sink> {
        let mut config = self.config.clone();
        config["address"] = json!(format!("{}://{}", self.scheme, self.receiver.address));
        // Nothing in the matrix waits for it: a lost answer is a connection that ends, `stalls.rs` has what hangs.
        config["timeout"] = json!("5s");
        config["max_bytes"] = json!(format!("{}B", self.max_bytes.load(Ordering::SeqCst)));
        if self.authorities.is_some() {
            let file = |name: &str| self.dir.path().join(name);
            config["tls"] = json!({"ca_file": file("ca.pem"), "cert_file": file("cert.pem"), "key_file": file("key.pem")});
        }
        Arc::new(crate::sink(&config))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        let answers = self.protocol == Protocol::Relp;
        let mood = match trouble {
            Trouble::Unreachable => {
                self.receiver.away(true);
                return Ok(());
            }
            Trouble::Untrusted | Trouble::Unauthorised if self.authorities.is_some() => {
                let all = self.authorities.as_ref().unwrap();
                self.is_strange.store(true, Ordering::SeqCst);
                self.receiver.identity(match trouble {
                    Trouble::Untrusted => all.strange.server(None),
                    // It wants certificates of somebody else.
                    _ => all.servers.server(Some(&all.strange)),
                });
                return Ok(());
            }
            Trouble::Untrusted => return Err(CannotHappen("it is reached without TLS")),
            Trouble::Limit(most) if self.head.is_some() => {
                self.max_bytes.store(most + self.head.unwrap(), Ordering::SeqCst);
                return Ok(());
            }
            Trouble::Limit(_) if !answers => {
                return Err(CannotHappen("it is our own `max_bytes`: see `the_limit_is_max_bytes`"));
            }
            _ if !answers => return Err(NO_ANSWERS),
            Trouble::Failing => Mood::Ends,
            Trouble::Misplaced => Mood::Foreign,
            Trouble::Unauthorised => Mood::Refuses,
            Trouble::TakesPart => Mood::TakesTwo,
            Trouble::AnswerLost => Mood::Mute,
            Trouble::Limit(most) => Mood::Limit(most),
            Trouble::Poison => Mood::Dainty,
            Trouble::Slow(wait) => Mood::Slow(wait),
        };
        self.receiver.mood(mood);
        Ok(())
    }

    fn heal(&self) {
        self.receiver.mood(Mood::Well);
        self.receiver.away(false);
        if self.is_strange.swap(false, Ordering::SeqCst)
            && let Some(all) = &self.authorities
        {
            self.receiver.identity(all.servers.server(Some(&all.clients)));
        }
    }

    fn held(&self) -> Held {
        let taken = self.receiver.taken().into_iter();
        let deliveries =
            taken.map(|message| Delivery { id: message.id, events: vec![message.body] }).collect();
        Held { deliveries, damage: self.receiver.violations() }
    }

    fn secrets(&self) -> Vec<String> {
        vec![]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn octet_counted_tcp_conforms() {
    testkit::sink::conforms(SyslogHarness::new(Protocol::Octets, "tcp")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_rfc_3164_over_tcp_conform() {
    let config = json!({"hostname": "h", "format": "rfc3164", "framing": "lf"});
    testkit::sink::conforms(SyslogHarness { config, ..SyslogHarness::new(Protocol::Lines, "tcp") }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutual_tls_conforms() {
    testkit::sink::conforms(SyslogHarness::new(Protocol::Octets, "tls")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relp_conforms() {
    testkit::sink::conforms(SyslogHarness::new(Protocol::Relp, "relp")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relp_over_mutual_tls_conforms() {
    testkit::sink::conforms(SyslogHarness::new(Protocol::Relp, "relp+tls")).await;
}

/// Datagrams have no acknowledgement, so all that can be asked is that they are right, that those of a machine that says
/// "nobody listens here" come again, and that nothing is sent before its time. An event of a megabyte, which one of the
/// cases has, is no datagram; and the runs want that what was called taken is there, which nobody can say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_conforms_as_far_as_it_can_know() {
    let cases = [
        "one_event",
        "many_parts",
        "writes_at_once",
        "restart",
        "replay",
        "open_delivers_nothing",
        "cancel_at_each_await",
        "cancel_the_first_write",
        "cancel_open_and_check",
    ];
    passes(SyslogHarness::new(Protocol::Udp, "udp"), &cases).await;
}

/// Over streams nobody but we ourselves say what is too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_is_max_bytes() {
    // `<110>1 2023-11-14T22:13:20.123Z h towpath - user.login [towpath@32473 …] `
    let data = r#"[towpath@32473 event_id="0123456789abcdef0123456789abcdef" source="numbers" dataset="test.numbers" schema="ocsf" version="1.8.0"]"#;
    let head = "<110>1 2023-11-14T22:13:20.123Z h towpath - user.login  ".len() + data.len();
    for (protocol, scheme) in [(Protocol::Octets, "tcp"), (Protocol::Relp, "relp")] {
        let harness = SyslogHarness { head: Some(head), ..SyslogHarness::new(protocol, scheme) };
        passes(harness, &["oversize_batch", "oversize_event", "run_with_limits"]).await;
    }
}

async fn passes(harness: SyslogHarness, cases: &[&str]) {
    let report = testkit::sink::examine_only(harness, cases).await;
    assert!(report.cases.iter().all(|(_, ended)| matches!(ended, Ended::Passed(_))), "{report}");
}
