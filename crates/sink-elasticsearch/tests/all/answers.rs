//! Our own cluster against real nodes: the same odd requests to both, and the same answers to each: status, type of error,
//! and those of the items. A difference is a defect of ours.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::http::{Received, Request, send};

use crate::cluster::{Cluster, Setup};
use crate::real::Node;

const INDEX: &str = "odd-answers";
const NDJSON: &str = "application/x-ndjson";

/// A request: what is odd about it, method, target, content type (none for none), body.
type Odd = (&'static str, &'static str, String, &'static str, Vec<u8>);

fn bulk(words: &'static str, index: &str, lines: &[&str]) -> Odd {
    let target = format!("/{index}/_bulk{}", crate::cluster::QUERY);
    (words, "POST", target, NDJSON, lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect())
}

fn create(id: &str) -> String {
    json!({"create": {"_id": id}}).to_string()
}

fn odd_requests(stream: &str) -> Vec<Odd> {
    let good = [create("1"), r#"{"n":1}"#.to_owned()];
    let good = [good[0].as_str(), good[1].as_str()];
    let with = |words, text: &str| {
        bulk(words, INDEX, &[&create(words), text, &create(&format!("{words} good")), r#"{"n":2}"#])
    };
    let with_id = |words, id: &str| bulk(words, INDEX, &[&create(id), r#"{"n":1}"#]);
    let whole = |words, body: &str| {
        (words, "POST", format!("/{INDEX}/_bulk{}", crate::cluster::QUERY), NDJSON, body.as_bytes().to_vec())
    };
    let typed = |words, kind| {
        (
            words,
            "POST",
            format!("/{INDEX}/_bulk{}", crate::cluster::QUERY),
            kind,
            b"{\"create\":{\"_id\":\"9\"}}\n{}\n".to_vec(),
        )
    };
    let to =
        |words, method, target: &str| (words, method, target.to_owned(), NDJSON, bulk("", INDEX, &good).4);
    vec![
        bulk("a document", INDEX, &good),
        bulk("a document that is there", INDEX, &good),
        bulk("the same twice in a request", INDEX, &[&create("2"), "{}", &create("2"), "{}"]),
        whole("an empty body", ""),
        whole("a body of a line break", "\n"),
        whole("no line break at the end", "{\"create\":{\"_id\":\"3\"}}\n{\"n\":1}"),
        whole("an action without a document", "{\"create\":{\"_id\":\"3\"}}\n"),
        whole("an action that is no JSON", "create\n{}\n"),
        whole("an action that is an array", "[1]\n{}\n"),
        whole("an unknown action", "{\"put\":{\"_id\":\"3\"}}\n{}\n"),
        whole("an unknown key in an action", "{\"create\":{\"_id\":\"3\",\"_kind\":\"x\"}}\n{}\n"),
        whole("a type, as in old versions", "{\"create\":{\"_id\":\"3\",\"_type\":\"_doc\"}}\n{}\n"),
        whole("an action that is cut", "{\"create\":{\"_id\":\"3\"\n{}\n"),
        with("no JSON", "no JSON"),
        with("an array", "[1]"),
        with("a number", "1"),
        with("an empty line", ""),
        with("a key twice", r#"{"n":1,"n":1}"#),
        with("a key twice below", r#"{"m":{"n":1,"n":1}}"#),
        with("a cut document", r#"{"n":1"#),
        with("two documents", r#"{"n":1}{"n":2}"#),
        with("against the mapping", r#"{"n":"text"}"#),
        with("a lone surrogate", r#"{"text":"\ud800"}"#),
        with("a number of any size", r#"{"m":1e999}"#),
        with("an integer of any size", r#"{"i":12345678901234567890}"#),
        with("an empty key below", r#"{"m2":[{"":1}]}"#),
        with("an empty key", r#"{"":1}"#),
        with_id("an id of 512 bytes", &"x".repeat(512)),
        with_id("an id that is too long", &"x".repeat(513)),
        with_id("an empty id", ""),
        bulk("a missing index", "absent-index", &good),
        bulk("a name of an index with capitals", "Absent", &good),
        bulk("a data stream without a time", stream, &[&create("1"), r#"{"n":1}"#]),
        bulk("a data stream", stream, &[&create("2"), r#"{"@timestamp":"2023-11-14T22:13:20.123Z"}"#]),
        bulk("a data stream with no time in it", stream, &[&create("3"), r#"{"@timestamp":"today"}"#]),
        to("no index at all", "POST", &format!("/_bulk{}", crate::cluster::QUERY)),
        to(
            "a pipeline that is missing",
            "POST",
            &format!("/{INDEX}/_bulk{}&pipeline=absent", crate::cluster::QUERY),
        ),
        to("a parameter that nobody knows", "POST", &format!("/{INDEX}/_bulk?bogus=1")),
        to("a method that is not for it", "DELETE", &format!("/{INDEX}/_bulk")),
        to("a path that nobody knows", "POST", &format!("/{INDEX}/_bulky/x/y")),
        typed("no type of content", ""),
        typed("text", "text/plain"),
        typed("JSON", "application/json"),
        typed("a version without Accept", "application/vnd.elasticsearch+x-ndjson;compatible-with=8"),
        ("a missing pipeline is asked for", "GET", "/_ingest/pipeline/absent".to_owned(), "", vec![]),
    ]
}

async fn ask(server: SocketAddr, odd: &Odd) -> Received {
    try_ask(server, odd).await.unwrap()
}

async fn try_ask(server: SocketAddr, (_, method, target, kind, body): &Odd) -> std::io::Result<Received> {
    let mut request = Request::new(server, method, target, body);
    if !kind.is_empty() {
        request.headers.insert("content-type", kind.parse().unwrap());
    }
    send(server, request).await
}

/// Status and type of error, of the whole or of each item.
fn words(received: &Received) -> String {
    let of = |value: &Value| match value["error"]["type"].as_str() {
        Some(kind) => format!("{} {kind}", value["status"]),
        None => value["status"].to_string(),
    };
    let Ok(body) = serde_json::from_slice::<Value>(&received.body) else {
        return format!("{} without JSON", received.status);
    };
    match body["items"].as_array() {
        Some(items) => {
            let items: Vec<String> = items.iter().map(|item| of(&item["create"])).collect();
            format!("{}, errors {}: {}", received.status, body["errors"], items.join(", "))
        }
        None => format!("{} {}", received.status, body["error"]["type"].as_str().unwrap_or("-")),
    }
}

#[tokio::test]
#[ignore = "needs real nodes"]
async fn our_cluster_answers_as_real_nodes_do() {
    let mut differences = Vec::new();
    // A new one each time: what deletes a data stream is not in these nodes.
    let stream: &str = format!("logs-audit-{}", std::process::id()).leak();
    for node in Node::all() {
        let real: SocketAddr = node.url.trim_start_matches("http://").parse().unwrap();
        let put = async |target: &str, body: Value, wanted: u16| {
            let request = Request::new(real, "PUT", target, body.to_string().as_bytes());
            let answer = send(real, request.with("content-type", "application/json")).await.unwrap();
            assert_eq!(answer.status, wanted, "{}", String::from_utf8_lossy(&answer.body));
        };
        let settings = json!({"persistent": {"action.auto_create_index": "-absent-index,+*"}});
        put("/_cluster/settings", settings, 200).await;
        let template = json!({"index_patterns": ["logs-audit-*"], "data_stream": {}, "priority": 777});
        put("/_index_template/towpath-answers", template, 200).await;
        put(&format!("/{INDEX}"), json!({"mappings": {"properties": {"n": {"type": "long"}}}}), 200).await;

        let setup = Setup {
            opensearch: node.name == "opensearch",
            absent: vec!["absent-index"],
            is_mapped: true,
            data_streams: vec![stream],
            ..Setup::default()
        };
        let ours = Cluster::start(setup, 1).await;
        for odd in odd_requests(stream) {
            let (real, ours) = (ask(real, &odd).await, ask(ours.nodes[0].address, &odd).await);
            if words(&real) != words(&ours) {
                let said = String::from_utf8_lossy(&real.body).chars().take(250).collect::<String>();
                differences.push(format!(
                    "{}, {}: real {}, ours {} ({said})",
                    node.name,
                    odd.0,
                    words(&real),
                    words(&ours)
                ));
            }
        }
        let large = b"{\"create\":{}}\n".repeat(8 << 20);
        for (name, server, body) in
            [("real", real, &large[..]), ("ours", ours.nodes[0].address, &large[..17 << 20])]
        {
            let odd = ("", "POST", format!("/{INDEX}/_bulk"), NDJSON, body.to_vec());
            // A node may hang up before it has read all of it.
            if let Ok(answer) = try_ask(server, &odd).await {
                assert_eq!((answer.status, answer.body.len()), (413, 0), "{} {name}", node.name);
            }
        }
        for target in [format!("/{INDEX}"), "/_index_template/towpath-answers".to_owned()] {
            send(real, Request::new(real, "DELETE", &target, b"")).await.unwrap();
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
