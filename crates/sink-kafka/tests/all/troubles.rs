//! Queues that are full, brokers that hang or go, writes that are dropped.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pipeline::Sink;
use serde_json::json;
use telemetry::metrics::KafkaClient;

use crate::cluster::Cluster;
use crate::{deliver, events, sink, words};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_what_the_readme_says() {
    let cluster = Cluster::start(1);
    for (key, expected) in [
        ("event_id", Some(events::id(7))),
        ("actor", Some("12345".to_owned())),
        ("tenant", None), // this event has none
        ("none", None),
    ] {
        let sink = sink(&cluster, &json!({"key": key}));
        assert_eq!(words(&deliver(&sink, &[7]).await), "taken");
        let record = cluster.records().pop().unwrap();
        assert_eq!((record.key, record.text), (expected, events::text(7)));
        let id = events::id(7);
        let headers = [
            ("event_id", &*id),
            ("schema", "ocsf"),
            ("schema_version", "1.8.0"),
            ("source", "numbers"),
            ("content-type", "application/json"),
        ];
        assert_eq!(record.headers, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_is_waited_for() {
    let cluster = Cluster::start(1);
    let sink = sink(
        &cluster,
        &json!({"timeout": "20s", "properties": {"queue.buffering.max.messages": "7", "linger.ms": "0"}}),
    );
    let numbers: Vec<u32> = (0..500).collect();
    assert_eq!(words(&deliver(&sink, &numbers).await), "taken");
    let expected: Vec<String> = (0..500).map(events::text).collect();
    assert_eq!(cluster.texts(), expected);
    // It ends also when no room is ever made.
    let sink = crate::sink(&cluster, &json!({"properties": {"queue.buffering.max.messages": "7"}}));
    cluster.is_up(false);
    let began = Instant::now();
    assert_eq!(words(&deliver(&sink, &numbers).await), "transient");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_is_refused_and_its_neighbours_are_not() {
    let cluster = Cluster::start(1);
    let sink = sink(&cluster, &json!({"properties": {"message.max.bytes": "2000"}}));
    let text = |number| {
        if number == 2 { format!(r#"{{"x":"{}"}}"#, "x".repeat(1990)) } else { events::text(number) }
    };
    let write = events::write_of((0..5).map(|number| (number, text(number))));
    let result = sink.write(&write).await;
    assert_eq!(words(&result), r#"again [] refused ["2 too_large"]"#);
    let detail = &result.unwrap().rejected[0].1.detail;
    assert!(detail.contains("message.max.bytes"), "{detail}");
    assert_eq!(cluster.texts(), [0, 1, 3, 4].map(events::text));
}

/// The broker takes the events and does not answer: the write ends, and what comes again may be there twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_hangs_ends_the_write_and_loses_nothing() {
    let cluster = Cluster::start(1);
    let sink = sink(&cluster, &json!({}));
    assert_eq!(words(&deliver(&sink, &[0]).await), "taken");
    cluster.delay(Duration::from_secs(30));
    let began = Instant::now();
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "transient");
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1400) && took < Duration::from_secs(15), "{took:?}");
    cluster.delay(Duration::ZERO);
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    let texts = cluster.texts();
    assert_eq!(texts, [0, 1, 2, 1, 2].map(events::text), "the broker had taken them before");
}

/// What the broker had not been sent when the write was given up is not sent later, also when no next write comes by to
/// make a new producer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_given_up_leaves_nothing_in_the_queue() {
    let cluster = Cluster::start(1);
    // A request an event, of which five are under way at most.
    let properties = json!({"batch.num.messages": "1", "linger.ms": "0", "reconnect.backoff.max.ms": "100"});
    let sink = sink(&cluster, &json!({ "properties": properties }));
    assert_eq!(words(&deliver(&sink, &[0]).await), "taken");
    cluster.delay(Duration::from_secs(30));
    let numbers: Vec<u32> = (1..20).collect();
    assert_eq!(words(&deliver(&sink, &numbers).await), "transient");
    // Well again, on new connections.
    cluster.delay(Duration::ZERO);
    cluster.is_up(false);
    tokio::time::sleep(Duration::from_millis(100)).await;
    cluster.is_up(true);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let texts = cluster.texts();
    assert!(texts.len() <= 6, "{texts:?}");
    assert_eq!(texts, (0..texts.len() as u32).map(events::text).collect::<Vec<_>>());
    assert_eq!(words(&deliver(&sink, &numbers).await), "taken");
    assert_eq!(cluster.texts()[texts.len()..], numbers.iter().copied().map(events::text).collect::<Vec<_>>());
}

/// The other writes of a producer that is given up hear of it at once, and not when their own time is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_beside_one_that_is_given_up_end_with_it() {
    let cluster = Cluster::start(1);
    let sink = sink(&cluster, &json!({"timeout": "3s"}));
    assert_eq!(words(&deliver(&sink, &[0]).await), "taken");
    cluster.delay(Duration::from_secs(30));
    let late = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let began = Instant::now();
        (deliver(&sink, &[3, 4]).await, began.elapsed())
    };
    let (first, (second, took)) = tokio::join!(deliver(&sink, &[1, 2]), late);
    assert_eq!((&*words(&first), &*words(&second)), ("transient", "transient"));
    assert!(took < Duration::from_millis(2500), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_goes_and_comes_back_in_time_is_no_failure() {
    let cluster = Cluster::start(1);
    let sink = sink(&cluster, &json!({"timeout": "20s", "properties": {"reconnect.backoff.max.ms": "200"}}));
    assert_eq!(words(&deliver(&sink, &[0]).await), "taken");
    cluster.is_up(false);
    let (result, ()) = tokio::join!(deliver(&sink, &[1, 2]), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.is_up(true);
    });
    assert_eq!(words(&result), "taken");
    assert_eq!(cluster.texts(), [0, 1, 2].map(events::text));
}

/// Nothing of a dropped write is sent later, whether another one follows or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_write_leaves_nothing_in_the_queue() {
    let cluster = Cluster::start(1);
    // What is put in waits for two seconds.
    let sink = sink(&cluster, &json!({"timeout": "20s", "properties": {"linger.ms": "2000"}}));
    let drop_one = async || {
        let dropped = tokio::time::timeout(Duration::from_millis(500), deliver(&sink, &[0, 1, 2])).await;
        assert!(dropped.is_err());
    };
    drop_one().await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(cluster.texts(), [""; 0]);
    drop_one().await;
    assert_eq!(words(&deliver(&sink, &[3, 4]).await), "taken");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(cluster.texts(), [3, 4].map(events::text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_is_wrong_and_creates_nothing() {
    let cluster = Cluster::start(1);
    let good = sink(&cluster, &json!({}));
    good.check().await.unwrap();
    cluster.knows_topic(false);
    let error = good.check().await.unwrap_err().to_string();
    assert!(error.contains("create `topic`"), "{error}");
    cluster.knows_topic(true);
    good.check().await.unwrap();
    let missing = sink(&cluster, &json!({"topic": "mistyped"}));
    for _ in 0..2 {
        let error = missing.check().await.unwrap_err().to_string();
        assert!(error.contains("create `topic`"), "{error}");
    }
    cluster.is_up(false);
    let error = good.check().await.unwrap_err().to_string();
    assert!(error.contains("check `brokers`"), "{error}");
}

/// What librdkafka tells of its client, as it comes and goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_follow_what_happens() {
    let cluster = Cluster::start(1);
    let told = Arc::new(Mutex::new(Vec::<KafkaClient>::new()));
    let kept = told.clone();
    let quick = json!({"timeout": "3s", "properties": {"statistics.interval.ms": "50", "reconnect.backoff.max.ms": "200"}});
    let sink = sink(&cluster, &quick).observed(move |figures| kept.lock().unwrap().push(figures.clone()));
    let until = async |what: &str, holds: fn(&[KafkaClient]) -> bool| {
        let end = Instant::now() + Duration::from_secs(20);
        while !holds(&told.lock().unwrap()) {
            let last = told.lock().unwrap().last().cloned();
            assert!(Instant::now() < end, "{what}: {last:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        told.lock().unwrap().clear();
    };
    cluster.delay(Duration::from_millis(200));
    assert_eq!(words(&deliver(&sink, &[0]).await), "taken");
    until("a broker is up, and slow", |told| {
        let is_slow = |told: &KafkaClient| told.round_trip >= Some(Duration::from_millis(150));
        told.iter().any(|told| told.brokers_up == 1 && told.queued_events == 0) && told.iter().any(is_slow)
    })
    .await;
    cluster.delay(Duration::from_secs(30));
    let (result, ()) = tokio::join!(
        deliver(&sink, &[1, 2, 3]),
        until("three events wait", |told| {
            told.iter()
                .any(|told| told.queued_events == 3 && told.queued_bytes == 3 * events::text(1).len() as u64)
        })
    );
    assert_eq!(words(&result), "transient");
    cluster.delay(Duration::ZERO);
    // The next producer begins without a queue.
    assert_eq!(words(&deliver(&sink, &[4]).await), "taken");
    until("nothing waits", |told| told.last().is_some_and(|told| told.queued_events == 0)).await;
    cluster.is_up(false);
    until("the broker is gone", |told| {
        told.last().is_some_and(|told| told.brokers_up == 0)
            && told.iter().map(|told| told.disconnects).sum::<u64>() > 0
    })
    .await;
    cluster.is_up(true);
    assert_eq!(words(&deliver(&sink, &[5]).await), "taken");
    until("it is back", |told| told.last().is_some_and(|told| told.brokers_up == 1)).await;
    drop(sink);
    until("nothing is left of the client", |told| told.last() == Some(&KafkaClient::default())).await;
}
