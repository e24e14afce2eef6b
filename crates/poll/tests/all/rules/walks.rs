//! Cursors, frozen filters, and how a walk ends: rules 1, 2, 3 and 5.

use pipeline::{Seen, Timestamp};
use poll::position::Kind;
use poll::{Cursor, Failure, Order, Page, Policy, Start, Step};

use super::{SECOND, ago};
use crate::conversation::{Conversation, DAY, Found, HOUR, MINUTE, at, record, timeless};

#[test]
fn collection_01_a_cursor_goes_back_as_received_also_after_a_restart() {
    for json in ["554891778", "12345678901234567890123", "\"RnJpIEZlYg==\"", "\"7\""] {
        let mut talk = Conversation::begin(Policy::default(), Start::Now);
        talk.asks();
        talk.goes_on(&[], json);
        assert_eq!(talk.asks().cursor.unwrap().json(), json);
        talk.restarts(MINUTE);
        assert_eq!(talk.asks().cursor.unwrap().json(), json);
    }
}

#[test]
fn collection_02_filters_are_frozen_for_the_whole_walk() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(3 * DAY));
    for kind in [Kind::Live, Kind::History] {
        let first = talk.asks();
        assert_eq!(first.kind, kind);
        talk.goes_on(&[record(1, talk.now)], "1");
    }
    let (live, history) = (talk.asks(), {
        talk.goes_on(&[record(2, talk.now)], "2");
        talk.asks()
    });
    for page in 3..20 {
        talk.now = talk.now.plus(7 * SECOND);
        if page == 9 {
            talk.restarts(11 * MINUTE);
        }
        let request = talk.asks();
        let first = if request.kind == Kind::Live { &live } else { &history };
        assert_eq!((request.since, request.until), (first.since, first.until), "page {page}");
        talk.goes_on(&[record(page, talk.now)], &page.to_string());
    }
}

#[test]
fn collection_03_a_walk_closes_only_by_an_explicit_end() {
    let mut talk = Conversation::caught_up(Policy { live_pages: 3, ..Policy::default() });
    let complete = talk.complete_until();
    let old = record(1, ago(&talk, DAY));
    let is_open = |talk: &Conversation, cursor: &str| {
        assert_eq!(talk.complete_until(), complete);
        let position = talk.position();
        assert_eq!(position["walks"].as_array().unwrap().len(), 1);
        assert_eq!(position["walks"][0]["cursor"].to_string(), cursor);
    };
    talk.polls();
    talk.goes_on(&[], "1");
    is_open(&talk, "1");
    talk.asks();
    talk.repeats(&[old], "2");
    is_open(&talk, "2");
    for failure in [Failure::Other, Failure::TimedOut] {
        talk.asks();
        talk.fails(failure);
        is_open(&talk, "2");
    }
    // The same cursor again, then a page too many, then a cursor that is not known: it starts over.
    assert_eq!(talk.asks().cursor.unwrap().json(), "2");
    talk.repeats(&[old], "2");
    is_open(&talk, "null");
    for cursor in ["1", "2", "3", "4", "5"] {
        talk.asks();
        talk.goes_on(&[], cursor);
        is_open(&talk, cursor);
    }
    talk.asks();
    talk.goes_on(&[], "6");
    is_open(&talk, "null");
    talk.polls();
    talk.goes_on(&[], "1");
    talk.asks();
    talk.fails(Failure::CursorUnknown);
    is_open(&talk, "null");
    // An empty page without a cursor is one.
    talk.polls();
    talk.ends(&[]);
    assert_eq!(talk.complete_until(), Some(talk.now));
    assert!(talk.waits().caught_up);
}

#[test]
fn collection_03_going_round_in_a_circle_is_no_end_and_no_spin() {
    for length in [1, 2, 3, 7] {
        let mut talk = Conversation::caught_up(Policy::default());
        let complete = talk.complete_until();
        talk.polls();
        let mut requests = 0;
        while let Step::Fetch(_) = talk.collector.step(talk.now) {
            talk.goes_on(&[], &(requests % length).to_string());
            requests += 1;
            assert!(requests < 100, "spins in a circle of {length}");
        }
        assert_eq!(talk.complete_until(), complete);
        assert_eq!(talk.position()["walks"][0]["restarts"], 2);
        // It is tried again with the next poll, and heals.
        talk.polls();
        talk.ends(&[]);
        assert_eq!(talk.complete_until(), Some(talk.now));
    }
}

#[test]
fn collection_03_a_walk_of_an_earlier_process_is_resumed_and_is_not_the_present() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.polls();
    let begun = talk.now;
    talk.goes_on(&[], "1");
    talk.restarts(30 * MINUTE);
    assert_eq!(talk.asks().cursor.unwrap().json(), "1");
    talk.ends(&[]);
    assert_eq!(talk.complete_until(), Some(begun));
    // What came since is due at once.
    assert_eq!(talk.asks().cursor, None);
    talk.ends(&[]);
    assert!(talk.waits().caught_up);
    assert_eq!(talk.complete_until(), Some(talk.now));
}

