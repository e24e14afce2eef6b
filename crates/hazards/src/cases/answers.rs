//! What single answers are like: spoiled pages, refusals, "come again later".

use pipeline::{Next, SourceError};

use super::Verdict;
use crate::run::Run;
use crate::{Harness, Nature, Spoiled};

/// The first page is spoiled, and others after it: nothing is lost.
pub(crate) async fn spoiled(harness: &dyn Harness, spoiled: Spoiled) -> Verdict {
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
pub(crate) async fn outage(harness: &dyn Harness) -> Verdict {
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
    assert!(run.errors >= 12, "{} errors were told of twenty-four", run.errors);
    Ok(())
}

/// "Come again later" is understood in every way of saying it, and nothing is asked before.
pub(crate) async fn throttled_in_every_way(harness: &dyn Harness) -> Verdict {
    let ways = harness.api(Nature::Plain, 10).await?.throttles();
    for (number, way) in ways.iter().enumerate() {
        let api = harness.api(Nature::Plain, 10).await?;
        api.spoil(Spoiled::Throttled(number))?;
        let mut run = Run::open(&*api).await;
        let next = run.next().await;
        let wait = match &next {
            Ok(Next::Wait(wait)) => wait.duration,
            Err(SourceError::Transient { retry_after: Some(wait), .. }) => *wait,
            other => panic!("{way} was not understood: {other:?}"),
        };
        assert!((1..120).contains(&wait.as_secs()), "{way} was understood as {wait:?}");
        let asked = api.requests();
        if matches!(run.next().await, Ok(Next::Wait(_))) {
            assert_eq!(api.requests(), asked, "{way}: it was asked before the time");
        }
        run.catch_up().await;
        run.has_everything();
    }
    Ok(())
}

/// A quota that is used up pauses, and is not used up further.
pub(crate) async fn quota(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    api.spoil(Spoiled::QuotaUsedUp)?;
    let mut run = Run::open(&*api).await;
    let next = run.next().await;
    assert!(matches!(next, Err(SourceError::Paused { .. })), "it does not pause: {next:?}");
    let asked = api.requests();
    assert!(run.next().await.is_err(), "it goes on");
    assert_eq!(api.requests(), asked, "it went on asking");
    run.rest(&next).await;
    run.catch_up().await;
    run.has_everything();
    Ok(())
}

/// A key that is refused pauses, and heals without a restart.
pub(crate) async fn wrong_key_heals(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    for _ in 0..2 {
        let mut run = Run::open(&*api).await;
        api.accept(false);
        for _ in 0..3 {
            let next = run.next().await;
            assert!(matches!(next, Err(SourceError::Paused { .. })), "it does not pause: {next:?}");
            run.rest(&next).await;
        }
        assert!(run.ids().is_empty(), "records came from an API that refuses");
        api.accept(true);
        run.catch_up().await;
        run.has_everything();
    }
    Ok(())
}
