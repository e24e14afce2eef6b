//! `towpath dead-letters`: looking at letters, throwing them away; delivering them again is in `replay`.

mod deliver;
mod replay;
mod select;
mod show;

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::anyhow;
use dead_letters::{Change, KeptLetter, LetterFiles, ReadError, Removal};
use serde_json::json;

use crate::assemble::{self, Assembly};
use crate::cli::{DeadLettersArgs, DeadLettersCommand};
use crate::failure::Failure;
use crate::progress::thousands;
use select::Selection;

pub(crate) fn run(args: &DeadLettersArgs) -> Result<(), Failure> {
    let assembly = assemble::load(args.config.config.as_deref())?;
    let letters = Chosen::new(&assembly, args)?;
    match &args.command {
        DeadLettersCommand::List if args.json => list_json(letters),
        DeadLettersCommand::List => list(letters),
        DeadLettersCommand::Show { id } => show::run(letters, id, args.json),
        DeadLettersCommand::Export => export(letters),
        DeadLettersCommand::Purge { which } => {
            let selection = Selection::of(which, &letters, "purge")?;
            purge(letters, &selection, args.json)
        }
        DeadLettersCommand::Replay { which, timeout } => {
            let selection = Selection::of(which, &letters, "replay")?;
            replay::run(assembly, letters, selection, timeout.get(), args.json)
        }
    }
}

/// The letters that a command is about, and how many of them could not be read.
struct Chosen {
    files: LetterFiles,
    dir: std::path::PathBuf,
    sink: Option<String>,
    unreadable: u64,
}

impl Chosen {
    fn new(assembly: &Assembly, args: &DeadLettersArgs) -> Result<Self, Failure> {
        let dir = assembly.config.dead_letters.dir.clone();
        let files = LetterFiles::in_dir(&dir);
        if let Some(sink) = &args.sink {
            // One that is configured no more may still have letters; one that has neither is a slip of the pen.
            let known = assembly.config.sinks.iter().any(|known| known.name == *sink);
            if !known && files.letters(Some(sink))?.all(|kept| kept.is_err()) {
                let names: Vec<_> = assembly.config.sinks.iter().map(|sink| sink.name.as_str()).collect();
                let names = names.join(", ");
                return Err(Failure::Usage(format!(
                    "error: there is no sink {sink} in the configuration, and no dead letter of one; it has {names}"
                )));
            }
        }
        Ok(Self { files, dir, sink: args.sink.clone(), unreadable: 0 })
    }

    /// Calls `take` with each letter. One that cannot be read is told, counted, and left.
    fn each(&mut self, mut take: impl FnMut(KeptLetter) -> Result<(), Failure>) -> Result<(), Failure> {
        for kept in self.files.letters(self.sink.as_deref())? {
            match kept {
                Ok(kept) => take(kept)?,
                Err(error) => self.unreadable(error),
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, error: ReadError) {
        self.unreadable += 1;
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::error!(error, "cannot read a dead letter; it stays where it is");
    }

    /// The end of a command that did its work: a failure when something could not be read.
    fn finish(&self) -> Result<(), Failure> {
        match self.unreadable {
            0 => Ok(()),
            n => Err(anyhow!(
                "{} in {} could not be read, see above",
                plural(n, "dead letter"),
                self.dir.display()
            )
            .into()),
        }
    }
}

fn plural(n: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(n), if n == 1 { "" } else { "s" })
}

fn list_json(mut letters: Chosen) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    letters.each(|kept| {
        let letter = &kept.letter;
        // Written by hand, because these keys and their order are a contract.
        let text = |text: &str| serde_json::Value::from(text).to_string();
        writeln!(
            out,
            r#"{{"id":"{}","time":"{}","source":{},"sink":{},"event_id":"{:032x}","reason":{},"attempts":{},"bytes":{}}}"#,
            kept.id,
            letter.time,
            text(&letter.origin.source),
            text(&letter.sink),
            letter.event_id,
            text(&letter.reason),
            letter.attempts,
            letter.sent.len(),
        )?;
        Ok(())
    })?;
    letters.finish()
}

fn list(mut letters: Chosen) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut counts: BTreeMap<Box<str>, u64> = BTreeMap::new();
    letters.each(|kept| {
        if counts.is_empty() {
            let line = row(["ID", "TIME", "SOURCE", "SINK", "REASON", "TRIES", "BYTES", "DETAIL"]);
            writeln!(out, "{line}")?;
        }
        let letter = &kept.letter;
        // So many digits tell letters apart, and are taken as an id.
        let id = &kept.id.to_string()[..12];
        let (time, tries) = (letter.time.to_string(), letter.attempts.to_string());
        let (bytes, detail) = (thousands(letter.sent.len() as u64), show::shortened(&letter.detail, 60));
        let line =
            row([id, &time, &letter.origin.source, &letter.sink, &letter.reason, &tries, &bytes, &detail]);
        writeln!(out, "{line}")?;
        *counts.entry(letter.sink.clone()).or_default() += 1;
        Ok(())
    })?;
    let total = plural(counts.values().sum(), "dead letter");
    let each: Vec<_> = counts.iter().map(|(sink, n)| format!("{} of {sink}", thousands(*n))).collect();
    match each.as_slice() {
        [] => writeln!(out, "no dead letters in {}", letters.dir.display())?,
        [_] => writeln!(out, "\n{total}, all of {}", counts.keys().next().map_or("", |sink| sink))?,
        each => writeln!(out, "\n{total}: {}", each.join(", "))?,
    }
    letters.finish()
}

/// Columns wide enough for what is usual.
fn row(cells: [&str; 8]) -> String {
    let [id, time, source, sink, reason, tries, bytes, detail] = cells.map(show::printable);
    format!("{id:12}  {time:24}  {source:12}  {sink:12}  {reason:12}  {tries:>5}  {bytes:>9}  {detail}")
}

fn export(mut letters: Chosen) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    letters.each(|kept| {
        out.write_all(&kept.line)?;
        out.write_all(b"\n")?;
        Ok(())
    })?;
    letters.finish()
}

/// Letters that are removed in one go.
const AT_ONCE: usize = 1000;

fn purge(mut letters: Chosen, selection: &Selection, json: bool) -> Result<(), Failure> {
    let mut removed = 0;
    // Without the directory there is nothing to lock, and nothing to remove.
    if letters.dir.is_dir() {
        let mut removal = Removal::begin(&letters.dir)?;
        let mut chosen = Vec::new();
        letters.each(|kept| {
            if selection.has(kept.id) {
                chosen.push((kept.place(), Change::Remove));
            }
            if chosen.len() >= AT_ONCE {
                removed += removal.settle(chosen.drain(..))?.removed;
            }
            Ok(())
        })?;
        removed += removal.settle(chosen)?.removed;
    }
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", json!({ "removed": removed }))?;
    } else {
        writeln!(out, "removed {} from {}", plural(removed, "dead letter"), letters.dir.display())?;
    }
    letters.finish()
}
