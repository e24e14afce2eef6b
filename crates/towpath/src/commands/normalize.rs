//! `towpath normalize`: records in, events out, in order, on all cores, in constant memory.
//!
//! Each worker takes the next block of the input, encodes it, and writes its events when it is their turn. Nothing is handed
//! from thread to thread, so that a block stays in the caches of one core and its memory is used again.
//!
//! Records of a described API come in whole answers, which are few: see [`pages`].

mod pages;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use std::{thread, vec};

use anyhow::anyhow;
use pipeline::{EventMeta, EventWriter, Origin, Record, RecordId, Schema, Timestamp, Transform, View};
use settings::suggest::{any_of, closest};
use source_audit_logs::{AuditLogsSettings, Recorded};
use transform::{MappingSettings, PostmanOptions, UnknownActions};

use crate::assemble::{self, Assembly};
use crate::cli::{NormalizeArgs, SchemaName};
use crate::commands::recipes::{self, described::Described};
use crate::connectors::SourceSettings;
use crate::failure::Failure;
use crate::progress::{Progress, thousands};
use crate::records::{Block, Blocks};
use pages::Pages;

pub(crate) fn run(args: &NormalizeArgs) -> Result<(), Failure> {
    let view = view(args);
    match subject(args)? {
        Subject::Postman(origin) => postman(args, &view, &origin),
        Subject::Described { origin, settings, mapping } => {
            described(args, &view, &origin, &Recorded::new(&settings), &mapping)
        }
    }
}

/// Whose records they are.
enum Subject {
    /// Records as they stand.
    Postman(Origin),
    /// Answers.
    Described { origin: Origin, settings: Box<AuditLogsSettings>, mapping: MappingSettings },
}

fn subject(args: &NormalizeArgs) -> Result<Subject, Failure> {
    if let Some(name) = &args.recipe {
        let recipe = recipes::load(name)?;
        let Described { name, settings, mapping, .. } = Described::new(&recipe)?;
        let origin = origin(&name, "audit_logs", mapping.dataset(), &[]);
        return Ok(Subject::Described { origin, settings, mapping });
    }
    let name = args.source.as_deref().unwrap_or(POSTMAN);
    if name == POSTMAN && args.config.config.is_none() {
        return Ok(Subject::Postman(origin(POSTMAN, POSTMAN, POSTMAN_DATASET, &[])));
    }
    let Assembly { path, config, sources, .. } = assemble::load(args.config.config.as_deref())?;
    let found = config.sources.iter().zip(sources).find(|(source, _)| source.name == name);
    let Some((source, settings)) = found else {
        let names = || config.sources.iter().map(|source| &*source.name);
        let help = match closest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", any_of(names())),
        };
        let place = path.display();
        return Err(Failure::Usage(format!("error: {place} has no source `{name}`\nhelp: {help}")));
    };
    Ok(match settings {
        SourceSettings::Postman(_) => {
            Subject::Postman(origin(name, POSTMAN, POSTMAN_DATASET, &source.labels))
        }
        SourceSettings::AuditLogs(settings, mapping) => {
            let origin = origin(name, source.kind, mapping.dataset(), &source.labels);
            Subject::Described { origin, settings, mapping }
        }
    })
}

fn postman(args: &NormalizeArgs, view: &View, origin: &Origin) -> Result<(), Failure> {
    let unknown = Arc::new(UnknownActions::default());
    let options = PostmanOptions { names: Arc::default(), unknown: Some(unknown.clone()) };
    let transform = transform::postman(view, options).map_err(Failure::usage)?;
    let work = Work { transform: &*transform, origin, collected_at: collected_at(args) };
    let mut text = work.through(&args.files)?.to_string();
    let unknown = unknown.total();
    if unknown > 0 {
        text += &format!(", {} mapped by rule of thumb", thousands(unknown));
    }
    writeln!(io::stderr(), "{text}")?;
    Ok(())
}

