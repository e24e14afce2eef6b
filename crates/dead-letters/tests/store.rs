//! What the store promises: kept is kept, within a size; read by anybody; removed by one at a time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dead_letters::{Change, LetterFiles, LetterStore, LineError, ReadError, Removal, RemovalError, Settled};
use pipeline::{DeadLetters, Letter, LetterError};
use support::{details, files, letter, read, read_all};

const ROOM: u64 = 1 << 30;

fn settled(removed: u64, replaced: u64) -> Settled {
    Settled { removed, replaced }
}

/// Removes the letters that `which` chooses.
fn remove(dir: &Path, which: impl Fn(&Letter) -> bool) -> Settled {
    let mut removal = Removal::begin(dir).unwrap();
    let chosen = read(dir).into_iter().filter(|kept| which(&kept.letter));
    removal.settle(chosen.map(|kept| (kept.place(), Change::Remove))).unwrap()
}

#[test]
fn what_is_kept_is_there_after_reopening_in_the_order_of_time() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("a/dead-letters");
    let mut expected = Vec::new();
    for round in 0..3 {
        let store = LetterStore::open(&dir, ROOM).unwrap();
        assert_eq!(
            (store.count("splunk"), store.count("archive"), store.count("none")),
            (round * 3, round, 0)
        );
        let letters: Vec<_> = (0..3).map(|n| letter("splunk", &format!("{round}/{n}"))).collect();
        store.keep(&letters).unwrap();
        store.keep(&[letter("archive", &format!("{round}"))]).unwrap();
        store.keep(&[]).unwrap();
        expected.extend(letters);
        expected.push(letter("archive", &format!("{round}")));
        assert_eq!((store.count("splunk"), store.count("archive")), (round * 3 + 3, round + 1));
    }
    let kept = read(&dir);
    assert_eq!(kept.iter().map(|kept| kept.letter.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(kept.iter().map(|kept| kept.id).collect::<HashSet<_>>().len(), 12);
    assert_eq!(LetterFiles::in_dir(&dir).letters(Some("archive")).unwrap().count(), 3);

    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(files(&dir).len(), 6);
    assert!(files(&dir).iter().all(|name| mode(&dir.join(name)) == 0o600));
}

#[test]
fn letters_of_several_sinks_in_one_call_are_counted_by_reading() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    store.keep(&[letter("a", "1"), letter("b", "2"), letter("b", "3")]).unwrap();
    store.keep(&[letter("no name/for a file", "4")]).unwrap();
    for store in [store, LetterStore::open(dir.path(), ROOM).unwrap()] {
        assert_eq!((store.count("a"), store.count("b"), store.count("no name/for a file")), (1, 2, 1));
    }
    let of_b: Vec<_> =
        LetterFiles::in_dir(dir.path()).letters(Some("b")).unwrap().map(Result::unwrap).collect();
    assert_eq!(of_b.len(), 2);
    assert_eq!(remove(dir.path(), |letter| &*letter.sink == "b"), settled(2, 0));
    assert_eq!(details(dir.path()), ["1", "4"]);
    assert_eq!(LetterStore::open(dir.path(), ROOM).unwrap().count("b"), 0);
}

#[test]
fn a_full_store_writes_nothing_and_heals_when_another_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let size = {
        let other = tempfile::tempdir().unwrap();
        let store = LetterStore::open(other.path(), ROOM).unwrap();
        store.keep(&[letter("splunk", "0")]).unwrap();
        fs::metadata(other.path().join(&files(other.path())[0])).unwrap().len()
    };
    let max_size = size * 3 + size / 2;
    let store = LetterStore::open(dir.path(), max_size).unwrap();
    for n in 0..3 {
        store.keep(&[letter("splunk", &n.to_string())]).unwrap();
    }
    for store in [&store, &LetterStore::open(dir.path(), max_size).unwrap()] {
        let before = files(dir.path());
        let error = store.keep(&[letter("splunk", "3")]).unwrap_err();
        let path = dir.path().display();
        assert!(matches!(error, LetterError::Full { .. }));
        assert_eq!(
            error.to_string(),
            format!("dead-letter store {path} is full: its {max_size} bytes are used up")
        );
        assert_eq!(files(dir.path()), before);
        assert_eq!(store.count("splunk"), 3);
    }
    // More than fits is refused as a whole.
    let many: Vec<_> = (0..4).map(|n| letter("splunk", &n.to_string())).collect();
    assert_eq!(remove(dir.path(), |letter| &*letter.detail == "1"), settled(1, 0));
    assert!(matches!(store.keep(&many), Err(LetterError::Full { .. })));
    store.keep(&[letter("splunk", "4")]).unwrap();
    assert!(matches!(store.keep(&[letter("splunk", "5")]), Err(LetterError::Full { .. })));
    assert_eq!(details(dir.path()), ["0", "2", "4"]);
    assert_eq!(store.count("splunk"), 3);
}

