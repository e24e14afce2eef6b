//! Where credentials come from without keys in the configuration. The environment decides, so that each case is a process
//! of its own: this program, asked for [`writes_with_what_the_environment_has`] alone. Whoever gives out credentials is a server of
//! the test, which refuses what the real one refuses; the store accepts no others.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use pipeline::Sink as _;
use serde_json::{Value, json};
use testkit::http::{Answer, Reply, Request, Server as Giver};

use crate::server::{BUCKET, KEY_ID, SECRET, Server};
use crate::writes::numbered;

/// What belongs to the keys that are given out.
const SESSION: &str = "session-of-the-test";

/// What a pod or another role shows for them.
const PROOF: &str = "proof-of-the-pod";

const EXPIRES: &str = "2099-01-01T00:00:00Z";

/// The configuration of the process.
const CONFIG: &str = "SINK_S3_TEST_CONFIG";

fn answer(body: impl Into<String>) -> Reply {
    Reply::Answer(200, vec![], body.into())
}

fn refusal(why: &str) -> Reply {
    Reply::Answer(400, vec![], why.to_owned())
}

/// AWS Security Token Service (API reference, "AssumeRole" and "AssumeRoleWithWebIdentity"), the container credentials of ECS
/// and EKS Pod Identity, and the instance metadata service, version 2.
fn give(request: &Request) -> Reply {
    let keys = json!({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Token": SESSION,
        "Expiration": EXPIRES, "LastUpdated": "2026-01-01T00:00:00Z",
    });
    let body = String::from_utf8_lossy(&request.body);
    let has = |pair: &str| body.split('&').any(|field| field == pair);
    let arn = has("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Faudit");
    let assumed = |action: &str| {
        answer(format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
             <AccessKeyId>{KEY_ID}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>\
             <SessionToken>{SESSION}</SessionToken><Expiration>{EXPIRES}</Expiration></Credentials></{action}Result>\
             </{action}Response>"
        ))
    };
    match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/") if has("Action=AssumeRoleWithWebIdentity") => {
            match arn && has(&format!("WebIdentityToken={PROOF}")) {
                true => assumed("AssumeRoleWithWebIdentity"),
                false => refusal("InvalidIdentityToken"),
            }
        }
        ("POST", "/") if has("Action=AssumeRole") => {
            let signed = request.header("authorization").is_some_and(|line| line.contains("AKIDOFAUSER/"));
            match arn && signed && has("ExternalId=towpath") && has("RoleSessionName=archive") {
                true => assumed("AssumeRole"),
                false => refusal("AccessDenied"),
            }
        }
        ("GET", "/v1/credentials") if request.header("authorization") == Some(PROOF) => {
            answer(keys.to_string())
        }
        ("PUT", "/latest/api/token") if request.header("x-aws-ec2-metadata-token-ttl-seconds").is_some() => {
            Reply::Answer(
                200,
                vec![("x-aws-ec2-metadata-token-ttl-seconds", "600".to_owned())],
                PROOF.to_owned(),
            )
        }
        ("GET", path) if request.header("x-aws-ec2-metadata-token") == Some(PROOF) => {
            match path.trim_end_matches('/') {
                "/latest/meta-data/iam/security-credentials" => answer("audit"),
                "/latest/meta-data/iam/security-credentials/audit" => answer(keys.to_string()),
                _ => Reply::Answer(404, vec![], String::new()),
            }
        }
        _ => refusal("not asked as it should be"),
    }
}

/// Writes one event with these variables alone; returns what was asked of whoever gives out credentials.
async fn delivers(
    credentials: Value,
    environment: impl Fn(&str, &Path) -> Vec<(&'static str, String)>,
) -> Vec<String> {
    let store = Server::start().await;
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = asked.clone();
    let giver = Giver::start(None, move |request| -> Answer {
        heard.lock().unwrap().push(format!("{} {}", request.method, request.target));
        Box::pin(async move { give(&request) })
    });
    let giver = giver.await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("proof"), PROOF).unwrap();
    let config = json!({
        "bucket": BUCKET, "endpoint": format!("http://{}", store.address), "region": "eu-central-1", "timeout": "10s",
        "credentials": credentials,
    });
    let mut process = tokio::process::Command::new(std::env::current_exe().unwrap());
    process
        .args(["--ignored", "--exact", "chain::writes_with_what_the_environment_has"])
        .env_clear()
        .env("HOME", dir.path())
        .env(CONFIG, config.to_string())
        .envs(environment(&format!("http://{}", giver.address), dir.path()))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = process.output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(store.violations(), [""; 0]);
    let [object] = &store.objects()[..] else { panic!("{said}") };
    let token = object.input.headers.iter().find(|(name, _)| name == "x-amz-security-token");
    assert_eq!(token.map(|(_, value)| value.as_str()), Some(SESSION));
    let asked = asked.lock().unwrap();
    asked.clone()
}

#[tokio::test]
#[ignore = "the process that the other tests start"]
async fn writes_with_what_the_environment_has() {
    let config: Value = serde_json::from_str(&std::env::var(CONFIG).unwrap()).unwrap();
    let outcome = crate::sink(&config).write(&numbered(&[1])).await.unwrap();
    assert_eq!(outcome, pipeline::Outcome::default());
}

/// IAM roles for service accounts (IRSA).
#[tokio::test]
async fn a_web_identity_is_changed_into_credentials() {
    let asked = delivers(json!({}), |giver, dir| {
        vec![
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/audit".to_owned()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", dir.join("proof").display().to_string()),
            ("AWS_ENDPOINT_URL_STS", giver.to_owned()),
        ]
    });
    assert_eq!(asked.await, ["POST /"]);
}

/// EKS Pod Identity, and tasks of ECS.
#[tokio::test]
async fn a_pod_has_its_credentials_from_the_agent() {
    let asked = delivers(json!({}), |giver, dir| {
        vec![
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{giver}/v1/credentials")),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", dir.join("proof").display().to_string()),
        ]
    });
    assert_eq!(asked.await, ["GET /v1/credentials"]);
}

#[tokio::test]
async fn an_instance_has_its_credentials_from_the_metadata_service() {
    let asked = delivers(json!({}), |giver, _| vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", giver.to_owned())]);
    let asked = asked.await;
    assert_eq!(asked.first().map(String::as_str), Some("PUT /latest/api/token"), "{asked:?}");
}

#[tokio::test]
async fn a_role_is_assumed_with_the_keys_of_a_profile() {
    let role = json!({
        "role_arn": "arn:aws:iam::123456789012:role/audit", "external_id": "towpath", "session_name": "archive",
    });
    let asked = delivers(json!({ "assume_role": role }), |giver, dir| {
        let profile = "[default]\naws_access_key_id = AKIDOFAUSER\naws_secret_access_key = key-of-a-user\n";
        std::fs::write(dir.join("profile"), profile).unwrap();
        vec![
            ("AWS_SHARED_CREDENTIALS_FILE", dir.join("profile").display().to_string()),
            ("AWS_ENDPOINT_URL_STS", giver.to_owned()),
        ]
    });
    assert_eq!(asked.await, ["POST /"]);
}
