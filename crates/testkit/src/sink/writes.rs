//! Cases that call the sink itself.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{Outcome, SinkError, Write};

use super::attempt::{all_words, words};
use super::bench::{Bench, Repeats};
use super::events::{self, Event, ODD, plain};
use super::matrix::Verdict;
use super::{Trouble, Unheard};

pub(super) async fn one_event(bench: Bench) -> Verdict {
    let sink = bench.sink();
    bench.taken(&*sink, &plain(0..1)).await;
    bench.holds(&plain(0..1), Repeats::Never);
    Ok(())
}

/// Nothing to deliver is delivered, also before anything else and while nothing works.
pub(super) async fn empty_write(bench: Bench) -> Verdict {
    let sink = bench.sink();
    assert_eq!(words(&sink.write(&Write::default()).await), words(&Ok(Outcome::default())));
    assert!(bench.held().deliveries.iter().all(|delivery| delivery.events.is_empty()));
    bench.taken(&*sink, &plain(0..3)).await;
    let before = bench.held().deliveries;
    assert_eq!(words(&sink.write(&Write::default()).await), words(&Ok(Outcome::default())));
    assert_eq!(bench.held().deliveries, before, "an empty write changed something");
    bench.cause(Trouble::Failing)?;
    assert_eq!(words(&sink.write(&Write::default()).await), words(&Ok(Outcome::default())));
    bench.heal();
    bench.holds(&plain(0..3), Repeats::Never);
    Ok(())
}

/// A write is parts of batches, of which each may hold more than the write.
pub(super) async fn many_parts(bench: Bench) -> Verdict {
    let sink = bench.sink();
    let mut first = 0;
    for (count, parts) in [(2, 2), (7, 3), (50, 50), (300, 120)] {
        let events = plain(first..first + count);
        let outcome = bench.write_parts(&*sink, &events, parts).await.expect("the destination is well");
        assert_eq!(outcome, Outcome::default());
        first += count;
    }
    bench.holds(&plain(0..first), Repeats::Never);
    Ok(())
}

/// Events arrive byte for byte, whatever is in them.
pub(super) async fn odd_characters(bench: Bench) -> Verdict {
    let sink = bench.sink();
    let events: Vec<Event> = (0..).zip(ODD).map(|(number, text)| Event::with(number, text)).collect();
    bench.taken(&*sink, &events).await;
    let mut all = events;
    for number in 100..100 + ODD.len() as u32 {
        bench.taken(&*sink, &plain(number..number + 1)).await;
        all.push(Event::plain(number));
    }
    let large = Event::large(999, 1 << 20);
    bench.taken(&*sink, std::slice::from_ref(&large)).await;
    all.push(large);
    bench.holds(&all, Repeats::Never);
    Ok(())
}

/// Writes that are under way at once do not mix.
pub(super) async fn writes_at_once(bench: Bench) -> Verdict {
    let sink = bench.sink();
    let bench = Arc::new(bench);
    let mut writes = tokio::task::JoinSet::new();
    for writer in 0..6 {
        let (bench, sink) = (bench.clone(), sink.clone());
        writes.spawn(async move {
            for turn in 0..5 {
                let first = writer * 1000 + turn * 10;
                bench.taken(&*sink, &plain(first..first + 10)).await;
            }
        });
    }
    while let Some(ended) = writes.join_next().await {
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic.into_panic());
        }
    }
    let all: Vec<Event> = (0..6).flat_map(|writer| plain(writer * 1000..writer * 1000 + 50)).collect();
    bench.holds(&all, Repeats::Never);
    Ok(())
}

