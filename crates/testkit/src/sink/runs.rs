//! Cases in which the real runtime writes: its retries, its budget, its kills and its drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pipeline::{BoxError, Outcome, Sink, SinkError, Write};
use runtime::{RunError, Until};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Trouble;
use super::bench::{Bench, Repeats};
use super::events::{Event, POISON, plain};
use super::matrix::Verdict;
use super::stream::World;

/// A run must not take longer.
const LONGEST: Duration = Duration::from_secs(20);

const EVENTS: u32 = 300;

impl Bench {
    fn longest(&self) -> Duration {
        LONGEST * self.patience.factor
    }

    fn world(&self, events: Vec<Event>) -> World {
        World::new(events, self.destination.clone())
    }

    /// Runs until everything is delivered.
    async fn catch_up(&self, world: &World) -> Result<(), RunError> {
        let engine = world.engine(self.sink());
        let until = Until::CaughtUp { timeout: Some(self.longest()) };
        let result = engine.run(until, CancellationToken::new()).await;
        assert_eq!(world.violations(), Vec::<String>::new());
        result
    }

    /// The same, for a run that must succeed.
    async fn all_is_delivered(&self, world: &World, repeats: Repeats) {
        self.catch_up(world).await.expect("everything can be delivered");
        self.holds(&world.events, repeats);
        assert_eq!(world.position(), world.events.len(), "not everything is settled");
    }

    /// Runs until a write is under way, and stops then. Returns how many writes ended well.
    async fn stopped_in_a_write(&self, world: &World) -> usize {
        let sink = Watched::new(self.sink());
        let stop = CancellationToken::new();
        let running = tokio::spawn(world.engine(sink.clone()).run(Until::Stopped, stop.clone()));
        let began = timeout(self.longest(), sink.begun.notified()).await;
        began.expect("a write begins");
        stop.cancel();
        let ended = timeout(self.longest(), running).await.expect("a stop ends");
        ended.expect("no defect").expect("a stop is no failure");
        sink.taken.load(Ordering::SeqCst)
    }
}

/// A sink that lets a case see its writes.
struct Watched {
    sink: Arc<dyn Sink>,
    begun: Notify,
    taken: AtomicUsize,
}

