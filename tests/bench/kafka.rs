//! `towpath run` into librdkafka's own mock cluster, which keeps records in memory and acknowledges at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
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
const PARTITIONS: i32 = 16;

/// How long nothing must come for the topic to count as read to its end.
const SILENCE: Duration = Duration::from_secs(2);

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
        let reader = Reader::start(brokers);
        let cost = measure(&mut world.command(towpath, &config, true));
        let (events, ids) = reader.end();
        assert!(ids == world.api.all_ids(), "{} of {RECORDS} records", ids.len());
        println!("  {compression:<5} {}", cost.figures(events));
        std::fs::remove_dir_all(&world.dir).expect("the directory is ours");
    }
    println!();
}

/// Reads along, because the mock cluster keeps 5 MiB of a partition: what it then lacks is missing here too, and the
/// figure is none. Looks at the records only at the end.
struct Reader {
    written: Arc<AtomicBool>,
    reading: JoinHandle<Vec<Vec<u8>>>,
}

impl Reader {
    fn start(brokers: String) -> Self {
        let written = Arc::new(AtomicBool::new(false));
        let all = written.clone();
        Self { written, reading: spawn(move || read(&brokers, &all)) }
    }

    /// How many events came, and of which records.
    fn end(self) -> (u64, BTreeSet<String>) {
        self.written.store(true, Ordering::Relaxed);
        let values = self.reading.join().expect("no defect");
        let ids = values.iter().filter_map(|value| {
            let event: Value = serde_json::from_slice(value).expect("an event");
            event["metadata"]["original_event_uid"].as_str().map(str::to_owned)
        });
        (values.len() as u64, ids.collect())
    }
}

fn read(brokers: &str, written: &AtomicBool) -> Vec<Vec<u8>> {
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
    let (mut values, mut heard) = (Vec::new(), Instant::now());
    while !written.load(Ordering::Relaxed) || heard.elapsed() < SILENCE {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        values.push(message.expect("a record").payload().expect("a value").to_vec());
        heard = Instant::now();
    }
    values
}
