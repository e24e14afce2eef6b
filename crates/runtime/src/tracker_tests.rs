use pipeline::{Position, Progress, RecordId, SinkSet};
use proptest::prelude::*;

use super::*;

fn progress(n: u64) -> Progress {
    Progress { position: Position::encode(&n), prune_before: i64::MIN, complete_until: None, lost_from: None }
}

fn id(n: u64) -> RecordId {
    RecordId { second: 0, native: n, content: 0 }
}

fn track(tracker: &Tracker, n: u64, sinks: &[u32]) -> Vec<Ack> {
    tracker.track(Some(progress(n)), vec![id(n)], None, SinkSet::NONE, sinks)
}

#[test]
fn delivery_01_the_safe_position_never_passes_an_undelivered_batch() {
    let tracker = Tracker::new();
    let first = track(&tracker, 1, &[0]).remove(0);
    let second = track(&tracker, 2, &[0]).remove(0);
    let third = track(&tracker, 3, &[0]).remove(0);
    second.done();
    assert!(tracker.take_safe().is_empty(), "the first is not delivered");
    first.done();
    let safe = tracker.take_safe();
    assert_eq!(safe.progress, Some(progress(2)));
    assert_eq!(safe.ids, [id(1), id(2)]);
    third.done();
    assert_eq!(tracker.take_safe().progress, Some(progress(3)));
}

#[tokio::test]
async fn delivery_02_a_dropped_ack_breaks_the_run_and_is_never_success() {
    let tracker = Tracker::new();
    let ack = track(&tracker, 1, &[0]).remove(0);
    let other = track(&tracker, 2, &[0]).remove(0);
    drop(ack);
    tracker.broken().await;
    assert!(other.is_stale());
    other.done();
    tracker.settled().await;
    assert!(tracker.take_safe().is_empty());
    assert_eq!(tracker.delivered_out_of_order(), [(id(2), SinkSet::ALL)]);
}

#[tokio::test]
async fn delivery_03_a_run_that_is_given_up_is_not_delivered_any_more() {
    let tracker = Tracker::new();
    let ack = track(&tracker, 1, &[0]).remove(0);
    let waiting = tokio::spawn({
        let tracker = tracker.clone();
        async move { tracker.broken().await }
    });
    tokio::task::yield_now().await;
    assert!(!ack.is_stale() && !waiting.is_finished());
    tracker.give_up();
    assert!(ack.is_stale());
    waiting.await.unwrap();
    ack.done();
}

#[test]
fn what_is_safe_is_worth_a_save_with_a_position_or_with_ids_alone() {
    let tracker = Tracker::new();
    assert!(tracker.take_safe().is_empty());
    tracker.track(Some(progress(1)), vec![], None, SinkSet::NONE, &[]);
    assert!(!tracker.take_safe().is_empty(), "an empty page moves the position");
    tracker.track(None, vec![id(1)], None, SinkSet::NONE, &[]);
    assert!(!tracker.take_safe().is_empty(), "the middle of a page");
}

#[test]
fn every_sink_and_every_share_must_be_done() {
    let tracker = Tracker::new();
    let acks = track(&tracker, 1, &[3, 5]);
    let share = acks[0].share();
    for ack in acks {
        ack.done();
        assert!(tracker.take_safe().is_empty());
    }
    assert_eq!(tracker.delivered_out_of_order(), [(id(1), SinkSet::NONE.with(5))]);
    share.done();
    assert_eq!(tracker.take_safe().progress, Some(progress(1)));
}

#[test]
fn a_page_without_records_moves_the_position_once_all_before_it_is_delivered() {
    let tracker = Tracker::new();
    let ack = track(&tracker, 1, &[0]).remove(0);
    assert!(track(&tracker, 2, &[]).is_empty());
    assert!(tracker.take_safe().is_empty());
    ack.done();
    assert_eq!(tracker.take_safe().progress, Some(progress(2)));
}

#[test]
fn delivery_10_what_one_sink_has_is_remembered_when_another_has_not() {
    let tracker = Tracker::new();
    let had = SinkSet::NONE.with(7);
    let mut acks = tracker.track(None, vec![id(1)], None, had, &[0, 1]);
    acks.remove(1).done();
    assert_eq!(tracker.delivered_out_of_order(), [(id(1), had.with(1))]);
}

/// What a test does: track a chunk for some sinks, share an ack, finish one, or look.
#[derive(Clone, Debug)]
enum Step {
    Track(u32),
    Share(usize),
    Done(usize),
    Look,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u32..4).prop_map(Step::Track),
        1 => any::<usize>().prop_map(Step::Share),
        4 => any::<usize>().prop_map(Step::Done),
        2 => Just(Step::Look),
    ]
}

proptest! {
    /// Against a naive model: a list of open counts, scanned from its front.
    #[test]
    fn safe_position_equals_a_naive_scan(steps in prop::collection::vec(step(), 1..200)) {
        let tracker = Tracker::new();
        let mut acks: Vec<(usize, Ack)> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut taken = 0;
        for step in steps {
            match step {
                Step::Track(sinks) => {
                    let numbers: Vec<u32> = (0..sinks).collect();
                    let chunk = open.len();
                    open.push(numbers.len());
                    acks.extend(track(&tracker, chunk as u64, &numbers).into_iter().map(|ack| (chunk, ack)));
                }
                Step::Share(which) if !acks.is_empty() => {
                    let (chunk, ack) = &acks[which % acks.len()];
                    let share = (*chunk, ack.share());
                    open[share.0] += 1;
                    acks.push(share);
                }
                Step::Done(which) if !acks.is_empty() => {
                    let (chunk, ack) = acks.swap_remove(which % acks.len());
                    ack.done();
                    open[chunk] -= 1;
                }
                Step::Look | Step::Share(_) | Step::Done(_) => {
                    let safe = tracker.take_safe();
                    let until = open.iter().position(|n| *n > 0).unwrap_or(open.len());
                    let ids: Vec<_> = (taken..until).map(|n| id(n as u64)).collect();
                    prop_assert_eq!(safe.ids, ids);
                    prop_assert_eq!(safe.progress, (until > taken).then(|| progress(until as u64 - 1)));
                    taken = until;
                }
            }
        }
        for (_, ack) in acks {
            ack.done();
        }
    }
}
