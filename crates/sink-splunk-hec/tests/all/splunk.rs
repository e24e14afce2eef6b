//! A collector with indexers behind it that refuses whatever Splunk refuses, and answers in its words. It shares no code
//! with the sink.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::http::{Answer, Reply, Request, Server, ServerConfig};

/// How this Splunk is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) token: &'static str,
    /// Whether the token has indexer acknowledgement enabled.
    pub(crate) acks: bool,
    pub(crate) indexes: Vec<&'static str>,
    /// Indexers behind the load balancer.
    pub(crate) indexers: usize,
    pub(crate) sticky: Sticky,
    /// From taken to indexed.
    pub(crate) indexing: Duration,
    /// Whether events before an invalid one are taken, as was seen in the wild.
    pub(crate) takes_prefix: bool,
    /// Longest body, as it is sent.
    pub(crate) longest: usize,
    pub(crate) coding: Option<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            token: "t0ken-of-splunk",
            acks: true,
            indexes: vec!["audit", "main"],
            indexers: 1,
            sticky: Sticky::No,
            indexing: Duration::from_millis(8),
            takes_prefix: false,
            longest: 8 << 20,
            coding: None,
        }
    }
}

/// How the load balancer finds the indexer again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sticky {
    No,
    /// By a cookie that stays.
    Cookie,
    /// By a cookie that is another one in each answer.
    Rotating,
}

/// What happens to a request with events that are in order.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Take,
    TakeSlowly(Duration),
    TakeAndClose,
    TakeAndHang,
    /// It is taken, with this answer besides the `ackId`.
    TakeSaying(u16, Value),
    /// It is taken, and the indexer crashes before it is indexed.
    TakeAndLose,
    /// The indexer says code 6 to this event.
    Invalid(usize),
    Refuse(u16, Vec<(&'static str, String)>, String),
}

pub(crate) type Rule = Box<dyn FnMut(&[String]) -> Fate + Send>;

/// Events that were taken together.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) indexer: usize,
    pub(crate) channel: Option<String>,
    /// The texts of `event`, byte for byte.
    pub(crate) events: Vec<String>,
    /// The envelopes without `event`.
    pub(crate) envelopes: Vec<Value>,
    /// When it is indexed.
    at: Option<Instant>,
}

#[derive(Default)]
struct Channel {
    next: u64,
    /// Numbers that were not told yet, and when they are indexed.
    untold: HashMap<u64, Option<Instant>>,
}

#[derive(Default)]
struct State {
    deliveries: Vec<Delivery>,
    violations: Vec<String>,
    requests: Vec<Request>,
    fates: VecDeque<Fate>,
    rule: Option<Rule>,
    /// Answers to questions after acknowledgements, in place of true ones.
    ack_answers: VecDeque<Reply>,
    /// Every request is answered so.
    refusal: Option<(u16, String)>,
    busy: bool,
    channels: HashMap<(usize, String), Channel>,
    gone: Vec<usize>,
    turn: usize,
}

pub(crate) struct Splunk {
    pub(crate) server: Server,
    state: Arc<Mutex<State>>,
}

impl Splunk {
    pub(crate) async fn start(setup: Setup) -> Self {
        Self::listen(setup, None).await
    }

