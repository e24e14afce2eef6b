//! The cases.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use pipeline::{Next, Position, SourceError};

use super::run::{MOST_CALLS, Run, shows_no_secret};
use super::{Api, CannotHappen, Harness, Nature, Spoiled};

type Verdict = Result<(), CannotHappen>;
type Case = for<'a> fn(&'a dyn Harness) -> Pin<Box<dyn Future<Output = Verdict> + 'a>>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        &[$((stringify!($name), |harness| Box::pin($name(harness)))),*]
    };
}

pub(super) const CASES: &[(&str, Case)] = cases![
    plain,
    small_pages,
    ties_over_page_edges,
    insertion_while_paging,
    late_records,
    future_dates,
    day_cut_filters,
    strict_cursors,
    edited_records,
    odd_records,
    gap_is_told,
    hostile,
    restart_after_each_page,
    restart_before_each_save,
    cancel_at_each_await,
    outage,
    throttled_in_every_way,
    quota,
    wrong_key_heals,
    arrives_late,
    arrives_edited,
    start_is_resolved_once,
    foreign_position,
    check_hands_nothing_out,
];

/// The cases of one spoiled page each.
pub(super) const SPOILED: &[(&str, Case)] = &[
    ("spoiled_server_error", |harness| Box::pin(spoiled(harness, Spoiled::ServerError))),
    ("spoiled_cut", |harness| Box::pin(spoiled(harness, Spoiled::Cut))),
    ("spoiled_truncated", |harness| Box::pin(spoiled(harness, Spoiled::Truncated))),
    ("spoiled_html", |harness| Box::pin(spoiled(harness, Spoiled::Html))),
    ("spoiled_error_as_success", |harness| Box::pin(spoiled(harness, Spoiled::ErrorAsSuccess))),
    ("spoiled_not_utf8", |harness| Box::pin(spoiled(harness, Spoiled::NotUtf8))),
    ("spoiled_cursor_lost", |harness| Box::pin(spoiled(harness, Spoiled::CursorLost))),
    ("spoiled_empty_page", |harness| Box::pin(spoiled(harness, Spoiled::EmptyPage))),
    ("spoiled_repeated_cursor", |harness| Box::pin(spoiled(harness, Spoiled::RepeatedCursor))),
    ("spoiled_repeated", |harness| Box::pin(spoiled(harness, Spoiled::Repeated))),
    ("spoiled_shuffled", |harness| Box::pin(spoiled(harness, Spoiled::Shuffled))),
];

async fn collected_whole(harness: &dyn Harness, nature: Nature, records: usize) -> Verdict {
    let api = harness.api(nature, records).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_everything();
    assert!(run.pages > 0 && !run.handed_out.is_empty());
    Ok(())
}

/// The same where more appears with each request, so that nobody ever has all that is there.
async fn shown_is_collected(harness: &dyn Harness, nature: Nature, records: usize) -> Verdict {
    let api = harness.api(nature, records).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_all_that_was_shown();
    assert!(run.handed_out.len() >= records / 2, "{} of {records}", run.handed_out.len());
    Ok(())
}

async fn plain(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::Plain, 700).await
}

async fn small_pages(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::SmallPages, 300).await
}

async fn ties_over_page_edges(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::CrowdedSeconds, 800).await
}

async fn insertion_while_paging(harness: &dyn Harness) -> Verdict {
    shown_is_collected(harness, Nature::Growing, 800).await
}

async fn late_records(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::Late, 600).await
}

async fn future_dates(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::FutureDates, 600).await
}

async fn day_cut_filters(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::DayCut, 600).await
}

async fn strict_cursors(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::StrictCursors, 800).await
}

async fn edited_records(harness: &dyn Harness) -> Verdict {
    shown_is_collected(harness, Nature::Edited, 600).await
}

async fn odd_records(harness: &dyn Harness) -> Verdict {
    collected_whole(harness, Nature::Odd, 600).await
}

async fn hostile(harness: &dyn Harness) -> Verdict {
    shown_is_collected(harness, Nature::Hostile, 1200).await
}

/// What the API no longer has is told, and everything behind it is collected.
async fn gap_is_told(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Forgetful, 600).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_everything();
    assert!(!run.gaps.is_empty(), "the API has forgotten, and nobody was told");
    assert!(run.gaps.iter().all(|gap| gap.from < gap.to && !gap.reason.is_empty()), "{:?}", run.gaps);
    Ok(())
}