#[test]
fn threads_keep_at_once_within_the_size() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), 100_000).unwrap();
    let kept: usize = std::thread::scope(|scope| {
        let keepers: Vec<_> = (0..4)
            .map(|thread| {
                let store = &store;
                scope.spawn(move || {
                    let keep = |n: &usize| store.keep(&[letter("splunk", &format!("{thread}/{n}"))]).is_ok();
                    (0..60).filter(keep).count()
                })
            })
            .collect();
        keepers.into_iter().map(|keeper| keeper.join().unwrap()).sum()
    });
    let bytes: u64 =
        files(dir.path()).iter().map(|name| dir.path().join(name).metadata().unwrap().len()).sum();
    assert!(bytes <= 100_000 && bytes > 98_000, "{bytes}");
    assert_eq!((details(dir.path()).len(), store.count("splunk")), (kept, kept as u64));
}

#[test]
fn a_deleted_directory_is_created_again() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("dead-letters");
    let store = LetterStore::open(&dir, ROOM).unwrap();
    store.keep(&[letter("splunk", "0")]).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    assert!(read_all(&dir).is_empty());
    store.keep(&[letter("splunk", "1")]).unwrap();
    assert_eq!(details(&dir), ["1"]);
}

#[test]
fn removing_and_changing_leaves_the_rest_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    let letters: Vec<_> = (0..5).map(|n| letter("splunk", &n.to_string())).collect();
    store.keep(&letters).unwrap();
    store.keep(&[letter("splunk", "5")]).unwrap();
    let before = read(dir.path());

    let mut removal = Removal::begin(dir.path()).unwrap();
    let changed = Letter { attempts: 9, detail: "again".into(), ..letters[3].clone() };
    let replace = |n: usize, letter: &Letter| (before[n].place(), Change::Replace(Box::new(letter.clone())));
    let changes =
        [(before[1].place(), Change::Remove), replace(3, &changed), (before[5].place(), Change::Remove)];
    assert_eq!(removal.settle(changes).unwrap(), settled(2, 1));
    // Places that were read before still lead to the letters, however often their file was replaced since.
    assert_eq!(removal.settle([(before[0].place(), Change::Remove)]).unwrap(), settled(1, 0));
    let twice = Letter { attempts: 10, ..changed.clone() };
    assert_eq!(removal.settle([replace(3, &twice), replace(1, &twice)]).unwrap(), settled(0, 1));
    assert_eq!(removal.settle([(before[5].place(), Change::Remove)]).unwrap(), settled(0, 0));

    let after = read(dir.path());
    assert_eq!(after.iter().map(|kept| kept.id).collect::<Vec<_>>(), [2, 3, 4].map(|n: usize| before[n].id));
    assert_eq!((&after[0].line, &after[2].line), (&before[2].line, &before[4].line));
    assert_eq!(after[1].letter, twice);
    assert_eq!(files(dir.path()).len(), 1);
    drop(removal);
    assert_eq!(LetterStore::open(dir.path(), ROOM).unwrap().count("splunk"), 3);
    assert_eq!(remove(dir.path(), |_| true), settled(3, 0));
    assert!(files(dir.path()).is_empty());
}

#[test]
fn one_at_a_time_may_remove_while_others_read_and_keep() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    store.keep(&[letter("splunk", "0")]).unwrap();
    let removal = Removal::begin(dir.path()).unwrap();
    let error = Removal::begin(dir.path()).unwrap_err();
    assert!(matches!(error, RemovalError::InUse { pid, .. } if pid == std::process::id()), "{error}");
    store.keep(&[letter("splunk", "1")]).unwrap();
    assert_eq!(details(dir.path()), ["0", "1"]);
    drop(removal);
    Removal::begin(dir.path()).unwrap();
}

