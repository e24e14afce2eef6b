//! What the API keeps, and the holes in it: rule 10.

use pipeline::{Seen, Timestamp};
use poll::position::Kind;
use poll::{Failure, Policy, Start, Step};

use super::{SECOND, ago};
use crate::conversation::{Conversation, DAY, HOUR, MINUTE, at, record};

#[test]
fn collection_10_a_start_before_what_the_api_keeps_is_clamped_and_the_hole_reported() {
    let policy = Policy { retention: Some(180 * DAY), ..Policy::default() };
    let mut talk = Conversation::begin(policy.clone(), Start::Ago(200 * DAY));
    talk.asks();
    let kept = ago(&talk, 180 * DAY - HOUR);
    let hole = Conversation::gap(ago(&talk, 200 * DAY), kept, "the API keeps 180 days");
    assert_eq!(talk.ends(&[]).gaps, [hole]);
    assert_eq!(talk.asks().since, Some(kept.minus(SECOND)));
    assert_eq!(talk.ends(&[]).gaps, [], "once");
    // All that it keeps is no hole.
    let mut talk = Conversation::begin(policy, Start::All);
    talk.asks();
    assert_eq!(talk.ends(&[]).gaps, []);
    assert_eq!(talk.asks().since, Some(kept.minus(SECOND)));
    assert_eq!(talk.ends(&[]).gaps, []);
}

#[test]
fn collection_10_an_api_that_keeps_less_than_it_should_is_found_out_to_the_hour() {
    for keeps in [179 * DAY, 90 * DAY + 7 * HOUR, 12 * HOUR] {
        let policy = Policy { retention: Some(180 * DAY), ..Policy::default() };
        let mut talk = Conversation::begin(policy, Start::All);
        talk.asks();
        talk.ends(&[]);
        let begun = talk.now;
        let from = begun.minus(180 * DAY - HOUR);
        let mut gaps = Vec::new();
        let mut requests = 0;
        while !talk.position()["history"].as_array().unwrap().is_empty() {
            requests += 1;
            let request = talk.asks();
            if request.since.unwrap() < begun.minus(keeps) {
                talk.fails(Failure::BeforeRetention);
            } else {
                gaps.extend(talk.ends(&[]).gaps);
            }
        }
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0].from, from);
        let over = gaps[0].to.since(begun.minus(keeps));
        assert!(gaps[0].to >= begun.minus(keeps) && over <= HOUR, "{over:?} too much, keeps {keeps:?}");
        assert!(requests < 60, "{requests} requests");
    }
}

/// However short its lives are: what a refusal has told is known to the next process.
#[test]
fn collection_10_the_floor_is_found_by_processes_that_live_for_one_request() {
    for keeps in [179 * DAY, 90 * DAY + 7 * HOUR, 12 * HOUR] {
        let policy = Policy { retention: Some(180 * DAY), ..Policy::default() };
        let mut talk = Conversation::begin(policy, Start::All);
        talk.asks();
        talk.ends(&[]);
        let begun = talk.now;
        let mut gaps = Vec::new();
        let mut requests = 0;
        while !talk.position()["history"].as_array().unwrap().is_empty() {
            requests += 1;
            assert!(requests < 120, "{}", talk.position());
            talk.restarts(SECOND);
            let request = talk.asks();
            if request.since.unwrap() < begun.minus(keeps) {
                talk.fails(Failure::BeforeRetention);
            } else {
                gaps.extend(talk.ends(&[]).gaps);
            }
        }
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let over = gaps[0].to.since(begun.minus(keeps));
        assert!(gaps[0].to >= begun.minus(keeps) && over <= HOUR, "{over:?} too much, keeps {keeps:?}");
        assert_eq!(talk.position()["floor"], serde_json::Value::Null, "the search is over");
    }
}

