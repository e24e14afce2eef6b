//! The metrics that Towpath has, as a table: name, kind, labels and meaning. What counts them uses the names from here, the
//! reference in the documentation is made from here.
//!
//! Times of single operations are recorded as they happen, through the functions below. All else is read from the state
//! of the run whenever somebody asks, so that what belongs together is of one moment.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How often a value fell below each bound.
    Histogram,
}

impl Kind {
    /// The word in Prometheus.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name in Prometheus.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its labels; their values are bounded.
    pub labels: &'static [&'static str],
    /// What it says, in a sentence without a full stop.
    pub help: &'static str,
}

macro_rules! table {
    ($($constant:ident $name:literal $kind:ident [$($label:literal),*] $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// All of them, in the order of the documentation.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        }),*];
    };
}

table! {
    SOURCE_RECORDS "towpath_source_records_total" Counter ["source"]
        "New records taken in, after removing duplicates";
    SOURCE_BYTES "towpath_source_bytes_total" Counter ["source"]
        "Bytes of the new records, as the vendor sent them";
    SOURCE_DUPLICATES "towpath_source_duplicates_total" Counter ["source"]
        "Records seen again and removed";
    SOURCE_VERSIONS "towpath_source_versions_total" Counter ["source"]
        "Records with a known id and new content, delivered as a new version";
    SOURCE_UNKNOWN_ACTIONS "towpath_source_unknown_actions_total" Counter ["source"]
        "Records whose action is mapped by rule of thumb, not by the table";
    SOURCE_EXTRA_EVENTS "towpath_source_extra_events_total" Counter ["source"]
        "Events beyond the first of a record that gives several, in the first view of the source";
    SOURCE_GAPS "towpath_source_gaps_total" Counter ["source"]
        "Holes in the history that were found and reported";
    SOURCE_GAP_SECONDS "towpath_source_gap_seconds_total" Counter ["source"]
        "Length of the history that the API no longer had";
    SOURCE_REQUESTS "towpath_source_requests_total" Counter ["source", "status"]
        "Requests to the API, by HTTP status; `none` is a request without an answer";
    SOURCE_REQUEST_DURATION "towpath_source_request_duration_seconds" Histogram ["source"]
        "Time from sending a request to the last byte of its answer";
    SOURCE_ERRORS "towpath_source_errors_total" Counter ["source", "kind"]
        "Failures of the source: `transient`, or the reason why it is paused";
    SOURCE_RESTARTS "towpath_source_restarts_total" Counter ["source"]
        "How often the stream went back to its saved position";
    SOURCE_PAUSED "towpath_source_paused" Gauge ["source"]
        "1 while a person must act before the source can go on";
    SOURCE_RATE_LIMIT_REMAINING "towpath_source_rate_limit_remaining" Gauge ["source"]
        "Requests left, as the API said last";
    SOURCE_LAG "towpath_source_lag_seconds" Gauge ["source"]
        "Time since the start of the last walk to the present that is complete and delivered: the number to alert on; a quiet tenant does not raise it";
    SOURCE_RETENTION_HEADROOM "towpath_source_retention_headroom_seconds" Gauge ["source"]
        "Time left until history that is not delivered yet falls out of what the API keeps";
    SINK_RECEIVED "towpath_sink_received_events_total" Counter ["sink"]
        "Events handed to the sink: delivered + dead-lettered + filtered + abandoned + in flight, at every moment";
    SINK_DELIVERED "towpath_sink_delivered_events_total" Counter ["sink"]
        "Events durable at the destination";
    SINK_DEAD_LETTERED "towpath_sink_dead_lettered_events_total" Counter ["sink", "reason"]
        "Events that the destination refused for good, kept as dead letters";
    SINK_FILTERED "towpath_sink_filtered_events_total" Counter ["sink"]
        "Events left out by the user's rule";
    SINK_ABANDONED "towpath_sink_abandoned_events_total" Counter ["sink"]
        "Events given back when a stream went back to its saved position; they are collected again";
    SINK_IN_FLIGHT "towpath_sink_in_flight_events" Gauge ["sink"]
        "Events handed to the sink of which none of this is true yet";
    SINK_DEDUPLICATED "towpath_sink_deduplicated_events_total" Counter ["sink"]
        "Of the delivered: the destination had them already";
    SINK_DELIVERED_BYTES "towpath_sink_delivered_bytes_total" Counter ["sink"]
        "Bytes of the delivered events, before compression";
    SINK_BATCHES "towpath_sink_batches_total" Counter ["sink"]
        "Writes that the destination took, whole or in part";
    SINK_WRITE_DURATION "towpath_sink_write_duration_seconds" Histogram ["sink"]
        "Time of one write, failed ones included";
    SINK_ERRORS "towpath_sink_errors_total" Counter ["sink", "kind"]
        "Failed writes: `transient`, `too_large`, `refused`, or the reason why the sink is paused";
    SINK_RETRIES "towpath_sink_retries_total" Counter ["sink"]
        "Writes that were made again, whole or in part";
    SINK_PAUSED "towpath_sink_paused" Gauge ["sink"]
        "1 while a person must act before the sink can deliver; its events are kept";
    SINK_KAFKA_QUEUED_EVENTS "towpath_sink_kafka_queued_events" Gauge ["sink"]
        "Events in the Kafka client that no broker has acknowledged yet";
    SINK_KAFKA_QUEUED_BYTES "towpath_sink_kafka_queued_bytes" Gauge ["sink"]
        "Bytes of those events, without keys and headers, before compression";
    SINK_KAFKA_BROKERS_UP "towpath_sink_kafka_brokers_up" Gauge ["sink"]
        "Brokers to which the Kafka client is connected; it connects to those that lead a partition";
    SINK_KAFKA_ROUND_TRIP "towpath_sink_kafka_round_trip_seconds" Gauge ["sink"]
        "Mean time from a request to its answer, of the slowest broker, in the last interval with requests";
    SINK_KAFKA_THROTTLE "towpath_sink_kafka_throttle_seconds" Gauge ["sink"]
        "Mean time for which a broker asked to be left alone because of a quota, of the strictest one, in the last interval";
    SINK_KAFKA_DISCONNECTS "towpath_sink_kafka_disconnects_total" Counter ["sink"]
        "Connections to brokers that ended";
    SINK_KAFKA_REQUEST_ERRORS "towpath_sink_kafka_request_errors_total" Counter ["sink"]
        "Requests to brokers that could not be sent, were not answered in time, or whose answer could not be read";
    SINK_KAFKA_REQUEST_RETRIES "towpath_sink_kafka_request_retries_total" Counter ["sink"]
        "Requests to brokers that the Kafka client made again by itself";
    EVENT_LATENCY "towpath_event_latency_seconds" Histogram ["sink"]
        "Time from the vendor's event time to delivery, of the oldest event of each delivered batch";
    IN_FLIGHT_BYTES "towpath_in_flight_bytes" Gauge []
        "Bytes between the sources and the saved positions; bounded by `limits.in_flight`";
    DEAD_LETTERS "towpath_dead_letters" Gauge ["sink"]
        "Dead letters that wait for a person";
    CHECKPOINT_SAVES "towpath_checkpoint_saves_total" Counter []
        "Positions saved";
    CHECKPOINT_LAST_SAVE "towpath_checkpoint_last_save_timestamp_seconds" Gauge ["source"]
        "When the source's position was last saved, in seconds since 1970";
    BUILD_INFO "towpath_build_info" Gauge ["version"]
        "1; the label tells the version";
    PROCESS_CPU "process_cpu_seconds_total" Counter []
        "User and system time of the process";
    PROCESS_MEMORY "process_resident_memory_bytes" Gauge []
        "Memory that the process holds";
    PROCESS_OPEN_FILES "process_open_fds" Gauge []
        "Open files and sockets";
    PROCESS_MOST_FILES "process_max_fds" Gauge []
        "How many it may open";
    PROCESS_START "process_start_time_seconds" Gauge []
        "When the process was started, in seconds since 1970";
}

/// Upper bounds of the buckets of histograms of operations, in seconds.
pub const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0];

