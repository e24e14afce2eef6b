//! Where collection begins, whose position it is, and clocks that are wrong: rules 9 and 14.

use pipeline::Timestamp;
use poll::{Collector, Failure, OpenError, Page, Policy, Start, Step};

use super::SECOND;
use crate::conversation::{Conversation, DAY, MINUTE, at, identity, record};

#[test]
fn collection_09_start_is_resolved_to_a_time_and_saved_before_the_first_request() {
    for (start, saved) in [
        (Start::All, serde_json::Value::Null),
        (Start::Now, "2026-11-20T10:00:00.000Z".into()),
        (Start::Ago(7 * DAY), "2026-11-13T10:00:00.000Z".into()),
        (Start::At(at("2026-11-01")), "2026-11-01T00:00:00.000Z".into()),
    ] {
        let mut talk = Conversation::begin(Policy::default(), start);
        assert_eq!(talk.position()["start"], saved);
        talk.restarts(3 * DAY);
        talk.asks();
        talk.ends(&[]);
        assert_eq!(talk.position()["start"], saved, "also after three days without an answer");
        let from = &talk.position()["history"][0]["from"];
        assert_eq!(*from, saved, "and all since then is history");
    }
}

#[test]
fn collection_09_a_start_counted_by_a_wrong_clock_is_counted_by_the_apis() {
    for wrong in ["2026-11-20T08:00:00Z", "2026-11-20T12:00:00Z", "2031-01-01", "2003-01-01"] {
        let mut talk = Conversation::begin(Policy::default(), Start::Now);
        let (right, wrong) = (talk.now, at(wrong));
        talk.collector =
            Collector::open(talk.policy.clone(), identity(), Start::Ago(7 * DAY), None, wrong).unwrap();
        let mut first = None;
        while talk.complete_until() != Some(right) {
            let Step::Fetch(request) = talk.collector.step(wrong) else { panic!("the live tail is due") };
            first = first.or(request.since);
            let page = Page { records: &[], next: poll::Onward::End, server_time: Some(right) };
            talk.collector.page(&page, &[], wrong);
        }
        assert_eq!(talk.position()["start"], "2026-11-13T10:00:00.000Z", "by {wrong}");
        let waiting = "history 2026-11-13T10:00:00.000Z to 2026-11-20T10:00:00.000Z, waiting";
        let read_at_once = first < Some(at("2026-11-13T10:00:00Z"));
        assert_eq!(talk.collector.status().walks == [waiting], !read_at_once, "by {wrong}");
    }
}

#[test]
fn collection_09_a_clock_that_jumped_before_the_first_page_is_no_loss() {
    // Counted in 2031; then the clock is put right, so that its skew says nothing.
    let mut talk = Conversation::begin(Policy::default(), Start::Now);
    let wrong = at("2031-01-01");
    talk.collector =
        Collector::open(talk.policy.clone(), identity(), Start::Ago(7 * DAY), None, wrong).unwrap();
    while talk.complete_until().is_none() {
        talk.asks();
        talk.ends(&[]);
    }
    let waiting = "history 2026-11-13T10:00:00.000Z to 2026-11-20T10:00:00.000Z, waiting";
    assert_eq!(talk.collector.status().walks, [waiting]);
}

#[test]
fn collection_09_nothing_is_collected_before_a_start_in_the_future() {
    let start = at("2026-12-24");
    let mut talk = Conversation::begin(Policy::default(), Start::At(start));
    for _ in 0..3 {
        let request = talk.asks();
        assert_eq!((request.since, request.until), (Some(start.minus(SECOND)), None));
        talk.ends(&[]);
        assert!(talk.waits().caught_up);
        talk.restarts(7 * DAY);
    }
}

#[test]
fn collection_14_another_sources_position_is_refused() {
    let talk = Conversation::caught_up(Policy::default());
    let position = talk.position().to_string();
    let refused = |from: &str, to: &str| talk.reopened(&position.replace(from, to)).unwrap_err();
    let error = refused("\"postman\"", "\"okta\"");
    assert!(matches!(error, OpenError::Other { .. }));
    assert_eq!(
        error.to_string(),
        "position belongs to source okta at api.example, not to source postman at api.example"
    );
    assert!(matches!(refused("api.example", "api.eu.example"), OpenError::Other { .. }));
    assert!(matches!(refused("\"version\":1", "\"version\":2"), OpenError::Newer(2)));
}

#[test]
fn collection_14_another_tenants_position_is_refused() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.collector.set_tenant("1234").unwrap();
    talk.restarts(MINUTE);
    talk.collector.set_tenant("1234").unwrap();
    let error = talk.collector.set_tenant("5678").unwrap_err();
    assert_eq!(error.to_string(), "position belongs to tenant 1234, not to tenant 5678");
    assert_eq!(talk.position()["tenant"], "1234");
}

#[test]
fn a_page_that_nobody_asked_for_changes_nothing() {
    let mut talk = Conversation::caught_up(Policy::default());
    let before = talk.collector.progress();
    assert_eq!(talk.ends(&[record(1, talk.now)]).deliver, [0; 0]);
    talk.fails(Failure::TimedOut);
    assert_eq!(talk.collector.progress(), before);
}

#[test]
fn our_clock_may_be_set_back_or_forward_while_it_waits() {
    for jump in [-3650, -1, 1, 3650] {
        let mut talk = Conversation::caught_up(Policy::default());
        let right = talk.now.plus(MINUTE);
        let ours = Timestamp::from_millis(right.as_millis() + jump * 86_400_000);
        let mut polls = 0;
        for _ in 0..100 {
            match talk.collector.step(ours) {
                Step::Wait(wait) => {
                    assert!(wait.duration <= MINUTE && wait.caught_up, "{wait:?} after {jump} days");
                    break;
                }
                Step::Fetch(_) => {
                    let page = Page { records: &[], next: poll::Onward::End, server_time: Some(right) };
                    let taken = talk.collector.page(&page, &[], ours);
                    assert_eq!(taken.gaps, []);
                    polls += 1;
                }
            }
        }
        assert!((1..10).contains(&polls), "{polls} after {jump} days");
        assert_eq!(talk.complete_until(), Some(right));
    }
}

#[test]
fn a_date_that_was_wrong_once_does_no_lasting_harm() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.polls();
    let page = Page { records: &[], next: poll::Onward::End, server_time: Some(at("2035-01-01")) };
    talk.collector.page(&page, &[], talk.now);
    for _ in 0..5 {
        while let Step::Fetch(_) = talk.collector.step(talk.now) {
            talk.ends(&[]);
        }
        talk.now = talk.now.plus(MINUTE);
    }
    assert_eq!(talk.complete_until(), Some(talk.now.minus(MINUTE)));
}
