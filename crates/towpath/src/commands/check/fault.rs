//! Why a source or sink cannot be used, in one line: the cause first, then what to do.

use std::error::Error;
use std::time::Duration;

use pipeline::{BoxError, SinkError, SourceError};

/// The line. Only what passes by itself is called so: a person must know whether to act or to wait.
pub(super) fn explain(error: &BoxError) -> String {
    match error.downcast_ref::<SourceError>() {
        Some(SourceError::Transient { retry_after, source }) => return passing(&**source, *retry_after),
        Some(SourceError::Paused { remedy, source, .. } | SourceError::Fatal { remedy, source }) => {
            return lasting(&**source, remedy);
        }
        Some(SourceError::PositionLost(_)) | None => {}
    }
    match error.downcast_ref::<SinkError>() {
        Some(SinkError::Transient { retry_after, source }) => passing(&**source, *retry_after),
        Some(SinkError::Paused { remedy, source, .. }) => lasting(&**source, remedy),
        Some(SinkError::TooLarge(_) | SinkError::Rejected { .. }) | None => chain(&**error),
    }
}

/// For what has not answered at all in that time.
pub(super) fn silence(patience: Duration) -> String {
    format!("for the moment: no answer within {} s; try again", patience.as_secs())
}

fn lasting(cause: &(dyn Error + 'static), remedy: &str) -> String {
    format!("{}; {remedy}", chain(cause))
}

fn passing(cause: &(dyn Error + 'static), retry_after: Option<Duration>) -> String {
    let wait = retry_after.filter(|wait| !wait.is_zero());
    let when = wait.map_or("in a minute".to_owned(), |wait| format!("in {} s", wait.as_secs_f64().ceil()));
    format!("for the moment: {}; try again {when}", chain(cause))
}

/// The error and what lies below it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let all = std::iter::successors(Some(error), |&error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> BoxError {
        anyhow::anyhow!("connection refused").context("no connection").into()
    }

    #[test]
    fn the_cause_comes_first_and_only_what_passes_is_said_to() {
        let remedy = || "check `url`".to_owned();
        let table: [(BoxError, &str); 6] = [
            (
                SourceError::Paused { reason: "x", remedy: remedy(), retry_after: None, source: source() }
                    .into(),
                "no connection: connection refused; check `url`",
            ),
            (
                SinkError::Paused { reason: "x", remedy: remedy(), source: source() }.into(),
                "no connection: connection refused; check `url`",
            ),
            (
                SourceError::Transient { retry_after: None, source: source() }.into(),
                "for the moment: no connection: connection refused; try again in a minute",
            ),
            (
                SinkError::Transient { retry_after: Some(Duration::from_millis(6100)), source: source() }
                    .into(),
                "for the moment: no connection: connection refused; try again in 7 s",
            ),
            (
                SourceError::Fatal { remedy: remedy(), source: "no position".into() }.into(),
                "no position; check `url`",
            ),
            (source(), "no connection: connection refused"),
        ];
        for (error, line) in table {
            assert_eq!(explain(&error), line);
        }
    }
}
