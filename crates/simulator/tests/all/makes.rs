//! The makes of the API: cursors, orders, filters and hosts.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, UNIX_EPOCH};

use simulator::*;

use crate::client::Page;
use crate::support::{LOGS, ids_of, noon, start};

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
