//! Storms: many events on their way to one destination, and in the middle it is busy, loses answers, and dies.
//!
//! | module | the destination |
//! |---|---|
//! | `splunk` | the strict receiver of `sink-splunk-hec`'s tests, in this process |
//! | `kafka` | a real broker, behind [`tcp`] |
//! | `s3` | a real MinIO, behind [`http`] |
//! | `search` | a real Elasticsearch or OpenSearch, behind [`http`] |
//! | `syslog` | a real rsyslog over RELP, behind [`tcp`]; a real syslog-ng over TCP |
//!
//! All but the first are left out unless asked for: `tests/services/run.sh` starts the servers ([`server`]). Afterwards
//! everything is read back from the destination and compared with what the simulator has shown. `TOWPATH_STORM_EVENTS` says how
//! many records there are.

mod http;
mod kafka;
#[expect(dead_code, reason = "it is set up in more ways by the tests that it comes from")]
#[path = "../../../crates/sink-splunk-hec/tests/all/splunk.rs"]
mod receiver;
mod s3;
mod search;
mod server;
mod splunk;
mod syslog;
mod tcp;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use simulator::{Faults, Postman, Record};

use crate::api::Api;
use crate::chance::Random;
use crate::delivered::{self, Event, Schema, repeated};
use crate::process::Running;
use crate::truth::Truth;
use crate::workplace::{Config, Workplace};

/// Records, where nobody says how many.
const RECORDS: usize = 20_000;

/// How long the destination is busy with others.
const BUSY: Duration = Duration::from_secs(3);

/// How long it stays away, beside what its start takes.
const AWAY: Duration = Duration::from_secs(2);

/// How long answers go on being lost once it is back, if there is so much to deliver.
const LOSSY: Duration = Duration::from_secs(3);

/// Longest time without a new record: the API's limit is counted by the minute.
const STANDSTILL: Duration = Duration::from_secs(120);

/// Longest time for all of it.
const LIMIT: Duration = Duration::from_secs(540);

/// What the way to a destination is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Weather {
    #[default]
    Clear,
    /// Nothing gets through: whoever asks is told to come again later, or waits.
    Busy,
    /// What is sent arrives, and some of the answers do not.
    Lossy,
}

/// What the weather has done.
#[derive(Clone, Copy, Debug, Default)]
struct Damage {
    /// Requests, or parts of requests, that were told to come again; connections that were held up.
    refused: u64,
    /// Requests that arrived, and whose answers did not.
    answers_lost: u64,
}

/// Where the events go.
trait Destination {
    /// The keys of its sink.
    fn sink(&self) -> String;

    fn weather(&self, weather: Weather);

    /// It dies, with all that is not durable.
    fn kill(&self);

    /// It comes back; returns when it answers.
    fn start(&self);

    fn damage(&self) -> Damage;

    /// All events that it has, a line each, in any order.
    fn stored(&self) -> Vec<u8>;
}

/// What a destination may do twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// It recognises what it has.
    Never,
    /// It takes whatever comes.
    Possible,
}

/// When the destination dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// While events are on their way to it.
    InTheStorm,
    /// When it has written down all that it was sent, because what it had not would be lost, and nobody would know: the API has
    /// nothing to show meanwhile.
    InALull,
}

