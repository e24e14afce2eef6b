use rdkafka::error::RDKafkaErrorCode;
use rdkafka::types::RDKafkaRespErr;

use super::*;

/// Every code that Kafka's table of errors has for producers and their connections, told in words.
const TABLE: &[(&str, &[i32])] = &[
    ("too large", &[10, 18]),
    ("content message_size", &[4]),
    ("content policy", &[44]),
    ("content invalid_record", &[87]),
    ("paused authentication", &[-169, 33, 34, 58, 66, 93]),
    ("paused tls", &[-181]),
    ("paused permission", &[29, 31, 53]),
    ("paused not_found", &[-190, -188, 3, 17]),
    ("paused clock", &[32]),
    ("paused compression", &[76]),
    // The client's own: transport, time-outs, purges, the end of a session, a full queue.
    (
        "again",
        &[
            -196, -195, -193, -192, -187, -185, -184, -172, -166, -153, -152, -151, -150, -148, -144, -138,
            -137,
        ],
    ),
    // Retriable by Kafka's table.
    (
        "again",
        &[-1, 2, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 60, 72, 74, 75, 77, 78, 80, 83, 89],
    ),
    // A session that is over; the next producer has another.
    ("again", &[45, 46, 47, 49, 57, 59, 90]),
    ("paused unsupported", &[12, 21, 22, 25, 27, 30, 35, 40, 42, 43, 48, 50, 54, 61, 87 + 4]),
];

fn words(code: RDKafkaErrorCode) -> String {
    match class(code) {
        Class::Again => "again".to_owned(),
        Class::TooLarge => "too large".to_owned(),
        Class::Content(kind) => format!("content {kind}"),
        Class::Paused { reason, .. } => format!("paused {reason}"),
    }
}

fn code(number: i32) -> Option<RDKafkaErrorCode> {
    RDKafkaRespErr::try_from(number).ok().map(RDKafkaErrorCode::from)
}

#[test]
fn every_code_has_its_class() {
    for (expected, numbers) in TABLE {
        for number in *numbers {
            let code = code(*number).unwrap_or_else(|| panic!("librdkafka has no code {number}"));
            assert_eq!(words(code), *expected, "{number} {code}");
        }
    }
}

#[test]
fn a_pause_says_what_to_do_in_one_sentence() {
    let mut seen = 0;
    for code in (-200..200).filter_map(code) {
        seen += 1;
        if let Class::Paused { reason, remedy } = class(code) {
            assert!(
                remedy.len() > 30 && !remedy.ends_with('.') && !remedy.contains("  "),
                "{code}: {remedy}"
            );
            assert!(remedy.contains('`'), "the remedy names no key: {remedy}");
            assert!(reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{reason}");
        }
    }
    assert!(seen > 150, "{seen} codes");
}
