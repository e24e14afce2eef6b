//! APIs that can be asked for less than any window, or want more, or whose cursors live for ever.

use std::time::Duration;

use pipeline::Seen;
use poll::position::Kind;
use poll::{
    Collector, Cursor, Failure, Granularity, Onward, Order, Page, Policy, Resume, Start, Taken, TimeFilter,
};

use crate::conversation::{Conversation, DAY, Found, HOUR, MINUTE, at, identity, record};

fn policy(filter: TimeFilter) -> Policy {
    Policy { filter, granularity: Granularity::Second, ..Policy::default() }
}

fn following() -> Policy {
    Policy { order: Order::Unordered, resume: Resume::Cursor, ..policy(TimeFilter::Since) }
}

/// The last page for now: what comes is behind `next`.
fn rests(talk: &mut Conversation, records: &[Found], next: &str) -> Taken {
    let next = Cursor::from_json(next).unwrap();
    let page = Page { records, next: Onward::Later(&next), server_time: Some(talk.now) };
    talk.collector.page(&page, &vec![Seen::New; records.len()], talk.now)
}

#[test]
fn what_was_forgotten_while_nobody_followed_a_cursor_is_told_once() {
    let kept = 14 * DAY;
    let mut talk = Conversation::begin(Policy { retention: Some(kept), ..following() }, Start::Now);
    talk.asks();
    assert_eq!(rests(&mut talk, &[], "1").gaps, []);
    let complete = talk.now;
    talk.restarts(kept - HOUR);
    assert_eq!(talk.asks().cursor, Cursor::from_json("1"));
    let one = record(1, talk.now);
    assert_eq!(rests(&mut talk, &[one], "2").gaps, [], "nothing was forgotten yet");
    let complete = complete.plus(kept - HOUR);
    talk.restarts(kept + DAY);
    talk.asks();
    let two = record(2, talk.now);
    assert_eq!(talk.goes_on(&[two], "3").gaps, [], "it is told when all is read");
    talk.asks();
    let told = rests(&mut talk, &[], "4").gaps;
    assert_eq!(told, [Conversation::gap(complete, complete.plus(DAY), "the API keeps 14 days")]);
    talk.polls();
    assert_eq!(rests(&mut talk, &[], "5").gaps, []);
}

#[test]
fn an_upper_edge_that_is_required_is_always_there_and_bounds_what_is_complete() {
    let settle = 2 * MINUTE;
    let mut talk = Conversation::begin(policy(TimeFilter::Closed { settle }), Start::Now);
    let request = talk.asks();
    assert_eq!((request.kind, request.since), (Kind::Live, Some(at("2026-11-20T09:59:59Z"))));
    assert!(request.until > request.since, "{request:?}");
    talk.ends(&[]);
    talk.now = talk.now.plus(MINUTE * 30);
    let request = talk.asks();
    assert_eq!(request.until, Some(at("2026-11-20T10:28:02Z")));
    talk.goes_on(&[record(1, at("2026-11-20T10:27:00Z"))], "1");
    talk.now = talk.now.plus(MINUTE / 2);
    assert_eq!(talk.asks().until, request.until, "frozen for the whole walk");
    talk.ends(&[]);
    assert_eq!(talk.complete_until(), Some(at("2026-11-20T10:28:00Z")));
}

/// Our own clock, which nothing but the first answer corrects, is a minute behind the API's at most, and then as much of the log
/// would count as read that nobody has asked for.
#[test]
fn an_upper_edge_of_our_own_clock_is_asked_for_anew_where_the_api_s_is_ahead() {
    for (ahead, again) in [(2, false), (4, true), (59, true)] {
        let ahead = Duration::from_secs(ahead);
        let mut talk = Conversation::begin(policy(TimeFilter::Closed { settle: Duration::ZERO }), Start::Now);
        let answers = |talk: &mut Conversation| {
            let page = Page { records: &[], next: Onward::End, server_time: Some(talk.now.plus(ahead)) };
            talk.collector.page(&page, &[], talk.now);
        };
        talk.asks();
        answers(&mut talk);
        if again {
            let request = talk.asks();
            assert!(request.until >= Some(talk.now.plus(ahead)), "{request:?}");
            answers(&mut talk);
        }
        talk.waits();
        // From then on the API's clock is known; what an answer takes is no reason to ask twice.
        talk.polls();
        talk.now = talk.now.plus(Duration::from_secs(5));
        answers(&mut talk);
        assert!(talk.waits().caught_up);
    }
}

#[test]
fn a_lower_edge_only_is_no_window() {
    let mut talk = Conversation::begin(policy(TimeFilter::Since), Start::At(at("2026-06-01")));
    assert_eq!(talk.asks().kind, Kind::Live);
    talk.ends(&[]);
    let request = talk.asks();
    assert_eq!(
        (request.kind, request.since, request.until),
        (Kind::History, Some(at("2026-05-31T23:59:59Z")), None)
    );
    talk.fails(Failure::TimedOut);
    assert_eq!(talk.asks().since, request.since, "nothing would make it smaller");
    talk.ends(&[]);
    assert!(talk.waits().caught_up, "one walk was all of history");
}

