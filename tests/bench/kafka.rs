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
use crate::process::measure;

/// Records to deliver.
const RECORDS: usize = 200_000;

const TOPIC: &str = "audit";
const PARTITIONS: i32 = 4;

/// API → Kafka, plain and compressed.
pub(crate) fn throughput(towpath: &Path, work: &Path) {
    println!("kafka: {RECORDS} records, OCSF, to a mock cluster in this process, {PARTITIONS} partitions");
    for compression in ["none", "zstd"] {
        let world = World::new(work, &format!("kafka-{compression}"), RECORDS);
        let cluster = MockCluster::new(1).expect("a mock cluster");
        cluster.create_topic(TOPIC, PARTITIONS, 1).expect("a topic");
        let brokers = cluster.bootstrap_servers();
        let config = world.configure(&format!(
            "type: kafka, brokers: [ \"{brokers}\" ], topic: {TOPIC}, compression: {compression}"
        ));
        let cost = measure(&mut world.command(towpath, &config, true));
        let (events, ids) = stored(&brokers);
        assert!(ids == world.api.all_ids(), "{} of {RECORDS} records", ids.len());
        println!(
            "  {compression:<5} {:>8.0} events/s, {:.2} CPU s per million, peak RSS {:.1} MiB",
            cost.per_second(events),
            cost.cpu_per_million(events),
            cost.peak_kib as f64 / 1024.0,
        );
        std::fs::remove_dir_all(&world.dir).expect("the directory is ours");
    }
    println!();
}

/// How many events the topic holds, and of which records.
fn stored(brokers: &str) -> (u64, BTreeSet<String>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "bench")
        .set("enable.partition.eof", "false")
        .create()
        .expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        partitions.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&partitions).expect("partitions to read");
    let (mut events, mut ids, mut heard) = (0, BTreeSet::new(), Instant::now());
    while heard.elapsed() < Duration::from_secs(3) {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.expect("a record");
        let event: Value = serde_json::from_slice(message.payload().expect("a value")).expect("an event");
        ids.extend(event["metadata"]["original_event_uid"].as_str().map(str::to_owned));
        events += 1;
        heard = Instant::now();
    }
    (events, ids)
}
