//! Files are put aside by size and by day.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::UNIX_EPOCH;

use super::*;

/// All files of the directory in the order of their names, the current one last.
fn files(dir: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), content(&path)))
        .collect();
    files.sort_by_key(|(name, _)| (name == "e.ndjson", name.clone()));
    files
}

fn with_clock(path: &Path, rotation: Rotation, clock: &Arc<AtomicI64>) -> FileSink {
    let mut appender = Appender::new(path, rotation);
    let clock = Arc::clone(clock);
    appender.clock = Box::new(move || Timestamp::from_millis(clock.load(Ordering::Relaxed)));
    around(path, appender)
}

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millis()
}

#[tokio::test]
async fn by_size_no_line_is_split_lost_or_doubled_and_no_file_is_overwritten() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let clock = Arc::new(AtomicI64::new(at("2026-11-20T10:00:00Z")));
    let rotation = Rotation { max_size: Some(100), daily: false };
    let sink = with_clock(&path, rotation, &clock);
    // A name that would be next is taken already.
    fs::write(dir.path().join("e-2026-11-20T10-00-00Z-0002.ndjson"), "precious").unwrap();
    let mut expected = String::new();
    for number in 0..40 {
        let long = "x".repeat(number * 7 % 60);
        let line = format!("{{\"n\":{number},\"x\":\"{long}\"}}");
        deliver(&sink, &[&line]).await.unwrap();
        expected.push_str(&line);
        expected.push('\n');
    }
    let huge = "y".repeat(150);
    deliver(&sink, &[&huge]).await.unwrap();
    deliver(&sink, &["{}"]).await.unwrap();
    expected.push_str(&format!("{huge}\n{{}}\n"));
    let files = files(dir.path());
    assert_eq!(files[1], ("e-2026-11-20T10-00-00Z-0002.ndjson".into(), "precious".into()));
    let ours = || files.iter().filter(|(_, text)| text != "precious");
    assert_eq!(ours().map(|(_, text)| text.as_str()).collect::<String>(), expected);
    assert!(ours().count() > 10);
    assert!(ours().all(|(_, text)| text.ends_with('\n')));
    assert!(ours().all(|(_, text)| text.len() <= 100 || text.lines().count() == 1));
}

#[tokio::test]
async fn by_day_a_file_has_the_events_and_the_name_of_one_day() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let clock = Arc::new(AtomicI64::new(0));
    let rotation = Rotation { max_size: None, daily: true };
    let sink = with_clock(&path, rotation, &clock);
    for moment in ["2026-11-19T08:00:00Z", "2026-11-19T23:59:59.999Z", "2026-11-20T00:00:00Z"] {
        clock.store(at(moment), Ordering::Relaxed);
        deliver(&sink, &[moment]).await.unwrap();
    }
    let expected = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(
        files(dir.path()),
        [
            expected(
                "e-2026-11-19T23-59-59Z-0001.ndjson",
                "2026-11-19T08:00:00Z\n2026-11-19T23:59:59.999Z\n"
            ),
            expected("e.ndjson", "2026-11-20T00:00:00Z\n"),
        ]
    );
    // After a restart the day of the last write is that of the file.
    drop(sink);
    let last_write = UNIX_EPOCH + std::time::Duration::from_millis(at("2026-11-20T12:00:00Z") as u64);
    File::options().append(true).open(&path).unwrap().set_modified(last_write).unwrap();
    clock.store(at("2026-11-21T01:00:00Z"), Ordering::Relaxed);
    let sink = with_clock(&path, rotation, &clock);
    sink.open().await.unwrap();
    assert_eq!(files(dir.path()).len(), 2, "nothing is put aside before there is something to write");
    deliver(&sink, &["next"]).await.unwrap();
    assert_eq!(
        files(dir.path())[1..],
        [
            expected("e-2026-11-20T12-00-00Z-0001.ndjson", "2026-11-20T00:00:00Z\n"),
            expected("e.ndjson", "next\n"),
        ]
    );
}

/// A crash between two steps leaves an empty file under the reserved name, or no file at the path.
#[tokio::test]
async fn a_crash_between_two_steps_of_a_rotation_loses_nothing() {
    for renamed in [false, true] {
        let dir = directory();
        let path = dir.path().join("e.ndjson");
        let clock = Arc::new(AtomicI64::new(at("2026-11-20T10:00:00Z")));
        let rotation = Rotation { max_size: Some(8), daily: false };
        deliver(&with_clock(&path, rotation, &clock), &["{1}"]).await.unwrap();
        let reserved = crate::rotation::reserve(&path, Timestamp::from_millis(at("2026-11-20T10:00:00Z")));
        if renamed {
            fs::rename(&path, reserved.unwrap()).unwrap();
        }
        let sink = with_clock(&path, rotation, &clock);
        deliver(&sink, &["{2}"]).await.unwrap();
        deliver(&sink, &["{3}"]).await.unwrap();
        let all: String = files(dir.path()).into_iter().map(|(_, text)| text).collect();
        assert_eq!(all, "{1}\n{2}\n{3}\n", "{renamed}");
    }
}

#[tokio::test]
async fn a_symbolic_link_stays_and_the_files_lie_beside_the_real_one() {
    let dir = directory();
    let (links, data) = (dir.path().join("links"), dir.path().join("data"));
    fs::create_dir(&links).unwrap();
    fs::create_dir(&data).unwrap();
    let path = links.join("e.ndjson");
    std::os::unix::fs::symlink(data.join("real.log"), &path).unwrap();
    let sink = FileSink::new(settings(&path, Rotation { max_size: Some(8), daily: false }));
    for line in ["{1}", "{2}", "{3}"] {
        deliver(&sink, &[line]).await.unwrap();
    }
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(fs::read_dir(&links).unwrap().count(), 1);
    let aside: Vec<_> = files(&data).into_iter().filter(|(name, _)| name != "real.log").collect();
    assert_eq!((aside.len(), aside[0].1.as_str()), (1, "{1}\n{2}\n"));
    assert!(aside[0].0.starts_with("real-") && aside[0].0.ends_with("Z-0001.log"));
    assert_eq!(content(&data.join("real.log")), "{3}\n");
}
