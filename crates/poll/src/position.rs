//! Where collection stands: JSON that an operator can read and edit.
//!
//! ```json
//! {"version": 1, "source": "postman", "host": "api.getpostman.com", "tenant": "1234", "start": "2026-11-13T10:00:00.000Z",
//!  "complete_until": "2026-11-20T10:00:00.000Z", "newest": "2026-11-20T09:58:12.000Z", "swept_until": "2026-11-20T09:30:00.000Z",
//!  "history": [{"from": "2026-11-13T10:00:00.000Z", "to": "2026-11-20T08:00:00.000Z"}],
//!  "walks": [{"kind": "history", "since": "2026-11-13T10:00:00.000Z", "until": "2026-11-20T08:00:00.000Z",
//!             "began": "2026-11-20T10:00:05.000Z", "cursor": 554891778, "pages": 12, "restarts": 0}]}
//! ```

use std::fmt;

use pipeline::{RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::collector::OpenError;
use crate::cursor::{CircleGuard, Cursor};
use crate::floor::FloorSearch;

/// The format of positions that this version writes.
pub(crate) const VERSION: u32 = 1;

/// Whose position it is; another one's is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The source's type, e.g. `postman`.
    pub source: String,
    /// The API's host.
    pub host: String,
}

/// Where collection stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    pub(crate) version: u32,
    pub(crate) source: String,
    pub(crate) host: String,
    /// Learnt from the first record that names one.
    #[serde(default)]
    pub(crate) tenant: Option<String>,
    /// Lower bound on event time; none is all that the API keeps.
    pub(crate) start: Option<Timestamp>,
    /// When a relative `start` was counted, by our own clock; none once it is counted by the API's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_counted_at: Option<Timestamp>,
    /// By the API's clock: everything before is collected, but for `history`. Moves only when a walk closes.
    pub(crate) complete_until: Option<Timestamp>,
    /// Newest event time of closed walks that was not in the future; none after history took over.
    pub(crate) newest: Option<Timestamp>,
    /// By the API's clock: when the last closed sweep began. Later events that belong before it are late.
    pub(crate) swept_until: Option<Timestamp>,
    /// What is still open before `complete_until`. A walk is open for the first at most; closed windows leave it.
    pub(crate) history: Vec<Range>,
    /// Walks that are not closed.
    pub(crate) walks: Vec<Walk>,
    /// The search for how far back the API keeps, while it is under way.
    #[serde(default, skip_serializing_if = "FloorSearch::is_over")]
    pub(crate) floor: FloorSearch,
    /// How the API wants to be asked, where that had to be found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<Form>,
    /// What the process that holds it asks for first.
    #[serde(default = "present", skip_serializing_if = "Kind::is_present")]
    pub(crate) first: Kind,
    /// How positions of before said that `first` is history; read, and not written.
    #[serde(default, skip_serializing)]
    pub(crate) history_first: bool,
}

/// The form in which an API takes a request, of several that the source knows by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Its name.
    pub name: String,
    /// It has led to a page, or all were refused: a refusal of a later page is not about the form.
    pub settled: bool,
}

/// A stretch of history that is not collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Its start; none is as far back as the API keeps.
    pub from: Option<Timestamp>,
    /// Its end; none until the first page of the next walk to the present.
    pub to: Option<Timestamp>,
}

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// From a little before the newest known moment to the present.
    Live,
    /// From far before to the present, for events that arrived late; never stops early.
    Sweep,
    /// A closed window of what lies before.
    History,
    /// All that arrives, along the API's own cursors; never ends.
    Follow,
}

fn present() -> Kind {
    Kind::Live
}

impl Kind {
    fn is_present(&self) -> bool {
        *self == present()
    }
}

/// One window of time, read page by page with frozen filters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    /// What it is for.
    pub kind: Kind,
    /// Start of the window; none is as far back as the API keeps.
    pub since: Option<Timestamp>,
    /// End of the window; none is the present.
    pub until: Option<Timestamp>,
    /// What a walk to the present asks for as its upper edge, where the API wants one; frozen like all filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Timestamp>,
    /// The API's clock at its first page; none before that.
    pub began: Option<Timestamp>,
    /// Where the next page begins; none is the window's start.
    pub cursor: Option<Cursor>,
    /// Pages read since it last started over.
    pub pages: u32,
    /// How often it started over.
    pub restarts: u32,
    /// Newest event time read that was not in the future.
    #[serde(default)]
    pub newest: Option<Timestamp>,
    /// Whether its first page was read by this process.
    #[serde(skip)]
    pub(crate) fresh: bool,
    /// Failures since the last page.
    #[serde(skip)]
    pub(crate) failures: u32,
    /// Whether it waits for the next poll, after starting over too often.
    #[serde(skip)]
    pub(crate) resting: bool,
    /// The first record of its first page.
    #[serde(skip)]
    pub(crate) top: Option<RecordId>,
    /// Whether it has come to the first record of the walk before it.
    #[serde(skip)]
    pub(crate) passed_top: bool,
    /// Whether it follows, and there is nothing more yet.
    #[serde(skip)]
    pub(crate) caught_up: bool,
    /// Whether its horizon was put right by the API's clock; once, as answers may be slow.
    #[serde(skip)]
    pub(crate) corrected: bool,
    #[serde(skip)]
    pub(crate) circle: CircleGuard,
}

