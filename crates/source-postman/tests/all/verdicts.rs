//! What follows from each answer of Postman's that is no page, and in which words.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::driver::{Run, wiring};
use pipeline::{Next, SourceError};
use source_postman::{Account, PostmanConfig};
use testkit::http::{Reply, Server};
use testkit::line;

const KEY: &str = "PMAK-s3cret";

/// Answers `status` and `body`: to the first request, or to the one with the first page's cursor.
async fn server(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &str,
    paged: bool,
) -> (Server, Arc<Mutex<bool>>) {
    let (answer, is_spoiled) = (Reply::Answer(status, headers, body.to_owned()), Arc::new(Mutex::new(false)));
    let was_given = is_spoiled.clone();
    let server = Server::start(None, move |request| {
        let mut is_spoiled = is_spoiled.lock().unwrap();
        let due = !paged || request.target.contains("cursor=7");
        let reply = if due && !std::mem::replace(&mut *is_spoiled, due) {
            answer.clone()
        } else {
            Reply::Answer(200, vec![], r#"{"trails": [{"id": 1}], "nextCursor": 7}"#.to_owned())
        };
        Box::pin(async move { reply })
    });
    (server.await, was_given)
}

/// What becomes of the answer, in a line, and what is said.
async fn told(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: &str,
    paged: bool,
) -> (String, String) {
    let (server, was_given) = server(status, headers, body, paged).await;
    let config = format!(r#"{{"api_key": "{KEY}", "url": "http://{}", "start": "1h"}}"#, server.address);
    let config: PostmanConfig = serde_json::from_str(&config).unwrap();
    let mut run = Run::open(Account::new(config.validate().unwrap(), wiring()), None).await.unwrap();
    let mut next = run.next().await;
    while !*was_given.lock().unwrap() {
        next = run.next().await;
    }
    let word = match &next {
        Ok(Next::Page { .. }) => "page".to_owned(),
        Ok(Next::Learnt(_)) => "learnt".to_owned(),
        Ok(Next::Wait(wait)) => format!("wait {:?}", Duration::from_millis(wait.duration.as_millis() as u64)),
        Err(SourceError::Transient { retry_after, .. }) => match retry_after {
            None => "transient".to_owned(),
            Some(wait) => format!("transient {}", wait.as_secs_f64().ceil()),
        },
        Err(SourceError::Paused { reason, .. }) => format!("paused {reason}"),
        Err(other) => panic!("{other:?}"),
    };
    let over = run.source_walks().iter().any(|walk| walk.contains("started over"));
    let said = next.err().map(|error| {
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        line(&error)
    });
    (if over { format!("over: {word}") } else { word }, said.unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_its_verdict_with_and_without_a_cursor() {
    let table: &[(u16, &str, &str, &str)] = &[
        (304, "", "paused request", "over: transient"),
        (400, "", "wait 0ns", "over: transient"),
        (
            400,
            r#"{"error":{"name":"BadRequest","message":"since cannot be older than 180 days"}}"#,
            "wait 100ms",
            "wait 100ms",
        ),
        (
            400,
            r#"{"title":"Bad Request","detail":"Date CANNOT be older than 2026"}"#,
            "wait 100ms",
            "wait 100ms",
        ),
        (422, r#"{"error":{"message":"since cannot be older than 180 days"}}"#, "wait 100ms", "wait 100ms"),
        (
            400,
            r#"{"error":{"name":"InvalidAuditAction","message":"Invalid audit action format."}}"#,
            "wait 0ns",
            "over: transient",
        ),
        (401, "<html>", "paused authentication", "paused authentication"),
        (
            401,
            r#"{"error":{"name":"AuthenticationError","message":"Invalid API Key."}}"#,
            "paused authentication",
            "paused authentication",
        ),
        (
            401,
            r#"{"type":"https://api.postman.com/unauthorized","title":"Unauthorized","detail":"x","status":401}"#,
            "paused authentication",
            "paused authentication",
        ),
        (402, "", "paused plan", "paused plan"),
        (403, "", "paused permission", "paused permission"),
        (
            403,
            r#"{"error":{"name":"ForbiddenRequest","message":"You do not have permissions to view team Audit logs"}}"#,
            "paused permission",
            "paused permission",
        ),
        // What stands in front of the API may speak of anything.
        (
            403,
            "<html>Your plan and your region have this feature</html>",
            "paused permission",
            "paused permission",
        ),
        (
            403,
            r#"{"title":"Forbidden","detail":"This feature isn't available in your region."}"#,
            "paused plan",
            "paused plan",
        ),
        (403, r#"{"error":{"name":"x","message":"Upgrade to see it"}}"#, "paused plan", "paused plan"),
        (403, r#"{"error":{"name":"rateLimitError","message":"x"}}"#, "wait 5s", "wait 5s"),
        (404, "", "paused request", "over: transient"),
        (408, "", "transient", "transient"),
        (409, "", "paused request", "over: transient"),
        (410, "", "paused request", "over: transient"),
        (418, "", "paused request", "over: transient"),
        (422, "", "wait 0ns", "over: transient"),
        (425, "", "transient", "transient"),
        (429, "", "wait 5s", "wait 5s"),
        (429, r#"{"error":{"name":"rateLimited","message":"x"}}"#, "wait 5s", "wait 5s"),
        (
            429,
            r#"{"error":{"name":"serviceLimitExhausted","message":"x"}}"#,
            "paused monthly_quota",
            "paused monthly_quota",
        ),
        (
            429,
            r#"{"type":"serviceLimitExhausted","detail":"x"}"#,
            "paused monthly_quota",
            "paused monthly_quota",
        ),
        (500, r#"{"error":{"name":"serverError","message":"x"}}"#, "transient", "transient"),
        (501, "", "transient", "transient"),
        (502, "<html>", "transient", "transient"),
        (503, "", "transient", "transient"),
        (504, "", "transient", "transient"),
        (524, "", "transient", "transient"),
        (200, r#"{"error": {"name": "x"}}"#, "transient", "transient"),
        (200, "<html><body>Sign in</body></html>", "transient", "transient"),
        (200, r#"{"trails": [], "nextCursor": [1]}"#, "transient", "transient"),
        (200, r#"{"trails": [{"message": "serviceLimitExhausted"}]}"#, "page", "page"),
    ];
    for (status, body, first, paged) in table {
        assert_eq!(told(*status, vec![], body, false).await.0, *first, "{status} {body}");
        assert_eq!(told(*status, vec![], body, true).await.0, *paged, "{status} {body}, with a cursor");
    }
    let later = told(503, vec![("retry-after", "9".to_owned())], "", false).await;
    assert_eq!(later.0, "transient 9", "as its Retry-After says");
}

#[tokio::test(start_paused = true)]
async fn words_are_one_line_without_the_key() {
    for (status, body, words) in [
        (
            401,
            r#"{"error":{"name":"A","message":"key PMAK-s3cret\n is wrong"}}"#,
            "Postman answers 401: A: key …  is wrong",
        ),
        (502, "<html>", "Postman answers 502"),
        (500, r#"{"title":"Oops"}"#, "Postman answers 500: Oops"),
        (500, r#"{"detail":"it broke"}"#, "Postman answers 500: it broke"),
        (500, r#"{"title":"Oops","detail":"it broke"}"#, "Postman answers 500: Oops: it broke"),
        (500, r#"{"type":"oops"}"#, "Postman answers 500: oops"),
        (
            429,
            r#"{"type":"serviceLimitExhausted","detail":"x"}"#,
            "Postman answers 429: serviceLimitExhausted: x",
        ),
        (200, r#"{"error":{"message":"x"}}"#, "answer has no `trails` array"),
        (200, r#"{"trails":[],"nextCursor":{}}"#, "the cursor in the answer is neither a number nor a text"),
        (200, r#"{"trails":["#, "answer is not JSON, or cut: "),
    ] {
        let said = told(status, vec![], body, false).await.1;
        let rest = said.split_once(words).map(|(_, rest)| rest);
        assert!(rest.is_some_and(|rest| rest.is_empty() || words.ends_with(": ")), "{status} {body}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
    let long = format!(r#"{{"title": "{}"}}"#, "é".repeat(10_000));
    assert!(told(500, vec![], &long, false).await.1.len() < 700);
}

#[tokio::test(start_paused = true)]
async fn remedies_speak_of_the_keys_that_the_user_has() {
    for (status, body, remedy) in [
        (401, "", "put a valid key into `api_key`"),
        (403, "", "use the key of a Team Admin or Super Admin"),
        (402, "", "audit logs need Postman's Enterprise plan"),
        (404, "", "check `url`: what answers there does not take the requests of Postman's API"),
        (
            429,
            r#"{"error":{"name":"serviceLimitExhausted"}}"#,
            "raise it in Postman, or wait for the next month",
        ),
    ] {
        let said = told(status, vec![], body, false).await.1;
        assert!(said.contains(remedy), "{status}: {said}");
        for key in ["`auth", "`request", "`errors", "`paging", "`records"] {
            assert!(!said.contains(key), "{status} names {key}, which Postman's users have not: {said}");
        }
    }
}

/// Counted from the answer's `Date`, as the moment is the server's.
#[tokio::test(start_paused = true)]
async fn a_moment_in_prose_is_heeded() {
    let body = r#"{"error":{"name":"rateLimited","message":"Please retry at 1795168830000."}}"#;
    let date = vec![("date", "Fri, 20 Nov 2026 10:00:00 GMT".to_owned())];
    assert_eq!(told(429, date.clone(), body, false).await.0, "wait 30s");
    let noon = r#"{"error":{"message":"Please retry at noon"}}"#;
    assert_eq!(told(429, date, noon, false).await.0, "wait 5s");
}
