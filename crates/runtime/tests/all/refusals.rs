//! Refused events: one is isolated and kept aside, a destination that refuses everything is not believed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Act, Api, FakeSink, World, numbers, refused, transient};
use pipeline::{SinkError, Write};
use runtime::{RunError, SinkMode, Until};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

fn all_but(poison: &[usize], until: usize) -> Vec<usize> {
    (0..until).filter(|number| !poison.contains(number)).collect()
}

/// A destination that refuses each write with one of these, and does not say which event it was.
fn allergic(poison: &'static [usize]) -> impl Fn(usize, &Write) -> Act + Send + Sync {
    move |_, events| {
        if numbers(events).iter().any(|number| poison.contains(number)) { refused() } else { Act::Take }
    }
}

#[tokio::test(start_paused = true)]
async fn delivery_05_a_poison_event_is_isolated_by_bisection_within_its_bound() {
    let sink = FakeSink::new(allergic(&[337]));
    let mut world = World::new(Api::new(1000, 1000), vec![sink.clone()]);
    world.batch.max_events = 1000;
    let (result, status) = world.catch_up().await;
    assert!(matches!(result, Err(RunError::DeadLetters(1))), "a run that must end says so: {result:?}");
    assert_eq!(sink.sorted(), all_but(&[337], 1000));
    assert_eq!(world.letters.numbers(), [337]);
    // Ten halvings of a thousand, two writes each, and the second look at the suspect.
    let writes = sink.writes.load(Ordering::SeqCst);
    assert!(writes <= 1 + 2 * 10 + 1, "{writes} writes");
    let ledger = status.sinks[0].ledger();
    assert_eq!((ledger.delivered, ledger.dead_lettered["mapping"], ledger.in_flight()), (999, 1, 0));
    assert_eq!(world.store.at(), 1000);
}

#[tokio::test(start_paused = true)]
async fn delivery_05_an_event_that_the_destination_names_is_kept_aside_alone() {
    let sink = FakeSink::new(|write, _| if write == 0 { Act::Refuse(vec![3, 7]) } else { Act::Take });
    let world = World::new(Api::new(10, 10), vec![sink.clone()]);
    let (result, _) = world.catch_up().await;
    assert!(matches!(result, Err(RunError::DeadLetters(2))));
    assert_eq!(world.letters.numbers(), [3, 7]);
    assert_eq!((sink.sorted(), sink.writes.load(Ordering::SeqCst)), (all_but(&[3, 7], 10), 1));
    let letters = world.letters.letters.lock().unwrap();
    let record = letters[0].record.as_ref().unwrap();
    assert_eq!(record.text, format!("{{\"id\":{:>80}}}", 3), "with its record");
    assert_eq!((letters[0].event_id, letters[0].fan_out, letters[0].attempts), (3, 0, 1));
    assert_eq!(
        (&*letters[0].reason, &*letters[0].detail, &*letters[0].sink),
        ("mapping", "field is no date", "sink0")
    );
}

#[tokio::test(start_paused = true)]
async fn delivery_05_a_destination_that_refuses_everything_is_paused_and_nothing_is_kept_aside() {
    let broken = Arc::new(AtomicBool::new(true));
    let sink = FakeSink::new({
        let broken = broken.clone();
        move |write, _| if write > 3 && broken.load(Ordering::SeqCst) { refused() } else { Act::Take }
    });
    let world = World::new(Api::new(3000, 300), vec![sink.clone()]);
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.letters.numbers(), [0; 0]);
    let now = status.sinks[0].now();
    assert_eq!((now.mode, now.paused_for), (SinkMode::Paused, Some("refuses_everything")));
    assert!(now.last_error.unwrap().contains("field is no date"));
    let writes = sink.writes.load(Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    let probes = sink.writes.load(Ordering::SeqCst) - writes;
    assert!((100..2000).contains(&probes), "it is probed with 0.2 s between attempts at most: {probes}");

    broken.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(sink.sorted(), all_but(&[], 3000), "each once");
    assert_eq!(world.letters.numbers(), [0; 0]);
    assert_eq!(status.sinks[0].now().mode, SinkMode::Delivering);
    stop.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(world.store.at(), 3000);
}

#[tokio::test(start_paused = true)]
async fn delivery_05_twenty_poison_events_in_a_row_do_not_hold_the_good_ones_behind_them_for_ever() {
    const POISON: [usize; 40] = {
        let mut poison = [0; 40];
        let mut n = 0;
        while n < 40 {
            poison[n] = n;
            n += 1;
        }
        poison
    };
    let sink = FakeSink::new(allergic(&POISON));
    let world = World::new(Api::new(200, 200), vec![sink.clone()]);
    let (result, _) = world.catch_up().await;
    assert!(matches!(result, Err(RunError::DeadLetters(40))), "{result:?}");
    assert_eq!(sink.sorted(), all_but(&POISON, 200));
    assert_eq!(world.letters.numbers(), POISON);
}

