//! What the simulator knows to be true.

use std::collections::BTreeSet;
use std::time::Duration;

use simulator::*;

use crate::client::Failure;
use crate::support::{LOGS, noon, noted, start};

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
