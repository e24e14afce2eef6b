//! A cluster that refuses whatever Elasticsearch and OpenSearch refuse of `_bulk`, and answers in their words. It shares no
//! code with the sink.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{Answer, Reply, Request, Server, ServerConfig};

use crate::request::{documents, media_types};

/// The query of every bulk request that is in order.
pub(crate) const QUERY: &str = "?filter_path=errors%2Citems.*.status%2Citems.*.error.type%2Citems.*.error.reason%2Citems.*.failure_store";

/// How this cluster is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) opensearch: bool,
    /// The value of `Authorization`.
    pub(crate) auth: Option<&'static str>,
    pub(crate) data_streams: Vec<&'static str>,
    /// As they stand in a URL.
    pub(crate) pipelines: Vec<&'static str>,
    /// Indexes that are not there, and that nobody may make.
    pub(crate) absent: Vec<&'static str>,
    /// Whether `n` is mapped as `long`, and every new member gets a mapping of its own.
    pub(crate) is_mapped: bool,
    pub(crate) longest: usize,
    pub(crate) coding: Option<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            opensearch: false,
            auth: None,
            data_streams: vec!["logs-audit-default"],
            pipelines: vec![],
            absent: vec![],
            is_mapped: false,
            longest: 16 << 20,
            coding: None,
        }
    }
}

