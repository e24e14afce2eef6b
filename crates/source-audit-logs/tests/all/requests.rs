//! What is sent.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{Next, Position, Source, SourceError};
use serde_json::{Value, json};
use simulator::log::{Edges, Fault, Log, Meaning, Said, TimeFormat};
use testkit::line;

use crate::apis;
use crate::driver::Nothing;

#[tokio::test(start_paused = true)]
async fn requests_are_made_as_described() {
    for (kind, first, second) in [
        (
            apis::cursor(),
            "limit=100&sort=created_at%3Adesc&created_at_min=…",
            "limit=100&sort=created_at%3Adesc&created_at_min=…&created_at_max=…&cursor=…",
        ),
        (
            apis::link(),
            "per_page=100&pagination=keyset&sort=asc&created_after=…",
            "created_after=…&created_before=…&pagination=keyset&per_page=100&sort=asc&after=…",
        ),
        (
            apis::page(),
            "page%5Bsize%5D=1000&since=…&page%5Bnumber%5D=1",
            "page%5Bsize%5D=1000&since=…&page%5Bnumber%5D=2",
        ),
        (apis::offset(), "limit=1000&from=…", "limit=1000&from=…&to=…&offset=…"),
        (apis::feed(), r#"{"limit":1000,"start_time":"…"}"#, r#"{"cursor":"…"}"#),
        (apis::days(), "page_size=300&from=…&to=…", "page_size=300&from=…&to=…&next_page_token=…"),
    ] {
        let mut manner = kind.manner.clone();
        (manner.size.usual, manner.size.given) = (5, 5);
        let api = Log::start(manner, 4000).await.unwrap();
        let mut source = kind.source(&kind.config(&api));
        source.open(None, Arc::new(Nothing)).await.unwrap();
        for _ in 0..20 {
            source.next().await.unwrap();
        }
        let varies = [
            "created_at_min",
            "created_at_max",
            "cursor",
            "created_after",
            "created_before",
            "after",
            "since",
            "offset",
            "from",
            "to",
            "next_page_token",
        ];
        let shape = |asked: &String| {
            if asked.starts_with('{') {
                let mut body: Value = serde_json::from_str(asked).unwrap();
                for member in ["start_time", "cursor"] {
                    if body.get(member).is_some() {
                        body[member] = "…".into();
                    }
                }
                return body.to_string();
            }
            let pairs = asked.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) if varies.contains(&name) => format!("{name}=…"),
                _ => pair.to_owned(),
            });
            pairs.collect::<Vec<_>>().join("&")
        };
        let asked: Vec<String> = api.asked().iter().map(shape).collect();
        assert_eq!(asked[0], first, "{}", kind.name);
        assert!(asked.iter().any(|asked| asked == second), "{}: {asked:#?}", kind.name);
    }
}

/// What an API that is slow to settle has not finished is not asked for.
#[tokio::test(start_paused = true)]
async fn what_is_not_settled_is_left_for_later() {
    let mut kind = apis::cursor();
    kind.description["time_filter"]["settle"] = "2m".into();
    kind.description["time_filter"]["granularity"] = "second".into();
    let api = Log::start(kind.manner.clone(), 10).await.unwrap();
    let mut source = kind.source(&kind.config(&api));
    source.open(None, Arc::new(Nothing)).await.unwrap();
    source.next().await.unwrap();
    let asked = api.asked()[0].clone();
    let until = asked.split('&').find_map(|pair| pair.strip_prefix("created_at_max=")).unwrap();
    let until = pipeline::Timestamp::read(&until.replace("%3A", ":")).unwrap();
    let now = pipeline::Timestamp::from_system(std::time::SystemTime::now());
    assert!((110..=130).contains(&now.since(until).as_secs()), "{until} {now}");
    assert!(
        source
            .status()
            .complete_until
            .is_some_and(|complete| now.since(complete) >= Duration::from_secs(115))
    );
}

/// An API that takes dates only.
fn of_dates() -> apis::Kind {
    let mut kind = apis::cursor();
    for edge in [&mut kind.manner.since, &mut kind.manner.until].into_iter().flatten() {
        edge.format = TimeFormat::Date;
    }
    kind.manner.edges = Edges::EXCLUSIVE_DAYS;
    kind
}