/// Upper bounds of the buckets of [`EVENT_LATENCY`], in seconds: audit logs are minutes late at best.
pub const LATENCY_BUCKETS: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0, 86_400.0, 604_800.0];

/// Tells the recorder that is installed what the metrics mean.
pub fn describe() {
    for Metric { name, kind, help, .. } in ALL {
        match kind {
            Kind::Counter => describe_counter!(*name, *help),
            Kind::Gauge => describe_gauge!(*name, *help),
            Kind::Histogram => describe_histogram!(*name, Unit::Seconds, *help),
        }
    }
}

/// A write to a sink took so long.
pub fn sink_write(sink: &str, took: Duration) {
    histogram!(SINK_WRITE_DURATION, "sink" => sink.to_owned()).record(took);
}

/// The oldest event of a batch was delivered so long after it happened.
pub fn event_latency(sink: &str, late: Duration) {
    histogram!(EVENT_LATENCY, "sink" => sink.to_owned()).record(late);
}

/// A request of a source ended with an HTTP status, or without an answer.
pub fn source_request(source: &str, status: Option<u16>, took: Duration) {
    let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
    counter!(SOURCE_REQUESTS, "source" => source.to_owned(), "status" => status).increment(1);
    histogram!(SOURCE_REQUEST_DURATION, "source" => source.to_owned()).record(took);
}

