//! The store in processes that are killed, that meet in one directory, or whose disk is full.
//!
//! This test binary starts itself as the child process: each child is an ignored test that reads its directory from the
//! environment.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dead_letters::{Change, LetterFiles, LetterStore, Removal, RemovalError};
use pipeline::{DeadLetters, LetterError};
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use support::{details, files, letter, read};

const DIR: &str = "DEAD_LETTERS_TEST_DIR";
const ROOM: u64 = 1 << 30;
/// Letters in a call: more than one write of the system takes.
const LETTERS: usize = 60;

fn child_dir() -> PathBuf {
    std::env::var_os(DIR).expect("started by another test").into()
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "child: {line}").and_then(|()| out.flush()).unwrap();
}

const PLAINLY: &str = r#"exec "$0" "$@""#;
/// An error instead of a deadly signal where a file would pass its limit.
const WITHOUT_SIGNAL: &str = r#"trap '' XFSZ; exec "$0" "$@""#;

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

fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .filter_map(|line| line.unwrap().split_once("child: ").map(|(_, line)| line.to_owned()))
}

fn succeeds(name: &str, dir: &Path, shell: &str) {
    let mut child = start(name, dir, shell);
    let (mut out, mut errors) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success() && out.contains("1 passed"), "{out}{errors}");
}

/// How many letters of each call are there, by number of the call.
fn calls(dir: &Path) -> BTreeMap<u64, usize> {
    let mut calls = BTreeMap::new();
    for detail in details(dir) {
        let (call, _) = detail.split_once('/').unwrap();
        *calls.entry(call.parse().unwrap()).or_default() += 1;
    }
    calls
}

fn keep(store: &LetterStore, call: u64, letters: usize) -> Result<(), LetterError> {
    let letters: Vec<_> = (0..letters).map(|n| letter("splunk", &format!("{call}/{n}"))).collect();
    store.keep(&letters)
}

#[test]
#[ignore = "a child process of the test below"]
fn child_keeps_for_ever() {
    let store = LetterStore::open(&child_dir(), ROOM).unwrap();
    for call in store.count("splunk") / LETTERS as u64.. {
        keep(&store, call, LETTERS).unwrap();
        say(&call.to_string());
    }
}

#[test]
fn a_killed_process_leaves_whole_calls() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let mut child = start("child_keeps_for_ever", dir.path(), PLAINLY);
        let mut lines = lines(&mut child);
        let first = lines.next().expect("the child keeps");
        std::thread::sleep(Duration::from_millis(round * 7 % 30));
        child.kill().unwrap();
        let confirmed: u64 = lines.last().unwrap_or(first).parse().unwrap();
        child.wait().unwrap();

        let calls = calls(dir.path());
        let newest = *calls.keys().last().unwrap();
        assert!(newest == confirmed || newest == confirmed + 1, "confirmed {confirmed}, found {newest}");
        assert_eq!(calls, (0..=newest).map(|call| (call, LETTERS)).collect());
        let store = LetterStore::open(dir.path(), ROOM).unwrap();
        assert_eq!(store.count("splunk"), (newest + 1) * LETTERS as u64);
        assert_eq!(files(dir.path()).len() as u64, newest + 1, "half-written files are gone");
    }
}

#[test]
fn another_process_that_opens_the_directory_disturbs_no_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("child_keeps_for_ever", dir.path(), PLAINLY);
    let mut lines = lines(&mut child);
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| lines.by_ref().take(150).count());
        while !listener.is_finished() {
            drop(LetterStore::open(dir.path(), ROOM).unwrap());
        }
        assert_eq!(listener.join().unwrap(), 150, "the child keeps on");
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "a child process of the test below"]
fn child_removes_every_other_letter() {
    let dir = child_dir();
    let mut removal = Removal::begin(&dir).unwrap();
    say("begins");
    let kept = LetterFiles::in_dir(&dir).letters(None).unwrap().map(Result::unwrap);
    let odd = kept.filter(|kept| kept.letter.detail.ends_with(['1', '3', '5', '7', '9']));
    let places: Vec<_> = odd.map(|kept| kept.place()).collect();
    // Few at a time, so that each file is replaced again and again.
    for places in places.chunks(3) {
        removal.settle(places.iter().map(|place| (place.clone(), Change::Remove))).unwrap();
        say("removed some");
    }
    say("done");
}

#[test]
fn a_killed_removal_loses_no_other_letter_and_doubles_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    for call in 0..20 {
        keep(&store, call, 20).unwrap();
    }
    let even: HashSet<String> =
        (0..20).flat_map(|call| (0..20).step_by(2).map(move |n| format!("{call}/{n}"))).collect();
    for round in 0.. {
        assert!(round < 80, "it gets on");
        let mut child = start("child_removes_every_other_letter", dir.path(), PLAINLY);
        let mut lines = lines(&mut child);
        assert_eq!(lines.next().as_deref(), Some("begins"));
        // At least one step, so that it gets on however slow the machine is.
        let first = lines.next();
        std::thread::sleep(Duration::from_micros(round * 700 % 9_000));
        child.kill().unwrap();
        let said: Vec<String> = first.into_iter().chain(lines).collect();
        child.wait().unwrap();

        let found = details(dir.path());
        let distinct: HashSet<String> = found.iter().cloned().collect();
        assert_eq!(found.len(), distinct.len(), "none comes twice");
        assert!(distinct.is_superset(&even), "{:?} are lost", even.difference(&distinct));
        assert_eq!(LetterStore::open(dir.path(), ROOM).unwrap().count("splunk"), found.len() as u64);
        if said.last().is_some_and(|line| line == "done") {
            assert_eq!(distinct, even);
            break;
        }
    }
}

