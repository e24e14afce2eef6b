//! The hazards that every source survives, against APIs of seven kinds.

use async_trait::async_trait;
use hazards::{Api, CannotHappen, Harness, Nature, SimulatedLog, conforms};

use crate::apis::{self, Kind};

#[async_trait]
impl Harness for Kind {
    async fn api(&self, nature: Nature, records: usize) -> Result<Box<dyn Api>, CannotHappen> {
        let kind = self.clone();
        let simulated = SimulatedLog::start(&self.manner, nature, records, move |log, _| {
            Box::new(kind.source(&kind.config(log)))
        });
        Ok(Box::new(simulated.await?))
    }
}

#[test]
fn a_cursor_newest_first() {
    conforms(&apis::cursor());
}

#[test]
fn links_oldest_first_and_a_longest_window() {
    conforms(&apis::link());
}

#[test]
fn numbered_pages_and_a_lower_edge_only() {
    conforms(&apis::page());
}

#[test]
fn next_urls_and_no_filter() {
    conforms(&apis::next_url());
}

#[test]
fn offsets() {
    conforms(&apis::offset());
}

#[test]
fn a_cursor_that_is_kept_for_ever() {
    conforms(&apis::feed());
}

#[test]
fn whole_days_and_no_ids() {
    conforms(&apis::days());
}
