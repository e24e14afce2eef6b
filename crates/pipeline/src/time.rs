//! The one representation of a moment.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC: milliseconds since the Unix epoch. Text form is RFC 3339 with milliseconds and `Z`.
///
/// ```
/// let t: pipeline::Timestamp = "2026-11-20T10:00:00+02:00".parse().unwrap();
/// assert_eq!(t.to_string(), "2026-11-20T08:00:00.000Z");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn second(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// From the system clock's value; moments outside the range of `i64` milliseconds saturate.
    pub fn from_system(time: SystemTime) -> Self {
        let millis = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after),
            Err(before) => -millis(before.duration()),
        })
    }

    /// This moment less `by`, saturating.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment plus `by`, saturating.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Timestamp {
    /// Reads a vendor's time: RFC 3339 with any offset or none (then UTC), `T` or a space, any fraction (cut to
    /// milliseconds), a date alone (midnight), or epoch seconds or milliseconds as digits with an optional fraction.
    /// Only the years 2000–2099 are believed.
    ///
    /// ```
    /// use pipeline::Timestamp;
    /// let expected = Timestamp::from_millis(1_795_165_523_120);
    /// for text in ["2026-11-20T09:05:23.120Z", "2026-11-20 11:05:23.1209+0200", "1795165523120", "1795165523.12"] {
    ///     assert_eq!(Timestamp::read(text), Some(expected));
    /// }
    /// assert_eq!(Timestamp::read("yesterday"), None);
    /// assert_eq!(Timestamp::read("1995-01-01T00:00:00Z"), None);
    /// ```
    pub fn read(text: &str) -> Option<Self> {
        let millis = read_civil(text.as_bytes()).or_else(|| read_epoch(text))?;
        BELIEVED.contains(&millis).then_some(Self(millis))
    }
}

/// 2000-01-01 to 2100-01-01, in milliseconds.
const BELIEVED: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

/// `YYYY-MM-DD[(T| )hh:mm[:ss[.f…]][Z|±hh[:]mm]]` to milliseconds since the Unix epoch.
fn read_civil(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (number(&date[..4])?, number(&date[5..7])?, number(&date[8..])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_since_epoch(year, month, day) * 86_400_000;
    let Some((separator, rest)) = rest.split_first() else { return Some(midnight) };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, mut rest) = rest.split_at_checked(5)?;
    let (hour, minute) = (number(&clock[..2])?, number(&clock[3..])?);
    let (mut second, mut millis) = (0, 0);
    if let [b':', tens, units, after @ ..] = rest {
        (second, rest) = (number(&[*tens, *units])?, after);
        if let [b'.' | b',', fraction @ ..] = rest {
            let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            millis = (0..3)
                .fold(0, |sum, n| sum * 10 + fraction[..digits].get(n).map_or(0, |b| i64::from(b - b'0')));
            rest = &fraction[digits..];
        }
    }
    // A leap second is read as the one after it, as the Unix epoch counts.
    if clock[2] != b':' || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = midnight + ((hour * 60 + minute) * 60 + second) * 1000 + millis;
    Some(local - read_offset(rest)? * 60_000)
}

/// Nothing, `Z`, `±hh`, `±hhmm` or `±hh:mm`, in minutes east of UTC.
fn read_offset(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, a, b] => (sign, number(&[*a, *b])?, 0),
        [sign, a, b, c, d] | [sign, a, b, b':', c, d] => (sign, number(&[*a, *b])?, number(&[*c, *d])?),
        _ => return None,
    };
    let east = hours * 60 + minutes;
    match sign {
        b'+' if hours < 24 && minutes < 60 => Some(east),
        b'-' if hours < 24 && minutes < 60 => Some(-east),
        _ => None,
    }
}

/// Epoch seconds or milliseconds, told apart by their size, with an optional fraction of the unit.
fn read_epoch(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() > 13 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = number(whole.as_bytes())?;
    if value >= 100_000_000_000 {
        return Some(value);
    }
    let millis =
        (0..3).fold(0, |sum, n| sum * 10 + fraction.as_bytes().get(n).map_or(0, |b| i64::from(b - b'0')));
    Some(value * 1000 + millis)
}

/// ASCII digits only; at most 13 of them, so that it cannot overflow.
fn number(digits: &[u8]) -> Option<i64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all_digits.then(|| digits.iter().fold(0, |sum, b| sum * 10 + i64::from(b - b'0')))
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. The year is taken to start in March, so that the leap day is its last.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

/// The text is not an RFC 3339 moment.
#[derive(Debug, thiserror::Error)]
#[error("not a moment like 2026-11-20T10:00:00Z")]
pub struct ParseTimestampError(#[source] jiff::Error);

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Reads RFC 3339 with any offset, rounding below milliseconds down.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment: jiff::Timestamp = text.parse().map_err(ParseTimestampError)?;
        Ok(Self(moment.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_agrees_with_the_calendar_library() {
        // Every 7 h 13 min 7.001 s from 2000 to 2099.
        for millis in (BELIEVED.start..BELIEVED.end).step_by(25_987_001) {
            let moment = Timestamp(millis);
            assert_eq!(Timestamp::read(&moment.to_string()), Some(moment));
        }
    }

    #[test]
    fn read_takes_what_vendors_send_and_nothing_else() {
        let noon = Some(Timestamp::from_millis(1_795_176_000_000));
        for text in [
            "2026-11-20T12:00:00Z",
            "2026-11-20t12:00:00.0000000z",
            "2026-11-20 12:00:00",
            "2026-11-20T12:00",
            "2026-11-20T14:00:00+02:00",
            "2026-11-20T07:30:00-0430",
            "2026-11-20T13:00:00+01",
            "2026-11-20T11:59:60Z",
            "1795176000",
            "1795176000.0009",
            "1795176000000",
        ] {
            assert_eq!(Timestamp::read(text), noon, "{text}");
        }
        assert_eq!(Timestamp::read("2028-02-29").unwrap().to_string(), "2028-02-29T00:00:00.000Z");
        for text in [
            "",
            "now",
            "2026-11-20T",
            "2026-11-20T1",
            "2026-02-29",
            "2026-13-01",
            "2026-11-20T24:00:00Z",
            "2026-11-20T12:00:00.Z",
            "2026-11-20T12:00:00+2",
            "2026-11-20T12-00",
            "1999-12-31T23:59:59Z",
            "2100-01-01",
            "123",
            "99999999999999",
            "-1795176000",
            "17951760é0",
            "２026-11-20",
        ] {
            assert_eq!(Timestamp::read(text), None, "{text}");
        }
    }

    #[test]
    fn text_form_is_rfc3339_with_milliseconds_and_comes_back() {
        for (text, back) in [
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000Z"),
            ("2026-11-20T10:00:00.1239+02:00", "2026-11-20T08:00:00.123Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), back);
        }
        assert!("2026-11-20".parse::<Timestamp>().is_err());
        assert_eq!(Timestamp::from_millis(-1).second(), -1);
    }
}
