//! Cases in which the caller of a write goes away.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::attempt::words;
use super::bench::{Bench, Repeats};
use super::events::{self, Event, plain};
use super::matrix::Verdict;
use super::{Trouble, Unheard};

/// Polls `future` at most `polls` times, then drops it.
async fn poll_times<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Dropped at each of its awaits in turn, by a sink that works already: the next write works at once, nothing is torn,
/// and what nobody has heard of is gone or comes again with its id.
pub(super) async fn cancel_at_each_await(bench: Bench) -> Verdict {
    let sink = bench.sink();
    let mut taken = plain(0..1);
    bench.taken(&*sink, &taken).await;
    let mut dropped = Vec::new();
    for polls in 0.. {
        assert!(polls < 500, "a write never ends");
        let first = 1000 + polls as u32 * 20;
        let events = plain(first..first + 5);
        let ended = poll_times(bench.write_parts(&*sink, &events, 2), polls).await;
        bench.taken(&*sink, &plain(first + 10..first + 12)).await;
        taken.extend(plain(first + 10..first + 12));
        match &ended {
            Some(Ok(outcome)) if outcome.retry.is_empty() && outcome.rejected.is_empty() => {
                taken.extend(events);
                break;
            }
            Some(result) => panic!("a write to a destination that is well ended so: {}", words(result)),
            // Every second time the same events come again.
            None if polls % 2 == 0 => {
                bench.taken(&*sink, &events).await;
                taken.extend(events);
            }
            None => {
                dropped.extend(events);
                // What came in between comes again: nothing of the dropped write went with it.
                if bench.unheard == Unheard::Stays {
                    bench.taken(&*sink, &plain(first + 10..first + 12)).await;
                }
            }
        }
        may_hold(&bench, &taken, &dropped);
    }
    may_hold(&bench, &taken, &dropped);
    Ok(())
}

/// The same for the very first write of a sink, and the sink itself is dropped with it.
pub(super) async fn cancel_the_first_write(bench: Bench) -> Verdict {
    let (mut taken, mut dropped) = (Vec::new(), Vec::new());
    for polls in 0.. {
        assert!(polls < 500, "a write never ends");
        let sink = bench.sink();
        let first = polls as u32 * 20;
        let events = plain(first..first + 5);
        let write = events::write(&events, 1);
        let ended = poll_times(sink.write(&write), polls).await;
        drop(sink);
        let sink = bench.sink();
        // What is left of the old one may still be ending.
        let settled = bench.settle(&*sink, &plain(first + 10..first + 12)).await;
        assert!(settled.refused.is_empty(), "{settled:?}");
        taken.extend(plain(first + 10..first + 12));
        let is_ended = matches!(ended, Some(Ok(_)));
        if is_ended { &mut taken } else { &mut dropped }.extend(events);
        may_hold(&bench, &taken, &dropped);
        if is_ended {
            break;
        }
    }
    Ok(())
}

/// Dropped at any time while the destination is at work, and the same events come again.
pub(super) async fn cancel_a_slow_write(bench: Bench) -> Verdict {
    bench.cause(Trouble::Slow(Duration::from_millis(12)))?;
    let sink = bench.sink();
    let (mut taken, mut dropped) = (Vec::new(), Vec::new());
    for turn in 0..16 {
        let first = turn * 20;
        let events = plain(first..first + 5);
        let patience = Duration::from_millis(u64::from(turn) * 2);
        if tokio::time::timeout(patience, bench.taken(&*sink, &events)).await.is_ok() {
            taken.extend(events);
        } else if turn % 2 == 0 {
            bench.taken(&*sink, &events).await;
            taken.extend(events);
        } else {
            dropped.extend(events);
        }
    }
    bench.taken(&*sink, &plain(900..902)).await;
    taken.extend(plain(900..902));
    bench.heal();
    may_hold(&bench, &taken, &dropped);
    Ok(())
}

/// `open` and `check` may be dropped as well.
pub(super) async fn cancel_open_and_check(bench: Bench) -> Verdict {
    let mut taken = Vec::new();
    for polls in 0..60 {
        let sink = bench.sink();
        let opened = poll_times(sink.open(), polls).await.is_some();
        let checked = poll_times(sink.check(), polls).await.is_some();
        let events = plain(polls as u32 * 10..polls as u32 * 10 + 2);
        let settled = bench.settle(&*sink, &events).await;
        assert!(settled.refused.is_empty(), "{settled:?}");
        taken.extend(events);
        bench.holds(&taken, Repeats::Never);
        if opened && checked {
            return Ok(());
        }
    }
    panic!("neither ever ends");
}

fn may_hold(bench: &Bench, taken: &[Event], dropped: &[Event]) {
    let dropped = match bench.unheard {
        Unheard::TakenBack => &[],
        Unheard::Stays => dropped,
    };
    bench.holds_and_may_hold(taken, dropped, bench.when_unheard());
}
