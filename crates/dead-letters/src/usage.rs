//! How many letters there are, and how many bytes their files take.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use crate::listing::Listing;
use crate::read::LetterFiles;

/// What a look at the directory found, and what this process has added since. Others may have removed or added meanwhile.
#[derive(Debug)]
pub(crate) struct Usage {
    /// Bytes of all files of letters.
    pub(crate) bytes: u64,
    counts: HashMap<Box<str>, u64>,
    looked: Instant,
    /// When the directory last changed, as far as the look can tell: `None` when it changed so shortly before that a change
    /// just after would bear the same time.
    settled: Option<SystemTime>,
}

/// More than the granularity of any clock that file systems use.
const SHORTLY: Duration = Duration::from_secs(2);

impl Usage {
    /// Looks at the names and sizes of all files; reads only those whose name does not say whose letters they hold.
    pub(crate) fn of(dir: &Path) -> io::Result<Self> {
        let looked = Instant::now();
        let settled = modified(dir)?.filter(|modified| {
            SystemTime::now().duration_since(*modified).is_ok_and(|since| since > SHORTLY)
        });
        let listing = Listing::of(dir)?;
        let mut usage = Self { bytes: 0, counts: HashMap::new(), looked, settled };
        for file in &listing.files {
            match &file.name.sink {
                Some(sink) => usage.count_in(sink, file.name.count),
                None => usage.count_mixed(file),
            }
        }
        let files = listing.files.iter().map(|file| &file.path);
        for path in files.chain(&listing.superseded).chain(&listing.foreign) {
            match fs::symlink_metadata(path) {
                Ok(metadata) => usage.bytes += metadata.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(usage)
    }

    fn count_mixed(&mut self, file: &crate::listing::Listed) {
        for kept in LetterFiles::letters_of(file.clone()) {
            match kept {
                Ok(kept) => self.count_in(&kept.letter.sink, 1),
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "a dead letter cannot be read, and is not counted");
                }
            }
        }
    }

    fn count_in(&mut self, sink: &str, letters: u64) {
        match self.counts.get_mut(sink) {
            Some(count) => *count += letters,
            None => {
                self.counts.insert(sink.into(), letters);
            }
        }
    }

    /// How many letters of `sink`.
    pub(crate) fn count(&self, sink: &str) -> u64 {
        self.counts.get(sink).copied().unwrap_or_default()
    }

    /// Takes in a file that this process has added.
    pub(crate) fn add<'a>(&mut self, bytes: u64, sinks: impl IntoIterator<Item = &'a str>) {
        self.bytes += bytes;
        for sink in sinks {
            self.count_in(sink, 1);
        }
    }

    /// Since the look.
    pub(crate) fn age(&self) -> Duration {
        self.looked.elapsed()
    }

    /// Whether something in the directory may have changed since the look, by this process or another.
    pub(crate) fn may_be_outdated(&self, dir: &Path) -> bool {
        self.settled.is_none() || modified(dir).ok().flatten() != self.settled
    }
}

/// When the directory last changed; `None` when it is not there.
fn modified(dir: &Path) -> io::Result<Option<SystemTime>> {
    match fs::metadata(dir).and_then(|metadata| metadata.modified()) {
        Ok(modified) => Ok(Some(modified)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An error with its causes, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
