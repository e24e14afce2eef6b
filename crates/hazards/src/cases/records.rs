//! What the log is like: order, ties, lateness, filters.

use super::Verdict;
use crate::run::Run;
use crate::{Harness, Nature};

/// Everything that there is.
pub(crate) async fn collected_whole(harness: &dyn Harness, nature: Nature, records: usize) -> Verdict {
    let api = harness.api(nature, records).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_everything();
    assert!(run.pages > 0 && !run.ids().is_empty(), "nothing was collected");
    Ok(())
}

/// The same where more appears with each request, so that nobody ever has all that is there.
pub(crate) async fn shown_is_collected(harness: &dyn Harness, nature: Nature, records: usize) -> Verdict {
    let api = harness.api(nature, records).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_all_that_was_shown();
    let collected = run.ids().len();
    assert!(collected >= records / 2, "only {collected} of {records} records were asked for");
    Ok(())
}

/// What the API no longer has is told, and everything behind it is collected.
pub(crate) async fn gap_is_told(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Forgetful, 600).await?;
    let mut run = Run::open(&*api).await;
    run.catch_up().await;
    run.has_everything();
    assert!(!run.gaps.is_empty(), "the API has forgotten, and nobody was told");
    assert!(run.gaps.iter().all(|gap| gap.from < gap.to && !gap.reason.is_empty()), "{:?}", run.gaps);
    Ok(())
}
