//! `towpath dead-letters replay`: letters become events again, by today's mapping, and go to their sinks.
//!
//! A letter is removed after its sink has said that the event is durable, never before. A crash between the two sends
//! the event again, under the same id.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use dead_letters::{Change, KeptLetter, Removal};
use pipeline::{
    EventBatch, EventDraft, EventMeta, EventOutcome, EventWriter, Letter, LetterRecord, Origin, Reason,
    Record, Timestamp, View,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::deliver::{Lane, Ledger, Prepared};
use super::select::Selection;
use super::{Chosen, plural};
use crate::assemble::{self, Assembly};
use crate::commands::run::block_on;
use crate::connectors::{self, SourceSettings};
use crate::failure::Failure;
use crate::progress::{Progress, thousands};
use crate::stop;

pub(super) fn run(
    assembly: Assembly,
    letters: Chosen,
    selection: Selection,
    patience: Duration,
    json: bool,
) -> Result<(), Failure> {
    block_on(async move {
        let stop = stop::on_signal().context("listen for signals")?;
        if !letters.dir.is_dir() {
            return Notes::new(None).finish(&letters, json);
        }
        let mut notes = Notes::new(Some(Removal::begin(&letters.dir)?));
        let mut replay = Replay { assembly, lanes: HashMap::new(), patience, stop };
        let letters = replay.all(letters, &selection, &mut notes).await?;
        notes.finish(&letters, json)
    })
}

struct Replay {
    assembly: Assembly,
    /// By the sink's name; `None` when the configuration has no such sink.
    lanes: HashMap<Box<str>, Option<Lane>>,
    patience: Duration,
    stop: CancellationToken,
}

impl Replay {
    async fn all(
        &mut self,
        mut letters: Chosen,
        selection: &Selection,
        notes: &mut Notes,
    ) -> Result<Chosen, Failure> {
        for kept in letters.files.letters(letters.sink.as_deref())? {
            match kept {
                Ok(kept) if selection.has(kept.id) => self.take(kept, notes).await?,
                Ok(_) => {}
                Err(error) => letters.unreadable(error),
            }
        }
        for lane in self.lanes.values_mut().flatten() {
            lane.deliver(notes, self.patience, &self.stop).await?;
        }
        let sinks = self.lanes.values().flatten().map(|lane| (lane.name.as_str().into(), lane.sink.clone()));
        runtime::close(sinks.collect(), Duration::MAX).await;
        if self.stop.is_cancelled() {
            tracing::warn!("stopped by a signal; what was not delivered is kept");
        }
        Ok(letters)
    }

    async fn take(&mut self, kept: KeptLetter, notes: &mut Notes) -> Result<(), Failure> {
        let Some(lane) = self.lane(&kept.letter.sink) else {
            notes.keep(1);
            return Ok(());
        };
        if lane.is_stopped() {
            notes.keep(1);
            return Ok(());
        }
        let view = lane.view.clone();
        let prepared = match self.prepare(&kept, &view) {
            Ok(prepared) => prepared,
            Err(why) => {
                notes.keep_because(&kept, &why);
                return Ok(());
            }
        };
        let (patience, stop) = (self.patience, self.stop.clone());
        let Some(lane) = self.lane(&kept.letter.sink) else { return Ok(()) };
        if !lane.has_room(&prepared) {
            lane.deliver(notes, patience, &stop).await?;
        }
        lane.push(prepared);
        Ok(())
    }

    /// The way to the sink of that name, if the configuration still has one.
    fn lane(&mut self, name: &str) -> Option<&mut Lane> {
        if !self.lanes.contains_key(name) {
            let lane = self.new_lane(name);
            if lane.is_none() {
                let remedy = "name a sink so, or purge its letters";
                tracing::error!(
                    sink = name,
                    "the configuration has no such sink, its letters are kept: {remedy}"
                );
            }
            self.lanes.insert(name.into(), lane);
        }
        self.lanes.get_mut(name)?.as_mut()
    }

    fn new_lane(&self, name: &str) -> Option<Lane> {
        let Assembly { config, sinks, .. } = &self.assembly;
        let (sink, settings) = config.sinks.iter().zip(sinks).find(|(sink, _)| sink.name == name)?;
        let view = Arc::new(connectors::view(sink));
        let (batch, retry) = (assemble::batch_limits(&sink.batch), assemble::retry(&sink.retry));
        Some(Lane::new(name, settings.sink.clone(), view, batch, retry))
    }

    /// The letter's event as it would be sent today, or why there is none.
    fn prepare(&self, kept: &KeptLetter, view: &Arc<View>) -> Result<Prepared, String> {
        let letter = &kept.letter;
        let origin = self.origin_today(&letter.origin);
        let (batch, index) = match &letter.record {
            Some(record) => mapped_again(letter, record, &origin, self.source(&origin), view)?,
            None => (as_it_was(letter, &origin, view)?, 0),
        };
        let event = &batch.events[index];
        let letter = Letter {
            view: view.clone(),
            event_id: event.id,
            sent: batch.ndjson.slice(event.span.start as usize..event.span.end as usize),
            ..letter.clone()
        };
        Ok(Prepared { place: kept.place(), letter, batch: Arc::new(batch), index })
    }

    /// The settings of that source, if it is configured today.
    fn source(&self, origin: &Origin) -> Option<&SourceSettings> {
        let Assembly { config, sources, .. } = &self.assembly;
        let mut all = config.sources.iter().zip(sources);
        let is_it = |source: &config::Source| *source.name == *origin.source && *source.kind == *origin.kind;
        all.find(|(source, _)| is_it(source)).map(|(_, settings)| settings)
    }

    /// What the configuration says of the source today; what the letter says, where there is no such source any more.
    fn origin_today(&self, origin: &Arc<Origin>) -> Arc<Origin> {
        let is_it = |source: &&config::Source| *source.name == *origin.source && *source.kind == *origin.kind;
        let Some(source) = self.assembly.config.sources.iter().find(is_it) else { return origin.clone() };
        let labels = source.labels.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into()));
        Arc::new(Origin { labels: labels.collect(), ..Origin::clone(origin) })
    }
}