/// Killed after the first, second, third … page of a life, which is saved: nothing is lost, and nothing comes again.
async fn restart_after_each_page(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 250).await?;
    let mut run = Run::open(&*api).await;
    let (mut restarts, mut pages) = (0, 0);
    for _ in 0..MOST_CALLS {
        let next = run.next().await;
        match &next {
            Ok(Next::Page { .. }) => {
                run.save();
                pages += 1;
                // A life of one page reads the live tail and no history.
                if pages > restarts % 4 {
                    run.restart().await;
                    (restarts, pages) = (restarts + 1, 0);
                }
            }
            Ok(Next::Wait(wait)) if wait.caught_up => {
                run.has_everything();
                let mut ids = run.handed_out.clone();
                ids.sort();
                ids.dedup();
                assert_eq!(ids.len(), run.handed_out.len(), "what was saved came again");
                assert!(restarts > 10, "there were {restarts} restarts");
                return Ok(());
            }
            _ => run.rest(&next).await,
        }
    }
    panic!("never caught up: {:?}", run.source.status())
}

/// Killed before a page is saved, each page in turn: it comes again.
async fn restart_before_each_save(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 250).await?;
    let mut run = Run::open(&*api).await;
    let (mut restarts, mut pages) = (0, 0);
    for _ in 0..MOST_CALLS {
        let next = run.next().await;
        match &next {
            Ok(Next::Page { .. }) => {
                pages += 1;
                if pages > 1 + restarts % 4 {
                    // It was handed out and reached nobody.
                    let unsaved = new_ids(&next, &*api);
                    run.handed_out.truncate(run.handed_out.len() - unsaved);
                    run.restart().await;
                    (restarts, pages) = (restarts + 1, 0);
                } else {
                    run.save();
                }
            }
            Ok(Next::Wait(wait)) if wait.caught_up => {
                run.has_everything();
                assert!(restarts > 10, "there were {restarts} restarts");
                return Ok(());
            }
            _ => run.rest(&next).await,
        }
    }
    panic!("never caught up: {:?}", run.source.status())
}

fn new_ids(next: &Result<Next, SourceError>, api: &dyn Api) -> usize {
    let Ok(Next::Page { batch, .. }) = next else { return 0 };
    batch.records.iter().filter(|record| api.id_of(batch.text(record)).is_some()).count()
}

/// A call that is dropped at any of its awaits has changed nothing.
async fn cancel_at_each_await(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 120).await?;
    let mut run = Run::open(&*api).await;
    let (mut most, mut dropped) = (0, 0);
    for call in 0..5000 {
        // Of each call another await is dropped, before it may end.
        let polls = call % (most + 2);
        let mut polled = 0;
        let ended = {
            let mut next = Box::pin(run.source.next());
            poll_fn(|context| {
                if polled == polls {
                    return Poll::Ready(None);
                }
                polled += 1;
                next.as_mut().poll(context).map(Some)
            })
            .await
        };
        match ended {
            Some(next) => {
                run.note(&next);
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
    assert!(dropped > 20, "only {dropped} calls were dropped");
    Ok(())
}

/// The first page is spoiled, and others after it: nothing is lost.
async fn spoiled(harness: &dyn Harness, spoiled: Spoiled) -> Verdict {
    let api = harness.api(Nature::SmallPages, 120).await?;
    let mut run = Run::open(&*api).await;
    for _ in 0..8 {
        api.spoil(spoiled)?;
        for _ in 0..2 {
            let next = run.next().await;
            run.rest(&next).await;
        }
    }
    run.catch_up().await;
    run.has_everything();
    Ok(())
}

/// Nothing works for a while.
async fn outage(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 150).await?;
    let mut run = Run::open(&*api).await;
    for turn in 0..4 {
        for _ in 0..6 {
            api.spoil(if turn % 2 == 0 { Spoiled::ServerError } else { Spoiled::Cut })?;
        }
        for _ in 0..10 {
            let next = run.next().await;
            run.rest(&next).await;
        }
    }
    run.catch_up().await;
    run.has_everything();
    assert!(run.errors >= 12, "{} errors", run.errors);
    Ok(())
}

/// "Come again later" is understood in every way of saying it, and nothing is asked before.
async fn throttled_in_every_way(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 10).await?;
    for way in 0..api.throttles() {
        let api = harness.api(Nature::Plain, 10).await?;
        api.spoil(Spoiled::Throttled(way))?;
        let mut run = Run::open(&*api).await;
        let next = run.next().await;
        let wait = match &next {
            Ok(Next::Wait(wait)) => wait.duration,
            Err(SourceError::Transient { retry_after: Some(wait), .. }) => *wait,
            other => panic!("way {way} was not understood: {other:?}"),
        };
        assert!((1..120).contains(&wait.as_secs()), "way {way}: {wait:?}");
        let asked = api.requests();
        if matches!(run.next().await, Ok(Next::Wait(_))) {
            assert_eq!(api.requests(), asked, "it was asked before the time");
        }
        run.catch_up().await;
        run.has_everything();
    }
    Ok(())
}

