//! What `README.md` promises, one file for each kind of trouble.

mod cancellation;
mod conformance;
mod faults;
mod neighbours;
mod processes;
mod rotating;
mod script;
mod standard_output;
mod start;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::{
    EventDraft, EventOutcome, EventWriter, Origin, Schema, Sink, SinkError, Timestamp, View, Write,
};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::appender::Appender;
use crate::config::{FileSettings, Target};
use crate::rotation::Rotation;
use crate::tests::script::{Script, Scripted};
use crate::{FileSink, Output};

const NO_ROTATION: Rotation = Rotation { max_size: None, daily: false };

/// In memory where that is possible: these tests sync a thousand times.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// A write of these lines, each part in a batch of its own.
fn events(parts: &[&[&str]]) -> Write {
    let origin =
        Arc::new(Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] });
    let view = Arc::new(View { schema: Schema::Raw, version: "".into(), keep_raw: true });
    let mut write = Write::default();
    for lines in parts {
        let mut writer = EventWriter::default();
        for line in *lines {
            writer.line().extend_from_slice(line.as_bytes());
            writer.commit(&EventDraft {
                id: 0,
                time: Timestamp::default(),
                class: 0,
                severity: 0,
                outcome: EventOutcome::Unknown,
                action: "",
                actor: "",
                tenant: "",
            });
        }
        write.push(Arc::new(writer.finish(Arc::clone(&origin), Arc::clone(&view))), 0..lines.len());
    }
    write
}

fn settings(path: &Path, rotation: Rotation) -> FileSettings {
    FileSettings { target: Target::File { path: path.into(), rotation } }
}

fn sink(path: &Path) -> FileSink {
    FileSink::new(settings(path, NO_ROTATION))
}

/// A sink whose file does what the script says.
fn scripted(path: &Path, script: &Script) -> FileSink {
    let mut appender = Appender::new(path, NO_ROTATION);
    let script = script.clone();
    appender.handling = Box::new(move |file: File| Box::new(Scripted { file, script: script.clone() }));
    around(path, appender)
}

/// A sink around an appender that a test has changed.
fn around(path: &Path, appender: Appender) -> FileSink {
    let output = Arc::new(Mutex::new(Output::File(appender)));
    FileSink { settings: settings(path, NO_ROTATION), output }
}

async fn deliver(sink: &FileSink, lines: &[&str]) -> Result<(), SinkError> {
    sink.write(&events(&[lines])).await.map(|_| ())
}

fn content(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Waits until it is so, but not for ever.
async fn eventually(mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !so() {
        assert!(Instant::now() < deadline, "it did not come to that");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The reason of a pause.
fn reason(result: Result<(), SinkError>) -> &'static str {
    match result {
        Err(SinkError::Paused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}
