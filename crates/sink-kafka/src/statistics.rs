//! What librdkafka tells of a producer every few seconds, as figures for metrics.
//!
//! Source: `STATISTICS.md` of librdkafka 2.12. Counts are of a producer's life; here they become those since the last time,
//! so that the counts of one producer after the other add up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use telemetry::metrics::KafkaClient;

/// Whom the figures are for.
pub(crate) type Observer = Arc<dyn Fn(&KafkaClient) + Send + Sync>;

/// The statistics of one producer.
pub(crate) struct Statistics {
    observer: Option<Observer>,
    /// What was counted until the last time.
    before: Mutex<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    disconnects: u64,
    errors: u64,
    retries: u64,
}

/// The part of librdkafka's JSON that is used.
#[derive(Deserialize)]
struct Told {
    msg_cnt: u64,
    msg_size: u64,
    #[serde(default)]
    brokers: BTreeMap<String, Broker>,
}

#[derive(Deserialize)]
struct Broker {
    /// Below zero while it is only an address from the configuration.
    nodeid: i64,
    state: String,
    txerrs: u64,
    rxerrs: u64,
    req_timeouts: u64,
    txretries: u64,
    #[serde(default)]
    disconnects: u64,
    /// In microseconds.
    rtt: Window,
    /// In milliseconds.
    throttle: Window,
}

/// What was measured since the last time.
#[derive(Deserialize)]
struct Window {
    avg: u64,
    cnt: u64,
}

impl Statistics {
    pub(crate) fn new(observer: Option<Observer>) -> Self {
        Self { observer, before: Mutex::default() }
    }

    /// librdkafka tells the figures of this moment.
    pub(crate) fn tell(&self, json: &[u8]) {
        let Some(observer) = &self.observer else { return };
        match serde_json::from_slice::<Told>(json) {
            Ok(told) => observer(&self.figures(&told)),
            Err(error) => tracing::warn!(%error, "librdkafka's statistics cannot be read"),
        }
    }

    /// The producer is gone, and its queue with it.
    pub(crate) fn end(&self) {
        if let Some(observer) = &self.observer {
            observer(&KafkaClient::default());
        }
    }

    fn figures(&self, told: &Told) -> KafkaClient {
        let sum = |of: fn(&Broker) -> u64| told.brokers.values().map(of).sum::<u64>();
        let slowest = |of: fn(&Broker) -> &Window| {
            told.brokers.values().map(of).filter(|window| window.cnt > 0).map(|window| window.avg).max()
        };
        let now = Counts {
            disconnects: sum(|broker| broker.disconnects),
            errors: sum(|broker| broker.txerrs + broker.rxerrs + broker.req_timeouts),
            retries: sum(|broker| broker.txretries),
        };
        // Whole at any moment, so a panic elsewhere does not spoil it.
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { disconnects, errors, retries } = std::mem::replace(&mut *before, now);
        KafkaClient {
            queued_events: told.msg_cnt,
            queued_bytes: told.msg_size,
            brokers_up: sum(|broker| u64::from(broker.nodeid >= 0 && broker.state == "UP")),
            round_trip: slowest(|broker| &broker.rtt).map(Duration::from_micros),
            throttle: slowest(|broker| &broker.throttle).map(Duration::from_millis).unwrap_or_default(),
            // A broker that left the cluster takes its counts with it.
            disconnects: now.disconnects.saturating_sub(disconnects),
            request_errors: now.errors.saturating_sub(errors),
            request_retries: now.retries.saturating_sub(retries),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn broker(nodeid: i64, state: &str, count: u64, rtt: [u64; 2], throttle: [u64; 2]) -> Value {
        let window = |[avg, cnt]: [u64; 2]| json!({"min": 0, "avg": avg, "cnt": cnt});
        json!({
            "nodeid": nodeid, "state": state, "txerrs": count, "rxerrs": 1, "req_timeouts": 0, "txretries": 2 * count,
            "disconnects": 3 * count, "rtt": window(rtt), "throttle": window(throttle), "toppars": {},
        })
    }

    #[test]
    fn counts_are_since_the_last_time_and_times_of_the_slowest() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let observer: Observer = Arc::new(move |told: &KafkaClient| kept.lock().unwrap().push(told.clone()));
        let statistics = Statistics::new(Some(observer));
        let tell = |count: u64| {
            let brokers = json!({
                "a": broker(-1, "UP", 0, [9_000_000, 0], [0, 0]),
                "b": broker(1, "UP", count, [1500, 4], [0, 2]),
                "c": broker(2, "DOWN", 0, [2500, 1], [70, 1]),
            });
            let told = json!({"msg_cnt": 5, "msg_size": 700, "brokers": brokers, "topics": {}});
            statistics.tell(told.to_string().as_bytes());
            seen.lock().unwrap().last().unwrap().clone()
        };
        let first = tell(10);
        let expected = KafkaClient {
            queued_events: 5,
            queued_bytes: 700,
            brokers_up: 1,
            round_trip: Some(Duration::from_micros(2500)),
            throttle: Duration::from_millis(70),
            disconnects: 30,
            request_errors: 13,
            request_retries: 20,
        };
        assert_eq!(first, expected);
        let second = tell(11);
        assert_eq!((second.disconnects, second.request_errors, second.request_retries), (3, 1, 2));
        let third = tell(4);
        assert_eq!((third.disconnects, third.request_errors, third.request_retries), (0, 0, 0));
        statistics.end();
        assert_eq!(*seen.lock().unwrap().last().unwrap(), KafkaClient::default());
    }
}
