//! Simulation: seeded faults, a process that is killed at random points, and the oracle of rule 1 at every save.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Act, Api, FakeSink, World, transient};
use pipeline::SourceError;
use runtime::{BatchLimits, Until};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const SEEDS: u64 = 20;
const LIVES: usize = 8;

#[test]
fn delivery_01_through_crashes_everything_is_delivered_and_the_position_is_never_ahead() {
    for seed in 0..SEEDS {
        let clock =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        clock.block_on(lives(seed));
    }
}

async fn lives(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let api = Api::new(0, random.usize(1..400));
    api.overlap.store(random.usize(0..50), Ordering::SeqCst);
    let bad = |seed: u64| {
        FakeSink::new(move |write, events| {
            let mut dice = fastrand::Rng::with_seed(seed ^ (write as u64).wrapping_mul(0x9E37_79B9));
            match dice.u8(0..20) {
                0 | 1 => Act::Fail(transient(None)),
                2 => Act::TakeAndFail,
                3 => Act::TakeBut((0..events.len() as u32).filter(|_| dice.bool()).collect()),
                4 if dice.bool() => Act::Panic,
                _ => Act::Take,
            }
        })
    };
    let mut world = World::new(api.clone(), vec![bad(seed), bad(!seed)]);
    world.limits.in_flight = random.usize(64 << 10..512 << 10);
    world.eager = random.bool();
    world.batch = BatchLimits {
        max_events: random.usize(1..500),
        max_bytes: random.usize(1..20_000),
        max_age: Duration::from_millis(random.u64(1..200)),
    };
    for life in 0..LIVES {
        api.records.fetch_add(random.usize(0..1000), Ordering::SeqCst);
        if random.bool() {
            api.errors.lock().unwrap().push(match random.u8(0..3) {
                0 => SourceError::PositionLost("the server forgot".into()),
                _ => SourceError::Transient { retry_after: None, source: "502".into() },
            });
        }
        world.store.refuse.store(random.u8(0..8) == 0, Ordering::SeqCst);
        let stop = CancellationToken::new();
        let run = tokio::spawn(world.engine().run(Until::Stopped, stop.clone()));
        sleep(Duration::from_millis(random.u64(0..700))).await;
        world.store.refuse.store(false, Ordering::SeqCst);
        if life % 3 == 2 {
            stop.cancel();
            sleep(Duration::from_millis(random.u64(0..100))).await;
        }
        // Killed: nothing of it goes on.
        run.abort();
        drop(run.await);
    }
    world.catch_up().await.0.unwrap();
    let all = api.records.load(Ordering::SeqCst);
    assert_eq!(*world.store.violations.lock().unwrap(), [""; 0], "seed {seed}");
    for sink in &world.sinks {
        assert!(sink.has_all(all), "seed {seed}: something was lost");
        assert!(sink.taken().iter().all(|number| *number < all), "seed {seed}: something was invented");
    }
    assert_eq!(world.store.at(), all, "seed {seed}");
    assert_eq!(Arc::strong_count(&world.store), 1, "seed {seed}: no task survives its run");
}
