//! What the reports of a write come to.

use std::fmt;
use std::time::Duration;

use pipeline::{Outcome, Reason, SinkError};
use rdkafka::error::RDKafkaErrorCode;

use crate::flight::Report;
use crate::policy::{self, Class};
use crate::producer::Fault;

/// What librdkafka or a broker says, without secrets.
#[derive(Debug)]
pub(crate) struct Complaint(pub(crate) String);

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Complaint {}

/// [`Reason::kind`] of an event that is too large by itself.
const TOO_LARGE: &str = "too_large";

/// The reports of one write.
pub(crate) struct Reports {
    by_event: Vec<Option<Report>>,
    /// Events that the client itself does not take, whatever stands beside them.
    too_large: Vec<(usize, &'static str)>,
}

/// Whether a code speaks of `sasl`.
pub(crate) fn is_about_credentials(code: RDKafkaErrorCode) -> bool {
    matches!(policy::class(code), Class::Paused { reason: "authentication", .. })
}

impl Reports {
    pub(crate) fn new(events: usize) -> Self {
        Self { by_event: vec![None; events], too_large: Vec::new() }
    }

    /// The event is too large for the client.
    pub(crate) fn too_large(&mut self, index: usize, why: &'static str) {
        self.too_large.push((index, why));
    }

    /// What was reported until the end.
    pub(crate) fn heard(&mut self, by_event: Vec<Option<Report>>) {
        self.by_event = by_event;
    }

    /// Whether something happened after which the producer is replaced: anything but refused contents and sizes.
    pub(crate) fn ends_a_life(&self) -> bool {
        self.failures().any(|(_, code)| {
            !policy::is_neighbour(code)
                && matches!(policy::class(code), Class::Again | Class::Paused { .. })
                && !self
                    .too_large
                    .iter()
                    .any(|(_, why)| why.contains("queue") && code == RDKafkaErrorCode::QueueFull)
        })
    }

    fn failures(&self) -> impl Iterator<Item = (usize, RDKafkaErrorCode)> + '_ {
        self.by_event.iter().enumerate().filter_map(|(index, report)| Some((index, report.as_ref()?.err()?)))
    }

    /// Sorts the events into taken, refused, and those that come again.
    ///
    /// # Errors
    /// Nothing was taken or refused. The most serious of what was said decides.
    pub(crate) fn verdict(
        self,
        fault: Option<Fault>,
        trouble: Option<String>,
        has_newer_credentials: bool,
        silence: Duration,
    ) -> Result<Outcome, SinkError> {
        let mut outcome = Outcome::default();
        let is_named = self.failures().any(|(_, code)| policy::is_neighbour(code));
        let is_alone = self.by_event.len() == 1;
        let mut serious: Option<RDKafkaErrorCode> = None;
        for (index, report) in self.by_event.iter().enumerate() {
            let at = index as u32;
            let code = match report {
                Some(Ok(())) => continue,
                Some(Err(code)) => *code,
                // Not heard of.
                None => {
                    outcome.retry.push(at);
                    continue;
                }
            };
            if let Some((_, why)) = self.too_large.iter().find(|(large, _)| *large == index) {
                let detail = format!("the event {why}").into();
                outcome.rejected.push((at, Reason { kind: TOO_LARGE, detail }));
                continue;
            }
            let refused = match policy::class(code) {
                Class::TooLarge if is_alone => Some(TOO_LARGE),
                // A broker refuses a batch as a whole, unless it names the events in it that are at fault.
                Class::Content(kind) if is_alone || is_named => Some(kind),
                _ => None,
            };
            match refused {
                Some(kind) => outcome.rejected.push((at, Reason { kind, detail: code.to_string().into() })),
                None => {
                    outcome.retry.push(at);
                    if serious.is_none_or(|before| weight(code) > weight(before)) {
                        serious = Some(code);
                    }
                }
            }
        }
        let error = error(serious, fault, trouble, has_newer_credentials, silence);
        if outcome.retry.len() == self.by_event.len() {
            return Err(error);
        }
        if !outcome.retry.is_empty() {
            // It is told in full when it meets all events of a write, as it does with the next one.
            tracing::debug!(left = outcome.retry.len(), error = chain(&error), "write ends in the middle");
        }
        Ok(outcome)
    }
}

/// How much a code says about what to do next.
fn weight(code: RDKafkaErrorCode) -> u8 {
    match policy::class(code) {
        Class::Again => 0,
        Class::Content(_) => 1,
        Class::TooLarge => 2,
        Class::Paused { .. } => 3,
    }
}

/// What is to be done when nothing was taken.
fn error(
    serious: Option<RDKafkaErrorCode>,
    fault: Option<Fault>,
    trouble: Option<String>,
    has_newer_credentials: bool,
    silence: Duration,
) -> SinkError {
    let (code, words) = match (fault, serious) {
        // What is purged after a fault only follows from it.
        (Some(fault), _) => (fault.code, fault.words),
        (None, Some(code)) if weight(code) > 0 => (code, code.to_string()),
        (None, code) => {
            let mut words = match code {
                Some(code) => code.to_string(),
                None => format!("nothing was heard of the events for {silence:?}"),
            };
            if let Some(trouble) = trouble {
                words += &format!("; last: {trouble}");
            }
            return transient(words);
        }
    };
    match policy::class(code) {
        Class::Paused { reason: "authentication", .. } if has_newer_credentials => {
            SinkError::Transient { retry_after: Some(Duration::ZERO), source: Complaint(words).into() }
        }
        Class::Paused { reason, remedy } => {
            SinkError::Paused { reason, remedy: remedy.to_owned(), source: Complaint(words).into() }
        }
        Class::TooLarge => SinkError::TooLarge(Complaint(words).into()),
        Class::Content(kind) => SinkError::Rejected { reason: Reason { kind, detail: words.into() } },
        Class::Again => transient(words),
    }
}

fn transient(words: String) -> SinkError {
    SinkError::Transient { retry_after: None, source: Complaint(words).into() }
}

/// The error and its causes on one line.
fn chain(error: &SinkError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