#[tokio::test(start_paused = true)]
async fn delivery_05_an_event_that_is_refused_with_nothing_to_compare_is_tried_for_a_while() {
    let sink = FakeSink::new(allergic(&[0]));
    let world = World::new(Api::new(1, 10), vec![sink.clone()]);
    let start = Instant::now();
    let (result, _) = world.catch_up().await;
    assert!(matches!(result, Err(RunError::DeadLetters(1))));
    let took = start.elapsed().as_secs();
    assert!((20..25).contains(&took), "{took} s");
    assert!(sink.writes.load(Ordering::SeqCst) > 20);
    assert_eq!(
        world.letters.letters.lock().unwrap()[0].attempts as usize,
        sink.writes.load(Ordering::SeqCst)
    );
}

/// Refused by name or as a whole: it has accepted nothing, and is not believed.
#[tokio::test(start_paused = true)]
async fn delivery_05_a_destination_that_names_every_event_is_paused_and_nothing_is_kept_aside() {
    let sink = FakeSink::new(|_, events| Act::Refuse((0..events.len() as u32).collect()));
    let world = World::new(Api::new(300, 30), vec![sink.clone()]);
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(30)).await;
    assert_eq!((world.letters.numbers(), sink.taken()), (vec![], vec![]));
    assert_eq!(status.sinks[0].now().paused_for, Some("refuses_everything"));
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn delivery_05_a_suspect_that_is_to_be_sent_again_is_not_delivered() {
    let sink = FakeSink::new(|write, _| match write {
        0 => refused(),
        1 | 2 => Act::TakeBut(vec![0]),
        _ => Act::Take,
    });
    let world = World::new(Api::new(1, 10), vec![sink.clone()]);
    world.catch_up().await.0.unwrap();
    assert_eq!((sink.taken(), sink.writes.load(Ordering::SeqCst)), (vec![0], 4));
    assert_eq!(world.letters.numbers(), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn delivery_05_what_is_too_large_is_halved_and_the_size_is_remembered() {
    let sink = FakeSink::new(|_, events| match events.bytes() > 200 {
        true => Act::Fail(SinkError::TooLarge("413".into())),
        false => Act::Take,
    });
    let mut world = World::new(Api::new(3000, 300), vec![sink.clone()]);
    world.batch.max_events = 300;
    world.catch_up().await.0.unwrap();
    assert_eq!(sink.sorted(), all_but(&[], 3000));
    let writes = sink.writes.load(Ordering::SeqCst);
    assert!(writes < 3000 * 5 / 75 + 20, "{writes} writes: the same size is not tried again and again");
}

#[tokio::test(start_paused = true)]
async fn delivery_05_one_event_that_is_too_large_is_kept_aside() {
    let sink = FakeSink::new(|_, events| match numbers(events).contains(&5) {
        true => Act::Fail(SinkError::TooLarge("413".into())),
        false => Act::Take,
    });
    let world = World::new(Api::new(100, 100), vec![sink.clone()]);
    let (result, status) = world.catch_up().await;
    assert!(matches!(result, Err(RunError::DeadLetters(1))));
    assert_eq!((sink.sorted(), world.letters.numbers()), (all_but(&[5], 100), vec![5]));
    assert_eq!(status.sinks[0].ledger().dead_lettered["too_large"], 1);
}

#[tokio::test(start_paused = true)]
async fn delivery_04_a_refused_event_is_done_only_when_its_letter_is_durable() {
    let sink = FakeSink::new(allergic(&[5]));
    let world = World::new(Api::new(100, 10), vec![sink.clone()]);
    world.letters.full.store(true, Ordering::SeqCst);
    let engine = world.engine();
    let status = engine.status();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(120)).await;
    assert_eq!(world.store.at(), 0, "what lies before an event that is not kept is not saved");
    let now = status.sinks[0].now();
    assert_eq!((now.mode, now.paused_for), (SinkMode::Paused, Some("dead_letter_store")));
    world.api.records.store(200, Ordering::SeqCst);
    let writes = sink.writes.load(Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(sink.writes.load(Ordering::SeqCst), writes, "the sink is held");
    assert!(status.sinks[0].errors()["dead_letter_store"] > 10);
    world.letters.full.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((world.store.at(), world.letters.numbers()), (200, vec![5]));
    assert!(sink.has_all_but(&[5], 200));
    assert_eq!(status.sinks[0].now().mode, SinkMode::Delivering);
    stop.cancel();
    run.await.unwrap().unwrap();
}

/// The rest of a write waits as well: what is not kept aside must not pile up behind it.
#[tokio::test(start_paused = true)]
async fn delivery_04_a_write_under_way_waits_for_the_dead_letter_store() {
    let sink = FakeSink::slow(Duration::from_secs(1), allergic(&[5]));
    let mut world = World::new(Api::new(1000, 1000), vec![sink.clone()]);
    world.batch.max_events = 1000;
    world.letters.full.store(true, Ordering::SeqCst);
    let stop = CancellationToken::new();
    let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(300)).await;
    let taken = sink.taken().len();
    assert!((1..100).contains(&taken), "{taken} of 1000 are delivered");
    world.letters.full.store(false, Ordering::SeqCst);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((sink.sorted(), world.letters.numbers()), (all_but(&[5], 1000), vec![5]));
    stop.cancel();
    run.await.unwrap().unwrap();
}

/// Each write could be the one that it takes; more than one event would only be halved again.
#[tokio::test(start_paused = true)]
async fn delivery_05_a_destination_that_refuses_everything_is_asked_with_single_events() {
    let alone = Arc::new(std::sync::Mutex::new(std::collections::HashSet::new()));
    let together = Arc::new(AtomicUsize::new(0));
    let sink = FakeSink::new({
        let (alone, together) = (alone.clone(), together.clone());
        move |_, events| {
            let mut alone = alone.lock().unwrap();
            match numbers(events)[..] {
                [number] => drop(alone.insert(number)),
                // Two writes may be under way when the twentieth is refused.
                _ if alone.len() > 22 => drop(together.fetch_add(1, Ordering::SeqCst)),
                _ => {}
            }
            refused()
        }
    });
    let world = World::new(Api::new(3000, 300), vec![sink]);
    let stop = CancellationToken::new();
    let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(30)).await;
    assert!(alone.lock().unwrap().len() > 22, "others than the suspects are tried too");
    assert_eq!(together.load(Ordering::SeqCst), 0);
    stop.cancel();
    run.await.unwrap().unwrap();
}

