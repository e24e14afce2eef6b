//! What the log is like: order, ties, lateness, filters.

use pipeline::Next;

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
    tells_its_gaps(&run);
    // Also by collectors that are killed after each request, once what its answer says is saved.
    let api = harness.api(Nature::Forgetful, 100).await?;
    let mut run = Run::open(&*api).await;
    for _ in 0..MOST_LIVES {
        let asked = api.requests();
        while api.requests() == asked {
            let next = run.next().await;
            if let Ok(Next::Page { .. } | Next::Learnt(_)) = &next {
                run.save();
            }
            run.rest(&next).await;
        }
        run.restart().await;
        if !run.gaps.is_empty() && run.missing().is_empty() {
            break;
        }
    }
    tells_its_gaps(&run);
    Ok(())
}

/// More than the search and all pages of a hundred records take.
const MOST_LIVES: usize = 300;

fn tells_its_gaps(run: &Run<'_>) {
    run.has_everything();
    assert!(!run.gaps.is_empty(), "the API has forgotten, and nobody was told");
    assert!(run.gaps.iter().all(|gap| gap.from < gap.to && !gap.reason.is_empty()), "{:?}", run.gaps);
}