#[test]
fn collection_03_an_unfinished_walk_never_stops_the_live_tail() {
    for failure in [Failure::Other, Failure::TimedOut, Failure::CursorUnknown] {
        let mut talk = Conversation::begin(Policy::default(), Start::Ago(30 * DAY));
        let (mut polls, mut last) = (0, talk.now);
        let end = talk.now.plus(HOUR);
        for page in 0_u32.. {
            if talk.now >= end {
                break;
            }
            // Nothing waits while history is open, unless it has started over too often.
            if let Step::Wait(wait) = talk.collector.step(talk.now) {
                assert!(!wait.caught_up);
                talk.now = talk.now.plus(wait.duration);
                continue;
            }
            let request = talk.asks();
            match request.kind {
                Kind::History if page % 2 == 0 && request.cursor.is_none() => drop(talk.goes_on(&[], "1")),
                Kind::History => talk.fails(failure),
                _ => {
                    talk.ends(&[]);
                    assert!(talk.now.since(last) <= 2 * MINUTE, "{failure:?}");
                    (polls, last) = (polls + 1, talk.now);
                    assert_eq!(talk.complete_until(), Some(talk.now));
                }
            }
            talk.now = talk.now.plus(SECOND);
        }
        assert!(polls > 50, "{polls} polls while history {failure:?}");
    }
}

#[test]
fn collection_03_history_that_fails_waits_until_the_present_is_read() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(30 * DAY));
    let asks = |talk: &mut Conversation, kind: Kind| assert_eq!(talk.asks().kind, kind);
    asks(&mut talk, Kind::Live);
    talk.goes_on(&[], "1");
    asks(&mut talk, Kind::History);
    talk.fails(Failure::TimedOut);
    for cursor in ["2", "3", "4"] {
        asks(&mut talk, Kind::Live);
        talk.goes_on(&[], cursor);
    }
    asks(&mut talk, Kind::Live);
    talk.fails(Failure::Other);
    asks(&mut talk, Kind::Live);
    talk.ends(&[]);
    // It takes turns again as soon as it gives a page; a failure of the present costs it none.
    asks(&mut talk, Kind::History);
    talk.goes_on(&[], "1");
    talk.now = talk.now.plus(MINUTE);
    asks(&mut talk, Kind::Live);
    talk.fails(Failure::Other);
    asks(&mut talk, Kind::History);
    talk.goes_on(&[], "2");
    asks(&mut talk, Kind::Live);
    talk.goes_on(&[], "1");
    asks(&mut talk, Kind::History);
}

#[test]
fn collection_03_a_walk_that_is_too_long_starts_over_at_once_and_the_second_time_with_the_next_poll() {
    let mut talk = Conversation::caught_up(Policy { live_pages: 2, ..Policy::default() });
    talk.polls();
    for (pages, restarts) in [(2, 1), (4, 2)] {
        for page in 1..=pages {
            talk.asks();
            talk.goes_on(&[], &page.to_string());
        }
        assert_eq!(talk.position()["walks"][0]["restarts"], restarts);
    }
    assert!(!talk.waits().caught_up);
    talk.polls();
    talk.fails(Failure::Other);
    let since = talk.position()["start"].as_str().unwrap().to_owned();
    let line = format!("live {since} to the present, 0 pages, started over 2 times, failed 1 times");
    assert_eq!(talk.collector.status().walks, [line]);
}

#[test]
fn collection_03_a_walk_to_the_present_has_a_past_from_its_overlap_and_one_poll_on() {
    for (pause, is_long) in [(31 * MINUTE, false), (31 * MINUTE + SECOND, true)] {
        let mut talk = Conversation::caught_up(Policy::default());
        talk.now = talk.now.plus(pause);
        // It starts where the last one ended: there is nothing before `start`.
        assert_eq!(talk.asks().kind, Kind::Live);
        talk.fails(Failure::TimedOut);
        assert_eq!(!talk.position()["history"].as_array().unwrap().is_empty(), is_long, "{pause:?}");
    }
}

#[test]
fn collection_03_a_sweep_that_fails_is_left_to_history() {
    let mut talk = Conversation::caught_up(Policy::default());
    let complete = talk.complete_until().unwrap();
    talk.restarts(2 * HOUR);
    assert_eq!(talk.asks().kind, Kind::Sweep);
    talk.fails(Failure::TimedOut);
    // The live tail goes on at the present, and what the sweep was for is history.
    let live = talk.polls();
    assert_eq!((live.kind, live.since), (Kind::Live, Some(ago(&talk, 15 * MINUTE + SECOND))));
    talk.ends(&[]);
    let history = talk.asks();
    // Nothing from before `start` is asked for.
    assert_eq!((history.kind, history.since), (Kind::History, Some(complete.minus(SECOND))));
    talk.ends(&[]);
    assert!(talk.waits().caught_up);
}

