//! SIGTERM: everything under way is delivered and saved before the process ends.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use simulator::{Faults, Postman, RateLimit};

use crate::api::Api;
use crate::chance::Random;
use crate::delivered::Schema;
use crate::process::wait_until;
use crate::truth::assert_delivered_once;
use crate::workplace::{Config, Workplace};

const STOPS: usize = 24;
const DRAIN: Duration = Duration::from_secs(10);

#[test]
fn stopped_at_any_moment_it_loses_nothing_and_repeats_nothing() {
    let seed = Random::seed();
    let rate_limit = Some(RateLimit { requests: 3000, ..Faults::bad_day().rate_limit.unwrap() });
    let faults = Faults { rate_limit, ..Faults::bad_day() };
    let api = Api::start(Postman::builder().seed(seed).events(6000).rate(100.0).faults(faults));
    let place = Workplace::new();
    let config = Config::new(&api).with("drain_timeout: 10s").sink("raw").sink("ocsf");
    place.write("towpath.yaml", &config.text());

    let mut random = Random::new(seed);
    for number in 0..STOPS {
        let starts = place.log().matches("towpath starts").count();
        let mut process = place.start(&["run"]);
        wait_until("it starts", || place.log().matches("towpath starts").count() > starts);
        sleep(random.up_to(Duration::from_millis(1000)));
        let asked = Instant::now();
        process.signal(if number % 4 == 3 { Signal::INT } else { Signal::TERM });
        let status = process.wait();
        assert_eq!(status.code(), Some(0), "stop {number}:\n{}", place.log());
        assert!(asked.elapsed() <= DRAIN, "stop {number} took {:?}", asked.elapsed());
    }
    api.set_rate(0.0);
    api.set_faults(Faults::none());
    // Past `resweep.every`, so that the last run begins with a sweep: it alone finds what appeared hours late.
    sleep(Duration::from_secs(4));
    place.catches_up();
    assert_delivered_once(&api, &place, &[("raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)]);
}

/// What cannot be delivered in time is left to the next start.
#[test]
fn a_stop_waits_for_a_sink_that_cannot_deliver_no_longer_than_it_may() {
    let (api, place) = with_a_sink_that_cannot_deliver("drain_timeout: 2s");
    let mut process = place.start(&["run"]);
    wait_until_events_are_held(&place);
    let asked = Instant::now();
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", place.log());
    let took = asked.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(3)).contains(&took), "{took:?}");

    std::fs::remove_dir(place.path("raw.ndjson")).unwrap();
    place.catches_up();
    assert_delivered_once(&api, &place, &[("raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)]);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (api, place) = with_a_sink_that_cannot_deliver("drain_timeout: 60s");
    let mut process = place.start(&["run"]);
    wait_until_events_are_held(&place);
    process.terminate();
    // Two signals within half a second are one wish.
    sleep(Duration::from_millis(800));
    assert!(process.ended().is_none(), "the first signal ended it: {}", place.log());
    process.terminate();
    assert_eq!(process.wait_within(Duration::from_secs(2)).code(), Some(1), "{}", place.log());

    std::fs::remove_dir(place.path("raw.ndjson")).unwrap();
    place.catches_up();
    // The sink that could deliver may have been given some twice: what was out was not saved.
    crate::truth::assert_delivered(
        &api,
        &place,
        &[("raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)],
    );
}

/// One sink is paused, the other has events that the first one lacks.
fn wait_until_events_are_held(place: &Workplace) {
    wait_until("events are held", || {
        place.log().contains("sink is paused") && !place.read("ocsf.ndjson").is_empty()
    });
}

/// The path of the sink `raw` is a directory.
fn with_a_sink_that_cannot_deliver(general: &str) -> (Api, Workplace) {
    let api = Api::start(Postman::builder().events(2000));
    let place = Workplace::new();
    std::fs::create_dir(place.path("raw.ndjson")).unwrap();
    let config = Config::new(&api).with(general).sink("raw").sink("ocsf");
    place.write("towpath.yaml", &config.text());
    (api, place)
}
