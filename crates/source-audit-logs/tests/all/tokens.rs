//! Access tokens.

use std::sync::{Arc, Mutex};

use pipeline::{Next, Source, SourceError};
use serde_json::json;
use simulator::log::{Fault, Log};
use source_audit_logs::{Account, AuditLogsConfig, AuditLogsSource};
use testkit::http::{Reply, Server};
use testkit::line;

use crate::apis::{self, wiring};
use crate::driver::Nothing;

/// A token is fetched once, used until it is refused, and fetched again.
#[tokio::test]
async fn tokens_are_fetched_and_fetched_again() {
    let kind = apis::cursor();
    let api = Log::start(kind.manner.clone(), 30).await.unwrap();
    let (tokens, fetched) = token_server(api.key()).await;
    let mut config = kind.config(&api);
    config["auth"] = json!({"oauth2": {
        "token_url": format!("http://{}/token", tokens.address), "client_id": "cl:ient", "client_secret": "s3cret-of-the-client",
        "grant": "account_credentials", "params": {"account_id": "acc 1"}, "scope": "audit:read",
    }});
    let config: AuditLogsConfig = serde_json::from_value(config).unwrap();
    let account = Account::new(config.validate().unwrap(), wiring());
    let mut source = AuditLogsSource::new("audit", account);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    for _ in 0..3 {
        source.next().await.unwrap();
    }
    let asked = fetched.lock().unwrap().clone();
    assert_eq!(asked.len(), 1, "{asked:?}");
    // Y2wlM0FpZW50…: `cl%3Aient:s3cret-of-the-client`, each part form-encoded first.
    assert!(asked[0].contains("Basic Y2wlM0FpZW50OnMzY3JldC1vZi10aGUtY2xpZW50"), "{asked:?}");
    assert!(
        asked[0].ends_with("grant_type=account_credentials&scope=audit%3Aread&account_id=acc%201"),
        "{asked:?}"
    );
    // A token may be revoked before its time.
    api.script(Fault::Status(401));
    let mut refusals = 0;
    for _ in 0..6 {
        match source.next().await {
            Err(error) => {
                refusals += usize::from(matches!(error, SourceError::Paused { reason: "authentication", .. }))
            }
            Ok(Next::Wait(_)) => break,
            Ok(Next::Page { .. } | Next::Learnt(_)) => {}
        }
    }
    assert_eq!((refusals, fetched.lock().unwrap().len()), (1, 2), "it is fetched again");
    let mut source = AuditLogsSource::new("audit", {
        let mut config = kind.config(&api);
        config["auth"] = json!({"oauth2": {
            "token_url": format!("http://{}/refused", tokens.address), "client_id": "a", "client_secret": "s3cret-of-the-client",
        }});
        let config: AuditLogsConfig = serde_json::from_value(config).unwrap();
        Account::new(config.validate().unwrap(), wiring())
    });
    let refused = source.check().await.unwrap_err();
    assert!(matches!(refused, SourceError::Paused { reason: "authentication", .. }), "{refused:?}");
    let text = line(&refused);
    assert!(text.starts_with("check `auth.oauth2`") && text.contains("invalid_client"), "{text}");
    assert!(!format!("{text} {refused:?}").contains("s3cret"), "{text}");
}

/// The header `Authorization`, and the body.
type Asked = Arc<Mutex<Vec<String>>>;

/// Gives out `token` at `/token`, and refuses elsewhere.
async fn token_server(token: &'static str) -> (Server, Asked) {
    let asked = Asked::default();
    let seen = asked.clone();
    let server = Server::start(None, move |request| {
        let authorization = request.header("authorization").unwrap_or_default();
        let body = String::from_utf8_lossy(&request.body);
        seen.lock().unwrap().push(format!("{authorization} {body}"));
        let reply = if request.method == "POST" && request.target == "/token" {
            let body = json!({"access_token": token, "token_type": "bearer", "expires_in": 3600});
            Reply::Answer(200, vec![], body.to_string())
        } else {
            let body = json!({"error": "invalid_client", "secret": "s3cret-of-the-client"});
            Reply::Answer(400, vec![], body.to_string())
        };
        Box::pin(async move { reply })
    });
    (server.await, asked)
}