/// `check` says yes to a destination that is well, and delivers nothing. It notices at least one of a wrong place and a
/// wrong credential: many endpoints do not tell about both unless something is delivered.
pub(super) async fn check_delivers_nothing(bench: Bench) -> Verdict {
    let sink = bench.sink();
    let mut noticed = false;
    for trouble in [Trouble::Misplaced, Trouble::Unauthorised] {
        bench.cause(trouble)?;
        if let Err(error) = sink.check().await {
            bench.shows_no_secret(&all_words(&*error));
            noticed = true;
        }
        bench.heal();
        sink.check().await.expect("the destination is well again");
    }
    assert!(noticed, "a check notices neither a wrong place nor a wrong credential");
    assert!(bench.held().deliveries.is_empty(), "a check delivered something");
    bench.taken(&*sink, &plain(0..2)).await;
    let before = bench.held().deliveries;
    sink.check().await.expect("the destination is well");
    assert_eq!(bench.held().deliveries, before, "a check changed something");
    bench.holds(&plain(0..2), Repeats::Never);
    Ok(())
}

/// `open` is help, not a condition, and may be called again.
pub(super) async fn open_delivers_nothing(bench: Bench) -> Verdict {
    let sink = bench.sink();
    sink.open().await.expect("the destination is well");
    sink.open().await.expect("the destination is well");
    assert!(bench.held().deliveries.is_empty(), "opening delivered something");
    bench.taken(&*sink, &plain(0..2)).await;
    sink.open().await.expect("the destination is well");
    bench.taken(&*sink, &plain(2..4)).await;
    bench.holds(&plain(0..4), Repeats::Never);
    Ok(())
}

pub(super) async fn open_fails_then_heals(bench: Bench) -> Verdict {
    bench.cause(Trouble::Misplaced)?;
    let sink = bench.sink();
    for _ in 0..2 {
        // One that reaches for nothing before the first event has nothing to say yet.
        if let Err(error) = sink.open().await {
            bench.judge_error(&error);
        }
    }
    bench.heal();
    sink.open().await.expect("the destination is well again");
    bench.taken(&*sink, &plain(0..3)).await;
    bench.holds(&plain(0..3), Repeats::Never);
    Ok(())
}

/// What passes by itself is asked again, and nobody is called.
pub(super) async fn retryable_failure(bench: Bench) -> Verdict {
    let sink = bench.sink();
    bench.taken(&*sink, &plain(0..2)).await;
    bench.cause(Trouble::Failing)?;
    for _ in 0..3 {
        let result = bench.write(&*sink, &plain(2..6)).await;
        assert!(matches!(result, Err(SinkError::Transient { .. })), "{}", words(&result));
    }
    bench.heal();
    bench.taken(&*sink, &plain(2..6)).await;
    bench.holds(&plain(0..6), Repeats::Never);
    Ok(())
}

/// What a person must mend pauses, says what to do, drops nothing, and needs no restart afterwards.
pub(super) async fn terminal_failure(bench: Bench) -> Verdict {
    bench.cause(Trouble::Misplaced)?;
    pauses_and_heals(bench).await
}

/// The same for credentials.
pub(super) async fn auth_failure_heals(bench: Bench) -> Verdict {
    bench.cause(Trouble::Unauthorised)?;
    pauses_and_heals(bench).await
}

/// The same for a destination that is not the one that we trust: it gets no event.
pub(super) async fn tls_failure(bench: Bench) -> Verdict {
    bench.cause(Trouble::Untrusted)?;
    pauses_and_heals(bench).await
}

async fn pauses_and_heals(bench: Bench) -> Verdict {
    let sink = bench.sink();
    for _ in 0..3 {
        let result = bench.write(&*sink, &plain(0..4)).await;
        assert!(matches!(result, Err(SinkError::Paused { .. })), "{}", words(&result));
    }
    assert!(bench.held().deliveries.is_empty(), "it took what it refused");
    bench.heal();
    bench.taken(&*sink, &plain(0..4)).await;
    bench.holds(&plain(0..4), Repeats::Never);
    Ok(())
}

/// Gone for a while, before the first write and after it.
pub(super) async fn unreachable(bench: Bench) -> Verdict {
    bench.cause(Trouble::Unreachable)?;
    let sink = bench.sink();
    let mut delivered = 0;
    for _ in 0..2 {
        for _ in 0..2 {
            let result = bench.write(&*sink, &plain(delivered..delivered + 3)).await;
            let kept = matches!(result, Err(SinkError::Transient { .. } | SinkError::Paused { .. }));
            assert!(kept, "{}", words(&result));
        }
        bench.heal();
        let settled = bench.settle(&*sink, &plain(delivered..delivered + 3)).await;
        assert!(settled.refused.is_empty(), "{settled:?}");
        delivered += 3;
        bench.holds(&plain(0..delivered), Repeats::Never);
        // A destination may be unable to go away once it holds something.
        if bench.cause(Trouble::Unreachable).is_err() {
            break;
        }
    }
    Ok(())
}

