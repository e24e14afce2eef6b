//! Cutting a text so that what is left ends with a whole character and a whole escape.

/// What must stay together in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// Escapes of JSON: `\"`, `\u00e9`, and the pairs of `\ud83d\ude00`.
    Json,
    /// Escapes of CEF: a backslash and the character behind it. What stands escaped in it may itself be an escape of JSON,
    /// and is not looked at.
    Cef,
}

impl Escapes {
    /// How many bytes of the text can be kept when `most` may.
    pub fn cut(self, text: &[u8], most: usize) -> usize {
        if most >= text.len() {
            return text.len();
        }
        let mut end = most;
        while end > 0 && text[end] & 0xC0 == 0x80 {
            end -= 1;
        }
        match self {
            Self::Cef => end - usize::from(ends_in_a_backslash(&text[..end])),
            Self::Json => before_json_escape(text, end),
        }
    }
}

/// Whether the last character begins an escape that is not finished.
fn ends_in_a_backslash(text: &[u8]) -> bool {
    text.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

fn before_json_escape(text: &[u8], mut end: usize) -> usize {
    if ends_in_a_backslash(&text[..end]) {
        end -= 1;
    }
    // `\u` and four digits: the beginning is among the last six bytes.
    let unfinished = (1..=5).find(|back| {
        let Some(at) = end.checked_sub(*back) else { return false };
        text[at] == b'u' && at + 5 > end && ends_in_a_backslash(&text[..at])
    });
    if let Some(back) = unfinished {
        end -= back + 1;
    }
    // The first half of a pair says nothing without the second one.
    let half = end.checked_sub(6).map(|at| &text[at..end]);
    if let Some([b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', _, _]) = half
        && !ends_in_a_backslash(&text[..end - 6])
    {
        end -= 6;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut at every length, a text of JSON is the beginning of one: with a quote it can be read.
    #[test]
    fn json_ends_before_an_escape_or_a_character_that_does_not_fit() {
        let text = r#"a\"b\\é\\\\\"😀\u00e9\\u00e9\ud83d\ude00\n\/x\u0000"#;
        for most in 0..=text.len() {
            let kept = Escapes::Json.cut(text.as_bytes(), most);
            assert!(kept <= most && most - kept < 12, "{most} {kept}");
            let kept = std::str::from_utf8(&text.as_bytes()[..kept]).unwrap();
            let parsed: Result<String, _> = serde_json::from_str(&format!("\"{kept}\""));
            parsed.unwrap_or_else(|error| panic!("{kept}: {error}"));
        }
    }

    #[test]
    fn cef_ends_before_an_escape_or_a_character_that_does_not_fit() {
        let text = r"a\=b\\\\é\n\\\=c😀";
        for most in 0..=text.len() {
            let kept = Escapes::Cef.cut(text.as_bytes(), most);
            assert!(kept <= most && most - kept < 5);
            let kept = std::str::from_utf8(&text.as_bytes()[..kept]).unwrap();
            assert!(!ends_in_a_backslash(kept.as_bytes()), "{kept}");
        }
    }
}
