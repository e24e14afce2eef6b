//! Answers that are no success.

use std::time::{Duration, SystemTime};

use pipeline::SinkError;
use proptest::prelude::*;
use serde_json::json;

use crate::receiver::{Protocol, Receiver, Reply};
use crate::{all_words, deliver, sink, words};

fn refuse(status: u16) -> Reply {
    Reply::Refuse(status, vec![], format!("no: {status}"))
}

/// What a batch, a single event of a batch form, and a single event of the form `json` come to.
const TABLE: &[(u16, &str, &str)] = &[
    (200, "taken", "taken"),
    (204, "taken", "taken"),
    (304, "paused redirect", "paused redirect"),
    (400, "rejected bad_request", "rejected bad_request"),
    (401, "paused authentication", "paused authentication"),
    (403, "paused permission", "paused permission"),
    (404, "paused not_found", "paused not_found"),
    (405, "paused method", "paused method"),
    (407, "paused proxy", "paused proxy"),
    (408, "transient", "transient"),
    (410, "paused gone", "paused gone"),
    (413, "too large", "rejected too_large"),
    (415, "rejected media_type", "rejected media_type"),
    (422, "rejected unprocessable", "rejected unprocessable"),
    (425, "transient", "transient"),
    (429, "transient", "transient"),
    (500, "transient", "transient"),
    (502, "transient", "transient"),
    (503, "transient", "transient"),
    (504, "transient", "transient"),
    (522, "transient", "transient"),
];

#[tokio::test]
async fn each_class_of_status_says_what_comes_next() {
    for (status, batch, single) in TABLE {
        let receiver = Receiver::start(Protocol::default(), vec![refuse(*status), refuse(*status)]).await;
        let sink = sink(&json!({"url": receiver.url()}));
        assert_eq!(words(&deliver(&sink, &[1, 2]).await), *batch, "{status}");
        assert_eq!(words(&deliver(&sink, &[3]).await), *single, "{status}");
        assert_eq!(receiver.deliveries().len(), 2);
        // Nothing of it stays: the next write is taken.
        assert_eq!(words(&deliver(&sink, &[4]).await), "taken", "{status}");
    }
}

#[test]
fn only_a_success_is_one_whatever_the_status() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let receiver = runtime.block_on(Receiver::start(Protocol::default(), vec![]));
    let sink = sink(&json!({"url": receiver.url()}));
    proptest!(ProptestConfig::with_cases(300), |(status in 200u16..1000)| {
        // Without a body, which 204, 205 and 304 must not have.
        receiver.reply(vec![Reply::Refuse(status, vec![], String::new())]);
        let result = runtime.block_on(deliver(&sink, &[1, 2]));
        prop_assert_eq!(result.is_ok(), (200..300).contains(&status), "{}", words(&result));
    });
}

#[tokio::test]
async fn the_endpoint_says_how_long_to_wait() {
    let date = |seconds| httpdate(SystemTime::now() + Duration::from_secs(seconds));
    let bounded = |asked: &str| asked.to_owned();
    for (status, header, value, least, most) in [
        (429, "Retry-After", bounded("7"), 7, 7),
        (503, "Retry-After", bounded("0"), 0, 0),
        (503, "Retry-After", date(60), 57, 60),
        (503, "Retry-After", date(0), 0, 0),
        (503, "Retry-After", bounded("999999"), 900, 900),
        (503, "Retry-After", date(86_400), 900, 900),
        (429, "X-RateLimit-Reset", bounded("12"), 12, 12),
    ] {
        let reply = Reply::Refuse(status, vec![(header, value.clone())], String::new());
        let receiver = Receiver::start(Protocol::default(), vec![reply]).await;
        let sink = sink(&json!({"url": receiver.url()}));
        match deliver(&sink, &[1]).await {
            Err(SinkError::Transient { retry_after: Some(wait), .. }) => {
                assert!((least..=most).contains(&wait.as_secs()), "{value}: {wait:?}");
            }
            other => panic!("{value}: {other:?}"),
        }
    }
    for value in ["soon", "-1", ""] {
        let reply = Reply::Refuse(503, vec![("Retry-After", value.to_owned())], String::new());
        let receiver = Receiver::start(Protocol::default(), vec![reply]).await;
        let sink = sink(&json!({"url": receiver.url()}));
        assert_eq!(words(&deliver(&sink, &[1]).await), "transient", "{value}");
    }
}

/// A date of RFC 9110, section 5.6.7, from its definition.
fn httpdate(time: SystemTime) -> String {
    let second = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let text = pipeline::Timestamp::from_millis(second as i64 * 1000).to_string();
    let (date, clock) = text.split_once('T').unwrap();
    let month: usize = date[5..7].parse().unwrap();
    let names = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let day = days[(second / 86_400 % 7) as usize];
    format!("{day}, {} {} {} {} GMT", &date[8..], &names[3 * month - 3..3 * month], &date[..4], &clock[..8])
}

#[tokio::test]
async fn a_refusal_has_the_words_of_the_endpoint_on_one_line_without_secrets() {
    let (token, path) = ("t0ken-of-the-endpoint", "T0123456789ABCDEF");
    let body = format!(
        "bad\r\nevent \u{1b}[31m\u{202e}é {token}\u{7f} at /hooks/{path}?key=0123456789 {}",
        "x".repeat(20_000)
    );
    let auth = Some(("authorization", format!("Bearer {token}")));
    let protocol =
        Protocol { auth, target: "/hooks/T0123456789ABCDEF?key=0123456789", ..Protocol::default() };
    let refuse = |status| Reply::Refuse(status, vec![], body.clone());
    let receiver = Receiver::start(protocol, [400, 404, 503].map(refuse).to_vec()).await;
    let sink = sink(&json!({
        "url": format!("http://{}/hooks/{path}?key=0123456789", receiver.address), "auth": {"bearer": token},
    }));
    let Err(SinkError::Rejected { reason }) = deliver(&sink, &[1, 2]).await else { panic!("rejected") };
    let start = r"status 400: bad\r\nevent \u{1b}[31m\u{202e}é …\u{7f} at …?… xxx";
    assert!(reason.detail.starts_with(start), "{}", reason.detail);
    assert!(reason.detail.len() < 600);
    for _ in 0..2 {
        let text = all_words(&deliver(&sink, &[1, 2]).await.unwrap_err());
        assert!(text.contains(r"bad\r\nevent") || text.contains(r"bad\\r\\nevent"), "{text}");
        assert!(!text.contains(token) && !text.contains(path) && !text.contains("0123456789"), "{text}");
    }
}

#[tokio::test]
async fn a_refusal_of_which_the_body_is_no_text_is_one_all_the_same() {
    for body in ["", "\u{0}\u{0}", "   \n"] {
        let receiver =
            Receiver::start(Protocol::default(), vec![Reply::Refuse(422, vec![], body.to_owned())]).await;
        let sink = sink(&json!({"url": receiver.url()}));
        let Err(SinkError::Rejected { reason }) = deliver(&sink, &[1]).await else { panic!("rejected") };
        assert!(reason.detail.starts_with("status 422"), "{}", reason.detail);
        assert!(!reason.detail.contains('\u{0}'));
    }
}