fn described(
    args: &NormalizeArgs,
    view: &View,
    origin: &Origin,
    recorded: &Recorded,
    mapping: &MappingSettings,
) -> Result<(), Failure> {
    let transform = transform::generic(view, mapping).map_err(Failure::usage)?;
    let pages = Pages { recorded, origin, transform: &*transform, collected_at: collected_at(args) };
    let tally = pages.through(&args.files)?;
    for remark in pages.remarks(&tally) {
        writeln!(io::stderr(), "{remark}")?;
    }
    writeln!(io::stderr(), "{}{}", Pages::pages(&tally), tally.summary)?;
    Ok(())
}

fn collected_at(args: &NormalizeArgs) -> Timestamp {
    args.collected_at.unwrap_or_else(|| Timestamp::from_system(SystemTime::now()))
}

fn view(args: &NormalizeArgs) -> View {
    let (schema, version) = match args.schema {
        SchemaName::Ocsf => (Schema::Ocsf, args.ocsf_version.as_str()),
        SchemaName::Ecs => (Schema::Ecs, transform::ECS_VERSION),
        SchemaName::Raw => (Schema::Raw, ""),
    };
    View { schema, version: version.into(), keep_raw: !args.no_raw }
}

const POSTMAN: &str = "postman";
const POSTMAN_DATASET: &str = "postman.audit";

fn origin(source: &str, kind: &str, dataset: &str, labels: &[(String, String)]) -> Origin {
    let labels = labels.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    Origin { source: source.into(), kind: kind.into(), dataset: dataset.into(), labels }
}

#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    records: u64,
    events: u64,
    malformed: u64,
}

impl Summary {
    fn add(&mut self, more: Self) {
        self.records += more.records;
        self.events += more.events;
        self.malformed += more.malformed;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, events, malformed } = *self;
        write!(f, "{} records, {} events", thousands(records), thousands(events))?;
        if malformed > 0 {
            write!(f, ", {} could not be mapped and are base events", thousands(malformed))?;
        }
        Ok(())
    }
}

/// Whether an event only holds a record that could not be read.
fn is_malformed(event: &EventMeta) -> bool {
    event.class == 0 && event.severity == 0
}

#[derive(Clone, Copy)]
struct Work<'a> {
    transform: &'a dyn Transform,
    origin: &'a Origin,
    collected_at: Timestamp,
}

/// Why there are no more events.
enum End {
    Read(anyhow::Error),
    Write(io::Error),
}

impl Work<'_> {
    /// All files, through all workers, to stdout.
    fn through(self, files: &[PathBuf]) -> Result<Summary, Failure> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let (input, output) = (Mutex::new(Input::new(files)), Output::new());
        let ends = thread::scope(|scope| {
            let all: Vec<_> =
                (0..workers).map(|_| scope.spawn(|| self.until_the_end(&input, &output))).collect();
            all.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        let mut unwritten = None;
        for end in ends {
            match end.map_err(|_| anyhow!("a worker ended by a defect"))? {
                Ok(()) => {}
                Err(End::Read(error)) => return Err(error.into()),
                Err(End::Write(error)) => unwritten = Some(error),
            }
        }
        match unwritten {
            None => Ok(output.summary()),
            // Whoever read our output has seen enough.
            Some(error) if error.kind() == ErrorKind::BrokenPipe => Ok(output.summary()),
            Some(error) => Err(anyhow!(error).context("write to stdout").into()),
        }
    }

    /// One worker.
    fn until_the_end(self, input: &Mutex<Input>, output: &Output) -> Result<(), End> {
        let (mut block, mut events) = (Block::default(), EventWriter::default());
        loop {
            let taken = locked(input).next(&mut block).map_err(End::Read)?;
            let Some(number) = taken else { return Ok(()) };
            let turn = Turn { output, number };
            let summary = self.encode(&block, &mut events);
            if !turn.write(&events, summary).map_err(End::Write)? {
                return Ok(());
            }
        }
    }

    fn encode(self, block: &Block, events: &mut EventWriter) -> Summary {
        events.clear();
        let mut records = 0;
        block.records(|text| {
            // Each block is small, and no sink needs the number of a record.
            events.start_record(0);
            let id = RecordId { second: 0, native: 0, content: 0 };
            let record = Record { origin: self.origin, text, id, collected_at: self.collected_at };
            self.transform.apply(&record, events);
            records += 1;
        });
        let malformed = events.events().iter().filter(|event| is_malformed(event)).count() as u64;
        Summary { records, events: events.len() as u64, malformed }
    }
}

