//! The disk refuses.

use std::fs;
use std::io::{ErrorKind, Write as _};

use super::script::Call::{Append, Cut, Sync};
use super::script::{Fault, Script};
use super::*;

#[tokio::test]
async fn success_comes_after_the_sync_and_not_without_it() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = scripted(&path, &script);
    sink.write(&events(&[&["{1}", "{2}"], &["{3}"]])).await.unwrap();
    assert_eq!(script.calls(), [Append, Sync]);
    assert_eq!(content(&path), "{1}\n{2}\n{3}\n");
    sink.write(&Write::default()).await.unwrap();
    assert_eq!(script.calls(), []);
}

/// `fsync` that failed once may succeed the next time without having written anything, so the bytes are written anew.
#[tokio::test]
async fn after_a_failed_sync_the_lines_are_cut_off_and_written_again() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = scripted(&path, &script);
    deliver(&sink, &["{1}"]).await.unwrap();
    script.plan(Sync, Fault::Fail(ErrorKind::Other));
    assert!(matches!(deliver(&sink, &["{2}"]).await, Err(SinkError::Transient { .. })));
    assert_eq!(content(&path), "{1}\n");
    script.calls();
    deliver(&sink, &["{2}"]).await.unwrap();
    assert_eq!(script.calls(), [Append, Sync]);
    assert_eq!(content(&path), "{1}\n{2}\n");
}

#[tokio::test]
async fn short_writes_and_interruptions_are_no_failures() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = scripted(&path, &script);
    script.plan(Append, Fault::Short(2));
    script.plan(Append, Fault::Fail(ErrorKind::Interrupted));
    script.plan(Append, Fault::Short(3));
    script.plan(Append, Fault::Fail(ErrorKind::WouldBlock));
    sink.write(&events(&[&["{1}"], &["{2}"]])).await.unwrap();
    assert_eq!(content(&path), "{1}\n{2}\n");
    script.plan(Append, Fault::Short(0));
    assert!(matches!(deliver(&sink, &["{3}"]).await, Err(SinkError::Transient { .. })));
    assert_eq!(content(&path), "{1}\n{2}\n");
}

/// Wherever the write stops and however often the cut fails, the events stand there once when they are delivered, and a
/// reader sees whole lines as soon as the cut succeeds.
#[tokio::test]
async fn a_write_that_fails_anywhere_leaves_nothing_once_it_is_taken_back() {
    let lines: &[&str] = &["{\"n\":1}", "{\"n\":22}", "{\"n\":333}"];
    let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
    for stop in 1..=whole.len() {
        for failing_cuts in 0..4 {
            let dir = directory();
            let path = dir.path().join("e.ndjson");
            let script = Script::default();
            let sink = scripted(&path, &script);
            deliver(&sink, &["{\"n\":0}"]).await.unwrap();
            script.plan(Append, Fault::Short(stop));
            let call = if stop < whole.len() { Append } else { Sync };
            script.plan(call, Fault::Fail(ErrorKind::StorageFull));
            for _ in 0..failing_cuts {
                script.plan(Cut, Fault::Fail(ErrorKind::Other));
            }
            assert_eq!(reason(deliver(&sink, lines).await), "disk_full");
            let torn = if failing_cuts == 0 { "" } else { &whole[..stop] };
            assert_eq!(content(&path), format!("{{\"n\":0}}\n{torn}"), "{stop} {failing_cuts}");
            // The first cut is made at once; the others are made by the writes that follow.
            for _ in 1..failing_cuts {
                assert!(matches!(deliver(&sink, lines).await, Err(SinkError::Transient { .. })));
            }
            deliver(&sink, lines).await.unwrap();
            assert_eq!(content(&path), format!("{{\"n\":0}}\n{whole}"), "{stop} {failing_cuts}");
        }
    }
}

#[tokio::test]
async fn a_failed_write_to_a_file_that_was_moved_since_does_not_touch_the_new_one() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = Script::default();
    let sink = scripted(&path, &script);
    script.plan(Append, Fault::Short(2));
    script.plan(Append, Fault::Fail(ErrorKind::Other));
    script.plan(Cut, Fault::Fail(ErrorKind::Other));
    deliver(&sink, &["{1}"]).await.unwrap_err();
    fs::rename(&path, dir.path().join("moved")).unwrap();
    // As long as what the failed write left.
    fs::write(&path, "f\n").unwrap();
    deliver(&sink, &["{1}"]).await.unwrap();
    assert_eq!(content(&path), "f\n{1}\n");
}

/// Nothing of somebody else's is cut off together with ours.
#[tokio::test]
async fn what_others_added_behind_a_failed_write_is_kept() {
    for during_the_write in [false, true] {
        let dir = directory();
        let path = dir.path().join("e.ndjson");
        let script = Script::default();
        let sink = scripted(&path, &script);
        deliver(&sink, &["{0}"]).await.unwrap();
        script.calls();
        script.plan(Append, Fault::Short(5));
        script.plan(Append, Fault::Fail(ErrorKind::Other));
        let add = || File::options().append(true).open(&path).unwrap().write_all(b"other\n").unwrap();
        if during_the_write {
            script.hold(true);
            let (write, ()) = tokio::join!(deliver(&sink, &["{1}", "{2}"]), async {
                eventually(|| script.was_called()).await;
                add();
                script.hold(false);
            });
            write.unwrap_err();
        } else {
            script.plan(Cut, Fault::Fail(ErrorKind::Other));
            deliver(&sink, &["{1}", "{2}"]).await.unwrap_err();
            add();
        }
        deliver(&sink, &["{1}", "{2}"]).await.unwrap();
        let found = content(&path);
        assert!(found.contains("other\n") && found.ends_with("\n{1}\n{2}\n"), "{found:?}");
    }
}
