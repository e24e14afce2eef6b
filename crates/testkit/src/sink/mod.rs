//! What every sink must do, whatever its destination is: one matrix of cases that each sink crate runs against a real
//! destination of its own.
//!
//! A sink crate implements [`Harness`] and [`Destination`] (how to make a sink, how to make the destination misbehave,
//! how to read what it holds) and calls [`conforms`] in a test:
//!
//! ```no_run
//! # struct TcpHarness;
//! # #[async_trait::async_trait]
//! # impl testkit::sink::Harness for TcpHarness {
//! #     async fn destination(&self) -> Box<dyn testkit::sink::Destination> { unimplemented!() }
//! #     fn unheard(&self) -> testkit::sink::Unheard { testkit::sink::Unheard::Stays }
//! # }
//! # async fn test() {
//! testkit::sink::conforms(TcpHarness).await;
//! # }
//! ```
//!
//! One group of cases calls [`Sink::write`] itself (`writes.rs`, `cancellation.rs`), the other one lets the real `runtime`
//! do it (`runs.rs`). The truth is always what the destination holds, never what the sink says. What a destination cannot
//! do ([`CannotHappen`]) is printed with its reason, and never left out in silence. `docs/adding-a-sink.md` has a complete
//! example.

mod attempt;
mod bench;
mod cancellation;
mod events;
mod matrix;
mod runs;
mod stream;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::Sink;

pub use self::events::POISON;
pub use self::matrix::{Ended, Report};

/// How a sink crate takes part.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// A destination of its own for each case, empty and well.
    async fn destination(&self) -> Box<dyn Destination>;

    /// What becomes of events that are written when nobody hears of it.
    fn unheard(&self) -> Unheard;

    /// How patient the matrix must be with such a destination.
    fn patience(&self) -> Patience {
        Patience::default()
    }
}

/// How much time a destination gets. The defaults fit one in the test's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Every limit of time is so many times longer: 40 s a case, 8 s a call, 20 s a run.
    pub factor: u32,
    /// Cases that run at once, each with a destination of its own.
    pub at_once: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self { factor: 1, at_once: 4 }
    }
}

/// What becomes of events whose write was dropped, or whose answer was lost, after they had reached the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// They are taken back before anything else is written: a file that can be cut.
    TakenBack,
    /// They stay, and come again with the same id of delivery: whatever is reached over a network.
    Stays,
}

/// A real destination, in a directory or behind a socket on loopback, that a case has for itself. It refuses all that
/// its protocol refuses. It may be a part of a server that others use as well: an index, a bucket, a topic.
pub trait Destination: Send + Sync + 'static {
    /// A new sink to it, as after a start of the process; a case drops the old one before.
    fn sink(&self) -> Arc<dyn Sink>;

    /// Lets it misbehave, for sinks that there are already too.
    ///
    /// # Errors
    /// Such a destination never does this.
    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen>;

    /// All is well again, as far as it depends on the destination.
    fn heal(&self);

    /// What it holds at this moment.
    fn held(&self) -> Held;

    /// Texts that nothing may show: tokens, passwords, signing keys. A destination repeats them in its refusals where it
    /// can.
    fn secrets(&self) -> Vec<String>;
}

/// How a destination misbehaves until it is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Every write fails, and it is nobody's fault: busy, I/O error.
    Failing,
    /// It is not where the configuration says: a person must act.
    Misplaced,
    /// It does not accept the credentials, or our user.
    Unauthorised,
    /// It cannot be reached.
    Unreachable,
    /// The next write gets only half-way; later ones are well.
    TakesPart,
    /// The next write is taken, but nobody hears of it; later ones are well.
    AnswerLost,
    /// It takes no more than so many bytes of lines at once.
    Limit(usize),
    /// It takes no event whose text contains [`POISON`].
    Poison,
    /// Every write takes it so long.
    Slow(Duration),
    /// The other side is not the one that we trust (TLS).
    Untrusted,
}

/// The reason why a case does not exist for such a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotHappen(pub &'static str);

/// What a destination holds.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// In the order in which they came.
    pub deliveries: Vec<Delivery>,
    /// What is neither an event nor absent: torn lines, requests against the protocol.
    pub damage: Vec<String>,
}

/// Events that came together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What lets the destination recognise it when it comes again; nothing where there is no such thing.
    pub id: Option<String>,
    /// The events' texts, byte for byte, without line breaks.
    pub events: Vec<String>,
}

/// Runs the whole matrix and prints what came of each case. Needs a tokio runtime with time and I/O; takes seconds.
///
/// # Panics
/// When the sink does not conform, with all cases that it failed.
pub async fn conforms(harness: impl Harness) {
    let report = examine(harness).await;
    judge(&report, &report.to_string());
}

/// The same against a real server: each case that cannot happen there is named again in one line at the end, which begins
/// with `matrix NAME:`.
///
/// # Panics
/// As [`conforms`].
pub async fn conforms_to(name: &str, harness: impl Harness) {
    let report = examine(harness).await;
    let absent = report.cases.iter().filter_map(|(case, ended)| match ended {
        Ended::CannotHappen(reason) => Some(format!("; {case} cannot happen: {reason}")),
        Ended::Passed(_) | Ended::Failed(_) => None,
    });
    let absent: String = absent.collect();
    judge(&report, &format!("{report}matrix {name}: {}{absent}", report.counts()));
}

fn judge(report: &Report, words: &str) {
    let failed = report.failed();
    #[expect(clippy::print_stderr, reason = "it is the report of a test")]
    {
        eprintln!("{words}");
    }
    assert!(failed.is_empty(), "the sink does not conform: {failed:?}\n{report}");
}

/// Runs the whole matrix and says what came of it.
pub async fn examine(harness: impl Harness) -> Report {
    matrix::run(Arc::new(harness), |_| true).await
}

/// Runs the named cases only.
///
/// # Panics
/// When there is no such case.
pub async fn examine_only(harness: impl Harness, names: &[&str]) -> Report {
    let report = matrix::run(Arc::new(harness), |name| names.contains(&name)).await;
    assert_eq!(report.cases.len(), names.len(), "there is no such case: {names:?}");
    report
}
