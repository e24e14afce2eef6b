//! Letters to keep, and looking at what is there.

#![allow(dead_code, reason = "each test uses a part")]

use std::path::Path;

use dead_letters::{KeptLetter, LetterFiles, ReadError};
use pipeline::{Letter, LetterRecord, Origin, RecordId, Schema, Timestamp, View};

/// A letter that can be told from others by `detail`.
pub(crate) fn letter(sink: &str, detail: &str) -> Letter {
    let (source, kind, dataset) = ("postman".into(), "postman".into(), "postman.audit".into());
    Letter {
        time: Timestamp::from_millis(1_795_165_523_120),
        origin: Origin { source, kind, dataset, labels: vec![("env".into(), "prod".into())] }.into(),
        sink: sink.into(),
        view: View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true }.into(),
        event_id: 42,
        fan_out: 0,
        reason: "mapping".into(),
        detail: detail.into(),
        attempts: 1,
        sent: "{\"class_uid\":3002}".into(),
        record: Some(LetterRecord {
            text: b"{\"id\":17,\"action\":\"user.login\xff\"}".as_slice().into(),
            id: RecordId { second: 1_795_165_523, native: 17, content: u64::MAX },
            collected_at: Timestamp::from_millis(1_795_165_524_000),
        }),
    }
}

pub(crate) fn read_all(dir: &Path) -> Vec<Result<KeptLetter, ReadError>> {
    LetterFiles::in_dir(dir).letters(None).unwrap().collect()
}

/// All of them, each readable.
pub(crate) fn read(dir: &Path) -> Vec<KeptLetter> {
    read_all(dir).into_iter().map(Result::unwrap).collect()
}

pub(crate) fn details(dir: &Path) -> Vec<String> {
    read(dir).into_iter().map(|kept| kept.letter.detail.into()).collect()
}

/// Names of everything in the directory but the lock, sorted.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let names = dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "removal.lock").collect();
    names.sort();
    names
}
