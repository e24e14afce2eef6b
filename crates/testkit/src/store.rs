//! What every checkpoint store must do, whatever it is made of: [`conforms`], called in a test of the store's crate.

#![allow(clippy::unwrap_used, reason = "a suite fails by panicking")]

use std::path::Path;

use pipeline::{CheckpointStore, Position, RecordId, Revision, Save, SinkSet, StoreError};

/// Opens the store that lives in a directory, creating it when there is none.
pub type Open = fn(&Path) -> Box<dyn CheckpointStore>;

/// Runs the whole suite, each part on a store of its own.
///
/// # Panics
/// When the store does not conform.
pub fn conforms(open: Open) {
    for part in [
        an_empty_store_has_nothing,
        a_save_follows_the_revision_that_it_expects,
        a_conflict_changes_nothing,
        streams_do_not_touch_each_other,
        a_position_comes_back_byte_for_byte,
        answers_come_in_the_order_of_the_questions,
        versions_are_kept_newest_last,
        sinks_of_one_version_add_up,
        old_ids_are_forgotten_and_others_kept,
        sinks_keep_their_numbers,
        a_reset_forgets_one_stream,
        everything_survives_reopening,
        of_racing_savers_one_wins,
    ] {
        let dir = tempfile::tempdir().unwrap();
        part(&|| open(dir.path()));
    }
}

type Reopen<'a> = &'a dyn Fn() -> Box<dyn CheckpointStore>;
type Delivered = (RecordId, SinkSet);

fn id(second: i64, native: u64, content: u64) -> RecordId {
    RecordId { second, native, content }
}

fn all(ids: impl IntoIterator<Item = RecordId>) -> Vec<Delivered> {
    ids.into_iter().map(|id| (id, SinkSet::ALL)).collect()
}

fn save(
    store: &dyn CheckpointStore,
    stream: &str,
    position: u64,
    delivered: &[Delivered],
) -> Result<Revision, StoreError> {
    let expected = store.load(stream)?.map_or(Revision(0), |checkpoint| checkpoint.revision);
    save_pruned(store, stream, position, delivered, i64::MIN, expected)
}

fn save_pruned(
    store: &dyn CheckpointStore,
    stream: &str,
    position: u64,
    delivered: &[Delivered],
    prune_before: i64,
    expected: Revision,
) -> Result<Revision, StoreError> {
    let position = Position::encode(&position);
    store.save(stream, Save { position: &position, delivered, prune_before }, expected)
}

fn position(store: &dyn CheckpointStore, stream: &str) -> u64 {
    store.load(stream).unwrap().unwrap().position.decode().unwrap()
}

/// Contents and sinks remembered under one id.
fn known(store: &dyn CheckpointStore, stream: &str, id: RecordId) -> Vec<(u64, SinkSet)> {
    store.delivered(stream, &[id]).unwrap().remove(0)
}

fn an_empty_store_has_nothing(open: Reopen<'_>) {
    let store = open();
    assert_eq!(store.streams().unwrap(), Vec::<String>::new());
    assert_eq!(store.load("s").unwrap(), None);
    assert_eq!(store.delivered("s", &[id(1, 2, 3)]).unwrap(), [vec![]]);
    assert_eq!(store.delivered("s", &[]).unwrap(), Vec::<Vec<_>>::new());
    store.reset("s").unwrap();
}

fn a_save_follows_the_revision_that_it_expects(open: Reopen<'_>) {
    let store = open();
    for n in 0..3 {
        assert_eq!(save_pruned(&*store, "s", n, &[], i64::MIN, Revision(n)).unwrap(), Revision(n + 1));
        assert_eq!(
            (position(&*store, "s"), store.load("s").unwrap().unwrap().revision),
            (n, Revision(n + 1))
        );
    }
}

fn a_conflict_changes_nothing(open: Reopen<'_>) {
    let store = open();
    save(&*store, "s", 1, &all([id(1, 1, 1)])).unwrap();
    save(&*store, "s", 2, &[]).unwrap();
    let before = store.load("s").unwrap();
    for expected in [0, 1, 3] {
        let conflict = save_pruned(&*store, "s", 9, &all([id(9, 9, 9)]), 2, Revision(expected)).unwrap_err();
        assert!(
            matches!(&conflict, StoreError::Conflict { stream, expected: e, found: 2 } if stream == "s" && *e == expected)
        );
    }
    assert_eq!(store.load("s").unwrap(), before);
    assert_eq!(known(&*store, "s", id(9, 9, 9)), []);
    assert_eq!(known(&*store, "s", id(1, 1, 1)), [(1, SinkSet::ALL)]);

    let none_yet = save_pruned(&*store, "new", 1, &[], i64::MIN, Revision(1)).unwrap_err();
    assert!(matches!(none_yet, StoreError::Conflict { expected: 1, found: 0, .. }));
    assert_eq!(store.streams().unwrap(), ["s"]);
}

