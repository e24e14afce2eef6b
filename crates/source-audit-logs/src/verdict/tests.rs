use http_client::StatusCode;
use http_client::header::{HeaderMap, HeaderValue};

use super::*;
use crate::api::ErrorRule;

/// What the walk and the source do, in a line.
fn words(verdict: &Verdict) -> String {
    let error = |error: &SourceError| match error {
        SourceError::Transient { retry_after: None, .. } => "transient".to_owned(),
        SourceError::Transient { retry_after: Some(wait), .. } => format!("transient {}", wait.as_secs()),
        SourceError::Paused { reason, .. } => format!("paused {reason}"),
        other => format!("{other:?}"),
    };
    let then = match &verdict.then {
        Then::Wait(wait) => format!("wait {wait:?}"),
        Then::RateLimited(None) => "rate limited".to_owned(),
        Then::RateLimited(Some(at)) => format!("rate limited until {at}"),
        Then::Quota(e) => format!("quota, {}", error(e)),
        Then::OtherCredential(e) => format!("other credential or {}", error(e)),
        Then::OtherForm(e) => format!("other form or {}", error(e)),
        Then::SmallerPages(e) => format!("smaller pages, {}", error(e)),
        Then::Fail(e) => error(e),
    };
    match verdict.failure {
        Some(failure) => format!("{failure:?}: {then}"),
        None => then,
    }
}

fn answer(status: u16, header: Option<(&'static str, &'static str)>, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let body = bytes::Bytes::copy_from_slice(body.as_bytes());
    Answer { status: StatusCode::from_u16(status).unwrap(), headers, body, date: None }
}

fn rules() -> Vec<ErrorRule> {
    let rule = |kind| ErrorRule {
        status: None,
        header: None,
        path: None,
        equals: None,
        contains: Vec::new(),
        message: None,
        kind,
        remedy: None,
    };
    let path = |text: &str| Some(text.parse().unwrap());
    vec![
        ErrorRule {
            status: Some(StatusCode::BAD_REQUEST),
            contains: vec!["cannot be older".into()],
            ..rule(ErrorKind::Retention)
        },
        ErrorRule {
            status: Some(StatusCode::FORBIDDEN),
            header: Some("x-ratelimit-remaining".parse().unwrap()),
            equals: Some("0".into()),
            ..rule(ErrorKind::RateLimit)
        },
        ErrorRule { path: path("error"), equals: Some("ratelimited".into()), ..rule(ErrorKind::RateLimit) },
        ErrorRule {
            path: path("ok"),
            equals: Some("false".into()),
            message: path("why"),
            ..rule(ErrorKind::Authentication)
        },
        ErrorRule { path: path("errors"), ..rule(ErrorKind::Request) },
        ErrorRule {
            status: Some(StatusCode::FORBIDDEN),
            path: path("why"),
            contains: vec!["plan".into(), "region".into()],
            remedy: Some("buy it".into()),
            ..rule(ErrorKind::Plan)
        },
        ErrorRule { contains: vec!["quota".into()], ..rule(ErrorKind::Quota) },
        ErrorRule { contains: vec!["stale cursor".into()], ..rule(ErrorKind::Cursor) },
        ErrorRule { contains: vec!["took too long".into()], ..rule(ErrorKind::Timeout) },
    ]
}

