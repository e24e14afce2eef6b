//! What a status means for a delivery: one table, nothing that maps to dropping.
//!
//! Sources: RFC 9110 (section 15); RFC 6585 (428, 429, 431, 511); Standard Webhooks, "Operational considerations" (410
//! ends a subscription, 429 and 502–504 ask for a slower pace); for 409, the IETF draft on the `Idempotency-Key` header
//! (section 2.6: the first attempt is still being processed); for 520–530, Cloudflare's list of its own statuses.

/// What the keys of a sink are called, for sentences that say what to do.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Where it delivers to, e.g. `` `url` ``.
    pub url: &'static str,
    /// How it is known there, e.g. `` `auth` ``.
    pub credentials: &'static str,
    /// What its requests look like, e.g. `` `method` and `body` ``.
    pub request: &'static str,
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// The destination has it.
    Taken,
    /// It may take it later.
    Again,
    /// It takes less at once.
    TooLarge,
    /// It does not take this content. The word goes to [`pipeline::Reason::kind`].
    Content(&'static str),
    /// It does not take anything until a person acts.
    Paused {
        /// A stable word for metrics.
        reason: &'static str,
        /// What to do, in a sentence.
        remedy: String,
    },
}

/// The class of any status, known or not.
pub fn class(status: u16, keys: &Keys) -> Class {
    let Keys { url, credentials, request } = keys;
    match status {
        200..=299 => Class::Taken,
        300..=399 => paused("redirect", moved(keys)),
        400 => Class::Content("bad_request"),
        415 => Class::Content("media_type"),
        422 => Class::Content("unprocessable"),
        413 => Class::TooLarge,
        401 => paused(
            "authentication",
            format!(
                "correct {credentials}: the endpoint does not accept them; those from files are read again"
            ),
        ),
        402 => paused("payment", "the endpoint asks for payment: see to the account with it"),
        403 => paused(
            "permission",
            format!(
                "let the user of {credentials} write to this endpoint, and this machine's address through what guards it"
            ),
        ),
        404 => paused("not_found", format!("check the path of {url}: there is no endpoint")),
        405 | 501 => {
            paused("method", format!("the endpoint takes no such requests: check {url} and {request}"))
        }
        407 => paused(
            "proxy",
            "put the proxy's user and password into `proxy` as http://user:password@host:port",
        ),
        410 => paused(
            "gone",
            format!(
                "the endpoint is gone for good: remove this sink, or set {url} to what has taken its place"
            ),
        ),
        414 => paused("url_length", format!("shorten {url}: the endpoint does not take one as long")),
        421 => paused(
            "host",
            format!("check the host of {url}: the server that answers is not responsible for it"),
        ),
        431 => paused("header_length", "the endpoint does not take as long headers: shorten them"),
        451 => paused("legal", "the endpoint must not take events for legal reasons: ask its operator"),
        495 | 496 => paused(
            "tls",
            "set tls.cert_file and tls.key_file to a client certificate that the endpoint accepts",
        ),
        511 => paused("network_login", "log in to the network: its portal answers in the endpoint's place"),
        408 | 409 | 420 | 423 | 425 | 429 | 499 => Class::Again,
        505 | 506 | 510 => paused("unsupported", unsupported(keys)),
        500..=599 => Class::Again,
        _ => paused("unsupported", unsupported(keys)),
    }
}

fn paused(reason: &'static str, remedy: impl Into<String>) -> Class {
    Class::Paused { reason, remedy: remedy.into() }
}

fn unsupported(keys: &Keys) -> String {
    format!("compare {} and {} with what the endpoint's documentation asks for", keys.url, keys.request)
}

/// For redirects that are not followed.
pub(crate) fn moved(keys: &Keys) -> String {
    let url = keys.url;
    format!(
        "set {url} to the address that the endpoint has moved to: only redirects within its origin, with status 307 or \
         308, are followed"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every status that there is, told in words; what the table leaves out is `unsupported`.
    const TABLE: &[(&str, &[u16])] = &[
        ("taken", &[200, 201, 202, 203, 204, 205, 206, 207, 208, 226]),
        ("again", &[408, 409, 420, 423, 425, 429, 499]),
        (
            "again",
            &[500, 502, 503, 504, 507, 508, 509, 520, 521, 522, 523, 524, 525, 526, 527, 530, 598, 599],
        ),
        ("too large", &[413]),
        ("content bad_request", &[400]),
        ("content media_type", &[415]),
        ("content unprocessable", &[422]),
        ("paused redirect", &[300, 301, 302, 303, 304, 305, 307, 308]),
        ("paused authentication", &[401]),
        ("paused payment", &[402]),
        ("paused permission", &[403]),
        ("paused not_found", &[404]),
        ("paused method", &[405, 501]),
        ("paused proxy", &[407]),
        ("paused gone", &[410]),
        ("paused url_length", &[414]),
        ("paused host", &[421]),
        ("paused header_length", &[431]),
        ("paused legal", &[451]),
        ("paused tls", &[495, 496]),
        ("paused network_login", &[511]),
        ("paused unsupported", &[100, 101, 103, 406, 411, 412, 416, 417, 418, 424, 426, 428, 444, 494]),
        ("paused unsupported", &[505, 506, 510, 600, 999]),
    ];

    const KEYS: Keys = Keys { url: "`url`", credentials: "`auth`", request: "`method` and `body`" };

    fn words(status: u16) -> String {
        match class(status, &KEYS) {
            Class::Taken => "taken".to_owned(),
            Class::Again => "again".to_owned(),
            Class::TooLarge => "too large".to_owned(),
            Class::Content(kind) => format!("content {kind}"),
            Class::Paused { reason, .. } => format!("paused {reason}"),
        }
    }

    #[test]
    fn every_status_has_its_class() {
        for (expected, statuses) in TABLE {
            for status in *statuses {
                assert_eq!(words(*status), *expected, "{status}");
            }
        }
        // What is in no table: successes are successes, redirects are not followed, servers in trouble are asked again,
        // and everything else holds the events.
        for status in 0..=u16::MAX {
            if TABLE.iter().any(|(_, statuses)| statuses.contains(&status)) {
                continue;
            }
            let expected = match status / 100 {
                2 => "taken",
                3 => "paused redirect",
                5 => "again",
                _ => "paused unsupported",
            };
            assert_eq!(words(status), expected, "{status}");
        }
    }

    #[test]
    fn a_pause_says_what_to_do_in_one_sentence() {
        for status in 0..=999 {
            if let Class::Paused { reason, remedy } = class(status, &KEYS) {
                assert!(remedy.len() > 30 && !remedy.ends_with('.'), "{status}: {remedy}");
                assert!(reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{reason}");
            }
        }
    }

    proptest! {
        #[test]
        fn only_a_success_counts_as_delivered(status in 100u16..1000) {
            prop_assert_eq!(class(status, &KEYS) == Class::Taken, (200..300).contains(&status));
        }
    }
}
