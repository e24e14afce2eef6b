//! Reading letters, while others add and remove.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec::IntoIter;

use bytes::Bytes;
use pipeline::Letter;

use crate::error::ReadError;
use crate::id::LetterId;
use crate::line;
use crate::listing::{Listed, Listing};

/// The letters in a directory, for looking at. Creates and changes nothing, and needs no lock.
#[derive(Clone, Debug)]
pub struct LetterFiles {
    dir: PathBuf,
}

/// A letter that is in a file.
#[derive(Clone, Debug)]
pub struct KeptLetter {
    /// What it is called.
    pub id: LetterId,
    /// What it says.
    pub letter: Letter,
    /// Its line in the file as it stands there, without its line break.
    pub line: Bytes,
    file: Arc<Path>,
}

/// Which letter in which file, for [`Removal::settle`](crate::Removal::settle).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub(crate) file: Arc<Path>,
    pub(crate) id: LetterId,
}

impl KeptLetter {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place { file: self.file.clone(), id: self.id }
    }

    /// The file that it was read from; a removal may have replaced it since.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

impl LetterFiles {
    /// Those in `dir`, which need not exist.
    pub fn in_dir(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The letters that are there now, oldest first; with `sink`, only that sink's. One file at a time is in memory. A
    /// letter or a file that cannot be read comes as an error in its place, and the others come all the same. What is removed
    /// meanwhile may be left out.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn letters(&self, sink: Option<&str>) -> Result<Letters, ReadError> {
        let failed = |source| ReadError::Io { path: self.dir.clone(), source };
        let mut listing = Listing::of(&self.dir).map_err(failed)?;
        if let Some(sink) = sink {
            listing.files.retain(|file| file.name.sink.as_deref().is_none_or(|of| of == sink));
        }
        Ok(Letters {
            dir: Some(self.dir.clone()),
            sink: sink.map(Into::into),
            foreign: listing.foreign.into_iter(),
            files: listing.files.into_iter(),
            open: None,
        })
    }

    /// The letters of one file.
    pub(crate) fn letters_of(file: Listed) -> Letters {
        let (foreign, files) = (Vec::new().into_iter(), vec![file].into_iter());
        Letters { dir: None, sink: None, foreign, files, open: None }
    }
}

/// Letters one after the other: see [`LetterFiles::letters`].
#[derive(Debug)]
pub struct Letters {
    dir: Option<PathBuf>,
    sink: Option<Box<str>>,
    foreign: IntoIter<PathBuf>,
    files: IntoIter<Listed>,
    open: Option<OpenFile>,
}

/// A file that is being read.
#[derive(Debug)]
struct OpenFile {
    path: Arc<Path>,
    expected: u64,
    rest: Bytes,
    /// How many lines are taken from it.
    lines: usize,
}

impl Letters {
    /// Reads a file, or its next version if a removal has replaced it since it was listed. `None` when it is gone.
    fn open(&self, file: Listed) -> Result<Option<OpenFile>, ReadError> {
        let Listed { mut name, mut path } = file;
        loop {
            match fs::read(&path) {
                Ok(text) => {
                    let expected = name.count;
                    return Ok(Some(OpenFile { path: path.into(), expected, rest: text.into(), lines: 0 }));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ReadError::Io { path, source }),
            }
            let Some(dir) = &self.dir else { return Ok(None) };
            let listing = Listing::of(dir).map_err(|source| ReadError::Io { path: dir.clone(), source })?;
            // Each version has fewer letters, so that this ends.
            match listing
                .files
                .into_iter()
                .find(|file| file.name.stem == name.stem && file.name.count < name.count)
            {
                Some(next) => Listed { name, path } = next,
                None => return Ok(None),
            }
        }
    }
}

impl OpenFile {
    /// The next line, or what is wrong with the number of lines when there is none.
    fn next(&mut self) -> Result<Option<KeptLetter>, ReadError> {
        if self.rest.is_empty() {
            let found = self.lines as u64;
            if found == self.expected {
                return Ok(None);
            }
            // Told once.
            let expected = std::mem::replace(&mut self.expected, found);
            return Err(ReadError::Count { path: self.path.to_path_buf(), expected, found });
        }
        let line = take_line(&mut self.rest);
        self.lines += 1;
        match line::read(&line) {
            Ok((id, letter)) => Ok(Some(KeptLetter { id, letter, line, file: self.path.clone() })),
            Err(source) => Err(ReadError::Line { path: self.path.to_path_buf(), line: self.lines, source }),
        }
    }
}

/// Takes the first line off `text`, which is not empty, and returns it without its line break.
pub(crate) fn take_line(text: &mut Bytes) -> Bytes {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => {
            let line = text.split_to(at);
            text.split_to(1).clear();
            line
        }
        None => std::mem::take(text),
    }
}

impl Iterator for Letters {
    type Item = Result<KeptLetter, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(path) = self.foreign.next() {
            return Some(Err(ReadError::Name { path }));
        }
        loop {
            let Some(open) = &mut self.open else {
                let file = self.files.next()?;
                match self.open(file) {
                    Ok(open) => self.open = open,
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            match open.next() {
                Ok(Some(kept)) if self.sink.as_ref().is_none_or(|sink| *sink == kept.letter.sink) => {
                    return Some(Ok(kept));
                }
                Ok(Some(_)) => {}
                Ok(None) => self.open = None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
