//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes as text: a whole number and one unit, `64MiB`, `1GiB`, `500B`. Binary units are `KiB`, `MiB`, `GiB`
/// and `TiB` (powers of 1024), decimal ones `kB`, `MB`, `GB` and `TB` (powers of 1000).
///
/// ```
/// use settings::ByteSize;
/// let size: ByteSize = "1024KiB".parse().unwrap();
/// assert_eq!(size.get(), 1_048_576);
/// assert_eq!(size.to_string(), "1MiB");
/// assert!("1048576".parse::<ByteSize>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Units and their size in bytes; of two equally short texts the earlier unit is written.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// The `format` of this type's JSON Schema.
    pub const FORMAT: &str = "byte-size";

    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many KiB, saturating.
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// So many MiB, saturating.
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// The size in bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The shortest text that is exact: `64MiB`, `1500B`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().filter(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size));
        let shortest = exact.map(|(unit, size)| format!("{}{unit}", self.0 / size)).min_by_key(String::len);
        f.write_str(shortest.as_deref().unwrap_or("0B"))
    }
}

/// Why a text is not a size. Says what is right and never quotes the text, which may be a misplaced secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// It has another form.
    #[error("a size is a whole number and a unit, such as `500B`, `256KiB`, `16MiB` or `1GiB`")]
    Form,
    /// It is a number alone.
    #[error("a size needs a unit: `B`, `KiB`, `MiB`, `GiB` or `TiB`")]
    NoUnit,
    /// It is more than 64 bits count.
    #[error("the size is too large")]
    TooLarge,
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(SizeError::Form);
        }
        if unit.is_empty() {
            return Err(SizeError::NoUnit);
        }
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(SizeError::Form)?;
        // All digits, so the only way to fail is to be too large.
        let number: u64 = number.parse().map_err(|_| SizeError::TooLarge)?;
        number.checked_mul(*size).map(Self).ok_or(SizeError::TooLarge)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `16MiB`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for ByteSize {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": Self::FORMAT,
            "pattern": "^[0-9]+(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_and_written_in_its_shortest_exact_form() {
        for (text, bytes, back) in [
            ("0MiB", 0, "0B"),
            ("1B", 1, "1B"),
            ("1023B", 1023, "1023B"),
            ("1024B", 1024, "1KiB"),
            ("1500B", 1500, "1500B"),
            ("2000B", 2000, "2kB"),
            ("64MiB", 67_108_864, "64MiB"),
            ("1024MiB", 1 << 30, "1GiB"),
            ("1536MiB", 3 << 29, "1536MiB"),
            ("5GB", 5_000_000_000, "5GB"),
            ("16TiB", 1 << 44, "16TiB"),
            ("18446744073709551615B", u64::MAX, "18446744073709551615B"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.get(), bytes, "{text}");
            assert_eq!(size.to_string(), back, "{text}");
            assert_eq!(back.parse(), Ok(size), "{text}");
        }
        assert_eq!((ByteSize::kib(1), ByteSize::mib(1)), (ByteSize::bytes(1024), ByteSize::bytes(1 << 20)));
    }

    #[test]
    fn other_text_is_refused_without_being_quoted() {
        for (text, error) in [
            ("", SizeError::Form),
            ("MiB", SizeError::Form),
            ("1048576", SizeError::NoUnit),
            ("16 MiB", SizeError::Form),
            ("16mib", SizeError::Form),
            ("16M", SizeError::Form),
            ("1.5GiB", SizeError::Form),
            ("-1B", SizeError::Form),
            ("99999999999999999999B", SizeError::TooLarge),
            ("16777216TiB", SizeError::TooLarge),
        ] {
            assert_eq!(text.parse::<ByteSize>(), Err(error), "{text}");
        }
        let error = serde_json::from_str::<ByteSize>("\"PMAK-123\"").unwrap_err().to_string();
        assert!(!error.contains("PMAK"), "{error}");
    }

    #[test]
    fn number_alone_is_not_a_size() {
        let error = serde_json::from_str::<ByteSize>("1048576").unwrap_err().to_string();
        assert!(error.contains("a size such as `16MiB`"), "{error}");
        assert_eq!(serde_json::to_string(&ByteSize::mib(1)).unwrap(), "\"1MiB\"");
    }
}
