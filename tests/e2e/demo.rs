//! `towpath demo --exit`: the first minute of a new user.

use std::time::{Duration, Instant};

use crate::workplace::Workplace;

#[test]
fn the_demo_delivers_everything_and_ends() {
    let place = Workplace::new();
    let began = Instant::now();
    let ended = place.run(&["demo", "--exit"]).exits(0);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(ended.stdout, "", "stdout is for data");
    for file in ["ocsf.ndjson", "ecs.ndjson"] {
        let ledger = ended.stderr.lines().find(|line| line.starts_with(&format!("./towpath-demo/{file}: ")));
        let ledger = ledger.unwrap_or_else(|| panic!("no ledger of {file}: {ended}"));
        assert!(ledger.contains("; 0 lost, 0 invented"), "{ledger}");
        let text = place.read(&format!("towpath-demo/{file}"));
        assert!(text.lines().count() >= 5000, "{}", text.lines().count());
        for event in text.lines().step_by(10) {
            let checked = match file {
                "ocsf.ndjson" => testkit::schema::check_ocsf("1.8.0", event.as_bytes()),
                _ => testkit::schema::check_ecs(event.as_bytes()),
            };
            assert_eq!(checked, Ok(()), "{event}");
        }
    }
    for word in ["a simulated Postman API runs at", "some events, as OCSF has them", "and otherwise: "] {
        assert!(ended.stderr.contains(word), "`{word}` is not said: {ended}");
    }
    assert!(!ended.stderr.contains("PMAK-"), "the key is shown: {ended}");
}
