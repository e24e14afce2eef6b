//! Each knob does what it says.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::time::{Duration, SystemTime};

use simulator::*;

use crate::client::{Client, escape};
use crate::support::{LOGS, error_name, ids_of, noon, noted, start};

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
