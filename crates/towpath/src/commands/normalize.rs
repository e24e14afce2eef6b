//! `towpath normalize`: records in, events out, in order, on all cores, in constant memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use pipeline::{EventWriter, Origin, Record, RecordId, Schema, Timestamp, Transform, View};
use transform::{PostmanOptions, UnknownActions};

use crate::cli::{NormalizeArgs, SchemaName, SourceType};
use crate::failure::Failure;
use crate::progress::{Progress, thousands};
use crate::records::{Block, Blocks};

/// Blocks that may wait before and behind each worker.
const WAITING: usize = 2;

pub(crate) fn run(args: &NormalizeArgs) -> Result<(), Failure> {
    let SourceType::Postman = args.source;
    let view = view(args);
    let unknown = Arc::new(UnknownActions::default());
    let options = PostmanOptions { names: Arc::default(), unknown: Some(unknown.clone()) };
    let transform = transform::postman(&view, options).map_err(Failure::usage)?;
    let collected_at = args.collected_at.unwrap_or_else(|| Timestamp::from_system(SystemTime::now()));
    let work = Work { transform: &*transform, origin: &origin(), collected_at };
    let summary = work.through(&args.files)?;

    let mut text = format!("{} records", thousands(summary.records));
    text += &format!(", {} events", thousands(summary.events));
    if summary.malformed > 0 {
        text += &format!(", {} could not be mapped and are base events", thousands(summary.malformed));
    }
    let unknown = unknown.total();
    if unknown > 0 {
        text += &format!(", {} mapped by rule of thumb", thousands(unknown));
    }
    writeln!(io::stderr(), "{text}")?;
    Ok(())
}

fn view(args: &NormalizeArgs) -> View {
    let (schema, version) = match args.schema {
        SchemaName::Ocsf => (Schema::Ocsf, args.ocsf_version.as_str()),
        SchemaName::Ecs => (Schema::Ecs, transform::ECS_VERSION),
        SchemaName::Raw => (Schema::Raw, ""),
    };
    View { schema, version: version.into(), keep_raw: !args.no_raw }
}

fn origin() -> Origin {
    Origin {
        source: "postman".into(),
        kind: "postman".into(),
        dataset: "postman.audit".into(),
        labels: Vec::new(),
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    records: u64,
    events: u64,
    malformed: u64,
}

/// Events of one block, and how many records they come from.
struct Done {
    events: EventWriter,
    records: u64,
}

#[derive(Clone, Copy)]
struct Work<'a> {
    transform: &'a dyn Transform,
    origin: &'a Origin,
    collected_at: Timestamp,
}

/// The writer's side of a worker: events come out, their buffers go back.
struct Lane {
    done: Receiver<Done>,
    buffers: SyncSender<EventWriter>,
}

impl Work<'_> {
    /// All files, through all workers, to stdout.
    fn through(self, files: &[std::path::PathBuf]) -> Result<Summary, Failure> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let mut lanes = Vec::new();
            let mut inputs = Vec::new();
            for _ in 0..workers {
                let (blocks, blocks_out) = sync_channel(WAITING);
                let (done_in, done) = sync_channel(WAITING);
                let (buffers, buffers_out) = sync_channel(WAITING + 2);
                scope.spawn(move || self.encode_all(&blocks_out, &done_in, &buffers_out));
                inputs.push(blocks);
                lanes.push(Lane { done, buffers });
            }
            let reader = scope.spawn(move || read(files, inputs));
            let written = write(&lanes);
            // Whoever still waits to hand something on learns that nobody takes it.
            drop(lanes);
            let read = reader.join().map_err(|_| anyhow!("the reader ended by a defect"))?;
            match (read, written) {
                (Err(error), _) => Err(error.into()),
                (Ok(()), Ok(summary)) => Ok(summary),
                // Whoever read our output has seen enough.
                (Ok(()), Err(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Summary::default()),
                (Ok(()), Err(error)) => Err(anyhow!(error).context("write to stdout").into()),
            }
        })
    }

    /// One worker: encodes block after block until there are no more, or nobody wants them.
    fn encode_all(self, blocks: &Receiver<Block>, done: &SyncSender<Done>, buffers: &Receiver<EventWriter>) {
        for block in blocks {
            let mut events = buffers.try_recv().unwrap_or_default();
            events.clear();
            let mut records = 0;
            block.records(|text| {
                // Each block is small, and no sink needs the number of a record.
                events.start_record(0);
                let id = RecordId { second: 0, native: 0, content: 0 };
                let record = Record { origin: self.origin, text, id, collected_at: self.collected_at };
                self.transform.apply(&record, &mut events);
                records += 1;
            });
            if done.send(Done { events, records }).is_err() {
                return;
            }
        }
    }
}

/// Deals blocks out to the workers in turn.
fn read(files: &[std::path::PathBuf], workers: Vec<SyncSender<Block>>) -> anyhow::Result<()> {
    let stdin = [std::path::PathBuf::from("-")];
    let files = if files.is_empty() { &stdin[..] } else { files };
    let mut turns = (0..workers.len()).cycle();
    for path in files {
        let named = || format!("read {}", path.display());
        let mut blocks = Blocks::new(open(path).with_context(named)?);
        while let Some(block) = blocks.next().with_context(named)? {
            let turn = turns.next().unwrap_or_default();
            if workers[turn].send(block).is_err() {
                // The writer has given up and says why.
                return Ok(());
            }
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(path)?))
}

/// Writes the workers' events in the order of the blocks.
fn write(lanes: &[Lane]) -> io::Result<Summary> {
    let mut out = io::stdout().lock();
    let mut progress = Progress::new();
    let mut summary = Summary::default();
    for Lane { done, buffers } in lanes.iter().cycle() {
        // Blocks are dealt out in turn: where the next one is missing, there are no more.
        let Ok(Done { events, records }) = done.recv() else { break };
        out.write_all(events.ndjson())?;
        summary.records += records;
        summary.events += events.len() as u64;
        summary.malformed +=
            events.events().iter().filter(|event| event.class == 0 && event.severity == 0).count() as u64;
        // A worker that has ended needs no buffer.
        drop(buffers.try_send(events));
        let rate = summary.records as f64 / progress.elapsed().as_secs_f64().max(0.001);
        progress.show(|| format!("{} records, {rate:.0} records/s", thousands(summary.records)));
    }
    out.flush()?;
    progress.clear();
    Ok(summary)
}
