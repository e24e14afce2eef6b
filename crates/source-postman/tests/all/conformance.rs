//! The suite that every source passes, against the simulated Postman; and the suite itself, tried on sources that are
//! wrong on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use hazards::{Api, CannotHappen, Harness, Nature, Spoiled, conforms, examine};
use pipeline::{
    Next, Position, Progress, RecordId, Seen, SeenIds, Source, SourceError, SourceStatus, StoreError,
    Timestamp, Wait,
};
use simulator::{Answer, Faults, Late, Postman, RateLimitHeaders, TimeFilter};
use source_postman::{Account, PostmanConfig, PostmanSource, Wiring};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// What is wrong with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    DropsARecord,
    HandsOutTwice,
    LosesAPageWhenDropped,
    IsAheadOfItself,
    ShowsTheKey,
    TakesRefusalsForTheEnd,
    TakesAnyPosition,
    BeginsAtThePresent,
}

struct PostmanHarness {
    defect: Option<Defect>,
}

struct Simulated {
    api: Postman,
    nature: Nature,
    defect: Option<Defect>,
}

fn faults(nature: Nature) -> Faults {
    let none = Faults::none();
    match nature {
        Nature::Plain => none,
        Nature::SmallPages => Faults { largest_page: 9, ..none },
        Nature::CrowdedSeconds => Faults { ties: 0.6, crowded_second: 350, ..none },
        Nature::Growing => Faults { bursts: 0.5, largest_page: 50, ..none },
        Nature::Late => Faults { late: Late { share: 0.2, least: HOUR / 60, most: 6 * HOUR }, ..none },
        Nature::FutureDates => Faults { future: 0.05, ..none },
        Nature::DayCut => Faults {
            time_filter: TimeFilter { cut_to_day: true, dates_only: true, inclusive: false },
            ..none
        },
        Nature::ExclusiveEdges => {
            Faults { time_filter: TimeFilter { inclusive: false, ..none.time_filter }, ..none }
        }
        Nature::ClockAhead | Nature::ClockBehind => none,
        Nature::StrictCursors => {
            Faults { bound_cursors: true, cursor_lifetime: Some(HOUR / 6), largest_page: 40, ..none }
        }
        Nature::Edited => Faults { edits: 0.2, flips: Some(Duration::from_secs(5)), bursts: 0.2, ..none },
        Nature::Odd => Faults { odd_records: 0.3, huge_ids: true, ..none },
        Nature::Forgetful => Faults { retention: 3 * DAY, ..none },
        Nature::Hostile => {
            // What takes real time has no place where time passes by itself.
            let slow = |answer: &Answer| {
                matches!(
                    answer,
                    Answer::Stalled(_)
                        | Answer::Hang(_)
                        | Answer::Slow(_)
                        | Answer::GzipBomb(_)
                        | Answer::Oversized(_)
                )
            };
            let mut faults = Faults { outages: vec![], rate_limit: None, ..Faults::hostile() };
            faults.answers.retain(|(answer, _)| !slow(answer));
            faults
        }
    }
}

#[async_trait]
impl Harness for PostmanHarness {
    async fn api(&self, nature: Nature, records: usize) -> Result<Box<dyn Api>, CannotHappen> {
        let builder = Postman::builder().seed(7).events(records).faults(faults(nature));
        let builder = match nature {
            Nature::ClockAhead => builder.clock(SystemTime::now() + 2 * HOUR),
            Nature::ClockBehind => builder.clock(SystemTime::now() - 2 * HOUR),
            _ => builder,
        };
        let api = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        Ok(Box::new(Simulated { api, nature, defect: self.defect }))
    }
}

