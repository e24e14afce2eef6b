//! One pipeline, every protocol: a webhook, Splunk, Elasticsearch, Kafka, syslog, an object store and a file take the same records
//! at the same time, while some of them are away and the process is killed.

use std::collections::{BTreeSet, HashSet};
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use simulator::{Faults, Postman};
use testkit::http::{Answer, Reply, Request, Server};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::admin::{free_address, metric};
use crate::api::Api;
use crate::process::wait_until;
use crate::workplace::{Config, Workplace};

const RECORDS: usize = 3000;

const TOPIC: &str = "audit";
const PARTITIONS: i32 = 3;

/// Ids of the records that a destination has stored.
#[derive(Clone, Default)]
struct Stored(Arc<Mutex<BTreeSet<String>>>);

impl Stored {
    fn add(&self, record: &[u8]) {
        let record: Value = serde_json::from_slice(record).expect("a destination stores JSON");
        self.ids().insert(record["id"].to_string());
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An HTTP destination that stores what `take` reads out of a request.
fn destination(
    runtime: &Runtime,
    take: impl Fn(&Request, &Stored) -> Reply + Send + Sync + 'static,
) -> (Server, Stored) {
    let stored = Stored::default();
    let kept = stored.clone();
    let handler = move |request: Request| -> Answer {
        let reply = take(&request, &kept);
        Box::pin(async move { reply })
    };
    (runtime.block_on(Server::start(None, handler)), stored)
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn ok(body: Value) -> Reply {
    Reply::Answer(200, vec![("content-type", "application/json".to_owned())], body.to_string())
}

fn webhook(request: &Request, stored: &Stored) -> Reply {
    lines(&request.body).for_each(|line| stored.add(line));
    ok(json!({}))
}

fn splunk(request: &Request, stored: &Stored) -> Reply {
    assert_eq!(request.header("authorization"), Some("Splunk hec-token"));
    for line in lines(&request.body) {
        let envelope: Value = serde_json::from_slice(line).expect("an envelope a line");
        assert!(envelope["fields"]["event_id"].is_string() && envelope["time"].is_number(), "{envelope}");
        stored.add(envelope["event"].to_string().as_bytes());
    }
    ok(json!({ "text": "Success", "code": 0 }))
}

/// Creates documents under their ids, once.
fn cluster() -> impl Fn(&Request, &Stored) -> Reply {
    let known = Mutex::new(HashSet::new());
    move |request, stored| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = lines(&request.body);
        let mut items = Vec::new();
        while let (Some(action), Some(document)) = (lines.next(), lines.next()) {
            let action: Value = serde_json::from_slice(action).expect("an action");
            let id = action["create"]["_id"].as_str().expect("an id").to_owned();
            let is_new = known.insert(id);
            if is_new {
                stored.add(document);
            }
            items.push(json!({ "create": { "status": if is_new { 201 } else { 409 } } }));
        }
        ok(json!({ "took": 1, "errors": false, "items": items }))
    }
}

/// Objects of lines, each under a key that nothing else has.
fn bucket(request: &Request, stored: &Stored) -> Reply {
    if request.method != "PUT" {
        return Reply::Answer(200, vec![], "<ListBucketResult></ListBucketResult>".to_owned());
    }
    assert_eq!(request.header("if-none-match"), Some("*"));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&request.body[..]).read_to_end(&mut text).expect("a whole body");
    lines(&text).for_each(|line| stored.add(line));
    Reply::Answer(200, vec![("etag", "\"1\"".to_owned())], String::new())
}

/// A syslog receiver that counts octets.
fn syslog(runtime: &Runtime) -> (std::net::SocketAddr, Stored) {
    let stored = Stored::default();
    let kept = stored.clone();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
                    while let Some((message, end)) = frame(&bytes) {
                        let json = message.iter().position(|byte| *byte == b'{').expect("a body");
                        kept.add(&message[json..]);
                        bytes.drain(..end);
                    }
                }
            });
        }
    });
    (address, stored)
}

/// The first message of a stream, and where it ends.
fn frame(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let blank = bytes.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..blank]).ok()?.parse().expect("a count of octets");
    let end = blank + 1 + length;
    (bytes.len() >= end).then(|| (&bytes[blank + 1..end], end))
}

