//! `towpath run` into librdkafka's own mock cluster, which keeps records in memory and acknowledges at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use crate::collect::World;
use crate::process::{Cost, measure};

/// Records to deliver: as many as the mock cluster keeps, which is 5 MiB of a partition.
const RECORDS: usize = 50_000;

/// Records of the run that is taken off, because a producer waits half a second for its first number.
const BEGINNING: usize = 10_000;

const TOPIC: &str = "audit";
const PARTITIONS: i32 = 32;

/// A run takes a second; so many are made.
const ROUNDS: usize = 3;

/// How long nothing must come for the topic to count as read to its end.
const SILENCE: Duration = Duration::from_secs(2);

/// API → Kafka, plain and compressed.
pub(crate) fn throughput(towpath: &Path, work: &Path) {
    println!(
        "kafka: {RECORDS} records less the first {BEGINNING}, OCSF, to a mock cluster in this process, {PARTITIONS} partitions"
    );
    for compression in ["none", "zstd"].repeat(ROUNDS) {
        let (beginning, first) = deliver(towpath, work, compression, BEGINNING);
        let (whole, events) = deliver(towpath, work, compression, RECORDS);
        println!("  {compression:<5} {}", whole.without(&beginning).figures(events - first));
    }
    println!();
}

/// What so many records cost, and how many events they have become.
fn deliver(towpath: &Path, work: &Path, compression: &str, records: usize) -> (Cost, u64) {
    let world = World::new(work, &format!("kafka-{compression}"), records);
    let cluster = MockCluster::new(1).expect("a mock cluster");
    cluster.create_topic(TOPIC, PARTITIONS, 1).expect("a topic");
    let brokers = cluster.bootstrap_servers();
    let config = world.configure(&format!(
        "type: kafka, brokers: [ \"{brokers}\" ], topic: {TOPIC}, compression: {compression}"
    ));
    let cost = measure(&mut world.command(towpath, &config, true));
    let (events, ids) = read(&brokers);
    assert!(ids == world.api.all_ids(), "{} of {records} records", ids.len());
    std::fs::remove_dir_all(&world.dir).expect("the directory is ours");
    (cost, events)
}

/// How many events the topic has, and of which records. What the mock cluster has dropped is missing, and the figure is none.
fn read(brokers: &str) -> (u64, BTreeSet<String>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench")
        .set("fetch.wait.max.ms", "50")
        .create()
        .expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&partitions).expect("partitions to read");
    let (mut events, mut ids, mut heard) = (0, BTreeSet::new(), Instant::now());
    while heard.elapsed() < SILENCE {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.expect("a record");
        let event: Value = serde_json::from_slice(message.payload().expect("a value")).expect("an event");
        ids.extend(event["metadata"]["original_event_uid"].as_str().map(str::to_owned));
        events += 1;
        heard = Instant::now();
    }
    (events, ids)
}