#[test]
#[ignore = "a child process of the test below"]
fn child_holds_the_lock() {
    let _removal = Removal::begin(&child_dir()).unwrap();
    say("held");
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn another_process_that_removes_is_named_and_its_lock_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("child_holds_the_lock", dir.path(), PLAINLY);
    assert_eq!(lines(&mut child).next().as_deref(), Some("held"));
    let error = Removal::begin(dir.path()).unwrap_err();
    let pid = child.id();
    assert!(matches!(error, RemovalError::InUse { pid: holder, .. } if holder == pid), "{error}");
    assert!(error.to_string().starts_with(&format!("process {pid} is removing")), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    Removal::begin(dir.path()).unwrap();
}

/// Keeps until the disk refuses, then heals it.
fn refused_and_healed(store: &LetterStore, dir: &Path, heal: impl FnOnce()) {
    let mut call = 0;
    let error = loop {
        match keep(store, call, 10 << call) {
            Ok(()) => call += 1,
            Err(error) => break error,
        }
    };
    assert!(call > 0, "there is room at first");
    assert!(matches!(&error, LetterError::Io { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot write letters to {}", dir.display()));
    let kept = files(dir);
    for _ in 0..3 {
        assert!(matches!(keep(store, call, 10 << call), Err(LetterError::Io { .. })));
        assert_eq!(files(dir), kept, "nothing half-written is left");
    }
    let expected: BTreeMap<u64, usize> = (0..call).map(|call| (call, 10 << call)).collect();
    assert_eq!(calls(dir), expected);
    assert_eq!(store.count("splunk"), expected.values().sum::<usize>() as u64);
    heal();
    keep(store, call, 10 << call).unwrap();
    assert_eq!(calls(dir).len() as u64, call + 1);
    assert_eq!(store.count("splunk"), details(dir).len() as u64);
}

#[test]
#[ignore = "a child process of the test below"]
fn child_passes_a_size_limit() {
    let dir = child_dir();
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(100_000), maximum: limit.maximum }).unwrap();
    let store = LetterStore::open(&dir, ROOM).unwrap();
    refused_and_healed(&store, &dir, || setrlimit(Resource::Fsize, limit).unwrap());
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    succeeds("child_passes_a_size_limit", dir.path(), WITHOUT_SIGNAL);
}

/// Runs a child on a small file system of its own, in a mount namespace of its own, so that nothing is left mounted.
fn with_tmpfs(options: &str, name: &str) {
    if !geteuid().is_root() {
        // Past the test harness, which hides what is printed.
        let mut errors = std::io::stderr();
        writeln!(errors, "skipped: mounting a file system needs root").unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = format!("mount -t tmpfs -o {options} none \"${DIR}\" && exec \"$0\" \"$@\"");
    succeeds(name, dir.path(), &format!("exec unshare --mount sh -c '{run}' \"$0\" \"$@\""));
}

#[test]
#[ignore = "a child process of the test below"]
fn child_fills_its_disk() {
    let dir = child_dir();
    let ballast = dir.join("ballast");
    fs::write(&ballast, vec![0; 200 << 10]).unwrap();
    let store = LetterStore::open(&dir, ROOM).unwrap();
    refused_and_healed(&store, &dir, || fs::remove_file(ballast).unwrap());

    // Full again: what makes room works all the same.
    while keep(&store, 99, 1).is_ok() {}
    let before = details(&dir).len();
    let mut removal = Removal::begin(&dir).unwrap();
    let whole_file = read(&dir).into_iter().filter(|kept| kept.letter.detail.starts_with("0/"));
    removal.settle(whole_file.map(|kept| (kept.place(), Change::Remove))).unwrap();
    assert_eq!(details(&dir).len(), before - 10);
    keep(&store, 100, 1).unwrap();
}

#[test]
fn a_full_disk_is_an_error_and_heals() {
    with_tmpfs("size=512k", "child_fills_its_disk");
}

#[test]
#[ignore = "a child process of the test below"]
fn child_meets_a_read_only_disk() {
    let dir = child_dir();
    let remount = |mode: &str| {
        let status = Command::new("mount").args(["-o", mode]).arg(&dir).status();
        assert!(status.unwrap().success());
    };
    let store = LetterStore::open(&dir, ROOM).unwrap();
    keep(&store, 0, 2).unwrap();
    remount("remount,ro");
    for _ in 0..2 {
        assert!(matches!(keep(&store, 1, 2), Err(LetterError::Io { .. })));
        assert_eq!((details(&dir).len(), store.count("splunk")), (2, 2));
    }
    assert!(matches!(Removal::begin(&dir), Err(RemovalError::Io { .. })));
    LetterStore::open(&dir, ROOM).expect("what is there can be counted");
    remount("remount,rw");
    keep(&store, 1, 2).unwrap();
    assert_eq!((details(&dir).len(), store.count("splunk")), (4, 4));
}

#[test]
fn a_read_only_disk_is_an_error_and_heals() {
    with_tmpfs("size=512k", "child_meets_a_read_only_disk");
}
