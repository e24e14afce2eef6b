//! The state machine: which page to fetch next, and what a page or a failure changes.
//!
//! | file | holds |
//! |---|---|
//! | `begin` | which walk is due, where it starts, and what must be remembered for it |
//! | `answer` | what a page changes: which records are new, what the first page settles, how a walk closes |
//! | `follow` | one walk without an end, along the API's own cursors |
//! | `failure` | what a failure changes: starting over, smaller windows, later starts |
//! | `history` | the stretches that are still open, and the holes in them |
//! | `clock` | whose time it is |
//! | `start` | whether another start is asked for than holds |

mod answer;
mod begin;
mod clock;
mod failure;
mod follow;
mod history;
mod start;

use std::time::Duration;

use pipeline::{Gap, Progress, RecordId, Seen, Timestamp, Wait};

use crate::cursor::Cursor;
use crate::edges;
use crate::policy::{Policy, Start, TimeFilter};
use crate::position::{Form, Identity, Kind, Position, VERSION, Walk};
use clock::Clock;
pub use start::HeldStart;

/// Collects one stream. See the [crate] for how.
#[derive(Clone, Debug)]
pub struct Collector {
    policy: Policy,
    position: Position,
    clock: Clock,
    /// The kind of walk whose page is asked for and not answered.
    asked: Option<Kind>,
    /// The kind of walk that was served last: the others come first.
    served: Kind,
    /// The last page of history that was asked for could not be had.
    history_fails: bool,
    /// When the next walk to the present is due by our own clock; `None` is now.
    next_poll: Option<Timestamp>,
    /// A walk to the present that began in this process has closed.
    has_been_live: bool,
    /// The first record of the last walk to the present that closed in this process. What the API lists behind it was
    /// there for that walk to read.
    top: Option<RecordId>,
    /// Length of the next history window: what proved too long is not tried again.
    window: Duration,
    /// The latest start that was refused to a walk to the present.
    live_refused: Option<Timestamp>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch this page, then call [`Collector::page`] or [`Collector::failed`].
    Fetch(Request),
    /// Nothing to do for a while.
    Wait(Wait),
}

/// One page to fetch. All of it is sent, unchanged with every page of a walk but for the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What the page is for.
    pub kind: Kind,
    /// Lower edge of the time filter.
    pub since: Option<Timestamp>,
    /// Upper edge of the time filter.
    pub until: Option<Timestamp>,
    /// Where the page begins.
    pub cursor: Option<Cursor>,
}

/// One page that came back.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Identity and time of each record, in the order of the page.
    pub records: &'a [(RecordId, Option<Timestamp>)],
    /// What follows it.
    pub next: Onward<'a>,
    /// The answer's `Date`.
    pub server_time: Option<Timestamp>,
}

/// What follows a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward<'a> {
    /// Nothing: the explicit end.
    End,
    /// Another page, which begins here.
    Next(&'a Cursor),
    /// Nothing for now; what comes begins here. The end, for whoever does not follow cursors for ever.
    Later(&'a Cursor),
}

impl<'a> From<Option<&'a Cursor>> for Onward<'a> {
    fn from(next: Option<&'a Cursor>) -> Self {
        next.map_or(Self::End, Self::Next)
    }
}

/// What a page brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Indices of the records to deliver, oldest first.
    pub deliver: Vec<u32>,
    /// Holes found.
    pub gaps: Vec<Gap>,
    /// Records that are known.
    pub duplicates: usize,
    /// Records that are known with other content.
    pub versions: usize,
    /// The cursor that leads on was given before in this walk: paging goes round in a circle, or nowhere.
    pub circle: bool,
}

/// Why a page could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The API does not know the cursor (any more): the window starts over.
    CursorUnknown,
    /// The window starts before what the API keeps: it starts later, and the hole is reported once its size is known.
    BeforeRetention,
    /// The API took too long: the window is too large.
    TimedOut,
    /// Anything else: the same page is asked for again, after the other walks had their turn.
    Other,
}

