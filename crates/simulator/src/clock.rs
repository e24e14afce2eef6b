//! The simulator's clock, and the four ways in which the API writes a moment. Written apart from the product's code on purpose.

use std::time::{SystemTime, UNIX_EPOCH};

/// The system clock, shifted so that it started where the builder said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset: i64,
}

impl Clock {
    /// A clock that shows `start` now; the system's time when `None`.
    pub(crate) fn starting_at(start: Option<SystemTime>) -> Self {
        Self { offset: start.map_or(0, |start| milliseconds(start) - milliseconds(SystemTime::now())) }
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now(self) -> i64 {
        milliseconds(SystemTime::now()) + self.offset
    }
}

pub(crate) fn milliseconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month and day of a number of days since the Unix epoch (Gregorian calendar, years that begin in March).
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `2026-11-20T18:31:32.000Z`: how every record writes its time, always in whole seconds.
pub(crate) fn record_time(second: i64) -> [u8; 24] {
    let (year, month, day) = date(second.div_euclid(86_400));
    let clock = second.rem_euclid(86_400);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (at, value) in [
        (0, year / 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, clock / 3600),
        (14, clock / 60 % 60),
        (17, clock % 60),
    ] {
        text[at] = b'0' + (value / 10 % 10) as u8;
        text[at + 1] = b'0' + (value % 10) as u8;
    }
    text
}

/// `Fri, 20 Nov 2026 18:31:32 GMT` (RFC 9110, section 5.6.7).
pub(crate) fn http_date(second: i64) -> String {
    let (year, month, day) = date(second.div_euclid(86_400));
    let (weekday, month) = names(second, month);
    format!("{weekday}, {day:02} {month} {year} {} GMT", time_of_day(second))
}

/// `Fri Feb 24 2023 13:24:09 GMT+0000 (Coordinated Universal Time)`: a JavaScript `Date` as text, which Postman's
/// example of a paging cursor is the base64 of.
pub(crate) fn javascript_date(second: i64) -> String {
    let (year, month, day) = date(second.div_euclid(86_400));
    let (weekday, month) = names(second, month);
    let time = time_of_day(second);
    format!("{weekday} {month} {day:02} {year} {time} GMT+0000 (Coordinated Universal Time)")
}

/// Reads what [`javascript_date`] writes.
pub(crate) fn read_javascript_date(text: &str) -> Option<i64> {
    let mut words = text.split(' ').skip(1);
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let day = words.next()?.parse().ok()?;
    let year = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn names(second: i64, month: i64) -> (&'static str, &'static str) {
    (WEEKDAYS[second.div_euclid(86_400).rem_euclid(7) as usize], MONTHS[month as usize - 1])
}

fn time_of_day(second: i64) -> String {
    let clock = second.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60)
}

/// A `since` or `until` as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Whole seconds since the Unix epoch; a fraction is cut.
    pub(crate) second: i64,
    /// Whether it was a date without a time.
    pub(crate) date_only: bool,
}

/// Reads `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ss[.f][Z|±hh:mm]`; without a zone it is UTC.
pub(crate) fn read_moment(text: &str) -> Option<Moment> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let midnight = days(year, month, day) * 86_400;
    if text.get(4..5)? != "-" || text.get(7..8)? != "-" || date(midnight / 86_400) != (year, month, day) {
        return None;
    }
    if text.len() == 10 {
        return Some(Moment { second: midnight, date_only: true });
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if text.get(10..11)? != "T" || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.as_bytes() {
        b"" | b"Z" => 0,
        [sign @ (b'+' | b'-'), ..] => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let offset = hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60;
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    Some(Moment { second: midnight + hour * 3600 + minute * 60 + second - offset, date_only: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read_alike() {
        let second = 1_677_245_049;
        assert_eq!(&record_time(second), b"2023-02-24T13:24:09.000Z");
        assert_eq!(http_date(second), "Fri, 24 Feb 2023 13:24:09 GMT");
        let javascript = "Fri Feb 24 2023 13:24:09 GMT+0000 (Coordinated Universal Time)";
        assert_eq!(javascript_date(second), javascript);
        for second in (0..4_102_444_800).step_by(86_400 * 7 + 4_321) {
            let text = String::from_utf8(record_time(second).to_vec()).unwrap();
            assert_eq!(read_moment(&text).unwrap().second, second, "{text}");
            assert_eq!(read_javascript_date(&javascript_date(second)), Some(second));
        }
    }

    #[test]
    fn queries_may_write_a_moment_in_any_of_the_documented_ways() {
        let at = |text| read_moment(text).map(|moment| (moment.second, moment.date_only));
        assert_eq!(at("2023-02-24"), Some((1_677_196_800, true)));
        for text in ["2023-02-24T13:24:09", "2023-02-24T13:24:09.123Z", "2023-02-24T15:24:09+02:00"] {
            assert_eq!(at(text), Some((1_677_245_049, false)), "{text}");
        }
        for text in
            ["", "now", "2023-02-30", "2023-02-24T25:00:00Z", "2023-02-24T13:24:09 02:00", "24.02.2023"]
        {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
