//! "Did you mean …?", for whoever says what is wrong with a key or a word.

/// The candidate that `word` was probably meant to be: the same but for case and separators, or a few typing errors away,
/// about one in three letters.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '.')).flat_map(char::to_lowercase).collect()
    };
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| {
            let bare = plain(candidate);
            let errors = strsim::osa_distance(&word, &bare);
            (errors, candidate, bare.chars().count().max(word.chars().count()))
        })
        .filter(|(errors, _, length)| *errors <= length / 3)
        .min()
        .map(|(_, candidate, _)| candidate)
}

/// `` `a`, `b` or `c` ``, sorted.
pub fn any_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<&str> = words.into_iter().collect();
    words.sort_unstable();
    words.dedup();
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_forgiven_and_other_words_are_not() {
        let keys = ["api_key", "poll_interval", "requests_per_minute", "start", "url", "overlap", "from"];
        for (word, meant) in [
            ("pol_interval", Some("poll_interval")),
            ("poll-interval", Some("poll_interval")),
            ("pollInterval", Some("poll_interval")),
            ("API_KEY", Some("api_key")),
            ("apikey", Some("api_key")),
            ("api_kye", Some("api_key")),
            ("uri", Some("url")),
            ("form", Some("from")),
            ("interval", Some("poll_interval")),
            ("token", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(word, keys), meant, "{word}");
        }
    }

    #[test]
    fn list_reads_as_a_sentence() {
        assert_eq!(any_of([]), "nothing");
        assert_eq!(any_of(["a"]), "`a`");
        assert_eq!(any_of(["c", "a", "b", "a"]), "`a`, `b` or `c`");
    }
}
