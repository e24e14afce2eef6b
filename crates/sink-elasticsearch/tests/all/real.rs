//! The same against real nodes: `TOWPATH_TEST_ELASTICSEARCH` and `TOWPATH_TEST_OPENSEARCH` name the URL of a node that is empty
//! and needs no login, or one of them does.

use http_client::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http_client::{ClientSettings, HttpClient, Method, Request, endpoint};
use pipeline::{Schema, Sink, SinkError, Write};
use serde_json::{Value, json};
use sink_elasticsearch::{Flavor, TemplateSchema, template};
use testkit::line;

use crate::node::NodeHarness;
use crate::{events, sink, templates, words};

const NODES: [(&str, &str, Flavor); 2] = [
    ("TOWPATH_TEST_ELASTICSEARCH", "elasticsearch", Flavor::Elasticsearch),
    ("TOWPATH_TEST_OPENSEARCH", "opensearch", Flavor::Opensearch),
];

/// A real node and what it is.
pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) name: &'static str,
    flavor: Flavor,
    client: HttpClient,
}

impl Node {
    pub(crate) fn all() -> Vec<Self> {
        let node = |(variable, name, flavor)| {
            let url = std::env::var(variable).ok()?;
            Some(Self { url, name, flavor, client: HttpClient::new(ClientSettings::default()) })
        };
        let nodes: Vec<Self> = NODES.into_iter().filter_map(node).collect();
        assert!(!nodes.is_empty(), "no node is named");
        nodes
    }

    async fn call(&self, method: Method, path: &str, body: &str) -> Value {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let url = endpoint(&self.url).unwrap().join(path).unwrap();
        let request = Request { method, url, headers, body: body.to_owned().into(), body_cap: 1 << 20 };
        serde_json::from_slice(&self.client.send(&request).await.unwrap().body).unwrap()
    }

    async fn count(&self, index: &str) -> u64 {
        self.call(Method::POST, &format!("{index}/_refresh"), "").await;
        self.call(Method::GET, &format!("{index}/_count"), "").await["count"].as_u64().unwrap()
    }

    fn sink(&self, rest: Value) -> sink_elasticsearch::ElasticsearchSink {
        let mut config = json!({"urls": [self.url], "flavor": self.name});
        for (key, value) in rest.as_object().unwrap() {
            config[key] = value.clone();
        }
        sink(&config)
    }
}

/// Every case of the suite that our own cluster passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
#[ignore = "needs real nodes"]
async fn the_sink_conforms_to_real_nodes() {
    for node in Node::all() {
        testkit::sink::conforms_to(node.name, NodeHarness::new(&node.url, node.name)).await;
    }
}

fn write(events: &[(String, u128, i64)], schema: Schema) -> Write {
    let mut write = Write::default();
    write.push(events::batch(events, schema), 0..events.len());
    write
}

#[tokio::test]
#[ignore = "needs real nodes"]
async fn a_thousand_events_of_each_schema_are_stored_once_and_known_when_they_come_again() {
    for node in Node::all() {
        for (schema, of, name, stream) in [
            (Schema::Ecs, TemplateSchema::Ecs, "ecs", "logs-postman.audit-default"),
            (Schema::Ocsf, TemplateSchema::Ocsf, "ocsf", "ocsf-postman-default"),
        ] {
            let text = template(of, node.flavor);
            let put = node.call(Method::PUT, &format!("_index_template/towpath-{name}"), text).await;
            assert_eq!(put["acknowledged"], true, "{} {name}: {put}", node.name);
            let golden = templates::golden(name);
            let event =
                |n: usize| (golden[n % golden.len()].clone(), n as u128, 1_700_000_000_000 + n as i64);
            let events: Vec<_> = (0..1000).map(event).collect();
            let sink = node.sink(json!({"data_stream": stream}));
            let outcome = sink.write(&write(&events, schema)).await.unwrap();
            assert_eq!(
                (&outcome.retry[..], &outcome.rejected[..]),
                (&[][..], &[][..]),
                "{} {name}",
                node.name
            );
            let again = sink.write(&write(&events, schema)).await.unwrap();
            assert_eq!(again.deduplicated, 1000, "{} {name}: {again:?}", node.name);
            assert_eq!(node.count(stream).await, 1000, "{} {name}", node.name);
            let found = node.call(Method::GET, &format!("{stream}/_search?size=1"), "").await;
            let index = found["hits"]["hits"][0]["_index"].as_str().unwrap();
            assert!(index.starts_with(&format!(".ds-{stream}-")), "{}: {index} is no data stream", node.name);
        }
    }
}

