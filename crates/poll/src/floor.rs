//! Looking for the moment from which on an API keeps its history, when it keeps less than expected: later starts in growing
//! steps until one is accepted, then the middle between that and the last refused, until they are close.
//!
//! What was found so far is part of the position: a process that lives for a request or two goes on with the search of the
//! one before it.

use std::time::Duration;

use pipeline::Timestamp;
use serde::{Deserialize, Serialize};

use crate::position::Range;

/// Kept free between the API's retention and the start of a window, for the time that reading the window takes; also how
/// exactly the floor is looked for.
pub(crate) const MARGIN: Duration = Duration::from_secs(3600);

/// What the search has found so far; nothing when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FloorSearch {
    /// The latest start that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Timestamp>,
    /// The earliest start that was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<Timestamp>,
}

impl FloorSearch {
    /// Whether nothing is looked for.
    pub(crate) fn is_over(&self) -> bool {
        *self == Self::default()
    }

    /// Whether nothing of the range is kept.
    pub(crate) fn has_refused_all(&self, range: &Range) -> bool {
        range.to.is_some_and(|to| self.refused >= Some(to.minus(MARGIN)))
    }

    /// The start to ask for after `since` was refused; `from` is what was wanted at first, `to` is where the range ends.
    pub(crate) fn later(&mut self, from: Option<Timestamp>, since: Timestamp, to: Timestamp) -> Timestamp {
        self.refused = self.refused.max(Some(since));
        self.accepted = self.accepted.filter(|accepted| *accepted > since);
        let end = self.accepted.unwrap_or(to);
        if end.since(since) <= MARGIN {
            return end;
        }
        // Each step is as long as all before it.
        let step = since.since(from.unwrap_or(since)) + MARGIN;
        since.plus(step.min(end.since(since) / 2))
    }

    /// `since` was accepted, although `from` was wanted: the start to ask for instead, or none if it is the floor, which ends
    /// the search.
    pub(crate) fn earlier(&mut self, from: Option<Timestamp>, since: Timestamp) -> Option<Timestamp> {
        let refused = self.refused.filter(|refused| *refused < since).max(from);
        match refused.filter(|refused| since.since(*refused) > MARGIN) {
            Some(refused) => {
                self.accepted = Some(since);
                Some(refused.plus(since.since(refused) / 2))
            }
            None => {
                *self = Self::default();
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the API keeps ends later every minute, so a start may be refused that was accepted before.
    #[test]
    fn a_start_that_was_accepted_once_and_is_refused_now_is_not_asked_for_again() {
        let (since, to) = (Timestamp::from_millis(1_000_000_000), Timestamp::from_millis(2_000_000_000));
        let mut search = FloorSearch { accepted: Some(since), ..FloorSearch::default() };
        assert!(search.later(None, since, to) > since);
    }

    /// The refusal was no answer about that start, so what lies before it is not known to be gone.
    #[test]
    fn a_start_that_was_refused_once_and_is_accepted_now_is_not_the_floor() {
        let (from, since) = (Timestamp::from_millis(1_000_000_000), Timestamp::from_millis(2_000_000_000));
        let mut search = FloorSearch { refused: Some(since), ..FloorSearch::default() };
        let earlier = search.earlier(Some(from), since);
        assert_eq!(earlier, Some(Timestamp::from_millis(1_500_000_000)));
    }
}