/// A source's position cannot be resumed from.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is no position, or was edited into something else.
    #[error("position cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// It holds values that make no sense.
    #[error("position makes no sense: {0}")]
    Nonsense(String),
    /// It was written by a newer version.
    #[error("position has version {0}, this Towpath reads version {VERSION}")]
    Newer(u32),
    /// It is another source's.
    #[error("position belongs to {saved}, not to {configured}")]
    Other {
        /// What the position names.
        saved: String,
        /// What was configured.
        configured: String,
    },
}

/// Where collection stands, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorStatus {
    /// Time up to which collection is complete, but for open history.
    pub complete_until: Option<Timestamp>,
    /// A line a walk, and a line a stretch of history that waits.
    pub walks: Vec<String>,
}

impl Collector {
    /// Takes up a saved position, or starts afresh.
    ///
    /// # Errors
    /// A position that is not this source's, or cannot be understood, is refused.
    pub fn open(
        policy: Policy,
        identity: Identity,
        start: Start,
        resume: Option<&pipeline::Position>,
        now: Timestamp,
    ) -> Result<Self, OpenError> {
        let mut position = match resume {
            Some(saved) => Position::read(saved, &identity)?,
            None => begin::first(identity, start, clock::believed(now)),
        };
        position.adopt(policy.resume);
        // It is saved before the first request, so that a process that dies of its request has had its turn.
        let first = if resume.is_some() { Self::take_turns(&mut position) } else { Kind::Live };
        // As if the kind before it in their order had been served.
        let served = match first {
            Kind::Live | Kind::Follow => Kind::History,
            Kind::Sweep => Kind::Live,
            Kind::History => Kind::Sweep,
        };
        let window = policy.window();
        Ok(Self {
            policy,
            position,
            clock: Clock::default(),
            asked: None,
            served,
            history_fails: false,
            next_poll: None,
            has_been_live: false,
            top: None,
            window,
            live_refused: None,
        })
    }

