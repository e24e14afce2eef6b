//! The simulated API over a real socket: the good one as documented, and each knob doing what it says.

#![allow(clippy::unwrap_used, reason = "what surprises a test fails it")]

mod client;

use std::collections::{BTreeSet, HashSet};
use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{Client, Failure, Page, Response, escape};
use simulator::*;

const LOGS: &str = "/audit/logs?limit=100";

/// 2026-11-20T12:00:00Z
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_176_000)
}

async fn start(events: usize, faults: Faults) -> (Postman, Client) {
    let builder = Postman::builder().seed(7).events(events).clock(noon()).faults(faults);
    let api = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let client = Client::new(&api);
    (api, client)
}

fn ids_of(api: &Postman) -> Vec<u64> {
    api.all_ids().iter().map(|id| id.parse().unwrap()).collect::<BTreeSet<_>>().into_iter().rev().collect()
}

/// The server has noted all that it has sent when it answers the next request of the connection.
fn noted(client: &mut Client) {
    drop(client.get("/me"));
}

fn error_name(response: &Response) -> String {
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    body["error"]["name"].as_str().or(body["title"].as_str()).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_good_api_is_the_documented_one() {
    let (api, mut client) = start(1000, Faults::none()).await;
    let all = ids_of(&api);
    assert_eq!(all.len(), 1000);

    let first = client.page("/audit/logs?limit=500");
    assert_eq!(first.ids(), all[..300], "newest first, 300 at most");
    assert_eq!(first.cursor, Some(all[300].to_string()), "the id of the next older record");
    let raw = client.get("/audit/logs?limit=500").unwrap();
    assert_eq!(raw.headers["content-type"], "application/json; charset=utf-8");
    assert!(raw.headers["date"].starts_with("Fri, 20 Nov 2026 12:0"), "{}", raw.headers["date"]);
    assert!(raw.body.ends_with(format!("],\"nextCursor\":{}}}", all[300]).as_bytes()), "a number");
    for record in first.values() {
        let time = record["timestamp"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with(".000Z"), "{time}");
    }

    assert_eq!(client.walk(LOGS), (all.clone(), 10));
    let mut rising = all.clone();
    rising.reverse();
    for order in ["orderBy", "order_by"] {
        assert_eq!(client.walk(&format!("{LOGS}&{order}=asc")), (rising.clone(), 10));
    }

    // One record per 604.8 s, so a day holds 142 or 143.
    let (day, _) = client.walk(&format!("{LOGS}&since=2026-11-15&until=2026-11-16T00:00:00.000Z"));
    assert!((142..=143).contains(&day.len()), "{}", day.len());
    let (logins, _) = client.walk(&format!("{LOGS}&action=user.login_sso_success"));
    assert!((50..300).contains(&logins.len()), "{}", logins.len());
    let (system, _) = client.walk(&format!("{LOGS}&userId=2"));
    assert!((5..100).contains(&system.len()), "{}", system.len());

    for (target, status, name) in [
        ("/audit/logs?action=login", 400, "InvalidAuditAction"),
        ("/audit/logs?since=yesterday", 400, "invalidParamsError"),
        ("/audit/logs?since=2025-11-20", 400, "invalidParamsError"),
        ("/audit/logs?cursor=nonsense", 400, "invalidCursorError"),
        ("/audit/log", 404, "instanceNotFoundError"),
    ] {
        let response = client.get(target).unwrap();
        assert_eq!((response.status, error_name(&response).as_str()), (status, name), "{target}");
    }
    let old = client.get("/audit/logs?since=2025-11-20").unwrap();
    assert!(String::from_utf8(old.body).unwrap().contains("cannot be older than"));

    let actions: serde_json::Value =
        serde_json::from_slice(&client.get("/audit-actions").unwrap().body).unwrap();
    assert!(actions.as_array().unwrap().len() > 80);
    assert_eq!(actions[0]["name"], "team.name_updated");
    assert_eq!(client.get("/me").unwrap().status, 200);

    for key in ["", "PMAK-wrong"] {
        client.key = key.to_owned();
        let response = client.get(LOGS).unwrap();
        assert_eq!(response.status, 401, "{key}");
    }
    api.rotate_key("PMAK-new");
    client.key = "PMAK-new".to_owned();
    assert_eq!(client.get(LOGS).unwrap().status, 200);
    api.refuse_key();
    assert_eq!(client.get(LOGS).unwrap().status, 401);

    let log = api.requests();
    assert_eq!(log[0].query, "limit=500");
    assert_eq!((log[0].key, log[0].status, log[0].records), (Some(true), 200, 300));
    assert_eq!(log.last().unwrap().key, Some(false));
    assert!(!format!("{log:?}").contains("PMAK"));
}

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

#[tokio::test(flavor = "multi_thread")]
async fn every_make_of_cursor_and_order_walks_through_everything() {
    let mut turns = [NextCursor::Absent, NextCursor::Null, NextCursor::InMeta].into_iter().cycle();
    for cursor in [Cursor::NextId, Cursor::NextIdText, Cursor::Opaque, Cursor::Date, Cursor::Offset] {
        for order in [Order::Id, Order::Time] {
            let next_cursor = turns.next().unwrap();
            let late = Late { share: 0.2, least: Duration::from_secs(60), most: Duration::from_secs(86_400) };
            let faults = Faults {
                cursor,
                order,
                next_cursor,
                late,
                ties: 0.5,
                crowded_second: 150,
                trailing_pages: 2,
                bound_cursors: true,
                ..Faults::none()
            };
            let (api, mut client) = start(500, faults).await;
            let all: BTreeSet<_> = ids_of(&api).into_iter().collect();
            let midnight = noon() - Duration::from_secs(36 * 3600);
            let in_day =
                |record: &Record| (midnight..=midnight + Duration::from_secs(86_400)).contains(&record.time);
            let day = api.all().into_iter().filter(in_day).map(|r| r.id.unwrap().parse().unwrap());
            let day: BTreeSet<u64> = day.collect();
            assert!(day.len() > 30, "{}", day.len());
            for direction in ["asc", "desc"] {
                let what = format!("{cursor:?} {order:?} {next_cursor:?} {direction}");
                let (ids, pages) = client.walk(&format!("{LOGS}&orderBy={direction}"));
                assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), all, "{what}");
                assert!(pages >= 5 + 2, "{what}: {pages} pages and two empty ones");
                assert!(cursor == Cursor::Date || ids.len() == all.len(), "{what}: nothing twice");
                let window = format!("{LOGS}&orderBy={direction}&since=2026-11-19&until=2026-11-20");
                let ids: BTreeSet<_> = client.walk(&window).0.into_iter().collect();
                assert_eq!(ids, day, "{what}: late records have their time and another place");
            }
            let first = client.get(LOGS).unwrap();
            let text = String::from_utf8(first.body).unwrap();
            let mark = match (next_cursor, cursor) {
                (NextCursor::InMeta, Cursor::NextId) => "\"meta\":{\"nextCursor\":5",
                (NextCursor::InMeta, _) => "\"meta\":{\"nextCursor\":\"",
                (_, Cursor::NextId) => "],\"nextCursor\":5",
                _ => "],\"nextCursor\":\"",
            };
            assert!(text.contains(mark), "{cursor:?} {next_cursor:?}");
            let end = client.page(&format!("{LOGS}&until=2000-01-01"));
            assert!(end.records.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_makes_of_api_differ_as_they_say() {
    let filter = Faults::none().time_filter;
    let edge = "2026-11-18T09:00:00Z";
    let count = async |faults: Faults, query: &str| {
        let (api, mut client) = start(0, faults).await;
        for seconds in [-1, 0, 0, 1] {
            let time = UNIX_EPOCH + Duration::from_secs((1_794_992_400_i64 + seconds) as u64);
            api.add(time);
        }
        let response = client.get(&format!("{LOGS}&{query}")).unwrap();
        Page::read(&response.body).map_or(Err(response.status), |page| Ok(page.records.len()))
    };
    let exclusive = Faults { time_filter: TimeFilter { inclusive: false, ..filter }, ..Faults::none() };
    let days = Faults { time_filter: TimeFilter { cut_to_day: true, ..filter }, ..Faults::none() };
    let dates = Faults { time_filter: TimeFilter { dates_only: true, ..filter }, ..Faults::none() };
    let short = Faults { retention: Duration::from_secs(86_400), ..Faults::none() };
    let narrow = Faults {
        longest_window: Some((Duration::from_secs(3 * 86_400), Answer::Status(504))),
        ..Faults::none()
    };
    for (what, faults, query, expected) in [
        ("inclusive", Faults::none(), format!("since={edge}"), Ok(3)),
        ("inclusive", Faults::none(), format!("until={edge}"), Ok(3)),
        ("exclusive", exclusive.clone(), format!("since={edge}"), Ok(1)),
        ("exclusive", exclusive, format!("until={edge}"), Ok(1)),
        ("cut to day", days.clone(), format!("since={edge}"), Ok(4)),
        ("cut to day", days, format!("until={edge}"), Ok(0)),
        ("dates only", dates.clone(), format!("since={edge}"), Err(400)),
        ("dates only", dates, "since=2026-11-18".to_owned(), Ok(4)),
        ("retention", short.clone(), String::new(), Ok(0)),
        ("retention", short, format!("since={edge}"), Err(400)),
        ("window", narrow.clone(), "since=2026-11-10".to_owned(), Err(504)),
        ("window", narrow, "since=2026-11-18".to_owned(), Ok(4)),
        ("rights", Faults { access: Access::NoAdminRights, ..Faults::none() }, String::new(), Err(403)),
        ("region", Faults { access: Access::WrongRegion, ..Faults::none() }, String::new(), Err(403)),
        ("plan", Faults { access: Access::NoPlan, ..Faults::none() }, String::new(), Err(403)),
    ] {
        assert_eq!(count(faults, &query).await, expected, "{what} {query}");
    }

    let faults = Faults { largest_page: 20, action_list: false, ..Faults::none() };
    let (_api, mut client) = start(100, faults).await;
    assert_eq!(client.page(LOGS).records.len(), 20);
    assert_eq!(client.get("/audit-actions").unwrap().status, 403);

    let (api, mut client) = start(100, Faults { huge_ids: true, ..Faults::none() }).await;
    let ids = ids_of(&api);
    assert!(ids[..50].iter().all(|id| *id > 1 << 60) && ids[50..].iter().all(|id| *id < 1 << 40));
    let distinct: HashSet<_> = ids[..50].iter().map(|id| (*id as f64).to_bits()).collect();
    assert!(distinct.len() < 25, "neighbours are equal as floating-point numbers");
    assert_eq!(client.walk("/audit/logs?limit=7").0, ids);

    let faults = Faults { bound_cursors: true, ..Faults::none() };
    let (_api, mut client) = start(300, faults).await;
    let cursor = client.page(&format!("{LOGS}&since=2026-11-01")).cursor.unwrap();
    assert_eq!(client.get(&format!("{LOGS}&cursor={cursor}")).unwrap().status, 400, "without its filter");
    assert_eq!(client.page(&format!("{LOGS}&since=2026-11-01&cursor={cursor}")).records.len(), 100);

    let faults = Faults { cursor_lifetime: Some(Duration::from_millis(50)), ..Faults::none() };
    let (_api, mut client) = start(300, faults).await;
    let cursor = client.page(LOGS).cursor.unwrap();
    assert_eq!(client.page(&format!("{LOGS}&cursor={cursor}")).records.len(), 100);
    tokio::time::sleep(Duration::from_millis(80)).await;
    assert_eq!(client.get(&format!("{LOGS}&cursor={cursor}")).unwrap().status, 400, "expired");

    let faults = Faults { trailing_pages: u32::MAX, ..Faults::none() };
    let (_api, mut client) = start(10, faults).await;
    let mut cursors = HashSet::new();
    let mut page = client.page(LOGS);
    for _ in 0..50 {
        let cursor = page.cursor.expect("it never ends");
        page = client.page(&format!("{LOGS}&cursor={cursor}"));
        assert!(page.records.is_empty() && cursors.insert(cursor), "always a fresh cursor");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_meet_with_what_the_knobs_say() {
    let times = |api: &Postman| -> Vec<SystemTime> { api.all().iter().map(|record| record.time).collect() };

    let (api, _) = start(1000, Faults { ties: 0.5, crowded_second: 350, ..Faults::none() }).await;
    let times_of = times(&api);
    let ties = times_of.windows(2).filter(|two| two[0] == two[1]).count();
    assert!((600..750).contains(&ties), "{ties}");
    let most = times_of.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap();
    assert!(most >= 350, "{most}: more than a page");

    // Live arrivals: late ones get a new id or one among older records; others are dated ahead.
    let late = Late { share: 0.5, least: Duration::from_secs(3600), most: Duration::from_secs(7200) };
    let (api, mut client) = start(1000, Faults { late, future: 0.5, ..Faults::none() }).await;
    let before = api.all_ids();
    api.set_rate(100_000.0);
    while api.stats().events < 3000 {
        client.page("/audit/logs?limit=1");
    }
    api.set_rate(0.0);
    let top = before.iter().map(|id| id.parse::<u64>().unwrap()).max().unwrap();
    let arrived: Vec<_> =
        api.all().into_iter().filter(|r| !before.contains(r.id.as_ref().unwrap())).collect();
    let is_late = |record: &&Record| record.time < noon() - Duration::from_secs(3000);
    let in_place = |record: &&Record| record.id.as_ref().unwrap().parse::<u64>().unwrap() < top;
    let late = arrived.iter().filter(is_late).count() as f64 / arrived.len() as f64;
    assert!((0.4..0.6).contains(&late), "{late}");
    assert!(arrived.iter().filter(in_place).count() > 20, "ids among older ones");
    assert!(arrived.iter().filter(in_place).all(|record| is_late(&record)));
    let future = arrived.iter().filter(|record| record.time > noon() + Duration::from_secs(50)).count();
    let future = future as f64 / arrived.len() as f64;
    assert!((0.2..0.3).contains(&future), "half of those that are not late: {future}");

    // Between two pages of a walk, records come in; a walk by ids is not shifted, one by numbers is.
    for (cursor, twice) in [(Cursor::NextId, false), (Cursor::Offset, true)] {
        let (_api, mut client) = start(300, Faults { bursts: 1.0, cursor, ..Faults::none() }).await;
        let first = client.page(LOGS);
        let cursor = escape(first.cursor.as_deref().unwrap());
        let second = client.page(&format!("{LOGS}&cursor={cursor}"));
        assert_eq!(first.ids().last() <= second.ids().first(), twice, "{cursor}");
        assert!(client.page(LOGS).ids()[0] > first.ids()[0]);
    }

    let (api, mut client) = start(300, Faults { edits: 1.0, ..Faults::none() }).await;
    api.set_rate(1e6);
    while api.stats().events < 600 {
        client.page("/audit/logs?limit=1");
    }
    let edited = api.all().iter().filter(|record| record.versions[0].revision > 0).count();
    assert!(edited > 50, "{edited}");

    let (api, mut client) = start(300, Faults { odd_records: 1.0, ..Faults::none() }).await;
    let page = client.page("/audit/logs?limit=300");
    assert_eq!(page.records.len(), 300, "each one is JSON by its grammar");
    assert!(page.records.iter().any(|record| !record.contains("\"action\"")));
    assert!(page.records.iter().any(|record| record.contains("yesterday")));
    assert!(page.records.iter().any(|record| record.contains("\\ud83d surrogate")));
    assert!(api.all().iter().any(|record| record.id.is_none()));

    let (_api, mut client) = start(10, Faults { latency: Duration::from_millis(60), ..Faults::none() }).await;
    let asked = std::time::Instant::now();
    client.page(LOGS);
    assert!(asked.elapsed() >= Duration::from_millis(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_outages_are_kept_and_announced() {
    let per = Duration::from_secs(3600);
    let headers = Some(RateLimitHeaders::RateLimit);
    let faults = Faults { rate_limit: Some(RateLimit { requests: 2, per, headers }), ..Faults::none() };
    let (api, mut client) = start(10, faults).await;
    for left in ["remaining=1", "remaining=0"] {
        let response = client.get(LOGS).unwrap();
        assert_eq!(response.status, 200);
        assert!(response.headers["ratelimit"].contains(left), "{}", response.headers["ratelimit"]);
    }
    let refused = client.get("/audit-actions").unwrap();
    assert_eq!(refused.status, 429, "one budget for all addresses");
    assert!(refused.headers["ratelimit"].starts_with("limit=2, remaining=0, reset=3"));
    assert_eq!(api.stats().answers["limited"], 1);

    let rotating =
        Faults { rate_limit: Some(RateLimit { requests: 0, per, headers: None }), ..Faults::none() };
    let (_api, mut client) = start(10, rotating).await;
    let mut dialects = BTreeSet::new();
    for _ in 0..9 {
        let response = client.get(LOGS).unwrap();
        assert_eq!(response.status, 429);
        let mut names: Vec<_> = response.headers.keys().filter(|name| name.contains("r")).cloned().collect();
        names.extend(response.headers.get("x-ratelimit-reset").map(|reset| reset.len().to_string()));
        names.extend(response.headers.get("retry-after").map(|after| after.contains("GMT").to_string()));
        dialects.insert(names);
    }
    assert_eq!(dialects.len(), 9);

    let quota = MonthlyQuota { requests: 1, month: per };
    let (_api, mut client) = start(10, Faults { monthly_quota: Some(quota), ..Faults::none() }).await;
    assert_eq!(client.get(LOGS).unwrap().headers["ratelimit-remaining-month"], "0");
    assert_eq!(error_name(&client.get(LOGS).unwrap()), "serviceLimitExhausted");

    let times = (Duration::from_millis(150), Duration::from_millis(75));
    let outage = Outage { every: times.0, lasts: times.1, answer: Answer::Status(401) };
    let (_api, mut client) = start(10, Faults { outages: vec![outage], ..Faults::none() }).await;
    let mut statuses = vec![200];
    while statuses.len() < 5 {
        let status = client.get(LOGS).unwrap().status;
        if statuses.last() != Some(&status) {
            statuses.push(status);
        }
    }
    assert_eq!(statuses, [200, 401, 200, 401, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_where_a_key_is_noticed() {
    let (api, mut client) = start(10, Faults::none()).await;
    api.script([Answer::Redirect]);
    let location = client.get(LOGS).unwrap().headers["location"].clone();
    let address = location.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    for key in ["", "PMAK-x"] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let key = if key.is_empty() { String::new() } else { format!("X-API-Key: {key}\r\n") };
        let request = format!("GET /audit/logs HTTP/1.1\r\nHost: x\r\n{key}Connection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("<!DOCTYPE html>"), "{answer}");
    }
    let stats = api.stats();
    assert_eq!((stats.requests_elsewhere, stats.keys_elsewhere), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_seeds_give_equal_answers() {
    let seen = async |seed: u64| {
        let mut faults = Faults::hostile();
        // Answers that depend on the moment of asking, or keep the test waiting.
        (faults.flips, faults.bursts, faults.outages, faults.rate_limit) = (None, 0.0, Vec::new(), None);
        faults.answers.retain(|(answer, _)| !matches!(answer, Answer::Oversized(_) | Answer::Hang(_)));
        let builder = Postman::builder().seed(seed).events(2000).clock(noon()).faults(faults);
        let api = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let mut client = Client::new(&api);
        client.timeout = Duration::from_millis(200);
        for _ in 0..60 {
            drop(client.get("/audit/logs?limit=50&since=2026-11-15"));
        }
        let answers: Vec<_> = api.requests().into_iter().map(|r| (r.answers, r.status, r.records)).collect();
        let records: Vec<_> = api.all().into_iter().take(2000).map(|r| (r.id, r.versions)).collect();
        (answers, records)
    };
    let (a, b, other) = (seen(3).await, seen(3).await, seen(4).await);
    assert_eq!(a.0, b.0);
    assert!(a.1 == b.1, "equal records");
    assert_ne!(a.0, other.0);
    assert!(a.1 != other.1);

    // New records depend on when they were due, not on when somebody looks.
    let arrivals = async |pause: u64| {
        let faults = Faults { ties: 0.3, odd_records: 0.2, ..Faults::none() };
        let builder = Postman::builder().seed(5).events(10).rate(2000.0).clock(noon()).faults(faults);
        let api = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        while api.all().len() < 400 {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        api.all().into_iter().take(400).collect::<Vec<_>>()
    };
    assert!(arrivals(1).await == arrivals(70).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_at_one_place_ends() {
    let always = |answer: Answer| Faults { answers: vec![(answer, 1.0)], persistence: 3, ..Faults::none() };
    let (_api, mut client) = start(1000, always(Answer::Status(500))).await;
    let statuses: Vec<_> = (0..8).map(|_| client.get(LOGS).unwrap().status).collect();
    assert_eq!(statuses, [500, 500, 500, 200, 500, 500, 500, 200]);

    let (api, mut client) = start(1000, always(Answer::ExpiredCursor)).await;
    let cursor = client.page(LOGS).cursor.unwrap();
    let statuses: Vec<_> =
        (0..4).map(|_| client.get(&format!("{LOGS}&cursor={cursor}")).unwrap().status).collect();
    assert_eq!(statuses, [400, 404, 200, 200], "two of a walk");
    assert_eq!(client.walk(LOGS).0, ids_of(&api));

    for answer in [Answer::EmptyPage, Answer::RepeatedCursor] {
        for cursor in [Cursor::NextId, Cursor::Opaque, Cursor::Date, Cursor::Offset] {
            let (api, mut client) = start(300, Faults { cursor, ..always(answer.clone()) }).await;
            let mut ids = BTreeSet::new();
            let (mut cursor, mut pages) = (None, 0);
            loop {
                let target =
                    cursor.as_deref().map_or(LOGS.to_owned(), |c| format!("{LOGS}&cursor={}", escape(c)));
                let page = client.page(&target);
                pages += 1;
                ids.extend(page.ids());
                assert!(answer != Answer::EmptyPage || page.cursor != cursor, "led on");
                if page.cursor.is_none() {
                    break;
                }
                cursor = page.cursor;
                assert!(pages < 50, "{answer:?} {cursor:?}");
            }
            assert!(pages > 3 && ids.len() == 300, "{answer:?}: {pages} pages, {} records", ids.len());
            noted(&mut client);
            assert_eq!(api.shown_ids().len(), 300);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oracle_knows_exactly_what_was_shown() {
    let (api, mut client) = start(1000, Faults { flips: None, ..Faults::none() }).await;
    assert!(api.shown().is_empty());
    let page = client.page(LOGS);
    noted(&mut client);
    let shown = api.shown();
    assert_eq!(shown.len(), 100);
    let texts: BTreeSet<_> = page.records.iter().map(|text| text.clone().into_bytes()).collect();
    let known: BTreeSet<_> = shown.iter().map(|record| record.versions[0].text.clone()).collect();
    assert_eq!(texts, known, "the exact bytes");

    // A client that goes away in the middle of a body has not been shown the page.
    let second = format!("{LOGS}&cursor={}", page.cursor.as_deref().unwrap());
    api.script([Answer::Slow(Duration::from_secs(1))]);
    client.timeout = Duration::from_millis(300);
    assert_eq!(client.get(&second).unwrap_err(), Failure::TimedOut);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(api.shown_ids().len(), 100);
    client.timeout = Duration::from_secs(10);

    // Records that move while they are on their way are recognised.
    api.script([Answer::Slow(Duration::from_millis(400))]);
    let walking = std::thread::spawn(move || (client.page(&second).ids(), client));
    tokio::time::sleep(Duration::from_millis(150)).await;
    for _ in 0..3 {
        let old = noon() - Duration::from_secs(6 * 86_400);
        assert!(api.add_in_place(old) < page.ids()[99], "before those of the page");
    }
    let (ids, mut client) = walking.join().unwrap();
    noted(&mut client);
    let shown: BTreeSet<u64> = api.shown_ids().iter().map(|id| id.parse().unwrap()).collect();
    assert!(shown.len() == 200 && ids.iter().all(|id| shown.contains(id)), "{}", shown.len());

    // A changed record has two revisions, a flipped one two texts of one revision.
    let id = page.records[0].split(['"', ':', ',']).find_map(|part| part.parse::<u64>().ok()).unwrap();
    assert!(api.edit(id));
    let again = client.page("/audit/logs?limit=1");
    assert!(again.records[0].contains("(corrected, revision 1)"));
    noted(&mut client);
    let record = api.shown().into_iter().find(|record| record.id == Some(id.to_string())).unwrap();
    let revisions: Vec<_> = record.versions.iter().map(|version| version.revision).collect();
    assert_eq!(revisions, [0, 1]);
    assert_eq!(record.versions[1].text, again.records[0].as_bytes());

    api.set_faults(Faults { flips: Some(Duration::from_millis(100)), ..Faults::none() });
    for _ in 0..20 {
        client.page(LOGS);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    noted(&mut client);
    let flipped = api.shown().into_iter().filter(|record| record.versions.len() == 2).collect::<Vec<_>>();
    assert!(flipped.len() > 10, "{}", flipped.len());
    for record in flipped.iter().filter(|record| record.id != Some(id.to_string())) {
        assert_eq!(record.versions[0].revision, record.versions[1].revision);
        let text = |n: usize| String::from_utf8(record.versions[n].text.clone()).unwrap();
        let without = |n| text(n).replace("\"active\":false", "").replace("\"active\":true", "");
        assert!(text(0) != text(1) && without(0) == without(1), "{}", text(0));
    }

    // The same from outside.
    let lines = String::from_utf8(client.get("/_simulator/shown").unwrap().body).unwrap();
    let versions: usize = api.shown().iter().map(|record| record.versions.len()).sum();
    assert_eq!(lines.lines().count(), versions);
    let line: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let first = &api.shown()[0];
    assert_eq!(line["id"].as_str(), first.id.as_deref());
    assert_eq!(line["sha256"].as_str().unwrap(), first.versions[0].sha256());
    let all = String::from_utf8(client.get("/_simulator/all").unwrap().body).unwrap();
    assert_eq!(all.lines().count(), 1003);
    let stats: serde_json::Value =
        serde_json::from_slice(&client.get("/_simulator/stats").unwrap().body).unwrap();
    assert_eq!((&stats["events"], &stats["shown"]), (&1003.into(), &api.stats().shown.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_can_add_what_they_need() {
    let (api, mut client) = start(100, Faults::none()).await;
    let hour = Duration::from_secs(3600);
    let on_top = api.add(noon() - 30 * hour);
    let in_place = api.add_in_place(noon() - 30 * hour);
    assert_eq!(client.page("/audit/logs?limit=1").ids(), [on_top]);
    let ids = client.walk(LOGS).0;
    assert!(ids.contains(&in_place) && in_place < ids[1], "among older ones");
    let text = "{ \"id\" : 999999999, \"surprise\":[1.0e5] }";
    api.add_text(999_999_999, noon(), text);
    assert_eq!(client.page(LOGS).records[0], text);
    api.shutdown().await;
    assert_eq!(client.get(LOGS).unwrap_err(), Failure::ClosedBeforeAnswer);
    assert_eq!(client.get(LOGS).unwrap_err(), Failure::Refused);
}

/// The least that a collector must do to get everything: ask again after whatever is not a page, begin a window again when
/// its cursor is refused, never believe an empty page that has a cursor, and sweep twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_correct_collector_gets_everything_whatever_happens() {
    let mut names = BTreeSet::new();
    for seed in 0..6 {
        let mut faults = if seed == 0 { Faults::hostile() } else { Faults::swarm(seed) };
        let short = Duration::from_millis(80);
        for (answer, probability) in &mut faults.answers {
            *probability = probability.max(0.03);
            match answer {
                Answer::Hang(time) | Answer::Stalled(time) | Answer::Slow(time) => *time = short,
                Answer::Oversized(bytes) => *bytes = 5 << 20,
                Answer::GzipBomb(bytes) => *bytes = 16 << 20,
                _ => {}
            }
        }
        faults.rate_limit = None;
        let span = Duration::from_secs(3 * 86_400);
        let builder =
            Postman::builder().seed(seed).events(1500).span(span).clock(noon()).faults(faults.clone());
        let api = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let mut client = Client::new(&api);
        client.timeout = Duration::from_millis(60);
        client.accept_gzip = true;
        let mut delivered = HashSet::new();
        for sweep in 0..2 {
            if sweep == 1 {
                // What came in during the first sweep is still to be found; nothing more comes.
                api.set_faults(Faults { bursts: 0.0, edits: 0.0, flips: None, ..faults.clone() });
            }
            for day in 16..=20 {
                let until =
                    if day == 20 { String::new() } else { format!("&until=2026-11-{}T00:00:01Z", day + 1) };
                let before = day - 1;
                collect(
                    &mut client,
                    &format!("/audit/logs?limit=100&since=2026-11-{before}T23:59:59Z{until}"),
                    &mut delivered,
                );
            }
        }
        let missing: Vec<_> = api
            .all()
            .into_iter()
            .filter(|record| !record.versions.iter().any(|version| delivered.contains(&version.text)))
            .collect();
        assert!(missing.is_empty(), "seed {seed}: {} of {}: {missing:?}", missing.len(), api.all().len());
        noted(&mut client);
        let shown: usize = api.shown().iter().map(|record| record.versions.len()).sum();
        assert_eq!(shown, delivered.len(), "seed {seed}: what was shown is what was read");
        assert_eq!(api.stats().keys_elsewhere, 0);
        names.extend(api.stats().answers.into_keys());
    }
    for (answer, _) in Faults::hostile().answers {
        assert!(names.contains(answer.name()), "{} never happened", answer.name());
    }
}

fn collect(client: &mut Client, window: &str, delivered: &mut HashSet<Vec<u8>>) {
    let mut cursor: Option<String> = None;
    for _ in 0..2000 {
        let target = match &cursor {
            Some(cursor) => format!("{window}&cursor={}", escape(cursor)),
            None => window.to_owned(),
        };
        let Ok(mut response) = client.get(&target) else { continue };
        if cursor.is_some() && matches!(response.status, 400 | 404 | 410) {
            cursor = None;
            continue;
        }
        if response.headers.contains_key("content-encoding") {
            let mut plain = Vec::new();
            let decoder = flate2::read::GzDecoder::new(&*response.body);
            if decoder.take(4 << 20).read_to_end(&mut plain).is_err() {
                continue;
            }
            response.body = plain;
        }
        let page = Some(response).filter(|response| response.status == 200);
        let Some(page) = page.and_then(|response| Page::read(&response.body)) else { continue };
        if page.cursor.is_some() && page.cursor == cursor {
            continue;
        }
        delivered.extend(page.records.into_iter().map(String::into_bytes));
        cursor = page.cursor;
        if cursor.is_none() {
            return;
        }
    }
    panic!("the window does not end: {window}");
}

#[test]
fn faults_describe_themselves_and_are_named() {
    let hostile: Faults = "hostile".parse().unwrap();
    let knobs = hostile.describe();
    let names: BTreeSet<_> = knobs.iter().map(|knob| knob.name).collect();
    assert_eq!(names.len(), knobs.len(), "each name once");
    assert!(names.len() > 60, "{}", names.len());
    assert!(knobs.iter().all(|knob| !knob.setting.is_empty() && !knob.meaning.is_empty()));
    assert_eq!("default".parse(), Ok(Faults::bad_day()));
    assert_eq!("none".parse(), Ok(Faults::none()));
    assert_eq!("nasty".parse::<Faults>(), Err(UnknownFaults));
}

#[tokio::test]
async fn the_command_starts_with_its_options() {
    let api = run(Options { events: 50, rate: 0.0, seed: 3, ..Options::default() }).await.unwrap();
    assert!(api.url().starts_with("http://127.0.0.1:"));
    assert_eq!(api.all_ids().len(), 50);
    assert_eq!(api.key().len(), "PMAK-".len() + 24 + 1 + 34);
}
