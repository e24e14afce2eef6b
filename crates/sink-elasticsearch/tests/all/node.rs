//! A real node of Elasticsearch or OpenSearch as a destination of the suite: every case has an index of its own. What the node
//! can be told to do wrong it does itself; for the rest a proxy of ours stands before it, which also ends TLS and looks at
//! credentials, because these nodes have no security plugin.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::Sink;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::http::{Authority, Proxy, Received, Reply, Request, Turn, call};
use testkit::sink::{CannotHappen, Delivery, Destination, Harness, Held, POISON, Patience, Trouble, Unheard};

const PASSWORD: &str = "pa55word";
const PAIR: &str = "dG93cGF0aDpwYTU1d29yZA==";

/// A node, and how many indexes of it were given out.
pub(crate) struct NodeHarness {
    node: SocketAddr,
    flavor: &'static str,
    given: AtomicUsize,
}

impl NodeHarness {
    /// The node at this URL.
    pub(crate) fn new(url: &str, flavor: &'static str) -> Self {
        let node = url.trim_start_matches("http://").parse().expect("a URL with an address");
        Self { node, flavor, given: AtomicUsize::new(0) }
    }
}

struct Index {
    node: SocketAddr,
    flavor: &'static str,
    /// Without the date.
    name: String,
    proxy: Proxy,
    /// Ours, and one that nobody trusts.
    ours: Authority,
    strange: Authority,
    is_strange: AtomicBool,
    is_blocked: AtomicBool,
    is_deleted: AtomicBool,
    dir: tempfile::TempDir,
}

/// What the node says, which must be one of these statuses.
fn ask(node: SocketAddr, method: &str, target: &str, body: &str, statuses: &[u16]) -> Received {
    let request =
        Request::new(node, method, target, body.as_bytes()).with("content-type", "application/json");
    let received = call(node, request).unwrap();
    let said = String::from_utf8_lossy(&received.body);
    assert!(statuses.contains(&received.status), "{method} {target}: {} {said}", received.status);
    received
}

#[async_trait]
impl Harness for NodeHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let name = format!("case-{}-{}", std::process::id(), self.given.fetch_add(1, Ordering::SeqCst));
        let (ours, strange, dir) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join("ca.pem"), ours.pem()).unwrap();
        // An index that is missing stays missing.
        let settings = r#"{"persistent":{"action.auto_create_index":"-case-*,+*"}}"#;
        ask(self.node, "PUT", "/_cluster/settings", settings, &[200]);
        let proxy = Proxy::start(Some(ours.server(None)), self.node).await;
        let (is_strange, is_blocked, is_deleted) = Default::default();
        let (node, flavor) = (self.node, self.flavor);
        let index =
            Index { node, flavor, name, proxy, ours, strange, is_strange, is_blocked, is_deleted, dir };
        index.create();
        index.expect_credentials(PAIR);
        Box::new(index)
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }

    fn patience(&self) -> Patience {
        Patience { factor: 3, at_once: 3 }
    }
}

impl Index {
    /// The name with the date of the suite's events.
    fn dated(&self) -> String {
        format!("{}-2023.11.14", self.name)
    }

    fn create(&self) {
        let body = json!({
            "settings": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
            "mappings": {"dynamic": false, "properties": {"n": {"type": "long"}}},
        });
        ask(self.node, "PUT", &format!("/{}", self.dated()), &body.to_string(), &[200]);
    }

    fn block(&self, name: &str, value: Option<bool>) {
        let body = json!({ format!("index.blocks.{name}"): value }).to_string();
        ask(self.node, "PUT", &format!("/{}/_settings", self.dated()), &body, &[200]);
    }

    /// All requests must bring them; what refuses the others speaks as the security plugins do.
    fn expect_credentials(&self, pair: &'static str) {
        self.rule(pair, Turn::pass_on);
    }