/// What happens to a request that is in order.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Take,
    TakeSlowly(Duration),
    TakeAndClose,
    TakeAndHang,
    /// Documents are taken but for these answers, by number: status, type and words.
    But(Vec<(usize, u16, &'static str, String)>),
    /// They are taken, and the answer leaves the last one out.
    TakeTellingLess,
    /// They go to the failure store.
    Divert,
    Refuse(u16, Vec<(&'static str, String)>, String),
}

pub(crate) type Rule = Box<dyn FnMut(&[String]) -> Fate + Send>;

/// A document that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) index: String,
    pub(crate) id: String,
    /// Byte for byte.
    pub(crate) text: String,
}

#[derive(Default)]
struct State {
    documents: Vec<Document>,
    ids: BTreeMap<(String, String), usize>,
    violations: Vec<String>,
    requests: Vec<(usize, Request)>,
    fates: VecDeque<Fate>,
    rule: Option<Rule>,
    refusal: Option<(u16, String)>,
}

/// Nodes that hold the same documents.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
    state: Arc<Mutex<State>>,
}

impl Cluster {
    pub(crate) async fn start(setup: Setup, nodes: usize) -> Self {
        let mut cluster = Self { nodes: Vec::new(), state: Arc::default() };
        for _ in 0..nodes {
            cluster.add(setup.clone(), None).await;
        }
        cluster
    }

    pub(crate) async fn secured(setup: Setup, tls: ServerConfig) -> Self {
        let mut cluster = Self { nodes: Vec::new(), state: Arc::default() };
        cluster.add(setup, Some(tls)).await;
        cluster
    }

    async fn add(&mut self, setup: Setup, tls: Option<ServerConfig>) {
        let (node, state) = (self.nodes.len(), self.state.clone());
        let answer = move |request| answer(node, request, setup.clone(), state.clone());
        self.nodes.push(Server::start(tls, answer).await);
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("http://{}", node.address)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn documents(&self) -> Vec<Document> {
        self.state().documents.clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// With the node that each reached.
    pub(crate) fn requests(&self) -> Vec<(usize, Request)> {
        self.state().requests.clone()
    }

    pub(crate) fn fates(&self, fates: impl IntoIterator<Item = Fate>) {
        self.state().fates.extend(fates);
    }

    pub(crate) fn rule(&self, rule: Option<Rule>) {
        self.state().rule = rule;
    }

    pub(crate) fn refuse(&self, refusal: Option<(u16, String)>) {
        self.state().refusal = refusal;
    }
}

/// An error of a whole request.
pub(crate) fn error(status: u16, kind: &str, reason: &str) -> (u16, String) {
    let cause = json!({"type": kind, "reason": reason});
    (
        status,
        json!({"error": {"root_cause": [cause], "type": kind, "reason": reason}, "status": status})
            .to_string(),
    )
}

fn answer(node: usize, request: Request, setup: Setup, state: Arc<Mutex<State>>) -> Answer {
    Box::pin(async move {
        let (reply, wait) = {
            let mut state = state.lock().unwrap();
            state.requests.push((node, request.clone()));
            serve(&request, &setup, &mut state)
        };
        tokio::time::sleep(wait).await;
        reply
    })
}

fn serve(request: &Request, setup: &Setup, state: &mut State) -> (Reply, Duration) {
    let at_once = |(status, body): (u16, String)| (Reply::Answer(status, vec![], body), Duration::ZERO);
    if let Some(refusal) = &state.refusal {
        return at_once(refusal.clone());
    }
    if setup.auth.is_some() && request.header("authorization") != setup.auth {
        let words = format!("unable to authenticate with {:?}", request.header("authorization"));
        return at_once(error(401, "security_exception", &words));
    }
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    match (request.method.as_str(), &segments[..]) {
        ("GET", [""]) => {
            let version = match setup.opensearch {
                true => json!({"number": "2.19.6", "distribution": "opensearch"}),
                false => json!({"number": "8.19.21", "build_flavor": "default"}),
            };
            at_once((200, json!({"name": "test-1", "version": version}).to_string()))
        }
        ("GET", ["_ingest", "pipeline", name]) => at_once(match setup.pipelines.contains(name) {
            true => (200, json!({*name: {}}).to_string()),
            false => (404, "{}".to_owned()),
        }),
        ("POST", ["_bulk"]) => bulk(request, query, None, setup, state),
        ("POST", [index, "_bulk"]) => bulk(request, query, Some(index), setup, state),
        (method, ["_bulk"] | [_, "_bulk"] | [""]) => {
            let words = format!("Incorrect HTTP method for uri [{path}] and method [{method}]");
            at_once((405, json!({"error": words, "status": 405}).to_string()))
        }
        (method, _) => {
            let words = format!("no handler found for uri [{path}] and method [{method}]");
            at_once((400, json!({"error": words}).to_string()))
        }
    }
}

fn bulk(
    request: &Request,
    query: &str,
    index: Option<&str>,
    setup: &Setup,
    state: &mut State,
) -> (Reply, Duration) {
    let at_once = |(status, body): (u16, String)| (Reply::Answer(status, vec![], body), Duration::ZERO);
    if request.body.len() > setup.longest {
        return at_once((413, String::new()));
    }
    let read = media_types(request, setup).and_then(|()| documents(request, query, index, setup));
    let documents = match read {
        Ok(documents) => documents,
        Err(refusal) => {
            state.violations.push(refusal.1.clone());
            return at_once(refusal);
        }
    };
    if !query.starts_with(&QUERY[1..]) {
        state.violations.push(format!("the query is {query}"));
    }
    let texts: Vec<String> = documents.iter().map(|(document, _)| document.text.clone()).collect();
    let State { fates, rule, .. } = state;
    let fate = fates.pop_front().unwrap_or_else(|| rule.as_mut().map_or(Fate::Take, |rule| rule(&texts)));
    if let Fate::Refuse(status, headers, body) = fate {
        return (Reply::Answer(status, headers, body), Duration::ZERO);
    }
    let mut items = Vec::new();
    for (number, (document, refusal)) in documents.into_iter().enumerate() {
        let told = match &fate {
            Fate::But(others) => others.iter().find(|(at, ..)| *at == number),
            _ => None,
        };
        let key = (document.index.clone(), document.id.clone());
        let item = match told {
            Some((_, status, kind, reason)) => {
                json!({"status": status, "error": {"type": kind, "reason": reason}})
            }
            None if let Some((status, kind, reason)) = refusal => {
                json!({"status": status, "error": {"type": kind, "reason": reason}})
            }
            None if matches!(fate, Fate::Divert) => json!({"status": 201, "failure_store": "used"}),
            None if state.ids.contains_key(&key) => {
                let reason = format!("[{}]: version conflict, document already exists", document.id);
                json!({"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": reason}})
            }
            None => {
                state.ids.insert(key, number);
                state.documents.push(document);
                json!({"status": 201})
            }
        };
        items.push(json!({"create": item}));
    }
    if matches!(fate, Fate::TakeTellingLess) {
        items.pop();
    }
    let errors = items.iter().any(|item| item["create"]["error"].is_object());
    let body = json!({"errors": errors, "items": items}).to_string();
    match fate {
        Fate::TakeAndClose => (Reply::Close, Duration::ZERO),
        Fate::TakeAndHang => (Reply::Hang, Duration::ZERO),
        Fate::TakeSlowly(wait) => (Reply::Answer(200, vec![], body), wait),
        _ => (Reply::Answer(200, vec![], body), Duration::ZERO),
    }
}

/// The refusal of one document, as a rule tells it.
pub(crate) fn but(number: usize, status: u16, kind: &'static str, reason: &str) -> Fate {
    Fate::But(vec![(number, status, kind, reason.to_owned())])
}

/// The same value whatever the members' order.
pub(crate) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
