//! `/metrics`: the state of the run as Prometheus reads it.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::metrics::{counter, gauge};
use anyhow::anyhow;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use pipeline::Timestamp;
use runtime::{Ledger, SinkMode, SinkState, SourceMode, SourceState};
use telemetry::metrics as names;

use super::Watched;

/// How often the samples of histograms are put into their buckets when nobody asks.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder of this process.
#[derive(Clone)]
pub(super) struct Recorder(PrometheusHandle);

impl Recorder {
    /// Installs it for the whole process.
    pub(super) fn install() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(names::DURATION_BUCKETS)?
            .set_buckets_for_metric(Matcher::Full(names::EVENT_LATENCY.to_owned()), names::LATENCY_BUCKETS)?
            .build_recorder();
        let handle = recorder.handle();
        ::metrics::set_global_recorder(recorder).map_err(|error| anyhow!("{error}"))?;
        names::describe();
        Ok(Self(handle))
    }

    /// Keeps the memory of histograms small.
    pub(super) async fn keep_up(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.0.run_upkeep();
        }
    }

    /// The state of now, as text.
    pub(super) fn render(&self, watched: &Watched, now: Timestamp) -> String {
        read(watched, now);
        self.0.render()
    }
}

/// Reads the state into the recorder.
fn read(watched: &Watched, now: Timestamp) {
    let status = &watched.status;
    let mut saves = 0;
    for (n, source) in status.sources.iter().enumerate() {
        saves += source.saves.load(Ordering::Relaxed);
        let unknown = watched.unknown_actions.get(n).map_or(0, |unknown| unknown.total());
        read_source(source, unknown, watched.started, now);
    }
    for sink in &status.sinks {
        read_sink(sink, watched.dead_letters.count(&sink.name));
    }
    gauge!(names::IN_FLIGHT_BYTES).set(status.in_flight_bytes() as f64);
    counter!(names::CHECKPOINT_SAVES).absolute(saves);
    gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    read_process(watched.started);
}

fn read_source(source: &SourceState, unknown_actions: u64, started: Timestamp, now: Timestamp) {
    let label = || [("source", source.name.to_string())];
    let state = source.now();
    let detail = &state.detail;
    for (name, value) in [
        (names::SOURCE_RECORDS, source.records.load(Ordering::Relaxed)),
        (names::SOURCE_BYTES, source.bytes.load(Ordering::Relaxed)),
        (names::SOURCE_DUPLICATES, detail.duplicates),
        (names::SOURCE_VERSIONS, detail.versions),
        (names::SOURCE_UNKNOWN_ACTIONS, unknown_actions),
        (names::SOURCE_EXTRA_EVENTS, source.extra_events.load(Ordering::Relaxed)),
        (names::SOURCE_GAPS, source.gaps.load(Ordering::Relaxed)),
        (names::SOURCE_GAP_SECONDS, source.gap_seconds.load(Ordering::Relaxed)),
        (names::SOURCE_RESTARTS, source.restarts.load(Ordering::Relaxed)),
    ] {
        counter!(name, &label()).absolute(value);
    }
    for (kind, errors) in source.errors() {
        counter!(names::SOURCE_ERRORS, "source" => source.name.to_string(), "kind" => kind).absolute(errors);
    }
    let paused = if state.mode == SourceMode::Paused { 1.0 } else { 0.0 };
    gauge!(names::SOURCE_PAUSED, &label()).set(paused);
    // Before the first walk has closed it counts from the start of the process: an alert must not wait for data.
    let lag = now.since(state.delivered_until.unwrap_or(started));
    gauge!(names::SOURCE_LAG, &label()).set(lag.as_secs_f64());
    if let Some(lost_from) = state.lost_from {
        gauge!(names::SOURCE_RETENTION_HEADROOM, &label()).set(lost_from.since(now).as_secs_f64());
    }
    if let Some(remaining) = detail.rate_limit_remaining {
        gauge!(names::SOURCE_RATE_LIMIT_REMAINING, &label()).set(remaining as f64);
    }
    if let Some(saved) = state.last_save {
        gauge!(names::CHECKPOINT_LAST_SAVE, &label()).set(saved.as_millis() as f64 / 1000.0);
    }
}

fn read_sink(sink: &SinkState, dead_letters: u64) {
    let label = || [("sink", sink.name.to_string())];
    let ledger = sink.ledger();
    let Ledger { received, delivered, filtered, abandoned, delivered_bytes, .. } = ledger;
    for (name, value) in [
        (names::SINK_RECEIVED, received),
        (names::SINK_DELIVERED, delivered),
        (names::SINK_FILTERED, filtered),
        (names::SINK_ABANDONED, abandoned),
        (names::SINK_DELIVERED_BYTES, delivered_bytes),
        (names::SINK_DEDUPLICATED, sink.deduplicated.load(Ordering::Relaxed)),
        (names::SINK_BATCHES, sink.writes.load(Ordering::Relaxed)),
        (names::SINK_RETRIES, sink.retries.load(Ordering::Relaxed)),
    ] {
        counter!(name, &label()).absolute(value);
    }
    gauge!(names::SINK_IN_FLIGHT, &label()).set(ledger.in_flight() as f64);
    for (reason, events) in &ledger.dead_lettered {
        counter!(names::SINK_DEAD_LETTERED, "sink" => sink.name.to_string(), "reason" => *reason)
            .absolute(*events);
    }
    for (kind, errors) in sink.errors() {
        counter!(names::SINK_ERRORS, "sink" => sink.name.to_string(), "kind" => kind).absolute(errors);
    }
    let paused = if sink.now().mode == SinkMode::Paused { 1.0 } else { 0.0 };
    gauge!(names::SINK_PAUSED, &label()).set(paused);
    gauge!(names::DEAD_LETTERS, &label()).set(dead_letters as f64);
}

/// The usual figures of a process; each is left out where the system does not tell it.
fn read_process(started: Timestamp) {
    gauge!(names::PROCESS_START).set(started.as_millis() as f64 / 1000.0);
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may hold spaces.
    let fields: Vec<&str> =
        stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
    let number = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok());
    if let (Some(user), Some(system), Some(pages)) = (number(11), number(12), number(21)) {
        // proc(5): times in clock ticks, memory in pages.
        let ticks = rustix::param::clock_ticks_per_second();
        counter!(names::PROCESS_CPU).absolute((user + system) / ticks.max(1));
        gauge!(names::PROCESS_MEMORY).set((pages * rustix::param::page_size() as u64) as f64);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        gauge!(names::PROCESS_OPEN_FILES).set(open.count() as f64);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(most) = limit.current {
        gauge!(names::PROCESS_MOST_FILES).set(most as f64);
    }
}