    pub(crate) async fn listen(setup: Setup, tls: Option<ServerConfig>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let server = Server::start(tls, move |request| answer(request, setup.clone(), shared.clone())).await;
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What can be searched by now.
    pub(crate) fn indexed(&self) -> Vec<Delivery> {
        let now = Instant::now();
        self.state().deliveries.iter().filter(|d| d.at.is_some_and(|at| at <= now)).cloned().collect()
    }

    /// The texts of it.
    pub(crate) fn events(&self) -> Vec<String> {
        self.indexed().into_iter().flat_map(|delivery| delivery.events).collect()
    }

    /// What came against the protocol.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How many requests went to this path.
    pub(crate) fn count(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|request| request.target == path).count()
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

    pub(crate) fn busy(&self, busy: bool) {
        self.state().busy = busy;
    }

    pub(crate) fn answer_acks(&self, answers: impl IntoIterator<Item = Reply>) {
        self.state().ack_answers.extend(answers);
    }

    /// The load balancer leads nobody to this indexer any more.
    pub(crate) fn take_away(&self, indexer: usize) {
        self.state().gone.push(indexer);
    }
}

/// An answer in the collector's words.
pub(crate) fn code(status: u16, code: u16, text: &str) -> (u16, String) {
    (status, json!({"text": text, "code": code}).to_string())
}

fn html(status: u16, title: &str) -> (u16, String) {
    (status, format!("<!doctype html><html><head><title>{title}</title></head><body>{title}</body></html>"))
}

fn answer(request: Request, setup: Setup, state: Arc<Mutex<State>>) -> Answer {
    Box::pin(async move {
        let (mut reply, wait) = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            let (indexer, cookie) = balance(&request, &setup, &mut state);
            let (mut reply, wait) = serve(&request, &setup, &mut state, indexer);
            if let (Reply::Answer(_, headers, _), Some(cookie)) = (&mut reply, cookie) {
                headers.push(("set-cookie", cookie));
            }
            (reply, wait)
        };
        tokio::time::sleep(wait).await;
        if let Reply::Answer(_, headers, _) = &mut reply {
            headers.push(("content-type", "application/json; charset=UTF-8".to_owned()));
        }
        reply
    })
}

/// Which indexer a request reaches, and the cookie that it is answered with.
fn balance(request: &Request, setup: &Setup, state: &mut State) -> (usize, Option<String>) {
    let cookies = request.header("cookie").unwrap_or_default();
    let named = |name: &str| {
        let value = cookies.split("; ").find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        let indexer: usize = value.split('.').next()?.parse().ok()?;
        (!state.gone.contains(&indexer)).then_some(indexer)
    };
    let known = match setup.sticky {
        Sticky::No => None,
        Sticky::Cookie => named("SERVERID"),
        Sticky::Rotating => named("AWSALB"),
    };
    let indexer = known.unwrap_or_else(|| {
        let all: Vec<usize> = (0..setup.indexers).filter(|indexer| !state.gone.contains(indexer)).collect();
        state.turn += 1;
        all[state.turn % all.len()]
    });
    let cookie = match setup.sticky {
        Sticky::No => None,
        Sticky::Cookie => known.is_none().then(|| format!("SERVERID={indexer}.x; Path=/; HttpOnly")),
        Sticky::Rotating => {
            state.turn += 1;
            Some(format!("AWSALB={indexer}.{}; Expires=Thu, 26 Nov 2099 10:00:00 GMT; Path=/", state.turn))
        }
    };
    (indexer, cookie)
}

fn serve(request: &Request, setup: &Setup, state: &mut State, indexer: usize) -> (Reply, Duration) {
    let at_once = |(status, body): (u16, String)| (Reply::Answer(status, vec![], body), Duration::ZERO);
    if let Some(refusal) = &state.refusal {
        return at_once(refusal.clone());
    }
    let post = request.method == "POST";
    match request.target.as_str() {
        "/services/collector/health" if request.method == "GET" => at_once(match state.busy {
            false => code(200, 17, "HEC is healthy"),
            true => code(503, 18, "HEC is unhealthy, queues are full"),
        }),
        "/services/collector/event" if post => match events(request, setup) {
            Err(refusal) => {
                let no_data = refusal.1.contains("No data");
                if !no_data && !refusal.1.contains("token") && !refusal.1.contains("channel") {
                    state.violations.push(refusal.1.clone());
                }
                at_once(refusal)
            }
            Ok(taken) => take(request, setup, state, indexer, taken),
        },
        "/services/collector/ack" if post => match state.ack_answers.pop_front() {
            Some(reply) => (reply, Duration::ZERO),
            None => at_once(acks(request, setup, state, indexer)),
        },
        _ => at_once(code(404, 404, "The requested URL was not found on this server.")),
    }
}

