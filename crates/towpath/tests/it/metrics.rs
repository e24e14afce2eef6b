//! The reference of metrics is that of the code, and a scrape has what the reference says.

mod scrape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use simulator::Postman;
use telemetry::metrics::{self as names, ALL, DURATION_BUCKETS, Kind, LATENCY_BUCKETS, Metric};

use self::scrape::Scrape;
use crate::simulated::{Api, keys};

/// Metrics that are not in every scrape, and what they wait for.
const ON_OCCASION: &[(&str, &str)] = &[
    (names::SOURCE_REQUESTS, "the first request with this status"),
    (names::SOURCE_REQUEST_DURATION, "the first request"),
    (names::SOURCE_ERRORS, "the first failure of this kind"),
    (names::SOURCE_RATE_LIMIT_REMAINING, "an answer that says so"),
    (names::SOURCE_RETENTION_HEADROOM, "a saved position"),
    (names::SINK_DEAD_LETTERED, "the first one with this reason"),
    (names::SINK_WRITE_DURATION, "the first write"),
    (names::SINK_ERRORS, "the first failure of this kind"),
    (names::SINK_KAFKA_QUEUED_EVENTS, "the first seconds of a sink `kafka`"),
    (names::SINK_KAFKA_QUEUED_BYTES, "the first seconds of a sink `kafka`"),
    (names::SINK_KAFKA_BROKERS_UP, "the first seconds of a sink `kafka`"),
    (names::SINK_KAFKA_THROTTLE, "the first seconds of a sink `kafka`"),
    (names::SINK_KAFKA_DISCONNECTS, "the first seconds of a sink `kafka`"),
    (names::SINK_KAFKA_REQUEST_ERRORS, "the first seconds of a sink `kafka`"),
    (names::SINK_KAFKA_REQUEST_RETRIES, "the first seconds of a sink `kafka`"),
    (names::SINK_KAFKA_ROUND_TRIP, "the first answer of a broker"),
    (names::EVENT_LATENCY, "the first delivery"),
    (names::CHECKPOINT_LAST_SAVE, "the first save since the start"),
];

/// Longer than any step takes, also on a busy machine.
const SOON: Duration = Duration::from_secs(60);

const PAGE: &str = "\
# Metrics

<!-- Generated from crates/telemetry/src/metrics.rs by a test: `make docs` rewrites it. -->

`GET /metrics` of the admin server (`admin.listen`, by default `127.0.0.1:9600`) answers in the text format of
Prometheus. The endpoint asks for no token and holds no secret. What to watch, and why, is in [operating](operating.md);
alerts are in [deploy/alerts.yaml](../deploy/alerts.yaml).

Names, types and labels are a contract; the text of the meaning is not. Labels have few values: names of the
configuration (`source`, `sink`), HTTP statuses, and stable words (`kind`, `reason`), of which [operating](operating.md)
has a table. Counters count from the start of the process. Those that are read together belong together: at every scrape,
for every sink, *received* = *delivered* + *dead-lettered* + *filtered* + *abandoned* + *in flight*.

A metric is in every scrape from the start on, unless its line says *from*: then it is there from that moment on. Those of
the process need `/proc`.
";

fn group(metric: &Metric) -> &'static str {
    match metric.name {
        name if name.starts_with("towpath_source_") => "Sources",
        name if name.starts_with("towpath_sink_") => "Sinks",
        name if name.starts_with("towpath_") => "All together",
        _ => "The process",
    }
}

fn reference() -> String {
    let mut page = PAGE.to_owned();
    let mut last = "";
    for metric in ALL {
        let group = group(metric);
        if group != last {
            last = group;
            write!(page, "\n## {group}\n\n| name | type | labels | meaning |\n|---|---|---|---|\n")
                .expect("a text");
        }
        let labels = if metric.labels.is_empty() {
            "–".to_owned()
        } else {
            metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ")
        };
        let occasion = ON_OCCASION.iter().find(|(name, _)| *name == metric.name);
        let occasion = occasion.map(|(_, what)| format!(". *From {what}*")).unwrap_or_default();
        let Metric { name, kind, help, .. } = metric;
        writeln!(page, "| `{name}` | {} | {labels} | {help}{occasion} |", kind.name()).expect("a text");
    }
    let bounds = |bounds: &[f64]| bounds.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
    write!(
        page,
        "\n## Buckets\n\nUpper bounds in seconds. Of `{}`: {}. Of the others: {}.\n",
        names::EVENT_LATENCY,
        bounds(LATENCY_BUCKETS),
        bounds(DURATION_BUCKETS)
    )
    .expect("a text");
    page
}