/// A reader that is on its way while files are replaced and deleted under it sees what stays, once.
#[test]
fn a_reader_follows_what_is_replaced_under_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    for file in 0..4 {
        let letters: Vec<_> = (0..3).map(|n| letter("splunk", &format!("{file}/{n}"))).collect();
        store.keep(&letters).unwrap();
    }
    let mut reading = LetterFiles::in_dir(dir.path()).letters(None).unwrap();
    let first = reading.next().unwrap().unwrap();
    assert_eq!(&*first.letter.detail, "0/0");
    remove(dir.path(), |letter| matches!(&*letter.detail, "0/1" | "1/0" | "2/0" | "2/1" | "2/2" | "3/2"));
    remove(dir.path(), |letter| &*letter.detail == "3/0");
    let rest: Vec<_> = reading.map(|kept| kept.unwrap().letter.detail.to_string()).collect();
    // The first file was in memory already.
    assert_eq!(rest, ["0/1", "0/2", "1/1", "1/2", "3/1"]);
}

/// Turns one line of the only file into something else.
fn edit(dir: &Path, edit: impl Fn(&str) -> String) {
    let path = dir.join(&files(dir)[0]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, edit(&text)).unwrap();
}

#[test]
fn what_cannot_be_read_is_told_with_its_place_and_never_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    let letters: Vec<_> = (0..4).map(|n| letter("splunk", &n.to_string())).collect();
    store.keep(&letters).unwrap();
    let lines_of = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    edit(dir.path(), |text| {
        let mut lines = lines_of(text);
        lines[1] = lines[1].replace("\"v\":1", "\"v\":2");
        lines[2] = "\u{1}not a letter".to_owned();
        lines.join("\n") + "\n"
    });
    let file = dir.path().join(&files(dir.path())[0]);
    let all = read_all(dir.path());
    assert_eq!(all.iter().filter(|kept| kept.is_ok()).count(), 2);
    let errors: Vec<_> = all.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors[0].to_string(), format!("{}, line 2, is no letter", file.display()));
    assert!(matches!(
        &errors[0],
        ReadError::Line { line: 2, source: LineError::Newer { found: 2, supported: 1 }, .. }
    ));
    assert!(matches!(&errors[1], ReadError::Line { line: 3, source: LineError::Unreadable(_), .. }));

    // All that can be read is removed; the rest stays as it is, and still counts.
    let mut removal = Removal::begin(dir.path()).unwrap();
    let readable = read_all(dir.path()).into_iter().flatten();
    let done = removal.settle(readable.map(|kept| (kept.place(), Change::Remove))).unwrap();
    assert_eq!(done, settled(2, 0));
    let left = fs::read_to_string(dir.path().join(&files(dir.path())[0])).unwrap();
    assert_eq!(lines_of(&left).len(), 2);
    assert!(left.ends_with("\n\u{1}not a letter\n"), "{left}");
    assert_eq!(LetterStore::open(dir.path(), ROOM).unwrap().count("splunk"), 2);
}

#[test]
fn a_file_that_was_cut_short_or_has_a_strange_name_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = LetterStore::open(dir.path(), ROOM).unwrap();
    let letters: Vec<_> = (0..3).map(|n| letter("splunk", &n.to_string())).collect();
    store.keep(&letters).unwrap();
    // At a line break: each line that is left is whole.
    edit(dir.path(), |text| text.split_inclusive('\n').take(2).collect());
    fs::write(dir.path().join("my copy.ndjson"), "").unwrap();
    let all = read_all(dir.path());
    assert!(matches!(&all[0], Err(ReadError::Name { path }) if path.ends_with("my copy.ndjson")));
    assert!(all[1].is_ok() && all[2].is_ok());
    assert!(matches!(&all[3], Err(ReadError::Count { expected: 3, found: 2, .. })));
    assert_eq!(all.len(), 4);
    // In the middle of a line.
    edit(dir.path(), |text| text[..text.len() - 10].to_owned());
    let all = read_all(dir.path());
    assert!(matches!(&all[2], Err(ReadError::Line { line: 2, .. })));
    assert!(dir.path().join("my copy.ndjson").exists());
}
