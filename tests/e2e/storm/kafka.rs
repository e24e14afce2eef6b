//! A real Kafka broker. Clients go where a broker says that it is, so this one has to be started with the proxy's address
//! for its own.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::server::{Server, variable};
use super::tcp::Proxy;
use super::{Again, Damage, Death, Destination, Weather, weather_the_storm};

/// Longest time for reading everything back.
const READ: Duration = Duration::from_secs(120);

struct Broker {
    server: Server,
    proxy: Proxy,
    topic: String,
}

impl Destination for Broker {
    fn sink(&self) -> String {
        format!(
            "type: kafka\nbrokers: [ \"{}\" ]\ntopic: {}\ntimeout: 10s\n\
             properties: {{ allow.auto.create.topics: \"true\" }}\n",
            self.proxy.address, self.topic
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
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.proxy.address.to_string())
            .set("group.id", "storm")
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(&self.topic), READ).unwrap();
        let mut partitions = TopicPartitionList::new();
        let mut left = 0;
        for partition in metadata.topics()[0].partitions() {
            let (first, end) = consumer.fetch_watermarks(&self.topic, partition.id(), READ).unwrap();
            partitions.add_partition_offset(&self.topic, partition.id(), Offset::Beginning).unwrap();
            left += end - first;
        }
        consumer.assign(&partitions).unwrap();
        let (mut events, began) = (Vec::new(), Instant::now());
        while left > 0 {
            assert!(began.elapsed() < READ, "{left} records cannot be read");
            let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
            events.extend(record.unwrap().payload().unwrap());
            events.push(b'\n');
            left -= 1;
        }
        events
    }
}

#[test]
#[ignore = "needs a broker: tests/services/run.sh kafka"]
fn a_broker_that_is_busy_loses_answers_and_dies_gets_everything() {
    let server = Server::of_environment();
    let listen = variable("TOWPATH_STORM_LISTEN").parse().unwrap();
    let proxy = Proxy::start(listen, server.address);
    let topic = format!("storm-{}", std::process::id());
    weather_the_storm("kafka", &Broker { server, proxy, topic }, Death::InTheStorm, Again::Possible);
}
