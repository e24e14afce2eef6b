//! What happens to a source that has caught up.

use std::time::Duration;

use pipeline::{Next, Timestamp};

use super::Verdict;
use crate::run::{MOST_CALLS, Run};
use crate::{CannotHappen, Harness, Nature};

const DAY: Duration = Duration::from_secs(86_400);

/// Records that appear long after their time, when everything was collected already.
pub(crate) async fn arrives_late(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    // Within what is read again at each turn; the API's clock stands nearly still here.
    for minutes in [0, 1, 5, 12] {
        let id = api.add(api.now() - Duration::from_secs(60 * minutes));
        run.until(&id, 1).await;
    }
    run.has_everything();
    Ok(())
}

/// A record that changes is a new version, and what only looks changed is not.
pub(crate) async fn arrives_edited(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    let mut run = Run::open(&*api).await;
    let id = api.add(api.now() - Duration::from_secs(120));
    run.until(&id, 1).await;
    run.catch_up().await;
    api.edit(&id)?;
    run.until(&id, 2).await;
    run.has_everything();
    Ok(())
}

/// Whose clock counts is the API's: all that it has is collected, and what it adds now.
pub(crate) async fn skewed_clock(harness: &dyn Harness, nature: Nature) -> Verdict {
    let api = harness.api(nature, 200).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_everything();
    run.save();
    for minutes in [0, 1, 5] {
        let id = api.add(api.now() - Duration::from_secs(60 * minutes));
        run.until(&id, 1).await;
        run.save();
        run.restart().await;
    }
    run.has_everything();
    Ok(())
}

/// Away for longer than the API keeps its records: the gap is told, and what there still is is collected.
pub(crate) async fn away_for_long(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 100).await?;
    let Some(kept) = api.retention() else {
        return Err(CannotHappen("nothing says how long the API keeps its records"));
    };
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_everything();
    run.save();
    tokio::time::sleep(DAY).await;
    let forgotten = api.now();
    api.add(forgotten);
    tokio::time::sleep(kept + 3 * DAY).await;
    let id = api.add(api.now() - Duration::from_secs(60));
    run.restart().await;
    run.until(&id, 1).await;
    run.catch_up().await;
    run.has_everything();
    let forgotten = Timestamp::from_system(forgotten);
    let told = run.gaps.iter().any(|gap| (gap.from..=gap.to).contains(&forgotten));
    assert!(told, "what was forgotten meanwhile is in no gap that was told: {:?}", run.gaps);
    Ok(())
}

/// Killed after the first page of many new records, when what came before was collected long ago.
pub(crate) async fn crash_in_a_walk(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::SmallPages, 60).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.save();
    for _ in 0..3 {
        let now = api.now();
        for back in (0..40).rev() {
            api.add(now - Duration::from_secs(10 * back));
        }
        one_page_and_a_crash(&mut run).await;
        // What is newest has come already when these come.
        for back in [3, 2, 1] {
            api.add(api.now() - Duration::from_secs(back));
        }
        one_page_and_a_crash(&mut run).await;
        run.catch_up().await;
        run.save();
        run.has_everything();
    }
    Ok(())
}

/// Reads until a page has brought something, which is saved.
async fn one_page_and_a_crash(run: &mut Run<'_>) {
    for _ in 0..MOST_CALLS {
        let next = run.next().await;
        run.save();
        match &next {
            Ok(Next::Page { batch, .. }) if !batch.records.is_empty() => return run.restart().await,
            _ => run.rest(&next).await,
        }
    }
    panic!("what was added never came: {:?}", run.source.status())
}