/// A write that gets half-way is told as it is: taken events may not come again, the others must.
pub(super) async fn partial_acceptance(bench: Bench) -> Verdict {
    let sink = bench.sink();
    bench.taken(&*sink, &plain(0..1)).await;
    for first in [10, 20, 30] {
        bench.cause(Trouble::TakesPart)?;
        let settled = bench.settle(&*sink, &plain(first..first + 6)).await;
        assert!(settled.refused.is_empty(), "{settled:?}");
        assert!(!settled.failures.is_empty(), "a write that got half-way was called taken");
    }
    bench.heal();
    let all = [plain(0..1), plain(10..16), plain(20..26), plain(30..36)].concat();
    bench.holds(&all, bench.when_unheard());
    Ok(())
}

/// The destination took it and the answer is lost: that is a failure, and the same events come again with the same id.
pub(super) async fn answer_lost(bench: Bench) -> Verdict {
    let sink = bench.sink();
    for first in [0, 10, 20] {
        bench.cause(Trouble::AnswerLost)?;
        let result = bench.write(&*sink, &plain(first..first + 4)).await;
        match &result {
            Err(SinkError::Transient { .. }) => {}
            Ok(outcome) if !outcome.retry.is_empty() => {}
            _ => panic!("a lost answer was taken for {}", words(&result)),
        }
        let settled = bench.settle(&*sink, &plain(first..first + 4)).await;
        assert!(settled.refused.is_empty(), "{settled:?}");
    }
    bench.holds(&[plain(0..4), plain(10..14), plain(20..24)].concat(), bench.when_unheard());
    Ok(())
}

/// A write that is too large is cut until it fits.
pub(super) async fn oversize_batch(bench: Bench) -> Verdict {
    let limit = Event::plain(0).text.len() * 4;
    bench.cause(Trouble::Limit(limit))?;
    let sink = bench.sink();
    let settled = bench.settle(&*sink, &plain(0..24)).await;
    assert!(settled.refused.is_empty(), "{settled:?}");
    bench.holds(&plain(0..24), Repeats::Never);
    Ok(())
}

/// An event that is too large alone is refused, and only that one.
pub(super) async fn oversize_event(bench: Bench) -> Verdict {
    let limit = Event::plain(0).text.len() * 6;
    bench.cause(Trouble::Limit(limit))?;
    let sink = bench.sink();
    let large = Event::large(100, limit + 1);
    let mut events = plain(0..8);
    events.insert(3, large.clone());
    let settled = bench.settle(&*sink, &events).await;
    let refused: Vec<&Event> = settled.refused.iter().map(|(event, _)| event).collect();
    assert_eq!(refused, [&large], "{settled:?}");
    let alone = bench.settle(&*sink, &[large]).await;
    assert_eq!(alone.refused.len(), 1, "{alone:?}");
    bench.holds(&plain(0..8), Repeats::Never);
    Ok(())
}

/// An event that the destination does not take is named, or the write is refused as a whole; its neighbours arrive.
pub(super) async fn poison_event(bench: Bench) -> Verdict {
    bench.cause(Trouble::Poison)?;
    let sink = bench.sink();
    for (first, at) in [(0, 0), (20, 3), (40, 7)] {
        let mut events = plain(first..first + 8);
        events[at] = Event::poison(first + at as u32);
        let settled = bench.settle(&*sink, &events).await;
        let refused: Vec<&Event> = settled.refused.iter().map(|(event, _)| event).collect();
        assert_eq!(refused, [&events[at]], "{settled:?}");
    }
    let poison = [0, 23, 47];
    let all = [plain(0..8), plain(20..28), plain(40..48)].concat();
    let all: Vec<Event> = all.into_iter().filter(|event| !poison.contains(&event.number)).collect();
    bench.holds(&all, Repeats::Never);
    Ok(())
}