#[test]
fn collection_05_a_live_walk_begins_an_overlap_behind_the_newest_known_moment() {
    let mut talk = Conversation::caught_up(Policy::default());
    let begun = talk.complete_until().unwrap();
    // Nothing was there: the moment of the walk before, not of this one.
    let request = talk.polls();
    assert_eq!((request.kind, request.since), (Kind::Live, Some(begun.minus(SECOND))), "not before `start`");
    let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-01-01")));
    talk.asks();
    let newest = ago(&talk, 3 * HOUR);
    talk.now = talk.now.plus(3 * SECOND);
    talk.ends(&[record(2, newest), record(1, newest.minus(MINUTE))]);
    while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
        talk.asks();
        talk.ends(&[]);
    }
    assert_eq!(talk.polls().since, Some(newest.minus(15 * MINUTE + SECOND)));
    let complete = talk.now;
    talk.ends(&[record(3, complete)]);
    assert_eq!(talk.polls().since, Some(complete.minus(15 * MINUTE + SECOND)));
}

#[test]
fn collection_05_a_future_date_moves_nothing() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.polls();
    let walk = talk.now;
    let taken = talk.ends(&[record(1, walk.plus(3 * DAY))]);
    assert_eq!(taken.deliver, [0]);
    assert_eq!(talk.complete_until(), Some(walk));
    assert_eq!(talk.position()["newest"], serde_json::Value::Null);
    assert!(talk.polls().since < Some(walk));
}

#[test]
fn collection_05_it_stops_early_only_where_all_is_known_and_old_and_behind_the_last_top() {
    let walk = |top: u64, page: &dyn Fn(Timestamp) -> Vec<Found>, order| {
        let mut talk =
            Conversation::begin(Policy { order, ..Policy::default() }, Start::At(at("2026-11-20")));
        talk.asks();
        let started = ago(&talk, 15 * MINUTE);
        talk.ends(&[record(7, talk.now)]);
        while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
            talk.asks();
            talk.ends(&[]);
        }
        talk.polls();
        talk.repeats(&[record(8, talk.now), record(top, at("2026-11-20T10:00:00Z"))], "1");
        talk.asks();
        assert_eq!(talk.position()["walks"][0]["since"], started.to_string());
        talk.repeats(&page(started), "2");
        talk.position()["walks"].as_array().unwrap().is_empty()
    };
    let old = |start: Timestamp| vec![record(6, start.minus(HOUR)), record(5, start.minus(SECOND))];
    assert!(walk(7, &old, Order::NewestFirst));
    assert!(!walk(7, &old, Order::OldestFirst));
    assert!(!walk(9, &old, Order::NewestFirst), "the top of the last walk was not passed");
    assert!(!walk(7, &|_| Vec::new(), Order::NewestFirst), "an empty page says nothing");
    let young = |start: Timestamp| vec![record(6, start.minus(HOUR)), record(5, start)];
    assert!(!walk(7, &young, Order::NewestFirst), "another of that moment may follow");
    assert!(
        !walk(7, &|start| vec![record(6, start.minus(HOUR)), timeless(5)], Order::NewestFirst),
        "no time"
    );
}

#[test]
fn collection_05_one_new_record_keeps_it_going() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.polls();
    talk.ends(&[record(7, talk.now)]);
    talk.polls();
    talk.repeats(&[record(7, ago(&talk, MINUTE))], "1");
    talk.asks();
    let page = [record(6, ago(&talk, HOUR)), record(5, ago(&talk, HOUR))];
    let cursor = Cursor::from_json("2").unwrap();
    let page = Page { records: &page, next: poll::Onward::Next(&cursor), server_time: Some(talk.now) };
    talk.collector.page(&page, &[Seen::Known, Seen::NewVersion], talk.now);
    assert_eq!(talk.asks().cursor, Some(cursor));
}

#[test]
fn collection_05_sweeps_and_history_never_stop_early() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(DAY));
    talk.asks();
    talk.ends(&[record(7, talk.now)]);
    assert_eq!(talk.asks().kind, Kind::History);
    talk.repeats(&[record(7, talk.now), record(1, ago(&talk, 30 * DAY))], "1");
    talk.asks();
    talk.repeats(&[record(1, ago(&talk, 30 * DAY))], "2");
    assert_eq!(talk.asks().cursor.unwrap().json(), "2");
    talk.ends(&[]);
    talk.now = talk.now.plus(2 * HOUR);
    assert_eq!(talk.asks().kind, Kind::Sweep);
    talk.repeats(&[record(7, ago(&talk, 2 * HOUR))], "1");
    talk.asks();
    talk.repeats(&[record(1, ago(&talk, 30 * DAY))], "2");
    assert_eq!(talk.asks().cursor.unwrap().json(), "2");
}
