//! What the answer to a single event means: one table, nothing that maps to dropping.
//!
//! Sources: Elasticsearch and OpenSearch, "Bulk API" and the statuses of their exceptions; Elasticsearch, "Failure store".

/// What follows for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It is there now.
    Taken,
    /// It was there before.
    Known,
    /// It may be taken later.
    Again,
    /// It is not taken. The word goes to [`pipeline::Reason::kind`].
    Rejected(&'static str),
    /// No event is taken until a person acts.
    Paused {
        /// A stable word for metrics.
        reason: &'static str,
        /// What to do, in a sentence.
        remedy: &'static str,
    },
}

/// The meaning of a status with the type of its error and the error's words, which are empty for a success.
pub(crate) fn meaning(status: u16, kind: &str, words: &str) -> Meaning {
    match (status, kind) {
        (200..=299, _) => Meaning::Taken,
        (409, "version_conflict_engine_exception") => Meaning::Known,
        (408 | 409 | 429 | 500..=599, _) => Meaning::Again,
        (403, "cluster_block_exception") if is_flooded(words) => Meaning::Again,
        (_, "cluster_block_exception") => paused(
            "write_block",
            "remove the write block of the index or data stream, or name another one: it takes no documents",
        ),
        (401, _) | (_, "authentication_exception") => paused(
            "authentication",
            "correct `auth`: the cluster does not accept it; what is from files is read again",
        ),
        (403, _) => paused(
            "permission",
            "let the user or key of `auth` create documents in the index or data stream, and create it where it is not there",
        ),
        (_, "index_not_found_exception") => paused(
            "not_found",
            "create the index or data stream that `index` or `data_stream` names, or let the cluster create it",
        ),
        (_, "index_closed_exception") => paused("index_closed", "open the index again, or name another one"),
        (_, "invalid_index_name_exception") => paused("index_name", "correct `index` or `data_stream`"),
        (404, _) => {
            paused("not_found", "check `index`, `data_stream` and `pipeline`: the cluster misses one")
        }
        (400, "illegal_argument_exception") if words.starts_with("pipeline with id") => {
            paused("pipeline", "create the ingest pipeline that `pipeline` names, or remove the key")
        }
        (413, _) => Meaning::Rejected("too_large"),
        (
            400,
            "mapper_parsing_exception" | "document_parsing_exception" | "strict_dynamic_mapping_exception",
        ) => Meaning::Rejected("mapping"),
        (400, "illegal_argument_exception") => Meaning::Rejected("illegal_argument"),
        (400, _) => Meaning::Rejected("bad_request"),
        _ => paused("unsupported", "compare `flavor` and `urls` with what answers there"),
    }
}

const fn paused(reason: &'static str, remedy: &'static str) -> Meaning {
    Meaning::Paused { reason, remedy }
}

/// Whether a block comes from a disk that is nearly full, and goes away by itself once there is room.
fn is_flooded(words: &str) -> bool {
    words.contains("FORBIDDEN/12") || words.contains("flood") || words.contains("disk usage exceeded")
}

/// Words of an error before what quotes the event: field values do not belong in logs.
pub(crate) fn without_values(words: &str) -> &str {
    const QUOTES: [&str; 4] = [
        "Preview of field's value",
        "The prefix of the first immense term",
        "For input string",
        "could not parse",
    ];
    let end = QUOTES.iter().filter_map(|quote| words.find(quote)).min();
    words[..end.unwrap_or(words.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(meaning: Meaning) -> String {
        match meaning {
            Meaning::Taken => "taken".to_owned(),
            Meaning::Known => "known".to_owned(),
            Meaning::Again => "again".to_owned(),
            Meaning::Rejected(kind) => format!("rejected {kind}"),
            Meaning::Paused { reason, .. } => format!("paused {reason}"),
        }
    }

    const TABLE: &[(u16, &str, &str, &str)] = &[
        (200, "", "", "taken"),
        (201, "", "", "taken"),
        (409, "version_conflict_engine_exception", "[1]: version conflict, document already exists", "known"),
        (409, "resource_already_exists_exception", "", "again"),
        (429, "es_rejected_execution_exception", "", "again"),
        (429, "rejected_execution_exception", "", "again"),
        (429, "circuit_breaking_exception", "", "again"),
        (
            429,
            "cluster_block_exception",
            "index [a] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]",
            "again",
        ),
        (408, "", "", "again"),
        (500, "exception", "", "again"),
        (503, "unavailable_shards_exception", "", "again"),
        (
            403,
            "cluster_block_exception",
            "index [a] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];",
            "again",
        ),
        (
            403,
            "cluster_block_exception",
            "index [a] blocked by: [FORBIDDEN/8/index write (api)];",
            "paused write_block",
        ),
        (
            403,
            "cluster_block_exception",
            "index [a] blocked by: [FORBIDDEN/5/index read-only (api)];",
            "paused write_block",
        ),
        (403, "security_exception", "action is unauthorized", "paused permission"),
        (401, "security_exception", "missing authentication credentials", "paused authentication"),
        (404, "index_not_found_exception", "no such index [a]", "paused not_found"),
        (404, "", "", "paused not_found"),
        (400, "index_closed_exception", "closed", "paused index_closed"),
        (400, "invalid_index_name_exception", "", "paused index_name"),
        (400, "illegal_argument_exception", "pipeline with id [x] does not exist", "paused pipeline"),
        (
            400,
            "illegal_argument_exception",
            "Limit of total fields [1000] has been exceeded",
            "rejected illegal_argument",
        ),
        (400, "mapper_parsing_exception", "failed to parse field [n] of type [long]", "rejected mapping"),
        (400, "document_parsing_exception", "[1:5] failed to parse", "rejected mapping"),
        (400, "strict_dynamic_mapping_exception", "", "rejected mapping"),
        (400, "something_new", "", "rejected bad_request"),
        (413, "", "", "rejected too_large"),
        (418, "", "", "paused unsupported"),
        (302, "", "", "paused unsupported"),
        (0, "", "", "paused unsupported"),
    ];

    #[test]
    fn every_answer_has_its_meaning() {
        for (status, kind, words, expected) in TABLE {
            assert_eq!(word(meaning(*status, kind, words)), *expected, "{status} {kind} {words}");
        }
    }

    #[test]
    fn only_a_success_or_a_known_id_counts_as_delivered() {
        for status in 0..=u16::MAX {
            for kind in ["", "version_conflict_engine_exception", "cluster_block_exception"] {
                let delivered = matches!(meaning(status, kind, ""), Meaning::Taken | Meaning::Known);
                let conflict = status == 409 && kind == "version_conflict_engine_exception";
                assert_eq!(delivered, (200..300).contains(&status) || conflict, "{status} {kind}");
            }
        }
    }

    #[test]
    fn values_are_left_out_of_words() {
        for (words, kept) in [
            (
                "failed to parse field [n] of type [long] in document with id '1'. Preview of field's value: 's3cret'",
                "failed to parse field [n] of type [long] in document with id '1'.",
            ),
            (
                "Document contains at least one immense term in field=\"a\". The prefix of the first immense term is: '[115]'",
                "Document contains at least one immense term in field=\"a\".",
            ),
            ("no such index [a]", "no such index [a]"),
        ] {
            assert_eq!(without_values(words), kept);
        }
    }
}
