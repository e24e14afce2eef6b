//! What a file's name says: `2026-11-20T10-00-00-123Z-0000-9f86d081884c7d65.12.splunk.ndjson`.
//!
//! - the **stem** up to the first dot says when the letters were kept (UTC), the how many-th file of that millisecond it is
//!   within its process, and a random number. Sorted as text, stems are sorted by time;
//! - the number of letters in it, so that nobody has to read files to count;
//! - the sink whose letters they are; missing when they are of several sinks, or when its name does not suit a file.
//!
//! Two files with one stem are two versions of one file: a removal that was cut off left both. The one with fewer
//! letters is the newer, and whole, because it got its name when it was on the disk.

use std::fmt;

use pipeline::{Letter, Timestamp};

/// What all files of letters end in.
pub(crate) const SUFFIX: &str = ".ndjson";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName {
    /// When, and which one.
    pub(crate) stem: Box<str>,
    /// How many letters.
    pub(crate) count: u64,
    /// Whose, if of one sink.
    pub(crate) sink: Option<Box<str>>,
}

impl FileName {
    /// Reads a name; `None` when it is not one that [`FileName::fmt`] writes.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (stem, rest) = name.strip_suffix(SUFFIX)?.split_once('.')?;
        let (count, sink) = match rest.split_once('.') {
            Some((count, sink)) => (count, Some(sink)),
            None => (rest, None),
        };
        let is_stem = !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let parsed = Self { stem: stem.into(), count: count.parse().ok()?, sink: sink.map(Into::into) };
        let is_ours = is_stem && sink.is_none_or(suits) && parsed.to_string() == name;
        is_ours.then_some(parsed)
    }

    /// The next version of the same file, with fewer letters.
    pub(crate) fn with_count(&self, count: u64) -> Self {
        Self { count, ..self.clone() }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stem, self.count)?;
        if let Some(sink) = &self.sink {
            write!(f, ".{sink}")?;
        }
        f.write_str(SUFFIX)
    }
}

/// Whether a sink's name may stand in a file's.
fn suits(sink: &str) -> bool {
    (1..=100).contains(&sink.len())
        && sink.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// The sink of all the letters, if it is one, and suits a name.
pub(crate) fn sink_of(letters: &[Letter]) -> Option<Box<str>> {
    let first = &letters.first()?.sink;
    (suits(first) && letters.iter().all(|letter| letter.sink == *first)).then(|| first.clone())
}

/// Gives out stems that grow, within one process even when its clock goes back.
#[derive(Debug, Default)]
pub(crate) struct Stems {
    last: Option<(Timestamp, u32)>,
}

impl Stems {
    const MAX_IN_A_MILLISECOND: u32 = 9999;

    /// The next stem, at `now` or just after the last one.
    pub(crate) fn next(&mut self, now: Timestamp) -> Box<str> {
        let (time, n) = match self.last {
            Some((last, n)) if now <= last && n < Self::MAX_IN_A_MILLISECOND => (last, n + 1),
            Some((last, _)) if now <= last => (Timestamp::from_millis(last.as_millis() + 1), 0),
            _ => (now, 0),
        };
        self.last = Some((time, n));
        // Another process may use the same directory at the same time, or this one again after its clock went back.
        let random = fastrand::u64(..);
        let time = time.to_string().replace([':', '.'], "-");
        format!("{time}-{n:04}-{random:016x}").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_how_many_and_whose() {
        let mut stems = Stems::default();
        let stem = stems.next("2026-11-20T10:00:00.123Z".parse().unwrap());
        assert!(stem.starts_with("2026-11-20T10-00-00-123Z-0000-"), "{stem}");
        for sink in [None, Some("splunk".into()), Some("a-b_C9".into())] {
            let name = FileName { stem: stem.clone(), count: 12, sink };
            assert_eq!(FileName::parse(&name.to_string()), Some(name));
        }
        let with_sink = FileName::parse("a-1.12.splunk.ndjson").unwrap();
        assert_eq!((with_sink.count, with_sink.sink.as_deref()), (12, Some("splunk")));
        for name in [
            "a.ndjson",
            "a.b.ndjson",
            "a.1.ndjson.tmp",
            ".1.ndjson",
            "a.01.ndjson",
            "a.+1.ndjson",
            "a.1..ndjson",
            "a.1.b.c.ndjson",
            "a_b.1.ndjson",
            "a.1.b c.ndjson",
            "a.1.json",
            "lock",
            "",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn stems_grow_also_when_the_clock_stands_still_or_goes_back() {
        let mut stems = Stems::default();
        let clock = [5_000, 5_000, 5_001, 4_000, 4_000, 5_000, 5_002, -1, 5_002];
        let given: Vec<_> = clock.map(|millis| stems.next(Timestamp::from_millis(millis))).into();
        assert!(given.is_sorted_by(|a, b| a < b), "{given:?}");
        let many: Vec<_> = (0..25_000).map(|_| stems.next(Timestamp::from_millis(0))).collect();
        assert!(many.is_sorted_by(|a, b| a < b));
    }
}
