//! The data directory: made durable when it is created, and locked for as long as a store is open.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use pipeline::StoreError;

const LOCK_FILE: &str = "lock";

/// Creates the directory and its missing parents, for its owner alone. Directories that exist keep the modes that they have.
pub(crate) fn create(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create(parent)?;
    DirBuilder::new().mode(0o700).create(dir).map_err(io_error("create data directory", dir))?;
    sync(parent)
}

/// Makes what was created or renamed in the directory durable.
pub(crate) fn sync(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("write directory", dir))
}

/// Opens a file for reading and writing, and creates it for its owner alone when it is missing.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Keeps other processes out of the data directory until it is dropped, or this process dies however it may.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    pub(crate) fn acquire(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(LOCK_FILE);
        let file = open_private(&path).map_err(io_error("open lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { pid: holder(&path) }),
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
        // One write of a fixed width over the old one: a reader finds one pid or the other, and a full disk has room.
        let pid = format!("{:<10}\n", std::process::id());
        file.write_all_at(pid.as_bytes(), 0).map_err(io_error("write lock file", &path))?;
        Ok(Self { file })
    }
}

/// Closing the file is not enough: a child process that is just being started holds a copy of the handle until it becomes
/// another program, and the lock with it.
impl Drop for DirectoryLock {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "cannot unlock the data directory; closing its lock file does it");
        }
    }
}

/// The process that the lock file names; 0 when it names none.
pub(crate) fn holder_of(dir: &Path) -> u32 {
    holder(&dir.join(LOCK_FILE))
}

fn holder(path: &Path) -> u32 {
    // A process that has just created and locked the file may not have written its pid yet.
    for _ in 0..50 {
        if let Some(pid) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()) {
            return pid;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    0
}

/// Turns an I/O error into the store's, for `map_err`.
pub(crate) fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { doing, path: path.display().to_string(), source: source.into() }
}