/// The events of the letter's record by today's mapping, and which of them is the letter's.
fn mapped_again(
    letter: &Letter,
    record: &LetterRecord,
    origin: &Arc<Origin>,
    settings: Option<&SourceSettings>,
    view: &Arc<View>,
) -> Result<(EventBatch, usize), String> {
    let transform = connectors::transform_of(origin, settings, view)
        .ok_or_else(|| format!("this release has no source of type {}", origin.kind))?
        .map_err(|error| error.to_string())?;
    let mut events = EventWriter::default();
    events.start_record(0);
    let LetterRecord { text, id, collected_at } = record;
    transform.apply(&Record { origin, text, id: *id, collected_at: *collected_at }, &mut events);
    let index = letter.fan_out as usize;
    if index >= events.len() {
        return Err(format!(
            "today's mapping makes {} of its record, and it was number {} of them",
            plural(events.len() as u64, "event"),
            index + 1
        ));
    }
    Ok((events.finish(origin.clone(), view.clone()), index))
}

/// An event that no record stands behind, in the bytes that were sent.
fn as_it_was(letter: &Letter, origin: &Arc<Origin>, view: &Arc<View>) -> Result<EventBatch, String> {
    if letter.sent.contains(&b'\n') {
        return Err("its event is more than one line".to_owned());
    }
    let mut events = EventWriter::default();
    events.start_record(EventMeta::NO_RECORD);
    events.line().extend_from_slice(&letter.sent);
    events.commit(&EventDraft {
        id: letter.event_id,
        time: time_of(&letter.sent).unwrap_or(letter.time),
        class: 0,
        severity: 0,
        outcome: EventOutcome::Unknown,
        action: "",
        actor: "",
        tenant: "",
    });
    Ok(events.finish(origin.clone(), view.clone()))
}

/// The time of an OCSF event or an ECS document.
fn time_of(sent: &[u8]) -> Option<Timestamp> {
    let event: serde_json::Value = serde_json::from_slice(sent).ok()?;
    let ecs = event["@timestamp"].as_str().and_then(|time| time.parse().ok());
    ecs.or_else(|| event["time"].as_i64().map(Timestamp::from_millis))
}

/// Letters that are named in the log, of each kind; more of them are only counted.
const NAMED: u64 = 20;

/// What became of the letters.
struct Notes {
    /// `None` when there is no directory, and so no letter.
    removal: Option<Removal>,
    progress: Progress,
    replayed: u64,
    refused: u64,
    kept: u64,
    /// Of those kept, the ones with a reason of their own.
    unmappable: u64,
}

impl Notes {
    fn new(removal: Option<Removal>) -> Self {
        Self { removal, progress: Progress::new(), replayed: 0, refused: 0, kept: 0, unmappable: 0 }
    }

    fn keep_because(&mut self, kept: &KeptLetter, why: &str) {
        self.kept += 1;
        self.unmappable += 1;
        if self.unmappable <= NAMED {
            let (id, sink) = (kept.id.to_string(), &*kept.letter.sink);
            tracing::error!(id, sink, "dead letter cannot be sent and is kept: {why}");
        }
    }

    fn text(&self) -> String {
        let [replayed, refused, kept] = [self.replayed, self.refused, self.kept].map(thousands);
        format!("{replayed} replayed, {refused} refused again, {kept} kept")
    }

