//! The delivery rules that the runtime keeps, each by a test of its name, on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Act, Api, FakeSink, World, transient};
use pipeline::{Position, SinkError, SourceError};
use runtime::{BatchLimits, RunError, SinkMode, SourceMode, StreamError, Until};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

fn numbers(until: usize) -> Vec<usize> {
    (0..until).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_is_delivered_once_in_order_and_saved() {
    let sink = FakeSink::good();
    let world = World::new(Api::new(1000, 30), vec![sink.clone()]);
    let (result, status) = world.catch_up().await;
    result.unwrap();
    assert_eq!(sink.sorted(), numbers(1000));
    assert_eq!(world.store.at(), 1000);
    assert_eq!(status.sources[0].records.load(Ordering::SeqCst), 1000);
    assert_eq!(status.sources[0].now().mode, SourceMode::Ended);
}

#[tokio::test(start_paused = true)]
async fn delivery_02_a_defect_in_a_sink_drops_no_data() {
    let sink = FakeSink::new(|write, _| if write == 3 { Act::Panic } else { Act::Take });
    let world = World::new(Api::new(500, 30), vec![sink.clone()]);
    let (result, status) = world.catch_up().await;
    result.unwrap();
    assert!(sink.has_all(500));
    assert_eq!(status.sources[0].restarts.load(Ordering::SeqCst), 1);
    assert_eq!(world.store.at(), 500);
}

#[tokio::test(start_paused = true)]
async fn delivery_02_a_defect_in_a_source_restarts_its_stream() {
    let sink = FakeSink::good();
    let world = World::new(Api::new(500, 30), vec![sink.clone()]);
    world.api.panic_once.store(true, Ordering::SeqCst);
    let (result, status) = world.catch_up().await;
    result.unwrap();
    assert_eq!(sink.sorted(), numbers(500));
    assert_eq!(status.sources[0].restarts.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn delivery_05_transient_failures_are_retried_without_limit() {
    let sink = FakeSink::new(|write, _| if write < 300 { Act::Fail(transient(None)) } else { Act::Take });
    let world = World::new(Api::new(100, 30), vec![sink.clone()]);
    let (result, status) = world.catch_up().await;
    result.unwrap();
    assert_eq!(sink.sorted(), numbers(100));
    assert_eq!(status.sinks[0].errors()["transient"], 300);
    assert_eq!(status.sinks[0].retries.load(Ordering::SeqCst), 300);
    assert_eq!(status.sinks[0].now().mode, SinkMode::Delivering);
    assert_eq!(status.sinks[0].now().last_error, None);
}

#[tokio::test(start_paused = true)]
async fn delivery_05_the_destination_says_when_to_come_back() {
    let asked = Duration::from_secs(77);
    let sink =
        FakeSink::new(move |write, _| if write == 0 { Act::Fail(transient(Some(asked))) } else { Act::Take });
    let world = World::new(Api::new(10, 30), vec![sink.clone()]);
    let start = Instant::now();
    world.catch_up().await.0.unwrap();
    assert!(start.elapsed() >= asked);
    assert_eq!(sink.writes.load(Ordering::SeqCst), 2);
}

/// What it says to one write holds for all.
#[tokio::test(start_paused = true)]
async fn delivery_05_no_write_begins_before_the_destination_wants_one() {
    let asked = Duration::from_secs(77);
    let sink =
        FakeSink::new(move |write, _| if write == 0 { Act::Fail(transient(Some(asked))) } else { Act::Take });
    let world = World::new(Api::new(300, 30), vec![sink.clone()]);
    let run = tokio::spawn(world.engine().run(Until::CaughtUp { timeout: None }, CancellationToken::new()));
    sleep(asked - Duration::from_secs(1)).await;
    let writes = sink.writes.load(Ordering::SeqCst);
    assert!(writes <= 2, "the one that failed, and one that was under way: {writes}");
    run.await.unwrap().unwrap();
    assert_eq!(sink.sorted(), numbers(300));
}

#[tokio::test(start_paused = true)]
async fn delivery_05_a_destination_that_takes_all_and_asks_for_a_pause_gets_it() {
    let asked = Duration::from_secs(77);
    let sink = FakeSink::new(move |write, _| if write == 0 { Act::TakeAndAsk(asked) } else { Act::Take });
    let world = World::new(Api::new(300, 30), vec![sink.clone()]);
    let start = Instant::now();
    world.catch_up().await.0.unwrap();
    assert!(start.elapsed() >= asked, "{:?}", start.elapsed());
    assert_eq!(sink.sorted(), numbers(300));
}

#[tokio::test(start_paused = true)]
async fn delivery_05_only_what_was_not_taken_is_sent_again() {
    let sink = FakeSink::new(|write, events| match write {
        0 => Act::TakeBut(vec![0, 3, events.len() as u32 - 1]),
        _ => Act::Take,
    });
    let world = World::new(Api::new(10, 10), vec![sink.clone()]);
    world.catch_up().await.0.unwrap();
    assert_eq!(sink.taken(), [1, 2, 4, 5, 6, 7, 8, 0, 3, 9]);
}

#[tokio::test(start_paused = true)]
async fn delivery_05_a_paused_sink_keeps_its_events_and_heals() {
    let full = Arc::new(AtomicBool::new(true));
    let sink = FakeSink::new({
        let full = full.clone();
        move |_, _| {
            let source = "no space left on device".into();
            let error = SinkError::Paused { reason: "disk_full", remedy: "free some space".into(), source };
            if full.load(Ordering::SeqCst) { Act::Fail(error) } else { Act::Take }
        }
    });
    let world = World::new(Api::new(100, 30), vec![sink.clone()]);
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(5)).await;
    let now = status.sinks[0].now();
    assert_eq!((now.mode, now.paused_for), (SinkMode::Paused, Some("disk_full")));
    assert_eq!(now.last_error.unwrap(), "no space left on device; free some space");
    assert_eq!(world.store.at(), 0);
    full.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(status.sinks[0].now().mode, SinkMode::Delivering);
    assert_eq!(sink.sorted(), numbers(100));
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_not_usable_shows_before_its_first_event_and_heals_without_one() {
    let sink = FakeSink::good();
    sink.not_ready.lock().unwrap().extend([transient(Some(Duration::from_secs(5)))]);
    let world = World::new(Api::new(0, 30), vec![sink.clone()]);
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(4)).await;
    assert_eq!(status.sinks[0].now().mode, SinkMode::Retrying);
    assert_eq!(status.sinks[0].now().last_error.unwrap(), "the destination is busy");
    sleep(Duration::from_secs(2)).await;
    let now = status.sinks[0].now();
    assert_eq!((now.mode, now.last_error, now.last_delivery), (SinkMode::Delivering, None, None));
    assert_eq!(sink.writes.load(Ordering::SeqCst), 0);
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_ready_late_is_not_said_to_deliver_while_its_writes_fail() {
    let sink = FakeSink::new(|_, _| Act::Fail(transient(Some(Duration::from_secs(60)))));
    *sink.slow_start.lock().unwrap() = Duration::from_secs(5);
    let world = World::new(Api::new(10, 30), vec![sink.clone()]);
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(30)).await;
    assert_eq!(sink.writes.load(Ordering::SeqCst), 1);
    assert_eq!(status.sinks[0].now().mode, SinkMode::Retrying);
    stop.cancel();
    run.await.unwrap().unwrap();
}

/// The sink drops what is left of the run instead of sending it once more, or sending nothing at all.
#[tokio::test(start_paused = true)]
async fn delivery_03_a_run_that_is_given_up_is_not_written_any_more() {
    let empty = Arc::new(AtomicUsize::new(0));
    let sink = FakeSink::new({
        let empty = empty.clone();
        move |write, events| {
            empty.fetch_add(usize::from(events.is_empty()), Ordering::SeqCst);
            let asked = Duration::from_secs(3);
            if write == 0 { Act::Fail(transient(Some(asked))) } else { Act::Take }
        }
    });
    let world = World::new(Api::new(10, 30), vec![sink.clone()]);
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(sink.writes.load(Ordering::SeqCst), 1);
    world.api.panic_once.store(true, Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(status.sources[0].restarts.load(Ordering::SeqCst), 1);
    assert_eq!(sink.sorted(), numbers(10), "each event once");
    assert_eq!((sink.writes.load(Ordering::SeqCst), empty.load(Ordering::SeqCst)), (2, 0));
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn delivery_06_a_sink_that_takes_nothing_stops_the_source_at_the_budget() {
    let sink = FakeSink::new(|_, _| Act::Fail(transient(None)));
    let mut world = World::new(Api::new(100_000, 300), vec![sink.clone()]);
    world.limits.in_flight = 256 << 10;
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(20)).await;
    let in_flight = status.sinks[0].ledger().in_flight();
    // A record is 87 bytes and its event at most 7.
    assert!(in_flight * 87 <= 256 << 10, "{in_flight} events are in flight");
    assert!(in_flight * 94 > 128 << 10, "the budget is used: {in_flight} events");
    let records = status.sources[0].records.load(Ordering::SeqCst);
    assert!(records < in_flight + 4 * 300, "the source stopped: {records} records");
    stop.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(world.store.at(), 0);
}

#[tokio::test(start_paused = true)]
async fn delivery_06_waiting_sources_make_collecting_sinks_deliver_early() {
    let sink = FakeSink::good();
    let mut world = World::new(Api::new(20_000, 300), vec![sink.clone()]);
    world.limits.in_flight = 256 << 10;
    world.eager = false;
    world.batch = BatchLimits { max_events: 1 << 20, max_bytes: 1 << 30, max_age: Duration::from_secs(3600) };
    let start = Instant::now();
    world.catch_up().await.0.unwrap();
    assert_eq!(sink.sorted(), numbers(20_000));
    assert!(start.elapsed() < Duration::from_secs(60), "no circle of waits: {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn delivery_07_a_conflicting_save_stops_the_stream_and_overwrites_nothing() {
    let sink = FakeSink::slow(Duration::from_millis(30), |_, _| Act::Take);
    let world = World::new(Api::new(3000, 30), vec![sink]);
    let engine = world.engine();
    let run = tokio::spawn(engine.run(Until::Stopped, CancellationToken::new()));
    sleep(Duration::from_millis(45)).await;
    {
        let mut state = world.store.state.lock().unwrap();
        state.revision += 100;
        state.position = Some(Position::encode(&7));
    }
    let error = run.await.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Stream(StreamError::Store { .. })), "{error}");
    assert_eq!(world.store.at(), 7);
}

#[tokio::test(start_paused = true)]
async fn delivery_09_the_ledger_balances_at_all_times() {
    let sink = FakeSink::new(|write, _| match write % 7 {
        1 => Act::Fail(transient(None)),
        2 => Act::TakeBut(vec![0]),
        4 if write < 30 => Act::Panic,
        _ => Act::Take,
    });
    let other = FakeSink::good();
    let world = World::new(Api::new(3000, 30), vec![sink, other]);
    let engine = world.engine();
    let status = engine.status();
    let run = tokio::spawn(engine.run(Until::CaughtUp { timeout: None }, CancellationToken::new()));
    while !run.is_finished() {
        sleep(Duration::from_millis(3)).await;
        for sink in &status.sinks {
            // `in_flight` is what is left of the received, and would overflow if too much were settled.
            assert!(sink.ledger().in_flight() <= 3000);
        }
    }
    run.await.unwrap().unwrap();
    for sink in &status.sinks {
        assert_eq!(sink.ledger().in_flight(), 0, "{}", sink.name);
    }
    assert!(status.sinks[0].ledger().abandoned > 0, "a restart gave events back");
    assert!(world.sinks.iter().all(|sink| sink.has_all(3000)));
}

#[tokio::test(start_paused = true)]
async fn delivery_10_a_restart_repeats_nothing_to_a_healthy_sink() {
    let broken = FakeSink::new(|write, _| if write == 5 { Act::Panic } else { Act::Take });
    let healthy = FakeSink::good();
    let world = World::new(Api::new(1000, 30), vec![broken.clone(), healthy.clone()]);
    let (result, status) = world.catch_up().await;
    result.unwrap();
    assert_eq!(status.sources[0].restarts.load(Ordering::SeqCst), 1);
    assert!(broken.has_all(1000));
    assert_eq!(healthy.sorted(), numbers(1000), "each event once");
}

#[tokio::test(start_paused = true)]
async fn delivery_10_a_drain_repeats_nothing_to_a_healthy_sink() {
    let dead = FakeSink::new(|_, _| Act::Fail(transient(None)));
    let healthy = FakeSink::good();
    let mut world = World::new(Api::new(200, 30), vec![dead, healthy.clone()]);
    let stop = CancellationToken::new();
    let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(2)).await;
    assert_eq!(healthy.sorted(), numbers(200));
    stop.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(world.store.at(), 0, "nothing is safe as long as one sink lacks it");

    let healed = FakeSink::good();
    world.replace(0, healed.clone());
    world.catch_up().await.0.unwrap();
    assert_eq!(healed.sorted(), numbers(200));
    assert_eq!(healthy.sorted(), numbers(200), "each event once");
}

#[tokio::test(start_paused = true)]
async fn delivery_11_within_a_page_events_go_oldest_first() {
    let sink = FakeSink::good();
    let world = World::new(Api::new(300, 300), vec![sink.clone()]);
    world.catch_up().await.0.unwrap();
    assert_eq!(sink.taken(), numbers(300));
}

#[tokio::test(start_paused = true)]
async fn delivery_12_a_drain_delivers_what_is_under_way_and_a_second_run_repeats_nothing() {
    let sink = FakeSink::slow(Duration::from_millis(40), |_, _| Act::Take);
    let world = World::new(Api::new(10_000, 30), vec![sink.clone()]);
    for _ in 0..5 {
        let stop = CancellationToken::new();
        let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
        sleep(Duration::from_millis(123)).await;
        stop.cancel();
        run.await.unwrap().unwrap();
        assert_eq!(
            sink.sorted(),
            numbers(world.store.at()),
            "all that was delivered is saved, and the reverse"
        );
    }
    world.catch_up().await.0.unwrap();
    assert_eq!(sink.sorted(), numbers(10_000));
}

#[tokio::test(start_paused = true)]
async fn delivery_12_a_drain_ends_in_time_and_the_rest_is_collected_again() {
    let sink = FakeSink::slow(Duration::from_secs(3600), |_, _| Act::Take);
    let mut world = World::new(Api::new(100, 30), vec![sink]);
    let stop = CancellationToken::new();
    let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    let start = Instant::now();
    run.await.unwrap().unwrap();
    assert!(start.elapsed() <= world.limits.drain_timeout, "{:?}", start.elapsed());
    assert_eq!(world.store.at(), 0);

    let healed = FakeSink::good();
    world.replace(0, healed.clone());
    world.catch_up().await.0.unwrap();
    assert_eq!(healed.sorted(), numbers(100));
}

/// Once, after the last write, and within the time of the drain; a destination that does not end spoils nothing.
#[tokio::test(start_paused = true)]
async fn delivery_12_sinks_are_closed_at_the_end() {
    let hour = Duration::from_secs(3600);
    let seconds = Duration::from_secs;
    for (delay, slow_end, drain, longest) in [
        (Duration::from_millis(40), Duration::from_millis(700), seconds(25), seconds(2)),
        (Duration::from_millis(40), hour, seconds(25), Duration::from_millis(2500)),
        (hour, hour, seconds(1), seconds(1)),
    ] {
        let sinks = [FakeSink::slow(delay, |_, _| Act::Take), FakeSink::slow(delay, |_, _| Act::Take)];
        sinks.iter().for_each(|sink| *sink.slow_end.lock().unwrap() = slow_end);
        let mut world = World::new(Api::new(10_000, 30), sinks.to_vec());
        world.limits.drain_timeout = drain;
        let stop = CancellationToken::new();
        let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
        sleep(Duration::from_millis(500)).await;
        stop.cancel();
        let start = Instant::now();
        run.await.unwrap().unwrap();
        let took = start.elapsed();
        assert!(took <= longest && (took >= slow_end || slow_end == hour), "{took:?}");
        for sink in sinks {
            assert_eq!(*sink.closed.lock().unwrap(), [sink.taken().len()], "all is written before the end");
            assert_eq!(sink.taken().len(), world.store.at());
        }
    }
    // `--once` too.
    let sink = FakeSink::good();
    World::new(Api::new(100, 30), vec![sink.clone()]).catch_up().await.0.unwrap();
    assert_eq!(*sink.closed.lock().unwrap(), [100]);
}

#[tokio::test(start_paused = true)]
async fn collection_08_known_records_are_not_delivered_again() {
    let sink = FakeSink::good();
    let world = World::new(Api::new(1000, 30), vec![sink.clone()]);
    world.api.overlap.store(20, Ordering::SeqCst);
    world.catch_up().await.0.unwrap();
    world.api.records.store(1100, Ordering::SeqCst);
    world.catch_up().await.0.unwrap();
    assert_eq!(sink.sorted(), numbers(1100));
}

#[tokio::test(start_paused = true)]
async fn collection_09_the_start_is_saved_before_the_first_request() {
    let world = World::new(Api::new(10, 30), vec![FakeSink::good()]);
    world.catch_up().await.0.unwrap();
    let log = world.api.log.lock().unwrap().clone();
    assert_eq!(log[..2], ["save", "request"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_save_holds_the_stream_and_heals() {
    let sink = FakeSink::good();
    let mut world = World::new(Api::new(20_000, 300), vec![sink.clone()]);
    world.limits.in_flight = 256 << 10;
    let stop = CancellationToken::new();
    let engine = world.engine();
    let status = engine.status();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_millis(5)).await;
    world.store.refuse.store(true, Ordering::SeqCst);
    sleep(Duration::from_secs(10)).await;
    let stuck = sink.taken().len();
    assert!(stuck < 10_000, "collection waits: {stuck}");
    assert!(status.sources[0].now().last_error.unwrap().contains("disk full"));
    assert!(status.sources[0].now().unsaved_since.is_some(), "which is no readiness if it lasts");
    world.store.refuse.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(status.sources[0].now().unsaved_since, None);
    assert_eq!(sink.sorted(), numbers(20_000));
    stop.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(world.store.at(), 20_000);
}

#[tokio::test(start_paused = true)]
async fn a_paused_source_heals_by_itself_but_fails_a_run_that_must_end() {
    let paused = || SourceError::Paused {
        reason: "authentication",
        remedy: "check the key".into(),
        retry_after: None,
        source: "401".into(),
    };
    let sink = FakeSink::good();
    let world = World::new(Api::new(10, 30), vec![sink.clone()]);
    world.api.errors.lock().unwrap().extend([paused(), paused(), paused()]);
    let stop = CancellationToken::new();
    let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(sink.sorted(), numbers(10));
    stop.cancel();
    run.await.unwrap().unwrap();

    world.api.errors.lock().unwrap().extend([paused(), paused(), paused()]);
    let error = world.catch_up().await.0.unwrap_err();
    assert!(matches!(error, RunError::Stream(StreamError::Source { .. })), "{error}");
}

/// A process that does not live for a page would otherwise be refused the same again and again.
#[tokio::test(start_paused = true)]
async fn what_a_refusal_has_told_is_saved_and_is_no_success() {
    let world = World::new(Api::new(10, 30), vec![FakeSink::good()]);
    let paused = || SourceError::Paused {
        reason: "authentication",
        remedy: "check the key".into(),
        retry_after: Some(Duration::from_secs(60)),
        source: "401".into(),
    };
    let (engine, stop) = (world.engine(), CancellationToken::new());
    let status = engine.status();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(10)).await;
    assert_eq!(world.store.at(), 10);
    let before = status.sources[0].now().last_success;
    world.api.errors.lock().unwrap().extend([paused(), paused()]);
    sleep(Duration::from_secs(30)).await;
    *world.api.learns.lock().unwrap() = Some(7);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(world.store.at(), 7, "it is saved, behind the pages before it");
    assert_eq!(status.sources[0].now().last_success, before);
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_must_end_in_time_says_when_it_did_not() {
    let sink = FakeSink::new(|_, _| Act::Fail(transient(None)));
    let mut world = World::new(Api::new(10, 30), vec![sink]);
    world.limits.drain_timeout = Duration::from_secs(1);
    let time_out = Duration::from_secs(5);
    let until = Until::CaughtUp { timeout: Some(time_out) };
    let error = world.engine().run(until, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, RunError::TimedOut(after) if after == time_out));
    assert_eq!(Arc::strong_count(&world.store), 1, "no task is left");
}

/// What the destination calls too large once is not sent again and again in that size.
#[tokio::test(start_paused = true)]
async fn the_size_that_fits_is_learned() {
    let refusals = Arc::new(AtomicUsize::new(0));
    let counted = refusals.clone();
    let sink = FakeSink::new(move |_, events| {
        if events.bytes() <= 40 {
            return Act::Take;
        }
        counted.fetch_add(1, Ordering::SeqCst);
        Act::Fail(SinkError::TooLarge("more than 40 bytes".into()))
    });
    let world = World::new(Api::new(2000, 100), vec![sink.clone()]);
    world.catch_up().await.0.unwrap();
    assert!(sink.has_all(2000));
    let refusals = refusals.load(Ordering::SeqCst);
    assert!((1..60).contains(&refusals), "{refusals} writes were too large");
}

/// Two small events are too large together, so the size that was learned is less than that of a large one: events go alone, each
/// once, and the end is reached.
#[tokio::test(start_paused = true)]
async fn events_larger_than_the_size_that_was_learned_go_alone() {
    let sink = FakeSink::new(|_, events| match events.len() {
        1 => Act::Take,
        _ => Act::Fail(SinkError::TooLarge("one at a time".into())),
    });
    let world = World::new(Api::new(1200, 100), vec![sink.clone()]);
    let (result, status) =
        tokio::time::timeout(Duration::from_secs(600), world.catch_up()).await.expect("an end");
    result.unwrap();
    assert_eq!((sink.taken().len(), sink.has_all(1200)), (1200, true), "each comes once");
    assert_eq!(status.sources[0].restarts.load(Ordering::SeqCst), 0);
}
