//! The source against the simulated API: what it is given, it must hand out, whatever else happens.

use std::time::Duration;

use crate::driver::{Run, account, config, open, wiring};
use pipeline::{Next, Source, SourceError, Timestamp};
use simulator::{
    Access, Answer, Cursor, Faults, MonthlyQuota, NextCursor, Postman, RateLimitHeaders, TimeFilter,
};
use source_postman::{Account, Wiring};
use testkit::line;

async fn api(faults: Faults, events: usize) -> Postman {
    let builder = Postman::builder().seed(7).events(events).faults(faults);
    builder.start(([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// What became of a call, in a word or two.
fn word(next: &Result<Next, SourceError>) -> String {
    match next {
        Ok(Next::Page { .. }) => "page".to_owned(),
        Ok(Next::Learnt(_)) => "learnt".to_owned(),
        Ok(Next::Wait(wait)) => format!("wait {}", wait.duration.as_secs_f64().ceil()),
        Err(SourceError::Transient { retry_after: None, .. }) => "transient".to_owned(),
        Err(SourceError::Transient { retry_after: Some(wait), .. }) => {
            format!("transient {}", wait.as_secs_f64().ceil())
        }
        Err(SourceError::Paused { reason, .. }) => format!("paused {reason}"),
        Err(SourceError::PositionLost(_)) => "position lost".to_owned(),
        Err(SourceError::Fatal { .. }) => "fatal".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn each_answer_has_its_consequence_and_none_loses_a_record() {
    use RateLimitHeaders as Dialect;
    let second = Duration::from_secs(1);
    let too_many = |dialect| Answer::TooManyRequests(dialect, 7 * second);
    let table = [
        (Answer::Good, "page"),
        (Answer::Shuffled, "page"),
        (Answer::Repeated(3), "page"),
        (Answer::ShortPage, "page"),
        (Answer::LongPage, "page"),
        (Answer::Gzip, "page"),
        (Answer::Slow(second), "page"),
        (Answer::WrongContentType, "page"),
        (Answer::ClockFast(5000 * second), "page"),
        (Answer::ClockSlow(5000 * second), "page"),
        (Answer::NoDate, "page"),
        (Answer::NotUtf8, "page"),
        (Answer::EmptyPage, "page"),
        (Answer::NoTrails, "transient"),
        (Answer::ErrorWithStatus200, "transient"),
        (Answer::HtmlWithStatus200, "transient"),
        (Answer::Truncated, "transient"),
        (Answer::GzipBomb(1 << 22), "transient"),
        (Answer::Oversized(1 << 22), "transient"),
        (Answer::Status(400), "wait 0"),
        (Answer::Status(401), "paused authentication"),
        (Answer::Status(403), "paused permission"),
        (Answer::Status(404), "paused request"),
        (Answer::Status(408), "transient"),
        (Answer::Status(409), "paused request"),
        (Answer::Status(410), "paused request"),
        (Answer::Status(429), "wait 5"),
        (Answer::Status(500), "transient"),
        (Answer::Status(502), "transient"),
        (Answer::Status(503), "transient"),
        (Answer::Status(504), "transient"),
        (too_many(Dialect::RetryAfterSeconds), "wait 7"),
        (too_many(Dialect::RetryAfterDate), "wait 7"),
        (too_many(Dialect::RetryAfterOneWord), "wait 7"),
        (too_many(Dialect::XRateLimitRetryAfter), "wait 7"),
        (too_many(Dialect::RateLimit), "wait 7"),
        (too_many(Dialect::RateLimitTriple), "wait 7"),
        (too_many(Dialect::XRateLimitEpoch), "wait 7"),
        (too_many(Dialect::XRateLimitDelta), "wait 7"),
        // Counted from the `Date`, which has no fractions.
        (too_many(Dialect::Prose), "wait 8"),
        (Answer::QuotaExhausted, "paused monthly_quota"),
        (Answer::OlderThanRetention, "wait 1"),
        (Answer::Redirect, "paused redirect"),
        (Answer::Reset, "transient"),
        (Answer::Closed, "transient"),
        (Answer::Cut, "transient"),
        (Answer::Stalled(500 * second), "transient"),
        (Answer::Hang(500 * second), "transient"),
    ];
    for (answer, expected) in table {
        let minutes = Duration::from_secs(600);
        let api =
            Postman::builder().events(310).span(minutes).start(([127, 0, 0, 1], 0).into()).await.unwrap();
        api.script([answer.clone()]);
        let mut run = open(&api, r#", "start": "8d""#).await;
        let next = run.next().await;
        assert_eq!(word(&next), expected, "{answer:?}: {:?}", run.errors);
        if let Err(error) = &next {
            assert!(!format!("{} {error:?}", line(error)).contains(&api.key()[5..]), "{error:?}");
        }
        run.catch_up().await;
        assert_eq!(run.ids, api.all_ids(), "{answer:?}");
        assert_eq!(api.stats().keys_elsewhere, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_cursor_starts_its_window_over() {
    let api = api(Faults::none(), 2000).await;
    let mut run = open(&api, r#", "start": "30d""#).await;
    while run.ids.len() < 600 {
        run.next().await.unwrap();
    }
    for status in [400, 404, 410] {
        api.script([Answer::Status(status)]);
        // A walk that was set back may rest until the others had their turn.
        while let Ok(Next::Wait(wait)) = run.next().await {
            tokio::time::sleep(wait.duration).await;
        }
        assert!(
            run.errors.last().unwrap().contains(&format!("Postman answers {status}")),
            "{:?}",
            run.errors
        );
        assert!(run.source.status().walks.iter().any(|walk| walk.contains("started over")), "{status}");
        run.next().await.unwrap();
    }
    run.catch_up().await;
    assert_eq!(run.ids, api.all_ids());
    assert_eq!(run.records, 2000, "what was read before is dropped as known");
}

#[tokio::test(start_paused = true)]
async fn every_make_of_api_is_collected_whole() {
    let makes = [
        Faults { cursor: Cursor::NextIdText, next_cursor: NextCursor::Null, ..Faults::none() },
        Faults { cursor: Cursor::Opaque, next_cursor: NextCursor::InMeta, ..Faults::none() },
        Faults { cursor: Cursor::Date, ties: 0.5, ..Faults::none() },
        Faults { huge_ids: true, bound_cursors: true, trailing_pages: 3, ..Faults::none() },
        Faults { odd_records: 0.3, crowded_second: 700, edits: 0.1, ..Faults::none() },
        Faults { largest_page: 7, ..Faults::none() },
        Faults {
            time_filter: TimeFilter { cut_to_day: true, dates_only: true, inclusive: true },
            ..Faults::none()
        },
        Faults {
            time_filter: TimeFilter { cut_to_day: true, dates_only: true, inclusive: false },
            ..Faults::none()
        },
        Faults { retention: Duration::from_secs(178 * 86_400), ..Faults::none() },
        Faults { retention: Duration::from_secs(3 * 86_400), ..Faults::none() },
        Faults {
            longest_window: Some((Duration::from_secs(5 * 86_400), Answer::Status(504))),
            ..Faults::none()
        },
    ];
    for faults in makes {
        let api = api(faults.clone(), 800).await;
        let mut run = open(&api, r#", "requests_per_minute": 6000"#).await;
        run.catch_up().await;
        let in_a_gap = |time| {
            let time = Timestamp::from_system(time);
            run.gaps.iter().any(|gap| (gap.from..=gap.to).contains(&time))
        };
        let all = api.all();
        let missing = all.iter().filter(|record| record.id.as_ref().is_some_and(|id| !run.ids.contains(id)));
        let (said, lost): (Vec<_>, Vec<_>) = missing.partition(|record| in_a_gap(record.time));
        assert_eq!(lost.len(), 0, "{faults:?} {:?}", run.errors);
        // Where the history begins is found out to the hour or two.
        assert!(said.len() < 20, "{} of {} left out", said.len(), all.len());
        // A date has to be the day before the oldest moment, which is not kept any more.
        let short = faults.retention < Duration::from_secs(180 * 86_400) || faults.time_filter.dates_only;
        assert_eq!(!run.gaps.is_empty(), short, "{:?}", run.gaps);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hostile_api_loses_nothing() {
    // Outages and hanging connections take real time; the table has them.
    let slow = |answer: &Answer| matches!(answer, Answer::Stalled(_) | Answer::Hang(_) | Answer::Slow(_));
    let mut faults = Faults { outages: vec![], rate_limit: None, ..Faults::hostile() };
    faults.answers.retain(|(answer, _)| !slow(answer));
    for (answer, _) in &mut faults.answers {
        if matches!(answer, Answer::GzipBomb(_) | Answer::Oversized(_)) {
            *answer = Answer::Oversized(4 << 20);
        }
    }
    let api = api(faults, 2500).await;
    let mut run = open(&api, r#", "requests_per_minute": 6000"#).await;
    run.catch_up().await;
    let missing: Vec<_> = api.shown_ids().difference(&run.ids).cloned().collect();
    assert_eq!(missing, [""; 0]);
    assert!(run.errors.len() > 3, "it was not hostile: {:?}", api.stats());
    assert!(run.errors.iter().all(|error| !error.contains(&api.key()[5..])));
    assert_eq!(api.stats().keys_elsewhere, 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_pauses_says_what_to_do_and_heals_with_its_file() {
    let api = api(Faults::none(), 10).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "PMAK-wrong\n").unwrap();
    let mut config = config(&api, "");
    config.api_key = settings::Secret::from_file(String::new(), file.clone(), String::new(), "PMAK-wrong");
    let account = Account::new(config.validate().unwrap(), wiring());
    let mut run = Run::open(account, None).await.unwrap();
    for _ in 0..2 {
        let error = run.next().await.unwrap_err();
        let SourceError::Paused { reason: "authentication", remedy, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(remedy.contains("`api_key`") && remedy.contains("https://api.eu.postman.com"), "{remedy}");
        assert!(line(&error).contains("Postman answers 401"), "{}", line(&error));
    }
    // An empty file, as some tools leave it for a moment, changes nothing.
    std::fs::write(&file, "").unwrap();
    assert_eq!(word(&run.next().await), "paused authentication");
    std::fs::write(&file, format!("{}\n", api.key())).unwrap();
    assert_eq!(word(&run.next().await), "page", "the first probe uses the corrected key");
    run.catch_up().await;
    assert_eq!(run.ids.len(), 10);

    // A rotation while it runs: the new key stands in the file already, so nobody has to do anything.
    api.rotate_key("PMAK-next");
    std::fs::write(&file, "PMAK-next").unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(word(&run.next().await), "wait 0");
    assert_eq!(word(&run.next().await), "page");
}

#[tokio::test(start_paused = true)]
async fn rights_plan_and_region_are_told_apart() {
    for (access, reason, advice) in [
        (Access::NoAdminRights, "permission", "Team Admin"),
        (Access::WrongRegion, "plan", "region"),
        (Access::NoPlan, "plan", "Enterprise"),
    ] {
        let api = api(Faults { access, ..Faults::none() }, 10).await;
        let mut run = open(&api, "").await;
        let Err(SourceError::Paused { reason: word, remedy, .. }) = run.next().await else {
            panic!("{access:?}")
        };
        assert_eq!(word, reason, "{access:?}: {:?}", run.errors);
        assert!(remedy.contains(advice), "{remedy}");
        api.set_faults(Faults::none());
        run.catch_up().await;
        assert_eq!(run.ids.len(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_used_up_month_pauses_for_an_hour_and_asks_no_more_meanwhile() {
    let quota = MonthlyQuota { requests: 2, month: Duration::from_secs(30 * 86_400) };
    let api = api(Faults { monthly_quota: Some(quota), ..Faults::none() }, 2000).await;
    let mut run = open(&api, "").await;
    let paused = loop {
        match run.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let SourceError::Paused { reason: "monthly_quota", retry_after: Some(wait), .. } = paused else {
        panic!()
    };
    assert!(wait > Duration::from_secs(3500), "{wait:?}");
    let asked = api.requests().len();
    assert_eq!(word(&run.next().await), "paused monthly_quota");
    assert_eq!(api.requests().len(), asked);
    tokio::time::sleep(Duration::from_secs(3601)).await;
    api.set_faults(Faults::none());
    run.catch_up().await;
    assert_eq!(run.ids.len(), 2000);

    // Said by the body alone.
    api.script([Answer::QuotaExhausted]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(word(&run.next().await), "paused monthly_quota");
    let asked = api.requests().len();
    assert_eq!(word(&run.next().await), "paused monthly_quota");
    assert_eq!(api.requests().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn pages_fit_the_cap_or_become_smaller() {
    let api = Postman::builder()
        .seed(7)
        .events(500)
        .record_bytes(3000)
        .start(([127, 0, 0, 1], 0).into())
        .await
        .unwrap();
    let account = account(&api, r#", "start": "20d""#, Wiring { page_bytes: 100_000, ..wiring() });
    let mut run = Run::open(account, None).await.unwrap();
    run.catch_up().await;
    assert_eq!(run.ids, api.all_ids());
    let limits: Vec<String> = api
        .requests()
        .iter()
        .filter_map(|request| Some(request.query.split_once("limit=")?.1.split('&').next()?.to_owned()))
        .collect();
    assert_eq!(limits[0], "97", "what fits the cap at a KiB a record");
    assert!(limits.contains(&"48".to_owned()) && limits.contains(&"24".to_owned()), "{limits:?}");
    assert!(run.errors.len() < 40, "{:?}", run.errors);
}

#[tokio::test(start_paused = true)]
async fn one_record_larger_than_the_cap_is_said_and_stops_nothing_else() {
    let api = api(Faults::none(), 0).await;
    let now = std::time::SystemTime::now();
    let huge = format!(
        r#"{{"id": 500000001, "timestamp": "2026-01-01T00:00:00.000Z", "message": "{}"}}"#,
        "x".repeat(50_000)
    );
    api.add_text(500_000_001, now - Duration::from_secs(3600), &huge);
    for n in 0..30 {
        api.add(now - Duration::from_secs(60 + n));
    }
    let account = account(&api, "", Wiring { page_bytes: 20_000, ..wiring() });
    let mut run = Run::open(account, None).await.unwrap();
    for _ in 0..200 {
        match run.next().await {
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration.max(Duration::from_millis(1))).await,
            Ok(Next::Page { .. } | Next::Learnt(_)) => {}
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
    assert_eq!(run.ids.len(), 30, "the live tail goes on");
    assert!(run.errors.iter().any(|error| error.contains("raise `limits.in_flight`")), "{:?}", run.errors);
    assert!(
        run.source.status().walks.iter().any(|walk| walk.contains("history")),
        "{:?}",
        run.source.status()
    );
}

#[tokio::test(start_paused = true)]
async fn another_teams_key_is_refused_before_anything_is_handed_out() {
    let api = api(Faults::none(), 0).await;
    let team = |id: u64, team: &str| {
        let now = std::time::SystemTime::now();
        let text = format!(
            r#"{{"id": {id}, "timestamp": "2026-11-20T10:00:00.000Z", "data": {{"team": {{"id": {team}}}}}}}"#
        );
        api.add_text(id, now, &text);
    };
    team(1, "77");
    let account = account(&api, "", wiring());
    let mut run = Run::open(account.clone(), None).await.unwrap();
    run.catch_up().await;
    let position = run.progress.unwrap().position;
    assert!(position.as_str().contains("77"), "{position}");
    drop(api);

    let other = Postman::builder().seed(9).events(50).start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let mut run = Run::open(crate::driver::account(&other, "", wiring()), Some(position)).await.unwrap();
    let error = loop {
        match run.next().await {
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
            Ok(Next::Page { batch, .. }) => assert!(batch.is_empty()),
            Ok(Next::Learnt(_)) => {}
            Err(error) => break error,
        }
    };
    let SourceError::Fatal { remedy, .. } = &error else { panic!("{error:?}") };
    assert!(remedy.contains("towpath checkpoint reset postman"), "{remedy}");
    assert!(line(&error).contains("tenant 77"), "{}", line(&error));
    assert_eq!(run.records, 0);
}

#[tokio::test(start_paused = true)]
async fn the_list_of_actions_is_read_after_the_first_page_and_each_day() {
    let api = api(Faults::none(), 10).await;
    let names = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = names.clone();
    let action_names =
        std::sync::Arc::new(move |list: &[(String, String)]| told.lock().unwrap().push(list.to_vec()));
    let account = account(&api, "", Wiring { action_names, ..wiring() });
    let mut run = Run::open(account.clone(), None).await.unwrap();
    run.next().await.unwrap();
    assert_eq!(names.lock().unwrap().len(), 0);
    run.catch_up().await;
    assert_eq!(names.lock().unwrap().len(), 1);
    assert!(names.lock().unwrap()[0].iter().any(|(name, shown)| name.contains('.') && !shown.is_empty()));
    let lists = || api.requests().iter().filter(|request| request.path == "/audit-actions").count();
    assert_eq!(lists(), 1);
    // A restart of the stream does not ask again; a day does; and no list is no failure.
    let mut again = Run::open(account, None).await.unwrap();
    again.catch_up().await;
    assert_eq!(lists(), 1);
    api.set_faults(Faults { action_list: false, ..Faults::none() });
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    again.next().await.unwrap();
    assert_eq!((lists(), again.errors.len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn requests_look_as_documented() {
    let api = api(Faults::none(), 1000).await;
    let mut run = open(&api, r#", "start": "10d""#).await;
    run.catch_up().await;
    let pages: Vec<_> = api.requests().into_iter().filter(|request| request.path == "/audit/logs").collect();
    assert!(pages[0].query.starts_with("limit=300&orderBy=desc&since=20"), "{}", pages[0].query);
    assert!(!pages[0].query.contains("until"), "never on the live tail: {}", pages[0].query);
    let walk: Vec<_> = pages.iter().filter(|request| request.query.contains("until=")).collect();
    assert!(walk.len() > 3);
    for pair in walk.windows(2).filter(|pair| pair[1].query.contains("cursor=")) {
        let filters = |query: &str| query.split("&cursor=").next().unwrap().to_owned();
        assert_eq!(filters(&pair[0].query), filters(&pair[1].query));
    }
    assert!(pages.iter().all(|request| request.key == Some(true) && !request.query.contains("PMAK")));
    let status = run.source.status();
    assert_eq!((status.requests as usize, status.duplicates > 0), (api.requests().len(), true), "{status:?}");
    assert!(status.complete_until.is_some() && status.walks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn check_says_what_it_saw_and_what_to_do() {
    let check = async |api: &Postman, more: &str| account_check(api, more).await;
    let api_with = async |faults, events| api(faults, events).await;
    let api = api_with(Faults::none(), 10).await;
    let words = check(&api, "").await.unwrap();
    assert!(words.contains("accepts the key of team ") && words.contains("newest entry is of 20"), "{words}");
    assert_eq!((api.requests().len(), api.requests()[0].records), (1, 1), "one smallest request");
    assert!(
        check(&api, r#", "start": "400d""#).await.unwrap().contains("`start` is before what Postman keeps")
    );
    api.script([Answer::ClockSlow(Duration::from_secs(630))]);
    assert!(check(&api, "").await.unwrap().contains("clock is 10 minutes ahead of Postman's"));
    let dates = TimeFilter { cut_to_day: true, dates_only: true, inclusive: true };
    assert!(check(&api_with(Faults { time_filter: dates, ..Faults::none() }, 9).await, "").await.is_ok());
    let empty = check(&api_with(Faults::none(), 0).await, "").await.unwrap();
    assert!(empty.contains("no entry of the last 30 days yet"), "{empty}");
    api.refuse_key();
    let error = check(&api, "").await.unwrap_err();
    assert!(line(&error).contains("put a valid key into `api_key`"), "{}", line(&error));
}

async fn account_check(api: &Postman, more: &str) -> Result<String, SourceError> {
    source_postman::PostmanSource::new("postman", account(api, more, wiring())).check().await
}

#[tokio::test(start_paused = true)]
async fn tls_and_proxy_of_the_configuration_are_used() {
    let config = |more: &str| {
        let config = format!(r#"{{"api_key": "PMAK-1", "url": "https://127.0.0.1:1"{more}}}"#);
        let config: source_postman::PostmanConfig = serde_json::from_str(&config).unwrap();
        Account::new(config.validate().unwrap(), wiring())
    };
    let mut run = Run::open(config(r#", "tls": {"ca_file": "/no/such/ca.pem"}"#), None).await.unwrap();
    assert_eq!(word(&run.next().await), "paused setup");
    assert!(run.errors[0].contains("/no/such/ca.pem"), "{:?}", run.errors);
    let mut run = Run::open(config(r#", "proxy": "http://user:s3cret@127.0.0.1:2""#), None).await.unwrap();
    assert_eq!(word(&run.next().await), "transient");
    assert!(run.errors[0].contains("no connection to http://127.0.0.1:2: "), "{:?}", run.errors);
    assert!(!run.errors[0].contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn sources_with_one_key_share_its_limit_and_take_turns() {
    let second = Duration::from_secs(1);
    let api = api(Faults { latency: second, ..Faults::none() }, 100).await;
    let wiring = wiring();
    let run = async |more| Run::open(account(&api, more, wiring.clone()), None).await.unwrap();
    let mut first = run(r#", "requests_per_minute": 9"#).await;
    let mut second_run = run(r#", "requests_per_minute": 6"#).await;
    let began = tokio::time::Instant::now();
    let (one, other) = tokio::join!(first.next(), second_run.next());
    assert_eq!((word(&one), word(&other)), ("page".to_owned(), "page".to_owned()));
    assert!(began.elapsed() >= 2 * second, "one request at a time: {:?}", began.elapsed());
    for _ in 0..20 {
        tokio::join!(first.next(), second_run.next()).0.unwrap();
    }
    assert!(began.elapsed() < 30 * second, "within the minute");
    assert_eq!(api.requests().len(), 6, "the lower ceiling holds for both");

    // Another key has a budget of its own.
    let mut stranger = config(&api, "");
    stranger.api_key = settings::Secret::new("PMAK-another".to_owned());
    let stranger = Account::new(stranger.validate().unwrap(), wiring.clone());
    assert_eq!(word(&Run::open(stranger, None).await.unwrap().next().await), "paused authentication");
    // What goes together only by chance does not wait for one another.
    let mut alone = Run::open(account(&api, "", crate::driver::wiring()), None).await.unwrap();
    assert_eq!(word(&alone.next().await), "page");
}
