//! What a crash leaves after each step of a removal, made by hand: no letter is lost, none comes twice, and the next
//! removal tidies up.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;

use dead_letters::{Change, LetterStore, Removal};
use pipeline::DeadLetters;
use support::{details, files, letter, read};

const ROOM: u64 = 1 << 30;

/// Files of a directory, by name.
type Files = Vec<(String, Vec<u8>)>;

fn snapshot(dir: &Path) -> Files {
    files(dir).into_iter().map(|name| (name.clone(), fs::read(dir.join(name)).unwrap())).collect()
}

fn restore(files: &Files) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// Before and after letters `1` and `4` of the files 0-2 and 3-4 and all of file 5-6 were removed.
fn before_and_after() -> (Files, Files) {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    for file in [0..3, 3..5, 5..7] {
        let letters: Vec<_> = file.map(|n| letter("splunk", &n.to_string())).collect();
        store.keep(&letters).unwrap();
    }
    let before = snapshot(dir.path());
    let gone = ["1", "4", "5", "6"];
    let chosen = read(dir.path()).into_iter().filter(|kept| gone.contains(&&*kept.letter.detail));
    let changes: Vec<_> = chosen.map(|kept| (kept.place(), Change::Remove)).collect();
    Removal::begin(dir.path()).unwrap().settle(changes).unwrap();
    (before, snapshot(dir.path()))
}

/// What stays must be there once, in order; of the rest, some may be.
fn assert_whole(dir: &Path) {
    let found = details(dir);
    assert!(found.is_sorted_by(|a, b| a < b), "in order, none twice: {found:?}");
    for stays in ["0", "2", "3"] {
        assert!(found.iter().any(|detail| detail == stays), "{stays} is lost: {found:?}");
    }
    assert_eq!(LetterStore::open(dir, ROOM).unwrap().count("splunk"), found.len() as u64);
}

#[test]
fn every_state_between_two_steps_is_whole() {
    let (before, after) = before_and_after();
    assert_eq!((before.len(), after.len()), (3, 2));
    let new: Files = after.iter().filter(|file| !before.contains(file)).cloned().collect();
    assert_eq!(new.len(), 2, "both versions have names of their own");
    let half = new[0].1[..new[0].1.len() / 2].to_vec();

    // Step by step: the emptied file goes, the new versions come one by one, the old ones go one by one; at each point
    // there may be a file that was being written.
    let mut states = vec![before.clone()];
    let mut state = before.clone();
    state.remove(2);
    states.push(state.clone());
    for version in &new {
        state.push(version.clone());
        states.push(state.clone());
    }
    for old in &before[..2] {
        state.retain(|file| file != old);
        states.push(state.clone());
    }
    assert_eq!(states.len(), 6);
    for (step, state) in states.iter().enumerate() {
        for leftover in [None, Some(&half), Some(&new[0].1)] {
            let mut state = state.clone();
            state.extend(leftover.map(|text| (".letters-abc.tmp".to_owned(), text.clone())));
            let dir = restore(&state);
            assert_whole(dir.path());
            let found = details(dir.path());

            // The next removal tidies up, and changes nothing else.
            drop(Removal::begin(dir.path()).unwrap());
            assert_eq!(details(dir.path()), found, "step {step}");
            assert!(files(dir.path()).len() <= 3, "step {step}: {:?}", files(dir.path()));
            assert!(!dir.path().join(".letters-abc.tmp").exists());
            if step >= 3 {
                assert_eq!(snapshot(dir.path()), after, "step {step}");
            }
        }
    }
}
