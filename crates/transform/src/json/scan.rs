//! Finding the bytes that matter in JSON text, sixteen at a time.

use wide::u8x16;

/// Where in sixteen bytes the special ones are: one bit each, the lowest for the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    /// `"` and `\`.
    pub(super) escaped: u32,
    /// Control characters, below 0x20.
    pub(super) control: u32,
}

/// The marks of `bytes`.
#[inline(always)]
pub(super) fn marks(bytes: &[u8; 16]) -> Marks {
    let bytes = u8x16::new(*bytes);
    let escaped = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'));
    let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
    Marks { escaped: escaped.to_bitmask(), control: control.to_bitmask() }
}

/// Where in sixteen bytes a clean run of string text ends: one bit each, as in [`Marks`], but for all of them at once.
#[inline(always)]
fn ends(bytes: &[u8; 16]) -> u32 {
    let bytes = u8x16::new(*bytes);
    // With the second bit turned round, `"` comes to stand right behind the control characters, and nothing else comes between.
    let turned = bytes ^ u8x16::splat(2);
    let control_or_quote = turned.min(u8x16::splat(b'"' ^ 2)).simd_eq(turned);
    (control_or_quote | bytes.simd_eq(u8x16::splat(b'\\'))).to_bitmask()
}

/// The place, from `start` on, of the byte that ends a clean run of JSON string text: `"`, `\`, a control character, or the
/// end of `bytes`.
#[inline(always)]
pub(super) fn clean_until(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let found = ends(chunk);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|b| !matches!(b, b'"' | b'\\' | ..0x20)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_marked_for_what_it_is() {
        for byte in 0..=255_u8 {
            for place in 0..16 {
                let mut bytes = [b'x'; 16];
                bytes[place] = byte;
                let bit = |is: bool| u32::from(is) << place;
                let expected =
                    Marks { escaped: bit(matches!(byte, b'"' | b'\\')), control: bit(byte < 0x20) };
                assert_eq!(marks(&bytes), expected, "{byte} at {place}");
                assert_eq!(ends(&bytes), expected.escaped | expected.control, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn runs_end_where_they_should() {
        for length in 0..40 {
            for end in [b'"', b'\\', b'\n', 0] {
                let mut text = vec![b'x'; length];
                assert_eq!(clean_until(&text, 0), length);
                text.push(end);
                text.extend_from_slice("é yy\"".as_bytes());
                assert_eq!(clean_until(&text, 0), length);
                assert_eq!(clean_until(&text, length), length);
            }
        }
        assert_eq!(clean_until(b"ab", 5), 5);
    }
}
