//! What is known of an API, and what the user asked for.

use std::time::Duration;

use pipeline::Timestamp;

/// How a stream is collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How far each live walk goes back behind the newest known moment.
    pub overlap: Duration,
    /// How often a sweep looks for events that arrived late.
    pub resweep_every: Duration,
    /// How far a sweep goes back behind the moment up to which collection is complete.
    pub resweep_over: Duration,
    /// Time between live walks.
    pub poll_interval: Duration,
    /// How long the API keeps its history; `None` when it says nothing.
    pub retention: Option<Duration>,
    /// In which order the API answers.
    pub order: Order,
    /// How fine the API's time filter is.
    pub granularity: Granularity,
    /// Longest window of a history walk, and the longest pause that the live walk bridges by itself.
    pub history_window: Duration,
    /// Shortest window that a history walk is halved to.
    pub min_window: Duration,
    /// A live walk longer than this gives its past to history.
    pub live_pages: u32,
}

impl Default for Policy {
    /// 15 minutes of overlap, an hourly sweep over 24 hours, a poll a minute, newest first, filters to the second.
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            overlap: HOUR / 4,
            resweep_every: HOUR,
            resweep_over: 24 * HOUR,
            poll_interval: HOUR / 60,
            retention: None,
            order: Order::NewestFirst,
            granularity: Granularity::Second,
            history_window: 7 * 24 * HOUR,
            min_window: 24 * HOUR,
            live_pages: 1000,
        }
    }
}

impl Policy {
    /// Why there is a hole, as a clause.
    pub(crate) fn kept(&self) -> Box<str> {
        match self.retention {
            Some(retention) => format!("the API keeps {} days", retention.as_secs() / 86_400).into(),
            None => "the API keeps no more".into(),
        }
    }
}

/// In which order an API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Newest records first.
    NewestFirst,
    /// Oldest records first.
    OldestFirst,
}

/// How fine an API's time filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// To the second, as far as one can tell.
    Second,
    /// Whole days.
    Day,
}

/// Lower bound on event time, for the first run only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// As far back as the API keeps.
    All,
    /// From this moment on.
    Now,
    /// From so long before this moment on.
    Ago(Duration),
    /// From then on.
    At(Timestamp),
}
