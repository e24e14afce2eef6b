//! Whose time it is: the API's, as its answers tell it, and our own, which may be wrong and may jump.

use pipeline::Timestamp;

/// 2001 and 2099: moments outside come from a clock that was never set.
pub(super) const OLDEST: Timestamp = Timestamp::from_millis(978_307_200_000);
const LATEST: Timestamp = Timestamp::from_millis(4_070_908_800_000);

/// What is known of the API's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// The last `Date` of an answer.
    heard: Option<Timestamp>,
    /// That less our own clock then, in milliseconds.
    skew: Option<i64>,
}

impl Clock {
    /// An answer came. Returns a moment that the API's clock has surely passed: its `Date`; without one the last `Date`
    /// heard; our own clock only if there never was one.
    pub(super) fn hear(&mut self, date: Option<Timestamp>, now: Timestamp) -> Timestamp {
        if let Some(date) = date.filter(|date| believed(*date) == *date) {
            self.heard = Some(date);
            self.skew = Some(date.as_millis() - believed(now).as_millis());
        }
        self.heard.unwrap_or(believed(now))
    }

    /// What the API's clock should show. Wrong if our own has jumped since the last answer.
    pub(super) fn estimate(&self, now: Timestamp) -> Timestamp {
        believed(Timestamp::from_millis(believed(now).as_millis().saturating_add(self.skew.unwrap_or(0))))
    }

    /// The API's clock less our own, in milliseconds.
    pub(super) fn skew(&self) -> Option<i64> {
        self.skew
    }
}

/// The moment, or the nearest one that a clock may show.
pub(super) fn believed(moment: Timestamp) -> Timestamp {
    moment.clamp(OLDEST, LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_api_is_believed_and_our_own_clock_only_without_it() {
        let (date, ours) = (at("2026-11-20T10:00:00Z"), at("2026-11-20T12:00:00Z"));
        let mut clock = Clock::default();
        assert_eq!(clock.estimate(ours), ours);
        assert_eq!(clock.hear(None, ours), ours);
        assert_eq!(clock.hear(Some(date), ours), date);
        assert_eq!(clock.estimate(at("2026-11-20T12:00:30Z")), at("2026-11-20T10:00:30Z"));
        assert_eq!(clock.hear(None, at("2035-01-01T00:00:00Z")), date, "our clock jumped, no answer says so");
    }

    #[test]
    fn clocks_that_were_never_set_stay_within_the_years_that_a_position_can_hold() {
        let mut clock = Clock::default();
        let first = at("2001-01-01T00:00:00Z");
        assert_eq!(clock.hear(Some(Timestamp::from_millis(0)), Timestamp::from_millis(i64::MIN)), first);
        assert_eq!(clock.estimate(Timestamp::from_millis(i64::MAX)), at("2099-01-01T00:00:00Z"));
        clock.hear(Some(at("2026-11-20T10:00:00Z")), Timestamp::from_millis(0));
        assert_eq!(clock.estimate(Timestamp::from_millis(60_000)), at("2026-11-20T10:00:00Z"));
    }
}