    /// Says whose records these are, once a record tells. The first answer is kept in the position.
    ///
    /// # Errors
    /// The position is another tenant's.
    pub fn set_tenant(&mut self, tenant: &str) -> Result<(), OpenError> {
        match &self.position.tenant {
            None => self.position.tenant = Some(tenant.into()),
            Some(saved) if saved != tenant => {
                let (saved, configured) = (format!("tenant {saved}"), format!("tenant {tenant}"));
                return Err(OpenError::Other { saved, configured });
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// How the API wants to be asked, as far as it is known.
    pub fn form(&self) -> Option<&Form> {
        self.position.form.as_ref()
    }

    /// How the API wants to be asked was found out, or has to be found out anew.
    pub fn set_form(&mut self, form: Option<Form>) {
        self.position.form = form;
    }

    /// Where collection stands once everything given out so far is delivered. It may have changed after a failure too, and is
    /// to be saved then, or a process that does not live for a page makes no headway.
    pub fn progress(&self) -> Progress {
        Progress {
            position: pipeline::Position::encode(&self.position),
            prune_before: self.prune_before(),
            complete_until: self.position.complete_until,
            lost_from: self.lost_from(),
        }
    }

    /// What an operator wants to know.
    pub fn status(&self) -> CollectorStatus {
        let open = self.position.walks.iter().map(ToString::to_string);
        let walked = usize::from(self.walk(Kind::History).is_some());
        let waiting = self.position.history.iter().skip(walked).map(|range| format!("{range}, waiting"));
        CollectorStatus { complete_until: self.position.complete_until, walks: open.chain(waiting).collect() }
    }

    /// What to do next. Asked again without an answer in between, it says the same again.
    pub fn step(&mut self, now: Timestamp) -> Step {
        if self.asked.is_none() {
            self.begin_what_is_due(now);
            self.asked = self.whose_turn();
        }
        match self.asked.and_then(|kind| self.walk(kind)) {
            Some(walk) => Step::Fetch(Request {
                kind: walk.kind,
                since: self.lower_edge(walk),
                until: self.upper_edge(walk),
                cursor: walk.cursor.clone(),
            }),
            None => {
                let duration = self.next_poll.map_or(Duration::ZERO, |due| due.since(now));
                let is_open = |walk: &Walk| !walk.caught_up;
                let nothing_open =
                    self.position.history.is_empty() && !self.position.walks.iter().any(is_open);
                Step::Wait(Wait { duration, caught_up: self.has_been_live && nothing_open })
            }
        }
    }

    /// The page that [`Collector::step`] asked for. `seen` has one answer a record, in order. A page that nobody asked
    /// for changes nothing.
    pub fn page(&mut self, page: &Page<'_>, seen: &[Seen], now: Timestamp) -> Taken {
        let Some(at) = self.answered() else { return Taken::default() };
        self.history_fails &= self.served != Kind::History;
        let server_now = self.clock.hear(page.server_time, now);
        let mut taken = answer::sort_out(page, seen, self.policy.order);
        if self.position.walks[at].began.is_some() || self.first_page(at, server_now, &mut taken.gaps) {
            self.note(at, page, server_now);
            match page.next {
                _ if self.position.walks[at].kind == Kind::Follow => {
                    taken.circle = self.follow(at, page.next, server_now, now, &mut taken.gaps);
                }
                Onward::Next(_) if self.may_stop_early(at, page, seen) || self.may_stop_behind(at, page) => {
                    self.close(at, page, server_now, now, &mut taken.gaps);
                }
                Onward::Next(next) => taken.circle = self.go_on(at, next, server_now),
                Onward::End | Onward::Later(_) => self.close(at, page, server_now, now, &mut taken.gaps),
            }
        }
        self.give_up_forgotten(server_now, &mut taken.gaps);
        taken
    }

    /// The page that [`Collector::step`] asked for could not be had. `server_time` is the answer's `Date`, if it had one.
    pub fn failed(&mut self, failure: Failure, server_time: Option<Timestamp>, now: Timestamp) {
        let Some(at) = self.answered() else { return };
        self.history_fails |= self.served == Kind::History;
        self.clock.hear(server_time, now);
        self.fail(at, failure, self.clock.estimate(now));
    }

    /// The largest window up to the present that the API should answer. How much of it comes at once tells what a page holds.
    pub fn widest(&self, now: Timestamp) -> Request {
        let server_now = self.clock.estimate(now);
        let kept = self.policy.retention.map(|retention| server_now.minus(retention).plus(self.margin()));
        let spanned = self.policy.longest().map(|longest| server_now.minus(longest));
        let since = kept.max(spanned).or(match self.policy.filter {
            TimeFilter::Closed { .. } => Some(server_now.minus(self.policy.window())),
            _ => None,
        });
        let since = since.map(clock::believed);
        let horizon = since.and_then(|since| self.horizon(since, server_now));
        let walk = Walk { horizon, ..Walk::new(Kind::Live, since, None) };
        let (since, until) = (self.lower_edge(&walk), self.upper_edge(&walk));
        Request { kind: walk.kind, since, until, cursor: None }
    }

    fn lower_edge(&self, walk: &Walk) -> Option<Timestamp> {
        let since = walk.since.filter(|_| self.policy.filter != TimeFilter::None)?;
        Some(edges::since(since, self.policy.granularity))
    }

    fn upper_edge(&self, walk: &Walk) -> Option<Timestamp> {
        let until = walk.until.or(walk.horizon).filter(|_| self.policy.has_windows())?;
        Some(edges::until(until, self.policy.granularity))
    }

    /// The walk whose page was asked for.
    fn answered(&mut self) -> Option<usize> {
        let kind = self.asked.take()?;
        self.served = kind;
        self.position.walks.iter().position(|walk| walk.kind == kind)
    }

    fn walk(&self, kind: Kind) -> Option<&Walk> {
        self.position.walks.iter().find(|walk| walk.kind == kind)
    }
}