impl Api for Simulated {
    fn source(&self) -> Box<dyn Source> {
        let (url, key) = (self.api.url(), self.api.key());
        let start = if self.defect == Some(Defect::BeginsAtThePresent) { r#", "start": "1h""# } else { "" };
        let config = format!(r#"{{"api_key": "{key}", "url": "{url}", "requests_per_minute": 6000{start}}}"#);
        let config: PostmanConfig = serde_json::from_str(&config).unwrap();
        let (start, began) = (Timestamp::from_system(SystemTime::now()), tokio::time::Instant::now());
        let wiring = Wiring { clock: Arc::new(move || start.plus(began.elapsed())), ..Wiring::default() };
        let source = PostmanSource::new("postman", Account::new(config.validate().unwrap(), wiring));
        match self.defect {
            None | Some(Defect::BeginsAtThePresent) => Box::new(source),
            Some(defect) => Box::new(Wrong { source, defect, key: key.to_owned(), before: None, held: None }),
        }
    }

    fn id_of(&self, text: &[u8]) -> Option<String> {
        let record: BTreeMap<&str, &serde_json::value::RawValue> = serde_json::from_slice(text).ok()?;
        let id = record.get("id")?.get();
        (!id.starts_with(['{', '[', 'n'])).then(|| id.trim_matches('"').to_owned())
    }

    fn shown(&self) -> Vec<String> {
        self.api.shown_ids().into_iter().collect()
    }

    fn all(&self) -> BTreeMap<String, SystemTime> {
        self.api.all().into_iter().filter_map(|record| Some((record.id?, record.time))).collect()
    }

    fn now(&self) -> SystemTime {
        match self.nature {
            Nature::ClockAhead => SystemTime::now() + 2 * HOUR,
            Nature::ClockBehind => SystemTime::now() - 2 * HOUR,
            _ => SystemTime::now(),
        }
    }

    fn requests(&self) -> usize {
        self.api.requests().len()
    }

    fn spoil(&self, spoiled: Spoiled) -> Result<(), CannotHappen> {
        let answer = match spoiled {
            Spoiled::Throttled(way) => {
                Answer::TooManyRequests(RateLimitHeaders::ALL[way], Duration::from_secs(7))
            }
            Spoiled::QuotaUsedUp => Answer::QuotaExhausted,
            Spoiled::ServerError => Answer::Status(503),
            Spoiled::Reset => Answer::Reset,
            Spoiled::Cut => Answer::Cut,
            Spoiled::Truncated => Answer::Truncated,
            Spoiled::Html => Answer::HtmlWithStatus200,
            Spoiled::ErrorAsSuccess => Answer::ErrorWithStatus200,
            Spoiled::NotUtf8 => Answer::NotUtf8,
            Spoiled::CursorLost => Answer::Status(410),
            Spoiled::EmptyPage => Answer::EmptyPage,
            Spoiled::RepeatedCursor => Answer::RepeatedCursor,
            Spoiled::Repeated => Answer::Repeated(5),
            Spoiled::Shuffled => Answer::Shuffled,
        };
        self.api.script([answer]);
        Ok(())
    }

    fn throttles(&self) -> Vec<String> {
        RateLimitHeaders::ALL.iter().map(|dialect| format!("{dialect:?}")).collect()
    }

    fn accept(&self, accepted: bool) {
        match accepted {
            true => self.api.rotate_key(self.api.key()),
            false => self.api.refuse_key(),
        }
    }

    fn add(&self, time: SystemTime) -> String {
        self.api.add(time).to_string()
    }

    fn edit(&self, id: &str) -> Result<(), CannotHappen> {
        assert!(self.api.edit(id.parse().unwrap()));
        Ok(())
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.api.key().to_owned()]
    }
}

#[test]
fn conforming() {
    conforms(&PostmanHarness { defect: None });
}

/// The suite notices each of these.
#[test]
fn wrong_sources_fail() {
    let table: &[(Defect, &[&str])] = &[
        (Defect::DropsARecord, &["plain", "restart_after_each_page"]),
        (Defect::HandsOutTwice, &["restart_after_each_page"]),
        (Defect::LosesAPageWhenDropped, &["cancel_at_each_await"]),
        (Defect::IsAheadOfItself, &["restart_before_each_save"]),
        (Defect::ShowsTheKey, &["wrong_key_heals"]),
        (Defect::TakesRefusalsForTheEnd, &["outage"]),
        (Defect::TakesAnyPosition, &["foreign_position"]),
        (Defect::BeginsAtThePresent, &["plain", "gap_is_told"]),
    ];
    for (defect, cases) in table {
        let report =
            examine(&PostmanHarness { defect: Some(*defect) }, |name| cases.contains(&name), |_, _| {});
        let failed: BTreeSet<_> = report.failed().into_iter().collect();
        assert_eq!(failed, cases.iter().copied().collect(), "{defect:?}\n{report}");
    }
}

/// A source around the good one.
struct Wrong {
    source: PostmanSource,
    defect: Defect,
    key: String,
    before: Option<Progress>,
    held: Option<Next>,
}

/// Knows nothing.
struct Nothing;

#[async_trait]
impl SeenIds for Nothing {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        Ok(vec![Seen::New; ids.len()])
    }
}

#[async_trait]
impl Source for Wrong {
    async fn open(
        &mut self,
        resume: Option<Position>,
        seen: Arc<dyn SeenIds>,
    ) -> Result<Progress, SourceError> {
        let seen: Arc<dyn SeenIds> =
            if self.defect == Defect::HandsOutTwice { Arc::new(Nothing) } else { seen };
        match self.source.open(resume, seen.clone()).await {
            Err(_) if self.defect == Defect::TakesAnyPosition => self.source.open(None, seen).await,
            opened => opened,
        }
    }

    async fn next(&mut self) -> Result<Next, SourceError> {
        let mut next = self.source.next().await;
        match (self.defect, &mut next) {
            (Defect::DropsARecord, Ok(Next::Page { batch, .. })) => drop(batch.records.pop()),
            (Defect::LosesAPageWhenDropped, _) => tokio::task::yield_now().await,
            (Defect::IsAheadOfItself, Ok(Next::Page { .. })) => {
                // The page before this one goes out with the position behind this one.
                let Ok(now) = next else { unreachable!() };
                let Next::Page { progress, .. } = &now else { unreachable!() };
                let progress = progress.clone();
                self.before = Some(progress.clone());
                return match self.held.replace(now) {
                    Some(Next::Page { batch, .. }) => Ok(Next::Page { batch, progress }),
                    _ => Ok(Next::Wait(Wait { duration: Duration::ZERO, caught_up: false })),
                };
            }
            (Defect::IsAheadOfItself, Ok(Next::Wait(_))) => {
                if let (Some(Next::Page { batch, .. }), Some(progress)) =
                    (self.held.take(), self.before.take())
                {
                    return Ok(Next::Page { batch, progress });
                }
            }
            (Defect::ShowsTheKey, Err(SourceError::Paused { source, .. })) => {
                *source = format!("{} is not accepted", self.key).into();
            }
            (Defect::TakesRefusalsForTheEnd, Err(SourceError::Transient { .. })) => {
                return Ok(Next::Wait(Wait { duration: Duration::from_secs(1), caught_up: true }));
            }
            _ => {}
        }
        next
    }

    fn status(&self) -> SourceStatus {
        self.source.status()
    }

    async fn check(&mut self) -> Result<String, SourceError> {
        self.source.check().await
    }
}
