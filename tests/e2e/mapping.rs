//! What a source's configuration and the API's own words add to events, and how holes in the history are reported.

use serde_json::{Value, json};
use simulator::{Faults, Postman};
use testkit::schema::{check_ecs, check_ocsf};

use crate::api::Api;
use crate::workplace::{Config, Workplace};

fn lines(place: &Workplace, name: &str) -> Vec<Value> {
    let text = place.read(name);
    for line in text.lines() {
        match name {
            "ocsf.ndjson" => {
                check_ocsf("1.8.0", line.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?} in {line}"))
            }
            _ => check_ecs(line.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?} in {line}")),
        }
    }
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn place_with(api: &Api, source: &str) -> Workplace {
    let place = Workplace::new();
    let mut config = Config::new(api).sink("ocsf").sink("ecs");
    config.source += source;
    place.configure(&config);
    place
}

#[test]
fn labels_of_the_source_are_on_every_event() {
    let api = Api::start(Postman::builder().events(50));
    let place = place_with(&api, "labels: { env: prod, cost.center: \"42\" }\n");
    place.catches_up();
    let (ocsf, ecs) = (lines(&place, "ocsf.ndjson"), lines(&place, "ecs.ndjson"));
    assert!(ocsf.len() >= 50 && ecs.len() == 50);
    for event in ocsf {
        assert_eq!(event["metadata"]["labels"], json!(["env:prod", "cost.center:42"]));
    }
    for event in ecs {
        assert_eq!(event["labels"], json!({ "cost_center": "42", "env": "prod" }));
    }
}

#[test]
fn history_that_the_api_no_longer_has_is_reported_as_a_hole() {
    let api = Api::start(Postman::builder().events(50));
    let place = place_with(&api, "start: 2024-01-01T00:00:00Z\n");
    let ended = place.run(&["run", "--once"]).exits(0).says("audit records of this time are not available");
    let gaps = |events: Vec<Value>, path: &str| -> Vec<Value> {
        events.into_iter().filter(|event| event.pointer(path) == Some(&json!("towpath.gap"))).collect()
    };
    let ocsf = gaps(lines(&place, "ocsf.ndjson"), "/metadata/log_name");
    assert_eq!(ocsf.len(), 1, "one hole, one event: {ended}");
    let message = ocsf[0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("no audit records of postman are available from 2024-01-01T00:00:00.000Z to "),
        "{message}"
    );
    let ecs: Vec<Value> = lines(&place, "ecs.ndjson")
        .into_iter()
        .filter(|event| event["event"]["kind"] == "pipeline_error")
        .collect();
    assert_eq!(ecs.len(), 1);
    assert_eq!(ecs[0]["event"]["start"], "2024-01-01T00:00:00.000Z");

    // It is reported once, not at every start.
    place.catches_up();
    assert_eq!(gaps(lines(&place, "ocsf.ndjson"), "/metadata/log_name").len(), 1);
}

#[test]
fn the_apis_list_of_actions_is_read_and_is_not_needed() {
    for action_list in [true, false] {
        let api = Api::start(Postman::builder().events(200).faults(Faults { action_list, ..Faults::none() }));
        let place = place_with(&api, "");
        let ended = place.catches_up();
        assert!(api.requests().iter().any(|request| request.path.ends_with("/audit-actions")));
        assert_eq!(lines(&place, "ecs.ndjson").len(), 200, "{ended}");
    }
}
