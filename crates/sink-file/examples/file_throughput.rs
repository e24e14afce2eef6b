//! What a mebibyte costs: the sink against plain `write_vectored` and `fdatasync` on a file of its own.
//!
//! ```text
//! cargo run --release -p sink-file --example file_throughput [DIRECTORY]
//! ```

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people, which may end by panicking"
)]

use std::fs::{self, File};
use std::io::{IoSlice, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::{EventDraft, EventOutcome, EventWriter, Origin, Schema, Sink, Timestamp, View, Write};
use rustix::time::{ClockId, clock_gettime};
use sink_file::{FileConfig, FileSink, RotateConfig};

const WRITES: usize = 512;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    for (name, events) in [("1 MiB in one part", events(1, 617)), ("1 MiB in 64 parts", events(64, 10))] {
        let mebibytes = (WRITES * events.bytes()) as f64 / f64::from(1 << 20);
        let report = |what: &str, (wall, cpu): (Duration, Duration)| {
            let each = cpu.as_secs_f64() * 1e6 / mebibytes;
            println!(
                "{name}: {what:5} {each:5.0} µs of CPU a MiB, {:6.0} MiB/s",
                mebibytes / wall.as_secs_f64()
            );
        };
        report("plain", plain(&directory.join("throughput-plain"), &events));
        report("sink", through_sink(&directory.join("throughput-sink"), &events).await);
    }
}

fn events(parts: usize, lines: usize) -> Write {
    let origin =
        Arc::new(Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] });
    let view = Arc::new(View { schema: Schema::Raw, version: "".into(), keep_raw: true });
    let line = format!("{{\"x\":\"{}\"}}", "x".repeat(1690));
    let mut write = Write::default();
    for _ in 0..parts {
        let mut writer = EventWriter::default();
        for _ in 0..lines {
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
        write.push(Arc::new(writer.finish(Arc::clone(&origin), Arc::clone(&view))), 0..lines);
    }
    write
}

fn plain(path: &Path, events: &Write) -> (Duration, Duration) {
    let mut file = File::create(path).unwrap();
    let start = now();
    for _ in 0..WRITES {
        let lines: Vec<_> = events.lines().collect();
        let mut slices: Vec<_> = lines.iter().map(|line| IoSlice::new(line)).collect();
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            let written = file.write_vectored(rest).unwrap();
            IoSlice::advance_slices(&mut rest, written);
        }
        file.sync_data().unwrap();
    }
    end(start, path)
}

async fn through_sink(path: &Path, events: &Write) -> (Duration, Duration) {
    let config = FileConfig { path: path.to_owned(), rotate: RotateConfig { max_size: None, daily: false } };
    let sink = FileSink::new(config.validate().unwrap());
    sink.open().await.unwrap();
    let start = now();
    for _ in 0..WRITES {
        sink.write(events).await.unwrap();
    }
    end(start, path)
}

fn now() -> (Instant, Duration) {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    (Instant::now(), Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32))
}

fn end(start: (Instant, Duration), path: &Path) -> (Duration, Duration) {
    let (wall, cpu) = now();
    fs::remove_file(path).unwrap();
    (wall - start.0, cpu - start.1)
}