fn streams_do_not_touch_each_other(open: Reopen<'_>) {
    let store = open();
    let long = "x".repeat(1000);
    let names = ["b", "a", "a/b", "ü", "", "delivered/a", "checkpoints", &long];
    for (n, name) in (0..).zip(names) {
        save(&*store, name, n, &all([id(1, n, n)])).unwrap();
    }
    for (n, name) in (0..).zip(names) {
        assert_eq!(position(&*store, name), n);
        for m in 0..names.len() as u64 {
            let expected = if m == n { vec![(n, SinkSet::ALL)] } else { vec![] };
            assert_eq!(known(&*store, name, id(1, m, m)), expected);
        }
    }
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(store.streams().unwrap(), sorted);
}

fn a_position_comes_back_byte_for_byte(open: Reopen<'_>) {
    let store = open();
    let text = r#" {"cursor": 123456789012345678901234567890, "b":1.0, "a":"ü\u0000" } "#;
    let position = Position::from_json(text).unwrap();
    let save = Save { position: &position, delivered: &[], prune_before: i64::MIN };
    store.save("s", save, Revision(0)).unwrap();
    assert_eq!(store.load("s").unwrap().unwrap().position.as_str(), text);
}

fn answers_come_in_the_order_of_the_questions(open: Reopen<'_>) {
    let store = open();
    // Saved in no order, and more than fits any one page or cache line.
    let scattered = |n: u64| id((n * 7919 % 1009) as i64 - 500, n.wrapping_mul(0x9E37_79B9_7F4A_7C15), n);
    for chunk in (0..20_000).collect::<Vec<u64>>().chunks(6000) {
        save(&*store, "s", 0, &all(chunk.iter().map(|&n| scattered(n)))).unwrap();
    }
    assert_eq!(store.load("s").unwrap().unwrap().delivered, 20_000);
    let questions: Vec<_> = (0..21_000).rev().step_by(3).map(scattered).collect();
    for (question, answer) in questions.iter().zip(store.delivered("s", &questions).unwrap()) {
        let expected =
            if question.content < 20_000 { vec![(question.content, SinkSet::ALL)] } else { vec![] };
        assert_eq!(answer, expected);
    }
    let twice = store.delivered("s", &[scattered(5), scattered(5)]).unwrap();
    assert_eq!(twice[0], twice[1]);
}

fn versions_are_kept_newest_last(open: Reopen<'_>) {
    let store = open();
    save(&*store, "s", 0, &all([id(1, 7, 50)])).unwrap();
    save(&*store, "s", 0, &all([id(1, 7, 90), id(1, 7, 10)])).unwrap();
    save(&*store, "s", 0, &all([id(1, 7, 70), id(1, 7, 50)])).unwrap();
    let contents = [50, 90, 10, 70];
    assert_eq!(known(&*store, "s", id(1, 7, 0)), contents.map(|content| (content, SinkSet::ALL)));
    assert_eq!(store.load("s").unwrap().unwrap().delivered, 4);
    // Another second or another native id is another record.
    assert_eq!(known(&*store, "s", id(2, 7, 50)), []);
    assert_eq!(known(&*store, "s", id(1, 8, 50)), []);
}

fn sinks_of_one_version_add_up(open: Reopen<'_>) {
    let store = open();
    let (first, second) = (SinkSet::NONE.with(0), SinkSet::NONE.with(2));
    save(&*store, "s", 0, &[(id(1, 1, 1), first), (id(1, 1, 2), SinkSet::NONE)]).unwrap();
    save(&*store, "s", 0, &[(id(1, 1, 1), second), (id(2, 2, 2), first), (id(2, 2, 2), second)]).unwrap();
    assert_eq!(known(&*store, "s", id(1, 1, 1)), [(1, first.with(2)), (2, SinkSet::NONE)]);
    assert_eq!(known(&*store, "s", id(2, 2, 2)), [(2, first.with(2))]);
    save(&*store, "s", 0, &all([id(1, 1, 1)])).unwrap();
    save(&*store, "s", 0, &[(id(1, 1, 1), first)]).unwrap();
    assert_eq!(known(&*store, "s", id(1, 1, 1)), [(1, SinkSet::ALL), (2, SinkSet::NONE)]);
    assert_eq!(store.load("s").unwrap().unwrap().delivered, 3);
}

