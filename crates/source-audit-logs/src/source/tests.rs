use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use pipeline::Seen;
use serde_json::json;
use simulator::log::{Log, Manner};

use super::*;
use crate::account::Wiring;
use crate::config::AuditLogsConfig;

/// Has a full disk.
struct Refusing;

#[async_trait]
impl SeenIds for Refusing {
    async fn lookup(&self, _: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        Err(StoreError::Io { doing: "read", path: "ids".to_owned(), source: "no space left".into() })
    }
}

/// Knows nothing, and takes its time to say so.
struct Nothing;

#[async_trait]
impl SeenIds for Nothing {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        tokio::task::yield_now().await;
        Ok(vec![Seen::New; ids.len()])
    }
}

fn source(api: &Log) -> AuditLogsSource {
    let config: AuditLogsConfig = serde_json::from_value(json!({
        "url": api.url(), "auth": {"bearer": api.key()},
        "request": {"path": "/v1/audit_logs"}, "records": {"path": "items"},
        "paging": {"cursor": {"from": "pagination.next_cursor", "to": {"query": "cursor"}},
            "page_size": {"to": {"query": "limit"}, "size": 100}},
        "time_filter": {"since": {"to": {"query": "created_at_min"}}, "until": {"to": {"query": "created_at_max"}}},
        "order": "newest_first", "retention": "30d", "start": "7d", "tenant": "actor.type",
    }))
    .unwrap();
    AuditLogsSource::new("audit", Account::new(config.validate().unwrap(), Wiring::default()))
}

/// All that a later call depends on.
fn state(source: &AuditLogsSource) -> String {
    let collector = &source.open.as_ref().unwrap().collector;
    let last = source.last.as_ref().map(|last| (&last.cursor, &last.ids));
    let learnt = (source.size, source.tenant_checked, source.proven, source.capacity, &source.owed);
    format!("{collector:?} {last:?} {learnt:?} {:?}", (source.versions, source.duplicates))
}

/// Drops the call after it was woken `wakes` times; `None` when it was done before.
async fn cancelled(source: &mut AuditLogsSource, wakes: usize) -> Option<Result<Next, SourceError>> {
    let mut call = pin!(source.next());
    let mut left = wakes;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        call.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_at_any_await_changes_nothing() {
    let api = Log::start(Manner::default(), 650).await.unwrap();
    let mut source = source(&api);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let (mut pages, mut records, mut cancellations) = (0, 0, 0);
    while pages < 4 {
        // What is due may be begun by asking; it is not begun twice.
        let now = source.account.time();
        let due = source.open.as_mut().unwrap().collector.step(now);
        assert!(matches!(due, Step::Fetch(_)), "{due:?}");
        let before = state(&source);
        let mut wakes = 0;
        let done = loop {
            wakes += 1;
            match cancelled(&mut source, wakes).await {
                Some(done) => break done,
                None => assert_eq!(state(&source), before, "after {wakes} wakes"),
            }
            cancellations += 1;
        };
        let Next::Page { batch, .. } = done.unwrap() else { panic!("not a page") };
        assert_ne!(state(&source), before);
        pages += 1;
        records += batch.records.len();
    }
    assert!(records >= 100 && cancellations > 9, "{records} records, {cancellations} cancellations");
}

#[tokio::test(start_paused = true)]
async fn a_page_whose_ids_cannot_be_looked_up_is_asked_for_again() {
    let api = Log::start(Manner::default(), 20).await.unwrap();
    let mut source = source(&api);
    source.open(None, Arc::new(Refusing)).await.unwrap();
    for _ in 0..3 {
        let refused = source.next().await.unwrap_err();
        assert!(matches!(refused, SourceError::Transient { .. }), "{refused:?}");
    }
    source.open.as_mut().unwrap().seen = Arc::new(Nothing);
    let asked =
        |query: &String| query.split('&').find(|pair| pair.starts_with("created_at_min")).unwrap().to_owned();
    assert!(matches!(source.next().await, Ok(Next::Page { .. })));
    let floors: std::collections::BTreeSet<String> = api.asked().iter().map(asked).collect();
    assert_eq!((api.requests(), floors.len()), (4, 1), "{floors:?}");
}
