//! A write that is dropped at any await leaves nothing behind.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use serde_json::json;

use crate::receiver::{Protocol, Receiver, Reply};
use crate::{deliver, events, sink, words};

/// Polls `future` at most `polls` times, then drops it; whether it had ended.
async fn poll_times(future: impl Future, polls: usize) -> bool {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(false);
        }
        polled += 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[tokio::test]
async fn a_dropped_write_harms_no_later_one() {
    for (form, compression, count) in
        [("ndjson", "none", 3), ("ndjson", "gzip", 1500), ("json_array", "zstd", 1500), ("json", "none", 5)]
    {
        let coding = if compression == "none" { "" } else { compression };
        let receiver = Receiver::start(Protocol { form, coding, ..Protocol::default() }, vec![]).await;
        let sink = sink(&json!({"url": receiver.url(), "body": form, "compression": compression}));
        let numbers: Vec<u32> = (0..count).collect();
        let mut ended = 0;
        for polls in 0..40 {
            ended += usize::from(poll_times(deliver(&sink, &numbers), polls % 12).await);
            let polls = Duration::from_micros(fastrand::u64(0..4000));
            ended += usize::from(tokio::time::timeout(polls, deliver(&sink, &numbers)).await.is_ok());
            assert_eq!(words(&deliver(&sink, &[polls.subsec_nanos()]).await), "taken");
        }
        assert_eq!(words(&deliver(&sink, &numbers).await), "taken");
        assert!(ended < 80, "none was dropped in the middle");
        // What came through is whole, in order, and has its id, whether anybody heard of it or not.
        let deliveries = receiver.deliveries();
        if form != "json" {
            let id = &deliveries.last().unwrap().id;
            let whole: Vec<String> = numbers.iter().map(|number| events::text(*number)).collect();
            for delivery in deliveries.iter().filter(|delivery| delivery.events.len() > 1) {
                assert_eq!((&delivery.id, &delivery.events), (id, &whole));
            }
        }
    }
}

#[tokio::test]
async fn a_write_that_was_dropped_while_the_endpoint_thinks_comes_again_with_its_id() {
    let receiver = Receiver::start(Protocol::default(), vec![Reply::TakeAndHang]).await;
    let sink = sink(&json!({"url": receiver.url()}));
    let dropped = tokio::time::timeout(Duration::from_millis(200), deliver(&sink, &[1, 2])).await;
    assert!(dropped.is_err());
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    let deliveries = receiver.deliveries();
    assert_eq!((deliveries.len(), &deliveries[0].id), (2, &deliveries[1].id));
}
