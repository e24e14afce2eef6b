//! What is said of a description that does not hold together, or does not fit the API; and what is sent for one that does.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{Next, RecordId, Seen, SeenIds, Source, SourceError, StoreError};
use serde_json::{Value, json};
use simulator::log::{Fault, Log, Manner, Order, Paging, Shape, Size, TimeFormat};
use source_audit_logs::{Account, AuditLogsConfig, AuditLogsSource};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::apis::{self, Kind, wiring};

/// Knows nothing.
pub(crate) struct Nothing;

#[async_trait]
impl SeenIds for Nothing {
    async fn lookup(&self, ids: &[RecordId]) -> Result<Vec<Seen>, StoreError> {
        Ok(vec![Seen::New; ids.len()])
    }
}

/// An error and its sources in one line.
fn line(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text += &format!(": {error}");
        next = error.source();
    }
    text
}

/// Puts a value at a dotted path.
fn set(config: &mut Value, path: &str, value: Value) {
    let mut place = config;
    for name in path.split('.') {
        place = &mut place[name];
    }
    *place = value;
}

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
    set(&mut bound, "order", json!("unordered"));
    assert_eq!(refused(bound.clone()), ["`order` is `unordered`, but `paging.bound` goes by it"]);
    set(&mut bound, "order", json!("newest_first"));
    assert_eq!(refused(bound), ["`paging.bound` needs `paging.page_size`, by which the last page is told"]);
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
            Ok(Next::Page { .. }) => {}
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