/// The files, one after the other, as numbered blocks.
struct Input {
    files: vec::IntoIter<PathBuf>,
    open: Option<(PathBuf, Blocks<Box<dyn Read + Send>>)>,
    taken: u64,
}

impl Input {
    /// Standard input if there are no files.
    fn new(files: &[PathBuf]) -> Self {
        let files = if files.is_empty() { vec![PathBuf::from("-")] } else { files.to_vec() };
        Self { files: files.into_iter(), open: None, taken: 0 }
    }

    /// Puts the next block into `block` and says its number; `None` at the end, and after an error.
    fn next(&mut self, block: &mut Block) -> anyhow::Result<Option<u64>> {
        loop {
            let (path, mut blocks) = match self.open.take() {
                Some(open) => open,
                None => {
                    let Some(path) = self.files.next() else { return Ok(None) };
                    let input = self.unless_failed(&path, open(&path))?;
                    (path, Blocks::new(input))
                }
            };
            if self.unless_failed(&path, blocks.next(block))? {
                self.open = Some((path, blocks));
                self.taken += 1;
                return Ok(Some(self.taken - 1));
            }
        }
    }

    fn unless_failed<T>(&mut self, path: &Path, result: io::Result<T>) -> anyhow::Result<T> {
        result.map_err(|error| {
            self.files = Vec::new().into_iter();
            unreadable(path, &error)
        })
    }
}

/// That a file cannot be read, and what to do about it.
fn unreadable(path: &Path, error: &io::Error) -> anyhow::Error {
    let file = path.display();
    match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "read {file}: {error}\nhelp: check the path, which counts from the working directory; without one, or with `-`, \
             standard input is read"
        ),
        ErrorKind::PermissionDenied => anyhow!("read {file}: {error}\nhelp: let this user read it"),
        ErrorKind::IsADirectory => {
            anyhow!("read {file}: {error}\nhelp: name the files in it, such as `{file}/*`")
        }
        _ => anyhow!("read {file}: {error}"),
    }
}

fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path)?))
}

/// Stdout, in the order of the blocks.
struct Output {
    written: Mutex<Written>,
    next: Condvar,
}

struct Written {
    /// The block whose events come next.
    turn: u64,
    /// Nothing comes any more.
    given_up: bool,
    summary: Summary,
    progress: Progress,
}

impl Output {
    fn new() -> Self {
        let written =
            Written { turn: 0, given_up: false, summary: Summary::default(), progress: Progress::new() };
        Self { written: Mutex::new(written), next: Condvar::new() }
    }

    fn summary(self) -> Summary {
        let mut written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        written.progress.clear();
        written.summary
    }
}

/// A block that was taken: those behind it wait for its events. One that is dropped unwritten is waited for in vain, so
/// that they give up.
struct Turn<'a> {
    output: &'a Output,
    number: u64,
}

impl Turn<'_> {
    /// Waits for its turn and writes; false when somebody has given up.
    fn write(self, events: &EventWriter, summary: Summary) -> io::Result<bool> {
        let waits = |written: &mut Written| !written.given_up && written.turn != self.number;
        let mut written = self
            .output
            .next
            .wait_while(locked(&self.output.written), waits)
            .unwrap_or_else(PoisonError::into_inner);
        if written.given_up {
            return Ok(false);
        }
        io::stdout().write_all(events.ndjson())?;
        written.turn += 1;
        written.note(summary);
        Ok(true)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut written = locked(&self.output.written);
        written.given_up |= written.turn <= self.number;
        self.output.next.notify_all();
    }
}

impl Written {
    fn note(&mut self, block: Summary) {
        let Self { summary, progress, .. } = self;
        summary.add(block);
        let rate = summary.records as f64 / progress.elapsed().as_secs_f64().max(0.001);
        progress.show(|| format!("{} records, {rate:.0} records/s", thousands(summary.records)));
    }
}

/// What is behind these locks is whole at any moment, or nobody goes on with it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
