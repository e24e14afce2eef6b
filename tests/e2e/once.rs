//! `run --once`, for cron: its exit status tells whether everything was collected and delivered.

use std::time::{Duration, Instant};

use simulator::{Faults, MonthlyQuota, Postman};

use crate::api::Api;
use crate::delivered::Schema;
use crate::truth::assert_delivered_once;
use crate::workplace::{Config, Workplace};

const BOTH: &[(&str, Schema)] = &[("raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)];

fn place_for(api: &Api) -> Workplace {
    let place = Workplace::new();
    place.configure(&Config::new(api).sink("raw").sink("ocsf"));
    place
}

#[test]
fn it_ends_well_when_everything_is_delivered_and_goes_on_from_there() {
    let api =
        Api::start(Postman::builder().events(2000).faults(Faults { rate_limit: None, ..Faults::bad_day() }));
    let place = place_for(&api);
    place.catches_up();
    assert_delivered_once(&api, &place, BOTH);

    let length = place.read("raw.ndjson").len();
    place.catches_up();
    assert_eq!(place.read("raw.ndjson").len(), length, "nothing is new");

    let late = api.add(std::time::SystemTime::now() - Duration::from_secs(600)).to_string();
    let new = api.add(std::time::SystemTime::now()).to_string();
    place.catches_up();
    let ids: Vec<_> =
        place.events("raw.ndjson", Schema::Raw).into_iter().filter_map(|event| event.id).collect();
    assert!(ids.contains(&late) && ids.contains(&new), "what came later is collected by the next run");
    assert_delivered_once(&api, &place, BOTH);
}

#[test]
fn an_empty_log_is_collected_at_once() {
    let api = Api::start(Postman::builder().events(0));
    let place = place_for(&api);
    place.catches_up();
    assert_eq!(place.read("raw.ndjson"), "");
}

#[test]
fn a_time_out_is_a_failure_and_the_next_run_goes_on() {
    let api = Api::start(
        Postman::builder()
            .events(4000)
            .faults(Faults { latency: Duration::from_millis(400), ..Faults::none() }),
    );
    let place = place_for(&api);
    let began = Instant::now();
    place
        .run(&["run", "--once", "--timeout", "2s"])
        .exits(1)
        .says("not everything was collected and delivered within 2s");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let first = place.events("raw.ndjson", Schema::Raw).len();
    assert!((1..4000).contains(&first), "{first}");

    api.set_faults(Faults::none());
    place.catches_up();
    assert_delivered_once(&api, &place, BOTH);
}

#[test]
fn a_wrong_key_is_a_failure_with_its_remedy() {
    let api = Api::start(Postman::builder().events(10));
    let place = Workplace::new();
    let mut config = Config::new(&api).sink("raw");
    config.source = config.source.replace(api.key(), "PMAK-wrong");
    place.configure(&config);
    place.run(&["run", "--once"]).exits(1).says("put a valid key into `api_key`");
}

#[test]
fn a_spent_monthly_quota_is_a_failure_that_does_not_wait_for_the_next_month() {
    let quota = MonthlyQuota { requests: 6, month: Duration::from_secs(30 * 86_400) };
    let api = Api::start(
        Postman::builder().events(4000).faults(Faults { monthly_quota: Some(quota), ..Faults::none() }),
    );
    let place = place_for(&api);
    let began = Instant::now();
    place.run(&["run", "--once"]).exits(1).says("the team's monthly API quota is used up");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let first = place.events("raw.ndjson", Schema::Raw).len();
    assert!((1..4000).contains(&first), "what was collected is delivered: {first}");

    api.set_faults(Faults::none());
    place.catches_up();
    assert_delivered_once(&api, &place, BOTH);
}

#[test]
fn a_sink_that_cannot_deliver_is_a_failure() {
    let api = Api::start(Postman::builder().events(100));
    let place = place_for(&api);
    std::fs::create_dir(place.path("raw.ndjson")).unwrap();
    let ended = place.run(&["run", "--once", "--timeout", "2s"]).exits(1);
    assert!(ended.stderr.contains("raw.ndjson is a directory"), "{ended}");
}
