//! Which files there are in the directory, and which of them count.

use std::io;
use std::path::{Path, PathBuf};

use crate::name::{FileName, SUFFIX};

/// The files of letters at one moment.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Those that count, in the order of time.
    pub(crate) files: Vec<Listed>,
    /// Older versions of files that count, left by a removal that was cut off.
    pub(crate) superseded: Vec<PathBuf>,
    /// Files that are called `*.ndjson`, but in no way that we know.
    pub(crate) foreign: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: FileName,
    pub(crate) path: PathBuf,
}

impl Listing {
    /// Reads the directory; one that is not there is empty.
    pub(crate) fn of(dir: &Path) -> io::Result<Self> {
        let entries = match dir.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            entries => entries?,
        };
        let mut listing = Self::default();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            // Hidden ones are somebody's notes or being written; others are not called like letters.
            let Some(text) = name.to_str().filter(|name| !name.starts_with('.') && name.ends_with(SUFFIX))
            else {
                continue;
            };
            match FileName::parse(text) {
                Some(name) => listing.files.push(Listed { name, path: entry.path() }),
                None => listing.foreign.push(entry.path()),
            }
        }
        listing.foreign.sort_unstable();
        listing
            .files
            .sort_unstable_by(|a, b| (&a.name.stem, a.name.count).cmp(&(&b.name.stem, b.name.count)));
        let superseded = &mut listing.superseded;
        listing.files.dedup_by(|later, first| {
            let older = later.name.stem == first.name.stem;
            if older {
                superseded.push(std::mem::take(&mut later.path));
            }
            older
        });
        Ok(listing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_versions_the_one_with_fewer_letters_counts() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b-0002.10.splunk.ndjson",
            "b-0002.9.splunk.ndjson",
            "b-0002.11.splunk.ndjson",
            "a-0001.3.ndjson",
            "c-0003.1.x.ndjson",
            "notes.ndjson",
            ".hidden.ndjson",
            ".letters-x.tmp",
            "removal.lock",
            "read me",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let listing = Listing::of(dir.path()).unwrap();
        let names = |paths: &mut dyn Iterator<Item = &PathBuf>| -> Vec<String> {
            paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            names(&mut listing.files.iter().map(|file| &file.path)),
            ["a-0001.3.ndjson", "b-0002.9.splunk.ndjson", "c-0003.1.x.ndjson"]
        );
        assert_eq!(
            names(&mut listing.superseded.iter()),
            ["b-0002.10.splunk.ndjson", "b-0002.11.splunk.ndjson"]
        );
        assert_eq!(names(&mut listing.foreign.iter()), ["notes.ndjson"]);
        assert!(Listing::of(&dir.path().join("nowhere")).unwrap().files.is_empty());
    }
}