fn old_ids_are_forgotten_and_others_kept(open: Reopen<'_>) {
    let store = open();
    let seconds = [i64::MIN, -5, 0, 99, 100, 101, RecordId::TIMELESS];
    save(&*store, "s", 0, &all((0..30_000).map(|n| id(n % 90, n as u64, 1)))).unwrap();
    save(&*store, "s", 0, &all(seconds.map(|second| id(second, 1 << 40, 1)))).unwrap();
    let remembered = || store.load("s").unwrap().unwrap();
    // A store may forget bit by bit, but not for ever, and what it says it remembers must be true.
    let prune = |before, left| {
        for _ in 0..100 {
            if remembered().delivered == left {
                break;
            }
            save_pruned(&*store, "s", 0, &[], before, remembered().revision).unwrap();
        }
        assert_eq!(remembered().delivered, left);
        // Nothing more goes.
        save_pruned(&*store, "s", 0, &[], before, remembered().revision).unwrap();
        assert_eq!(remembered().delivered, left);
    };
    let kept = || seconds.map(|second| !known(&*store, "s", id(second, 1 << 40, 1)).is_empty());

    prune(i64::MIN, 30_007);
    prune(100, 3);
    assert_eq!(kept(), [false, false, false, false, true, true, true]);
    assert_eq!(known(&*store, "s", id(0, 0, 1)), []);
    prune(i64::MAX, 1);
    assert_eq!(kept(), [false, false, false, false, false, false, true]);
}

fn sinks_keep_their_numbers(open: Reopen<'_>) {
    let numbers = |stream: &str, names: &[&str]| open().sink_numbers(stream, names).unwrap();
    assert_eq!(numbers("s", &["archive", "splunk"]), [0, 1]);
    assert_eq!(numbers("s", &["splunk", "kafka", "archive", "splunk"]), [1, 2, 0, 1]);
    assert_eq!(numbers("t", &["kafka"]), [0]);
    assert_eq!(numbers("s", &["new", "kafka"]), [3, 2]);
    assert_eq!(numbers("s", &[]), [] as [u32; 0]);

    let store = open();
    let names: Vec<String> = (0..65).map(|n| format!("sink-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(store.sink_numbers("many", &names[..64]).unwrap(), (0..64).collect::<Vec<u32>>());
    let error = store.sink_numbers("many", &names[1..]).unwrap_err().to_string();
    assert!(error.contains("many") && error.contains("sink-64"), "{error}");
    assert_eq!(store.sink_numbers("many", &["sink-63"]).unwrap(), [63]);
    assert_eq!(store.streams().unwrap(), [] as [String; 0]);
}

fn a_reset_forgets_one_stream(open: Reopen<'_>) {
    let store = open();
    for stream in ["a", "ab", "b"] {
        save(&*store, stream, 5, &all((0..5000).map(|n| id(1, n, 1)))).unwrap();
        store.sink_numbers(stream, &["x", "y"]).unwrap();
    }
    store.reset("a").unwrap();
    assert_eq!(store.streams().unwrap(), ["ab", "b"]);
    assert_eq!(store.load("a").unwrap(), None);
    assert_eq!(known(&*store, "a", id(1, 1, 1)), []);
    assert_eq!(store.sink_numbers("a", &["y"]).unwrap(), [0]);
    assert_eq!(store.sink_numbers("ab", &["y"]).unwrap(), [1]);
    assert_eq!(known(&*store, "b", id(1, 1, 1)), [(1, SinkSet::ALL)]);
    assert_eq!(save_pruned(&*store, "a", 6, &[], i64::MIN, Revision(0)).unwrap(), Revision(1));
    assert_eq!(store.load("a").unwrap().unwrap().delivered, 0);
}

fn everything_survives_reopening(open: Reopen<'_>) {
    let some = SinkSet::NONE.with(1);
    for n in 1..4 {
        let store = open();
        save(&*store, "s", n, &[(id(1, n, n), some)]).unwrap();
    }
    let store = open();
    assert_eq!(store.load("s").unwrap().unwrap().revision, Revision(3));
    assert_eq!(position(&*store, "s"), 3);
    for n in 1..4 {
        assert_eq!(known(&*store, "s", id(1, n, 0)), [(n, some)]);
    }
}

fn of_racing_savers_one_wins(open: Reopen<'_>) {
    let store = open();
    let race = |saver: u64| {
        let mut won = Vec::new();
        for round in 0..20 {
            let number = round * 10 + saver;
            match save_pruned(&*store, "s", number, &all([id(1, number, 1)]), i64::MIN, Revision(round)) {
                Ok(revision) => {
                    assert_eq!(revision, Revision(round + 1));
                    won.push(number);
                }
                Err(StoreError::Conflict { .. }) => {
                    while store.load("s").unwrap().is_none_or(|checkpoint| checkpoint.revision.0 <= round) {
                        std::thread::yield_now();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        won
    };
    let winners: Vec<u64> = std::thread::scope(|scope| {
        let savers: Vec<_> = (0..3).map(|saver| scope.spawn(move || race(saver))).collect();
        savers.into_iter().flat_map(|saver| saver.join().unwrap()).collect()
    });
    assert_eq!(winners.len(), 20);
    assert_eq!(store.load("s").unwrap().unwrap().delivered, 20);
    for number in winners {
        assert_eq!(known(&*store, "s", id(1, number, 1)).len(), 1);
    }
}
