//! A real node of Elasticsearch or OpenSearch.

use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::http::{Answer, Reply, Request, send};

use super::http::{Manners, Proxy, reply};
use super::server::{Server, variable};
use super::{Again, Damage, Death, Destination, Weather, weather_the_storm};
use crate::workplace::Workplace;

/// What the templates of the product are for.
const STREAM: &str = "ocsf-postman-storm";

struct Node {
    server: Server,
    proxy: Proxy,
    flavor: String,
}

const REJECTED: &str = "es_rejected_execution_exception";

/// The whole request is rejected.
fn rejected(_: u64) -> Reply {
    let cause = json!({"type": REJECTED, "reason": "rejected execution of coordinating operation"});
    let body = json!({"error": {"root_cause": [cause], "type": REJECTED, "reason": "storm"}, "status": 429});
    json_answer(429, &body)
}

fn json_answer(status: u16, body: &Value) -> Reply {
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-elastic-product", "Elasticsearch".to_owned()),
    ];
    Reply::Answer(status, headers, body.to_string())
}

/// Every other document is rejected, by an answer that says so of each.
fn half_rejected(server: SocketAddr, mut request: Request) -> Answer {
    let lines: Vec<Vec<u8>> =
        request.body.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let is_bulk = request.target.contains("_bulk");
    Box::pin(async move {
        if !is_bulk {
            return send(server, request).await.map_or(Reply::Reset, reply);
        }
        let kept = lines.chunks(2).step_by(2);
        request.body = kept.flatten().flatten().copied().collect();
        request.headers.insert("content-length", request.body.len().to_string().parse().unwrap());
        let Ok(received) = send(server, request).await else { return Reply::Reset };
        if received.status != 200 {
            return reply(received);
        }
        let mut answer: Value = serde_json::from_slice(&received.body).unwrap();
        let taken = answer["items"].as_array().unwrap().clone();
        let mut items = Vec::new();
        let mut taken = taken.into_iter();
        for (number, document) in lines.chunks(2).enumerate() {
            items.push(match number % 2 {
                0 => taken.next().expect("an item for each document"),
                _ => rejected_item(&document[0]),
            });
        }
        answer["errors"] = (items.len() > 1).into();
        answer["items"] = items.into();
        json_answer(200, &answer)
    })
}

fn rejected_item(action: &[u8]) -> Value {
    let action: Value = serde_json::from_slice(action).unwrap();
    let error = json!({"type": REJECTED, "reason": "rejected execution of primary operation"});
    json!({"create": {
        "_index": STREAM, "_id": action["create"]["_id"].clone(), "status": 429, "error": error,
    }})
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(rename = "_scroll_id")]
    scroll: String,
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
    #[serde(rename = "_source", borrow)]
    source: &'a RawValue,
}

impl Node {
    fn call(&self, method: &str, target: &str, body: &str) -> Vec<u8> {
        let headers = [
            ("host", self.server.address.to_string()),
            ("content-type", "application/json".to_owned()),
            ("content-length", body.len().to_string()),
        ];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.into_iter().collect(),
            body: body.as_bytes().to_vec(),
        };
        let received = self.proxy.runtime.block_on(send(self.server.address, request)).unwrap();
        let said = String::from_utf8_lossy(&received.body);
        assert_eq!(received.status, 200, "{method} {target}: {said}");
        received.body
    }

    /// Loads the product's own index template.
    fn set_up(&self) {
        let args = ["schema", "elasticsearch", "--schema", "ocsf", "--flavor", &self.flavor];
        let template = Workplace::new().run(&args).exits(0).stdout;
        self.call("PUT", "/_index_template/towpath-storm", &template.replace("300", "302"));
    }
}

impl Destination for Node {
    fn sink(&self) -> String {
        format!(
            "type: elasticsearch\nflavor: {}\nurls: [ \"http://{}\" ]\nschema: ocsf\ndata_stream: {STREAM}\n\
             compression: none\ntimeout: 10s\nbatch: {{ max_events: 500 }}\n",
            self.flavor, self.proxy.address
        )
    }

    fn weather(&self, weather: Weather) {
        self.proxy.weather(weather);
    }

    fn kill(&self) {
        self.server.kill();
    }

    fn start(&self) {
        self.server.start();
    }

    fn damage(&self) -> Damage {
        self.proxy.damage()
    }

    fn stored(&self) -> Vec<u8> {
        self.call("POST", &format!("/{STREAM}/_refresh"), "");
        let first = json!({"size": 2000, "query": {"match_all": {}}, "sort": ["_doc"]}).to_string();
        let mut answer = self.call("POST", &format!("/{STREAM}/_search?scroll=1m"), &first);
        let mut events = Vec::new();
        loop {
            let page: Page<'_> = serde_json::from_slice(&answer).unwrap();
            if page.hits.hits.is_empty() {
                return events;
            }
            for hit in page.hits.hits {
                events.extend(hit.source.get().bytes());
                events.push(b'\n');
            }
            let next = json!({"scroll": "1m", "scroll_id": page.scroll}).to_string();
            answer = self.call("POST", "/_search/scroll", &next);
        }
    }
}

#[test]
#[ignore = "needs a node: tests/services/run.sh elasticsearch, or opensearch"]
fn a_node_that_is_busy_loses_answers_and_dies_gets_everything_once() {
    let server = Server::of_environment();
    let manners = Manners { busy: rejected, in_part: Some(half_rejected) };
    let flavor = variable("TOWPATH_STORM_FLAVOR");
    let node = Node { proxy: Proxy::start(server.address, manners), server, flavor };
    node.set_up();
    weather_the_storm(&node.flavor, &node, Death::InTheStorm, Again::Never);
}