#[test]
fn collection_10_nothing_of_it_is_kept_which_a_process_that_lives_for_one_request_tells_too() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(10 * DAY));
    talk.asks();
    talk.ends(&[]);
    let (from, to) = (ago(&talk, 10 * DAY), talk.now);
    let mut gaps = Vec::new();
    for _ in 0..60 {
        talk.restarts(SECOND);
        if talk.asks().kind == Kind::History {
            talk.fails(Failure::BeforeRetention);
        } else {
            gaps.extend(talk.ends(&[]).gaps);
        }
    }
    assert_eq!(gaps, [Conversation::gap(from, to, "the API keeps no more")]);
    assert_eq!(talk.position()["floor"], serde_json::Value::Null, "the search is over");
}

#[test]
fn collection_10_a_moment_is_forgotten_only_after_all_the_time_that_the_api_keeps_it() {
    let keeps = 10 * DAY;
    for (pause, holes) in [(keeps, 0), (keeps + SECOND, 1)] {
        let mut talk = Conversation::caught_up(Policy { retention: Some(keeps), ..Policy::default() });
        let begun = talk.now;
        talk.restarts(pause);
        let mut gaps = Vec::new();
        while let Step::Fetch(_) = talk.collector.step(talk.now) {
            gaps.extend(talk.ends(&[]).gaps);
        }
        assert_eq!(gaps.len(), holes, "{pause:?}: {gaps:?}");
        assert!(gaps.iter().all(|gap| gap.from == begun), "{gaps:?}");
    }
}

#[test]
fn collection_10_it_is_known_when_the_api_forgets_what_is_not_read() {
    let lost_from = |talk: &Conversation| talk.collector.progress().lost_from;
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(DAY));
    assert_eq!(lost_from(&talk), None, "it does not say how long it keeps");
    let keeps = 90 * DAY;
    talk.policy.retention = Some(keeps);
    talk.restarts(SECOND);
    let start = talk.position()["start"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(lost_from(&talk), Some(start.plus(keeps)));
    while let Step::Fetch(_) = talk.collector.step(talk.now) {
        talk.ends(&[]);
    }
    assert_eq!(lost_from(&talk), Some(talk.now.plus(keeps)));
}

#[test]
fn collection_10_a_window_that_falls_out_of_what_the_api_keeps_while_it_is_read_is_halved() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(30 * DAY));
    talk.asks();
    talk.ends(&[]);
    let from = ago(&talk, 30 * DAY);
    talk.asks();
    talk.goes_on(&[], "1");
    talk.asks();
    talk.fails(Failure::BeforeRetention);
    let walk = &talk.position()["walks"][0];
    assert_eq!(walk["since"], from.plus(HOUR).to_string());
    assert_eq!(walk["until"], from.plus(HOUR + 7 * DAY / 2).to_string());
}

#[test]
fn collection_10_an_api_that_keeps_hours_is_read_but_for_an_eighth_of_them() {
    for (keeps, margin) in [(4 * HOUR, 30 * MINUTE), (8 * HOUR, HOUR), (90 * DAY, HOUR)] {
        let policy = Policy { retention: Some(keeps), ..Policy::default() };
        let mut talk = Conversation::begin(policy, Start::All);
        talk.asks();
        talk.ends(&[]);
        let kept = ago(&talk, keeps - margin);
        assert_eq!(talk.position()["history"][0]["from"], kept.to_string(), "{keeps:?}");
    }
}

#[test]
fn collection_10_an_api_that_keeps_nothing_of_it_is_a_hole_too() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(10 * DAY));
    talk.asks();
    talk.ends(&[]);
    let (from, to) = (ago(&talk, 10 * DAY), talk.now);
    while let Step::Fetch(request) = talk.collector.step(talk.now) {
        assert_eq!(request.kind, Kind::History);
        talk.fails(Failure::BeforeRetention);
    }
    assert!(!talk.waits().caught_up);
    talk.polls();
    assert_eq!(talk.ends(&[]).gaps, [Conversation::gap(from, to, "the API keeps no more")]);
    assert!(talk.waits().caught_up);
}

