//! The command, and what it says of itself.

use std::collections::BTreeSet;

use simulator::*;

#[test]
fn faults_describe_themselves_and_are_named() {
    let hostile: Faults = "hostile".parse().unwrap();
    let knobs = hostile.describe();
    let names: BTreeSet<_> = knobs.iter().map(|knob| knob.name).collect();
    assert_eq!(names.len(), knobs.len(), "each name once");
    assert!(names.len() > 60, "{}", names.len());
    assert!(knobs.iter().all(|knob| !knob.setting.is_empty() && !knob.meaning.is_empty()));
    assert_eq!("default".parse(), Ok(Faults::bad_day()));
    assert_eq!("none".parse(), Ok(Faults::none()));
    assert_eq!("nasty".parse::<Faults>(), Err(UnknownFaults));
}

#[tokio::test]
async fn the_command_starts_with_its_options() {
    let api = run(Options { events: 50, rate: 0.0, seed: 3, ..Options::default() }).await.unwrap();
    assert!(api.url().starts_with("http://127.0.0.1:"));
    assert_eq!(api.all_ids().len(), 50);
    assert_eq!(api.key().len(), "PMAK-".len() + 24 + 1 + 34);
}
