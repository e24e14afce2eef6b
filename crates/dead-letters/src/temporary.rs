//! Files that are being written, and those that a crash left.
//!
//! Whoever writes a temporary file holds a lock on it, which ends with the process however it dies. So a temporary file
//! that can be locked is a leftover. Between creating a file and locking it, it looks like one: its writer notices by the
//! number of its names, and takes another.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::directory;

const PREFIX: &str = ".letters-";
const SUFFIX: &str = ".tmp";

/// Writes `text` to a new file with mode 0600 and a temporary name, and flushes it. Dropping it deletes it; `persist` gives
/// it its name.
pub(crate) fn write(dir: &Path, text: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = create(dir)?;
    io::Write::write_all(file.as_file_mut(), text)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn create(dir: &Path) -> io::Result<NamedTempFile> {
    loop {
        // It has mode 0600.
        let file = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempfile_in(dir)?;
        file.as_file().lock()?;
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

/// Deletes what crashes have left, and nothing that is being written. Returns how many files that were.
pub(crate) fn delete_leftovers(dir: &Path) -> io::Result<usize> {
    let mut deleted = 0;
    for entry in dir.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_ours && delete_leftover(&entry.path())? {
            deleted += 1;
        }
    }
    Ok(deleted)
}

fn delete_leftover(path: &Path) -> io::Result<bool> {
    // For writing, because some network file systems lock nothing else.
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // While it is locked: a writer that waits for the lock finds the file without a name.
    let deleted = directory::delete(path);
    unlock(&file);
    deleted.map(|()| true)
}

/// Closing a file is not enough: a child process that is just being started holds a copy of the handle, and the lock with it.
pub(crate) fn unlock(file: &File) {
    if let Err(error) = file.unlock() {
        tracing::debug!(%error, "cannot unlock a file; closing it does it");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(dir: &Path) -> usize {
        dir.read_dir().unwrap().count()
    }

    #[test]
    fn leftovers_go_and_what_is_being_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..3 {
            fs::write(dir.path().join(format!("{PREFIX}{n}{SUFFIX}")), "half a li").unwrap();
        }
        fs::write(dir.path().join("somebody else's.tmp"), "").unwrap();
        let writing = write(dir.path(), b"a line\n").unwrap();
        assert_eq!(delete_leftovers(dir.path()).unwrap(), 3);
        assert_eq!((names(dir.path()), writing.path().exists()), (2, true));
        assert_eq!(writing.as_file().metadata().unwrap().permissions().mode() & 0o777, 0o600);

        let path = dir.path().join("done");
        writing.persist(&path).unwrap();
        assert_eq!(delete_leftovers(dir.path()).unwrap(), 0);
        assert_eq!(fs::read(&path).unwrap(), b"a line\n");
    }

    #[test]
    fn a_writer_whose_file_was_taken_for_a_leftover_takes_another() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let cleaner = scope.spawn(|| {
                let mut deleted = 0;
                for _ in 0..3000 {
                    deleted += delete_leftovers(dir.path()).unwrap();
                }
                deleted
            });
            let mut n = 0;
            while !cleaner.is_finished() {
                let path = dir.path().join(format!("done-{}", n % 7));
                create(dir.path()).unwrap().persist(&path).expect("the file still has its name");
                n += 1;
            }
            // Whether they met is chance; that nothing failed is not.
            let met = cleaner.join().unwrap();
            assert!(n > 0 && met < 3000, "{n} {met}");
        });
    }
}
