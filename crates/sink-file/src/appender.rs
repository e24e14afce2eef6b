//! The file that is being written: opened, kept whole, put aside.
//!
//! One rule holds it together: *what lies behind the acknowledged length is taken back before anything else is written*.
//! A write that failed, or whose caller went away before it heard of the success, leaves such bytes; its events come
//! again, and would otherwise stand in the file twice or torn.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use pipeline::Timestamp;
use tracing::{info, warn};

use crate::failure::Failure;
use crate::handle::{FILE_MODE, FileId, Handle, Locked, append_all};
use crate::place::{create_directories, lock, must_be_file, sync_directory};
use crate::rotation::{self, Rotation};
use crate::tail::{self, Repair};

/// Appends lines to the file at a path. All calls block.
pub(crate) struct Appender {
    path: PathBuf,
    rotation: Rotation,
    active: Option<Active>,
    /// Bytes that could not be taken back while their file was open.
    leftover: Option<Leftover>,
    pub(crate) clock: Box<dyn Fn() -> Timestamp + Send>,
    /// How a file is handled once it is open; tests put their own in between.
    pub(crate) handling: Box<dyn Fn(File) -> Box<dyn Handle> + Send>,
}

/// The open file.
struct Active {
    file: Locked,
    id: FileId,
    /// All before this is acknowledged or was there when the file was opened.
    kept: u64,
    /// What was written behind it.
    unacknowledged: u64,
    last_write: Timestamp,
}

#[derive(Clone, Copy)]
struct Leftover {
    id: FileId,
    kept: u64,
    unacknowledged: u64,
}

impl Appender {
    pub(crate) fn new(path: &Path, rotation: Rotation) -> Self {
        Self {
            // Messages then name the file in full. Only an empty path or a lost working directory has no absolute form.
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            rotation,
            active: None,
            leftover: None,
            clock: Box::new(|| Timestamp::from_system(SystemTime::now())),
            handling: Box::new(|file| Box::new(file)),
        }
    }

    /// Makes the file ready to be written: right place, right length, whole lines.
    pub(crate) fn prepare(&mut self) -> Result<(), Failure> {
        self.ready().map(|_| ())
    }

    /// Appends whole lines and makes them durable. They stay only if [`Appender::acknowledge`] follows.
    pub(crate) fn append(&mut self, lines: &[Bytes]) -> Result<(), Failure> {
        let bytes = lines.iter().map(|line| line.len() as u64).sum();
        let now = (self.clock)();
        let rotation = self.rotation;
        let mut active = self.ready()?;
        if rotation.due(active.kept, bytes, active.last_write, now) {
            let last_write = active.last_write;
            self.put_aside(last_write)?;
            active = self.ready()?;
        }
        let written = active.write(lines, now);
        let result = match written.map_err(Failure::io("write to", &self.path)) {
            Ok(()) if self.is_deleted() => Err(Failure::Moved { path: self.path.clone() }),
            result => result,
        };
        if result.is_err() {
            self.take_back();
        }
        result
    }

    /// The caller of the last [`Appender::append`] knows that it succeeded: its lines stay.
    pub(crate) fn acknowledge(&mut self) {
        if let Some(active) = &mut self.active {
            active.kept += std::mem::take(&mut active.unacknowledged);
        }
    }

    fn ready(&mut self) -> Result<&mut Active, Failure> {
        self.take_back();
        self.let_go_if_changed()?;
        let active = match self.active.take() {
            Some(active) => active,
            None => self.open()?,
        };
        Ok(self.active.insert(active))
    }

    /// Cuts off what was not acknowledged. Where that fails the file is let go, and [`Appender::open`] tries again: a
    /// handle may be broken for good (a network file system that came back) where a new one is not.
    fn take_back(&mut self) {
        let Some(active) = &mut self.active else { return };
        if active.unacknowledged == 0 {
            return;
        }
        let left = Leftover { id: active.id, kept: active.kept, unacknowledged: active.unacknowledged };
        match left.cut(&*active.file.0) {
            Ok(true) => active.unacknowledged = 0,
            Ok(false) => {
                self.leave_behind(left);
                self.active = None;
            }
            Err(error) => {
                warn!(path = %self.path.display(), %error, "cannot take back what was not acknowledged yet");
                self.leftover = Some(left);
                self.active = None;
            }
        }
    }

    fn leave_behind(&self, left: Leftover) {
        warn!(
            path = %self.path.display(),
            bytes = left.unacknowledged,
            "somebody else changed or moved the file after a failed write: its events may stand there twice"
        );
    }

    /// Follows the path: log rotation by others, deletion and truncation are noticed before the next write.
    fn let_go_if_changed(&mut self) -> Result<(), Failure> {
        let Some(active) = &self.active else { return Ok(()) };
        let change = match fs::metadata(&self.path) {
            Ok(found) if FileId::of(&found) != active.id => "another file is in its place",
            Ok(found) if found.len() < active.kept => "somebody else cut it short",
            Ok(found) if found.len() > active.kept => "somebody else writes to it",
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => "it was moved or deleted",
            Err(error) => return Err(Failure::io("look at", &self.path)(error)),
        };
        info!(path = %self.path.display(), change, "the file changed under us: opening it anew");
        self.active = None;
        Ok(())
    }