#[test]
fn collection_10_a_pause_longer_than_the_api_keeps_is_a_hole() {
    for (retention, pause) in [(180 * DAY, 200 * DAY), (3 * DAY, 5 * DAY)] {
        let policy = Policy { retention: Some(retention), ..Policy::default() };
        let mut talk = Conversation::begin(policy, Start::Now);
        talk.asks();
        talk.ends(&[]);
        let complete = talk.complete_until().unwrap();
        talk.restarts(pause);
        let mut gaps = Vec::new();
        while let Step::Fetch(_) = talk.collector.step(talk.now) {
            gaps.extend(talk.ends(&[]).gaps);
        }
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0].from, complete);
        let lost = ago(&talk, retention);
        assert!((lost..=lost.plus(HOUR)).contains(&gaps[0].to), "{gaps:?}");
    }
}

#[test]
fn collection_10_what_the_api_forgets_while_it_is_read_is_a_hole() {
    let policy = Policy { retention: Some(10 * DAY), ..Policy::default() };
    let mut talk = Conversation::begin(policy, Start::Ago(9 * DAY));
    let start = ago(&talk, 9 * DAY);
    talk.asks();
    talk.ends(&[]);
    talk.asks();
    talk.goes_on(&[], "1");
    talk.restarts(2 * DAY);
    let mut gaps = Vec::new();
    while let Step::Fetch(_) = talk.collector.step(talk.now) {
        gaps.extend(talk.ends(&[]).gaps);
    }
    assert_eq!(gaps, [Conversation::gap(start, ago(&talk, 10 * DAY), "the API keeps 10 days")]);
}

#[test]
fn collection_10_a_quiet_tenant_has_no_holes() {
    for (retention, refuses) in [(180, true), (180, false), (2, true), (2, false)] {
        let retention = retention * DAY;
        let policy = Policy { retention: Some(retention), ..Policy::default() };
        let mut talk = Conversation::begin(policy, Start::All);
        let event = ago(&talk, HOUR);
        for _ in 0..210 {
            while let Step::Fetch(request) = talk.collector.step(talk.now) {
                if refuses && request.since < Some(ago(&talk, retention)) {
                    assert!(request.since.is_none() || request.kind != Kind::Live, "{request:?}");
                    talk.fails(Failure::BeforeRetention);
                    continue;
                }
                let shown = if event > ago(&talk, retention) { vec![record(1, event)] } else { Vec::new() };
                assert_eq!(talk.shows(&shown, &vec![Seen::Known; shown.len()]).gaps, []);
            }
            // A day of polls, in short.
            talk.now = talk.now.plus(MINUTE);
            if talk.complete_until().unwrap() < ago(&talk, HOUR) {
                continue;
            }
            talk.restarts(if retention > 10 * DAY { DAY } else { 30 * MINUTE });
        }
    }
}

#[test]
fn collection_10_a_live_walk_that_is_refused_goes_on_at_the_present() {
    let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-01-01")));
    talk.asks();
    talk.ends(&[record(1, at("2026-01-05"))]);
    while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
        talk.asks();
        talk.ends(&[]);
    }
    let complete = talk.complete_until().unwrap();
    assert_eq!(talk.polls().since, Some(at("2026-01-04T23:44:59Z")));
    talk.fails(Failure::BeforeRetention);
    let live = talk.polls();
    assert_eq!((live.kind, live.since), (Kind::Live, Some(ago(&talk, 15 * MINUTE + SECOND))));
    assert_eq!(talk.ends(&[]).gaps, []);
    // Events may have arrived late; what was complete is no hole.
    let history = talk.asks();
    assert_eq!((history.kind, history.since), (Kind::History, Some(complete.minus(DAY + SECOND))));
    assert_eq!(talk.ends(&[]).gaps, []);
    assert!(talk.waits().caught_up);
    assert!(talk.polls().since > Some(complete.minus(2 * DAY)), "not asked for again");
}
