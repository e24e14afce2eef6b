//! Calling a sink as the runtime does, and judging every answer: what is said to be taken must be there, and nothing may
//! show a secret.

use std::collections::HashSet;
use std::error::Error;
use std::time::Duration;

use pipeline::{Outcome, Reason, Sink, SinkError};

use super::bench::Bench;
use super::events::{self, Event};

/// No call may take longer; harnesses set the time-outs of their sinks well below.
const LONGEST: Duration = Duration::from_secs(8);

/// So many failures in a row are no progress.
const MOST_FAILURES: usize = 400;

/// What became of events in the end.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) refused: Vec<(Event, Reason)>,
    /// In the order in which they came: `transient`, `paused …`, `too large`, `rejected …`.
    pub(crate) failures: Vec<String>,
}

impl Bench {
    /// One write in one part.
    pub(crate) async fn write(&self, sink: &dyn Sink, events: &[Event]) -> Result<Outcome, SinkError> {
        self.write_parts(sink, events, 1).await
    }

    /// One write. What is taken is looked for at once.
    pub(crate) async fn write_parts(
        &self,
        sink: &dyn Sink,
        events: &[Event],
        parts: usize,
    ) -> Result<Outcome, SinkError> {
        let write = events::write(events, parts);
        let longest = LONGEST * self.patience.factor;
        let result = tokio::time::timeout(longest, sink.write(&write)).await;
        let result = result.unwrap_or_else(|_| panic!("a write has not ended after {longest:?}"));
        match &result {
            Ok(outcome) => self.judge(events, outcome),
            Err(error) => self.judge_error(error),
        }
        result
    }

    /// One write that must be taken as a whole.
    pub(crate) async fn taken(&self, sink: &dyn Sink, events: &[Event]) {
        match self.write(sink, events).await {
            Ok(outcome) if outcome.retry.is_empty() && outcome.rejected.is_empty() => {}
            other => panic!("a write to a destination that is well ended so: {}", words(&other)),
        }
    }

    /// Writes until each event is taken, or refused alone: what the runtime does, without its waits.
    pub(crate) async fn settle(&self, sink: &dyn Sink, events: &[Event]) -> Settled {
        let mut settled = Settled::default();
        let mut pieces = vec![events.to_vec()];
        while let Some(mut piece) = pieces.pop() {
            let failures = settled.failures.len();
            assert!(failures < MOST_FAILURES, "it does not get on: {:?}", &settled.failures[failures - 3..]);
            let result = self.write(sink, &piece).await;
            if result.is_err() {
                settled.failures.push(words(&result));
            }
            match result {
                Ok(outcome) => {
                    let at = |index: &u32| piece[*index as usize].clone();
                    settled
                        .refused
                        .extend(outcome.rejected.iter().map(|(index, why)| (at(index), why.clone())));
                    if !outcome.retry.is_empty() {
                        settled.failures.push("partial".to_owned());
                        pieces.push(outcome.retry.iter().map(at).collect());
                    }
                }
                Err(SinkError::TooLarge(_) | SinkError::Rejected { .. }) if piece.len() > 1 => {
                    let back = piece.split_off(piece.len() / 2);
                    pieces.extend([back, piece]);
                }
                Err(SinkError::TooLarge(_)) => {
                    let reason = Reason { kind: "too_large", detail: "".into() };
                    settled.refused.push((piece.remove(0), reason));
                }
                Err(SinkError::Rejected { reason }) => settled.refused.push((piece.remove(0), reason)),
                Err(SinkError::Transient { .. } | SinkError::Paused { .. }) => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    pieces.push(piece);
                }
            }
        }
        settled
    }

    /// An outcome must be true and make sense.
    fn judge(&self, events: &[Event], outcome: &Outcome) {
        let mut named = HashSet::new();
        for index in outcome.retry.iter().chain(outcome.rejected.iter().map(|(index, _)| index)) {
            assert!((*index as usize) < events.len(), "the outcome names event {index} of {}", events.len());
            assert!(named.insert(*index), "the outcome names event {index} twice");
        }
        assert!(outcome.deduplicated as usize <= events.len(), "more duplicates than events");
        for (_, reason) in &outcome.rejected {
            self.judge_reason(reason);
        }
        let held = self.destination.held();
        let counts = Self::counts(&held);
        for (index, event) in (0..).zip(events) {
            let is_there = counts.contains_key(event.text.as_str());
            assert!(
                is_there || named.contains(&index),
                "event {} was called taken, and the destination does not hold it",
                event.number
            );
            let refused = outcome.rejected.iter().any(|(rejected, _)| *rejected == index);
            assert!(!(is_there && refused), "event {} was called refused, and is there", event.number);
        }
    }

    /// An error must help, and not show a secret.
    pub(crate) fn judge_error(&self, error: &SinkError) {
        self.shows_no_secret(&all_words(error));
        match error {
            SinkError::Paused { reason, remedy, .. } => {
                is_a_word(reason);
                assert!(remedy.len() > 15, "the remedy says too little: {remedy:?}");
            }
            SinkError::Rejected { reason } => self.judge_reason(reason),
            SinkError::Transient { .. } | SinkError::TooLarge(_) => {}
        }
    }

    fn judge_reason(&self, reason: &Reason) {
        is_a_word(reason.kind);
        assert!(!reason.detail.is_empty(), "a refusal must say why");
        self.shows_no_secret(&reason.detail);
    }

    /// No secret is in the text.
    pub(crate) fn shows_no_secret(&self, text: &str) {
        for secret in self.destination.secrets() {
            // Not the text itself: it would be printed.
            assert!(!text.contains(&secret), "a secret is shown in {:?}", text.replace(&secret, "(SECRET)"));
        }
    }
}

/// A word for metrics.
fn is_a_word(word: &str) {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    assert!(!word.is_empty() && word.bytes().all(fits), "{word:?} is no stable word for metrics");
}

/// An answer in a few words.
pub(crate) fn words(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) => format!("{outcome:?}"),
        Err(SinkError::Transient { .. }) => "transient".to_owned(),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}

/// All that an error says, in whatever form it may be printed.
pub(crate) fn all_words(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        text += &format!("{error} {error:?} {error:#?} ");
        next = error.source();
    }
    text
}
