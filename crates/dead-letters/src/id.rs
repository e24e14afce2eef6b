//! What a letter is called.

use std::fmt;
use std::str::FromStr;

/// A letter's name for people and commands: 32 hexadecimal digits, chosen at random when it is kept and never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId(u128);

impl LetterId {
    /// A new one.
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..))
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not 32 hexadecimal digits")]
pub struct ParseLetterIdError;

impl FromStr for LetterId {
    type Err = ParseLetterIdError;

    fn from_str(text: &str) -> Result<Self, ParseLetterIdError> {
        hex128(text).map(Self).ok_or(ParseLetterIdError)
    }
}

/// Reads exactly 32 lower-case hexadecimal digits, so that every number has one text.
pub(crate) fn hex128(text: &str) -> Option<u128> {
    is_hex(text, 32).then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// Reads exactly 16 lower-case hexadecimal digits.
pub(crate) fn hex64(text: &str) -> Option<u64> {
    is_hex(text, 16).then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_digits_and_comes_back() {
        for _ in 0..100 {
            let id = LetterId::random();
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(LetterId(7).to_string(), "00000000000000000000000000000007");
        for text in ["", "7", "+0000000000000000000000000000007", "0000000000000000000000000000000G"] {
            assert_eq!(text.parse::<LetterId>(), Err(ParseLetterIdError), "{text}");
        }
    }
}
