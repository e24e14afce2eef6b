//! A correct collector gets everything.

use std::collections::{BTreeSet, HashSet};
use std::io::Read as _;
use std::time::Duration;

use simulator::*;

use crate::client::{Client, Page, escape};
use crate::support::{noon, noted};

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
