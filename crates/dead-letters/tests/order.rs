//! What survives a power failure cannot be seen from outside, but in which order the kernel is asked for it can.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use dead_letters::{Change, LetterStore, Removal};
use pipeline::DeadLetters;
use support::{letter, read};

const DIR: &str = "DEAD_LETTERS_TEST_DIR";

fn say(word: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "\n{word}").and_then(|()| out.flush()).unwrap();
}

#[test]
#[ignore = "a child process of the test below"]
fn child_keeps_and_removes() {
    let dir: PathBuf = std::env::var_os(DIR).expect("started by another test").into();
    let store = LetterStore::open(&dir, 1 << 20).unwrap();
    store.keep(&[letter("a", "1"), letter("a", "2")]).unwrap();
    store.keep(&[letter("b", "3")]).unwrap();
    say("kept");
    let mut removal = Removal::begin(&dir).unwrap();
    let chosen = read(&dir).into_iter().filter(|kept| &*kept.letter.detail != "1");
    removal.settle(chosen.map(|kept| (kept.place(), Change::Remove))).unwrap();
    say("removed");
}

#[test]
fn everything_is_flushed_before_it_counts_and_before_what_it_replaces_goes() {
    let place = tempfile::tempdir().unwrap();
    let (dir, trace) = (place.path().join("letters"), place.path().join("trace"));
    let ran = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-e",
            "trace=mkdir,write,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat",
            "-o",
        ])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_keeps_and_removes", "--ignored", "--nocapture"])
        .env(DIR, &dir)
        .output();
    if !ran.is_ok_and(|output| output.status.success()) {
        // Past the test harness, which hides what is printed.
        let mut errors = std::io::stderr();
        writeln!(errors, "skipped: this test needs strace and the right to trace").unwrap();
        return;
    }
    let calls = fs::read_to_string(&trace).unwrap();
    let steps: Vec<&str> = calls.lines().filter_map(step).collect();
    let file = ["write letters", "flush a file", "rename", "flush a directory"];
    let expected = [
        &["create a directory", "flush a directory"][..],
        &file,
        &file,
        &["kept"],
        // The file that is emptied goes first; the other has its next version before the old one goes.
        &["delete", "flush a directory"],
        &file,
        &["delete", "flush a directory", "removed"],
    ];
    assert_eq!(steps, expected.concat(), "{calls}");
}

/// What a line of the trace, `17 fsync(9</a/b>) = 0`, means; nothing for those of no interest.
fn step(line: &str) -> Option<&'static str> {
    let (name, arguments) = line.split_once(' ')?.1.trim_start().split_once('(')?;
    let of_letters = arguments.contains("/letters");
    match name {
        "mkdir" => Some("create a directory"),
        "write" if arguments.contains("kept") && !of_letters => Some("kept"),
        "write" if arguments.contains("removed") && !of_letters => Some("removed"),
        "write" if arguments.contains(".tmp>") => Some("write letters"),
        "write" if of_letters => Some("write under a name that counts"),
        "fsync" | "fdatasync" if arguments.contains(".tmp>") => Some("flush a file"),
        "fsync" | "fdatasync" => Some("flush a directory"),
        "rename" | "renameat" | "renameat2" => Some("rename"),
        "unlink" | "unlinkat" => Some("delete"),
        _ => None,
    }
}