fn authorised(request: &Request, setup: &Setup) -> Result<(), (u16, String)> {
    let Some(line) = request.header("authorization") else { return Err(code(401, 2, "Token is required")) };
    match line.strip_prefix("Splunk ") {
        None => Err(code(401, 3, &format!("Invalid authorization {line}"))),
        Some(token) if token == setup.token => Ok(()),
        // Some that speak the protocol repeat what they were sent.
        Some(token) => Err(code(403, 4, &format!("Invalid token {token}"))),
    }
}

/// The channel of a request, which must be a GUID.
fn channel(request: &Request) -> Result<String, (u16, String)> {
    let Some(id) = request.header("x-splunk-request-channel") else {
        return Err(code(400, 10, "Data channel is missing"));
    };
    let shape: Vec<usize> = id.split('-').map(str::len).collect();
    match shape == [8, 4, 4, 4, 12] && id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit()) {
        true => Ok(id.to_owned()),
        false => Err(code(400, 11, "Invalid data channel")),
    }
}

fn acks(request: &Request, setup: &Setup, state: &mut State, indexer: usize) -> (u16, String) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Question {
        acks: Vec<u64>,
    }
    if let Err(refusal) = authorised(request, setup) {
        return refusal;
    }
    if !setup.acks {
        return code(400, 14, "ACK is disabled");
    }
    let id = match channel(request) {
        Ok(id) => id,
        Err(refusal) => return refusal,
    };
    let Ok(Question { acks }) = serde_json::from_slice(&request.body) else {
        return code(400, 6, "Invalid data format");
    };
    let now = Instant::now();
    let mut said = BTreeMap::new();
    for number in acks {
        let untold = state.channels.get_mut(&(indexer, id.clone())).map(|channel| &mut channel.untold);
        let is_indexed = match &untold {
            Some(untold) => untold.get(&number).is_some_and(|at| at.is_some_and(|at| at <= now)),
            None => false,
        };
        if let Some(untold) = untold.filter(|_| is_indexed) {
            untold.remove(&number);
        }
        said.insert(number.to_string(), is_indexed);
    }
    (200, json!({ "acks": said }).to_string())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    host: Option<String>,
    source: Option<String>,
    sourcetype: Option<String>,
    index: Option<String>,
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    fields: Option<BTreeMap<String, Value>>,
}

type Parsed = (Vec<String>, Vec<Value>);