/// Behind the last event of a write nothing is left to ask for: a destination that refuses everything is tried with single
/// events, here of writes that have no more.
#[tokio::test(start_paused = true)]
async fn no_write_is_without_events() {
    let sink = FakeSink::new(|_, _| refused());
    let mut world = World::new(Api::new(100, 10), vec![sink.clone()]);
    world.batch.max_events = 1;
    let stop = CancellationToken::new();
    let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(30)).await;
    stop.cancel();
    run.await.unwrap().unwrap();
    assert!(sink.writes.load(Ordering::SeqCst) > 30, "others than the first twenty are tried");
    assert_eq!(sink.empty_writes.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_goes_back_gives_its_suspects_up() {
    // The other sink breaks the run while an event is suspected.
    let other = FakeSink::new(|write, _| if write == 3 { Act::Panic } else { Act::Take });
    let sink = FakeSink::new(allergic(&[0]));
    let world = World::new(Api::new(1, 10), vec![sink.clone(), other]);
    let engine = world.engine();
    let stop = CancellationToken::new();
    let run = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    for records in 2..10 {
        sleep(Duration::from_secs(1)).await;
        world.api.records.store(records, Ordering::SeqCst);
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!((sink.sorted(), world.letters.numbers()), ((1..9).collect(), vec![0]));
    stop.cancel();
    run.await.unwrap().unwrap();
    assert_eq!(world.store.at(), 9);
}

#[tokio::test(start_paused = true)]
async fn delivery_12_a_drain_gives_open_suspects_back() {
    let sink = FakeSink::new(|_, _| refused());
    let mut world = World::new(Api::new(50, 10), vec![sink]);
    let stop = CancellationToken::new();
    let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
    sleep(Duration::from_secs(300)).await;
    stop.cancel();
    run.await.unwrap().unwrap();
    assert_eq!((world.store.at(), world.letters.numbers()), (0, vec![]));
    let healed = FakeSink::good();
    world.replace(0, healed.clone());
    world.catch_up().await.0.unwrap();
    assert_eq!(healed.sorted(), all_but(&[], 50));
}

/// A destination with every kind of trouble at once, at random.
#[tokio::test(start_paused = true)]
async fn delivery_05_no_mixture_of_troubles_loses_or_keeps_aside_a_good_event() {
    for seed in 0..30 {
        let random = std::sync::Mutex::new(fastrand::Rng::with_seed(seed));
        let sink = FakeSink::new(move |_, events| {
            let mut random = random.lock().unwrap();
            let numbers = numbers(events);
            let poisoned: Vec<u32> =
                (0..numbers.len() as u32).filter(|n| numbers[*n as usize] % 97 == 13).collect();
            match random.u32(0..10) {
                0 => Act::Fail(transient(None)),
                1 if poisoned.is_empty() => Act::TakeAndFail,
                2 if numbers.len() > 50 => Act::Fail(SinkError::TooLarge("413".into())),
                3 if poisoned.is_empty() => Act::TakeBut(vec![random.u32(0..numbers.len() as u32)]),
                4..7 if !poisoned.is_empty() => Act::Refuse(poisoned),
                _ if poisoned.is_empty() => Act::Take,
                _ => refused(),
            }
        });
        let world = World::new(Api::new(1000, 150), vec![sink.clone()]);
        let (result, status) = world.catch_up().await;
        let poison: Vec<usize> = (0..1000).filter(|number| number % 97 == 13).collect();
        assert!(matches!(result, Err(RunError::DeadLetters(_))), "{seed}: {result:?}");
        assert_eq!(world.letters.numbers(), poison, "{seed}");
        assert!(sink.has_all_but(&poison, 1000), "{seed}");
        assert!(poison.iter().all(|number| !sink.taken().contains(number)));
        assert_eq!(status.sinks[0].ledger().in_flight(), 0);
    }
}
