//! Texts that must not show.

/// Shorter values keep no secret, and would blot out half of every text.
const LIKE_A_SECRET: usize = 4;

/// Secrets of a request, for blotting them out should the destination repeat them. Has no `Debug` form on purpose.
#[derive(Clone, Default)]
pub struct Hidden(Vec<String>);

impl Hidden {
    /// Hides one more text from now on.
    pub fn hide(&mut self, text: &str) {
        let text = text.trim();
        if text.len() < LIKE_A_SECRET {
            return;
        }
        // The longest first, or a part of one would be left when another one is blotted out of its middle.
        let at = self.0.partition_point(|other| other.len() > text.len());
        self.0.insert(at, text.to_owned());
    }

    /// The text without the secrets.
    pub fn blotted(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, hidden| text.replace(hidden.as_str(), "…"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_goes_first_and_short_ones_stay() {
        let mut hidden = Hidden::default();
        for secret in ["t0ken", "abc", " t0ken-and-more\n", "t0ken-and"] {
            hidden.hide(secret);
        }
        assert_eq!(hidden.blotted("abc t0ken-and-more t0ken-and t0ken"), "abc … … …");
    }
}
