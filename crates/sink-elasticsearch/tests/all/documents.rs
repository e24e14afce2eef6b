//! What is sent, and what is stored.

use std::sync::Arc;

use pipeline::{EventBatch, Schema, Sink, Write};
use serde_json::json;

use crate::cluster::{Cluster, Document, Setup, value};
use crate::{deliver, events, sink_to, words};

fn whole(batch: Arc<EventBatch>) -> Write {
    let mut write = Write::default();
    let events = batch.events.len();
    write.push(batch, 0..events);
    write
}

fn id(number: u32) -> String {
    format!("{:032x}", events::id(number))
}

#[tokio::test]
async fn each_event_is_created_under_its_id_and_what_comes_again_is_known() {
    let cluster = Cluster::start(Setup::default(), 1).await;
    let sink = sink_to(&cluster, &json!({}));
    assert_eq!(words(&deliver(&sink, &[1, 2, 3]).await), "taken");
    assert_eq!(words(&deliver(&sink, &[2, 3, 4]).await), "retry [], rejected [], known 2");
    let document =
        |number| Document { index: "audit".to_owned(), id: id(number), text: events::text(number) };
    assert_eq!(cluster.documents(), [1, 2, 3, 4].map(document));
    assert_eq!(cluster.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_index_is_named_after_the_time_of_each_event() {
    let cluster = Cluster::start(Setup::default(), 1).await;
    let sink = sink_to(&cluster, &json!({"index": "audit-%Y.%m"}));
    let times = [1_767_225_599_999, 1_767_225_600_000, 1_767_225_600_000, 0, 1_769_904_000_000];
    let batch: Vec<_> = (0..).zip(times).map(|(n, time)| (events::text(n), events::id(n), time)).collect();
    assert_eq!(words(&sink.write(&whole(events::batch(&batch, Schema::Ocsf))).await), "taken");
    let indexes: Vec<String> = cluster.documents().into_iter().map(|document| document.index).collect();
    assert_eq!(
        indexes,
        ["audit-2025.12", "audit-2026.01", "audit-2026.01", "audit-1970.01", "audit-2026.02"]
    );
}

#[tokio::test]
async fn documents_of_a_data_stream_have_their_time() {
    let cluster = Cluster::start(Setup::default(), 1).await;
    let sink = sink_to(&cluster, &json!({"index": null, "data_stream": "logs-audit-default"}));
    let texts = [r#"{"n":1}"#, "{}", r#" { "n" : 2 }"#];
    let batch: Vec<_> =
        (0..).zip(texts).map(|(n, text)| (text.to_owned(), events::id(n), 1_700_000_000_123)).collect();
    assert_eq!(words(&sink.write(&whole(events::batch(&batch, Schema::Ocsf))).await), "taken");
    let time = "2023-11-14T22:13:20.123Z";
    let stored: Vec<_> = cluster.documents().iter().map(|document| value(&document.text)).collect();
    let expected = [
        json!({"@timestamp": time, "n": 1}),
        json!({"@timestamp": time}),
        json!({"@timestamp": time, "n": 2}),
    ];
    assert_eq!(stored, expected);

    // ECS has it already, and is left as it is.
    let text = r#"{"@timestamp":"2026-01-01T00:00:00.000Z","event":{"kind":"event"}}"#;
    let batch = events::batch(&[(text.to_owned(), 99, 1)], Schema::Ecs);
    assert_eq!(words(&sink.write(&whole(batch)).await), "taken");
    assert_eq!(cluster.documents()[3].text, text);

    // What is no object has no place for a time, and is refused alone.
    let batch = events::batch(&[("[1]".to_owned(), 100, 1), (r#"{"a":1}"#.to_owned(), 101, 1)], Schema::Raw);
    let result = sink.write(&whole(batch)).await;
    assert_eq!(words(&result), r#"retry [], rejected ["0 mapping"], known 0"#);
    assert_eq!(cluster.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn requests_are_made_as_each_product_wants_them() {
    for (flavor, opensearch, content, accept) in [
        (
            "elasticsearch",
            false,
            "application/vnd.elasticsearch+x-ndjson;compatible-with=8",
            "application/vnd.elasticsearch+json;compatible-with=8",
        ),
        ("opensearch", true, "application/x-ndjson", "*/*"),
    ] {
        let pipelines = vec!["add+geo%2Fip"];
        let setup = Setup { opensearch, pipelines, coding: Some("gzip"), ..Setup::default() };
        let cluster = Cluster::start(setup, 1).await;
        let config = json!({"flavor": flavor, "compression": "gzip", "pipeline": "add geo/ip"});
        assert_eq!(words(&deliver(&sink_to(&cluster, &config), &[1]).await), "taken", "{flavor}");
        let (_, request) = &cluster.requests()[0];
        assert_eq!((request.header("content-type"), request.header("accept")), (Some(content), Some(accept)));
        assert!(request.target.starts_with("/audit/_bulk?filter_path="), "{}", request.target);
        assert!(request.target.ends_with("&pipeline=add+geo%2Fip"), "{}", request.target);
        // The other one does not take them so.
        let other = if opensearch { "elasticsearch" } else { "opensearch" };
        let result =
            deliver(&sink_to(&cluster, &json!({"flavor": other, "compression": "gzip"})), &[2]).await;
        if opensearch {
            assert_eq!(words(&result), "paused flavor");
        }
    }
}
