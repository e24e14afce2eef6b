//! A good day: nothing is said that asks for attention.

use serde_json::Value;
use simulator::Postman;

use crate::api::Api;
use crate::delivered::Schema;
use crate::process::wait_until;
use crate::truth::assert_delivered_once;
use crate::workplace::{Config, Workplace};

#[test]
fn a_run_without_faults_warns_of_nothing() {
    let api = Api::start(Postman::builder().events(1500).rate(20.0));
    let place = Workplace::new();
    let mut config = Config::new(&api).sink("raw").sink("ocsf");
    config.source =
        config.source.replace(api.key(), "${file:key}").replace("requests_per_minute: 6000\n", "");
    place.configure(&config);
    place.write("key", api.key());
    for _ in 0..2 {
        let mut process = place.start(&["run", "--log-format", "json"]);
        let requests = api.requests_so_far();
        wait_until("it polls", || api.requests_so_far() > requests + 12 && place.lines("raw.ndjson") >= 1500);
        process.terminate();
        assert_eq!(process.wait().code(), Some(0), "{}", place.log());
    }
    api.set_rate(0.0);
    place.catches_up();
    assert_delivered_once(&api, &place, &[("raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)]);

    let log = place.log();
    let mut levels = Vec::new();
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let (level, message) = (event["level"].as_str().unwrap(), event["message"].as_str().unwrap());
        levels.push(level.to_owned());
        // The simulator's records hold actions that no release knows.
        let expected = ["INFO", "DEBUG"].contains(&level) || message.starts_with("unknown action");
        assert!(expected, "{line}");
    }
    assert!(levels.contains(&"INFO".to_owned()), "{log}");
}