/// Slow is not broken, and writes under way at once are not torn by it.
pub(super) async fn slow_destination(bench: Bench) -> Verdict {
    bench.cause(Trouble::Slow(Duration::from_millis(60)))?;
    let sink = bench.sink();
    let (first, second) = (plain(0..3), plain(3..6));
    tokio::join!(bench.taken(&*sink, &first), bench.taken(&*sink, &second));
    bench.heal();
    bench.holds(&plain(0..6), Repeats::Never);
    Ok(())
}

/// The same events, from another process and cut into other parts, come with the same bytes and ids.
pub(super) async fn replay(bench: Bench) -> Verdict {
    let events = plain(0..9);
    for parts in [1, 3, 9] {
        let sink = bench.sink();
        let outcome = bench.write_parts(&*sink, &events, parts).await.expect("the destination is well");
        assert!(outcome.retry.is_empty() && outcome.rejected.is_empty());
        drop(sink);
    }
    bench.holds(&events, Repeats::Excused);
    Ok(())
}

/// What was taken is still there after a restart, and is not disturbed by the next start.
pub(super) async fn restart(bench: Bench) -> Verdict {
    for start in 0..4 {
        let sink = bench.sink();
        bench.taken(&*sink, &plain(start * 3..start * 3 + 3)).await;
        drop(sink);
        bench.holds(&plain(0..start * 3 + 3), Repeats::Never);
    }
    Ok(())
}

/// Every trouble in turn: no error, in whatever form it is printed, shows a secret, and all of them heal.
pub(super) async fn secrets_never_show(bench: Bench) -> Verdict {
    assert!(bench.destination.secrets().iter().all(|secret| secret.len() >= 6), "too short to be looked for");
    let mut delivered = Vec::new();
    let mut repeats = Repeats::Never;
    let troubles = [
        Trouble::Misplaced,
        Trouble::Untrusted,
        Trouble::Unreachable,
        Trouble::Unauthorised,
        Trouble::Failing,
        Trouble::TakesPart,
        Trouble::AnswerLost,
        Trouble::Limit(10),
        Trouble::Poison,
    ];
    for (turn, trouble) in (0..).zip(troubles) {
        if bench.cause(trouble).is_err() {
            continue;
        }
        if bench.unheard == Unheard::Stays && matches!(trouble, Trouble::TakesPart | Trouble::AnswerLost) {
            repeats = Repeats::Excused;
        }
        let sink = bench.sink();
        if let Err(error) = sink.check().await {
            bench.shows_no_secret(&all_words(&*error));
        }
        if let Err(error) = sink.open().await {
            bench.judge_error(&error);
        }
        let mut events = plain(turn * 10..turn * 10 + 4);
        if trouble == Trouble::Poison {
            events[2] = Event::poison(turn * 10 + 2);
        }
        // Each is looked through by `judge_error`.
        let refused = match bench.write(&*sink, &events).await {
            Err(SinkError::Rejected { .. }) => true,
            Ok(outcome) => !outcome.rejected.is_empty(),
            Err(_) => false,
        };
        if refused {
            // Its neighbours were taken, and come again.
            repeats = Repeats::Excused;
        }
        bench.heal();
        let settled = bench.settle(&*sink, &events).await;
        assert!(settled.refused.is_empty(), "{trouble:?} is over: {settled:?}");
        delivered.extend(events);
    }
    bench.holds(&delivered, repeats);
    Ok(())
}

/// Many events, so that whatever is done in blocks, on other threads or in several frames is done so.
pub(super) async fn large_write(bench: Bench) -> Verdict {
    let sink = bench.sink();
    let events: Vec<Event> = (0..400).map(|number| Event::large(number, 6000)).collect();
    let settled = bench.settle(&*sink, &events).await;
    assert!(settled.refused.is_empty() && settled.failures.is_empty(), "{settled:?}");
    bench.holds(&events, Repeats::Never);
    let written = events::write(&events, 1);
    assert!(written.bytes() > 2 << 20);
    Ok(())
}
