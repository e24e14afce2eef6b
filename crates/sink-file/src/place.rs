//! The place of a file: what is there, who has it, and the directories above it.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::Path;

use tracing::warn;

use crate::failure::Failure;
use crate::handle::DIRECTORY_MODE;
use crate::rotation::Rotation;

/// Only a file keeps what is written to it.
pub(crate) fn must_be_file(path: &Path, metadata: &Metadata) -> Result<(), Failure> {
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(Failure::NotAFile { path: path.to_owned(), what })
}

/// Keeps other processes and other sinks away. A file system without locks has to do without.
pub(crate) fn lock(path: &Path, file: &File) -> Result<(), Failure> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Failure::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => {
            warn!(path = %path.display(), %error, "cannot lock the file: see to it that nobody else writes to it");
            Ok(())
        }
    }
}

/// Creates the directories above `path`, durably.
pub(crate) fn create_directories(path: &Path) -> Result<(), Failure> {
    let Some(directory) = path.parent() else { return Ok(()) };
    let missing: Vec<&Path> = directory.ancestors().take_while(|place| !place.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(DIRECTORY_MODE)
        .create(directory)
        .map_err(Failure::io("create directory", directory))?;
    missing.into_iter().try_for_each(sync_directory)
}

/// Makes the entry of `path` in its directory survive a power failure.
pub(crate) fn sync_directory(path: &Path) -> Result<(), Failure> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let result = File::open(directory).and_then(|directory| directory.sync_all());
    match result {
        // Some network file systems cannot sync a directory and write its entries at once.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result.map_err(Failure::io("sync directory", directory)),
    }
}

/// Could the file be written, as far as can be told without touching it? Leaves nothing behind, and does not disturb a
/// process that has the file open.
pub(crate) fn check(path: &Path, rotation: Rotation) -> Result<(), Failure> {
    let path = std::path::absolute(path).map_err(Failure::io("find", path))?;
    match fs::metadata(&path) {
        Ok(metadata) => {
            must_be_file(&path, &metadata)?;
            OpenOptions::new().read(true).append(true).open(&path).map_err(Failure::io("open", &path))?;
            if !rotation.is_on() {
                return Ok(());
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::io("look at", &path)(error)),
    }
    let there = path.ancestors().skip(1).find(|place| place.exists()).unwrap_or(Path::new("/"));
    tempfile::tempfile_in(there).map_err(Failure::io("create a file in", there))?;
    Ok(())
}