/// Lets the storm pass over the destination, and looks at what it has.
fn weather_the_storm(name: &str, destination: &dyn Destination, death: Death, again: Again) {
    let records = std::env::var("TOWPATH_STORM_EVENTS")
        .map_or(RECORDS, |records| records.parse().expect("TOWPATH_STORM_EVENTS is a number"));
    let seed = Random::seed();
    let api = Api::start(Postman::builder().seed(seed).events(records).faults(Faults::bad_day()));
    let place = Workplace::new();
    let mut config = Config::new(&api).with("limits: { in_flight: 4MiB }");
    // Everything is there from the start, so that no sweep finds anything: it would only use up the API's rate.
    config.source = config.source.replace("timeout: 1s", "timeout: 10s");
    config.source.truncate(config.source.find("resweep").unwrap());
    config.sinks = format!("{name}:\n");
    destination.sink().lines().for_each(|line| config.sinks += &format!("  {line}\n"));
    place.configure(&config);

    let began = Instant::now();
    let mut process = place.start(&["run", "--once", "--timeout", "8m"]);
    let mut collected = |share: f64| {
        until_collected(&api, &place, &mut process, (share * records as f64) as u64);
    };
    collected(0.25);
    destination.weather(Weather::Busy);
    sleep(BUSY);
    destination.weather(Weather::Lossy);
    collected(0.45);
    if death == Death::InALull {
        lull(&api, destination);
    }
    destination.kill();
    sleep(AWAY);
    destination.start();
    api.set_faults(Faults::bad_day());
    let back = Instant::now();
    // A fast destination is done before the weather changes, so it changes earlier.
    while back.elapsed() < LOSSY && (api.stats().shown as f64) < 0.8 * records as f64 {
        sleep(Duration::from_millis(20));
    }
    assert_eq!(process.ended(), None, "the storm came too late:\n{}", place.log());
    destination.weather(Weather::Clear);
    let status = process.wait_within(LIMIT.saturating_sub(began.elapsed()));
    assert_eq!(status.code(), Some(0), "not everything is delivered:\n{}", place.log());
    let took = began.elapsed();

    let damage = destination.damage();
    let stored = destination.stored();
    let events = delivered::events(Schema::Ocsf, &stored);
    let verdict = Truth::of(&api).judge(Schema::Ocsf, &events);
    let repeated = repeated(&events).len();
    let (missing, strange) = compare_events(&place, &api.all(), &events);
    // Beside the harness, which keeps what a test prints.
    let report = format!(
        "storm {name}: {records} records, {} events, {} lost, {} invented, {repeated} repeated, {} refused, \
         {} answers lost, 1 bounce, {} s",
        events.len() - repeated,
        missing.len(),
        strange.len().max(verdict.wrong.len()),
        damage.refused,
        damage.answers_lost,
        took.as_secs(),
    );
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{report}").unwrap();

    assert_eq!(verdict.missing, [""; 0], "records that exist and are not there");
    assert_eq!(verdict.lost, [""; 0], "records that were shown and are not there");
    assert_eq!(verdict.wrong, [""; 0], "texts that were never shown");
    assert_eq!(verdict.nameless, [""; 0], "events without their record's id");
    assert_eq!((missing, strange), (vec![], vec![]), "events that are missing, and that nobody made");
    assert!(damage.refused > 0, "nothing was refused: there was no storm");
    assert!(damage.answers_lost > 0 || death == Death::InALull, "no answer was lost: there was no storm");
    if again == Again::Never {
        assert_eq!(repeated, 0, "it recognises what it has");
    }
}

/// Waits until the API has shown so many records. The budget keeps what is delivered close behind.
fn until_collected(api: &Api, place: &Workplace, process: &mut Running, records: u64) {
    let mut last = (0, Instant::now());
    while last.0 < records {
        assert_eq!(process.ended(), None, "it ended too early:\n{}", place.log());
        assert!(last.1.elapsed() < STANDSTILL, "{} of {records} records:\n{}", last.0, place.log());
        sleep(Duration::from_millis(50));
        let shown = api.stats().shown;
        if shown > last.0 {
            last = (shown, Instant::now());
        }
    }
}

/// Returns when the destination has all that was collected, and nothing is on its way.
fn lull(api: &Api, destination: &dyn Destination) {
    api.set_faults(Faults {
        answers: vec![(simulator::Answer::Status(503), 1.0)],
        persistence: u32::MAX,
        ..Faults::bad_day()
    });
    let began = Instant::now();
    loop {
        let (before, shown) = (destination.stored().len(), api.shown_ids());
        sleep(Duration::from_secs(1));
        let stored = destination.stored();
        if stored.len() == before {
            let there = delivered::events(Schema::Ocsf, &stored);
            let there: BTreeSet<String> = there.into_iter().filter_map(|event| event.id).collect();
            if shown.is_subset(&there) {
                return;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it does not get what was collected");
    }
}

/// The events that are missing and those that nobody made, by their names: one record may become several events, and the
/// command that makes them without a pipeline says which.
fn compare_events(place: &Workplace, records: &[Record], events: &[Event]) -> (Vec<String>, Vec<String>) {
    let mut lines = Vec::new();
    for version in records.iter().flat_map(|record| &record.versions) {
        lines.extend(&version.text);
        lines.push(b'\n');
    }
    std::fs::write(place.path("all.ndjson"), lines).unwrap();
    let made = place.run(&["normalize", "--source", "postman", "all.ndjson"]).exits(0);
    let expected = names(&delivered::events(Schema::Ocsf, made.stdout.as_bytes()));
    let there = names(events);
    let difference = |of: &BTreeSet<String>, from: &BTreeSet<String>| of.difference(from).cloned().collect();
    (difference(&expected, &there), difference(&there, &expected))
}

fn names(events: &[Event]) -> BTreeSet<String> {
    events.iter().filter_map(|event| event.uid.clone()).collect()
}
