//! Others use the same path: log rotation, a person with `rm`, a second process.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

#[tokio::test]
async fn a_file_that_was_moved_deleted_or_replaced_is_opened_anew() {
    let dir = directory();
    let path = dir.path().join("logs/e.ndjson");
    let sink = sink(&path);
    deliver(&sink, &["{1}"]).await.unwrap();

    fs::rename(&path, dir.path().join("moved")).unwrap();
    deliver(&sink, &["{2}"]).await.unwrap();
    assert_eq!(content(&dir.path().join("moved")), "{1}\n");
    assert_eq!(content(&path), "{2}\n");

    fs::remove_file(&path).unwrap();
    deliver(&sink, &["{3}"]).await.unwrap();
    assert_eq!(content(&path), "{3}\n");

    fs::remove_dir_all(dir.path().join("logs")).unwrap();
    deliver(&sink, &["{4}"]).await.unwrap();
    assert_eq!(content(&path), "{4}\n");

    fs::write(dir.path().join("other"), "{\"torn").unwrap();
    fs::rename(dir.path().join("other"), &path).unwrap();
    deliver(&sink, &["{5}"]).await.unwrap();
    assert_eq!(content(&path), "{5}\n");
}

#[tokio::test]
async fn a_file_that_was_cut_short_or_added_to_goes_on_where_it_ends() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let sink = sink(&path);
    deliver(&sink, &["{1}", "{2}"]).await.unwrap();
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    deliver(&sink, &["{3}"]).await.unwrap();
    assert_eq!(content(&path), "{3}\n");
    File::options().append(true).open(&path).unwrap().write_all(b"hello").unwrap();
    deliver(&sink, &["{4}"]).await.unwrap();
    assert_eq!(content(&path), "{3}\nhello\n{4}\n");
}

/// The window between looking and writing: the file is deleted while it is written.
#[tokio::test]
async fn events_written_to_a_deleted_file_are_not_delivered() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let script = super::script::Script::default();
    let sink = scripted(&path, &script);
    deliver(&sink, &["{1}"]).await.unwrap();
    script.calls();
    script.hold(true);
    let (write, ()) = tokio::join!(deliver(&sink, &["{2}"]), async {
        eventually(|| script.was_called()).await;
        fs::remove_file(&path).unwrap();
        script.hold(false);
    });
    assert!(matches!(write, Err(SinkError::Transient { .. })), "{write:?}");
    deliver(&sink, &["{2}"]).await.unwrap();
    assert_eq!(content(&path), "{2}\n");
}

#[tokio::test]
async fn a_second_sink_on_the_same_file_is_refused_until_the_first_ends() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let first = sink(&path);
    deliver(&first, &["{1}"]).await.unwrap();
    let second = sink(&link);
    for result in [second.open().await, deliver(&second, &["{2}"]).await] {
        let error = result.unwrap_err();
        let SinkError::Paused { reason: "in_use", remedy, source } = &error else { panic!("{error:?}") };
        assert_eq!(
            source.to_string(),
            format!("{} is locked by another process or another sink", link.display())
        );
        assert!(remedy.contains("a path of its own"), "{remedy}");
    }
    second.check().await.unwrap();
    assert_eq!(content(&path), "{1}\n");
    drop(first);
    deliver(&second, &["{2}"]).await.unwrap();
    assert_eq!(content(&path), "{1}\n{2}\n");
}

#[tokio::test]
async fn what_is_no_file_is_named_and_refused_without_waiting() {
    let dir = directory();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, what) in [
        (dir.path(), "a directory"),
        (&pipe, "a named pipe"),
        (&socket, "a socket"),
        (Path::new("/dev/null"), "a device"),
    ] {
        for result in [sink(path).open().await, deliver(&sink(path), &["{1}"]).await] {
            let error = result.unwrap_err();
            let SinkError::Paused { reason: "path", source, .. } = &error else { panic!("{error:?}") };
            assert_eq!(source.to_string(), format!("{} is {what}, not a file", path.display()));
        }
        assert!(sink(path).check().await.is_err());
    }
    // A file where a directory should be.
    fs::write(dir.path().join("file"), "").unwrap();
    let below = dir.path().join("file/e.ndjson");
    assert_eq!(reason(deliver(&sink(&below), &["{1}"]).await), "path");
    assert!(sink(&below).check().await.is_err());
}

#[tokio::test]
async fn a_check_leaves_nothing_behind() {
    let dir = directory();
    let path = dir.path().join("a/b/e.ndjson");
    sink(&path).check().await.unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "{\"torn").unwrap();
    sink(&path).check().await.unwrap();
    FileSink::new(settings(&path, Rotation { max_size: Some(1), daily: true })).check().await.unwrap();
    assert_eq!(content(&path), "{\"torn");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn files_and_directories_are_not_for_everybody() {
    let dir = directory();
    let path = dir.path().join("a/b/e.ndjson");
    let sink = FileSink::new(settings(&path, Rotation { max_size: Some(1), daily: false }));
    deliver(&sink, &["{1}"]).await.unwrap();
    deliver(&sink, &["{2}"]).await.unwrap();
    // The group may read, others may nothing.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o027;
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0);
    }
    assert_eq!((mode(&dir.path().join("a")), mode(&dir.path().join("a/b"))), (0, 0));
}

/// A process that starts another one shares its open files with it until that becomes another program.
#[tokio::test]
async fn a_copy_of_the_handle_does_not_keep_the_lock() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let copies = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut appender = Appender::new(&path, NO_ROTATION);
    appender.handling = Box::new({
        let copies = Arc::clone(&copies);
        move |file: File| {
            copies.lock().unwrap().push(file.try_clone().unwrap());
            Box::new(file)
        }
    });
    let first = around(&path, appender);
    deliver(&first, &["{1}"]).await.unwrap();
    drop(first);
    deliver(&sink(&path), &["{2}"]).await.unwrap();
    assert_eq!(content(&path), "{1}\n{2}\n");
    assert_eq!(copies.lock().unwrap().len(), 1);
}
