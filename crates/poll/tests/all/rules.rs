//! One test for each promise about collection.

use std::time::Duration;

use pipeline::{Seen, Timestamp};
use poll::position::Kind;
use poll::{Collector, Cursor, Failure, Granularity, OpenError, Order, Page, Policy, Start, Step};

use crate::conversation::{Conversation, DAY, Found, HOUR, MINUTE, at, identity, record, timeless};

const SECOND: Duration = Duration::from_secs(1);

fn ago(talk: &Conversation, back: Duration) -> Timestamp {
    talk.now.minus(back)
}

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

#[test]
fn collection_06_the_first_walk_after_a_pause_is_a_sweep() {
    for (pause, kind) in [(59 * MINUTE, Kind::Live), (61 * MINUTE, Kind::Sweep), (6 * DAY, Kind::Sweep)] {
        let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-11-20T09:00:00Z")));
        talk.asks();
        talk.ends(&[]);
        while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
            talk.asks();
            talk.ends(&[]);
        }
        talk.restarts(pause);
        assert_eq!(talk.asks().kind, kind, "after {pause:?}");
    }
}

#[test]
fn collection_06_a_sweep_reaches_back_from_the_last_one_not_from_now() {
    let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-01-01")));
    talk.asks();
    let begun = talk.now;
    talk.ends(&[]);
    while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
        talk.asks();
        talk.ends(&[]);
    }
    talk.restarts(5 * DAY);
    let sweep = talk.asks();
    assert_eq!((sweep.kind, sweep.since), (Kind::Sweep, Some(begun.minus(DAY + SECOND))));
    let swept = talk.now;
    talk.ends(&[]);
    // An hour later again, and each time everything that can have come since.
    for _ in 0..59 {
        assert_eq!(talk.polls().kind, Kind::Live);
        talk.ends(&[]);
    }
    let sweep = talk.polls();
    assert_eq!((sweep.kind, sweep.since), (Kind::Sweep, Some(swept.minus(DAY + SECOND))));
}

#[test]
fn collection_06_after_a_pause_too_long_for_one_window_the_past_is_history() {
    let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-01-01")));
    talk.asks();
    let begun = talk.now;
    talk.ends(&[]);
    while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
        talk.asks();
        talk.ends(&[]);
    }
    talk.restarts(8 * DAY);
    let live = talk.asks();
    assert_eq!((live.kind, live.since), (Kind::Live, Some(ago(&talk, 15 * MINUTE + SECOND))));
    talk.ends(&[]);
    let history = talk.asks();
    assert_eq!((history.kind, history.since), (Kind::History, Some(begun.minus(DAY + SECOND))));
}

/// Whatever is left to history while earlier history waits is joined with what it touches, and no stretch is dropped.
#[test]
fn collection_06_stretches_that_wait_are_joined_where_they_touch() {
    /// The present is read, history fails.
    fn present(talk: &mut Conversation) {
        for _ in 0..20 {
            match talk.collector.step(talk.now) {
                Step::Fetch(request) if request.kind == Kind::History => talk.fails(Failure::Other),
                Step::Fetch(_) => drop(talk.ends(&[])),
                Step::Wait(wait) => panic!("{wait:?}"),
            }
        }
    }
    for (meanwhile, stretches) in [(None, 2), (Some(3 * DAY), 3)] {
        let mut talk = Conversation::begin(Policy::default(), Start::Ago(30 * DAY));
        let (start, first) = (ago(&talk, 30 * DAY), talk.now);
        present(&mut talk);
        talk.restarts(8 * DAY);
        let second = talk.now;
        present(&mut talk);
        let mut last = second;
        if let Some(pause) = meanwhile {
            talk.restarts(pause);
            last = talk.now;
            present(&mut talk);
        }
        talk.restarts(8 * DAY);
        present(&mut talk);
        let open: Vec<(String, String)> = talk.position()["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|range| (range["from"].as_str().unwrap().into(), range["to"].as_str().unwrap().into()))
            .collect();
        let stretch = |from: Timestamp, to: Timestamp| (from.to_string(), to.to_string());
        let expected = match stretches {
            2 => vec![stretch(start, first), stretch(first.minus(DAY), talk.now)],
            _ => vec![
                stretch(start, first),
                stretch(first.minus(DAY), second),
                stretch(last.minus(DAY), talk.now),
            ],
        };
        assert_eq!(open, expected);
    }
}

#[test]
fn collection_06_a_pause_of_one_window_is_bridged_by_the_walk_to_the_present() {
    for (pause, kinds) in
        [(7 * DAY, &[Kind::Sweep] as &[_]), (7 * DAY + SECOND, &[Kind::Live, Kind::History, Kind::History])]
    {
        let mut talk = Conversation::caught_up(Policy::default());
        talk.restarts(pause);
        let mut asked = Vec::new();
        while let Step::Fetch(request) = talk.collector.step(talk.now) {
            asked.push(request.kind);
            talk.ends(&[]);
        }
        assert_eq!(asked, kinds, "{pause:?}");
    }
}

#[test]
fn collection_06_whole_days_are_asked_for_where_the_filter_knows_no_less() {
    let mut talk =
        Conversation::begin(Policy { granularity: Granularity::Day, ..Policy::default() }, Start::Now);
    assert_eq!(talk.asks().since, Some(at("2026-11-19")));
}

#[test]
fn collection_07_what_was_not_delivered_is_whatever_its_time() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.polls();
    let taken = talk.ends(&[record(3, talk.now), timeless(2), record(1, ago(&talk, 300 * DAY))]);
    assert_eq!((taken.deliver.len(), taken.duplicates), (3, 0));
}

