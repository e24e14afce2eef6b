//! What can go wrong with letters that are there.

use std::io;
use std::path::{Path, PathBuf};

use pipeline::BoxError;

/// A letter, or a file of letters, cannot be read. Nothing is deleted because of it, and the others can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk refused.
    #[error("cannot read {}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// A line is no letter.
    #[error("{}, line {line}, is no letter", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why.
        #[source]
        source: LineError,
    },
    /// There are not as many lines as the name says: the file was cut short, or edited.
    #[error("{} has {found} lines, and its name says {expected}: it was cut short or edited", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// What its name says.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// The file is called `*.ndjson`, but in no way that this release writes.
    #[error(
        "{} is no file of letters of this release, which name theirs by time, number and sink; \
         move it away if it is none, or use the release that wrote it",
        path.display()
    )]
    Name {
        /// The file.
        path: PathBuf,
    },
}

/// Why a line is no letter.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A newer Towpath wrote it.
    #[error("a newer Towpath wrote it: its format is {found}, and this one reads up to {supported}")]
    Newer {
        /// The version that it names.
        found: u64,
        /// The newest one that this release reads.
        supported: u64,
    },
    /// Its JSON, or what the JSON says, makes no sense.
    #[error("it is damaged or was edited")]
    Unreadable(#[source] BoxError),
}

/// Letters could not be removed or changed. Those that were not to be are all still there.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    /// Somebody else removes letters at the moment.
    #[error("process {pid} is removing or replaying letters in {}; try again when it has ended", dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process; 0 when it did not say.
        pid: u32,
    },
    /// The disk refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried, e.g. `delete`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What happened.
        #[source]
        source: io::Error,
    },
}

impl RemovalError {
    /// Turns an I/O error into this one, for `map_err`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}
