//! The store as the pipeline sees it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use pipeline::{Checkpoint, CheckpointStore, RecordId, Revision, Save, SinkSet, StoreError};
use redb::StorageBackend;
use redb::backends::FileBackend;

use crate::database::{self, Database};
use crate::directory::{self, DirectoryLock, io_error};
use crate::tables;

const STORE_FILE: &str = "checkpoints.db";
/// A store that is being created. It is never read: the next attempt begins it anew.
const UNFINISHED_FILE: &str = "checkpoints.db.new";

/// The checkpoint store of one data directory, which it keeps locked.
///
/// After an error it can be used further: the next call opens the file again.
#[derive(Debug)]
pub struct FileStore {
    database: Database,
    /// Streams whose last save failed.
    in_doubt: Mutex<HashMap<String, InDoubt>>,
    // Fields are dropped in this order: the file is closed before the directory is given up.
    _lock: DirectoryLock,
}

/// A save that failed may have become durable all the same, if the disk refused only afterwards. The directory is locked,
/// so whatever revision is found then is this process's own, and its next attempt must not be taken for a conflict.
#[derive(Debug)]
struct InDoubt {
    /// The revision that the caller knows of.
    expected: Revision,
    /// The newest revision that may be there.
    newest: Revision,
}

impl FileStore {
    /// Locks the data directory and opens its store. Creates what is missing: the directory with mode 0700, files with mode
    /// 0600. A store that is there but cannot be read is never replaced.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another process, or another store of this one, has the directory;
    /// [`StoreError::Newer`] and [`StoreError::Corrupt`] when the store cannot be used as it is;
    /// [`StoreError::Io`] when the directory cannot be created, read or written.
    pub fn open(data_dir: &Path) -> Result<Self, StoreError> {
        directory::create(data_dir)?;
        let lock = DirectoryLock::acquire(data_dir)?;
        if !has_store(data_dir)? {
            create(data_dir)?;
        }
        Self::open_locked(data_dir, lock)
    }

    /// Opens the store of a data directory if it has one, and creates none: for looking at checkpoints and editing them.
    ///
    /// # Errors
    /// As [`FileStore::open`].
    pub fn open_existing(data_dir: &Path) -> Result<Option<Self>, StoreError> {
        if !has_store(data_dir)? {
            return Ok(None);
        }
        let lock = DirectoryLock::acquire(data_dir)?;
        Self::open_locked(data_dir, lock).map(Some)
    }

    fn open_locked(data_dir: &Path, lock: DirectoryLock) -> Result<Self, StoreError> {
        let path = data_dir.join(STORE_FILE);
        let open_storage = {
            let path = path.clone();
            move || file_storage(OpenOptions::new().read(true).write(true).open(&path)?)
        };
        Self::with_storage(&path, Box::new(open_storage), lock)
    }

    pub(crate) fn with_storage(
        path: &Path,
        open_storage: database::OpenStorage,
        lock: DirectoryLock,
    ) -> Result<Self, StoreError> {
        let database = Database::open(path, open_storage)?;
        Ok(Self { database, in_doubt: Mutex::default(), _lock: lock })
    }
}

impl CheckpointStore for FileStore {
    fn streams(&self) -> Result<Vec<String>, StoreError> {
        self.database.run("list streams in", tables::streams)
    }

    fn load(&self, stream: &str) -> Result<Option<Checkpoint>, StoreError> {
        self.database.run("load a checkpoint from", |db| tables::load(db, stream))
    }

    fn save(&self, stream: &str, save: Save<'_>, expected: Revision) -> Result<Revision, StoreError> {
        let mut in_doubt = self.in_doubt.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = match in_doubt.get(stream) {
            Some(doubt) if doubt.expected == expected => doubt.newest,
            _ => expected,
        };
        match self
            .database
            .run("save a checkpoint in", |db| tables::save(db, stream, &save, expected..=newest))
        {
            Ok(Ok(revision)) => {
                in_doubt.remove(stream);
                Ok(revision)
            }
            Ok(Err(found)) => {
                Err(StoreError::Conflict { stream: stream.to_owned(), expected: expected.0, found: found.0 })
            }
            Err(error) => {
                in_doubt.insert(stream.to_owned(), InDoubt { expected, newest: Revision(newest.0 + 1) });
                Err(error)
            }
        }
    }

    fn delivered(&self, stream: &str, ids: &[RecordId]) -> Result<Vec<Vec<(u64, SinkSet)>>, StoreError> {
        self.database.run("look up delivered ids in", |db| tables::delivered(db, stream, ids))
    }

    fn sink_numbers(&self, stream: &str, names: &[&str]) -> Result<Vec<u32>, StoreError> {
        let numbers = self.database.run("number sinks in", |db| tables::sink_numbers(db, stream, names))?;
        numbers.map_err(|name| StoreError::Corrupt {
            detail: format!(
                "stream {stream} has had 64 sinks, as many as its checkpoint can tell apart, and sink {name} is one more; \
                 reset its checkpoint or give the source a new name: records within `start` will be collected and \
                 delivered again"
            ),
        })
    }

    fn reset(&self, stream: &str) -> Result<(), StoreError> {
        self.database.run("reset a checkpoint in", |db| tables::reset(db, stream))
    }
}

fn has_store(data_dir: &Path) -> Result<bool, StoreError> {
    let path = data_dir.join(STORE_FILE);
    // Not following links: a link that leads nowhere is a store that is not to be had at the moment.
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("read", &path)(error)),
    }
}

/// Creates the store under another name and renames it when it is whole, so that a crash on the way leaves no store rather
/// than half of one, which the next start would have to refuse.
fn create(data_dir: &Path) -> Result<(), StoreError> {
    let (path, unfinished) = (data_dir.join(STORE_FILE), data_dir.join(UNFINISHED_FILE));
    let file = directory::open_private(&unfinished).map_err(io_error("create", &unfinished))?;
    let storage = file.try_clone().and_then(file_storage).map_err(io_error("create", &unfinished))?;
    database::create(&unfinished, storage)?;
    file.sync_all().map_err(io_error("create", &unfinished))?;
    fs::rename(&unfinished, &path).map_err(io_error("create", &path))?;
    directory::sync(data_dir)?;
    tracing::info!(path = %path.display(), "created an empty checkpoint store");
    Ok(())
}

fn file_storage(file: File) -> io::Result<Box<dyn StorageBackend>> {
    Ok(Box::new(FileBackend::new(file).map_err(io::Error::other)?))
}
