//! What every collector of audit logs must survive, whatever its API is: the hazards of collection, each tried against a
//! simulated API that knows what it has shown.
//!
//! A source takes part by a [`Harness`]; for an API that [`simulator::log`] can play, [`SimulatedLog`] is all of it but the
//! source. [`examine`] drives the source as the runtime does, in time that passes by itself, and gives a verdict for each of
//! [`hazards`]. The truth is what the API says it has shown and what it holds, never a counter of the product.
//!
//! A case that fails panics, which [`examine`] catches: the words of the panic are the verdict.
//!
//! ```
//! for hazard in hazards::hazards() {
//!     println!("{}: {} {}", hazard.name, hazard.does, hazard.loses);
//! }
//! ```
//!
//! # Code map
//! `catalog` is the list, `cases/` are the cases by theme, `run` is a source and what it has handed out over all of its
//! restarts, `log` plays the hazards with [`simulator::log`].

mod cases;
mod catalog;
mod log;
mod run;

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pipeline::Source;

pub use catalog::{Hazard, Shown, hazards};
pub use log::{SimulatedLog, fault_of, hostile, manner_of, steady};

/// How a source takes part.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A simulated API of that kind, with so many records of the last days.
    ///
    /// # Errors
    /// Such an API is never like that.
    async fn api(&self, nature: Nature, records: usize) -> Result<Box<dyn Api>, CannotHappen>;

    /// What chance comes from: when a source is killed.
    fn seed(&self) -> u64 {
        7
    }
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
    /// Filters of time are cut to the day, which is left out.
    DayCut,
    /// Filters of time leave out the moment of their edge.
    ExclusiveEdges,
    /// Cursors are refused when they are old, or without the filters that they were made with.
    StrictCursors,
    /// Records change after they were shown.
    Edited,
    /// Records are malformed or extreme.
    Odd,
    /// The oldest days are gone.
    Forgetful,
    /// The API's clock is hours ahead of the collector's.
    ClockAhead,
    /// The API's clock is hours behind the collector's.
    ClockBehind,
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
    /// The connection is reset instead of an answer.
    Reset,
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

/// The reason why a hazard does not exist at such an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotHappen(pub &'static str);

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

    /// The time of the API's clock.
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// How long it keeps its records, where the collector has been told so and the API's clock passes with tokio's.
    fn retention(&self) -> Option<Duration> {
        None
    }

    /// Whether it can have so many pages at all that a source is killed between any two of them.
    fn has_pages(&self) -> bool {
        true
    }

    /// Requests so far.
    fn requests(&self) -> usize;

    /// What happens to the next request for a page, after those that were said before.
    ///
    /// # Errors
    /// Such an API never does this.
    fn spoil(&self, spoiled: Spoiled) -> Result<(), CannotHappen>;

    /// The ways in which it may say "come again later", for people.
    fn throttles(&self) -> Vec<String>;

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
    /// Such an API has no such hazard, for this reason.
    CannotHappen(&'static str),
    /// What the source has lost or done wrong.
    Failed(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::CannotHappen(reason) => write!(f, "cannot happen: {reason}"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

/// What came of the cases, in their order.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Each hazard and how its case ended.
    pub cases: Vec<(&'static Hazard, Ended)>,
}

impl Report {
    /// The names of those that the source failed.
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = self.cases.iter().filter(|(_, ended)| matches!(ended, Ended::Failed(_)));
        failed.map(|(hazard, _)| hazard.name).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cases.iter().try_for_each(|(hazard, ended)| writeln!(f, "{:<30} {ended}", hazard.name))
    }
}

/// Tries every hazard and prints what came of each: for a plain `#[test]`.
///
/// # Panics
/// When the source fails a case, with all that it failed.
pub fn conforms(harness: &dyn Harness) {
    let report = examine(harness, |_| true, |_, _| {});
    #[expect(clippy::print_stderr, reason = "it is the report of a test")]
    {
        eprintln!("{report}");
    }
    assert!(report.failed().is_empty(), "the source does not conform: {:?}\n{report}", report.failed());
}

/// Tries the hazards that are wanted, by name, each in a time of its own, and tells of each when it has ended.
///
/// # Panics
/// When there is no runtime to be had.
pub fn examine(
    harness: &dyn Harness,
    wanted: impl Fn(&str) -> bool,
    mut told: impl FnMut(&'static Hazard, &Ended),
) -> Report {
    keep_verdicts_quiet();
    let mut report = Report::default();
    for hazard in hazards().iter().filter(|hazard| wanted(hazard.name)) {
        let mut clock = tokio::runtime::Builder::new_current_thread();
        let clock = clock.enable_all().start_paused(true).build().expect("a runtime");
        EXAMINING.set(true);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            clock.block_on(async { tokio::time::timeout(LONGEST, (hazard.case)(harness)).await })
        }));
        EXAMINING.set(false);
        let ended = match ended {
            Ok(Ok(Ok(()))) => Ended::Passed,
            Ok(Ok(Err(CannotHappen(reason)))) => Ended::CannotHappen(reason),
            Ok(Err(_)) => Ended::Failed(format!("not ended after {LONGEST:?} of the source's time")),
            Err(panic) => Ended::Failed(words(panic)),
        };
        told(hazard, &ended);
        report.cases.push((hazard, ended));
    }
    report
}

/// Of the time that passes by itself.
const LONGEST: Duration = Duration::from_secs(2 * 365 * 86_400);

thread_local! {
    static EXAMINING: Cell<bool> = const { Cell::new(false) };
}

/// A panic of a case is its verdict, which the report tells; it is not printed as a crash besides.
fn keep_verdicts_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !EXAMINING.get() {
                before(panic);
            }
        }));
    });
}

/// The words of a panic.
fn words(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("a panic without words").to_owned(),
    }
}