/// What the template promises: no event is refused for what a vendor put into it.
#[tokio::test]
#[ignore = "needs real nodes"]
async fn vendor_data_of_every_shape_is_stored() {
    for node in Node::all() {
        let put =
            template(TemplateSchema::Ocsf, node.flavor).replace("ocsf-*", "odd-ocsf-*").replace("300", "301");
        let put = node.call(Method::PUT, "_index_template/towpath-odd", &put).await;
        assert_eq!(put["acknowledged"], true, "{}: {put}", node.name);
        let deep = format!("{}1{}", "{\"a\":".repeat(60), "}".repeat(60));
        let many: Vec<String> = (0..3000).map(|n| format!("\"k{n}\":{n}")).collect();
        let shapes = [
            r#"{"n":1}"#.to_owned(),
            r#"{"n":"text"}"#.to_owned(),
            r#"{"n":{"m":[1,"a",null,true]}}"#.to_owned(),
            r#"{"a.b":1,"a":{"b":{"c":2}}}"#.to_owned(),
            format!(r#"{{"long":"{}"}}"#, "x".repeat(100_000)),
            format!(r#"{{"deep":{deep}}}"#),
            format!("{{{}}}", many.join(",")),
        ];
        let raw = "é".repeat(50_000);
        let event = |(n, shape): (u128, &String)| {
            let text = format!(
                r#"{{"time":1700000000000,"src_endpoint":{{"ip":"not an ip"}},"unmapped":{shape},"raw_data":"{raw}"}}"#
            );
            (text, n, 1)
        };
        let events: Vec<_> = (0..).zip(&shapes).map(event).collect();
        let sink = node.sink(json!({"data_stream": "odd-ocsf-default"}));
        let outcome = sink.write(&write(&events, Schema::Ocsf)).await;
        assert_eq!(words(&outcome), "taken", "{}: {outcome:?}", node.name);
    }
}

#[tokio::test]
#[ignore = "needs real nodes"]
async fn real_nodes_answer_as_the_tests_believe() {
    for node in Node::all() {
        let name = node.name;
        let one = |text: &str| vec![(text.to_owned(), 1, 1), (r#"{"n":2}"#.to_owned(), 2, 1)];
        node.call(Method::PUT, "mapped", r#"{"mappings":{"properties":{"n":{"type":"long"}}}}"#).await;
        let sink = node.sink(json!({"index": "mapped"}));
        let outcome = sink.write(&write(&one(r#"{"n":"s3cret"}"#), Schema::Raw)).await;
        assert_eq!(words(&outcome), r#"retry [], rejected ["0 mapping"], known 0"#, "{name}");
        let detail = outcome.unwrap().rejected[0].1.detail.clone();
        assert!(
            detail.contains("failed to parse field [n]") && !detail.contains("s3cret"),
            "{name}: {detail}"
        );

        // A data stream takes no document without a time.
        let outcome = sink.write(&write(&one(r#"[1]"#), Schema::Raw)).await;
        assert_eq!(words(&outcome), r#"retry [], rejected ["0 mapping"], known 1"#, "{name}");

        node.call(Method::PUT, "mapped/_settings", r#"{"index.blocks.write":true}"#).await;
        let fresh = write(&[(r#"{"n":3}"#.to_owned(), 3, 1)], Schema::Raw);
        assert_eq!(words(&sink.write(&fresh).await), "paused write_block", "{name}");
        node.call(
            Method::PUT,
            "mapped/_settings",
            r#"{"index.blocks.write":false,"index.blocks.read_only_allow_delete":true}"#,
        )
        .await;
        assert_eq!(words(&sink.write(&fresh).await), "transient", "{name}");
        node.call(Method::PUT, "mapped/_settings", r#"{"index.blocks.read_only_allow_delete":false}"#).await;
        node.call(Method::POST, "mapped/_close", "").await;
        assert_eq!(words(&sink.write(&fresh).await), "paused index_closed", "{name}");
        node.call(Method::POST, "mapped/_open", "").await;
        assert_eq!(words(&sink.write(&fresh).await), "taken", "{name}");

        let settings = r#"{"persistent":{"action.auto_create_index":"false"}}"#;
        node.call(Method::PUT, "_cluster/settings", settings).await;
        let result = node.sink(json!({"index": "absent-%Y"})).write(&fresh).await;
        assert_eq!(words(&result), "paused not_found", "{name}");
        let settings = r#"{"persistent":{"action.auto_create_index":null}}"#;
        node.call(Method::PUT, "_cluster/settings", settings).await;

        let result = node.sink(json!({"index": "mapped", "pipeline": "absent"})).write(&fresh).await;
        assert_eq!(words(&result), "paused pipeline", "{name}");

        let large = (r#"{"n":4,"x":""#.to_owned() + &"x".repeat(101 << 20) + "\"}", 4, 1);
        let whole = write(&[large.clone(), (r#"{"n":5}"#.to_owned(), 5, 1)], Schema::Raw);
        let plain = node.sink(json!({"index": "mapped", "compression": "none"}));
        let result = plain.write(&whole).await;
        // A node may hang up before it has read all of it.
        let hung_up = matches!(&result, Err(SinkError::Transient { .. }));
        assert!(words(&result) == "too large" || hung_up, "{name}: {result:?}");

        let other = if node.flavor == Flavor::Opensearch { "elasticsearch" } else { "opensearch" };
        let wrong = node.sink(json!({"index": "mapped", "flavor": other})).write(&fresh).await;
        if node.flavor == Flavor::Opensearch {
            assert_eq!(
                words(&wrong),
                "paused flavor",
                "{}",
                wrong.map_or_else(|e| line(&e), |_| String::new())
            );
        }
        sink.check().await.unwrap();
    }
}
