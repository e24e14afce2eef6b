//! Each spoiled answer is what it says.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::Duration;

use simulator::*;

use crate::client::{Failure, Page, Response};
use crate::support::{LOGS, ids_of, noted, start};

/// What a client sees of an answer in place of the second page.
type Sees = fn(&Result<Response, Failure>) -> bool;

fn page_of(seen: &Result<Response, Failure>) -> Option<Page> {
    seen.as_ref()
        .ok()
        .filter(|response| response.status == 200)
        .and_then(|response| Page::read(&response.body))
}

fn header<'a>(seen: &'a Result<Response, Failure>, name: &str) -> &'a str {
    seen.as_ref().ok().and_then(|response| response.headers.get(name)).map_or("", String::as_str)
}

fn body(seen: &Result<Response, Failure>) -> String {
    String::from_utf8_lossy(&seen.as_ref().unwrap().body).into_owned()
}

fn status(seen: &Result<Response, Failure>) -> u16 {
    seen.as_ref().map_or(0, |response| response.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_what_it_says() {
    let (api, mut client) = start(1000, Faults::none()).await;
    client.accept_gzip = true;
    client.timeout = Duration::from_millis(900);
    let first = client.page(LOGS);
    let second = format!("{LOGS}&cursor={}", first.cursor.as_deref().unwrap());
    let good = client.page(&second);
    let (before, expected, cursor) = (first.ids(), good.ids(), good.cursor.clone());
    let wait = Duration::from_secs(7);
    let hour = Duration::from_secs(3600);
    let long = Duration::from_secs(5);

    let keeps: [(Answer, Sees); 11] = [
        (Answer::Good, |seen| page_of(seen).is_some()),
        (Answer::Shuffled, |seen| !page_of(seen).unwrap().ids().is_sorted_by(|a, b| a > b)),
        (Answer::Repeated(7), |seen| page_of(seen).is_some()),
        (Answer::ShortPage, |seen| page_of(seen).unwrap().records.len() < 100),
        (Answer::LongPage, |seen| page_of(seen).unwrap().records.len() == 200),
        (Answer::Gzip, |seen| header(seen, "content-encoding") == "gzip"),
        (Answer::Slow(Duration::from_millis(300)), |seen| header(seen, "transfer-encoding") == "chunked"),
        (Answer::WrongContentType, |seen| header(seen, "content-type").starts_with("text/html")),
        (Answer::ClockFast(hour), |seen| header(seen, "date").contains(" 13:0")),
        (Answer::ClockSlow(hour), |seen| header(seen, "date").contains(" 11:0")),
        (Answer::NoDate, |seen| header(seen, "date").is_empty()),
    ];
    for (answer, sees) in keeps {
        assert!(!answer.spoils());
        api.script([answer.clone()]);
        let mut seen = client.get(&second);
        if answer == Answer::Gzip {
            let response = seen.as_mut().unwrap();
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&*response.body).read_to_end(&mut plain).unwrap();
            response.body = plain;
        }
        assert!(sees(&seen), "{}: {seen:?}", answer.name());
        let page = page_of(&seen).unwrap_or_else(|| panic!("{}", answer.name()));
        if answer == Answer::Repeated(7) {
            assert_eq!(page.ids()[..7], before[93..], "the last records of the page before");
            assert_eq!(page.ids()[7..], expected[..93]);
        } else if answer != Answer::ShortPage && answer != Answer::LongPage {
            let ids: BTreeSet<_> = page.ids().into_iter().collect();
            assert_eq!(ids, expected.iter().copied().collect(), "{}", answer.name());
            assert_eq!(page.cursor, cursor);
        } else {
            assert!(page.cursor.is_some() && page.cursor != cursor);
        }
        assert_eq!(api.requests().last().unwrap().answers, [answer.name()]);
    }

    noted(&mut client);
    let shown = api.shown_ids();
    let far = format!("{LOGS}&cursor={}", ids_of(&api)[700]);
    let spoils: Vec<(Answer, Sees)> = vec![
        (Answer::EmptyPage, |seen| page_of(seen).is_some_and(|p| p.records.is_empty() && p.cursor.is_some())),
        (Answer::RepeatedCursor, |seen| page_of(seen).is_some_and(|p| p.records.len() == 100)),
        (Answer::NoTrails, |seen| status(seen) == 200 && body(seen).starts_with("{\"nextCursor\":null")),
        (Answer::ErrorWithStatus200, |seen| status(seen) == 200 && body(seen).starts_with("{\"error\":")),
        (Answer::HtmlWithStatus200, |seen| status(seen) == 200 && body(seen).starts_with("<!DOCTYPE html>")),
        (Answer::NotUtf8, |seen| String::from_utf8(seen.as_ref().unwrap().body.clone()).is_err()),
        (Answer::Truncated, |seen| status(seen) == 200 && page_of(seen).is_none()),
        (Answer::GzipBomb(64 << 20), |seen| {
            seen.as_ref().unwrap().body.len() < 200_000 && header(seen, "content-encoding") == "gzip"
        }),
        (Answer::Oversized(5 << 20), |seen| matches!(seen, Err(Failure::TooLarge))),
        (Answer::Status(500), |seen| status(seen) == 500),
        (Answer::Status(403), |seen| status(seen) == 403 && body(seen).contains("ForbiddenRequest")),
        (Answer::QuotaExhausted, |seen| status(seen) == 429 && body(seen).contains("serviceLimitExhausted")),
        (Answer::OlderThanRetention, |seen| {
            status(seen) == 400 && body(seen).contains("cannot be older than")
        }),
        (Answer::ExpiredCursor, |seen| status(seen) == 400),
        (Answer::ExpiredCursor, |seen| status(seen) == 404),
        (Answer::ExpiredCursor, |seen| status(seen) == 410),
        (Answer::Redirect, |seen| status(seen) == 301 && header(seen, "location").starts_with("http://127.")),
        (Answer::Redirect, |seen| status(seen) == 302),
        (Answer::Reset, |seen| matches!(seen, Err(Failure::Reset))),
        (Answer::Closed, |seen| matches!(seen, Err(Failure::ClosedBeforeAnswer))),
        (Answer::Cut, |seen| matches!(seen, Err(Failure::ClosedInBody))),
        (Answer::Stalled(long), |seen| matches!(seen, Err(Failure::TimedOut))),
        (Answer::Hang(long), |seen| matches!(seen, Err(Failure::TimedOut))),
        (Answer::TooManyRequests(RateLimitHeaders::RetryAfterSeconds, wait), |seen| {
            status(seen) == 429 && header(seen, "retry-after") == "7"
        }),
        (Answer::TooManyRequests(RateLimitHeaders::RetryAfterDate, wait), |seen| {
            header(seen, "retry-after").starts_with("Fri, 20 Nov 2026 12:0")
        }),
        (Answer::TooManyRequests(RateLimitHeaders::RetryAfterOneWord, wait), |seen| {
            header(seen, "retryafter") == "7"
        }),
        (Answer::TooManyRequests(RateLimitHeaders::XRateLimitRetryAfter, wait), |seen| {
            header(seen, "x-ratelimit-retryafter") == "7"
        }),
        (Answer::TooManyRequests(RateLimitHeaders::RateLimit, wait), |seen| {
            header(seen, "ratelimit") == "limit=300, remaining=0, reset=7"
                && header(seen, "ratelimit-policy") == "300;w=60"
        }),
        (Answer::TooManyRequests(RateLimitHeaders::RateLimitTriple, wait), |seen| {
            header(seen, "ratelimit-remaining") == "0" && header(seen, "ratelimit-reset") == "7"
        }),
        (Answer::TooManyRequests(RateLimitHeaders::XRateLimitEpoch, wait), |seen| {
            header(seen, "x-ratelimit-reset").starts_with("179517")
        }),
        (Answer::TooManyRequests(RateLimitHeaders::XRateLimitDelta, wait), |seen| {
            header(seen, "x-ratelimit-reset") == "7"
        }),
        (Answer::TooManyRequests(RateLimitHeaders::Prose, wait), |seen| {
            body(seen).contains("Please retry at 179517") && header(seen, "retry-after").is_empty()
        }),
    ];
    for (answer, sees) in spoils {
        assert!(answer.spoils());
        api.script([answer.clone()]);
        let seen = client.get(&far);
        assert!(sees(&seen), "{}: {seen:?}", answer.name());
    }
    assert_eq!(api.shown_ids(), shown, "a spoiled page is never shown");
    assert_eq!(client.page(&far).records.len(), 100, "and what follows is good again");

    // The four ways round a cursor: an empty page leads on to the same records, a repeated one to itself.
    api.script([Answer::EmptyPage]);
    let empty = client.page(&second);
    let after = client.page(&format!("{LOGS}&cursor={}", empty.cursor.unwrap()));
    assert_eq!(after.ids(), expected);
    api.script([Answer::RepeatedCursor]);
    assert_eq!(client.page(&second).cursor, first.cursor);
}

#[tokio::test(flavor = "multi_thread")]
async fn server_errors_come_in_five_bodies() {
    let (api, mut client) = start(10, Faults::none()).await;
    let mut bodies = BTreeSet::new();
    api.script(vec![Answer::Status(503); 5]);
    for _ in 0..5 {
        let response = client.get(LOGS).unwrap();
        assert_eq!(response.status, 503);
        bodies.insert((response.headers["content-type"].clone(), response.body));
    }
    assert_eq!(bodies.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_expands_to_what_it_says() {
    let (api, mut client) = start(10, Faults::none()).await;
    client.accept_gzip = true;
    api.script([Answer::GzipBomb(8 << 20)]);
    let response = client.get(LOGS).unwrap();
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&*response.body).read_to_end(&mut plain).unwrap();
    assert_eq!(plain.len(), 8 << 20);
    assert!(response.body.len() < 20_000, "{}", response.body.len());

    client.accept_gzip = false;
    api.script([Answer::GzipBomb(8 << 20)]);
    assert_eq!(client.get(LOGS).unwrap_err(), Failure::TooLarge, "white space without gzip");
}
