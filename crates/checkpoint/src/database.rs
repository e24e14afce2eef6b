//! The open database: taken into use, reopened after a failure, and its errors and panics turned into ours.

use std::any::Any;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use pipeline::StoreError;
use redb::StorageBackend;

use crate::directory;
use crate::pages::{FORMAT, HeaderError, Pages};
use crate::tables;

/// What redb keeps of the file in memory, at most. A save touches the newest pages of its stream, and a page of the vendor
/// asks for ids of its own time: some hundred pages of 4 KiB. More makes only lookups across the whole set faster, and
/// those find their pages in the system's cache.
const CACHE_BYTES: usize = 8 << 20;

/// Opens the storage of an existing file: once at the start, and again after each failure.
pub(crate) type OpenStorage = Box<dyn Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync>;

/// A database that may be closed for the moment, after a failure, and opens itself again when it is next needed.
pub(crate) struct Database {
    path: PathBuf,
    open_storage: OpenStorage,
    current: RwLock<Current>,
}

#[derive(Default)]
struct Current {
    database: Option<redb::Database>,
    /// How often it was closed: tells a thread that failed whether another has closed this one already.
    closed: u64,
}

/// Writes a new store without a stream into empty storage, which is then to be synced. `path` is for messages.
pub(crate) fn create(path: &Path, storage: Box<dyn StorageBackend>) -> Result<(), StoreError> {
    let pages = Pages::create(storage).map_err(directory::io_error("create", path))?;
    contain_panics(|| {
        let database = start(pages)?;
        tables::create(&database)?;
        Ok(database.close()?)
    })
    .map_err(|failure| explain(path, "create", failure))
}

impl Database {
    /// Takes an existing file into use. `path` is for messages.
    pub(crate) fn open(path: &Path, open_storage: OpenStorage) -> Result<Self, StoreError> {
        let database = Self { path: path.to_owned(), open_storage, current: RwLock::default() };
        database.reopen()?;
        Ok(database)
    }

    /// Runs `operation` on the open database. After an error the database is closed: redb refuses every call after one that
    /// failed, and what it holds in memory need not be what is in the file.
    pub(crate) fn run<T>(
        &self,
        doing: &'static str,
        operation: impl Fn(&redb::Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        loop {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            let Some(database) = &current.database else {
                drop(current);
                self.reopen()?;
                continue;
            };
            let result = contain_panics(|| operation(database));
            let closed = current.closed;
            drop(current);
            return result.map_err(|failure| {
                self.close(closed);
                explain(&self.path, doing, failure)
            });
        }
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.database.is_none() {
            current.database = Some(self.open_database()?);
        }
        Ok(())
    }

    fn open_database(&self) -> Result<redb::Database, StoreError> {
        let storage = (self.open_storage)().map_err(directory::io_error("open", &self.path))?;
        let pages = Pages::open(storage).map_err(|error| match error {
            HeaderError::Newer { found } => StoreError::Newer { found, supported: FORMAT },
            HeaderError::Io(error) => directory::io_error("read", &self.path)(error),
            damage => corrupt(&self.path, &damage.to_string()),
        })?;
        contain_panics(|| Ok(start(pages)?)).map_err(|failure| explain(&self.path, "open", failure))
    }

    /// Closes the database that failed, unless another thread has done so.
    fn close(&self, closed: u64) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.closed == closed {
            current.closed += 1;
            close(current.database.take());
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        close(self.current.get_mut().unwrap_or_else(PoisonError::into_inner).database.take());
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Begins or takes up the database in `pages`.
fn start(pages: Pages) -> Result<redb::Database, redb::DatabaseError> {
    redb::Builder::new()
        .set_cache_size(CACHE_BYTES)
        // Each save records what a start needs, so this does not happen unless the file was changed from outside.
        .set_repair_callback(|_| tracing::warn!("checkpoint store is being verified page by page"))
        .create_with_backend(pages)
}

/// Everything that was saved is durable already: closing only tidies up, and the next opening can do without.
fn close(database: Option<redb::Database>) {
    let Some(database) = database else { return };
    if let Err(failure) = contain_panics(|| Ok(database.close()?)) {
        tracing::debug!(?failure, "checkpoint store was not closed tidily");
    }
}

#[derive(Debug)]
enum Failure {
    Error(redb::Error),
    Panic(String),
}

/// redb may panic on a file that makes no sense to it. What it panicked in is closed and never used again, so nothing
/// half done is seen.
fn contain_panics<T>(operation: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(operation)) {
        Ok(result) => result.map_err(Failure::Error),
        Err(panic) => Err(Failure::Panic(panic_message(&*panic))),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "the database gave up".to_owned(),
    }
}

fn explain(path: &Path, doing: &'static str, failure: Failure) -> StoreError {
    match failure {
        Failure::Error(redb::Error::Io(error)) if !is_damage(&error) => {
            directory::io_error(doing, path)(error)
        }
        // Another thread's failure: it has been reported there, and the next call opens the database anew.
        Failure::Error(error @ (redb::Error::PreviousIo | redb::Error::DatabaseClosed)) => {
            StoreError::Io { doing, path: path.display().to_string(), source: error.into() }
        }
        Failure::Error(redb::Error::DatabaseAlreadyOpen) => {
            StoreError::InUse { pid: directory::holder_of(path.parent().unwrap_or(Path::new("."))) }
        }
        Failure::Error(error) => corrupt(path, &error.to_string()),
        Failure::Panic(message) => corrupt(path, &message),
    }
}

/// Whether the storage answered but what it holds is wrong, as opposed to a disk that refused.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn corrupt(path: &Path, what: &str) -> StoreError {
    let path = path.display();
    StoreError::Corrupt {
        detail: format!(
            "checkpoint store {path} cannot be read: {what}; restore it from a backup, or move {path} away to start \
             afresh: records within `start` will be collected and delivered again"
        ),
    }
}
