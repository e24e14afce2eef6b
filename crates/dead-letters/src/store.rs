//! Keeping letters, within a size.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use pipeline::{BoxError, DeadLetters, Letter, LetterError, Timestamp};
use tempfile::NamedTempFile;

use crate::id::LetterId;
use crate::name::{FileName, Stems, sink_of};
use crate::usage::Usage;
use crate::{directory, line, temporary};

/// How often at most [`DeadLetters::count`] looks whether others have removed letters.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// How often at least a full store looks whether there is room again, even if the directory does not seem to have changed.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The letters in a directory, as the running process sees them: it adds, and never changes or deletes. It can be shared
/// between threads; several processes may use one directory, but each knows of the others' letters only when it looks again.
#[derive(Debug)]
pub struct LetterStore {
    dir: PathBuf,
    max_size: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    usage: Usage,
    /// Bytes that are being written.
    reserved: u64,
    stems: Stems,
}

impl LetterStore {
    /// Opens the directory, or creates it with mode 0700; counts what is there; deletes what crashes have left half written.
    /// The files may take `max_size` bytes.
    ///
    /// # Errors
    /// [`LetterError::Io`] when the directory cannot be created or read.
    pub fn open(dir: &Path, max_size: u64) -> Result<Self, LetterError> {
        directory::create(dir).map_err(failed("create directory", dir))?;
        match temporary::delete_leftovers(dir) {
            Ok(0) => {}
            Ok(files) => {
                tracing::info!(files, dir = %dir.display(), "deleted half-written dead letters of a crash")
            }
            // They are in nobody's way but that of the disk.
            Err(error) => {
                tracing::warn!(%error, dir = %dir.display(), "cannot delete half-written dead letters of a crash");
            }
        }
        let usage = Usage::of(dir).map_err(failed("read directory", dir))?;
        let state = State { usage, reserved: 0, stems: Stems::default() };
        Ok(Self { dir: dir.to_owned(), max_size, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets room for `bytes` aside, and says under which stem they go.
    fn reserve(&self, bytes: u64) -> Result<(Reservation<'_>, Box<str>), LetterError> {
        let mut state = self.state();
        let fits = |state: &State| {
            state.usage.bytes.saturating_add(state.reserved).saturating_add(bytes) <= self.max_size
        };
        if !fits(&state) && (state.usage.may_be_outdated(&self.dir) || state.usage.age() >= LOOK_EVERY) {
            // An operator may have made room.
            state.usage = Usage::of(&self.dir).map_err(failed("read directory", &self.dir))?;
        }
        if !fits(&state) {
            if bytes > self.max_size {
                let max_size = self.max_size;
                tracing::error!(
                    bytes,
                    max_size,
                    "one batch of dead letters is larger than `dead_letters.max_size`: raise it"
                );
            }
            return Err(LetterError::Full { path: self.dir.display().to_string(), max_size: self.max_size });
        }
        state.reserved += bytes;
        let stem = state.stems.next(Timestamp::from_system(SystemTime::now()));
        Ok((Reservation { store: self, bytes }, stem))
    }

    /// Gives the file its name and counts it, in one step for whoever looks at the directory under the lock.
    fn publish(&self, file: NamedTempFile, path: &Path, bytes: u64, letters: &[Letter]) -> io::Result<()> {
        let mut state = self.state();
        let file = file.persist(path).map_err(|error| error.error)?;
        state.usage.add(bytes, letters.iter().map(|letter| &*letter.sink));
        temporary::unlock(&file);
        Ok(())
    }

    /// Takes a file back of which nobody may rely on that it stays.
    fn take_back(&self, path: &Path) {
        let mut state = self.state();
        if let Err(error) = directory::delete(path) {
            tracing::warn!(%error, path = %path.display(), "cannot delete dead letters that may come twice");
        }
        match Usage::of(&self.dir) {
            Ok(usage) => state.usage = usage,
            // The next look sets it right.
            Err(error) => tracing::debug!(%error, "cannot count dead letters"),
        }
    }
}

impl DeadLetters for LetterStore {
    /// One call makes one file, which is on the disk under its name when this returns `Ok`.
    fn keep(&self, letters: &[Letter]) -> Result<(), LetterError> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut text = Vec::with_capacity(letters.iter().map(room).sum());
        for letter in letters {
            line::write(LetterId::random(), letter, &mut text).map_err(|source| LetterError::Io {
                doing: "write letters to",
                path: self.dir.display().to_string(),
                source,
            })?;
        }
        let bytes = text.len() as u64;
        let (_reservation, stem) = self.reserve(bytes)?;
        let name = FileName { stem, count: letters.len() as u64, sink: sink_of(letters) };
        let path = self.dir.join(name.to_string());
        // Somebody may have deleted it.
        directory::create(&self.dir).map_err(failed("create directory", &self.dir))?;
        let file = temporary::write(&self.dir, &text).map_err(failed("write letters to", &self.dir))?;
        self.publish(file, &path, bytes, letters).map_err(failed("create", &path))?;
        directory::sync(&self.dir).map_err(|error| {
            self.take_back(&path);
            failed("write directory", &self.dir)(error)
        })
    }

    /// Looks at the directory when others may have removed letters, but not more often than every ten seconds.
    fn count(&self, sink: &str) -> u64 {
        let mut state = self.state();
        if state.usage.age() >= COUNT_EVERY && state.usage.may_be_outdated(&self.dir) {
            match Usage::of(&self.dir) {
                Ok(usage) => state.usage = usage,
                Err(error) => tracing::debug!(%error, "cannot count dead letters"),
            }
        }
        state.usage.count(sink)
    }
}

/// Room that is set aside until this is dropped.
#[derive(Debug)]
struct Reservation<'a> {
    store: &'a LetterStore,
    bytes: u64,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.store.state().reserved -= self.bytes;
    }
}

/// About how long the letter's line becomes.
fn room(letter: &Letter) -> usize {
    let bytes = letter.sent.len() + letter.record.as_ref().map_or(0, |record| record.text.len());
    600 + letter.detail.len() + bytes + bytes / 4
}

fn failed<E: Into<BoxError>>(doing: &'static str, path: &Path) -> impl FnOnce(E) -> LetterError {
    move |source| LetterError::Io { doing, path: path.display().to_string(), source: source.into() }
}
