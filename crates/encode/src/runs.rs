//! Copying text of which some characters need another form.

use wide::u8x16;

/// Hands each control character and each of the characters that begin with a byte of `others` to `special`, and copies all
/// others. `others` may name more than need another form.
#[inline(always)] // Fast only where it knows what is special.
pub(crate) fn escaped<const N: usize>(
    text: &str,
    out: &mut Vec<u8>,
    others: [u8; N],
    special: impl Fn(char, &mut Vec<u8>),
) {
    let mut rest = text;
    loop {
        let (plain, from) = rest.split_at(plain(rest.as_bytes(), others));
        out.extend_from_slice(plain.as_bytes());
        let mut chars = from.chars();
        match chars.next() {
            Some(c) => special(c, out),
            None => return,
        }
        rest = chars.as_str();
    }
}

/// Appends a character.
pub(crate) fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// How many bytes at the beginning of `text` are neither among `others` nor may begin a control character.
#[inline(always)]
fn plain<const N: usize>(text: &[u8], others: [u8; N]) -> usize {
    // 0xC2 begins, among others, the control characters from U+0080 on.
    let is_special = |byte: &u8| matches!(byte, ..0x20 | 0x7F | 0xC2) || others.contains(byte);
    let mut at = 0;
    while let Some(chunk) = text[at..].first_chunk::<16>() {
        let bytes = u8x16::new(*chunk);
        let mut found = bytes.min(u8x16::splat(0x1F)).simd_eq(bytes);
        for special in [0x7F, 0xC2].into_iter().chain(others) {
            found |= bytes.simd_eq(u8x16::splat(special));
        }
        let marks = found.to_bitmask();
        if marks != 0 {
            return at + marks.trailing_zeros() as usize;
        }
        at += 16;
    }
    let rest = &text[at..];
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_found_wherever_it_is() {
        for byte in 0..=255_u8 {
            let is_special =
                char::from(byte).is_control() && byte < 0x80 || [0xC2, b'=', b'|'].contains(&byte);
            for place in 0..40 {
                let mut text = [b'a'; 40];
                text[place] = byte;
                let expected = if is_special { place } else { text.len() };
                assert_eq!(plain(&text, [b'=', b'|']), expected, "{byte:#x} at {place}");
            }
        }
    }
}
