//! A mock cluster, and what it holds, read back by a consumer.

use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use testkit::sink::{Delivery, Held};

pub(crate) const TOPIC: &str = "audit";

type Mock = MockCluster<'static, DefaultProducerContext>;
type Command = Box<dyn FnOnce(&Mock) + Send>;

/// A cluster of one broker.
pub(crate) struct Cluster {
    pub(crate) brokers: String,
    commands: SyncSender<Command>,
    reader: Mutex<Reader>,
}

/// A record as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) key: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Cluster {
    /// One with the topic.
    pub(crate) fn start(partitions: i32) -> Self {
        let (commands, todo) = sync_channel::<Command>(16);
        let (ready, started) = sync_channel(1);
        // It may not leave the thread that made it.
        thread::spawn(move || {
            let mock = MockCluster::new(1).unwrap();
            mock.create_topic(TOPIC, partitions, 1).unwrap();
            ready.send(mock.bootstrap_servers()).unwrap();
            todo.into_iter().for_each(|command| command(&mock));
        });
        let brokers = started.recv().unwrap();
        let reader = Mutex::new(Reader::new(&brokers, TOPIC, partitions));
        Self { brokers, commands, reader }
    }

    /// Tells the cluster what to do, and waits until it does.
    pub(crate) fn tell(&self, command: impl FnOnce(&Mock) + Send + 'static) {
        let (done, told) = sync_channel(1);
        let command = move |mock: &Mock| {
            command(mock);
            done.send(()).unwrap();
        };
        self.commands.send(Box::new(command)).unwrap();
        told.recv().unwrap();
    }

    /// The next requests of this kind are answered so; `NO_ERROR` is an ordinary answer.
    pub(crate) fn answer(&self, kind: RDKafkaApiKey, errors: Vec<RDKafkaRespErr>) {
        self.tell(move |mock| mock.request_errors(kind, &errors));
    }

    /// Requests of this kind are answered as usual.
    pub(crate) fn answer_well(&self, kind: RDKafkaApiKey) {
        self.tell(move |mock| mock.clear_request_errors(kind));
    }

    /// Every answer takes so long.
    pub(crate) fn delay(&self, delay: Duration) {
        self.tell(move |mock| mock.broker_round_trip_time(-1, delay).unwrap());
    }

    pub(crate) fn is_up(&self, is_up: bool) {
        self.tell(move |mock| if is_up { mock.broker_up(-1) } else { mock.broker_down(-1) }.unwrap());
    }

    /// Whether metadata know the topic.
    pub(crate) fn knows_topic(&self, knows: bool) {
        let error = if knows {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        } else {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
        };
        self.tell(move |mock| mock.topic_error(TOPIC, error).unwrap());
    }

    /// All that it holds at this moment. The cluster must be well.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.reader.lock().unwrap().catch_up().to_vec()
    }

    /// What was seen when it was last read.
    pub(crate) fn records_before(&self) -> Vec<Record> {
        self.reader.lock().unwrap().seen.clone()
    }

    /// The texts of all that it holds, in the order of their partitions.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.records().into_iter().map(|record| record.text).collect()
    }
}

/// What records are to the suite that every sink passes: the event's id is the key and a header.
pub(crate) fn held(records: Vec<Record>) -> Held {
    let mut held = Held::default();
    for record in records {
        let id = record.headers.iter().find(|(name, _)| name == "event_id").map(|(_, id)| id.clone());
        if id.is_none() || id != record.key {
            held.damage.push(format!("{record:?}"));
        }
        held.deliveries.push(Delivery { id, events: vec![record.text] });
    }
    held
}

/// Reads a topic from its beginning.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    topic: String,
    /// Records read, by partition.
    read: Vec<i64>,
    seen: Vec<Record>,
}

impl Reader {
    pub(crate) fn new(brokers: &str, topic: &str, partitions: i32) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "reader")
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "10")
            .set("fetch.error.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "100")
            .set("retry.backoff.ms", "20")
            .set("topic.metadata.refresh.fast.interval.ms", "50")
            .set("topic.metadata.refresh.interval.ms", "500")
            .create()
            .unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..partitions {
            all.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        Self { consumer, topic: topic.to_owned(), read: vec![0; partitions as usize], seen: Vec::new() }
    }

    pub(crate) fn catch_up(&mut self) -> &[Record] {
        let end = Instant::now() + Duration::from_secs(20);
        let mut wanted = Vec::new();
        for partition in 0..self.read.len() as i32 {
            let high = loop {
                match self.consumer.fetch_watermarks(&self.topic, partition, Duration::from_secs(2)) {
                    Ok((_, high)) => break high,
                    Err(error) => assert!(Instant::now() < end, "the cluster cannot be read: {error}"),
                }
            };
            wanted.push(high);
        }
        while self.read.iter().zip(&wanted).any(|(read, wanted)| read < wanted) {
            assert!(Instant::now() < end, "read {:?} of {wanted:?}", self.read);
            let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) else { continue };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let headers = message.headers().map(|headers| {
                headers.iter().map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect()
            });
            self.read[message.partition() as usize] = message.offset() + 1;
            self.seen.push(Record {
                partition: message.partition(),
                key: message.key().map(text),
                headers: headers.unwrap_or_default(),
                text: text(message.payload().unwrap()),
            });
        }
        &self.seen
    }
}
