//! The few things that are done with an open file, behind a trait so that tests can make each of them fail.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tracing::debug;

/// Evidence is for its owner and its group, not for everybody; the process's umask takes away more.
pub(crate) const FILE_MODE: u32 = 0o640;
/// As [`FILE_MODE`], for directories.
pub(crate) const DIRECTORY_MODE: u32 = 0o750;

/// An open file.
pub(crate) trait Handle: Send {
    /// Appends some of the bytes and says how many.
    fn append(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Makes everything written so far survive a power failure.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    fn cut(&self, len: u64) -> io::Result<()>;

    /// Reads exactly `block` at `offset`.
    fn read_at(&self, block: &mut [u8], offset: u64) -> io::Result<()>;

    /// The state of the file behind the handle, wherever it is called now.
    fn metadata(&self) -> io::Result<Metadata>;

    /// Lets others lock it.
    fn unlock(&self) -> io::Result<()>;
}

impl Handle for File {
    fn append(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_vectored(slices)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn read_at(&self, block: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(block, offset)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        File::metadata(self)
    }

    fn unlock(&self) -> io::Result<()> {
        File::unlock(self)
    }
}

/// A file that is locked until this is dropped.
///
/// Closing it is not enough: a child process that is just being started holds a copy of the handle until it becomes
/// another program, and the lock with it.
pub(crate) struct Locked(pub(crate) Box<dyn Handle>);

impl Drop for Locked {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            debug!(%error, "cannot unlock the file; closing it does it");
        }
    }
}

/// Appends all of `lines` without copying them; `written` grows by what was appended, also when it fails half-way.
pub(crate) fn append_all(handle: &mut dyn Handle, lines: &[Bytes], written: &mut u64) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = lines.iter().map(|line| IoSlice::new(line)).collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match handle.append(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                *written += bytes as u64;
                IoSlice::advance_slices(&mut rest, bytes);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whoever shares standard output with us may have made it non-blocking; this thread may wait.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(Duration::from_millis(5)),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Which file it is, under whatever name: device and inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    /// Of the file that `metadata` is about.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}