impl Walk {
    pub(crate) fn new(kind: Kind, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Self {
            kind,
            since,
            until,
            horizon: None,
            began: None,
            cursor: None,
            pages: 0,
            restarts: 0,
            newest: None,
            fresh: false,
            failures: 0,
            resting: false,
            top: None,
            passed_top: false,
            caught_up: false,
            corrected: false,
            circle: CircleGuard::default(),
        }
    }

    /// Back to the window's start; the delivered set drops what was read before.
    pub(crate) fn start_over(&mut self) {
        let restarts = self.restarts.saturating_add(1);
        let horizon = self.horizon;
        *self = Self { restarts, horizon, ..Self::new(self.kind, self.since, self.until) };
    }
}

impl fmt::Display for Walk {
    /// For people: `history 2026-11-13T10:00:00.000Z to 2026-11-20T08:00:00.000Z, 12 pages`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Live => "live",
            Kind::Sweep => "sweep",
            Kind::History => "history",
            Kind::Follow => "follow",
        };
        match self.since {
            Some(since) => write!(f, "{kind} {since}")?,
            None => write!(f, "{kind} from the beginning")?,
        }
        match self.until {
            Some(until) => write!(f, " to {until}")?,
            None => write!(f, " to the present")?,
        }
        write!(f, ", {} {}", self.pages, if self.pages == 1 { "page" } else { "pages" })?;
        if self.restarts > 0 {
            write!(f, ", started over {} times", self.restarts)?;
        }
        if self.failures > 0 {
            write!(f, ", failed {} times", self.failures)?;
        }
        Ok(())
    }
}

impl fmt::Display for Range {
    /// For people: `history 2026-11-13T10:00:00.000Z to 2026-11-20T08:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) => write!(f, "history {from}")?,
            None => write!(f, "history from the beginning")?,
        }
        match self.to {
            Some(to) => write!(f, " to {to}"),
            None => write!(f, " to the next poll"),
        }
    }
}

/// A position that an operator has written, as it is saved: one line, its keys in the usual order.
///
/// # Errors
/// What [`crate::Collector::open`] would refuse.
pub fn accepted(written: &pipeline::Position, identity: &Identity) -> Result<pipeline::Position, OpenError> {
    Position::read(written, identity).map(|position| pipeline::Position::encode(&position))
}

impl Position {
    /// Reads a saved position; another source's, a newer version's and one that makes no sense are refused.
    pub(crate) fn read(saved: &pipeline::Position, identity: &Identity) -> Result<Self, OpenError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = saved.decode().map_err(OpenError::Unreadable)?;
        if version > VERSION {
            return Err(OpenError::Newer(version));
        }
        let position: Self = saved.decode().map_err(OpenError::Unreadable)?;
        if (&position.source, &position.host) != (&identity.source, &identity.host) {
            return Err(OpenError::Other {
                saved: format!("source {} at {}", position.source, position.host),
                configured: format!("source {} at {}", identity.source, identity.host),
            });
        }
        match position.nonsense() {
            Some(nonsense) => Err(OpenError::Nonsense(nonsense)),
            None => Ok(position),
        }
    }

    /// What makes no sense in it, if anything: an edited position is refused rather than obeyed.
    fn nonsense(&self) -> Option<String> {
        const OLDEST: Timestamp = Timestamp::from_millis(946_684_800_000);
        const LATEST: Timestamp = Timestamp::from_millis(4_102_444_800_000);
        let ranges = self.history.iter().map(|range| (range.from, range.to));
        let walks = self.walks.iter().map(|walk| (walk.since, walk.until.or(walk.horizon)));
        let windows: Vec<_> = ranges.chain(walks).collect();
        let mut moments =
            vec![self.start, self.start_counted_at, self.complete_until, self.newest, self.swept_until];
        moments.extend([self.floor.refused, self.floor.accepted]);
        moments.extend(windows.iter().flat_map(|(from, to)| [*from, *to]));
        moments.extend(self.walks.iter().flat_map(|walk| [walk.began, walk.newest]));
        if let Some(odd) = moments.into_iter().flatten().find(|moment| !(OLDEST..LATEST).contains(moment)) {
            return Some(format!("{odd} is not a time between 2000 and 2100"));
        }
        for (from, to) in windows {
            if let (Some(from), Some(to)) = (from, to)
                && from >= to
            {
                return Some(format!("{from} is not before {to}"));
            }
        }
        if self.version != VERSION {
            return Some(format!("`version` is {}", self.version));
        }
        if self.history.iter().rev().skip(1).any(|range| range.to.is_none()) {
            return Some("a range of `history` that is not the last has no `to`".into());
        }
        for walk in &self.walks {
            if self.walks.iter().filter(|other| other.kind == walk.kind).count() > 1 {
                return Some("there is at most one walk of each kind".into());
            }
            if (walk.kind == Kind::History) != walk.until.is_some() {
                return Some("`until` belongs to walks of kind `history`, and to all of them".into());
            }
            if walk.kind == Kind::History && !self.history.first().is_some_and(|range| range.holds(walk)) {
                return Some(
                    "the walk of kind `history` does not lie in the first range of `history`".into(),
                );
            }
            if matches!(walk.kind, Kind::Live | Kind::Sweep) && walk.since.is_none() {
                return Some("`since` is missing in a walk to the present".into());
            }
            if walk.cursor.is_some() && walk.began.is_none() {
                return Some("a walk has a `cursor`, but has not `began`".into());
            }
        }
        None
    }
}

impl Range {
    /// Whether the walk lies in it. It starts later while it is looked for how far back the API keeps.
    fn holds(&self, walk: &Walk) -> bool {
        self.from <= walk.since && walk.until <= self.to
    }
}
