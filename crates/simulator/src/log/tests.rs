//! The simulator's own rules: it does what its documentation says, and nothing that is not documented.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::http::{Call, Delivery, Reply};
use super::*;

fn service(manner: Manner, records: usize) -> Service {
    Service::new(manner, records, "http://api".to_owned())
}

fn strict() -> Manner {
    Manner { strict: true, ..Manner::default() }
}

fn call(path: &str, query: &str) -> Call {
    Call {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: vec![("authorization".to_owned(), format!("Bearer {KEY}"))],
        body: Vec::new(),
    }
}

fn get(service: &mut Service, query: &str) -> Reply {
    let path = service.manner.path.clone();
    service.answer(&call(&path, query))
}

fn body(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

fn header(reply: &Reply, name: &str) -> Option<String> {
    reply.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
}

/// The ids of a page whose list is `items`.
fn ids(reply: &Reply) -> Vec<String> {
    let list = body(reply)["items"].as_array().unwrap().clone();
    list.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_not_documented_is_refused_and_by_a_lenient_api_passed_over() {
    let documented = Manner {
        fixed: vec![(Parameter::query("sort"), "desc".to_owned())],
        since: Some(Edge { required: true, ..Edge::new("from", TimeFormat::EpochSeconds) }),
        until: Some(Edge::new("to", TimeFormat::Date)),
        max_span: Some(Duration::from_secs(86_400 * 30)),
        ..strict()
    };
    let mut api = service(documented.clone(), 10);
    let since = api.now() - 86_400;
    let good = format!("sort=desc&limit=10&from={since}");
    assert_eq!(get(&mut api, &good).status, 200);
    for (query, words) in [
        (format!("{good}&page=1"), "page is not known here"),
        (format!("sort=asc&from={since}"), "sort has a value that is not known"),
        (format!("limit=101&from={since}"), "a page has 1 to 100 records"),
        (format!("limit=0&from={since}"), "a page has 1 to 100 records"),
        (format!("limit=many&from={since}"), "the size of a page is no number"),
        ("limit=10".to_owned(), "from is required"),
        ("from=2026-11-20".to_owned(), "from is written in another way"),
        (format!("from={since}000"), "from is written in another way"),
        (format!("from={since}&to=2026-11-20T10:00:00Z"), "to is written in another way"),
        (format!("from={since}&to=2020-01-01"), "the window ends before it begins"),
        (format!("from={}", since - 86_400 * 40), "the window is too long"),
        (format!("from={since}&cursor=nonsense"), "the cursor is not valid"),
    ] {
        let reply = get(&mut api, &query);
        assert_eq!((reply.status, body(&reply)["error"]["message"].as_str()), (400, Some(words)), "{query}");
    }
    let mut lenient = service(Manner { strict: false, ..documented }, 10);
    for query in
        [format!("{good}&page=1"), format!("limit=101&from={since}"), format!("{good}&cursor=nonsense")]
    {
        assert_eq!(get(&mut lenient, &query).status, 200, "{query}");
    }
    let path = api.manner.path.clone();
    let post = Call { method: "POST".to_owned(), ..call(&path, &good) };
    assert_eq!(api.answer(&post).status, 404);
    assert_eq!(api.answer(&call("/elsewhere", &good)).status, 404);
}

/// The query of the next page, as the documentation of each kind of paging says.
fn next_query(manner: &Manner, reply: &Reply, read: usize) -> Option<String> {
    let value = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let of_url = |url: String| url.split_once('?').map(|(_, query)| query.to_owned());
    match &manner.paging {
        Paging::Cursor { from, to, .. } => {
            let cursor = match from {
                CursorFrom::Member(member) => path::get(&body(reply), member).and_then(value),
                CursorFrom::Header(name) => header(reply, name),
                CursorFrom::LastRecord(member) => {
                    body(reply)["items"].as_array()?.last().and_then(|last| value(&last[member.as_str()]))
                }
            };
            cursor.map(|cursor| format!("{}={cursor}", to.name()))
        }
        Paging::Link { rel } => {
            let links = header(reply, "link")?;
            let link = links.split(", ").find(|link| link.contains(&format!("rel=\"{rel}\"")))?;
            of_url(link.split(['<', '>']).nth(1)?.to_owned())
        }
        Paging::NextUrl { member } => path::get(&body(reply), member).and_then(value).and_then(of_url),
        Paging::Page { to, member: Some(member), .. } => {
            path::get(&body(reply), member).and_then(value).map(|number| format!("{}={number}", to.name()))
        }
        Paging::Page { to, first, member: None } => {
            (!ids(reply).is_empty()).then(|| format!("{}={}", to.name(), first + read / 7))
        }
        Paging::Offset { to } => (!ids(reply).is_empty()).then(|| format!("{}={read}", to.name())),
        Paging::Bound | Paging::None => None,
    }
}

#[test]
fn every_kind_of_paging_leads_through_all_records_once() {
    let to = Parameter::query("next");
    let cursor = |from| Paging::Cursor { from, to: to.clone(), alone: false, path: None };
    for paging in [
        Paging::cursor("meta.next", to.clone()),
        cursor(CursorFrom::Header("x-next".into())),
        cursor(CursorFrom::LastRecord("id".into())),
        Paging::Link { rel: "older".into() },
        Paging::NextUrl { member: "paging.next".into() },
        Paging::Page { to: to.clone(), first: 1, member: Some("page.next".into()) },
        Paging::Page { to: to.clone(), first: 0, member: None },
        Paging::Offset { to: to.clone() },
    ] {
        for order in [Order::NewestFirst, Order::OldestFirst, Order::Arrival] {
            let records = Records { crowded: 40, ..Records::default() };
            let size = Size { given: 7, ..Size::new("limit", 50, 100) };
            let manner = Manner { paging: paging.clone(), order, size, records, ..strict() };
            let mut api = service(manner.clone(), 40);
            let (mut found, mut query) = (Vec::new(), Some(String::new()));
            for _ in 0..30 {
                let Some(asked) = query else { break };
                let reply = get(&mut api, &asked);
                assert_eq!(
                    reply.status,
                    200,
                    "{paging:?}: {asked}: {}",
                    String::from_utf8_lossy(&reply.body)
                );
                let page = ids(&reply);
                assert!(page.len() <= 7);
                found.extend(page);
                query = next_query(&manner, &reply, found.len());
                // A cursor that is the last record's leads on until nothing is left.
                query = query.filter(|_| found.len() < 40);
            }
            let different: BTreeSet<&String> = found.iter().collect();
            assert_eq!((found.len(), different.len()), (40, 40), "{paging:?} {order:?}");
        }
    }
}

#[test]
fn a_cursor_that_stands_alone_knows_the_filter_and_is_refused_beside_it() {
    let paging = Paging::Cursor {
        from: CursorFrom::Member("next".into()),
        to: Parameter::body("page.cursor"),
        alone: true,
        path: Some("/v1/more".into()),
    };
    let since = Edge { to: Parameter::body("filter.since"), ..Edge::new("", TimeFormat::Rfc3339) };
    let size = Size { to: Some(Parameter::body("limit")), ..Size::new("", 5, 100) };
    let manner = Manner { method: Method::Post, paging, since: Some(since), until: None, size, ..strict() };
    let mut api = service(manner, 100);
    let mut post = |path: &str, body: Value| {
        let body = body.to_string().into_bytes();
        api.answer(&Call { method: "POST".to_owned(), body, ..call(path, "") })
    };
    let since = String::from_utf8(
        crate::clock::record_time(crate::clock::milliseconds(SystemTime::now()) / 1000 - 86_400).to_vec(),
    );
    let first = post("/v1/audit_logs", json!({"limit": 5, "filter": {"since": since.unwrap()}}));
    let cursor = body(&first)["next"].clone();
    assert_eq!(post("/v1/more", json!({"page": {"cursor": cursor}, "limit": 5})).status, 400);
    assert_eq!(post("/v1/audit_logs", json!({"page": {"cursor": cursor}})).status, 400, "it is another path");
    let (mut found, mut cursor) = (ids(&first), cursor);
    while !cursor.is_null() {
        let page = post("/v1/more", json!({"page": {"cursor": cursor}}));
        assert_eq!(page.status, 200);
        found.extend(ids(&page));
        cursor = body(&page)["next"].clone();
    }
    assert!((10..20).contains(&found.len()), "the filter was forgotten: {}", found.len());
    let garbage = Call { method: "POST".to_owned(), body: b"{".to_vec(), ..call("/v1/audit_logs", "") };
    assert_eq!(api.answer(&garbage).status, 400);
}

#[test]
fn a_feed_leads_on_for_ever_and_to_what_arrives_later() {
    let (feed, order, more) = (true, Order::Arrival, Some("more".to_owned()));
    let mut api = service(Manner { feed, order, more, ..strict() }, 10);
    let mut cursor = String::new();
    for expected in [10, 0, 0] {
        let page = get(&mut api, &cursor);
        assert_eq!((ids(&page).len(), &body(&page)["more"]), (expected, &json!(false)));
        cursor = format!("cursor={}", body(&page)["pagination"]["next_cursor"].as_str().unwrap());
    }
    // However old it is.
    let id = api.world.add(1_700_000_000);
    assert_eq!(ids(&get(&mut api, &cursor)), [id]);
}

#[test]
fn edges_are_cut_to_their_unit_and_included_or_not() {
    let base = 1_795_384_800 - 1_795_384_800 % 86_400;
    for (edges, expected) in [
        (Edges::INCLUSIVE, vec![100, 101, 4000]),
        (Edges::EXCLUSIVE, vec![101]),
        (Edges { unit: 3600, included: true }, vec![99, 100, 101, 4000, 4001]),
        (Edges { unit: 3600, included: false }, vec![]),
        (Edges::DAYS, vec![99, 100, 101, 4000, 4001]),
        (Edges::EXCLUSIVE_DAYS, vec![]),
    ] {
        let edge = |name| Some(Edge::new(name, TimeFormat::EpochSeconds));
        let manner =
            Manner { edges, order: Order::OldestFirst, since: edge("from"), until: edge("to"), ..strict() };
        let mut api = service(manner, 0);
        for second in [99, 100, 101, 4000, 4001, 90_000] {
            api.world.add(base + second);
        }
        let page = get(&mut api, &format!("from={}&to={}", base + 100, base + 4000));
        let found = body(&page)["items"].as_array().unwrap().len();
        assert_eq!(found, expected.len(), "{edges:?}");
    }
}

#[test]
fn an_edge_may_stand_in_a_phrase() {
    let around = ("created:>=".to_owned(), String::new());
    let since = Edge { around, ..Edge::new("phrase", TimeFormat::Rfc3339) };
    let mut api = service(Manner { since: Some(since), until: None, ..strict() }, 10);
    assert_eq!(get(&mut api, "phrase=created%3A%3E%3D2026-11-20T10:00:00.000Z").status, 200);
    assert_eq!(get(&mut api, "phrase=2026-11-20T10:00:00.000Z").status, 400);
}

#[test]
fn strict_cursors_run_out_and_want_the_filters_that_they_were_made_with() {
    let size = Size { given: 2, ..Size::new("limit", 50, 100) };
    let mut api = service(Manner { strict_cursors: Some(2), size, ..strict() }, 10);
    let filter = "created_at_min=2020-01-01T00:00:00Z";
    let cursor = body(&get(&mut api, filter))["pagination"]["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(get(&mut api, &format!("cursor={cursor}")).status, 400, "without its filter");
    assert_eq!(get(&mut api, &format!("{filter}&cursor={cursor}")).status, 200);
    assert_eq!(get(&mut api, &format!("{filter}&cursor={cursor}")).status, 400, "too old");
}

#[test]
fn all_credentials_are_asked_for() {
    let header = |name: &str| Credential::Header { name: name.into(), value: "k".into() };
    let mut api = service(Manner { credentials: vec![header("x-one"), header("x-two")], ..strict() }, 1);
    let mut with = |names: &[&str]| {
        let headers = names.iter().map(|name| ((*name).to_owned(), "k".to_owned())).collect();
        api.answer(&Call { headers, ..call("/v1/audit_logs", "") }).status
    };
    assert_eq!(
        [with(&[]), with(&["x-one"]), with(&["x-two"]), with(&["x-one", "x-two"])],
        [401, 401, 401, 200]
    );
    let query = Credential::Query { name: "key".into(), value: "k y".into() };
    let mut api = service(Manner { credentials: vec![query], ..strict() }, 1);
    assert_eq!((get(&mut api, "key=k+y").status, get(&mut api, "key=other").status), (200, 401));
    let basic = Credential::Basic { username: "user".into(), password: "pass".into() };
    let mut api = service(Manner { credentials: vec![basic], ..strict() }, 1);
    let headers = vec![("authorization".to_owned(), "Basic dXNlcjpwYXNz".to_owned())];
    assert_eq!(api.answer(&Call { headers, ..call("/v1/audit_logs", "") }).status, 200);
    assert_eq!(get(&mut api, "").status, 401);
    api.accepts = false;
    assert_eq!(get(&mut api, "").status, 401);
}

#[test]
fn tokens_are_given_out_for_a_secret_and_run_out() {
    let (path, client, secret) = ("/token".to_owned(), "id".to_owned(), "s3cret".to_owned());
    let token = Credential::Token { path, client, secret, requests: 2 };
    let mut api = service(Manner { credentials: vec![token], ..strict() }, 1);
    let ask = |form: &str| Call {
        method: "POST".to_owned(),
        body: form.into(),
        headers: vec![],
        ..call("/token", "")
    };
    for wrong in [
        "grant_type=client_credentials",
        "grant_type=x&client_id=id&client_secret=no",
        "client_id=id&client_secret=s3cret",
    ] {
        assert_eq!(api.answer(&ask(wrong)).status, 401, "{wrong}");
    }
    let given = api.answer(&ask("grant_type=client_credentials&client_id=id&client_secret=s3cret"));
    let token = body(&given)["access_token"].as_str().unwrap().to_owned();
    let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    let mut asked = || api.answer(&Call { headers: headers.clone(), ..call("/v1/audit_logs", "") }).status;
    assert_eq!([asked(), asked(), asked()], [200, 200, 401]);
}

#[test]
fn errors_are_said_as_described() {
    let said = Said {
        status: 200,
        member: Some(("ok".into(), json!(false))),
        words_in: Some("error".into()),
        ..Said::default()
    };
    let manner = Manner {
        said: vec![(Meaning::Request, said)],
        retention: Some(Duration::from_secs(86_400)),
        ..strict()
    };
    let mut api = service(manner.clone(), 100);
    let reply = get(&mut api, "limit=1000");
    assert_eq!(
        (reply.status, body(&reply)),
        (200, json!({"ok": false, "error": "a page has 1 to 100 records"}))
    );
    // Nothing says how it would refuse what it has forgotten: it has nothing there.
    let old = "created_at_min=2020-01-01T00:00:00Z";
    let reply = get(&mut api, old);
    assert!(reply.status == 200 && (10..20).contains(&ids(&reply).len()), "{}", ids(&reply).len());
    let said = vec![(Meaning::Retention, Said::new(422, "too old"))];
    let mut api = service(Manner { said, ..manner }, 100);
    let reply = get(&mut api, old);
    assert_eq!((reply.status, body(&reply)), (422, json!({"error": {"message": "too old"}})));
}

#[test]
fn cursor_of_the_very_last_record_is_good_too() {
    let from = CursorFrom::LastRecord("id".into());
    let paging = Paging::Cursor { from, to: Parameter::query("next"), alone: false, path: None };
    let mut api = service(Manner { paging, strict_cursors: Some(6), ..strict() }, 10);
    let all = ids(&get(&mut api, ""));
    let behind = get(&mut api, &format!("next={}", all.last().unwrap()));
    assert_eq!((all.len(), behind.status, ids(&behind).len()), (10, 200, 0));
}

#[test]
fn half_of_some_lines_ends_within_one() {
    for seed in 1..20 {
        let mut api = service(Manner { lines: true, seed, ..strict() }, 10);
        api.script.push_back(Fault::Truncated);
        let half = get(&mut api, "").body;
        let last = half.split(|byte| *byte == b'\n').next_back().unwrap();
        assert!(serde_json::from_slice::<Value>(last).is_err(), "{}", String::from_utf8_lossy(&half));
    }
}

#[test]
fn faults_come_when_they_were_said_and_now_and_then() {
    let size = Size { given: 4, ..Size::new("limit", 50, 100) };
    let mut api = service(Manner { size, ..strict() }, 10);
    api.script.extend([Fault::Status(503), Fault::EmptyPage, Fault::Cut, Fault::Reset]);
    assert_eq!(get(&mut api, "").status, 503);
    let empty = get(&mut api, "");
    assert!(ids(&empty).is_empty() && body(&empty)["pagination"]["next_cursor"].is_string());
    assert_eq!(get(&mut api, "").delivery, Delivery::Cut);
    assert!(api.world.shown().is_empty(), "who has half a page has seen nothing");
    assert_eq!(get(&mut api, "").delivery, Delivery::Reset);
    assert_eq!(get(&mut api, "").status, 200);
    assert_eq!(api.world.shown().len(), 4);
    api.trouble = (vec![Fault::Status(500), Fault::RetryAfter(9)], 3);
    let statuses: Vec<u16> = (0..6).map(|_| get(&mut api, "").status).collect();
    assert_eq!(statuses, [500, 200, 200, 429, 200, 200]);
    api.trouble.0.clear();
    let windows = "created_at_min=2020-01-01T00:00:00Z";
    let cursor = body(&get(&mut api, windows))["pagination"]["next_cursor"].as_str().unwrap().to_owned();
    api.script.push_back(Fault::RepeatedCursor);
    let again = get(&mut api, &format!("{windows}&cursor={cursor}"));
    assert_eq!(body(&again)["pagination"]["next_cursor"], cursor.as_str());
}

#[test]
fn records_stand_in_wrappers_and_lines_and_an_empty_list_may_be_left_out() {
    let shape = Shape {
        id: vec!["meta.id".into(), "meta.part".into()],
        tenant: Some("org.id".into()),
        ..Shape::new("at", TimeFormat::EpochMillis)
    };
    let wrapped = Manner { wrapper: Some("event".into()), shape: shape.clone(), ..strict() };
    let mut api = service(wrapped, 3);
    let page = body(&get(&mut api, ""));
    let record = &page["items"][0]["event"];
    assert!(
        record["at"].as_i64().unwrap() > 1_000_000_000_000 && record["org"]["id"].is_string(),
        "{record}"
    );
    let id = api.world.id_of(record.to_string().as_bytes()).unwrap();
    assert!(api.world.shown().contains(&id) && record["meta"]["part"] == "x");
    let mut api = service(Manner { lines: true, ..strict() }, 3);
    assert_eq!(String::from_utf8(get(&mut api, "").body).unwrap().lines().count(), 3);
    let mut api = service(Manner { absent_when_empty: true, ..strict() }, 0);
    assert_eq!(body(&get(&mut api, "")).get("items"), None);
}

#[tokio::test]
async fn answers_are_compressed_for_whom_takes_that_and_a_reset_is_one() {
    let api = Log::start(Manner { gzip: true, ..Manner::default() }, 50).await.unwrap();
    let ask = async |headers: &str| {
        let mut stream = tokio::net::TcpStream::connect(api.address).await.unwrap();
        let request = format!("GET /v1/audit_logs HTTP/1.1\r\nauthorization: Bearer {KEY}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while let Ok(read) =
            tokio::time::timeout(Duration::from_millis(300), stream.read_buf(&mut answer)).await
        {
            if read? == 0 {
                break;
            }
        }
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    assert!(ask("accept-encoding: gzip\r\n").await.unwrap().contains("content-encoding: gzip"));
    assert!(ask("").await.unwrap().contains("\"items\":["));
    api.script(Fault::Reset);
    assert_eq!(ask("").await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}
