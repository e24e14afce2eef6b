use tokio::time::{advance, pause};

use super::*;
use crate::parcel::tests::parcel;

const SECOND: Duration = Duration::from_secs(1);

/// With waits of up to so long between attempts.
fn refusals(most: Duration) -> Refusals {
    pause();
    Refusals::new(Retry { initial: most, max: most })
}

fn reason() -> Reason {
    Reason { kind: "mapping", detail: "field is no date".into() }
}

fn suspect(refusals: &Refusals) {
    refusals.suspect(parcel(1), reason(), 1);
}

#[tokio::test]
async fn delivery_05_a_suspect_is_judged_as_soon_as_a_write_that_began_after_it_was_accepted() {
    let refusals = refusals(1_000_000 * SECOND);
    suspect(&refusals);
    refusals.accepted(Instant::now());
    assert!(refusals.due().is_none(), "a write of that moment was under way");
    advance(SECOND).await;
    refusals.accepted(Instant::now());
    let due = refusals.due().expect("something else was accepted");
    assert!(refusals.due().is_none(), "one at a time");
    assert!(refusals.refused_again(due, reason()).is_some(), "it is the event's fault");
}

#[tokio::test]
async fn delivery_05_what_was_accepted_before_an_event_was_refused_does_not_speak_against_it() {
    let refusals = refusals(10 * SECOND);
    suspect(&refusals);
    refusals.accepted(Instant::now());
    advance(10 * SECOND).await;
    let due = refusals.due().expect("its wait is over");
    assert!(refusals.refused_again(due, reason()).is_none(), "nothing else was accepted since");
    refusals.probe_ended();
    assert!(refusals.due().is_none(), "it waits again");
    assert!(refusals.next_due() > Some(Instant::now()));
}

#[tokio::test]
async fn delivery_05_a_destination_that_accepts_nothing_gets_its_events_kept_aside_for_nineteen_times() {
    let refusals = refusals(SECOND);
    for kept in 1..=TOO_MANY {
        assert!(!refusals.is_held());
        suspect(&refusals);
        advance(PATIENCE).await;
        let due = refusals.due().expect("its wait is over");
        let verdict = refusals.refused_again(due, reason());
        refusals.probe_ended();
        assert_eq!(verdict.is_some(), kept < TOO_MANY, "{kept}");
    }
    assert!(refusals.is_held());
    assert_eq!(refusals.held_for(), Some(reason()));
    advance(PATIENCE).await;
    refusals.accepted(Instant::now());
    assert!(!refusals.is_held());
    assert_eq!(refusals.held_for(), None);
}