/// The events of a request, or what the collector says against it.
fn events(request: &Request, setup: &Setup) -> Result<Parsed, (u16, String)> {
    authorised(request, setup)?;
    if setup.acks {
        channel(request)?;
    }
    if request.body.len() > setup.longest {
        return Err(html(413, "Content-Length too large"));
    }
    if request.body.is_empty() {
        return Err(code(400, 5, "No data"));
    }
    let coding = request.header("content-encoding");
    if coding != setup.coding {
        return Err(code(400, 6, &format!("the test expects {:?}, not {coding:?}", setup.coding)));
    }
    let mut text = Vec::new();
    match coding {
        None => text.clone_from(&request.body),
        Some("gzip") => {
            let read = flate2::read::GzDecoder::new(&request.body[..]).read_to_end(&mut text);
            read.map_err(|_| code(400, 6, "Invalid data format"))?;
        }
        Some(_) => return Err(html(415, "Unsupported Media Type")),
    }
    let text = String::from_utf8(text).map_err(|_| code(400, 6, "Invalid data format"))?;
    let (mut events, mut envelopes) = (Vec::new(), Vec::new());
    for (number, envelope) in
        serde_json::Deserializer::from_str(&text).into_iter::<Envelope<'_>>().enumerate()
    {
        let invalid = |code: u16, text: &str| {
            Err((400, json!({"text": text, "code": code, "invalid-event-number": number}).to_string()))
        };
        let Ok(envelope) = envelope else { return invalid(6, "Invalid data format") };
        let Some(event) = envelope.event else { return invalid(12, "Event field is required") };
        if matches!(event.get().trim(), "null" | "\"\"") {
            return invalid(13, "Event field cannot be blank");
        }
        let flat = |value: &Value| match value {
            Value::String(_) | Value::Number(_) => true,
            Value::Array(items) => items.iter().all(Value::is_string),
            _ => false,
        };
        if envelope.fields.iter().flatten().any(|(_, value)| !flat(value)) {
            return invalid(15, "Error in handling indexed fields");
        }
        if envelope.index.as_deref().is_some_and(|index| !setup.indexes.contains(&index)) {
            return invalid(7, "Incorrect index");
        }
        if !is_time(envelope.time.map(RawValue::get)) {
            return invalid(6, "Invalid data format");
        }
        let Envelope { time, host, source, sourcetype, index, fields, .. } = &envelope;
        let time = time.map(RawValue::get);
        envelopes.push(json!({
            "time": time, "host": host, "source": source, "sourcetype": sourcetype, "index": index, "fields": fields,
        }));
        events.push(event.get().to_owned());
    }
    if events.is_empty() { Err(code(400, 5, "No data")) } else { Ok((events, envelopes)) }
}

/// Seconds as a number, in plain decimals.
fn is_time(text: Option<&str>) -> bool {
    let Some((seconds, millis)) = text.and_then(|text| text.split_once('.')) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(seconds.strip_prefix('-').unwrap_or(seconds)) && digits(millis) && millis.len() == 3
}

fn take(
    request: &Request,
    setup: &Setup,
    state: &mut State,
    indexer: usize,
    (mut events, mut envelopes): Parsed,
) -> (Reply, Duration) {
    let State { fates, rule, .. } = state;
    let fate = fates.pop_front().unwrap_or_else(|| rule.as_mut().map_or(Fate::Take, |rule| rule(&events)));
    match &fate {
        Fate::Refuse(status, headers, body) => {
            return (Reply::Answer(*status, headers.clone(), body.clone()), Duration::ZERO);
        }
        Fate::Invalid(_) if !setup.takes_prefix => (events.clear(), envelopes.clear()),
        Fate::Invalid(number) => (events.truncate(*number), envelopes.truncate(*number)),
        _ => ((), ()),
    };
    let is_lost = matches!(fate, Fate::TakeAndLose);
    let at = (!is_lost).then(|| Instant::now() + if setup.acks { setup.indexing } else { Duration::ZERO });
    let id = setup.acks.then(|| channel(request).unwrap());
    if !events.is_empty() {
        state.deliveries.push(Delivery { indexer, channel: id.clone(), events, envelopes, at });
    }
    if let Fate::Invalid(number) = fate {
        let body = json!({"text": "Invalid data format", "code": 6, "invalid-event-number": number});
        return (Reply::Answer(400, vec![], body.to_string()), Duration::ZERO);
    }
    let (status, mut body, wait) = match fate {
        Fate::TakeSlowly(wait) => (200, json!({"text": "Success", "code": 0}), wait),
        Fate::TakeSaying(status, ref body) => (status, body.clone(), Duration::ZERO),
        _ => (200, json!({"text": "Success", "code": 0}), Duration::ZERO),
    };
    if let Some(id) = id {
        let channel = state.channels.entry((indexer, id)).or_default();
        body["ackId"] = channel.next.into();
        channel.untold.insert(channel.next, at);
        channel.next += 1;
    }
    match fate {
        Fate::TakeAndClose => (Reply::Close, Duration::ZERO),
        Fate::TakeAndHang => (Reply::Hang, Duration::ZERO),
        _ => (Reply::Answer(status, vec![], body.to_string()), wait),
    }
}
