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
    /// Which edges of a window the API is asked for.
    pub filter: TimeFilter,
    /// Longest window that the API answers; `None` when it says nothing.
    pub max_span: Option<Duration>,
    /// What collection goes on from.
    pub resume: Resume,
    /// Longest window of a history walk, and the longest pause that the live walk bridges by itself.
    pub history_window: Duration,
    /// Shortest window that a history walk is halved to.
    pub min_window: Duration,
    /// A live walk longer than this gives its past to history.
    pub live_pages: u32,
}

impl Default for Policy {
    /// 15 minutes of overlap, an hourly sweep over 24 hours, a poll a minute, newest first, a filter of which no more is known than that it takes times.
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            overlap: HOUR / 4,
            resweep_every: HOUR,
            resweep_over: 24 * HOUR,
            poll_interval: HOUR / 60,
            retention: None,
            order: Order::NewestFirst,
            granularity: Granularity::Unknown,
            filter: TimeFilter::Window,
            max_span: None,
            resume: Resume::Window,
            history_window: 7 * 24 * HOUR,
            min_window: 24 * HOUR,
            live_pages: 1000,
        }
    }
}

impl Policy {
    /// Longest window of a history walk, and the longest pause that the live walk bridges by itself. Both together fit
    /// what the API answers. Without an upper edge each window would be read up to the present, so there is one for all.
    pub(crate) fn window(&self) -> Duration {
        const UNBOUNDED: Duration = Duration::from_secs(200 * 365 * 86_400);
        let window = match self.filter {
            TimeFilter::None | TimeFilter::Since => UNBOUNDED,
            TimeFilter::Window | TimeFilter::Closed { .. } => self.history_window,
        };
        let reach = self.granularity.reach();
        self.max_span.map_or(window, |span| window.min((span.saturating_sub(reach) / 2).max(reach)))
    }

    /// The longest stretch that may be walked in one, so that what is asked for is not longer than the API answers.
    pub(crate) fn longest(&self) -> Option<Duration> {
        self.max_span.map(|span| span.saturating_sub(self.granularity.reach()))
    }

    /// Whether windows can be made smaller for an API that takes too long.
    pub(crate) fn has_windows(&self) -> bool {
        matches!(self.filter, TimeFilter::Window | TimeFilter::Closed { .. })
    }

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
    /// Newest records first; without a time filter surely by their own time.
    NewestFirst,
    /// Oldest records first.
    OldestFirst,
    /// In none that can be relied on.
    Unordered,
}

/// How fine an API's time filter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Nobody says. Times are given to the second, and may be cut to their day.
    Unknown,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Whole days.
    Day,
}

impl Granularity {
    /// What the lower and the upper edge may be cut to.
    pub(crate) fn units(self) -> (Duration, Duration) {
        let unit = match self {
            Self::Unknown | Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3600),
            Self::Day => DAY,
        };
        (unit, if self == Self::Unknown { DAY } else { unit })
    }

    /// By how much the edges that are asked for may lie outside of their window, both together.
    pub(crate) fn reach(self) -> Duration {
        let (lower, upper) = self.units();
        2 * (lower + upper)
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Which edges of a window an API can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFilter {
    /// None: every walk begins at one end of the log. What was delivered must be remembered for ever.
    None,
    /// The lower one only.
    Since,
    /// Both; the upper one is left out in walks to the present.
    Window,
    /// Both, always: a walk to the present ends so long before it, because what is newer is not complete yet.
    Closed {
        /// How long.
        settle: Duration,
    },
}

/// What collection goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// A window of time, each poll another one.
    Window,
    /// The cursor of the last page, for ever: the API lists in the order of arrival.
    Cursor,
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
