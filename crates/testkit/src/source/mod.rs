//! What every source must do, whatever its API is: the hazards of collection, each tried against a simulated API that
//! knows what it has shown.
//!
//! A source crate implements [`Harness`] and [`Api`] over its simulator and calls [`conforms`] in a plain `#[test]`. The
//! suite drives the source as the runtime does, in time that passes by itself. The truth is what the API says it has shown
//! and what it holds, never a counter of the product.

mod cases;
mod run;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pipeline::Source;

pub use crate::sink::CannotHappen;

/// How a source crate takes part.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A simulated API of that kind, with so many records of the last days.
    ///
    /// # Errors
    /// Such an API is never like that.
    async fn api(&self, nature: Nature, records: usize) -> Result<Box<dyn Api>, CannotHappen>;
}

/// What an API is like from its start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// As documented.
    Plain,
    /// Pages are small, so that there are many.
    SmallPages,
    /// Many records share a second, more than a page holds.
    CrowdedSeconds,
    /// Records appear while pages are read.
    Growing,
    /// Records appear hours after their time.
    Late,
    /// Some records are dated in the future.
    FutureDates,
    /// Filters of time are cut to the day.
    DayCut,
    /// Cursors are refused when they are old, or without the filters that they were made with.
    StrictCursors,
    /// Records change after they were shown.
    Edited,
    /// Records are malformed or extreme.
    Odd,
    /// The oldest days are gone.
    Forgetful,
    /// Everything that can come true at once.
    Hostile,
}

/// What happens to the next request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoiled {
    /// It is refused for some seconds, in the n-th way of saying so; see [`Api::throttles`].
    Throttled(usize),
    /// The quota is used up for long.
    QuotaUsedUp,
    /// The server is in trouble.
    ServerError,
    /// The connection is cut in the middle of the page.
    Cut,
    /// Half a page that claims to be whole.
    Truncated,
    /// A page of HTML with a status of success.
    Html,
    /// An error with a status of success.
    ErrorAsSuccess,
    /// A byte in a record that is no UTF-8.
    NotUtf8,
    /// The cursor is not known any more.
    CursorLost,
    /// No records, although some follow.
    EmptyPage,
    /// The next cursor is the one that was asked for.
    RepeatedCursor,
    /// Records of the page before come again.
    Repeated,
    /// The records of the page are in no order.
    Shuffled,
}

/// One simulated API; its server ends when it is dropped.
pub trait Api: Send + Sync {
    /// A new source to it, as after a start of the process, that collects from the oldest record on. Its clock must pass
    /// with tokio's.
    fn source(&self) -> Box<dyn Source>;

    /// The id that a record's text holds, if it has one.
    fn id_of(&self, text: &[u8]) -> Option<String>;

    /// Ids of the records that were shown.
    fn shown(&self) -> Vec<String>;

    /// Ids and times of the records that can be had now.
    fn all(&self) -> BTreeMap<String, SystemTime>;

    /// Requests so far.
    fn requests(&self) -> usize;

    /// What happens to the next request for a page, after those that were said before.
    ///
    /// # Errors
    /// Such an API never does this.
    fn spoil(&self, spoiled: Spoiled) -> Result<(), CannotHappen>;

    /// In how many ways it may say "come again later".
    fn throttles(&self) -> usize;

    /// Accepts the credentials from now on, or not.
    fn accept(&self, accepted: bool);

    /// Adds a record of that time and returns its id.
    fn add(&self, time: SystemTime) -> String;

    /// Changes a record's content.
    ///
    /// # Errors
    /// Records of such an API never change.
    fn edit(&self, id: &str) -> Result<(), CannotHappen>;

    /// Texts that nothing may show.
    fn secrets(&self) -> Vec<String>;
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The source does what it must.
    Passed,
    /// Such an API has no such case, for this reason.
    CannotHappen(&'static str),
    /// The source does not conform.
    Failed(String),
}

/// What came of the cases, in their order.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each case by its name.
    pub cases: Vec<(&'static str, Ended)>,
}

impl Report {
    /// The names of those that the source failed.
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = self.cases.iter().filter(|(_, ended)| matches!(ended, Ended::Failed(_)));
        failed.map(|(name, _)| *name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, ended) in &self.cases {
            match ended {
                Ended::Passed => writeln!(f, "{name:<30} passed")?,
                Ended::CannotHappen(reason) => writeln!(f, "{name:<30} cannot happen: {reason}")?,
                Ended::Failed(why) => writeln!(f, "{name:<30} FAILED: {why}")?,
            }
        }
        Ok(())
    }
}

/// Runs the whole suite and prints what came of each case.
///
/// # Panics
/// When the source does not conform, with all cases that it failed.
pub fn conforms(harness: &dyn Harness) {
    let report = examine(harness, |_| true);
    #[expect(clippy::print_stderr, reason = "it is the report of a test")]
    {
        eprintln!("{report}");
    }
    assert!(report.failed().is_empty(), "the source does not conform: {:?}\n{report}", report.failed());
}

/// Runs the cases that are wanted, each in a time of its own.
///
/// # Panics
/// When there is no runtime to be had.
pub fn examine(harness: &dyn Harness, wanted: impl Fn(&str) -> bool) -> Report {
    let mut cases = Vec::new();
    for (name, case) in cases::CASES.iter().chain(cases::SPOILED).filter(|(name, _)| wanted(name)) {
        let mut clock = tokio::runtime::Builder::new_current_thread();
        let clock = clock.enable_all().start_paused(true).build().expect("a runtime");
        let ended = catch_unwind(AssertUnwindSafe(|| {
            clock.block_on(async { tokio::time::timeout(LONGEST, case(harness)).await })
        }));
        let ended = match ended {
            Ok(Ok(Ok(()))) => Ended::Passed,
            Ok(Ok(Err(CannotHappen(reason)))) => Ended::CannotHappen(reason),
            Ok(Err(_)) => Ended::Failed(format!("not ended after {LONGEST:?} of the source's time")),
            Err(panic) => Ended::Failed(crate::message(panic)),
        };
        cases.push((*name, ended));
    }
    Report { cases }
}

/// Of the time that passes by itself.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);
