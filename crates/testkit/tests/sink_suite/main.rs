//! The suite for sinks, tried on sinks in memory: one that does everything right passes, and each wrong one fails where
//! its defect is. A suite that nobody has seen failing proves nothing.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod vault;
mod wrong;

use testkit::sink::{Ended, conforms, examine, examine_only};
use vault::{Defect, VaultHarness};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_does_everything_right_passes() {
    conforms(VaultHarness { defect: None }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_happen_is_told_and_nothing_else_is_left_out() {
    let report = examine(VaultHarness { defect: None }).await;
    let left_out: Vec<_> =
        report.cases.iter().filter(|(_, ended)| !matches!(ended, Ended::Passed(_))).collect();
    assert_eq!(left_out, [&("tls_failure", Ended::CannotHappen("there is no network"))]);
    let printed = report.to_string();
    assert!(printed.contains("cannot happen: there is no network"), "{printed}");
    assert_eq!(printed.lines().count(), report.cases.len());
}

/// Each defect, and the cases that must notice it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_sink_fails() {
    let mut running = tokio::task::JoinSet::new();
    for (defect, cases) in wrong::TABLE {
        running.spawn(async move {
            let report = examine_only(VaultHarness { defect: Some(*defect) }, cases).await;
            (report.failed() != *cases).then(|| format!("{defect:?}\n{report}"))
        });
    }
    let unnoticed: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

/// Every case is seen failing by some wrong sink.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_case_is_without_a_sink_that_fails_it() {
    let report = examine_only(VaultHarness { defect: Some(Defect::NeverDelivers) }, &["one_event"]).await;
    assert_eq!(report.failed(), ["one_event"]);
    let seen: std::collections::BTreeSet<&str> =
        wrong::TABLE.iter().flat_map(|(_, cases)| cases.iter().copied()).collect();
    let all = examine(VaultHarness { defect: None }).await;
    let unseen: Vec<&str> =
        all.cases.iter().map(|(name, _)| *name).filter(|name| !seen.contains(name)).collect();
    assert_eq!(unseen, ["tls_failure"], "no sink in memory has TLS; `sink-http` breaks it for itself");
}
