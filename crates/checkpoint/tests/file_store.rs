//! The store in a real directory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use checkpoint::FileStore;
use pipeline::{CheckpointStore, Position, RecordId, Revision, Save, SinkSet, StoreError};

fn save(store: &FileStore, number: u64, expected: u64) -> Result<Revision, StoreError> {
    let position = Position::encode(&number);
    let delivered = [(RecordId { second: 1, native: number, content: 1 }, SinkSet::ALL)];
    store.save(
        "s",
        Save { position: &position, delivered: &delivered, prune_before: i64::MIN },
        Revision(expected),
    )
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn conforms() {
    testkit::store::conforms(|dir| Box::new(FileStore::open(dir).unwrap()));
}

#[test]
fn creates_what_is_missing_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("var/data");
    let store = FileStore::open(&data_dir).unwrap();
    save(&store, 1, 0).unwrap();
    assert_eq!((mode(&dir.path().join("var")), mode(&data_dir)), (0o700, 0o700));
    assert_eq!(names(&data_dir), ["checkpoints.db", "lock"]);
    assert_eq!(mode(&data_dir.join("checkpoints.db")), 0o600);
    assert_eq!(mode(&data_dir.join("lock")), 0o600);
}

#[test]
fn a_directory_with_other_files_keeps_them_and_its_mode() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    save(&FileStore::open(dir.path()).unwrap(), 1, 0).unwrap();
    assert_eq!(mode(dir.path()), 0o750);
    assert_eq!(fs::read(dir.path().join("notes.txt")).unwrap(), b"mine");
}

#[test]
fn looking_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(FileStore::open_existing(&dir.path().join("none")).unwrap().is_none());
    assert!(FileStore::open_existing(dir.path()).unwrap().is_none());
    assert_eq!(names(dir.path()), [] as [&str; 0]);

    save(&FileStore::open(dir.path()).unwrap(), 7, 0).unwrap();
    let store = FileStore::open_existing(dir.path()).unwrap().unwrap();
    assert_eq!(store.load("s").unwrap().unwrap().position.as_str(), "7");
}

#[test]
fn a_store_that_was_never_finished_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("checkpoints.db.new"), vec![7; 3_000_000]).unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    save(&store, 1, 0).unwrap();
    drop(store);
    let store = FileStore::open(dir.path()).unwrap();
    assert_eq!(store.load("s").unwrap().unwrap().revision, Revision(1));
    assert_eq!(names(dir.path()), ["checkpoints.db", "lock"]);
}

#[test]
fn a_second_store_in_this_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = FileStore::open(dir.path()).unwrap();
    let refused = |result: Result<(), StoreError>| {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), format!("data directory is in use by process {}", std::process::id()));
    };
    refused(FileStore::open(dir.path()).map(drop));
    refused(FileStore::open_existing(dir.path()).map(drop));
    // Also when somebody has deleted the lock file.
    fs::remove_file(dir.path().join("lock")).unwrap();
    refused(FileStore::open(dir.path()).map(drop));
    drop(first);
    FileStore::open(dir.path()).unwrap();
}

#[test]
fn a_store_that_cannot_be_reached_is_an_io_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let describe = |data_dir: &Path| match FileStore::open(data_dir).unwrap_err() {
        StoreError::Io { doing, path, .. } => format!("{doing} {path}"),
        other => panic!("{other:?}"),
    };
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(describe(&file), format!("create data directory {}", file.display()));
    let below = file.join("data");
    assert_eq!(describe(&below), format!("create data directory {}", file.display()));

    // A link that leads nowhere, such as to a disk that is not mounted, is not a store that does not exist.
    let linked = dir.path().join("linked");
    fs::create_dir(&linked).unwrap();
    std::os::unix::fs::symlink("/nonexistent/checkpoints.db", linked.join("checkpoints.db")).unwrap();
    assert_eq!(describe(&linked), format!("open {}/checkpoints.db", linked.display()));
}

#[test]
fn a_directory_without_permission_is_an_io_error() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root may write everywhere");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o500)).unwrap();
    let error = FileStore::open(dir.path()).unwrap_err();
    assert!(matches!(&error, StoreError::Io { doing: "open lock file", .. }), "{error:?}");
}
