//! E-mail addresses: OCSF's type `email_t`.

use super::version::{Part, Version};

/// Whether `email_t` of this version takes the text: `^LOCAL+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+$`, where LOCAL is
/// `[a-zA-Z0-9_.+-]` in 1.1 and ``[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]``, in which `+-/` is a range, later.
pub(super) fn is_address(text: &str, version: Version) -> bool {
    const fn in_label(b: u8) -> bool {
        b.is_ascii_alphanumeric() || b == b'-'
    }
    const fn local(others: &[u8]) -> [bool; 256] {
        let mut table = [false; 256];
        let mut b = 0;
        while b < 256 {
            table[b] = (b as u8).is_ascii_alphanumeric();
            b += 1;
        }
        let mut n = 0;
        while n < others.len() {
            table[others[n] as usize] = true;
            n += 1;
        }
        table
    }
    /// Bytes that may stand before the `@`.
    const NARROW: [bool; 256] = local(b"_.+-");
    const WIDE: [bool; 256] = local(b"!#$%&'*+,-./=?^_`{|}~");
    let table = if version.has(Part::WideAddress) { &WIDE } else { &NARROW };
    let text = text.as_bytes();
    let local = text.iter().take_while(|b| table[usize::from(**b)]).count();
    let Some((b'@', domain)) = text[local..].split_first() else { return false };
    let first = domain.iter().take_while(|b| in_label(**b)).count();
    let Some((b'.', rest)) = domain[first..].split_first() else { return false };
    local > 0 && first > 0 && !rest.is_empty() && rest.iter().all(|b| in_label(*b) || *b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published patterns; `testkit` has the schemas that they are from.
    #[test]
    fn a_version_takes_what_its_pattern_takes() {
        for (text, first, later) in [
            ("taylor.lee@example.com", true, true),
            ("taylor_lee+audit-2@mail.example.com", true, true),
            ("ale~.cruz@example.com", false, true),
            ("o'brien@example.com", false, true),
            ("a,b/c@example.com", false, true),
            ("taylor lee@example.com", false, false),
            ("t\u{fc}r@example.com", false, false),
            ("taylor@example", false, false),
            ("@example.com", false, false),
            ("taylor@.com", false, false),
            ("taylor@example.", false, false),
            ("taylor@exa_mple.com", false, false),
            ("taylor@example.com>", false, false),
        ] {
            for (name, taken) in [("1.1.0", first), ("1.3.0", later), ("1.5.0", later), ("1.8.0", later)] {
                let version = Version::find(name).unwrap();
                assert_eq!(is_address(text, version), taken, "{text} in {name}");
            }
        }
    }
}
