//! The list of cases, and what comes of them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::bench::Bench;
use super::{CannotHappen, Harness, cancellation, runs, writes};

/// No case may take longer.
const LONGEST: Duration = Duration::from_secs(40);

/// What a case says in the end; it panics when the sink does not conform.
pub(super) type Verdict = Result<(), CannotHappen>;

type Case = fn(Bench) -> Pin<Box<dyn Future<Output = Verdict> + Send>>;

macro_rules! cases {
    ($($module:ident: $($name:ident),* ;)*) => {
        &[$($((stringify!($name), |bench| Box::pin($module::$name(bench)))),*),*]
    };
}

const CASES: &[(&str, Case)] = cases! {
    writes: one_event, empty_write, many_parts, odd_characters, large_write, writes_at_once, restart, replay,
        check_delivers_nothing, open_delivers_nothing, open_fails_then_heals, retryable_failure, terminal_failure,
        auth_failure_heals, tls_failure, unreachable, partial_acceptance, answer_lost, oversize_batch,
        oversize_event, poison_event, slow_destination, secrets_never_show;
    cancellation: cancel_at_each_await, cancel_the_first_write, cancel_a_slow_write, cancel_open_and_check;
    runs: run_delivers_everything_once, run_through_troubles, run_killed_anywhere, run_stopped_in_a_write,
        run_stopped_short, run_with_poison, run_with_limits, run_with_a_paused_sink;
};

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The sink does what it must.
    Passed(Duration),
    /// Such a destination has no such case, for this reason.
    CannotHappen(&'static str),
    /// The sink does not conform.
    Failed(String),
}

/// What came of the cases, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each case by its name.
    pub cases: Vec<(&'static str, Ended)>,
}

impl Report {
    /// The names of those that the sink failed.
    pub fn failed(&self) -> Vec<&'static str> {
        let failed = self.cases.iter().filter(|(_, ended)| matches!(ended, Ended::Failed(_)));
        failed.map(|(name, _)| *name).collect()
    }

    /// How many ended how, in a few words.
    pub fn counts(&self) -> String {
        let count = |wanted: fn(&Ended) -> bool| self.cases.iter().filter(|(_, ended)| wanted(ended)).count();
        let passed = count(|ended| matches!(ended, Ended::Passed(_)));
        let absent = count(|ended| matches!(ended, Ended::CannotHappen(_)));
        format!("{passed} passed, {absent} cannot happen, {} failed", self.failed().len())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, ended) in &self.cases {
            match ended {
                Ended::Passed(took) => writeln!(f, "{name:<30} passed in {} ms", took.as_millis())?,
                Ended::CannotHappen(reason) => writeln!(f, "{name:<30} cannot happen: {reason}")?,
                Ended::Failed(why) => writeln!(f, "{name:<30} FAILED: {why}")?,
            }
        }
        Ok(())
    }
}

/// Runs those cases.
pub(super) async fn run(harness: Arc<dyn Harness>, wanted: impl Fn(&str) -> bool) -> Report {
    let mut waiting = CASES.iter().enumerate().filter(|(_, (name, _))| wanted(name));
    let at_once = harness.patience().at_once;
    let mut running = JoinSet::new();
    let mut ended = Vec::new();
    loop {
        while running.len() < at_once
            && let Some((number, (name, case))) = waiting.next()
        {
            let harness = harness.clone();
            running.spawn(async move { (number, *name, one(harness, *case).await) });
        }
        match running.join_next().await {
            Some(case) => ended.push(case.expect("a case is run in a task of its own")),
            None => break,
        }
    }
    ended.sort_by_key(|(number, ..)| *number);
    Report { cases: ended.into_iter().map(|(_, name, ended)| (name, ended)).collect() }
}

async fn one(harness: Arc<dyn Harness>, case: Case) -> Ended {
    let began = Instant::now();
    let patience = harness.patience();
    let longest = LONGEST * patience.factor;
    let task = tokio::spawn(async move {
        let destination = harness.destination().await.into();
        let bench = Bench { destination, unheard: harness.unheard(), patience };
        case(bench).await
    });
    let abort = task.abort_handle();
    match tokio::time::timeout(longest, task).await {
        Ok(Ok(Ok(()))) => Ended::Passed(began.elapsed()),
        Ok(Ok(Err(CannotHappen(reason)))) => Ended::CannotHappen(reason),
        Ok(Err(panic)) => Ended::Failed(message(panic)),
        Err(_) => {
            abort.abort();
            Ended::Failed(format!("not ended after {longest:?}"))
        }
    }
}

fn message(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => crate::message(panic),
        Err(error) => error.to_string(),
    }
}
