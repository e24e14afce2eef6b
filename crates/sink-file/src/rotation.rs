//! When a file is put aside, and under which name.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pipeline::Timestamp;

use crate::handle::FILE_MODE;

/// When a file is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// Before it would grow beyond this many bytes.
    pub(crate) max_size: Option<u64>,
    /// Before the first write of another UTC day.
    pub(crate) daily: bool,
}

impl Rotation {
    /// Whether this rotation ever does anything.
    pub(crate) fn is_on(&self) -> bool {
        self.max_size.is_some() || self.daily
    }

    /// Whether a file of `len` bytes, last written at `last_write`, is put aside before `bytes` are written `now`. An
    /// empty file never is; a write is never split, so one that is larger than the limit has a file of its own.
    pub(crate) fn due(&self, len: u64, bytes: u64, last_write: Timestamp, now: Timestamp) -> bool {
        let day = |moment: Timestamp| moment.second().div_euclid(86_400);
        let too_large = self.max_size.is_some_and(|max| len.saturating_add(bytes) > max);
        // Unequal instead of earlier: a clock that was ahead once must not stop rotation until it is caught up with.
        let another_day = self.daily && day(last_write) != day(now);
        len > 0 && (too_large || another_day)
    }
}

/// Creates an empty file under the first free name that `path` can be put aside under, so that moving `path` there
/// overwrites nothing but this file: the kernel gives a name to one caller only.
pub(crate) fn reserve(path: &Path, last_write: Timestamp) -> io::Result<PathBuf> {
    for number in 1..=u32::MAX {
        let name = path.with_file_name(aside(path, last_write, number));
        match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&name) {
            Ok(_) => return Ok(name),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// `events.ndjson` → `events-2026-11-20T10-00-00Z-0001.ndjson`: sorts by time, and no system forbids a character of it.
fn aside(path: &Path, last_write: Timestamp, number: u32) -> OsString {
    let moment = last_write.to_string().replace(':', "-");
    let second = moment.split('.').next().unwrap_or_default();
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{second}Z-{number:04}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    name
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn due_by_size_and_by_day() {
        let (evening, night) = (at("2026-11-19T23:59:59.999Z"), at("2026-11-20T00:00:00Z"));
        let size = Rotation { max_size: Some(100), daily: false };
        assert!(!size.due(60, 40, evening, night));
        assert!(size.due(60, 41, evening, evening));
        assert!(!size.due(0, 1000, evening, night));
        let daily = Rotation { max_size: None, daily: true };
        assert!(daily.due(1, u64::MAX, evening, night));
        assert!(daily.due(1, 1, night, evening));
        assert!(!daily.due(1, 1, night, at("2026-11-20T23:59:59Z")));
        assert!(!daily.due(0, 1, evening, night));
        assert!(!Rotation { max_size: None, daily: false }.due(u64::MAX, 1, evening, night));
    }

    #[test]
    fn names_sort_by_time_and_are_given_once() {
        let dir = tempfile::tempdir().unwrap();
        let moment = at("2026-11-20T10:00:00.999+00:00");
        let mut given: Vec<String> = Vec::new();
        for file in ["events.ndjson", "events.ndjson", "events", "a.b.log", ".hidden"] {
            let path = reserve(&dir.path().join(file), moment).unwrap();
            given.push(path.file_name().unwrap().to_str().unwrap().into());
        }
        let stamp = "2026-11-20T10-00-00Z";
        assert_eq!(
            given,
            [
                format!("events-{stamp}-0001.ndjson"),
                format!("events-{stamp}-0002.ndjson"),
                format!("events-{stamp}-0001"),
                format!("a.b-{stamp}-0001.log"),
                format!(".hidden-{stamp}-0001"),
            ]
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    }
}
