//! The suite that every sink passes, with a file that fails when it is told to.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use async_trait::async_trait;
use testkit::sink::{CannotHappen, Delivery, Destination, Harness, Held, Trouble, Unheard};

use super::script::{Fault, Script};
use super::*;
use crate::tests::script::Call;

struct FileHarness {
    rotation: Rotation,
}

#[async_trait]
impl Harness for FileHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        Box::new(Place { dir: directory(), script: Script::default(), rotation: self.rotation })
    }

    fn unheard(&self) -> Unheard {
        Unheard::TakenBack
    }
}

struct Place {
    dir: TempDir,
    script: Script,
    rotation: Rotation,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.dir.path().join("out/events.ndjson")
    }

    /// The file that is being written is the last one.
    fn files(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.dir.path().join("out")).into_iter().flatten();
        let paths = names.map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
        files.sort_by_key(|path| (*path == self.path(), path.clone()));
        files
    }
}

fn read(files: &[PathBuf]) -> Held {
    let mut held = Held::default();
    for path in files {
        // One that was put aside since it was listed is read under its new name, the next time.
        let text = fs::read_to_string(path).unwrap_or_default();
        let (whole, torn) = text.rsplit_once('\n').unwrap_or(("", &text));
        if !torn.is_empty() {
            held.damage.push(torn.to_owned());
        }
        let events: Vec<String> = whole.lines().map(str::to_owned).collect();
        if !events.is_empty() {
            held.deliveries.push(Delivery { id: None, events });
        }
    }
    held
}

impl Destination for Place {
    fn sink(&self) -> Arc<dyn Sink> {
        let mut appender = Appender::new(&self.path(), self.rotation);
        let script = self.script.clone();
        appender.handling = Box::new(move |file: File| Box::new(Scripted { file, script: script.clone() }));
        let output = Arc::new(Mutex::new(Output::File(appender)));
        Arc::new(FileSink { settings: settings(&self.path(), self.rotation), output })
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        let out = self.dir.path().join("out");
        match trouble {
            Trouble::Failing => self.script.always(Call::Append, Some(Fault::Fail(ErrorKind::Other))),
            Trouble::Unauthorised => {
                self.script.always(Call::Append, Some(Fault::Fail(ErrorKind::PermissionDenied)));
            }
            // Both are told by what lies at the path, so only a place without a file can have them.
            Trouble::Misplaced | Trouble::Unreachable if self.path().exists() => {
                return Err(CannotHappen("a file that is there stays there"));
            }
            Trouble::Misplaced => fs::create_dir_all(self.path()).unwrap(),
            Trouble::Unreachable => {
                drop(fs::remove_dir(&out));
                fs::write(&out, "no directory").unwrap();
            }
            Trouble::TakesPart => {
                self.script.plan(Call::Append, Fault::Short(150));
                self.script.plan(Call::Append, Fault::Fail(ErrorKind::StorageFull));
            }
            // The lines are written, and nobody knows whether they are on the disk.
            Trouble::AnswerLost => self.script.plan(Call::Sync, Fault::Fail(ErrorKind::Other)),
            Trouble::Slow(wait) => self.script.slow(wait),
            Trouble::Limit(_) => return Err(CannotHappen("a file takes writes of any size")),
            Trouble::Poison => return Err(CannotHappen("a file takes every line")),
            Trouble::Untrusted => return Err(CannotHappen("there is no network")),
        }
        Ok(())
    }

    fn heal(&self) {
        self.script.always(Call::Append, None);
        self.script.slow(Duration::ZERO);
        let out = self.dir.path().join("out");
        if out.is_file() {
            fs::remove_file(&out).unwrap();
        }
        if self.path().is_dir() {
            fs::remove_dir(self.path()).unwrap();
        }
    }

    /// The lines of all files, those put aside first. A file that is put aside meanwhile would be missed.
    fn held(&self) -> Held {
        loop {
            let before = self.files();
            let held = read(&before);
            if self.files() == before {
                return held;
            }
        }
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    testkit::sink::conforms(FileHarness { rotation: NO_ROTATION }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms_while_it_rotates() {
    let rotation = Rotation { max_size: Some(4000), daily: false };
    testkit::sink::conforms(FileHarness { rotation }).await;
}
