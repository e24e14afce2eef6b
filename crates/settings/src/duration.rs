//! Durations as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration as text: a whole number and one unit, `500ms`, `30s`, `5m`, `24h`, `180d`. Units are `ns`, `us`, `ms`,
/// `s`, `m`, `h` and `d`; a day has 24 hours.
///
/// ```
/// use std::time::Duration;
/// use settings::HumanDuration;
/// let overlap: HumanDuration = "900s".parse().unwrap();
/// assert_eq!(overlap.get(), Duration::from_secs(900));
/// assert_eq!(overlap.to_string(), "15m");
/// assert!("900".parse::<HumanDuration>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HumanDuration(Duration);

/// Units and their length in nanoseconds, longest first.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl HumanDuration {
    /// The `format` of this type's JSON Schema.
    pub const FORMAT: &str = "human-duration";

    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

/// The shortest text that is exact: `90s`, but `15m` for 900 seconds.
impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        // The last unit divides every number, so one is always found.
        match UNITS.iter().find(|(_, length)| nanos.is_multiple_of(*length)) {
            Some((unit, length)) => write!(f, "{}{unit}", nanos / length),
            None => write!(f, "{nanos}ns"),
        }
    }
}

/// Why a text is not a duration. Says what is right and never quotes the text, which may be a misplaced secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It has another form.
    #[error("a duration is a whole number and a unit, such as `500ms`, `30s`, `5m`, `24h` or `180d`")]
    Form,
    /// It is a number alone.
    #[error("a duration needs a unit: `ms`, `s`, `m`, `h` or `d`")]
    NoUnit,
    /// It is longer than a program can count.
    #[error("the duration is too long")]
    TooLong,
}

impl FromStr for HumanDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(DurationError::Form);
        }
        if unit.is_empty() {
            return Err(DurationError::NoUnit);
        }
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::Form)?;
        // All digits, so the only way to fail is to be too large.
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        let nanos = u128::from(number) * length;
        let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| DurationError::TooLong)?;
        // The remainder of a division by 10⁹ fits in 32 bits.
        Ok(Self(Duration::new(seconds, (nanos % 1_000_000_000) as u32)))
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = HumanDuration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `30s`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<HumanDuration, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for HumanDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": Self::FORMAT,
            "pattern": "^[0-9]+(ns|us|ms|s|m|h|d)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_written_in_its_shortest_exact_form() {
        for (text, nanos, back) in [
            ("0s", 0, "0s"),
            ("0d", 0, "0s"),
            ("7ns", 7, "7ns"),
            ("1500us", 1_500_000, "1500us"),
            ("500ms", 500_000_000, "500ms"),
            ("1000ms", 1_000_000_000, "1s"),
            ("90s", 90_000_000_000, "90s"),
            ("015m", 900_000_000_000, "15m"),
            ("900s", 900_000_000_000, "15m"),
            ("24h", 86_400_000_000_000, "1d"),
            ("36h", 129_600_000_000_000, "36h"),
            ("180d", 15_552_000_000_000_000, "180d"),
        ] {
            let duration: HumanDuration = text.parse().unwrap();
            assert_eq!(duration.get().as_nanos(), nanos, "{text}");
            assert_eq!(duration.to_string(), back, "{text}");
            assert_eq!(back.parse(), Ok(duration), "{text}");
        }
    }

    #[test]
    fn longest_duration_comes_back() {
        let longest = HumanDuration(Duration::from_secs(u64::MAX));
        assert_eq!(longest.to_string().parse(), Ok(longest));
    }

    #[test]
    fn other_text_is_refused_without_being_quoted() {
        for (text, error) in [
            ("", DurationError::Form),
            ("s", DurationError::Form),
            ("60", DurationError::NoUnit),
            ("5 m", DurationError::Form),
            (" 5m", DurationError::Form),
            ("5m ", DurationError::Form),
            ("-5m", DurationError::Form),
            ("+5m", DurationError::Form),
            ("1.5h", DurationError::Form),
            ("1h30m", DurationError::Form),
            ("5M", DurationError::Form),
            ("5min", DurationError::Form),
            ("٣s", DurationError::Form),
            ("99999999999999999999s", DurationError::TooLong),
            ("18446744073709551615d", DurationError::TooLong),
        ] {
            assert_eq!(text.parse::<HumanDuration>(), Err(error), "{text}");
        }
        let error = serde_json::from_str::<HumanDuration>("\"PMAK-123\"").unwrap_err().to_string();
        assert!(!error.contains("PMAK"), "{error}");
    }

    #[test]
    fn number_alone_is_not_a_duration() {
        let error = serde_json::from_str::<HumanDuration>("60").unwrap_err().to_string();
        assert!(error.contains("a duration such as `30s`"), "{error}");
        assert_eq!(serde_json::to_string(&HumanDuration(Duration::from_secs(60))).unwrap(), "\"1m\"");
    }
}
