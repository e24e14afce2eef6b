//! What the codes of HTTP Event Collector mean for a delivery: one table, nothing that maps to dropping.
//!
//! Sources: Splunk, "Troubleshoot HTTP Event Collector" (codes 0 to 22) and the release notes of 9.x (23 to 27). Splunk
//! answers them as JSON with a status that fits; [`http_client::delivery::class`] is for answers that have none.

/// What follows from a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The events were taken.
    Taken,
    /// The same, and it is near to what it can take.
    TakenNearlyFull,
    /// It may take them later.
    Again,
    /// It does not take one of the events. The word goes to [`pipeline::Reason::kind`].
    Event(&'static str),
    /// It does not know the channel: another one may do.
    Channel,
    /// It does not take anything until a person acts.
    Paused {
        /// A stable word for metrics.
        reason: &'static str,
        /// What to do, in a sentence.
        remedy: &'static str,
    },
}

/// The code of an answer to a request without events, when all else is well.
pub(crate) const NO_DATA: u16 = 5;

/// The meaning of a code; `None` for one that is not known.
pub(crate) fn meaning(code: u16) -> Option<Meaning> {
    Some(match code {
        0 | 17 => Meaning::Taken,
        24 | 25 => Meaning::TakenNearlyFull,
        8 | 9 | 18..=20 | 23 | 26 | 27 => Meaning::Again,
        6 => Meaning::Event("data_format"),
        12 => Meaning::Event("event_missing"),
        13 => Meaning::Event("event_blank"),
        15 => Meaning::Event("indexed_fields"),
        11 => Meaning::Channel,
        1 => paused(
            "authentication",
            "enable the token in Splunk's settings of HTTP Event Collector: it is disabled",
        ),
        2 => {
            paused("authentication", "find out what removes the header `Authorization` on the way to Splunk")
        }
        3 | 16 => paused("authentication", "correct `token`: write it alone, as Splunk shows it"),
        4 | 21 | 22 => paused(
            "authentication",
            "correct `token`: Splunk does not know it; one from a file is read again",
        ),
        5 => paused("no_data", "find out what empties requests on the way to Splunk"),
        7 => paused(
            "index",
            "create the index that `index` names, or allow it for the token; without `index` the token's default counts",
        ),
        10 => paused(
            "acknowledgements",
            "set `acknowledgements: true`: the token has indexer acknowledgement enabled; if it is set, find out what \
             removes the header `X-Splunk-Request-Channel` on the way to Splunk",
        ),
        14 => paused("acknowledgements", ENABLE),
        _ => return None,
    })
}

/// For a token that does not acknowledge.
pub(crate) const ENABLE: &str = "enable indexer acknowledgement for the token in Splunk, or set `acknowledgements: false`: events then count as \
     delivered while Splunk has them in memory alone, as is usual on Splunk Cloud";

const fn paused(reason: &'static str, remedy: &'static str) -> Meaning {
    Meaning::Paused { reason, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code that there is, told in words.
    const TABLE: &[(&str, &[u16])] = &[
        ("taken", &[0, 17]),
        ("taken, nearly full", &[24, 25]),
        ("again", &[8, 9, 18, 19, 20, 23, 26, 27]),
        ("event data_format", &[6]),
        ("event event_missing", &[12]),
        ("event event_blank", &[13]),
        ("event indexed_fields", &[15]),
        ("channel", &[11]),
        ("paused authentication", &[1, 2, 3, 4, 16, 21, 22]),
        ("paused no_data", &[5]),
        ("paused index", &[7]),
        ("paused acknowledgements", &[10, 14]),
    ];

    #[test]
    fn every_code_has_its_meaning() {
        for code in 0..=u16::MAX {
            let words = meaning(code).map(|meaning| match meaning {
                Meaning::Taken => "taken".to_owned(),
                Meaning::TakenNearlyFull => "taken, nearly full".to_owned(),
                Meaning::Again => "again".to_owned(),
                Meaning::Event(kind) => format!("event {kind}"),
                Meaning::Channel => "channel".to_owned(),
                Meaning::Paused { reason, .. } => format!("paused {reason}"),
            });
            let expected = TABLE.iter().find(|(_, codes)| codes.contains(&code)).map(|(words, _)| *words);
            assert_eq!(words.as_deref(), expected, "{code}");
        }
        assert_eq!(TABLE.iter().map(|(_, codes)| codes.len()).sum::<usize>(), 28);
    }

    #[test]
    fn a_pause_says_what_to_do_in_one_sentence() {
        for code in 0..28 {
            if let Some(Meaning::Paused { remedy, .. }) = meaning(code) {
                assert!(remedy.len() > 30 && !remedy.ends_with('.'), "{code}: {remedy}");
            }
        }
    }
}