    /// What happens to bulk requests that have the credentials.
    fn rule(&self, pair: &'static str, mut rule: impl FnMut(Request) -> Turn + Send + 'static) {
        let flavor = self.flavor;
        self.proxy.rule(move |request| {
            if request.header("authorization") != Some(format!("Basic {pair}").as_str()) {
                return Turn::Say(unauthorised(flavor));
            }
            if request.target.contains("_bulk") { rule(request) } else { Turn::pass_on(request) }
        });
    }
}

fn unauthorised(flavor: &str) -> Reply {
    let login = ("www-authenticate", "Basic realm=\"security\" charset=\"UTF-8\"".to_owned());
    if flavor == "opensearch" {
        return Reply::Answer(
            401,
            vec![login, ("content-type", "text/plain".to_owned())],
            "Unauthorized".into(),
        );
    }
    let reason = "unable to authenticate user [towpath] for REST request [/_bulk]";
    let cause = json!({"type": "security_exception", "reason": reason});
    let body = json!({"error": {"root_cause": [cause], "type": "security_exception", "reason": reason}, "status": 401});
    Reply::Answer(401, vec![login, ("content-type", "application/json".to_owned())], body.to_string())
}

/// The lines of a body, each pair with its line breaks.
fn pairs(body: &[u8]) -> Vec<Vec<u8>> {
    let lines: Vec<&[u8]> = body.split_inclusive(|byte| *byte == b'\n').collect();
    lines.chunks(2).map(<[&[u8]]>::concat).collect()
}

fn with_body(mut request: Request, body: Vec<u8>) -> Request {
    request.body = body;
    let length = request.body.len().to_string();
    request.with("content-length", &length)
}

/// The documents that contain it come as such that the index's mapping refuses.
fn poisoned(request: Request) -> Turn {
    let body = pairs(&request.body).into_iter().flat_map(|pair| {
        let text = String::from_utf8(pair).unwrap();
        match text.split_once('\n') {
            Some((action, document)) if document.contains(POISON) => {
                format!("{action}\n{{\"n\":\"{POISON}\"}}\n").into_bytes()
            }
            _ => text.into_bytes(),
        }
    });
    let body = body.collect();
    Turn::pass_on(with_body(request, body))
}

/// The second and the fifth document are told to be too many for the moment.
fn half_taken(mut request: Request, kind: &'static str) -> Turn {
    // The answer is read here.
    request.headers.remove("accept-encoding");
    let all = pairs(&request.body);
    let is_busy = |number: usize| number == 1 || number == 4;
    let kept = all.iter().enumerate().filter(|(number, _)| !is_busy(*number));
    let body = kept.flat_map(|(_, pair)| pair.clone()).collect();
    let told = move |mut received: Received| {
        let mut answer: Value = serde_json::from_slice(&received.body).unwrap();
        let mut taken = answer["items"].as_array().unwrap().clone().into_iter();
        let error = json!({"type": kind, "reason": "rejected execution of primary operation"});
        let items = (0..all.len()).map(|number| match is_busy(number) {
            true => json!({"create": {"status": 429, "error": error}}),
            false => taken.next().unwrap(),
        });
        (answer["items"], answer["errors"]) = (items.collect(), true.into());
        received.body = answer.to_string().into_bytes();
        Reply::Passed(received)
    };
    Turn::PassOn(with_body(request, body), Duration::ZERO, Box::new(told))
}