/// Whoever comes with the form that was found, and with a cursor that is not known any more, is not misled about either, though
/// each process lives for one request: what it was told is in the position.
#[tokio::test(start_paused = true)]
async fn processes_that_live_for_one_request_find_the_form_once() {
    let mut kind = of_dates();
    kind.manner.size.given = 20;
    kind.manner.said.push((Meaning::Cursor, Said::new(400, "no such cursor")));
    let api = Log::start(kind.manner.clone(), 300).await.unwrap();
    let mut config = kind.config(&api);
    config["time_filter"]["since"]["format"] = json!(["rfc3339_ms", "date"]);
    config["time_filter"]["until"]["format"] = json!(["rfc3339_ms", "date"]);
    let (mut saved, mut ids, mut lost) = (None, std::collections::BTreeSet::new(), 0);
    for life in 0.. {
        assert!(life < 150, "{saved:?}");
        let has_cursor = |saved: &Position| saved.as_str().contains("\"cursor\":\"");
        if let Some(position) = saved.as_ref().filter(|saved| life > 4 && lost < 3 && has_cursor(saved)) {
            api.script(Fault::Said(Meaning::Cursor));
            lost += 1;
            // As it was saved before forms were.
            let mut json: Value = serde_json::from_str(position.as_str()).unwrap();
            json.as_object_mut().unwrap().remove("form");
            saved = Some(Position::from_json(&json.to_string()).unwrap());
        }
        let mut source = kind.source(&config);
        source.open(saved.clone(), Arc::new(Nothing)).await.unwrap();
        match source.next().await {
            Ok(Next::Page { batch, progress }) => {
                ids.extend(batch.records.iter().map(|record| record.id));
                saved = Some(progress.position);
            }
            Ok(Next::Learnt(progress)) => saved = Some(progress.position),
            Ok(Next::Wait(wait)) => panic!("a process that has asked for nothing waits {wait:?}"),
            Err(error) => panic!("what it was told is not saved: {error:?}"),
        }
        if ids.len() == 300 {
            break;
        }
    }
    assert_eq!(lost, 3);
    // Once at first, and three times twice: the form that was forgotten, with the cursor and without.
    let refused = api.asked().iter().filter(|asked| asked.contains("T")).count();
    assert!(refused <= 7, "it is kept: {refused} of {:?}", api.asked());
}

/// The API takes dates only; that is found out by asking.
#[tokio::test(start_paused = true)]
async fn another_form_is_tried_where_the_api_refuses_one() {
    let kind = of_dates();
    let api = Log::start(kind.manner.clone(), 300).await.unwrap();
    for (format, tried) in [(json!(["rfc3339_ms", "date"]), true), (json!("rfc3339_ms"), false)] {
        let mut config = kind.config(&api);
        config["time_filter"]["since"]["format"] = format.clone();
        config["time_filter"]["until"]["format"] = format;
        let mut source = kind.source(&config);
        source.open(None, Arc::new(Nothing)).await.unwrap();
        let first = source.next().await;
        if !tried {
            let Err(SourceError::Paused { reason: "request", .. }) = first else { panic!("{first:?}") };
            assert!(line(&first.unwrap_err()).contains("is written in another way"));
            continue;
        }
        assert!(matches!(first, Ok(Next::Learnt(_))), "the next process need not find it out again");
        let first = source.next().await;
        assert!(matches!(first, Ok(Next::Wait(wait)) if wait.duration.is_zero()), "it is tried at once");
        let mut ids = std::collections::BTreeSet::new();
        loop {
            match source.next().await.unwrap() {
                Next::Page { batch, .. } => ids.extend(batch.records.iter().map(|record| record.id)),
                Next::Wait(wait) if wait.caught_up => break,
                Next::Wait(wait) => tokio::time::sleep(wait.duration).await,
                Next::Learnt(_) => {}
            }
        }
        assert_eq!(ids.len(), 300);
        let refused = api.asked().iter().filter(|asked| asked.contains("T")).count();
        assert_eq!(refused, 1, "it is kept: {:?}", api.asked());
    }
}