/// What a Kafka client tells of itself every few seconds. Counts are those since it told last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KafkaClient {
    /// [`SINK_KAFKA_QUEUED_EVENTS`].
    pub queued_events: u64,
    /// [`SINK_KAFKA_QUEUED_BYTES`].
    pub queued_bytes: u64,
    /// [`SINK_KAFKA_BROKERS_UP`].
    pub brokers_up: u64,
    /// [`SINK_KAFKA_ROUND_TRIP`]; none where nothing was asked.
    pub round_trip: Option<Duration>,
    /// [`SINK_KAFKA_THROTTLE`].
    pub throttle: Duration,
    /// [`SINK_KAFKA_DISCONNECTS`].
    pub disconnects: u64,
    /// [`SINK_KAFKA_REQUEST_ERRORS`].
    pub request_errors: u64,
    /// [`SINK_KAFKA_REQUEST_RETRIES`].
    pub request_retries: u64,
}

/// The Kafka client of a sink told this of itself.
pub fn kafka_client(sink: &str, told: &KafkaClient) {
    let label = || [("sink", sink.to_owned())];
    gauge!(SINK_KAFKA_QUEUED_EVENTS, &label()).set(told.queued_events as f64);
    gauge!(SINK_KAFKA_QUEUED_BYTES, &label()).set(told.queued_bytes as f64);
    gauge!(SINK_KAFKA_BROKERS_UP, &label()).set(told.brokers_up as f64);
    gauge!(SINK_KAFKA_THROTTLE, &label()).set(told.throttle.as_secs_f64());
    if let Some(round_trip) = told.round_trip {
        gauge!(SINK_KAFKA_ROUND_TRIP, &label()).set(round_trip.as_secs_f64());
    }
    counter!(SINK_KAFKA_DISCONNECTS, &label()).increment(told.disconnects);
    counter!(SINK_KAFKA_REQUEST_ERRORS, &label()).increment(told.request_errors);
    counter!(SINK_KAFKA_REQUEST_RETRIES, &label()).increment(told.request_retries);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for (n, metric) in ALL.iter().enumerate() {
            let Metric { name, kind, labels, help } = metric;
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(name.starts_with("towpath_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(!help.ends_with('.') && help.len() > 10, "{name}");
            assert!(ALL[..n].iter().all(|other| other.name != *name), "{name} twice");
            assert!(
                labels
                    .iter()
                    .all(|label| ["source", "sink", "kind", "reason", "status", "version"].contains(label))
            );
        }
    }
}
