//! Kills, wherever they hurt.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use pipeline::Next;

use super::Verdict;
use crate::run::{MOST_CALLS, Run};
use crate::{CannotHappen, Harness, Nature};

/// Killed after the first, second, third … page of a life, which is saved: nothing is lost, and nothing comes again.
pub(crate) async fn restart_after_each_page(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 250).await?;
    let mut run = Run::open(&*api).await;
    restart_again_and_again(&mut run, true).await;
    let ids = run.ids();
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(different.len(), ids.len(), "what was saved came again");
    Ok(())
}

/// Killed before a page is saved, each page in turn: it comes again.
pub(crate) async fn restart_before_each_save(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 250).await?;
    let mut run = Run::open(&*api).await;
    restart_again_and_again(&mut run, false).await;
    Ok(())
}

/// Lives of one page, two, three, four, and so on again, until all is collected; all pages are saved, or all but the last of
/// a life.
async fn restart_again_and_again(run: &mut Run<'_>, saves_the_last: bool) {
    let (mut restarts, mut pages) = (0, 0);
    for _ in 0..MOST_CALLS {
        let next = run.next().await;
        match &next {
            Ok(Next::Page { .. }) => {
                pages += 1;
                let saved = if saves_the_last { pages } else { pages - 1 };
                let is_last = saved > restarts % 4;
                if saves_the_last || !is_last {
                    run.save();
                }
                if is_last {
                    run.restart().await;
                    (restarts, pages) = (restarts + 1, 0);
                }
            }
            Ok(Next::Wait(wait)) if wait.caught_up => {
                run.has_everything();
                assert!(restarts > 5 || !run.api.has_pages(), "there were {restarts} restarts");
                return;
            }
            _ => run.rest(&next).await,
        }
    }
    panic!("it has never caught up: {:?}", run.source.status())
}

/// A call that is dropped at any of its awaits has changed nothing.
pub(crate) async fn cancel_at_each_await(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 120).await?;
    let mut run = Run::open(&*api).await;
    let (mut most, mut dropped) = (0, 0);
    for call in 0..5000 {
        // Of each call another await is dropped, before it may end.
        let polls = call % (most + 2);
        match run.next_within(polls).await {
            Some(next) => {
                if matches!(&next, Ok(Next::Wait(wait)) if wait.caught_up) {
                    break;
                }
                run.rest(&next).await;
            }
            None => {
                dropped += 1;
                most = most.max(polls).min(60);
            }
        }
    }
    run.catch_up().await;
    run.has_everything();
    assert!(dropped > 20 || !api.has_pages(), "only {dropped} calls were dropped");
    Ok(())
}

/// Away for an hour in the middle of a walk, again and again: the cursor that was saved is not known any more.
pub(crate) async fn expired_cursors(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::StrictCursors, 800).await?;
    let mut run = Run::open(&*api).await;
    for pages in [3, 4, 6, 2] {
        for _ in 0..pages {
            let next = run.next().await;
            run.save();
            run.rest(&next).await;
        }
        tokio::time::sleep(Duration::from_secs(3600)).await;
        run.restart().await;
    }
    run.catch_up().await;
    run.has_everything();
    Ok(())
}

/// What an API is like while its collector is killed.
const KILLED: &[(Nature, usize)] = &[
    (Nature::SmallPages, 100),
    (Nature::CrowdedSeconds, 240),
    (Nature::Growing, 150),
    (Nature::Late, 150),
    (Nature::StrictCursors, 150),
    (Nature::Hostile, 150),
];

/// Killed at any moment, by chance: within a call, before a page is saved, after it, and when a part of it is.
pub(crate) async fn killed_at_random(harness: &dyn Harness) -> Verdict {
    let mut lived = false;
    let mut reason = CannotHappen("");
    for (round, (nature, records)) in (0..).zip(KILLED) {
        let api = match harness.api(*nature, *records).await {
            Ok(api) => api,
            Err(cannot) => {
                reason = cannot;
                continue;
            }
        };
        lived = true;
        let mut random = Rng::with_seed(harness.seed().wrapping_add(round));
        let mut run = Run::open(&*api).await;
        let kills = kill_again_and_again(&mut run, &mut random).await;
        run.catch_up().await;
        match nature {
            Nature::Growing | Nature::Hostile => drop(run.has_all_that_was_shown()),
            _ => run.has_everything(),
        }
        assert!(kills > 5, "{nature:?}: there were {kills} kills");
    }
    if lived { Ok(()) } else { Err(reason) }
}

/// So often at most, so that there is an end.
const MOST_KILLS: usize = 60;

async fn kill_again_and_again(run: &mut Run<'_>, random: &mut Rng) -> usize {
    let mut kills = 0;
    for _ in 0..MOST_CALLS {
        let awaits = if random.u8(..6) == 0 { random.usize(..40) } else { usize::MAX };
        let Some(next) = run.next_within(awaits).await else {
            run.restart().await;
            kills += 1;
            continue;
        };
        if let Ok(Next::Page { batch, .. }) = &next {
            match random.u8(..4) {
                0 => {}
                1 => run.save_some(random.usize(..=batch.records.len())),
                _ => run.save(),
            }
        }
        let caught_up = matches!(&next, Ok(Next::Wait(wait)) if wait.caught_up);
        if kills >= MOST_KILLS || caught_up && kills > 10 {
            break;
        }
        run.rest(&next).await;
        if random.u8(..8) == 0 {
            run.restart().await;
            kills += 1;
        }
    }
    kills
}
