//! Wrong usage and wrong configuration: exit status 2, nothing started, everything said at once.

use simulator::Postman;

use crate::api::Api;
use crate::workplace::Workplace;

#[test]
fn all_errors_of_a_configuration_come_at_once_with_their_places() {
    let api = Api::start(Postman::builder().events(10));
    let place = Workplace::new();
    let text = format!(
        "data_dir: ./data\n\
         limits: {{ in_flight: lots }}\n\
         sources:\n  \
           postman:\n    \
             type: postman\n    \
             url: {}\n    \
             api_key: PMAK-hush-1\n    \
             api_kee: PMAK-hush-2\n    \
             poll_interval: 10ms\n    \
             overlap: ${{NOT_SET}}\n\
         sinks:\n  \
           archive: {{ type: file, path: out.ndjson, schema: oscf }}\n  \
           other: {{ type: fiel, path: other.ndjson }}\n",
        api.url()
    );
    place.write("towpath.yaml", &text);
    for command in ["run", "check"] {
        let ended = place.run(&[command]).exits(2);
        for (place_of_error, word) in [
            ("towpath.yaml:2:22", "lots"),
            ("towpath.yaml:8:5", "api_key"),
            ("towpath.yaml:10:", "NOT_SET"),
            ("towpath.yaml:12:52", "oscf"),
            ("towpath.yaml:13:18", "file"),
        ] {
            assert!(ended.stderr.contains(place_of_error), "{place_of_error} is not named: {ended}");
            assert!(ended.stderr.contains(word), "`{word}` is not said: {ended}");
        }
        assert!(!ended.stderr.contains("hush"), "a secret is quoted: {ended}");
        assert_eq!(ended.stdout, "");
    }
    assert!(!place.path("data").exists() && !place.path("out.ndjson").exists(), "something was started");
    assert_eq!(api.requests_so_far(), 0);
}

#[test]
fn wrong_usage_has_a_status_of_its_own() {
    let place = Workplace::new();
    for (args, says) in [
        (&[][..], "Usage"),
        (&["fly"], "unrecognized subcommand"),
        (&["run", "--twice"], "unexpected argument"),
        (&["run", "--timeout", "5m"], "--once"),
        (&["run", "--once", "--timeout", "soon"], "soon"),
        (&["run"], "towpath.yaml"),
        (&["run", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (&["run", "--log-level", "loud"], "loud"),
        (&["normalize", "--source", "postman", "--ocsf-version", "0.9"], "0.9"),
        (&["simulate", "--faults", "some"], "none, default, hostile"),
        (&["simulate", "--rate", "fast"], "20/s"),
    ] {
        let ended = place.run(args).exits(2);
        assert!(ended.stderr.contains(says), "{args:?} does not say `{says}`: {ended}");
        assert_eq!(ended.stdout, "", "{args:?}");
    }
}