#[test]
fn collection_07_oldest_first_and_ties_in_the_order_of_the_api() {
    let mut talk = Conversation::caught_up(Policy::default());
    let (early, late) = (ago(&talk, MINUTE), talk.now);
    talk.polls();
    let taken =
        talk.ends(&[record(5, late), record(4, early), timeless(3), record(2, late), record(1, early)]);
    assert_eq!(taken.deliver, [4, 1, 3, 2, 0], "newest first: read backwards");
    let mut talk = Conversation::caught_up(Policy { order: Order::OldestFirst, ..Policy::default() });
    talk.polls();
    let taken =
        talk.ends(&[record(1, early), record(2, late), timeless(3), record(4, early), record(5, late)]);
    assert_eq!(taken.deliver, [0, 3, 1, 2, 4]);
}

#[test]
fn collection_08_known_ids_are_left_out_and_new_versions_delivered_and_counted() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.polls();
    let now = talk.now;
    let page = [record(3, now), record(2, now), record(1, now), record(3, now), record(4, now)];
    let taken = talk.shows(&page, &[Seen::New, Seen::Known, Seen::NewVersion, Seen::New, Seen::New]);
    assert_eq!((taken.deliver.as_slice(), taken.duplicates, taken.versions), ([4, 2, 0].as_slice(), 2, 1));
}

#[test]
fn collection_08_a_record_without_an_answer_is_new() {
    let mut talk = Conversation::caught_up(Policy::default());
    talk.polls();
    let taken = talk.shows(&[record(2, talk.now), record(1, talk.now)], &[Seen::Known]);
    assert_eq!(taken.deliver, [1]);
}

#[test]
fn collection_08_ids_are_remembered_for_all_that_a_coming_request_may_show() {
    let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-11-01")));
    let prune_before = |talk: &Conversation| talk.collector.progress().prune_before;
    assert_eq!(prune_before(&talk), i64::MIN, "nothing is complete");
    talk.asks();
    talk.ends(&[record(1, ago(&talk, HOUR))]);
    assert!(prune_before(&talk) <= at("2026-10-30").second(), "never inside an open window");
    talk.asks();
    talk.ends(&[]);
    talk.asks();
    assert!(prune_before(&talk) <= at("2026-11-06").second());
    talk.ends(&[]);
    talk.asks();
    talk.ends(&[]);
    let complete = talk.complete_until().unwrap();
    // Sweep, overlap and whole days at the edges.
    assert!(prune_before(&talk) <= complete.minus(3 * DAY + HOUR).second());
    assert!(prune_before(&talk) >= complete.minus(7 * DAY).second());
    // Relative to what is complete, never to now.
    let before = prune_before(&talk);
    talk.restarts(6 * DAY);
    talk.asks();
    assert_eq!(prune_before(&talk), before);
    talk.goes_on(&[], "1");
    assert_eq!(prune_before(&talk), before);
}

#[test]
fn collection_08_a_quiet_tenants_newest_event_is_remembered_as_long_as_it_is_shown() {
    let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-10-01")));
    let newest = at("2026-10-02");
    talk.asks();
    talk.ends(&[record(1, newest)]);
    while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
        talk.asks();
        talk.ends(&[]);
    }
    let request = talk.polls();
    assert_eq!(request.since, Some(newest.minus(15 * MINUTE + SECOND)));
    talk.ends(&[record(1, newest)]);
    assert!(talk.collector.progress().prune_before < newest.minus(DAY).second());
}

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

#[test]
fn collection_13_a_second_is_read_as_a_whole() {
    // The event of 09:59:59.999 is complete; another one of that second may follow.
    let mut talk = Conversation::begin(
        Policy { overlap: Duration::ZERO, ..Policy::default() },
        Start::At(at("2026-11-20T09:00:00Z")),
    );
    talk.asks();
    talk.ends(&[record(1, at("2026-11-20T09:59:59.999Z"))]);
    while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
        talk.asks();
        talk.ends(&[record(1, at("2026-11-20T09:59:59.999Z"))]);
    }
    talk.polls();
    talk.ends(&[record(1, at("2026-11-20T09:59:59.999Z"))]);
    assert_eq!(talk.polls().since, Some(at("2026-11-20T09:59:58Z")));
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