#[test]
fn the_reference_of_metrics_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let reference = reference();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &reference).expect("docs/metrics.md can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == reference, "docs/metrics.md is stale: `make docs` rewrites it");
}

/// `towpath run` and its admin server; killed when dropped.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.arg("run").current_dir(dir).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        let log = dir.join("log");
        let file = fs::File::create(&log).expect("a log");
        let mut running =
            Self { child: command.stderr(file).spawn().expect("towpath runs"), address: String::new() };
        let until = Instant::now() + SOON;
        running.address = loop {
            let said = fs::read_to_string(&log).expect("a log");
            let address = said.lines().find_map(|line| line.split_once("admin server listens address="));
            if let Some((_, address)) = address {
                break address.to_owned();
            }
            assert!(Instant::now() < until, "no admin server: {said}");
            std::thread::sleep(Duration::from_millis(20));
        };
        running
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(SOON)).expect("a time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: towpath\r\nConnection: close\r\n\r\n")
            .expect("a request");
        let mut answer = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(answer.read_line(&mut head).expect("a head") > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        let of_prometheus = "content-type: text/plain; version=0.0.4; charset=utf-8\r\n";
        assert!(head.to_ascii_lowercase().contains(of_prometheus), "{head}");
        let mut body = String::new();
        answer.read_to_string(&mut body).expect("a body");
        body
    }

    fn scrape(&self) -> Scrape {
        let text = self.get("/metrics");
        Scrape::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// Scrapes until it is so.
    #[track_caller]
    fn scrape_until(&self, what: &str, holds: impl Fn(&Scrape) -> bool) -> Scrape {
        let until = Instant::now() + SOON;
        loop {
            let scrape = self.scrape();
            if holds(&scrape) {
                return scrape;
            }
            assert!(Instant::now() < until, "not within {SOON:?}: {what}\n{scrape:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A place with a sink that works and one whose destination is not there.
fn configured(api: &Api) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let text = format!(
        "admin: {{ listen: '127.0.0.1:0' }}\nsources:\n  postman: {{ type: postman, poll_interval: 1s, {} }}\nsinks:\n  \
         archive: {{ type: file, path: ./events.ndjson }}\n  intake: {{ type: http, url: 'http://127.0.0.1:1/' }}\n",
        keys(api)
    );
    fs::write(dir.path().join("towpath.yaml"), text).expect("the configuration");
    dir
}

#[test]
fn a_scrape_has_what_the_reference_says_and_nothing_else() {
    const EVENTS: usize = 40;
    let api = Api::start(Postman::builder().events(EVENTS));
    let place = configured(&api);
    let towpath = Running::start(place.path());
    let delivered = |scrape: &Scrape| scrape.value(names::SINK_DELIVERED, &[("sink", "archive")]);
    let failed = [("sink", "intake"), ("kind", "transient")];
    let scrape = towpath.scrape_until("all events are in the file, and the other sink fails", |scrape| {
        delivered(scrape) >= Some(EVENTS as f64) && scrape.value(names::SINK_ERRORS, &failed) >= Some(1.0)
    });

    let known: BTreeMap<&str, &Metric> = ALL.iter().map(|metric| (metric.name, metric)).collect();
    for (name, family) in &scrape.families {
        let metric = known.get(name.as_str()).unwrap_or_else(|| panic!("{name} is in no table"));
        assert_eq!((&*family.kind, &*family.help), (metric.kind.name(), metric.help), "{name}");
        let labels: BTreeSet<&str> = metric.labels.iter().copied().collect();
        for series in &family.series {
            let has: BTreeSet<&str> = series.labels.iter().map(|(label, _)| label.as_str()).collect();
            assert_eq!(has, labels, "{name}");
            assert!(metric.kind != Kind::Counter || series.value.fract() == 0.0, "{name} {}", series.value);
        }
    }
    let absent: BTreeSet<&str> =
        known.keys().copied().filter(|name| !scrape.families.contains_key(*name)).collect();
    // Nothing was saved, as one sink has nothing; nothing was refused; the simulated API failed nothing; there is no Kafka.
    let expected = [
        names::SOURCE_ERRORS,
        names::SOURCE_RETENTION_HEADROOM,
        names::SINK_DEAD_LETTERED,
        names::SOURCE_RATE_LIMIT_REMAINING,
        names::CHECKPOINT_LAST_SAVE,
        names::SINK_KAFKA_QUEUED_EVENTS,
        names::SINK_KAFKA_QUEUED_BYTES,
        names::SINK_KAFKA_BROKERS_UP,
        names::SINK_KAFKA_THROTTLE,
        names::SINK_KAFKA_DISCONNECTS,
        names::SINK_KAFKA_REQUEST_ERRORS,
        names::SINK_KAFKA_REQUEST_RETRIES,
        names::SINK_KAFKA_ROUND_TRIP,
    ];
    let may_be_absent: BTreeSet<&str> = expected.into_iter().collect();
    assert!(absent.is_subset(&may_be_absent), "{absent:?}");
    let occasions: BTreeSet<&str> = ON_OCCASION.iter().map(|(name, _)| *name).collect();
    assert!(may_be_absent.is_subset(&occasions));

    // The two sides of the ledger, of one moment.
    for sink in ["archive", "intake"] {
        let of = |name: &str| {
            let value = scrape.value(name, &[("sink", sink)]);
            value.unwrap_or_else(|| panic!("no {name} of {sink}"))
        };
        let settled = of(names::SINK_DELIVERED) + of(names::SINK_FILTERED) + of(names::SINK_ABANDONED);
        assert_eq!(of(names::SINK_RECEIVED), settled + of(names::SINK_IN_FLIGHT), "{sink}");
        assert_eq!((of(names::SINK_PAUSED), of(names::DEAD_LETTERS)), (0.0, 0.0), "{sink}");
    }
    let of_source = [("source", "postman")];
    assert_eq!(scrape.value(names::SOURCE_RECORDS, &of_source), Some(EVENTS as f64));
    assert_eq!(scrape.value(names::BUILD_INFO, &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0));
}

#[test]
fn what_is_there_on_occasion_comes_with_it_and_the_rest_at_once() {
    let api = Api::start(Postman::builder().events(20));
    let place = configured(&api);
    // Only the file: everything is delivered and saved.
    let file = place.path().join("towpath.yaml");
    let text = fs::read_to_string(&file).expect("a configuration");
    let (without_intake, _) = text.split_once("  intake:").expect("a sink");
    fs::write(&file, without_intake).expect("a configuration");
    let towpath = Running::start(place.path());

    let at_once = towpath.scrape();
    for metric in ALL {
        let occasion = ON_OCCASION.iter().any(|(name, _)| *name == metric.name);
        assert!(occasion || at_once.families.contains_key(metric.name), "{}", metric.name);
    }
    let saved = names::CHECKPOINT_LAST_SAVE;
    let later = towpath.scrape_until("a position is saved", |scrape| {
        scrape.families.contains_key(saved) && scrape.families.contains_key(names::EVENT_LATENCY)
    });
    for name in [
        names::SOURCE_REQUESTS,
        names::SOURCE_REQUEST_DURATION,
        names::SOURCE_RETENTION_HEADROOM,
        names::SINK_WRITE_DURATION,
    ] {
        assert!(later.families.contains_key(name), "{name}");
    }
    assert!(later.value(names::CHECKPOINT_SAVES, &[]) >= Some(1.0));

    api.postman.refuse_key();
    let failed = [("source", "postman"), ("kind", "authentication")];
    let paused = towpath
        .scrape_until("the source fails", |scrape| scrape.value(names::SOURCE_ERRORS, &failed) >= Some(1.0));
    assert_eq!(paused.value(names::SOURCE_PAUSED, &[("source", "postman")]), Some(1.0));
}