    fn finish(mut self, letters: &Chosen, json: bool) -> Result<(), Failure> {
        self.progress.clear();
        if json {
            let summary =
                json!({ "replayed": self.replayed, "refused_again": self.refused, "kept": self.kept });
            writeln!(std::io::stdout(), "{summary}")?;
        } else {
            // Where nobody reads stderr any more there is nobody to tell.
            drop(writeln!(std::io::stderr(), "{}", self.text()));
        }
        letters.finish()?;
        match self.refused + self.kept {
            0 => Ok(()),
            n => Err(anyhow!(
                "{} could not be delivered and stay in {}",
                plural(n, "dead letter"),
                letters.dir.display()
            )
            .into()),
        }
    }
}

impl Ledger for Notes {
    fn settle(&mut self, taken: Vec<Prepared>, refused: Vec<(Prepared, Reason)>) -> Result<(), Failure> {
        let Some(removal) = &mut self.removal else { return Ok(()) };
        let (delivered, refusals) = (taken.len() as u64, refused.len() as u64);
        let removed = taken.into_iter().map(|letter| (letter.place, Change::Remove));
        let replaced = refused.into_iter().enumerate().map(|(n, (letter, reason))| {
            let Prepared { place, letter, .. } = letter;
            if self.refused + (n as u64) < NAMED {
                let (event_id, sink) = (format!("{:032x}", letter.event_id), &*letter.sink);
                let (reason, detail) = (reason.kind, &*reason.detail);
                tracing::warn!(event_id, sink, reason, detail, "event is refused again, its letter is kept");
            }
            let letter = Letter { reason: reason.kind.into(), detail: reason.detail, ..letter };
            (place, Change::Replace(Box::new(letter)))
        });
        let settled = removal.settle(removed.chain(replaced));
        settled.with_context(|| {
            let events = plural(delivered, "event");
            format!(
                "note what became of letters ({events} were delivered and may be so again by the next replay)"
            )
        })?;
        self.replayed += delivered;
        self.refused += refusals;
        let text = self.text();
        self.progress.show(|| text);
        Ok(())
    }

    fn keep(&mut self, letters: usize) {
        self.kept += letters as u64;
    }
}

#[cfg(test)]
mod tests {
    use dead_letters::{LetterFiles, LetterStore};
    use pipeline::{DeadLetters as _, Schema};

    use super::*;

    #[test]
    fn what_is_refused_again_stays_and_says_how_it_went_today() {
        let dir = tempfile::tempdir().unwrap();
        let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
        let letter = Letter {
            time: Timestamp::from_millis(5),
            origin: Arc::new(origin),
            sink: "splunk".into(),
            view: Arc::new(View { schema: Schema::Ocsf, version: "1.1.0".into(), keep_raw: true }),
            event_id: 7,
            fan_out: 0,
            reason: "old".into(),
            detail: "old".into(),
            attempts: 2,
            sent: "{\"old\":1}".into(),
            record: None,
        };
        let store = LetterStore::open(dir.path(), 10_000).unwrap();
        store.keep(&[letter.clone(), Letter { event_id: 8, ..letter.clone() }]).unwrap();
        let kept =
            || LetterFiles::in_dir(dir.path()).letters(None).unwrap().map(Result::unwrap).collect::<Vec<_>>();
        let before = kept();
        let view = Arc::new(View { version: "1.8.0".into(), ..View::clone(&letter.view) });
        let prepared = |n: usize| {
            let batch = as_it_was(&before[n].letter, &letter.origin, &view).unwrap();
            let letter = Letter {
                attempts: 3,
                sent: "{\"new\":1}".into(),
                view: view.clone(),
                ..before[n].letter.clone()
            };
            Prepared { place: before[n].place(), letter, batch: Arc::new(batch), index: 0 }
        };
        let reason = Reason { kind: "mapping", detail: "new".into() };
        let mut notes = Notes::new(Some(Removal::begin(dir.path()).unwrap()));
        notes.settle(vec![prepared(1)], vec![(prepared(0), reason)]).unwrap();
        assert_eq!(notes.text(), "1 replayed, 1 refused again, 0 kept");
        let after = kept();
        assert_eq!((after.len(), after[0].id), (1, before[0].id));
        let expected = Letter {
            reason: "mapping".into(),
            detail: "new".into(),
            attempts: 3,
            sent: "{\"new\":1}".into(),
            view: view.clone(),
            ..letter
        };
        assert_eq!(after[0].letter, expected);
    }

    #[test]
    fn the_time_of_an_event_without_a_record_is_its_own() {
        let time = |sent: &str| time_of(sent.as_bytes()).map(Timestamp::as_millis);
        assert_eq!(time("{\"time\":1795165523120}"), Some(1_795_165_523_120));
        assert_eq!(time("{\"@timestamp\":\"2026-11-20T09:05:23.120Z\"}"), Some(1_795_165_523_120));
        for sent in ["{}", "{\"time\":\"now\"}", "not json", ""] {
            assert_eq!(time(sent), None, "{sent}");
        }
    }
}