#[test]
fn without_a_filter_nothing_is_forgotten_and_old_pages_end_a_walk() {
    let mut talk = Conversation::caught_up(policy(TimeFilter::None));
    assert_eq!(talk.collector.progress().prune_before, i64::MIN);
    let request = talk.polls();
    assert_eq!((request.since, request.until), (None, None));
    let old = record(1, at("2026-11-01"));
    talk.goes_on(&[record(2, talk.now), old], "1");
    assert_eq!(talk.asks().kind, Kind::Live, "not all of the page was old");
    talk.goes_on(&[old], "2");
    assert_eq!(talk.position()["walks"], serde_json::json!([]), "the rest of the log is older still");
}

#[test]
fn windows_are_no_longer_than_the_api_answers() {
    let span = 10 * DAY;
    let wanted = Policy { max_span: Some(span), retention: Some(180 * DAY), ..policy(TimeFilter::Window) };
    let mut talk = Conversation::begin(wanted, Start::All);
    talk.asks();
    talk.ends(&[record(1, at("2026-11-20T09:59:00Z"))]);
    let mut windows = 0;
    while talk.position()["history"] != serde_json::json!([]) {
        let request = talk.asks();
        let (since, until) = (request.since.unwrap(), request.until.unwrap_or(talk.now));
        assert!(until.since(since) <= span, "{request:?}");
        talk.ends(&[]);
        windows += 1;
    }
    assert!(windows > 30, "{windows}");
    // A quiet log, whose newest event is long ago, is asked for no longer a window either.
    for _ in 0..400 {
        talk.now = talk.now.plus(HOUR);
        let request = talk.asks();
        assert!(talk.now.since(request.since.unwrap()) <= span, "{request:?}");
        talk.ends(&[]);
    }
}

#[test]
fn a_cursor_is_followed_for_ever_also_by_the_next_process() {
    let mut talk = Conversation::begin(following(), Start::At(at("2026-11-01")));
    let request = talk.asks();
    assert_eq!(
        (request.kind, request.since, request.cursor),
        (Kind::Follow, Some(at("2026-10-31T23:59:59Z")), None)
    );
    talk.goes_on(&[record(1, at("2026-11-02"))], "\"a\"");
    assert_eq!(talk.asks().cursor, Cursor::from_json("\"a\""));
    rests(&mut talk, &[record(2, at("2026-11-03"))], "\"b\"");
    assert!(talk.waits().caught_up);
    assert_eq!(talk.complete_until(), Some(talk.now));
    talk.restarts(3 * DAY);
    let request = talk.asks();
    assert_eq!((request.kind, request.cursor), (Kind::Follow, Cursor::from_json("\"b\"")));
    assert!(
        talk.collector.progress().prune_before > at("2026-11-10").second(),
        "what was behind is forgotten"
    );
    // Nothing new: the same cursor again is no circle.
    rests(&mut talk, &[], "\"b\"");
    assert!(talk.waits().caught_up);
    assert_eq!(talk.polls().cursor, Cursor::from_json("\"b\""));
}

#[test]
fn a_cursor_that_is_lost_begins_as_far_back_as_a_sweep() {
    let mut talk = Conversation::begin(following(), Start::At(at("2026-11-01")));
    talk.asks();
    rests(&mut talk, &[], "1");
    talk.polls();
    talk.fails(Failure::CursorUnknown);
    let request = talk.asks();
    assert_eq!((request.cursor, request.since), (None, Some(at("2026-11-19T09:59:59Z"))));
    let progress = talk.collector.progress();
    assert!(progress.prune_before < at("2026-11-19").second(), "what comes again is known");
}

#[test]
fn a_followed_log_that_keeps_less_than_asked_for_tells_the_hole() {
    // The second time each process lives for one request.
    for one_request in [false, true] {
        let mut talk = Conversation::begin(following(), Start::At(at("2026-01-01")));
        let floor = at("2026-08-01");
        let found = (0..60).find_map(|_| {
            if talk.asks().since.unwrap() < floor {
                talk.fails(Failure::BeforeRetention);
            } else if let [gap] = &talk.goes_on(&[record(1, at("2026-08-02"))], "1").gaps[..] {
                return Some(gap.clone());
            }
            if one_request {
                talk.restarts(MINUTE / 60);
            }
            None
        });
        let gap = found.unwrap_or_else(|| panic!("never found: {}", talk.position()));
        assert_eq!(gap.from, at("2026-01-01"));
        assert!(gap.to >= floor && gap.to.since(floor) <= 2 * HOUR, "{gap:?}");
    }
}

#[test]
fn positions_change_over_between_windows_and_cursors() {
    let mut talk = Conversation::begin(policy(TimeFilter::Window), Start::At(at("2026-11-01")));
    talk.asks();
    talk.ends(&[]);
    // A window of history is read.
    talk.asks();
    talk.ends(&[]);
    let position = talk.collector.progress().position;
    let mut follows =
        Collector::open(following(), identity(), Start::Now, Some(&position), talk.now).unwrap();
    let poll::Step::Fetch(request) = follows.step(talk.now) else { panic!("nothing to do") };
    assert_eq!(
        (request.kind, request.since),
        (Kind::Follow, Some(at("2026-11-07T23:59:59Z"))),
        "the rest of history was open"
    );
    let position = follows.progress().position;
    let windows =
        Collector::open(policy(TimeFilter::Window), identity(), Start::Now, Some(&position), talk.now);
    let json: serde_json::Value =
        serde_json::from_str(windows.unwrap().progress().position.as_str()).unwrap();
    assert_eq!(json["history"][0]["from"], "2026-11-08T00:00:00.000Z", "nothing of it is complete");
}
