//! Removing and changing letters: one process at a time, while others read and add.
//!
//! What a crash leaves after each step of [`Removal::settle`], and what becomes of it:
//!
//! | after | there is | the next reader sees | the next removal |
//! |---|---|---|---|
//! | deleting emptied files | nothing, or some of them | those | – |
//! | writing the next version | a temporary file | the old version | deletes it, as does the next start |
//! | renaming it | both versions | the one with fewer letters | deletes the older one |
//! | flushing the directory, deleting the old version | the new version | it | – |

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use pipeline::Letter;

use crate::error::RemovalError;
use crate::id::LetterId;
use crate::listing::Listing;
use crate::name::FileName;
use crate::read::{Place, take_line};
use crate::{directory, line, temporary};

const LOCK_FILE: &str = "removal.lock";

/// The right to remove and change letters of a directory, until it is dropped or this process dies however it may.
#[derive(Debug)]
pub struct Removal {
    dir: PathBuf,
    lock: File,
    /// Where the files are that were replaced under this lock: places that were read before still lead to them.
    moved: HashMap<Arc<Path>, Arc<Path>>,
}

/// What becomes of a letter.
#[derive(Clone, Debug)]
pub enum Change {
    /// It goes.
    Remove,
    /// It stays, with its id, and says this from now on.
    Replace(Box<Letter>),
}

/// What [`Removal::settle`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Letters that are gone.
    pub removed: u64,
    /// Letters that say something else now.
    pub replaced: u64,
}

impl Removal {
    /// Locks the directory, which must exist, against other removals, and finishes what a removal that was cut off has left.
    ///
    /// # Errors
    /// [`RemovalError::InUse`] while another process removes letters; [`RemovalError::Io`] when the directory cannot be
    /// written.
    pub fn begin(dir: &Path) -> Result<Self, RemovalError> {
        let path = dir.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path).map_err(RemovalError::io("open lock file", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
                return Err(RemovalError::InUse { dir: dir.to_owned(), pid: holder.unwrap_or_default() });
            }
            Err(TryLockError::Error(error)) => return Err(RemovalError::io("lock", &path)(error)),
        }
        let removal = Self { dir: dir.to_owned(), lock, moved: HashMap::new() };
        removal.sign();
        temporary::delete_leftovers(dir).map_err(RemovalError::io("clean up", dir))?;
        let listing = Listing::of(dir).map_err(RemovalError::io("read directory", dir))?;
        removal.delete_all(&listing.superseded)?;
        Ok(removal)
    }

    /// Notes in the lock file who has the lock. A full disk must not keep anybody from making room on it, so that a failure
    /// is no failure of the removal.
    fn sign(&self) {
        // One write of a fixed width over the old one: a reader finds one number or the other.
        let pid = format!("{:<10}\n", std::process::id());
        if let Err(error) = self.lock.write_all_at(pid.as_bytes(), 0) {
            tracing::debug!(%error, "cannot note in the lock file who has it");
        }
    }

    /// Makes the changes, durably. Lines that are not named, whatever they are, stay byte for byte. A letter that is not
    /// there any more is none of those counted.
    ///
    /// # Errors
    /// The disk refuses. Some of the changes may have been made; what was not to be changed is all still there.
    pub fn settle(
        &mut self,
        changes: impl IntoIterator<Item = (Place, Change)>,
    ) -> Result<Settled, RemovalError> {
        let mut files: HashMap<Arc<Path>, HashMap<LetterId, Change>> = HashMap::new();
        for (place, change) in changes {
            let file = self.moved.get(&place.file).cloned().unwrap_or(place.file);
            files.entry(file).or_default().insert(place.id, change);
        }
        let mut settled = Settled::default();
        let (mut emptied, mut versions) = (Vec::new(), Vec::new());
        for (path, changes) in files {
            let Some(version) = Version::of(path, &changes)? else { continue };
            settled.removed += version.settled.removed;
            settled.replaced += version.settled.replaced;
            if version.letters == 0 {
                emptied.push(version.path.to_path_buf())
            } else {
                versions.push(version)
            }
        }
        // First, because that makes room for what must be written.
        self.delete_all(&emptied)?;
        let mut old = Vec::new();
        for version in &versions {
            let next = self.write(version)?;
            if *next != *version.path {
                old.push(version.path.to_path_buf());
                for moved in self.moved.values_mut().filter(|path| **path == version.path) {
                    *moved = next.clone();
                }
                self.moved.insert(version.path.clone(), next);
            }
        }
        if !versions.is_empty() {
            directory::sync(&self.dir).map_err(RemovalError::io("write directory", &self.dir))?;
        }
        self.delete_all(&old)?;
        Ok(settled)
    }

    /// Writes a file's next version and returns its path.
    fn write(&self, version: &Version) -> Result<Arc<Path>, RemovalError> {
        let path = version.next_path();
        let file = temporary::write(&self.dir, &version.text)
            .map_err(RemovalError::io("write letters to", &self.dir))?;
        let persisted = file.persist(&path).map_err(|error| error.error);
        temporary::unlock(&persisted.map_err(RemovalError::io("create", &path))?);
        Ok(path.into())
    }

    fn delete_all(&self, paths: &[PathBuf]) -> Result<(), RemovalError> {
        for path in paths {
            directory::delete(path).map_err(RemovalError::io("delete", path))?;
        }
        if !paths.is_empty() {
            directory::sync(&self.dir).map_err(RemovalError::io("write directory", &self.dir))?;
        }
        Ok(())
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        temporary::unlock(&self.lock);
    }
}

/// A file as it will be.
struct Version {
    /// Where it is now.
    path: Arc<Path>,
    text: Vec<u8>,
    /// How many lines stay.
    letters: u64,
    settled: Settled,
}

impl Version {
    /// `None` when nothing in the file changes, or it is gone.
    fn of(path: Arc<Path>, changes: &HashMap<LetterId, Change>) -> Result<Option<Self>, RemovalError> {
        let mut rest = match fs::read(&path) {
            Ok(text) => Bytes::from(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RemovalError::io("read", &path)(error)),
        };
        let mut version = Self { path, text: Vec::new(), letters: 0, settled: Settled::default() };
        while !rest.is_empty() {
            let text = take_line(&mut rest);
            match line::read_id(&text).ok().and_then(|id| Some((id, changes.get(&id)?))) {
                Some((_, Change::Remove)) => {
                    version.settled.removed += 1;
                    continue;
                }
                Some((id, Change::Replace(letter))) => {
                    version.settled.replaced += 1;
                    line::write(id, letter, &mut version.text)
                        .map_err(io::Error::other)
                        .map_err(RemovalError::io("write letters to", &version.path))?;
                }
                None => {
                    version.text.extend_from_slice(&text);
                    version.text.push(b'\n');
                }
            }
            version.letters += 1;
        }
        Ok((version.settled != Settled::default()).then_some(version))
    }

    /// Under the same name, but for the number of letters in it.
    fn next_path(&self) -> PathBuf {
        let name = self.path.file_name().and_then(|name| FileName::parse(name.to_str()?));
        // Only files with such names are read.
        let next = name.map(|name| name.with_count(self.letters).to_string());
        next.map_or_else(|| self.path.to_path_buf(), |next| self.path.with_file_name(next))
    }
}
