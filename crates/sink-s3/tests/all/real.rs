//! The same against a real store, started by `tests/services/s3.sh`. It is killed and started again in the middle.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use http_client::{ClientSettings, HttpClient};
use pipeline::{Sink, SinkError, Write};
use serde_json::json;

use crate::minio::{Access, MinioHarness};
use crate::server::lines;
use crate::writes::numbered;

// The SDK has no HTTP client of its own here either.
#[path = "../../src/transport.rs"]
mod transport;

/// A client of the SDK, which shares no more with the sink than how bytes go out.
pub(crate) fn client(access: &Access) -> aws_sdk_s3::Client {
    client_of(access, "us-east-1")
}

/// One that takes the store to be in this region.
pub(crate) fn client_of(access: &Access, region: &'static str) -> aws_sdk_s3::Client {
    let http = transport::Transport::new(Arc::new(HttpClient::new(ClientSettings::default())), []);
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(&access.endpoint)
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .credentials_provider(Credentials::new(&access.id, &access.key, None, None, "test"));
    aws_sdk_s3::Client::from_conf(config.build())
}

/// Every case of the suite that our own store passes, in both forms.
#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
#[ignore = "needs a store: S3_TEST_ENDPOINT, S3_TEST_ACCESS_KEY, S3_TEST_SECRET_KEY"]
async fn the_sink_conforms_to_a_real_store() {
    let plain = json!({"compression": "none", "partition": "", "checksum": "sha256"});
    for (name, config, tls) in [("gzip over TLS", json!({"prefix": "audit/"}), true), ("plain", plain, false)]
    {
        let (access, given) = (Access::of_environment(), AtomicUsize::new(0));
        testkit::sink::conforms_to(&format!("MinIO, {name}"), MinioHarness { access, config, tls, given })
            .await;
    }
}

const EVENTS: u32 = 20_000;

/// Events of one write.
const TOGETHER: u32 = 500;

/// A write as the runtime makes it: until all of it is taken. Says how often it failed, and how many were there before.
async fn settle(sink: &dyn Sink, numbers: Vec<u32>) -> (u32, u32) {
    let (mut left, mut failures, mut known) = (numbers, 0, 0);
    let began = Instant::now();
    while !left.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not get on");
        let write: Write = numbered(&left);
        match sink.write(&write).await {
            Ok(outcome) => {
                known += outcome.deduplicated;
                left = outcome.retry.iter().map(|index| left[*index as usize]).collect();
            }
            Err(SinkError::Transient { .. } | SinkError::Paused { .. }) => {
                failures += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    (failures, known)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a store: S3_TEST_ENDPOINT, and S3_TEST_RESTART with a command that kills and starts it"]
async fn nothing_is_lost_when_the_store_is_killed() {
    let access = Access::of_environment();
    let prefix = format!("run-{}", fastrand::u64(..));
    let sink = crate::sink(&json!({
        "bucket": "test",
        "prefix": prefix,
        "endpoint": access.endpoint,
        "credentials": {"access_key_id": access.id, "secret_access_key": access.key},
        "timeout": "5s",
    }));
    sink.check().await.unwrap();
    let restart = env::var("S3_TEST_RESTART").ok();
    let (mut failures, mut known) = (0, 0);
    for first in (0..EVENTS).step_by(TOGETHER as usize) {
        let mut killing = None;
        if first == EVENTS / 2
            && let Some(restart) = &restart
        {
            killing = Some(Command::new("sh").args(["-c", restart]).spawn().unwrap());
        }
        let settled = settle(&sink, (first..first + TOGETHER).collect()).await;
        (failures, known) = (failures + settled.0, known + settled.1);
        if let Some(mut killing) = killing {
            // While it is away, and while it comes back.
            for first in (0..40).map(|n| EVENTS + n * 10) {
                let settled = settle(&sink, (first..first + 10).collect()).await;
                (failures, known) = (failures + settled.0, known + settled.1);
            }
            assert!(killing.wait().unwrap().success());
        }
    }
    // The same again is known by a store with conditions.
    let again = settle(&sink, (0..TOGETHER).collect()).await;

    let client = client(&access);
    let (mut found, mut events, mut objects, mut next) = (BTreeSet::new(), 0, 0, None);
    loop {
        let page =
            client.list_objects_v2().bucket("test").prefix(&prefix).set_continuation_token(next).send().await;
        let page = page.unwrap();
        for object in page.contents() {
            let name = object.key().unwrap();
            let body = client.get_object().bucket("test").key(name).send().await.unwrap();
            let body = body.body.collect().await.unwrap().into_bytes();
            for line in lines(name, &body).lines() {
                let event: serde_json::Value = serde_json::from_str(line).unwrap();
                found.insert(event["n"].as_u64().unwrap() as u32);
                events += 1;
            }
            objects += 1;
        }
        next = page.next_continuation_token().map(str::to_owned);
        if next.is_none() {
            break;
        }
    }
    eprintln!(
        "{events} events in {objects} objects, {failures} failed writes, {known} events known before, {} of a repeat",
        again.1
    );
    let expected = EVENTS + if restart.is_some() { 400 } else { 0 };
    assert_eq!(found, (0..expected).collect::<BTreeSet<u32>>());
    assert_eq!(events, expected, "an object was stored twice");
    assert_eq!(again.1, TOGETHER);
}
