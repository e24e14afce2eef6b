//! What is read again, and what of it is known: rules 6, 7, 8 and 13.

use std::time::Duration;

use pipeline::{Seen, Timestamp};
use poll::position::Kind;
use poll::{Failure, Granularity, Order, Policy, Start, Step};

use super::{SECOND, ago};
use crate::conversation::{Conversation, DAY, HOUR, MINUTE, at, record, timeless};

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

/// All of the past is read, and nothing was in it; with the moment of the first request.
fn caught_up() -> (Conversation, Timestamp) {
    let mut talk = Conversation::begin(Policy::default(), Start::At(at("2026-01-01")));
    talk.asks();
    let begun = talk.now;
    talk.ends(&[]);
    while talk.collector.status().walks.iter().any(|line| line.starts_with("history")) {
        talk.asks();
        talk.ends(&[]);
    }
    (talk, begun)
}

#[test]
fn collection_06_a_sweep_reaches_back_from_the_last_one_not_from_now() {
    let (mut talk, begun) = caught_up();
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
    let (mut talk, begun) = caught_up();
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
