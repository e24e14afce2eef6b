//! The caller goes away.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::script::Call::{Append, Cut, Sync};
use super::script::Script;
use super::*;

/// Starts the write, lets it get to its next await, and forgets it.
fn start_and_forget(sink: &FileSink, lines: &[&str]) {
    let events = events(&[lines]);
    let future = pin!(sink.write(&events));
    let Poll::Pending = future.poll(&mut Context::from_waker(Waker::noop())) else { panic!("not blocked") };
}

#[tokio::test]
async fn a_write_forgotten_at_work_ends_first_and_is_taken_back() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = Arc::new(scripted(&path, &script));
    deliver(&sink, &["{0}"]).await.unwrap();
    script.calls();
    script.hold(true);
    start_and_forget(&sink, &["{1}", "{2}"]);
    eventually(|| script.was_called()).await;
    let next = tokio::spawn({
        let sink = Arc::clone(&sink);
        async move { deliver(&sink, &["{2}", "{3}"]).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(script.calls(), [Append], "the next write waits for the forgotten one");
    script.hold(false);
    next.await.unwrap().unwrap();
    assert_eq!(script.calls(), [Sync, Cut, Append, Sync]);
    assert_eq!(content(&path), "{0}\n{2}\n{3}\n");
}

#[tokio::test]
async fn a_write_forgotten_after_its_work_but_before_its_result_is_taken_back() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = scripted(&path, &script);
    let events = events(&[&["{1}"]]);
    {
        let mut future = pin!(sink.write(&events));
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        eventually(|| script.calls().contains(&Sync)).await;
        assert_eq!(content(&path), "{1}\n");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    deliver(&sink, &["{2}"]).await.unwrap();
    assert_eq!(content(&path), "{2}\n");
}

#[tokio::test]
async fn a_write_forgotten_while_it_waits_for_its_turn_leaves_no_trace() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = Arc::new(scripted(&path, &script));
    script.hold(true);
    let first = tokio::spawn({
        let sink = Arc::clone(&sink);
        async move { deliver(&sink, &["{1}"]).await }
    });
    eventually(|| script.was_called()).await;
    start_and_forget(&sink, &["{2}"]);
    script.hold(false);
    first.await.unwrap().unwrap();
    deliver(&sink, &["{3}"]).await.unwrap();
    assert_eq!(content(&path), "{1}\n{3}\n");
}

#[tokio::test]
async fn a_forgotten_write_is_taken_back_when_the_sink_ends() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = scripted(&path, &script);
    deliver(&sink, &["{1}"]).await.unwrap();
    script.calls();
    script.hold(true);
    start_and_forget(&sink, &["{2}"]);
    eventually(|| script.was_called()).await;
    drop(sink);
    script.hold(false);
    eventually(|| script.calls().contains(&Cut)).await;
    eventually(|| content(&path) == "{1}\n").await;
}

#[tokio::test]
async fn writes_that_were_heard_of_stay_when_the_sink_ends() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let sink = sink(&path);
    let (first, second) = tokio::join!(deliver(&sink, &["{1}"]), deliver(&sink, &["{2}"]));
    first.unwrap();
    second.unwrap();
    drop(sink);
    assert_eq!(content(&path), "{1}\n{2}\n");
}
