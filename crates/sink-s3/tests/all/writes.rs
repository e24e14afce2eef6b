//! What is asked of the store, and what follows from its answers.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use pipeline::{
    EventBatch, EventDraft, EventOutcome, EventWriter, Origin, Outcome, Schema, Sink, SinkError, Timestamp,
    View, Write,
};
use serde_json::{Value, json};
use testkit::http::Received;

use crate::server::{BUCKET, KEY_ID, Reply, SECRET, Server};

const DAY: i64 = 86_400_000;

/// A write of one event a day, from 1970 on; the text of each is its number.
fn days(numbers: &[u32]) -> Write {
    at(numbers, DAY)
}

/// A write of one event a minute.
pub(crate) fn numbered(numbers: &[u32]) -> Write {
    at(numbers, 60_000)
}

fn at(numbers: &[u32], step: i64) -> Write {
    let mut writer = EventWriter::default();
    for number in numbers {
        writer.line().extend_from_slice(format!("{{\"n\":{number}}}").as_bytes());
        writer.commit(&EventDraft {
            id: u128::from(*number),
            time: Timestamp::from_millis(i64::from(*number) * step),
            class: 0,
            severity: 0,
            outcome: EventOutcome::Unknown,
            action: "",
            actor: "",
            tenant: "",
        });
    }
    let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
    let batch: Arc<EventBatch> = Arc::new(writer.finish(Arc::new(origin), Arc::new(view)));
    let mut write = Write::default();
    write.push(batch, 0..numbers.len());
    write
}

