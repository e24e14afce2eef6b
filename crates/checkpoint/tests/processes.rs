//! The store in processes that are killed, that meet in one directory, or that may not write.
//!
//! This test binary starts itself as the child process: each child is an ignored test that reads its directory from the
//! environment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use checkpoint::FileStore;
use pipeline::{CheckpointStore, Position, RecordId, Revision, Save, SinkSet, StoreError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const DIR: &str = "CHECKPOINT_TEST_DIR";
const IDS: u64 = 500;

fn ids(number: u64) -> Vec<RecordId> {
    (0..IDS).map(|native| RecordId { second: number as i64, native, content: number }).collect()
}

fn save(store: &FileStore, number: u64) -> Result<Revision, StoreError> {
    let delivered: Vec<_> = ids(number).into_iter().map(|id| (id, SinkSet::ALL)).collect();
    let save = Save {
        position: &Position::encode(&number),
        delivered: &delivered,
        // The ids of the last ten saves are kept.
        prune_before: number as i64 - 9,
    };
    store.save("s", save, Revision(number - 1))
}

/// Asserts that position and ids are of one save, and returns its number.
fn newest_save(store: &FileStore) -> u64 {
    let Some(checkpoint) = store.load("s").unwrap() else { return 0 };
    let newest: u64 = checkpoint.position.decode().unwrap();
    assert_eq!(checkpoint.revision, Revision(newest));
    assert_eq!(checkpoint.delivered, IDS * newest.min(10));
    for number in newest.saturating_sub(11)..newest + 2 {
        let expected = if number + 10 > newest && (1..=newest).contains(&number) {
            vec![(number, SinkSet::ALL)]
        } else {
            vec![]
        };
        assert_eq!(
            store.delivered("s", &ids(number)).unwrap(),
            vec![expected; IDS as usize],
            "{number} of {newest}"
        );
    }
    newest
}

fn child_dir() -> PathBuf {
    std::env::var_os(DIR).expect("started by another test").into()
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "child: {line}").and_then(|()| out.flush()).unwrap();
}

/// Starts this binary's ignored test `name`; `shell` is the command that becomes it.
fn start(name: &str, dir: &Path, shell: &str) -> Child {
    Command::new("sh")
        .args(["-c", shell])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

const PLAINLY: &str = r#"exec "$0" "$@""#;
/// Files of at most 2 MiB (in blocks of 512 bytes), and an error instead of a deadly signal at more.
const WITH_LITTLE_SPACE: &str = r#"trap '' XFSZ; ulimit -S -f 4096; exec "$0" "$@""#;

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .filter_map(|line| line.unwrap().split_once("child: ").map(|(_, line)| line.to_owned()))
}

#[test]
#[ignore = "a child process of the tests below"]
fn child_saves_for_ever() {
    let store = FileStore::open(&child_dir()).unwrap();
    for number in newest_save(&store) + 1.. {
        save(&store, number).unwrap();
        say(&number.to_string());
    }
}

#[test]
fn a_killed_process_leaves_whole_saves() {
    let dir = tempfile::tempdir().unwrap();
    let mut newest = 0;
    for round in 0..30 {
        let mut child = start("child_saves_for_ever", dir.path(), PLAINLY);
        let mut lines = lines(&mut child);
        let first = lines.next().expect("the child saves");
        std::thread::sleep(Duration::from_millis(round * 7 % 30));
        child.kill().unwrap();
        let confirmed: u64 = lines.last().unwrap_or(first).parse().unwrap();
        child.wait().unwrap();

        let store = FileStore::open(dir.path()).unwrap();
        let found = newest_save(&store);
        assert!(found == confirmed || found == confirmed + 1, "confirmed {confirmed}, found {found}");
        assert!(found > newest);
        newest = found;
    }
}

#[test]
fn a_second_process_is_told_which_one_has_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("child_saves_for_ever", dir.path(), PLAINLY);
    lines(&mut child).next().unwrap();
    for _ in 0..2 {
        let error = FileStore::open(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("data directory is in use by process {}", child.id()));
        let error = FileStore::open_existing(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    FileStore::open(dir.path()).expect("the lock of a dead process is no lock");
}

#[test]
#[ignore = "a child process of the test below"]
fn child_runs_out_of_space() {
    let store = FileStore::open(&child_dir()).unwrap();
    let mut number = 1;
    let error = loop {
        match save_much(&store, number) {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Io { doing: "save a checkpoint in", .. }), "{error:?}");
    assert!(number > 3, "there is room at first");
    // Still no room, but what is there can be read.
    for _ in 0..3 {
        assert!(matches!(save_much(&store, number), Err(StoreError::Io { .. })));
        assert_eq!(store.load("s").unwrap().unwrap().delivered, (number - 1) * 2000);
        assert_eq!(store.delivered("s", &much(number)[..1]).unwrap(), [vec![]]);
    }
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: limit.maximum, ..limit }).unwrap();
    save_much(&store, number).unwrap();
    say(&number.to_string());
}

fn much(number: u64) -> Vec<RecordId> {
    (0..2000).map(|native| RecordId { second: number as i64, native, content: number }).collect()
}

fn save_much(store: &FileStore, number: u64) -> Result<Revision, StoreError> {
    let delivered: Vec<_> = much(number).into_iter().map(|id| (id, SinkSet::ALL)).collect();
    let position = Position::encode(&number);
    store.save(
        "s",
        Save { position: &position, delivered: &delivered, prune_before: i64::MIN },
        Revision(number - 1),
    )
}

#[test]
fn a_full_disk_refuses_saves_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("child_runs_out_of_space", dir.path(), WITH_LITTLE_SPACE);
    let last = lines(&mut child).last();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success(), "{errors}");
    let last: u64 = last.unwrap().parse().unwrap();

    let store = FileStore::open(dir.path()).unwrap();
    assert_eq!(store.load("s").unwrap().unwrap().delivered, last * 2000);
    for number in 1..=last {
        assert_eq!(store.delivered("s", &much(number)).unwrap(), vec![vec![(number, SinkSet::ALL)]; 2000]);
    }
}
