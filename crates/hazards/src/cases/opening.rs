//! Where a source begins, and what it says before.

use std::time::Duration;

use pipeline::{Position, SourceError};

use super::Verdict;
use crate::run::{Run, shows_no_secret};
use crate::{Harness, Nature};

/// What `open` returns is saved before the first request; opened from it, the source begins at the same place.
pub(crate) async fn start_is_resolved_once(harness: &dyn Harness) -> Verdict {
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
pub(crate) async fn foreign_position(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 5).await?;
    for text in [r#"{"version": 4000000}"#, "7", r#""text""#, "[]"] {
        let Ok(position) = Position::from_json(text) else { panic!("{text} is JSON") };
        let mut source = api.source();
        let run = Run::open(&*api).await;
        let opened = source.open(Some(position), run.nothing_seen()).await;
        let Err(SourceError::Fatal { remedy, .. }) = &opened else { panic!("{text} was taken: {opened:?}") };
        assert!(remedy.len() > 15, "the remedy says too little: {remedy:?}");
    }
    assert_eq!(api.requests(), 0, "something was asked with a position of somebody else");
    Ok(())
}

/// `check` proves the credentials and changes nothing.
pub(crate) async fn check_hands_nothing_out(harness: &dyn Harness) -> Verdict {
    let api = harness.api(Nature::Plain, 50).await?;
    let mut run = Run::open(&*api).await;
    let before = run.progress().clone();
    match run.source.check().await {
        Ok(words) => assert!(!words.is_empty(), "the check says nothing"),
        Err(error) => panic!("the API accepts us, but the check fails: {error}"),
    }
    assert_eq!(*run.progress(), before, "the check has moved the position");
    api.accept(false);
    match api.source().check().await {
        Ok(words) => panic!("the API refuses us, but the check says: {words}"),
        Err(error) => shows_no_secret(&*api, &error),
    }
    api.accept(true);
    run.catch_up().await;
    run.has_everything();
    Ok(())
}
