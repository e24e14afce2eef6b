//! Files that were changed from outside: whatever is read from them is right, or refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use checkpoint::FileStore;
use pipeline::{CheckpointStore, Position, RecordId, Revision, Save, SinkSet, StoreError};
use tempfile::TempDir;

const IDS: u64 = 400;
const SAVES: u64 = 3;

fn ids(number: u64) -> Vec<RecordId> {
    let native = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number;
    (0..IDS)
        .map(|n| RecordId { second: (number * 100 + n / 50) as i64, native: native(n), content: number })
        .collect()
}

fn save(store: &FileStore, number: u64, expected: u64) -> Result<Revision, StoreError> {
    let delivered: Vec<_> = ids(number).into_iter().map(|id| (id, SinkSet::ALL)).collect();
    let position = Position::encode(&number);
    store.save(
        "s",
        Save { position: &position, delivered: &delivered, prune_before: i64::MIN },
        Revision(expected),
    )
}

/// A directory in memory where the system has one: these tests open a store hundreds of times, and no power is cut.
fn quick_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A store file with three saves: one that was closed, and one as a killed process leaves it.
fn store_files() -> [Vec<u8>; 2] {
    let dir = quick_dir();
    let store = FileStore::open(dir.path()).unwrap();
    for number in 1..=SAVES {
        save(&store, number, number - 1).unwrap();
    }
    let read = || fs::read(dir.path().join("checkpoints.db")).unwrap();
    let in_use = read();
    drop(store);
    [read(), in_use]
}

/// What came of opening a file and reading all of it.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// Everything is as it was after this save.
    Right(u64),
    Refused,
    Newer,
}

fn read_all(store: &FileStore) -> Result<u64, StoreError> {
    let checkpoint = store.load("s")?.expect("never a fresh start");
    assert_eq!(store.streams()?, ["s"]);
    let newest: u64 = checkpoint.position.decode().unwrap();
    assert_eq!((checkpoint.revision, checkpoint.delivered), (Revision(newest), newest * IDS));
    for number in 1..=SAVES {
        let expected = if number <= newest { vec![(number, SinkSet::ALL)] } else { vec![] };
        assert_eq!(store.delivered("s", &ids(number))?, vec![expected; IDS as usize], "{number} of {newest}");
    }
    Ok(newest)
}

fn open(dir: &Path, file: &[u8]) -> Result<FileStore, StoreError> {
    fs::write(dir.join("checkpoints.db"), file).unwrap();
    FileStore::open(dir)
}

fn outcome_of(file: &[u8]) -> Outcome {
    let dir = quick_dir();
    let path = dir.path().join("checkpoints.db").display().to_string();
    let outcome = open(dir.path(), file).and_then(|store| {
        let newest = read_all(&store)?;
        // A further save goes through, or is refused.
        let further = Save { position: &Position::encode(&0), delivered: &[], prune_before: 102 };
        match store.save("s", further, Revision(newest)) {
            Ok(_) | Err(StoreError::Corrupt { .. }) => Ok(newest),
            Err(other) => panic!("{other:?}"),
        }
    });
    match outcome {
        Ok(newest) => Outcome::Right(newest),
        Err(StoreError::Corrupt { detail }) => {
            assert!(
                detail.contains(&path) && detail.contains("restore it from a backup, or move"),
                "{detail}"
            );
            Outcome::Refused
        }
        Err(StoreError::Newer { .. }) => Outcome::Newer,
        Err(other) => panic!("{other:?}"),
    }
}

/// A sequence that looks random and is the same every time.
fn scattered(below: usize) -> impl Iterator<Item = usize> {
    let mut state = 7_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    })
}

#[test]
fn a_flipped_bit_is_noticed_or_does_not_matter() {
    for (first, file) in store_files().into_iter().enumerate() {
        let used = used_bytes(&file);
        // Every other byte of both headers, and pages here and there.
        let headers = (0..28).chain(4096..4096 + 320).skip(first).step_by(2);
        let places: Vec<usize> = headers.chain(scattered(used.len()).map(|n| used[n]).take(60)).collect();
        let mut refused = 0;
        for (n, &place) in places.iter().enumerate() {
            let mut damaged = file.clone();
            damaged[place] ^= 1 << (n % 8);
            match outcome_of(&damaged) {
                // The byte that tells redb which of its two last commits is the newest has no checksum.
                Outcome::Right(newest) => {
                    assert!(newest == SAVES || place == 4096 + 9 && newest + 1 == SAVES)
                }
                Outcome::Refused => refused += 1,
                Outcome::Newer => panic!("the format version has a checksum"),
            }
        }
        assert!(refused > 60, "{refused} of {} noticed", places.len());
    }
}

