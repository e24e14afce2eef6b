//! The edges of a request's window.
//!
//! Nobody says whether `since` and `until` include their moment, nor whether a date-time is cut to its day. So each is
//! moved outwards until either reading covers the window; what is read twice is dropped as known.

use std::time::Duration;

use pipeline::Timestamp;

use crate::policy::Granularity;

/// How much the delivered set must remember beyond a window, because requests reach so far outside of it.
pub(crate) const REACH: Duration = Duration::from_secs(4 * 86_400);

/// What to send as `since` so that everything from `moment` on is read: the unit before that of the moment, as an edge
/// may be exclusive and leave out the whole unit that it names.
pub(crate) fn since(moment: Timestamp, granularity: Granularity) -> Timestamp {
    let (unit, _) = granularity.units();
    cut(moment, unit).minus(unit)
}

/// What to send as `until` so that everything up to `moment` is read, also when it is cut to its unit and excluded, or
/// its day is another time zone's: the second beginning of a unit after it.
pub(crate) fn until(moment: Timestamp, granularity: Granularity) -> Timestamp {
    let (_, unit) = granularity.units();
    cut(moment, unit).plus(2 * unit)
}

/// The beginning of the moment's unit (UTC).
fn cut(moment: Timestamp, unit: Duration) -> Timestamp {
    let unit = i64::try_from(unit.as_millis()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_millis(moment.as_millis().div_euclid(unit) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_06_edges_hold_for_every_reading_of_the_filter() {
        let moment: Timestamp = "2026-11-20T10:00:00.500Z".parse().unwrap();
        let day = |t: Timestamp| t.as_millis().div_euclid(86_400_000);
        for granularity in [Granularity::Unknown, Granularity::Second] {
            assert_eq!(since(moment, granularity).to_string(), "2026-11-20T09:59:59.000Z");
        }
        assert_eq!(since(moment, Granularity::Hour).to_string(), "2026-11-20T09:00:00.000Z");
        let coarse = since(moment, Granularity::Day);
        assert_eq!(coarse.to_string(), "2026-11-19T00:00:00.000Z");
        assert!(day(coarse) < day(moment), "also when the day itself is excluded");
        for granularity in [Granularity::Unknown, Granularity::Day] {
            assert_eq!(until(moment, granularity).to_string(), "2026-11-22T00:00:00.000Z");
            assert!(day(until(moment, granularity)) > day(moment) + 1);
        }
        assert_eq!(until(moment, Granularity::Second).to_string(), "2026-11-20T10:00:02.000Z");
        assert_eq!(until(moment, Granularity::Minute).to_string(), "2026-11-20T10:02:00.000Z");
    }
}
