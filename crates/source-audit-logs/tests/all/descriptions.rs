//! What is said of a description that does not hold together, or does not fit the API.

use std::sync::Arc;

use pipeline::{Next, Source};
use serde_json::{Value, json};
use simulator::log::{Log, Manner};
use source_audit_logs::AuditLogsConfig;
use testkit::line;

use crate::apis::{self, Kind};
use crate::driver::{Nothing, set};

fn refused(config: Value) -> Vec<String> {
    let config: AuditLogsConfig = serde_json::from_value(config).unwrap();
    match config.validate() {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong.iter().map(|wrong| format!("`{}` {}", wrong.path, wrong.message)).collect(),
    }
}

#[tokio::test]
async fn what_does_not_hold_together_is_refused_by_its_key() {
    let api = Log::start(Manner::default(), 0).await.unwrap();
    let good = apis::cursor().config(&api);
    assert_eq!(refused(good.clone()), [""; 0]);
    for (path, value, expected) in [
        (
            "url",
            json!("http://api.example.com"),
            "`url` is plain http:// to another machine would send the key in clear",
        ),
        ("auth", json!({"bearer": " "}), "`auth.bearer` is empty"),
        ("auth", json!({"headers": {"a b": "x"}}), "`auth.headers.a b` is no name of a header"),
        (
            "auth",
            json!({"bearer": "a\nb"}),
            "`auth.bearer` holds a line break or another character that no header can carry",
        ),
        (
            "auth",
            json!({"oauth2": {"token_url": "https://x.example", "client_id": "a", "client_secret": "b", "grant": "refresh_token"}}),
            "`auth.oauth2.refresh_token` is missing",
        ),
        (
            "request.path",
            json!("/orgs/{org}/log"),
            "`request.path` has `{org}`, which is not one of `variables`",
        ),
        ("request.path", json!("v1/log"), "`request.path` is no path"),
        ("request.path", json!("/v1/log?x=1"), "`request.path` is no path"),
        ("request.body", json!({"a": 1}), "`request.body` belongs to a `POST`"),
        (
            "records.path",
            json!("a..b"),
            "`records.path` is not names joined by dots, such as `data.items` or `data.\"with.dot\"`",
        ),
        (
            "paging.link",
            json!({}),
            "`paging` has not exactly one of `cursor`, `next_url`, `link`, `page`, `offset`, `bound` and `none`",
        ),
        (
            "paging.cursor.to",
            json!({"body": "c"}),
            "`paging.cursor.to` is a member of the body, but a `GET` has none",
        ),
        ("paging.cursor.from", json!(["a", ""]), "`paging.cursor.from.1` is empty"),
        ("time_filter.since", json!(null), "`time_filter` has no `since`"),
        ("time_filter.since.template", json!("created:>="), "`time_filter.since.template` has not one `{}`"),
        ("time_filter.settle", json!("20m"), "`time_filter.settle` is longer than `overlap`"),
        (
            "time_filter.max_span",
            json!("30h"),
            "`time_filter.max_span` is shorter than twice `resweep.over` and `overlap` together, so that a re-sweep would not fit",
        ),
        (
            "retention",
            json!("1h"),
            "`resweep.over` is longer than `retention`, so that a re-sweep would ask for what is gone",
        ),
        ("errors", json!([{"kind": "quota"}]), "`errors.0` says nothing of the answers that it is about"),
        (
            "errors",
            json!([{"status": 400, "equals": 1, "kind": "quota"}]),
            "`errors.0` has `equals`, but neither `header` nor `path`",
        ),
        ("errors", json!([{"status": 1, "kind": "quota"}]), "`errors.0.status` is no status"),
        ("start", json!("soon"), "`start` is neither `all`, `now`, an age nor a moment"),
        ("poll_interval", json!("10ms"), "`poll_interval` is below 1s"),
    ] {
        let mut config = good.clone();
        set(&mut config, path, value);
        assert_eq!(refused(config), [expected], "{path}");
    }
    let mut boundless = good.clone();
    set(&mut boundless, "retention", json!(null));
    set(&mut boundless, "time_filter.since.required", json!(true));
    let expected =
        "`start` is `all`, but the API must be told where to begin, and nothing says how far back it keeps";
    assert_eq!(refused(boundless), [expected]);
    let mut bound = good.clone();
    set(&mut bound, "paging", json!({"bound": {}}));
    set(&mut bound, "time_filter.granularity", json!("second"));
    set(&mut bound, "order", json!("unordered"));
    assert_eq!(refused(bound.clone()), ["`order` is `unordered`, but `paging.bound` goes by it"]);
    set(&mut bound, "order", json!("newest_first"));
    assert_eq!(
        refused(bound.clone()),
        ["`paging.bound` needs `paging.page_size`, by which the last page is told"]
    );
    set(&mut bound, "paging.page_size", json!({"to": {"query": "limit"}, "size": 20}));
    set(&mut bound, "time_filter.granularity", json!(null));
    let cut = "`paging.bound` needs `time_filter.granularity`: an edge that the API cuts to more than is known leaves records out";
    assert_eq!(refused(bound), [cut]);
    let mut following = good.clone();
    set(&mut following, "paging", json!({"none": {}}));
    set(&mut following, "resume", json!("cursor"));
    assert_eq!(refused(following), ["`resume` is `cursor`, but the API's paging gives none that lasts"]);
    let wrong = json!({"unknown": 1});
    let mut config = good;
    set(&mut config, "paging.cursor", wrong);
    assert!(serde_json::from_value::<AuditLogsConfig>(config).is_err());
}