/// What a topic holds.
fn topic(brokers: &str) -> Stored {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "reader")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let stored = Stored::default();
    let (mut ended, began) = (BTreeSet::new(), Instant::now());
    while ended.len() < PARTITIONS as usize {
        assert!(began.elapsed() < Duration::from_secs(30), "the topic cannot be read: {ended:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => stored.add(message.payload().unwrap()),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            // It asks again by itself.
            Some(Err(_)) | None => {}
        }
    }
    stored
}

#[test]
fn one_pipeline_delivers_to_every_kind_of_destination() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let faults = Faults { latency: Duration::from_millis(30), rate_limit: None, ..Faults::bad_day() };
    let api = Api::start(Postman::builder().events(RECORDS).faults(faults));
    let (webhook, at_webhook) = destination(&runtime, webhook);
    let (splunk, at_splunk) = destination(&runtime, splunk);
    let (cluster, at_cluster) = destination(&runtime, cluster());
    let (bucket, at_bucket) = destination(&runtime, bucket);
    let (syslog, at_syslog) = syslog(&runtime);
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    let brokers = kafka.bootstrap_servers();

    let place = Workplace::new();
    let admin = free_address();
    let mut config = Config::new(&api);
    config.general = config.general.replace("listen: off", &format!("listen: \"{admin}\""));
    config.sinks = format!(
        "file: {{ type: file, path: file.ndjson, schema: raw }}\n\
         webhook: {{ type: http, url: \"http://{}/in\", schema: raw }}\n\
         splunk: {{ type: splunk_hec, url: \"http://{}\", token: hec-token, acknowledgements: false, compression: none, schema: raw }}\n\
         cluster: {{ type: elasticsearch, urls: [\"http://{}\"], index: audit, compression: none, schema: raw }}\n\
         syslog: {{ type: syslog, address: \"tcp://{syslog}\", max_bytes: 1MiB, schema: raw }}\n\
         kafka: {{ type: kafka, brokers: [\"{brokers}\"], topic: {TOPIC}, timeout: 2s, schema: raw }}\n\
         bucket:\n  type: s3\n  bucket: audit\n  endpoint: \"http://{}\"\n  region: us-east-1\n  path_style: true\n  schema: raw\n\
        \x20 credentials: {{ access_key_id: id, secret_access_key: secret-secret }}\n  batch: {{ max_age: 500ms }}\n",
        webhook.address, splunk.address, cluster.address, bucket.address,
    );
    place.configure(&config);

    // One is away from the start, another one in the middle, and the process dies in between.
    splunk.away(true);
    let first = place.start(&["run"]);
    wait_until("the first events arrive", || at_webhook.ids().len() > 200);
    cluster.away(true);
    kafka.broker_down(-1).unwrap();
    first.kill();
    splunk.away(false);
    let mut second = place.start(&["run"]);
    wait_until("more events arrive", || at_splunk.ids().len() > 200);
    cluster.away(false);
    kafka.broker_up(-1).unwrap();

    let all = api.all_ids();
    let everywhere = [
        ("webhook", &at_webhook),
        ("splunk", &at_splunk),
        ("cluster", &at_cluster),
        ("bucket", &at_bucket),
        ("syslog", &at_syslog),
    ];
    wait_until("every destination has every record", || {
        everywhere.iter().all(|(_, stored)| all.is_subset(&stored.ids()))
    });
    wait_until("the topic has every record", || all.is_subset(&topic(&brokers).ids()));
    // librdkafka tells its figures every few seconds.
    wait_until("the metrics know of the broker", || {
        metric(admin, "towpath_sink_kafka_brokers_up{sink=\"kafka\"}") == Some(1.0)
            && metric(admin, "towpath_sink_kafka_queued_events{sink=\"kafka\"}") == Some(0.0)
    });
    second.terminate();
    assert!(second.wait().success());
    let known = api.all_ids();
    let in_file = Stored::default();
    lines(place.read("file.ndjson").as_bytes()).for_each(|line| in_file.add(line));
    let in_topic = topic(&brokers);
    for (name, stored) in everywhere.into_iter().chain([("file", &in_file), ("kafka", &in_topic)]) {
        assert!(all.is_subset(&stored.ids()), "{name}: something is missing");
        assert!(stored.ids().is_subset(&known), "{name}: something was invented");
    }
}
