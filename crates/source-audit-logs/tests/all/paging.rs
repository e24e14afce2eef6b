//! Paging that goes nowhere, or elsewhere, and APIs that have none.

use std::sync::Arc;
use std::time::Duration;

use pipeline::{Next, Source};
use serde_json::json;
use simulator::log::{Log, Manner, Order, Paging, Shape, Size, TimeFormat};
use testkit::line;

use crate::apis;
use crate::driver::{Nothing, set};

#[tokio::test(start_paused = true)]
async fn paging_that_goes_nowhere_is_told_and_what_was_read_is_handed_out() {
    let kind = apis::cursor();
    let api = Log::start(kind.manner.clone(), 300).await.unwrap();
    let mut config = kind.config(&api);
    // The first parameter of the answer leads to the same page for ever.
    set(&mut config, "paging.cursor.to", json!({"query": "ignored"}));
    set(&mut config, "start", json!("3d"));
    let mut source = kind.source(&config);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let (mut records, mut told) = (0, Vec::new());
    for _ in 0..60 {
        match source.next().await {
            Ok(Next::Page { batch, .. }) => records += batch.records.len(),
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
            Ok(Next::Learnt(_)) => {}
            Err(error) => told.push(line(&error)),
        }
    }
    assert!(records > 0);
    let expected = "source failed for the moment: the next page is the same as the one before it: the API does not heed what \
                    `paging.cursor` sends it; its window is read again";
    assert!(told.iter().any(|told| told == expected), "{told:?}");
    // The same where what leads on is the same, too.
    let mut config = kind.config(&api);
    set(&mut config, "paging.cursor.from", json!("circle"));
    set(&mut config, "start", json!("3d"));
    api.add_member("circle", "4711");
    let mut source = kind.source(&config);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..10 {
        match source.next().await {
            Ok(Next::Page { .. }) => {}
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
            Ok(Next::Learnt(_)) => {}
            Err(error) => told.push(line(&error)),
        }
    }
    let expected = "source failed for the moment: paging goes round in a circle: what `paging.cursor` finds was found before in this \
                    walk; its window is read again";
    assert!(told.iter().any(|told| told == expected), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_next_url_elsewhere_gets_no_credential() {
    let mut kind = apis::next_url();
    kind.manner.size = Size { given: 10, ..kind.manner.size };
    let (api, other) = (
        Log::start(kind.manner.clone(), 100).await.unwrap(),
        Log::start(kind.manner.clone(), 0).await.unwrap(),
    );
    let mut config = kind.config(&api);
    set(&mut config, "paging.next_url.from", json!("elsewhere"));
    api.add_member("elsewhere", &format!("{}/__api__/v1/audit_logs?after=1", other.url()));
    let mut source = kind.source(&config);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let error = line(&source.next().await.unwrap_err());
    assert!(
        error.contains(&format!(
            "`paging.next_url` leads to {}, but credentials go to {} only",
            other.url(),
            api.url()
        )),
        "{error}"
    );
    assert_eq!(other.requests(), 0);
}

/// The API has no paging; what a page has not is asked for by moving the edge.
#[tokio::test(start_paused = true)]
async fn a_window_without_paging_is_walked_by_its_edge() {
    for (order, name) in [(Order::NewestFirst, "newest_first"), (Order::OldestFirst, "oldest_first")] {
        let manner = Manner {
            paging: Paging::Bound,
            order,
            shape: Shape::new("createdAt", TimeFormat::EpochMillis),
            // Some records share a second, which an edge leaves out.
            edges: simulator::log::Edges::EXCLUSIVE,
            records: simulator::log::Records { crowded: 5, ..Default::default() },
            ..Manner::default()
        };
        let mut kind = apis::cursor();
        kind.manner = manner;
        kind.description["paging"] =
            json!({"bound": {}, "page_size": {"to": {"query": "limit"}, "size": 20}});
        kind.description["time"] = "createdAt".into();
        kind.description["order"] = name.into();
        kind.description["time_filter"]["granularity"] = "second".into();
        let api = Log::start(kind.manner.clone(), 300).await.unwrap();
        let mut source = kind.source(&kind.config(&api));
        source.open(None, Arc::new(Nothing)).await.unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..200 {
            match source.next().await.unwrap() {
                Next::Page { batch, .. } => ids.extend(batch.records.iter().map(|record| record.id)),
                Next::Wait(wait) if wait.caught_up => break,
                Next::Wait(wait) => tokio::time::sleep(wait.duration).await,
                Next::Learnt(_) => {}
            }
        }
        assert_eq!(ids.len(), 300, "{name}");
        // More records in one second than a page holds cannot be told apart by an edge: that is said, and nothing is skipped. Also
        // where the API gives fewer than it is asked for.
        for (asked, given) in [(20, 100), (100, 15)] {
            let records = simulator::log::Records { crowded: 40, ..Default::default() };
            let size = Size { given, ..Size::new("limit", 50, 100) };
            let crowded = Manner { records, size, ..kind.manner.clone() };
            kind.description["paging"]["page_size"]["size"] = asked.into();
            let api = Log::start(crowded, 300).await.unwrap();
            let mut source = kind.source(&kind.config(&api));
            source.open(None, Arc::new(Nothing)).await.unwrap();
            let mut told = String::new();
            for _ in 0..60 {
                match source.next().await {
                    Err(error) => {
                        told = line(&error);
                        break;
                    }
                    Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
                    Ok(Next::Learnt(_)) => {}
                    Ok(Next::Page { .. }) => {}
                }
            }
            assert!(
                told.contains("`paging.bound` goes no further: ")
                    && told.contains("raise `paging.page_size`"),
                "{told}"
            );
        }
    }
}

/// An API that has no paging, whatever it is asked for gives so many records, and has no records yet.
async fn unpaged(order: Order, given: usize) -> (apis::Kind, Log) {
    let manner = Manner {
        paging: Paging::Bound,
        order,
        shape: Shape::new("createdAt", TimeFormat::EpochMillis),
        size: Size { given, ..Size::new("limit", 50, 100) },
        ..Manner::default()
    };
    let mut kind = apis::cursor();
    kind.manner = manner;
    kind.description["paging"] = json!({"bound": {}, "page_size": {"to": {"query": "limit"}, "size": 100}});
    kind.description["time"] = "createdAt".into();
    kind.description["order"] =
        if order == Order::NewestFirst { "newest_first" } else { "oldest_first" }.into();
    kind.description["time_filter"]["granularity"] = "second".into();
    let api = Log::start(kind.manner.clone(), 0).await.unwrap();
    (kind, api)
}

/// Calls it until it has caught up; its errors, and how many records there were.
async fn collected(source: &mut dyn Source) -> (Vec<String>, usize) {
    let (mut told, mut records) = (Vec::new(), 0);
    for _ in 0..40 {
        match source.next().await {
            Ok(Next::Page { batch, .. }) => records += batch.records.len(),
            Ok(Next::Learnt(_)) => {}
            Ok(Next::Wait(wait)) if wait.caught_up => return (told, records),
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
            Err(error) => {
                told.push(line(&error));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    told.push("it has never caught up".to_owned());
    (told, records)
}

/// Nobody can tell six records of one second at an API that gives five from five: it is said, and is settled by the next record.
#[tokio::test(start_paused = true)]
async fn a_page_that_may_hide_records_is_no_end() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        for given in [2, 5] {
            let (kind, api) = unpaged(order, given).await;
            let moment = api.now() - Duration::from_secs(100);
            (0..6).for_each(|_| drop(api.add(moment)));
            let mut source = kind.source(&kind.config(&api));
            source.open(None, Arc::new(Nothing)).await.unwrap();
            let (told, _) = collected(&mut source).await;
            let expected = format!("{given} records share one moment, and no page of the API had more");
            assert!(told[0].contains(&expected), "{told:?}");
            assert_eq!(told.last().unwrap(), "it has never caught up");
            api.add(api.now() - Duration::from_secs(90));
            assert_eq!(collected(&mut source).await.0.last().unwrap(), "it has never caught up");
        }
        // Five of five where a page has room for more is told, until a sixth of another second has come.
        let (kind, api) = unpaged(order, 100).await;
        let moment = api.now() - Duration::from_secs(100);
        (0..5).for_each(|_| drop(api.add(moment)));
        let mut source = kind.source(&kind.config(&api));
        source.open(None, Arc::new(Nothing)).await.unwrap();
        assert_eq!(collected(&mut source).await.0.last().unwrap(), "it has never caught up");
        api.add(api.now() - Duration::from_secs(90));
        assert!(!collected(&mut source).await.0.contains(&"it has never caught up".to_owned()));
    }
}

/// A log that has hardly anything, and that of one second, where it is looked at: one look at all of it is enough.
#[tokio::test(start_paused = true)]
async fn a_quiet_log_is_not_held_up() {
    for order in [Order::NewestFirst, Order::OldestFirst] {
        for (count, others) in [(0, 0), (1, 0), (2, 1), (9, 1), (40, 1), (3, 8)] {
            let (kind, api) = unpaged(order, 100).await;
            let moment = api.now() - Duration::from_secs(100);
            (0..count).for_each(|_| drop(api.add(moment)));
            let long_ago = api.now() - Duration::from_secs(5 * 86_400);
            (0..others).for_each(|_| drop(api.add(long_ago)));
            let mut config = kind.config(&api);
            set(&mut config, "start", json!("1h"));
            let mut source = kind.source(&config);
            source.open(None, Arc::new(Nothing)).await.unwrap();
            let (told, records) = collected(&mut source).await;
            assert_eq!(told, [""; 0], "{count} and {others}");
            assert!(records >= count);
            assert!(api.requests() < 9, "{}: {:?}", api.requests(), api.asked());
        }
    }
}