#[test]
fn every_answer_has_its_verdict_with_and_without_a_cursor() {
    let left = Some(("x-ratelimit-remaining", "0"));
    for (status, header, body, first, paged) in [
        (200, None, r#"{"items": []}"#, "page", "page"),
        (200, None, r#"{"errors": [], "ok": true}"#, "page", "page"),
        (200, None, r#"{"errors": null}"#, "page", "page"),
        (
            200,
            None,
            r#"{"errors": [{"message": "x"}]}"#,
            "other form or paused request",
            "CursorUnknown: transient",
        ),
        (
            200,
            None,
            r#"{"ok": false, "why": "x"}"#,
            "other credential or paused authentication",
            "other credential or paused authentication",
        ),
        (200, None, r#"{"ok": false, "error": "ratelimited"}"#, "rate limited", "rate limited"),
        // A record may contain any text: by that alone no page is an error.
        (200, None, r#"{"items": [{"message": "raised the QUOTA, it took too long"}]}"#, "page", "page"),
        (429, None, "you have used up your QUOTA", "quota, paused quota", "quota, paused quota"),
        (301, None, "", "paused request", "CursorUnknown: transient"),
        (400, None, "", "other form or paused request", "CursorUnknown: transient"),
        (
            400,
            None,
            "since Cannot be older than 90 days",
            "BeforeRetention: wait 100ms",
            "BeforeRetention: wait 100ms",
        ),
        (
            422,
            None,
            "since cannot be older than 90 days",
            "other form or paused request",
            "CursorUnknown: transient",
        ),
        (400, None, "stale cursor", "CursorUnknown: transient", "CursorUnknown: transient"),
        (
            401,
            None,
            "",
            "other credential or paused authentication",
            "other credential or paused authentication",
        ),
        (402, None, "", "other credential or paused permission", "other credential or paused permission"),
        (403, None, "", "other credential or paused permission", "other credential or paused permission"),
        (403, left, "", "rate limited", "rate limited"),
        (
            403,
            Some(("x-ratelimit-remaining", "7")),
            "",
            "other credential or paused permission",
            "other credential or paused permission",
        ),
        // Texts are looked for in the member, where one is named.
        (
            403,
            None,
            r#"{"why": "not in your Region"}"#,
            "other credential or paused plan",
            "other credential or paused plan",
        ),
        (
            403,
            None,
            r#"{"why": "x", "plan": "y"}"#,
            "other credential or paused permission",
            "other credential or paused permission",
        ),
        (404, None, "", "paused request", "CursorUnknown: transient"),
        (408, None, "", "TimedOut: transient", "TimedOut: transient"),
        (410, None, "", "paused request", "CursorUnknown: transient"),
        (425, None, "", "Other: transient", "Other: transient"),
        (429, None, "", "rate limited", "rate limited"),
        (500, None, "", "Other: transient", "Other: transient"),
        (500, None, "the query took too long", "TimedOut: transient", "TimedOut: transient"),
        (503, None, "", "Other: transient", "Other: transient"),
        (504, None, "", "TimedOut: transient", "TimedOut: transient"),
        (524, None, "", "TimedOut: transient", "TimedOut: transient"),
    ] {
        let answer = answer(status, header, body);
        let of = |paged| match Refusal::read(&answer, &rules(), &Hidden::default(), &Voice::DESCRIBED) {
            None => "page".to_owned(),
            Some(refusal) => words(&of_refusal(refusal, None, paged, Duration::ZERO, &Voice::DESCRIBED)),
        };
        assert_eq!((of(Paged::First).as_str(), of(Paged::Later).as_str()), (first, paged), "{status} {body}");
    }
    let refusal = Refusal::read(&answer(503, None, ""), &[], &Hidden::default(), &Voice::DESCRIBED).unwrap();
    let verdict = of_refusal(refusal, None, Paged::First, Duration::from_secs(9), &Voice::DESCRIBED);
    assert_eq!(words(&verdict), "Other: transient 9", "as its Retry-After says");
}

#[test]
fn what_an_answer_says_in_words_is_heeded() {
    let read = |status, body: &str| {
        Refusal::read(&answer(status, None, body), &rules(), &Hidden::default(), &Voice::DESCRIBED).unwrap()
    };
    let of = |refusal| words(&of_refusal(refusal, None, Paged::First, Duration::ZERO, &Voice::DESCRIBED));
    let until = "rate limited until 2026-11-20T10:00:00.000Z";
    for (body, expected) in [
        (r#"{"error":{"name":"rateLimited","message":"Please retry at 1795168800000."}}"#, until),
        (r#"{"message":"Retry at 2026-11-20T10:00:00Z, please"}"#, until),
        (r#"{"message":"Please retry at noon"}"#, "rate limited"),
        (r#"{"message":"Please retry at "}"#, "rate limited"),
    ] {
        assert_eq!(of(read(429, body)), expected, "{body}");
    }
    let plan =
        of_refusal(read(403, r#"{"why":"plan"}"#), None, Paged::First, Duration::ZERO, &Voice::DESCRIBED);
    let Then::OtherCredential(SourceError::Paused { remedy, .. }) = plan.then else { panic!("{plan:?}") };
    assert_eq!(remedy, "buy it");
}

#[test]
fn words_are_one_line_without_the_secret_and_name_the_rule() {
    let mut hidden = Hidden::default();
    hidden.hide("s3cret");
    let said = |status, body: &str| {
        Refusal::read(&answer(status, None, body), &rules(), &hidden, &Voice::DESCRIBED).unwrap().to_string()
    };
    assert_eq!(
        said(401, r#"{"error":{"message":"key s3cret\n is wrong"}}"#),
        "the API answers 401: key …  is wrong"
    );
    assert_eq!(said(403, r#"{"detail":"no"}"#), "the API answers 403: no");
    assert_eq!(said(404, r#"{"message":"nothing here"}"#), "the API answers 404: nothing here");
    assert_eq!(said(500, r#"{"title":"Oops","detail":"it broke"}"#), "the API answers 500: Oops: it broke");
    assert_eq!(said(502, "<html>"), "the API answers 502");
    assert_eq!(
        said(200, r#"{"ok":false,"why":"not you"}"#),
        "the API answers 200, which `errors.3` describes: not you"
    );
    let long = format!(r#"{{"title": "{}"}}"#, "é".repeat(10_000));
    assert!(said(500, &long).len() < 700);
}

#[test]
fn every_failure_of_a_request_has_its_verdict() {
    let server = || "https://api.example.com".to_owned();
    let late = |what| HttpError::Timeout { what, server: server(), after: Duration::from_secs(90) };
    for (error, expected) in [
        (HttpError::Setup { detail: String::new() }, "paused setup"),
        (HttpError::Dns { server: server(), source: "x".into() }, "transient"),
        (HttpError::Connect { server: server(), source: "x".into() }, "transient"),
        (HttpError::Tls { server: server(), detail: String::new(), remedy: String::new() }, "paused tls"),
        (HttpError::Redirect { server: server(), to: String::new(), status: 302 }, "paused redirect"),
        (late(TimedOut::Connection), "transient"),
        (late(TimedOut::Answer), "TimedOut: transient"),
        (late(TimedOut::WholeBody), "TimedOut: transient"),
        (HttpError::Reset { server: server(), source: "x".into() }, "Other: transient"),
        (HttpError::Truncated { server: server(), received: 1 }, "Other: transient"),
        (HttpError::Protocol { server: server(), source: "x".into() }, "Other: transient"),
        (HttpError::TooLarge { server: server(), cap: 1 }, "Other: smaller pages, transient"),
    ] {
        let shown = error.to_string();
        assert_eq!(
            words(&of_no_answer(NoAnswer::Http(error), &Hidden::default(), &Voice::DESCRIBED)),
            expected,
            "{shown}"
        );
    }
    let described = || NotAPage::Description("x".into());
    assert_eq!(
        words(&of_unreadable(described(), None, false, &Voice::DESCRIBED)),
        "Other: paused description"
    );
    assert_eq!(words(&of_unreadable(described(), None, true, &Voice::DESCRIBED)), "Other: transient");
    assert_eq!(words(&of_unreadable(NotAPage::Size, None, false, &Voice::DESCRIBED)), "Other: transient");
    let limited = |quota| NoAnswer::Limited { wait: Duration::from_secs(3), quota };
    assert_eq!(words(&of_no_answer(limited(false), &Hidden::default(), &Voice::DESCRIBED)), "wait 3s");
    assert_eq!(words(&of_no_answer(limited(true), &Hidden::default(), &Voice::DESCRIBED)), "paused quota");
    for (status, expected) in [
        (400, "other credential or paused authentication"),
        (401, "other credential or paused authentication"),
        (429, "transient"),
        (503, "transient"),
    ] {
        let token = NoAnswer::Token { answer: Box::new(answer(status, None, "")), server: server() };
        assert_eq!(words(&of_no_answer(token, &Hidden::default(), &Voice::DESCRIBED)), expected, "{status}");
    }
    let none = NoAnswer::NoToken { server: server() };
    assert_eq!(words(&of_no_answer(none, &Hidden::default(), &Voice::DESCRIBED)), "paused authentication");
}

#[test]
fn a_check_takes_no_page_for_a_wrong_address_and_trouble_for_trouble() {
    let paused_for = |source: BoxError| match of_check(
        SourceError::Transient { retry_after: None, source },
        true,
        &Voice::DESCRIBED,
    ) {
        SourceError::Paused { reason, .. } => Some(reason),
        SourceError::Transient { .. } => None,
        other => panic!("{other}"),
    };
    assert_eq!(paused_for(NotAPage::Line(3).into()), Some("no_page"));
    assert_eq!(paused_for(NotAPage::Description(String::new()).into()), Some("description"));
    assert_eq!(paused_for("the API answers 503".into()), None);
}
