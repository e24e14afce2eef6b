//! Our own store against a real one: the same odd requests to both, and the same answers, by status and code. A difference is a
//! defect of ours.

use std::fmt::Write as _;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};
use testkit::http::{Request, send};

use crate::minio::Access;
use crate::real::{client, client_of};
use crate::server::{BUCKET, KEY_ID, SECRET, Server};

const BODY: &[u8] = b"{\"n\":1}\n";

/// An object that is what it says.
fn put(client: &Client, bucket: &str, key: &str) -> PutObjectFluentBuilder {
    let mut sha256 = String::new();
    Sha256::digest(BODY).iter().for_each(|byte| write!(sha256, "{byte:02x}").unwrap());
    let request = client.put_object().bucket(bucket).key(key).body(ByteStream::from_static(BODY));
    let id = "0".repeat(32);
    request
        .metadata("events", "1")
        .metadata("sha256", sha256)
        .metadata("first-id", &id)
        .metadata("last-id", id)
}

fn words<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E, HttpResponse>>) -> String {
    match result {
        Ok(_) => "200".to_owned(),
        Err(SdkError::ServiceError(refusal)) => {
            format!("{} {}", refusal.raw().status(), refusal.err().code().unwrap_or("-"))
        }
        Err(_) => "no answer of a store".to_owned(),
    }
}

/// What a store says to each odd request. None has a Content-MD5, which the sink does not send.
async fn answers(access: &Access, bucket: &str) -> Vec<(&'static str, String)> {
    let good = client(access);
    let wrong = client(&Access { key: "another-secret".to_owned(), ..access.clone() });
    let unknown = client(&Access { id: "NOBODY".to_owned(), ..access.clone() });
    let elsewhere = client_of(access, "eu-central-1");
    let wrong_digest = BASE64_STANDARD.encode([7; 32]);
    let there = "there.ndjson";
    let say = |result| words(result);
    let mut said = vec![
        ("a new object", say(put(&good, bucket, there).if_none_match("*").send().await)),
        ("an object that is there", say(put(&good, bucket, there).if_none_match("*").send().await)),
        ("the same without a condition", say(put(&good, bucket, there).send().await)),
        (
            "there, with a wrong digest",
            say(put(&good, bucket, there).if_none_match("*").checksum_sha256(&wrong_digest).send().await),
        ),
        ("there, with a wrong signature", say(put(&wrong, bucket, there).if_none_match("*").send().await)),
        ("a wrong digest", say(put(&good, bucket, "a.ndjson").checksum_sha256(&wrong_digest).send().await)),
        ("a wrong CRC", say(put(&good, bucket, "b.ndjson").checksum_crc32_c("AAAAAA==").send().await)),
        ("a wrong signature", say(put(&wrong, bucket, "d.ndjson").send().await)),
        ("an unknown key", say(put(&unknown, bucket, "e.ndjson").send().await)),
        ("another region", say(put(&elsewhere, bucket, "f.ndjson").send().await)),
        ("a missing bucket", say(put(&good, "absent-bucket", "g.ndjson").send().await)),
        (
            "a missing bucket, with a condition",
            say(put(&good, "absent-bucket", "g.ndjson").if_none_match("*").send().await),
        ),
        (
            "a missing bucket, with a wrong signature",
            say(put(&wrong, "absent-bucket", "g.ndjson").send().await),
        ),
        (
            "a missing bucket, with a wrong digest",
            say(put(&good, "absent-bucket", "g.ndjson").checksum_sha256(&wrong_digest).send().await),
        ),
        (
            "a key that is too long",
            say(put(&good, bucket, &format!("{}.ndjson", "k".repeat(1020))).send().await),
        ),
        (
            "a key of a kilobyte",
            say(put(&good, bucket, &format!("{}.ndjson", "k/".repeat(508))).send().await),
        ),
        (
            "a key with odd characters",
            say(put(&good, bucket, "year=2023/ü +%20&.ndjson").if_none_match("*").send().await),
        ),
        (
            "the same again",
            say(put(&good, bucket, "year=2023/ü +%20&.ndjson").if_none_match("*").send().await),
        ),
    ];
    let list = |client: &Client, bucket: &str| client.list_objects_v2().bucket(bucket).max_keys(1);
    said.extend([
        ("a listing", words(list(&good, bucket).send().await)),
        ("a listing of nothing", words(list(&good, bucket).prefix("absent/").send().await)),
        ("a listing of a missing bucket", words(list(&good, "absent-bucket").send().await)),
        ("a listing with a wrong signature", words(list(&wrong, bucket).send().await)),
        ("a listing with an unknown key", words(list(&unknown, bucket).send().await)),
        ("a listing in another region", words(list(&elsewhere, bucket).send().await)),
    ]);
    let unsigned = Request::new(access.address(), "PUT", &format!("/{bucket}/h.ndjson"), BODY);
    let answer = send(access.address(), unsigned).await.unwrap();
    let text = String::from_utf8(answer.body).unwrap();
    let code = text.split("<Code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or("-");
    said.push(("no signature", format!("{} {code}", answer.status)));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a store: S3_TEST_ENDPOINT, S3_TEST_ACCESS_KEY, S3_TEST_SECRET_KEY"]
async fn our_store_answers_as_a_real_one_does() {
    let real = Access::of_environment();
    let bucket = format!("answers-{}", std::process::id());
    client(&real).create_bucket().bucket(&bucket).send().await.unwrap();
    let server = Server::start().await;
    let endpoint = format!("http://{}", server.address);
    let ours = Access { endpoint, id: KEY_ID.to_owned(), key: SECRET.to_owned() };
    let (real, ours) = (answers(&real, &bucket).await, answers(&ours, BUCKET).await);
    let differences: Vec<String> = (real.iter().zip(&ours))
        .filter(|((_, real), (_, ours))| real != ours)
        .map(|((odd, real), (_, ours))| format!("{odd}: real {real}, ours {ours}"))
        .collect();
    assert!(differences.is_empty(), "{} of {}:\n{}", differences.len(), real.len(), differences.join("\n"));
}
