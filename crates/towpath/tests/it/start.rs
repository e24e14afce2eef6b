//! A `start` that is changed after the first run.

use std::time::{Duration, SystemTime};

use pipeline::Timestamp;
use simulator::Postman;

use crate::simulated::{Api, Place, keys};

#[test]
fn a_changed_start_is_said_to_have_no_effect() {
    let api = Api::start(Postman::builder().events(20));
    let with = |start: &str| format!("{}, start: {start}", keys(&api));
    let month_ago = Timestamp::from_system(SystemTime::now()).minus(Duration::from_secs(30 * 86_400));
    let place = Place::new(&with(&format!("'{month_ago}'")));
    for _ in 0..2 {
        let run = place.towpath(&["run", "--once"]);
        assert_eq!(run.status, Some(0), "{}", run.err);
        assert!(!run.err.contains("has no effect"), "{}", run.err);
    }
    place.configure(&with("all"), "type: file, path: ./events.ndjson");
    let run = place.towpath(&["run", "--once"]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    let lines: Vec<_> = run.err.lines().filter(|line| line.contains("has no effect")).collect();
    let [line] = lines[..] else { panic!("one line: {}", run.err) };
    for part in [
        " WARN ",
        "`start` was changed",
        "configured=all",
        &format!("holds={month_ago}"),
        "`towpath checkpoint reset postman`",
        "repeats what was delivered",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}