impl Destination for Index {
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(crate::sink(&json!({
            "urls": [format!("https://{}", self.proxy.front.address)],
            "flavor": self.flavor,
            "index": format!("{}-%Y.%m.%d", self.name),
            "compression": "none",
            "timeout": "9s",
            "auth": {"basic": {"username": "towpath", "password": PASSWORD}},
            "tls": {"ca_file": self.dir.path().join("ca.pem")},
        })))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        match trouble {
            // As a disk that is nearly full does it.
            Trouble::Failing => {
                self.is_blocked.store(true, Ordering::SeqCst);
                self.block("read_only_allow_delete", Some(true));
            }
            // An index that holds something cannot go away and come back with it, but can be closed to writes.
            Trouble::Misplaced => {
                self.is_blocked.store(true, Ordering::SeqCst);
                self.block("write", Some(true));
                if self.held().deliveries.is_empty() {
                    ask(self.node, "DELETE", &format!("/{}", self.dated()), "", &[200]);
                    self.is_deleted.store(true, Ordering::SeqCst);
                }
            }
            Trouble::Unauthorised => self.expect_credentials("b3RoZXI6b3RoZXI="),
            Trouble::Unreachable => self.proxy.front.away(true),
            Trouble::TakesPart => {
                let kind = match self.flavor {
                    "opensearch" => "rejected_execution_exception",
                    _ => "es_rejected_execution_exception",
                };
                let mut is_over = false;
                self.rule(PAIR, move |request| {
                    let is_next = !is_over && pairs(&request.body).len() > 1;
                    is_over |= is_next;
                    if is_next { half_taken(request, kind) } else { Turn::pass_on(request) }
                });
            }
            Trouble::AnswerLost => {
                let mut is_over = false;
                self.rule(PAIR, move |request| match std::mem::replace(&mut is_over, true) {
                    false => Turn::lose_answer(request),
                    true => Turn::pass_on(request),
                });
            }
            // `http.max_content_length` is one for a node, and not below a kilobyte: `answers.rs` shows that its refusal is
            // this one.
            Trouble::Limit(most) => self.rule(PAIR, move |request| {
                let lines = pairs(&request.body)
                    .into_iter()
                    .map(|pair| pair.split(|b| *b == b'\n').nth(1).map_or(0, <[u8]>::len) + 1);
                if lines.sum::<usize>() > most {
                    Turn::Say(Reply::Answer(413, vec![], String::new()))
                } else {
                    Turn::pass_on(request)
                }
            }),
            Trouble::Poison => self.rule(PAIR, poisoned),
            Trouble::Slow(wait) => {
                self.rule(PAIR, move |request| Turn::PassOn(request, wait, Box::new(Reply::Passed)));
            }
            Trouble::Untrusted => {
                self.is_strange.store(true, Ordering::SeqCst);
                self.proxy.front.identity(self.strange.server(None));
            }
        }
        Ok(())
    }

    fn heal(&self) {
        if self.is_deleted.swap(false, Ordering::SeqCst) {
            self.create();
            self.is_blocked.store(false, Ordering::SeqCst);
        }
        if self.is_blocked.swap(false, Ordering::SeqCst) {
            // OpenSearch changes no other setting before this one.
            self.block("read_only_allow_delete", None);
            self.block("write", None);
        }
        self.expect_credentials(PAIR);
        self.proxy.front.away(false);
        if self.is_strange.swap(false, Ordering::SeqCst) {
            self.proxy.front.identity(self.ours.server(None));
        }
    }

    fn held(&self) -> Held {
        #[derive(Deserialize)]
        struct Found<'a> {
            #[serde(borrow)]
            hits: Hits<'a>,
        }
        #[derive(Deserialize)]
        struct Hits<'a> {
            #[serde(borrow)]
            hits: Vec<Hit<'a>>,
        }
        #[derive(Deserialize)]
        struct Hit<'a> {
            #[serde(rename = "_id")]
            id: String,
            #[serde(rename = "_source", borrow)]
            source: &'a RawValue,
        }
        let index = self.dated();
        if ask(self.node, "POST", &format!("/{index}/_refresh"), "", &[200, 404]).status == 404 {
            return Held::default();
        }
        let all = r#"{"size":10000,"sort":["_doc"],"query":{"match_all":{}}}"#;
        let answer = ask(self.node, "POST", &format!("/{index}/_search"), all, &[200]).body;
        let found: Found<'_> = serde_json::from_slice(&answer).unwrap();
        let delivery =
            |hit: Hit<'_>| Delivery { id: Some(hit.id), events: vec![hit.source.get().to_owned()] };
        Held { deliveries: found.hits.hits.into_iter().map(delivery).collect(), damage: vec![] }
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned(), PAIR.to_owned()]
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // A node does not hold indexes without end.
        let gone = Request::new(self.node, "DELETE", &format!("/{}", self.dated()), b"");
        drop(call(self.node, gone));
    }
}