/// Where the file holds anything at all.
fn used_bytes(file: &[u8]) -> Vec<usize> {
    (8192..file.len()).filter(|&place| file[place] != 0).collect()
}

#[test]
fn the_byte_that_chooses_a_commit_never_starts_afresh() {
    for file in store_files() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[4096 + 9] ^= 1 << bit;
            let outcome = outcome_of(&damaged);
            assert!(
                matches!(outcome, Outcome::Refused | Outcome::Right(SAVES) | Outcome::Right(2)),
                "bit {bit}: {outcome:?}"
            );
        }
    }
}

#[test]
fn a_truncated_file_is_refused() {
    for file in store_files() {
        let mut lengths =
            vec![0, 1, 27, 28, 100, 4095, 4096, 4097, 4200, 8191, 8192, 8193, 8192 + 4104, file.len() - 1];
        lengths.extend(scattered(file.len()).take(30));
        for len in lengths {
            let outcome = outcome_of(&file[..len]);
            // The end of the file may be room for pages to come.
            let only_zeros_are_gone = file[len..].iter().all(|&byte| byte == 0);
            assert!(
                outcome == Outcome::Refused || outcome == Outcome::Right(SAVES) && len > 8192,
                "{len} of {}: {outcome:?}, zeros: {only_zeros_are_gone}",
                file.len()
            );
        }
    }
}

#[test]
fn a_file_without_pages_is_left_as_it_is() {
    let [file, _] = store_files();
    let dir = quick_dir();
    for len in [0, 27, 28, 4095, 4096, 4097, 8191] {
        let error = open(dir.path(), &file[..len]).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{len}: {error:?}");
        assert_eq!(fs::read(dir.path().join("checkpoints.db")).unwrap(), &file[..len]);
    }
}

#[test]
fn pages_that_are_swapped_zeroed_or_overwritten_are_noticed() {
    const BLOCK: usize = 4104;
    for file in store_files() {
        let block = |n: usize| 8192 + n * BLOCK..8192 + (n + 1) * BLOCK;
        let used: Vec<usize> = (0..(file.len() - 8192) / BLOCK)
            .filter(|&n| file[block(n)].iter().any(|&byte| byte != 0))
            .collect();
        let mut refused = 0;
        for (&a, &b) in used.iter().zip(&used[1..]).step_by(3) {
            let mut swapped = file.clone();
            let (one, other) = swapped.split_at_mut(block(b).start);
            one[block(a)].swap_with_slice(&mut other[..BLOCK]);
            let mut zeroed = file.clone();
            zeroed[block(a)].fill(0);
            let mut overwritten = file.clone();
            overwritten[block(a)].fill(0xA5);
            for damaged in [swapped, zeroed, overwritten] {
                let outcome = outcome_of(&damaged);
                assert!(
                    matches!(outcome, Outcome::Refused | Outcome::Right(SAVES)),
                    "page {}: {outcome:?}",
                    a + 1
                );
                refused += usize::from(outcome == Outcome::Refused);
            }
        }
        assert!(refused > used.len() / 3, "{refused} of {}", used.len());
    }
}

#[test]
fn another_file_in_the_place_of_the_store_is_refused() {
    let [file, _] = store_files();
    let garbage: Vec<u8> = scattered(256).take(100_000).map(|byte| byte as u8).collect();
    let appended = [&file[..], &garbage].concat();
    let text = b"{\"cursor\":17}\n".repeat(1000);
    let pages_of_another = [&file[..4096], &garbage].concat();
    for file in [&garbage[..], &[0; 100_000], &text, &pages_of_another] {
        assert_eq!(outcome_of(file), Outcome::Refused);
    }
    // Room for pages to come.
    assert_eq!(outcome_of(&appended), Outcome::Right(SAVES));
}

#[test]
fn a_newer_format_is_refused_as_such() {
    let [mut file, _] = store_files();
    file[16..20].copy_from_slice(&2_u32.to_le_bytes());
    let sum = xxhash_rust::xxh3::xxh3_64(&file[..20]);
    file[20..28].copy_from_slice(&sum.to_le_bytes());
    let dir = quick_dir();
    let error = open(dir.path(), &file).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, supported: 1 }));
    assert_eq!(fs::read(dir.path().join("checkpoints.db")).unwrap(), file, "it is left as it is");
}

#[test]
fn a_refused_store_is_refused_again_and_the_directory_is_free() {
    let [file, _] = store_files();
    let dir = quick_dir();
    for _ in 0..3 {
        let error = open(dir.path(), &file[..20_000]).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }));
    }
    fs::write(dir.path().join("checkpoints.db"), &file).unwrap();
    assert_eq!(read_all(&FileStore::open(dir.path()).unwrap()).unwrap(), SAVES);
}
