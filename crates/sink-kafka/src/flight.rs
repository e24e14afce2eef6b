//! The events of one write while they are under way, and what is reported of each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::Notify;

/// What is known of an event: a broker holds it, or why it does not.
pub(crate) type Report = Result<(), RDKafkaErrorCode>;

/// One write. It is shared with the thread that hears the reports.
pub(crate) struct Flight {
    state: Mutex<State>,
    done: Notify,
}

struct State {
    reports: Vec<Option<Report>>,
    missing: usize,
    /// When something was last heard, or the write began.
    heard: Instant,
}

/// What goes with a message through librdkafka, and comes back with its report.
pub(crate) struct Ticket {
    flight: Arc<Flight>,
    index: usize,
}

impl Ticket {
    /// The message's fate. A flight that nobody waits for any more hears it in vain.
    pub(crate) fn report(self, report: Report) {
        self.flight.report(self.index, report);
    }
}

impl Flight {
    pub(crate) fn new(events: usize) -> Arc<Self> {
        let state = State { reports: vec![None; events], missing: events, heard: Instant::now() };
        Arc::new(Self { state: Mutex::new(state), done: Notify::new() })
    }

    pub(crate) fn ticket(self: &Arc<Self>, index: usize) -> Box<Ticket> {
        Box::new(Ticket { flight: self.clone(), index })
    }

    /// The first report of an event counts.
    pub(crate) fn report(&self, index: usize, report: Report) {
        let mut state = self.state();
        state.heard = Instant::now();
        if state.reports[index].is_none() {
            state.reports[index] = Some(report);
            state.missing -= 1;
            if state.missing == 0 {
                self.done.notify_waiters();
            }
        }
    }

    /// Waits until every event is reported. False when nothing was heard for `silence`.
    pub(crate) async fn complete(&self, silence: Duration) -> bool {
        loop {
            // Registered before the look, so that a report in between is not missed.
            let done = self.done.notified();
            let until = {
                let state = self.state();
                if state.missing == 0 {
                    return true;
                }
                state.heard + silence
            };
            if until <= Instant::now() {
                return false;
            }
            // Reports move `until`: it is looked at again then.
            tokio::select! {
                () = done => {}
                () = tokio::time::sleep_until(until.into()) => {}
            }
        }
    }

    /// When nothing will have been heard for `silence`, unless something is.
    pub(crate) fn silent_at(&self, silence: Duration) -> Instant {
        self.state().heard + silence
    }

    /// What is known at this moment, by event.
    pub(crate) fn reports(&self) -> Vec<Option<Report>> {
        self.state().reports.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_write_ends_with_its_last_report_or_after_silence() {
        let flight = Flight::new(2);
        flight.ticket(1).report(Ok(()));
        assert!(!flight.complete(SILENCE).await, "one report is missing");
        let late = flight.ticket(0);
        let reporter = tokio::spawn(async move { late.report(Err(RDKafkaErrorCode::PurgeQueue)) });
        assert!(flight.complete(Duration::from_secs(10)).await);
        reporter.await.unwrap();
        assert_eq!(flight.reports(), [Some(Err(RDKafkaErrorCode::PurgeQueue)), Some(Ok(()))]);
    }

    #[tokio::test]
    async fn every_report_puts_the_end_off() {
        let flight = Flight::new(5);
        let began = Instant::now();
        let reporting = flight.clone();
        let reporter = tokio::spawn(async move {
            for index in 0..4 {
                tokio::time::sleep(Duration::from_millis(30)).await;
                reporting.ticket(index).report(Ok(()));
            }
        });
        assert!(!flight.complete(Duration::from_millis(100)).await);
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
        reporter.await.unwrap();
    }
}