#[tokio::test(start_paused = true)]
async fn paging_that_goes_nowhere_is_told_and_what_was_read_is_handed_out() {
    let kind = apis::cursor();
    let api = Log::start(kind.manner.clone(), 300).await.unwrap();
    let mut config = kind.config(&api);
    // The first parameter of the answer leads to the same page for ever.
    set(&mut config, "paging.cursor.to", json!({"query": "ignored"}));
    set(&mut config, "start", json!("3d"));
    let mut source = kind.source(&config);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let (mut records, mut told) = (0, Vec::new());
    for _ in 0..60 {
        match source.next().await {
            Ok(Next::Page { batch, .. }) => records += batch.records.len(),
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
            Err(error) => told.push(line(&error)),
        }
    }
    assert!(records > 0);
    let expected = "source failed for the moment: the next page is the same as the one before it: the API does not heed what \
                    `paging.cursor` sends it; its window is read again";
    assert!(told.iter().any(|told| told == expected), "{told:?}");
    // The same where what leads on is the same, too.
    let mut config = kind.config(&api);
    set(&mut config, "paging.cursor.from", json!("circle"));
    set(&mut config, "start", json!("3d"));
    api.add_member("circle", "4711");
    let mut source = kind.source(&config);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..10 {
        match source.next().await {
            Ok(Next::Page { .. }) => {}
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
            Err(error) => told.push(line(&error)),
        }
    }
    let expected = "source failed for the moment: paging goes round in a circle: what `paging.cursor` finds was found before in this \
                    walk; its window is read again";
    assert!(told.iter().any(|told| told == expected), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_next_url_elsewhere_gets_no_credential() {
    let mut kind = apis::next_url();
    kind.manner.size = Size { given: 10, ..kind.manner.size };
    let (api, other) = (
        Log::start(kind.manner.clone(), 100).await.unwrap(),
        Log::start(kind.manner.clone(), 0).await.unwrap(),
    );
    let mut config = kind.config(&api);
    set(&mut config, "paging.next_url.from", json!("elsewhere"));
    api.add_member("elsewhere", &format!("{}/__api__/v1/audit_logs?after=1", other.url()));
    let mut source = kind.source(&config);
    source.open(None, Arc::new(Nothing)).await.unwrap();
    let error = line(&source.next().await.unwrap_err());
    assert!(
        error.contains(&format!(
            "`paging.next_url` leads to {}, but credentials go to {} only",
            other.url(),
            api.url()
        )),
        "{error}"
    );
    assert_eq!(other.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn requests_are_made_as_described() {
    for (kind, first, second) in [
        (
            apis::cursor(),
            "sort=created_at%3Adesc&created_at_min=…&limit=100",
            "sort=created_at%3Adesc&cursor=…&created_at_min=…&created_at_max=…&limit=100",
        ),
        (
            apis::link(),
            "pagination=keyset&sort=asc&created_after=…&per_page=100",
            "created_after=…&created_before=…&pagination=keyset&per_page=100&sort=asc&after=…",
        ),
        (
            apis::page(),
            "page%5Bnumber%5D=1&since=…&page%5Bsize%5D=1000",
            "page%5Bnumber%5D=2&since=…&page%5Bsize%5D=1000",
        ),
        (apis::offset(), "from=…&limit=1000", "offset=…&from=…&to=…&limit=1000"),
        (apis::feed(), r#"{"limit":1000,"start_time":"…"}"#, r#"{"cursor":"…"}"#),
        (apis::days(), "from=…&to=…&page_size=300", "next_page_token=…&from=…&to=…&page_size=300"),
    ] {
        let mut manner = kind.manner.clone();
        (manner.size.usual, manner.size.given) = (5, 5);
        let api = Log::start(manner, 4000).await.unwrap();
        let mut source = kind.source(&kind.config(&api));
        source.open(None, Arc::new(Nothing)).await.unwrap();
        for _ in 0..20 {
            source.next().await.unwrap();
        }
        let varies = [
            "created_at_min",
            "created_at_max",
            "cursor",
            "created_after",
            "created_before",
            "after",
            "since",
            "offset",
            "from",
            "to",
            "next_page_token",
        ];
        let shape = |asked: &String| {
            if asked.starts_with('{') {
                let mut body: Value = serde_json::from_str(asked).unwrap();
                for member in ["start_time", "cursor"] {
                    if body.get(member).is_some() {
                        body[member] = "…".into();
                    }
                }
                return body.to_string();
            }
            let pairs = asked.split('&').map(|pair| match pair.split_once('=') {
                Some((name, _)) if varies.contains(&name) => format!("{name}=…"),
                _ => pair.to_owned(),
            });
            pairs.collect::<Vec<_>>().join("&")
        };
        let asked: Vec<String> = api.asked().iter().map(shape).collect();
        assert_eq!(asked[0], first, "{}", kind.name);
        assert!(asked.iter().any(|asked| asked == second), "{}: {asked:#?}", kind.name);
    }
}

/// The API has no paging; what a page has not is asked for by moving the edge.
#[tokio::test(start_paused = true)]
async fn a_window_without_paging_is_walked_by_its_edge() {
    for (order, name) in [(Order::NewestFirst, "newest_first"), (Order::OldestFirst, "oldest_first")] {
        let manner = Manner {
            paging: Paging::Bound,
            order,
            shape: Shape::new("createdAt", TimeFormat::EpochMillis),
            // Some records share a second, which an edge leaves out.
            edges: simulator::log::Edges::EXCLUSIVE,
            records: simulator::log::Records { crowded: 5, ..Default::default() },
            ..Manner::default()
        };
        let mut kind = apis::cursor();
        kind.manner = manner;
        kind.description["paging"] =
            json!({"bound": {}, "page_size": {"to": {"query": "limit"}, "size": 20}});
        kind.description["time"] = "createdAt".into();
        kind.description["order"] = name.into();
        kind.description["time_filter"]["granularity"] = "second".into();
        let api = Log::start(kind.manner.clone(), 300).await.unwrap();
        let mut source = kind.source(&kind.config(&api));
        source.open(None, Arc::new(Nothing)).await.unwrap();
        let mut ids = std::collections::BTreeSet::new();
        for _ in 0..200 {
            match source.next().await.unwrap() {
                Next::Page { batch, .. } => ids.extend(batch.records.iter().map(|record| record.id)),
                Next::Wait(wait) if wait.caught_up => break,
                Next::Wait(wait) => tokio::time::sleep(wait.duration).await,
            }
        }
        assert_eq!(ids.len(), 300, "{name}");
        // More records in one second than a page holds cannot be told apart by an edge: that is said, and nothing is skipped.
        let crowded = Manner {
            records: simulator::log::Records { crowded: 40, ..Default::default() },
            ..kind.manner.clone()
        };
        let api = Log::start(crowded, 300).await.unwrap();
        let mut source = kind.source(&kind.config(&api));
        source.open(None, Arc::new(Nothing)).await.unwrap();
        let mut told = String::new();
        for _ in 0..60 {
            match source.next().await {
                Err(error) => {
                    told = line(&error);
                    break;
                }
                Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
                Ok(Next::Page { .. }) => {}
            }
        }
        assert!(
            told.contains("`paging.bound` goes no further: more records share one moment than a page holds"),
            "{told}"
        );
    }
}

/// A token is fetched once, used until it is refused, and fetched again.
#[tokio::test]
async fn tokens_are_fetched_and_fetched_again() {
    let kind = apis::cursor();
    let api = Log::start(kind.manner.clone(), 30).await.unwrap();
    let (tokens, fetched) = token_server(api.key()).await;
    let mut config = kind.config(&api);
    config["auth"] = json!({"oauth2": {
        "token_url": format!("{tokens}/token"), "client_id": "cl:ient", "client_secret": "s3cret-of-the-client",
        "grant": "account_credentials", "params": {"account_id": "acc 1"}, "scope": "audit:read",
    }});
    let config: AuditLogsConfig = serde_json::from_value(config).unwrap();
    let account = Account::new(config.validate().unwrap(), wiring()).unwrap();
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
        asked[0].ends_with("grant_type=account_credentials&scope=audit%3Aread&account_id=acc+1"),
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
            Ok(Next::Page { .. }) => {}
        }
    }
    assert_eq!((refusals, fetched.lock().unwrap().len()), (1, 2), "it is fetched again");
    let mut source = AuditLogsSource::new("audit", {
        let mut config = kind.config(&api);
        config["auth"] = json!({"oauth2": {
            "token_url": format!("{tokens}/refused"), "client_id": "a", "client_secret": "s3cret-of-the-client",
        }});
        let config: AuditLogsConfig = serde_json::from_value(config).unwrap();
        Account::new(config.validate().unwrap(), wiring()).unwrap()
    });
    let refused = source.check().await.unwrap_err();
    assert!(matches!(refused, SourceError::Paused { reason: "authentication", .. }), "{refused:?}");
    let text = line(&refused);
    assert!(text.starts_with("check `auth.oauth2`") && text.contains("invalid_client"), "{text}");
    assert!(!format!("{text} {refused:?}").contains("s3cret"), "{text}");
}

type Asked = Arc<std::sync::Mutex<Vec<String>>>;

/// Gives out `token` at `/token`, and refuses elsewhere.
async fn token_server(token: &'static str) -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let seen = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            let length = loop {
                let text = String::from_utf8_lossy(&read).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let head = head.to_lowercase();
                    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
                    if body.len() >= length.unwrap_or("0").parse().unwrap() {
                        break read.len();
                    }
                }
                assert!(stream.read_buf(&mut read).await.unwrap() > 0);
            };
            let text = String::from_utf8_lossy(&read[..length]).into_owned();
            let (status, body) = if text.starts_with("POST /token ") {
                (200, format!(r#"{{"access_token":"{token}","token_type":"bearer","expires_in":3600}}"#))
            } else {
                (400, r#"{"error":"invalid_client","secret":"s3cret-of-the-client"}"#.to_owned())
            };
            seen.lock().unwrap().push(text);
            let answer = format!(
                "HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, asked)
}

/// What an API that is slow to settle has not finished is not asked for.
#[tokio::test(start_paused = true)]
async fn what_is_not_settled_is_left_for_later() {
    let mut kind = apis::cursor();
    kind.description["time_filter"]["settle"] = "2m".into();
    kind.description["time_filter"]["granularity"] = "second".into();
    let api = Log::start(kind.manner.clone(), 10).await.unwrap();
    let mut source = kind.source(&kind.config(&api));
    source.open(None, Arc::new(Nothing)).await.unwrap();
    source.next().await.unwrap();
    let asked = api.asked()[0].clone();
    let until = asked.split('&').find_map(|pair| pair.strip_prefix("created_at_max=")).unwrap();
    let until = pipeline::Timestamp::read(&until.replace("%3A", ":")).unwrap();
    let now = pipeline::Timestamp::from_system(std::time::SystemTime::now());
    assert!((110..=130).contains(&now.since(until).as_secs()), "{until} {now}");
    assert!(
        source
            .status()
            .complete_until
            .is_some_and(|complete| now.since(complete) >= Duration::from_secs(115))
    );
}