impl Watched {
    fn new(sink: Arc<dyn Sink>) -> Arc<Self> {
        Arc::new(Self { sink, begun: Notify::new(), taken: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Sink for Watched {
    async fn check(&self) -> Result<(), BoxError> {
        self.sink.check().await
    }

    async fn open(&self) -> Result<(), SinkError> {
        self.sink.open().await
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        self.begun.notify_one();
        let result = self.sink.write(events).await;
        if result.is_ok() {
            self.taken.fetch_add(1, Ordering::SeqCst);
        }
        result
    }

    async fn close(&self) {
        self.sink.close().await;
    }
}

pub(super) async fn run_delivers_everything_once(bench: Bench) -> Verdict {
    let world = bench.world(plain(0..EVENTS));
    bench.all_is_delivered(&world, Repeats::Never).await;
    // A second run finds nothing to do.
    bench.all_is_delivered(&world, Repeats::Never).await;
    Ok(())
}

/// Troubles come and go while it runs.
pub(super) async fn run_through_troubles(bench: Bench) -> Verdict {
    let mut world = bench.world(plain(0..EVENTS));
    // Long enough for all of them.
    (world.page, world.pace) = (10, Duration::from_millis(20));
    let running = tokio::spawn(
        world
            .engine(bench.sink())
            .run(Until::CaughtUp { timeout: Some(bench.longest()) }, CancellationToken::new()),
    );
    let troubles = [
        Trouble::Failing,
        Trouble::TakesPart,
        Trouble::AnswerLost,
        Trouble::Unauthorised,
        Trouble::Slow(Duration::from_millis(15)),
        Trouble::Unreachable,
        Trouble::Misplaced,
        Trouble::Untrusted,
    ];
    for trouble in [troubles, troubles].concat() {
        if bench.cause(trouble).is_ok() {
            sleep(Duration::from_millis(25)).await;
            bench.heal();
        }
        sleep(Duration::from_millis(3)).await;
    }
    running.await.expect("no defect").expect("everything can be delivered");
    assert_eq!(world.violations(), Vec::<String>::new());
    bench.holds(&world.events, bench.when_unheard());
    Ok(())
}

/// The process is killed again and again, with whatever is under way: nothing is lost, nothing is torn, and what comes
/// twice is at most a budget a kill.
pub(super) async fn run_killed_anywhere(bench: Bench) -> Verdict {
    const KILLS: usize = 12;
    let mut world = bench.world(plain(0..EVENTS));
    world.limits.in_flight = 16 << 10;
    world.pace = Duration::from_millis(2);
    if bench.cause(Trouble::Slow(Duration::from_millis(3))).is_err() {
        world.pace = Duration::from_millis(4);
    }
    for life in 0..KILLS {
        let running = tokio::spawn(world.engine(bench.sink()).run(Until::Stopped, CancellationToken::new()));
        sleep(Duration::from_millis(3 + 7 * (life as u64 % 5))).await;
        running.abort();
        drop(running.await);
        world.end_life();
    }
    bench.heal();
    bench.all_is_delivered(&world, Repeats::Excused).await;
    let held = bench.held();
    let texts = held.deliveries.iter().flat_map(|delivery| &delivery.events);
    let bytes: usize = texts.map(|text| text.len() + 1).sum();
    let once: usize = world.events.iter().map(|event| event.text.len() + 1).sum();
    let most = once + KILLS * world.limits.in_flight;
    assert!(bytes <= most, "{bytes} bytes are there, {most} can be explained");
    Ok(())
}

/// A stop in the middle of a write lets it end: nothing comes again afterwards.
pub(super) async fn run_stopped_in_a_write(bench: Bench) -> Verdict {
    bench.cause(Trouble::Slow(Duration::from_millis(30)))?;
    let mut world = bench.world(plain(0..EVENTS));
    // Not everything is collected before the first stop.
    world.pace = Duration::from_millis(10);
    for _ in 0..4 {
        if world.position() == world.events.len() {
            break;
        }
        bench.stopped_in_a_write(&world).await;
    }
    assert!(world.position() > 0, "what was under way at a stop was not delivered");
    bench.heal();
    bench.all_is_delivered(&world, Repeats::Never).await;
    Ok(())
}

/// A stop that may not wait for the destination ends in its time, and the rest comes with the next run.
pub(super) async fn run_stopped_short(bench: Bench) -> Verdict {
    bench.cause(Trouble::Slow(Duration::from_secs(2) * bench.patience.factor))?;
    let mut world = bench.world(plain(0..100));
    world.limits.drain_timeout = Duration::from_millis(150);
    // Not by the clock: on a machine with much to do everything takes longer.
    let taken = bench.stopped_in_a_write(&world).await;
    assert_eq!(taken, 0, "the stop waited for writes that take longer than it may");
    bench.heal();
    bench.all_is_delivered(&world, Repeats::Excused).await;
    Ok(())
}

/// Events that the destination refuses end as dead letters, each alone, and all others arrive.
pub(super) async fn run_with_poison(bench: Bench) -> Verdict {
    bench.cause(Trouble::Poison)?;
    let mut events = plain(0..EVENTS);
    for at in [0, 7, 8, 130, 200] {
        events[at] = Event::poison(at as u32);
    }
    let mut world = bench.world(events);
    // The destination accepts others after each refusal.
    world.pace = Duration::from_millis(4);
    let result = bench.catch_up(&world).await;
    assert!(matches!(result, Err(RunError::DeadLetters(5))), "{result:?}");
    letters_and_others(&bench, &world, |event| event.text.contains(POISON), Repeats::Never);
    Ok(())
}

/// The same for what is too large; the runtime learns the limit.
pub(super) async fn run_with_limits(bench: Bench) -> Verdict {
    let limit = Event::plain(0).text.len() * 5;
    bench.cause(Trouble::Limit(limit))?;
    let mut events = plain(0..EVENTS);
    for at in [3, 100] {
        events[at] = Event::large(at as u32, limit + 100);
    }
    let mut world = bench.world(events);
    world.pace = Duration::from_millis(4);
    let result = bench.catch_up(&world).await;
    assert!(matches!(result, Err(RunError::DeadLetters(2))), "{result:?}");
    letters_and_others(&bench, &world, |event| event.text.len() > limit, Repeats::Never);
    Ok(())
}

fn letters_and_others(bench: &Bench, world: &World, is_refused: impl Fn(&Event) -> bool, repeats: Repeats) {
    let (refused, others): (Vec<Event>, Vec<Event>) = world.events.iter().cloned().partition(is_refused);
    let mut letters = world.letters();
    let mut expected: Vec<String> = refused.into_iter().map(|event| event.text).collect();
    letters.sort();
    expected.sort();
    assert_eq!(letters, expected, "each refused event is kept aside once, and no other");
    bench.holds(&others, repeats);
}

/// A destination that a person must see to holds everything back, and nothing is lost when the process is stopped
/// meanwhile.
pub(super) async fn run_with_a_paused_sink(bench: Bench) -> Verdict {
    bench.cause(Trouble::Unauthorised)?;
    let mut world = bench.world(plain(0..EVENTS));
    world.limits.drain_timeout = Duration::from_millis(150);
    let engine = world.engine(bench.sink());
    let status = engine.status();
    let stop = CancellationToken::new();
    let running = tokio::spawn(engine.run(Until::Stopped, stop.clone()));
    let began = Instant::now();
    while status.sinks[0].now().paused_for.is_none() {
        assert!(began.elapsed() < bench.longest(), "the sink was not paused");
        sleep(Duration::from_millis(2)).await;
    }
    stop.cancel();
    running.await.expect("no defect").expect("a stop is no failure");
    assert_eq!((world.position(), world.letters().len()), (0, 0), "something was given up");
    assert!(bench.held().deliveries.is_empty());
    let world = Arc::new(world);
    let finishing = tokio::spawn(
        world
            .engine(bench.sink())
            .run(Until::CaughtUp { timeout: Some(bench.longest()) }, CancellationToken::new()),
    );
    sleep(Duration::from_millis(40)).await;
    bench.heal();
    finishing.await.expect("no defect").expect("everything can be delivered");
    bench.holds(&world.events, Repeats::Never);
    Ok(())
}
