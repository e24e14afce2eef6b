//! The names that Postman itself gives its actions, and the actions that no table knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use super::actions::{self, KNOWN};

/// What `GET /audit-actions` says: the display name of each action. Shared between the source, which fills it, and the
/// transforms, which look up actions whose machine name is not in their table.
///
/// ```
/// let names = transform::ActionNames::default();
/// let strange = names.learn([("team.gone_sso", "Custom auth scheme removed"), ("robot.sent", "Robot sent")]);
/// assert_eq!(strange, ["robot.sent"]);
/// ```
#[derive(Debug, Default)]
pub struct ActionNames {
    /// Places in [`KNOWN`].
    places: RwLock<HashMap<Box<str>, usize>>,
}

impl ActionNames {
    /// Takes in pairs of machine name and display name, as the API gives them. Later pairs replace earlier ones of the same
    /// machine name. Returns the machine names that neither they nor their display names tell how to map: they will be
    /// mapped by rule of thumb.
    pub fn learn<N: AsRef<str>, D: AsRef<str>>(
        &self,
        pairs: impl IntoIterator<Item = (N, D)>,
    ) -> Vec<String> {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let mut strange = Vec::new();
        for (name, display) in pairs {
            let (name, display) = (name.as_ref(), display.as_ref().trim());
            if actions::place(name).is_some() {
                continue;
            }
            match KNOWN.iter().position(|known| known.display.eq_ignore_ascii_case(display)) {
                Some(place) => {
                    places.insert(name.into(), place);
                }
                None => strange.push(name.to_owned()),
            }
        }
        strange
    }

    /// The place in [`KNOWN`] of the action that is displayed as `name` is.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }
}

/// So many unknown actions are counted by name; more only in the total.
const MOST_NAMES: usize = 1000;

/// So much of an unknown action's name is kept, in bytes.
const LONGEST_NAME: usize = 200;

/// Actions that were mapped by rule of thumb, because no table knows them. Each is logged once. When a source's records are
/// encoded in several views, give this to one of them, or every record is counted as often as there are views.
///
/// ```
/// let unknown = transform::UnknownActions::default();
/// assert_eq!((unknown.total(), unknown.counts()), (0, vec![]));
/// ```
#[derive(Default)]
pub struct UnknownActions {
    total: AtomicU64,
    by_name: Mutex<HashMap<Box<str>, u64>>,
}

impl UnknownActions {
    /// Records mapped by rule of thumb so far.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// How many records each action had, in the order of the names. Of a long name the first 200 bytes are kept, and
    /// beyond 1000 names only the total counts on.
    pub fn counts(&self) -> Vec<(Box<str>, u64)> {
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> = by_name.iter().map(|(name, count)| (name.clone(), *count)).collect();
        counts.sort_unstable();
        counts
    }

    pub(super) fn note(&self, action: &str) {
        self.total.fetch_add(1, Ordering::Relaxed);
        let action = &action[..action.floor_char_boundary(LONGEST_NAME)];
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_name.get_mut(action) {
            *count += 1;
            return;
        }
        if by_name.len() < MOST_NAMES {
            by_name.insert(action.into(), 1);
            drop(by_name);
            tracing::info!(action, "unknown action, mapped by its words; a newer release may know it");
        }
    }
}

impl fmt::Debug for UnknownActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownActions").field("total", &self.total()).finish_non_exhaustive()
    }
}