fn config(server: &Server, more: &Value) -> Value {
    let mut config = json!({
        "bucket": BUCKET,
        "endpoint": format!("http://{}", server.address),
        "credentials": {"access_key_id": KEY_ID, "secret_access_key": SECRET},
        "timeout": "1s",
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn words(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) if *outcome == Outcome::default() => "taken".to_owned(),
        Ok(outcome) => format!("retry {:?} deduplicated {}", outcome.retry, outcome.deduplicated),
        Err(SinkError::Transient { retry_after: None, .. }) => "transient".to_owned(),
        Err(SinkError::Transient { retry_after: Some(wait), .. }) => format!("transient {wait:?}"),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}

#[tokio::test]
async fn each_partition_is_one_object_and_nothing_is_stored_twice() {
    let server = Server::start().await;
    let sink = crate::sink(&config(&server, &json!({"prefix": "audit"})));
    assert_eq!(words(&sink.write(&days(&[0, 1, 0, 31])).await), "taken");
    let keys: Vec<String> = server.objects().into_iter().map(|object| object.key).collect();
    let partitions: Vec<&str> = keys.iter().map(|key| key.rsplit_once('/').unwrap().0).collect();
    assert_eq!(
        partitions,
        [
            "audit/year=1970/month=01/day=01",
            "audit/year=1970/month=01/day=02",
            "audit/year=1970/month=02/day=01"
        ]
    );
    // Another process, the same events.
    let sink = crate::sink(&config(&server, &json!({"prefix": "audit"})));
    assert_eq!(words(&sink.write(&days(&[0, 1, 0, 31])).await), "retry [] deduplicated 4");
    assert_eq!(server.objects().len(), 3);
    assert!(server.objects().iter().all(|object| object.input.conditional));
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_stored_before_a_failure_does_not_come_again() {
    let server = Server::start().await;
    let sink = crate::sink(&config(&server, &json!({})));
    let refusal = Reply::Refuse(503, "SlowDown", String::new(), vec![("retry-after", "7")]);
    server.reply(vec![Reply::Store, refusal.clone()]);
    let outcome = sink.write(&days(&[0, 1, 0, 2])).await.unwrap();
    assert_eq!(outcome.retry, [1, 3]);
    assert_eq!(outcome.slow_down, Some(std::time::Duration::from_secs(7)));
    server.reply(vec![refusal]);
    assert_eq!(words(&sink.write(&days(&[1, 2])).await), "transient 7s");
    assert_eq!(words(&sink.write(&days(&[1, 2])).await), "taken");
    assert_eq!(server.objects().len(), 3);
}

#[tokio::test]
async fn a_write_of_many_partitions_is_bounded() {
    let server = Server::start().await;
    let sink = crate::sink(&config(&server, &json!({})));
    let all: Vec<u32> = (0..50).collect();
    let outcome = sink.write(&days(&all)).await.unwrap();
    assert_eq!(outcome.retry, (32..50).collect::<Vec<u32>>());
    assert_eq!(server.objects().len(), 32);
    assert_eq!(words(&sink.write(&days(&outcome.retry)).await), "taken");
    assert_eq!(server.objects().len(), 50);
}

/// The store has the object and does not say so, in every way that it can not say so.
#[tokio::test]
async fn an_object_whose_answer_is_lost_is_recognised() {
    for lost in [
        Reply::StoreAndRefuse(500, "InternalError"),
        Reply::StoreAndRefuse(503, "SlowDown"),
        Reply::StoreAndClose,
        Reply::StoreAndHang,
    ] {
        let server = Server::start().await;
        let sink = crate::sink(&config(&server, &json!({})));
        server.reply(vec![lost.clone()]);
        assert_eq!(words(&sink.write(&days(&[3])).await), "transient", "{lost:?}");
        assert_eq!(words(&sink.write(&days(&[3])).await), "retry [] deduplicated 1", "{lost:?}");
        assert_eq!(server.objects().len(), 1);
    }
}

#[tokio::test]
async fn a_store_without_conditions_is_overwritten_by_the_same_bytes() {
    let server = Server::start().await;
    server.unconditional();
    let sink = crate::sink(&config(&server, &json!({})));
    assert_eq!(words(&sink.write(&days(&[3])).await), "taken");
    assert_eq!(server.puts(), 2, "with the condition, and without");
    server.reply(vec![Reply::StoreAndRefuse(500, "InternalError")]);
    assert_eq!(words(&sink.write(&days(&[4])).await), "transient");
    assert_eq!(words(&sink.write(&days(&[4])).await), "taken");
    assert_eq!(server.puts(), 4, "it is remembered");
    assert_eq!(server.objects().len(), 2);
    assert_eq!(server.violations(), Vec::<String>::new());
}

/// It is something else that the store does not know: the condition stays.
#[tokio::test]
async fn a_store_that_lacks_something_else_pauses() {
    let server = Server::start().await;
    let sink = crate::sink(&config(&server, &json!({})));
    let refusal = Reply::Refuse(501, "NotImplemented", String::new(), vec![]);
    server.reply(vec![refusal.clone(), refusal]);
    assert_eq!(words(&sink.write(&days(&[3])).await), "paused unsupported");
    assert_eq!(words(&sink.write(&days(&[3])).await), "taken");
    assert!(server.objects()[0].input.conditional);
}

#[tokio::test]
async fn refusals_name_what_to_do() {
    let server = Server::start().await;
    let sink = crate::sink(&config(&server, &json!({})));
    let refuse = |status, code| Reply::Refuse(status, code, "in its own words".to_owned(), vec![]);
    for (reply, expected, remedy) in [
        (refuse(403, "AccessDenied"), "paused permission", "s3:PutObject"),
        (refuse(404, "NoSuchBucket"), "paused not_found", "`bucket`"),
        (refuse(403, "RequestTimeTooSkewed"), "paused clock", "set the clock"),
        (refuse(400, "KMS.DisabledException"), "paused kms", "kms_key_id"),
        (refuse(403, "SignatureDoesNotMatch"), "paused authentication", "`credentials`"),
        (
            Reply::Refuse(
                301,
                "PermanentRedirect",
                String::new(),
                vec![("x-amz-bucket-region", "eu-west-1")],
            ),
            "paused region",
            "set `region` to eu-west-1",
        ),
        (
            Reply::Refuse(
                307,
                "TemporaryRedirect",
                String::new(),
                vec![("location", "https://elsewhere.example.com/")],
            ),
            "paused redirect",
            "`region`",
        ),
    ] {
        server.reply(vec![reply.clone()]);
        let result = sink.write(&days(&[1])).await;
        assert_eq!(words(&result), expected, "{reply:?}");
        let Err(SinkError::Paused { remedy: told, source, .. }) = result else { panic!("{reply:?}") };
        assert!(told.contains(remedy), "{told}");
        if expected == "paused permission" {
            assert_eq!(source.to_string(), "store answers 403 AccessDenied: in its own words");
        }
    }
    server.reply(vec![refuse(409, "ConditionalRequestConflict")]);
    assert_eq!(words(&sink.write(&days(&[1])).await), "transient");
    server.reply(vec![refuse(400, "EntityTooLarge")]);
    assert_eq!(words(&sink.write(&days(&[1])).await), "too large");
    assert_eq!(words(&sink.write(&days(&[1])).await), "taken");
}

/// The signature is verified by the store of the test, and so is a wrong one.
#[tokio::test]
async fn a_rotated_key_is_taken_up_without_a_restart() {
    let server = Server::start().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "wr0ng-key").unwrap();
    let mut config: sink_s3::S3Config = serde_json::from_value(config(&server, &json!({}))).unwrap();
    let key = settings::Secret::from_file(String::new(), path.clone(), String::new(), "wr0ng-key");
    config.credentials.secret_access_key = Some(key);
    let sink = sink_s3::S3Sink::new(config.validate().unwrap());
    assert_eq!(words(&sink.write(&days(&[1])).await), "paused authentication");
    assert!(sink.check().await.is_err());
    std::fs::write(&path, format!("{SECRET}\n")).unwrap();
    assert_eq!(words(&sink.write(&days(&[1])).await), "transient 0ns");
    assert_eq!(words(&sink.write(&days(&[1])).await), "taken");
    sink.check().await.unwrap();
}

/// While it runs, waiting may help; who checks a configuration hears what to look at.
#[tokio::test]
async fn a_store_that_is_not_there_is_suspected_of_a_wrong_address_by_the_check_alone() {
    let server = Server::start().await;
    let mut config = config(&server, &json!({}));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config["endpoint"] = format!("https://{free}").into();
    let sink = crate::sink(&config);
    assert_eq!(words(&sink.write(&days(&[1])).await), "transient");
    let error = sink.check().await.unwrap_err();
    let found = error.downcast_ref::<SinkError>();
    let Some(SinkError::Paused { reason: "connect", remedy, source }) = found else { panic!("{error:?}") };
    assert!(remedy.contains("check host and port of https://"), "{remedy}");
    assert!(source.to_string().contains("no connection to"), "{source}");
    // Where something else answers, waiting does not help.
    config["endpoint"] = format!("https://{}", server.address).into();
    let result = crate::sink(&config).write(&days(&[1])).await;
    let Err(SinkError::Paused { reason: "tls", remedy, .. }) = result else { panic!("{result:?}") };
    assert!(remedy.contains("check scheme and port of `endpoint`"), "{remedy}");
}

#[tokio::test]
async fn encryption_and_checksums_are_asked_for_as_configured() {
    let server = Server::start().await;
    for (more, encryption, kms_key_id, bucket_key) in [
        (json!({}), None, None, None),
        (json!({"algorithm": "AES256"}), Some("AES256"), None, None),
        (
            json!({"algorithm": "aws:kms", "kms_key_id": "alias/audit", "bucket_key": true}),
            Some("aws:kms"),
            Some("alias/audit"),
            Some(true),
        ),
        (json!({"algorithm": "aws:kms:dsse"}), Some("aws:kms:dsse"), None, None),
    ] {
        let more = if encryption.is_some() { json!({"server_side_encryption": more}) } else { json!({}) };
        let sink = crate::sink(&config(&server, &more));
        let number = server.objects().len() as u32;
        assert_eq!(words(&sink.write(&days(&[number])).await), "taken");
        let asked = server.objects().pop().unwrap().input;
        let found = (asked.encryption.as_deref(), asked.kms_key_id.as_deref(), asked.bucket_key);
        assert_eq!(found, (encryption, kms_key_id, bucket_key));
    }
    for (checksum, header) in [
        ("when_required", None),
        ("crc32c", Some("x-amz-checksum-crc32c")),
        ("sha256", Some("x-amz-checksum-sha256")),
    ] {
        let sink = crate::sink(&config(&server, &json!({"checksum": checksum})));
        let number = 100 + server.objects().len() as u32;
        assert_eq!(words(&sink.write(&days(&[number])).await), "taken");
        let headers = &server.objects().pop().unwrap().input.headers;
        let sent: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let found = sent.iter().find(|name| name.starts_with("x-amz-checksum-")).copied();
        assert_eq!(found, header, "{sent:?}");
        // Trailers are what other stores stumble over.
        assert!(!sent.contains(&"x-amz-trailer"), "{sent:?}");
    }
}

/// A right to write without the right to list is all that is worth giving.
#[tokio::test]
async fn a_bucket_that_may_not_be_listed_passes_the_check() {
    let server = Server::start().await;
    let sink = crate::sink(&config(&server, &json!({})));
    server.refuse(Some((403, "AccessDenied", "not you".to_owned())));
    sink.check().await.unwrap();
    sink.open().await.unwrap();
    for (status, code) in [(404, "NoSuchBucket"), (403, "InvalidAccessKeyId"), (301, "PermanentRedirect")] {
        server.refuse(Some((status, code, String::new())));
        sink.check().await.unwrap_err();
    }
    assert_eq!(server.puts(), 0);
}

/// A store, or what stands before it, may compress its answers: MinIO does with those of more than some kilobyte, which a
/// listing of one object with a long key is.
#[tokio::test]
async fn a_compressed_listing_passes_the_check() {
    let key = "k".repeat(1000);
    let text = format!("<ListBucketResult><Contents><Key>{key}</Key></Contents></ListBucketResult>");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    let headers = [("content-type", "application/xml"), ("content-encoding", "gzip")];
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let headers = headers.into_iter().collect();
    let answer = Received { status: 200, headers, body: encoder.finish().unwrap() };
    let store = testkit::http::Server::start(None, move |_| {
        let answer = answer.clone();
        Box::pin(async move { testkit::http::Reply::Passed(answer) })
    })
    .await;
    let sink = crate::sink(&json!({
        "bucket": BUCKET,
        "endpoint": format!("http://{}", store.address),
        "credentials": {"access_key_id": KEY_ID, "secret_access_key": SECRET},
    }));
    sink.check().await.unwrap();
}