/// A quota that is used up pauses, and is not used up further.
async fn quota(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    api.spoil(Spoiled::QuotaUsedUp)?;
    let mut run = Run::open(&*api).await;
    let next = run.next().await;
    assert!(matches!(next, Err(SourceError::Paused { .. })), "{next:?}");
    let asked = api.requests();
    assert!(run.next().await.is_err());
    assert_eq!(api.requests(), asked, "it went on asking");
    run.rest(&next).await;
    run.catch_up().await;
    run.has_everything();
    Ok(())
}

/// A key that is refused pauses, and heals without a restart.
async fn wrong_key_heals(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    for _ in 0..2 {
        let mut run = Run::open(&*api).await;
        api.accept(false);
        for _ in 0..3 {
            let next = run.next().await;
            assert!(matches!(next, Err(SourceError::Paused { .. })), "{next:?}");
            run.rest(&next).await;
        }
        assert!(run.handed_out.is_empty());
        api.accept(true);
        run.catch_up().await;
        run.has_everything();
    }
    Ok(())
}

/// Records that appear long after their time, when everything was collected already.
async fn arrives_late(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    // Within what is read again at each turn; the API's clock stands nearly still here.
    for minutes in [0, 1, 5, 12] {
        let id = api.add(SystemTime::now() - Duration::from_secs(60 * minutes));
        run.until(&id, 1).await;
    }
    run.has_everything();
    Ok(())
}

/// A record that changes is a new version, and what only looks changed is not.
async fn arrives_edited(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    let mut run = Run::open(&*api).await;
    let id = api.add(SystemTime::now() - Duration::from_secs(120));
    run.until(&id, 1).await;
    run.catch_up().await;
    api.edit(&id)?;
    run.until(&id, 2).await;
    run.has_everything();
    Ok(())
}

/// What `open` returns is saved before the first request; opened from it, the source begins at the same place.
async fn start_is_resolved_once(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    let mut run = Run::open(&*api).await;
    assert_eq!(api.requests(), 0, "something was asked before the start was saved");
    run.save();
    run.restart().await;
    let at_once = run.progress().position.clone();
    // From the same saved position, as nothing was saved since.
    tokio::time::sleep(Duration::from_secs(3 * 86_400)).await;
    run.restart().await;
    assert_eq!(run.progress().position, at_once, "the start has moved with the time");
    run.catch_up().await;
    run.has_everything();
    Ok(())
}

/// A position that is not this source's stops it, whatever it is.
async fn foreign_position(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 5).await?;
    for text in [r#"{"version": 4000000}"#, "7", r#""text""#, "[]"] {
        let position = Position::from_json(text).expect("it is JSON");
        let mut source = api.source();
        let run = Run::open(&*api).await;
        let opened = source.open(Some(position), run.nothing_seen()).await;
        let Err(SourceError::Fatal { remedy, .. }) = &opened else { panic!("{text} was taken: {opened:?}") };
        assert!(remedy.len() > 15, "{remedy}");
    }
    assert_eq!(api.requests(), 0);
    Ok(())
}

/// `check` proves the credentials and changes nothing.
async fn check_hands_nothing_out(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    let mut run = Run::open(&*api).await;
    let before = run.progress().clone();
    let words = run.source.check().await.expect("the API accepts us");
    assert!(!words.is_empty());
    assert_eq!(*run.progress(), before);
    api.accept(false);
    let error = api.source().check().await.expect_err("the API refuses us");
    shows_no_secret(&*api, &error);
    api.accept(true);
    run.catch_up().await;
    run.has_everything();
    Ok(())
}
