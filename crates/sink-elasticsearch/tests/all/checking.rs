//! `check`: reaches every node, delivers nothing.

use pipeline::Sink;
use serde_json::json;
use testkit::line;

use crate::cluster::{Cluster, Setup};
use crate::sink_to;

#[tokio::test]
async fn every_node_is_asked_and_nothing_is_stored() {
    let cluster = Cluster::start(Setup { pipelines: vec!["geo"], ..Setup::default() }, 2).await;
    sink_to(&cluster, &json!({"pipeline": "geo"})).check().await.unwrap();
    let targets: Vec<String> = cluster.requests().into_iter().map(|(_, request)| request.target).collect();
    assert_eq!(targets, ["/", "/", "/_ingest/pipeline/geo"]);
    assert!(cluster.documents().is_empty());
    cluster.nodes[1].away(true);
    let error = sink_to(&cluster, &json!({})).check().await.unwrap_err();
    assert!(line(&*error).contains(&cluster.nodes[1].address.to_string()), "{}", line(&*error));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_remedy() {
    let cluster = Cluster::start(Setup { auth: Some("ApiKey Z29vZA=="), ..Setup::default() }, 1).await;
    let config = |rest: serde_json::Value| sink_to(&cluster, &rest);
    for (rest, remedy) in [
        (json!({}), "correct `auth`"),
        (json!({"auth": {"api_key": "YmFkLWtleQ=="}}), "correct `auth`"),
        (json!({"auth": {"api_key": "Z29vZA=="}, "pipeline": "geo"}), "create the ingest pipeline"),
        (
            json!({"auth": {"basic": {"username": "a", "password": "s3cret"}}, "flavor": "opensearch"}),
            "correct `auth`",
        ),
    ] {
        let error = config(rest).check().await.unwrap_err();
        assert!(line(&*error).contains(remedy) && !line(&*error).contains("YmFk"), "{}", line(&*error));
    }
    config(json!({"auth": {"api_key": "Z29vZA=="}})).check().await.unwrap();
    cluster.refuse(Some((200, "<html>please log in</html>".to_owned())));
    let error = config(json!({})).check().await.unwrap_err();
    assert!(line(&*error).contains("neither Elasticsearch nor OpenSearch"), "{}", line(&*error));
}

#[tokio::test]
async fn a_remedy_names_the_key_of_this_sink() {
    let cluster = Cluster::start(Setup::default(), 1).await;
    let config = json!({"urls": [cluster.urls()[0].replace("http:", "https:")]});
    let text = line(&*sink_to(&cluster, &config).check().await.unwrap_err());
    assert!(text.contains("check scheme and port of `urls`"), "{text}");
}

#[tokio::test]
async fn the_flavor_must_be_that_of_the_cluster() {
    for (opensearch, flavor, remedy) in [
        (true, "elasticsearch", "set `flavor: opensearch`"),
        (false, "opensearch", "set `flavor: elasticsearch`"),
    ] {
        let cluster = Cluster::start(Setup { opensearch, ..Setup::default() }, 1).await;
        let error = sink_to(&cluster, &json!({"flavor": flavor})).check().await.unwrap_err();
        let text = line(&*error);
        assert!(text.contains(remedy) && text.contains("answers 200: it is "), "{text}");
    }
}
