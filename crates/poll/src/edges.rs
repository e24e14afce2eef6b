//! The edges of a request's window.
//!
//! Nobody says whether `since` and `until` include their moment, nor whether a date-time is cut to its day. So each is
//! moved outwards until either reading covers the window; what is read twice is dropped as known.

use std::time::Duration;

use pipeline::Timestamp;

use crate::policy::Granularity;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// How much the delivered set must remember beyond a window, because requests reach so far outside of it.
pub(crate) const REACH: Duration = Duration::from_secs(4 * 86_400);

/// What to send as `since` so that everything from `moment` on is read: a second earlier, as it may be exclusive; with
/// whole days, the day before, as the day itself may be excluded.
pub(crate) fn since(moment: Timestamp, granularity: Granularity) -> Timestamp {
    match granularity {
        Granularity::Second => midnight_or(moment.minus(SECOND), false),
        Granularity::Day => midnight_or(moment, true).minus(DAY),
    }
}

/// What to send as `until` so that everything up to `moment` is read, also when it is cut to its day and excluded: the
/// second midnight after it.
pub(crate) fn until(moment: Timestamp) -> Timestamp {
    midnight_or(moment, true).plus(2 * DAY)
}

/// The moment's midnight (UTC), or its whole second.
fn midnight_or(moment: Timestamp, midnight: bool) -> Timestamp {
    let unit = if midnight { 86_400_000 } else { 1000 };
    Timestamp::from_millis(moment.as_millis().div_euclid(unit) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_06_edges_hold_for_every_reading_of_the_filter() {
        let moment: Timestamp = "2026-11-20T10:00:00.500Z".parse().unwrap();
        let day = |t: Timestamp| t.as_millis().div_euclid(86_400_000);
        let fine = since(moment, Granularity::Second);
        assert_eq!(fine.to_string(), "2026-11-20T09:59:59.000Z");
        assert!(fine < moment);
        let coarse = since(moment, Granularity::Day);
        assert_eq!(coarse.to_string(), "2026-11-19T00:00:00.000Z");
        assert!(day(coarse) < day(moment), "also when the day itself is excluded");
        assert_eq!(until(moment).to_string(), "2026-11-22T00:00:00.000Z");
        assert!(day(until(moment)) > day(moment) + 1 && until(moment) > moment);
    }
}