    /// Whether the file was deleted while it was written, and its lines with it. One that was moved has another name; a
    /// file system that does not count names says 0 of a file that is there.
    fn is_deleted(&self) -> bool {
        let Some(active) = &self.active else { return false };
        let nameless = active.file.0.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
        nameless && !fs::metadata(&self.path).is_ok_and(|found| FileId::of(&found) == active.id)
    }

    fn open(&mut self) -> Result<Active, Failure> {
        let path = &self.path;
        let io = |doing| Failure::io(doing, path);
        // Opening a named pipe would wait for its reader, so it is looked at first.
        match fs::metadata(path) {
            Ok(metadata) => must_be_file(path, &metadata)?,
            Err(error) if error.kind() == ErrorKind::NotFound => create_directories(path)?,
            Err(error) => return Err(io("look at")(error)),
        }
        let mut options = OpenOptions::new();
        let file =
            options.read(true).append(true).create(true).mode(FILE_MODE).open(path).map_err(io("open"))?;
        lock(path, &file)?;
        let found = file.metadata().map_err(io("look at"))?;
        must_be_file(path, &found)?;
        let id = FileId::of(&found);
        // Between opening and locking its last owner may have put it aside.
        if FileId::of(&fs::metadata(path).map_err(io("look at"))?) != id {
            return Err(Failure::Moved { path: path.clone() });
        }
        let last_write = Timestamp::from_system(found.modified().map_err(io("look at"))?);
        let mut file = Locked((self.handling)(file));
        if let Some(left) = self.leftover {
            let same = left.id == id;
            if !same || !left.cut(&*file.0).map_err(io("take back a failed write to"))? {
                self.leave_behind(left);
            }
            self.leftover = None;
        }
        repair(&self.path, &mut *file.0)?;
        // Also when it was there already: whoever created it may have crashed before this.
        sync_directory(&self.real_path()?)?;
        let kept = file.0.metadata().map_err(Failure::io("look at", &self.path))?.len();
        Ok(Active { file, id, kept, unacknowledged: 0, last_write })
    }

    /// Moves the file to a name of its own. Whatever happens in between, its lines are under one of the two names. Opening
    /// the next one syncs their directory.
    fn put_aside(&mut self, last_write: Timestamp) -> Result<(), Failure> {
        let path = self.real_path()?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let reserved = rotation::reserve(&path, last_write);
        let aside = reserved.map_err(Failure::io("create a file for rotation in", directory))?;
        if let Err(error) = fs::rename(&path, &aside) {
            if let Err(error) = fs::remove_file(&aside) {
                warn!(path = %aside.display(), %error, "cannot remove the empty file made for rotation");
            }
            return Err(Failure::io("rotate a file in", directory)(error));
        }
        self.active = None;
        info!(path = %path.display(), aside = %aside.display(), "put the file aside to begin a new one");
        Ok(())
    }

    /// A symbolic link stays where it is; the file that it points to is put aside where that lies.
    fn real_path(&self) -> Result<PathBuf, Failure> {
        fs::canonicalize(&self.path).map_err(Failure::io("look at", &self.path))
    }
}

/// A caller that went away without hearing of the success gets its events again, so they are taken back at the end too.
impl Drop for Appender {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl Active {
    fn write(&mut self, lines: &[Bytes], now: Timestamp) -> io::Result<()> {
        append_all(&mut *self.file.0, lines, &mut self.unacknowledged)?;
        // After a failed sync the kernel may call the pages clean that it could not write, and a second sync would
        // succeed without them. The lines are therefore cut off and written anew, which makes new pages.
        self.file.0.sync()?;
        self.last_write = now;
        Ok(())
    }
}

impl Leftover {
    /// `false`: the file does not end where our bytes end, so they cannot be told from somebody else's.
    fn cut(&self, handle: &dyn Handle) -> io::Result<bool> {
        let as_we_left_it = handle.metadata()?.len() == self.kept + self.unacknowledged;
        if as_we_left_it {
            handle.cut(self.kept)?;
        }
        Ok(as_we_left_it)
    }
}

/// Makes the file end in a line break, see [`tail`].
fn repair(path: &Path, handle: &mut dyn Handle) -> Result<(), Failure> {
    let len = handle.metadata().map_err(Failure::io("look at", path))?.len();
    let (keep, ended) = match tail::inspect(handle, len).map_err(Failure::io("read", path))? {
        Repair::Nothing => return Ok(()),
        Repair::Cut(keep) => (keep, false),
        Repair::End(keep) => (keep, true),
        Repair::Refuse => return Err(Failure::NotLines { path: path.to_owned() }),
    };
    if keep < len {
        handle.cut(keep).map_err(Failure::io("cut the torn end of", path))?;
        let bytes = len - keep;
        warn!(path = %path.display(), bytes, "cut off what a crash had left of a write; its events come again");
    }
    if ended {
        handle.append(&[IoSlice::new(b"\n")]).map_err(Failure::io("write to", path))?;
        warn!(path = %path.display(), "the last line had no line break and was given one");
    }
    Ok(())
}
