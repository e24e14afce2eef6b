//! History in closed windows beside the live tail: rule 4.

use poll::position::Kind;
use poll::{Failure, Policy, Start};

use super::{SECOND, ago};
use crate::conversation::{Conversation, DAY, HOUR, MINUTE, at};

#[test]
fn collection_04_a_window_that_can_be_no_shorter_goes_on_after_a_time_out() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(DAY));
    talk.asks();
    talk.ends(&[]);
    talk.asks();
    talk.goes_on(&[], "1");
    talk.asks();
    talk.fails(Failure::TimedOut);
    assert_eq!(talk.asks().cursor.unwrap().json(), "1");
}

#[test]
fn collection_04_a_cursor_that_is_unknown_where_none_was_sent_starts_nothing_over() {
    let mut talk = Conversation::caught_up(Policy::default());
    let first = talk.polls();
    for _ in 0..20 {
        talk.fails(Failure::CursorUnknown);
        assert_eq!(talk.asks(), first);
    }
    assert_eq!(talk.position()["walks"][0]["restarts"], 0);
}

#[test]
fn collection_04_history_goes_in_closed_windows_of_a_week_oldest_first() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(30 * DAY));
    let (start, begun) = (ago(&talk, 30 * DAY), talk.now);
    assert_eq!(talk.asks().kind, Kind::Live);
    talk.ends(&[]);
    let mut from = start;
    while from < begun {
        let request = talk.asks();
        let to = from.plus(7 * DAY).min(begun);
        assert_eq!((request.kind, request.since), (Kind::History, Some(from.minus(SECOND))));
        let until = request.until.unwrap();
        assert!(until > to.plus(DAY) && until <= to.plus(2 * DAY), "{until} for {to}");
        assert!(!talk.position()["history"].as_array().unwrap().is_empty());
        talk.goes_on(&[], "1");
        talk.asks();
        talk.ends(&[]);
        from = to;
    }
    assert!(talk.waits().caught_up);
    assert_eq!(talk.position()["history"].as_array().unwrap().len(), 0);
}

#[test]
fn collection_04_the_live_tail_is_polled_between_history_pages() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(7 * DAY));
    talk.asks();
    talk.ends(&[]);
    let mut kinds = Vec::new();
    for page in 0..9 {
        kinds.push(talk.asks().kind);
        talk.now = talk.now.plus(25 * SECOND);
        if kinds.last() == Some(&Kind::Live) {
            talk.ends(&[]);
        } else {
            talk.goes_on(&[], &page.to_string());
        }
    }
    let live = kinds.iter().filter(|kind| **kind == Kind::Live).count();
    assert!((2..=4).contains(&live), "{kinds:?}");
}

/// However short its lives are, a process comes to the present and to history; also when one of the two ends each life.
#[test]
fn collection_04_a_process_that_lives_for_one_page_comes_to_the_present_and_to_history() {
    for dies_of in [None, Some(Kind::History), Some(Kind::Live)] {
        let mut talk = Conversation::begin(Policy::default(), Start::Ago(30 * DAY));
        talk.asks();
        talk.ends(&[]);
        let mut kinds = Vec::new();
        for _ in 0..10 {
            talk.restarts(5 * MINUTE);
            let kind = talk.asks().kind;
            kinds.push(kind);
            if dies_of != Some(kind) {
                talk.ends(&[]);
            }
        }
        let turns = [Kind::History, Kind::Live];
        assert!(kinds.chunks(2).all(|life| life == turns), "{dies_of:?}: {kinds:?}");
        let is_closed = talk.position()["history"].as_array().unwrap().is_empty();
        assert_eq!(is_closed, dies_of != Some(Kind::History), "five windows of a week");
        assert_eq!(talk.complete_until() == Some(talk.now), dies_of != Some(Kind::Live));
    }
}

#[test]
fn collection_04_a_window_is_halved_after_a_time_out_down_to_a_day() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(7 * DAY));
    let start = ago(&talk, 7 * DAY);
    talk.asks();
    talk.ends(&[]);
    for length in [84, 42, 24, 24] {
        talk.asks();
        talk.fails(Failure::TimedOut);
        assert_eq!(talk.position()["walks"][0]["until"], start.plus(length * HOUR).to_string());
    }
    // The rest comes in such windows too: what timed out is not tried again.
    talk.asks();
    talk.ends(&[]);
    assert_eq!(talk.asks().since, Some(start.plus(DAY).minus(SECOND)));
    assert_eq!(talk.position()["walks"][0]["until"], start.plus(2 * DAY).to_string());
}

#[test]
fn collection_04_a_beginning_that_nobody_knows_is_halved_too() {
    let mut talk = Conversation::begin(Policy::default(), Start::All);
    talk.asks();
    talk.ends(&[]);
    assert_eq!(talk.asks().since, None);
    talk.fails(Failure::TimedOut);
    assert_eq!(talk.asks().since, Some(at("2000-12-31T23:59:59Z")));
    assert!(talk.asks().until.unwrap() < at("2014-01-01"));
}

#[test]
fn collection_04_a_window_is_halved_after_a_second_restart() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(6 * DAY));
    let (start, begun) = (ago(&talk, 6 * DAY), talk.now);
    talk.asks();
    talk.ends(&[]);
    let until = |talk: &Conversation| talk.position()["walks"][0]["until"].as_str().unwrap().to_owned();
    for expected in [begun, start.plus(3 * DAY)] {
        talk.asks();
        talk.goes_on(&[], "1");
        talk.asks();
        talk.fails(Failure::CursorUnknown);
        assert_eq!(until(&talk), expected.to_string());
    }
    // Twice may be chance; now it waits for the next poll, so as not to spin.
    assert!(!talk.waits().caught_up);
}

#[test]
fn collection_04_complete_until_starts_at_the_first_live_walk_and_open_history_is_listed() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(7 * DAY));
    assert_eq!(talk.collector.status().walks, ["history 2026-11-13T10:00:00.000Z to the next poll, waiting"]);
    talk.asks();
    talk.now = talk.now.plus(2 * SECOND);
    talk.ends(&[]);
    assert_eq!(talk.complete_until(), Some(talk.now));
    let open = &talk.position()["history"];
    assert_eq!(open.as_array().unwrap().len(), 1);
    assert_eq!(
        (&open[0]["from"], &open[0]["to"]),
        (&"2026-11-13T10:00:00.000Z".into(), &talk.now.to_string().into())
    );
    let line = "history 2026-11-13T10:00:00.000Z to 2026-11-20T10:00:02.000Z, waiting";
    assert_eq!(talk.collector.status().walks, [line]);
    talk.asks();
    talk.goes_on(&[], "1");
    let walk = line.replace("02.000Z, waiting", "00.000Z, 1 page");
    assert_eq!(talk.collector.status().walks, [walk]);
}

#[test]
fn collection_04_a_cursor_that_expired_starts_its_window_over() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(5 * DAY));
    talk.asks();
    talk.ends(&[]);
    let first = talk.asks();
    talk.goes_on(&[], "1");
    talk.restarts(SECOND);
    assert_eq!(talk.asks().cursor.unwrap().json(), "1");
    talk.fails(Failure::CursorUnknown);
    talk.asks();
    talk.ends(&[]);
    assert_eq!(talk.asks(), first);
}