/// What the source says, asked twice at most, when one key of a good description is another.
async fn said(kind: &Kind, api: &Log, path: &str, value: Value) -> (String, String) {
    let mut config = kind.config(api);
    set(&mut config, path, value);
    let mut source = kind.source(&config);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let mut running = String::new();
    for _ in 0..6 {
        match source.next().await {
            Ok(Next::Page { .. } | Next::Learnt(_)) => {}
            Ok(Next::Wait(_)) => break,
            Err(error) => {
                running = line(&error);
                break;
            }
        }
    }
    let checked = match kind.source(&config).check().await {
        Ok(words) => words,
        Err(error) => line(&error),
    };
    (running, checked)
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_the_api_names_the_key_to_change() {
    let correct = "correct the description of the API: the key to change is named in the error: ";
    let (cursor, link, feed) = (apis::cursor(), apis::link(), apis::feed());
    let (one, two, three) = (
        Log::start(cursor.manner.clone(), 300).await.unwrap(),
        Log::start(link.manner.clone(), 300).await.unwrap(),
        Log::start(feed.manner.clone(), 300).await.unwrap(),
    );
    for (kind, api, path, value, expected) in [
        (
            &cursor,
            &one,
            "records.path",
            json!("data"),
            "`records.path` is `data`, but the answer has `items`, `pagination`",
        ),
        (
            &cursor,
            &one,
            "records.path",
            json!("pagination.items"),
            "`records.path` is `pagination.items`, but `pagination` of the answer has `next_cursor`",
        ),
        (
            &cursor,
            &one,
            "records.path",
            json!("pagination"),
            "`records.path` is `pagination`, but there the answer has an object, not a list",
        ),
        (
            &cursor,
            &one,
            "records.path",
            json!(""),
            "`records.path` is empty, so that the answer should be a list, but it has `items`, `pagination`",
        ),
        (
            &link,
            &two,
            "records",
            json!({"path": "items"}),
            "`records.path` is `items`, but the answer has a list",
        ),
        (
            &cursor,
            &one,
            "records.unwrap",
            json!("event"),
            "`records.unwrap` is `event`, but element 0 of the list has `id`, `action`, `actor`, `client_ip`, `created_at`, `method`, \
             `path`, `status_code` and more",
        ),
        (
            &cursor,
            &one,
            "id",
            json!("uuid"),
            "`id` is `uuid`, but none of the 100 records of a page has that; `content` is for records without ids",
        ),
        (
            &cursor,
            &one,
            "id",
            json!("method"),
            "`id` is `method`, but all 100 records of a page have the same there",
        ),
        (
            &cursor,
            &one,
            "time",
            json!(["action", "time"]),
            "`time` is `action`, `time`, but of none of the 100 records of a page a time can be read there",
        ),
        (
            &cursor,
            &one,
            "paging.more",
            json!("has_more"),
            "`paging.more` is `has_more`, but the answer has no such member",
        ),
        (
            &feed,
            &three,
            "paging.cursor.from",
            json!("next"),
            "`paging.more` says that another page follows, but `paging.cursor` finds nothing that leads to it",
        ),
        (
            &cursor,
            &one,
            "paging.cursor.from",
            json!("pagination"),
            "`paging.cursor.from` leads to an object or a list, not to a single value",
        ),
        (
            &cursor,
            &one,
            "paging.cursor",
            json!({"from": "token", "in": "last_record", "to": {"query": "cursor"}}),
            "`paging.cursor.from` is `token`, but the last element of the list has `id`, `action`, `actor`, `client_ip`, `created_at`, \
             `method`, `path`, `status_code` and more",
        ),
    ] {
        // What `check` asks for has ten records at most, and the first page of a run as many as it may.
        let (running, checked) = said(kind, api, path, value.clone()).await;
        let found = if running.is_empty() { checked.clone() } else { running };
        let counted = |text: &str| {
            text.replace("the 100 records", "the N records")
                .replace("the 10 records", "the N records")
                .replace("all 100 ", "all N ")
                .replace("all 10 ", "all N ")
        };
        // A live window may be empty; then the last page, which is history's, tells.
        let expected = counted(&format!("{correct}{expected}"));
        assert!(
            counted(&checked) == expected || path.ends_with("more") || counted(&found) == expected,
            "{path} {value}:\n{checked}\n{found}\n{expected}"
        );
        assert!(!checked.contains("Doe") && !checked.contains("ev_0"), "a value is shown: {checked}");
    }
}
