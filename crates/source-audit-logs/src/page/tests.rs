use http_client::header::{HeaderName, HeaderValue};
use poll::position::Kind;
use serde_json::{Value, json};

use super::*;
use crate::config::AuditLogsConfig;

/// An API with those keys beside the ones that all have.
fn api(keys: Value) -> Api {
    let mut config = json!({"url": "https://api.example.com", "auth": {"none": {}}, "request": {"path": "/log"}, "paging": {"none": {}}});
    for (name, value) in keys.as_object().unwrap() {
        config[name] = value.clone();
    }
    let config: AuditLogsConfig = serde_json::from_value(config).unwrap();
    config.validate().unwrap_or_else(|wrong| panic!("{wrong:?}")).api
}

fn request(cursor: Option<&str>) -> poll::Request {
    poll::Request {
        kind: Kind::Live,
        since: None,
        until: None,
        cursor: cursor.and_then(poll::Cursor::from_json),
    }
}

/// The records, and what follows: `end`, `next …` or `later …`.
fn read(
    api: &Api,
    text: &str,
    links: &[(&'static str, &str)],
    cursor: Option<&str>,
) -> Result<(Vec<String>, String), String> {
    let mut headers = HeaderMap::new();
    for (name, value) in links {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let url = Url::parse("https://api.example.com/base").unwrap();
    let request = request(cursor);
    let asked =
        Asked { request: &request, size: 3, url: &url, secret: Some("key"), capacity: Capacity::default() };
    let body = Bytes::copy_from_slice(text.as_bytes());
    let page = Reader::new(api).read(api, body, &headers, asked).map_err(|error| error.to_string())?;
    let records =
        page.records.iter().map(|span| String::from_utf8(page.text(span).to_vec()).unwrap()).collect();
    let onward = match page.onward() {
        Onward::End => "end".to_owned(),
        Onward::Next(next) => format!("next {}", next.json()),
        Onward::Later(next) => format!("later {}", next.json()),
    };
    Ok((records, onward))
}

fn onward(api: &Api, text: &str, links: &[(&'static str, &str)], cursor: Option<&str>) -> String {
    read(api, text, links, cursor).map_or_else(|error| error, |(_, onward)| onward)
}

#[test]
fn cursors_of_every_form_lead_on_and_nothing_is_the_end() {
    let api = api(
        json!({"records": {"path": "r"}, "paging": {"cursor": {"from": ["m.after", "m.cursor"], "to": {"query": "c"}}}}),
    );
    for (text, expected) in [
        (r#"{"r": []}"#, "end"),
        (r#"{"r": [], "m": null}"#, "end"),
        (r#"{"r": [], "m": {"cursor": null}}"#, "end"),
        (r#"{"r": [], "m": {"cursor": ""}}"#, "end"),
        (r#"{"r": [], "m": {"cursor": false}}"#, "end"),
        (r#"{"r": [], "m": {"cursor": 12345678901234567890123}}"#, "next 12345678901234567890123"),
        (r#"{"r": [], "m": {"cursor": "a/b="}}"#, r#"next "a/b=""#),
        (r#"{"r": [], "m": {"cursor": "b", "after": "a"}}"#, r#"next "a""#),
        (
            r#"{"r": [], "m": {"cursor": [1, 2]}}"#,
            "`paging.cursor.from` leads to an object or a list, not to a single value",
        ),
        // Another way of writing the same, which the quick reader leaves to the other.
        (r#"{"\u0072": [], "m": {"cursor": "b"}}"#, r#"next "b""#),
    ] {
        assert_eq!(onward(&api, text, &[], None), expected, "{text}");
    }
}

#[test]
fn flags_say_whether_more_follows() {
    let follows = |resume: &str| {
        api(json!({"records": {"path": "r"}, "resume": resume,
            "paging": {"cursor": {"from": "c", "to": {"query": "c"}}, "more": "more"}}))
    };
    let (window, cursor) = (follows("window"), follows("cursor"));
    for (text, in_window, with_cursor) in [
        (r#"{"r": [], "c": "a", "more": true}"#, r#"next "a""#, r#"next "a""#),
        (r#"{"r": [1], "c": "a", "more": false}"#, "end", r#"later "a""#),
        (r#"{"r": [1], "c": null, "more": false}"#, "end", "end"),
    ] {
        assert_eq!(onward(&window, text, &[], None), in_window, "{text}");
        assert_eq!(onward(&cursor, text, &[], None), with_cursor, "{text}");
    }
    let nowhere =
        "`paging.more` says that another page follows, but `paging.cursor` finds nothing that leads to it";
    assert_eq!(onward(&window, r#"{"r": [], "more": true}"#, &[], None), nowhere);
    let missing = "`paging.more` is `more`, but the answer has no such member";
    assert_eq!(onward(&window, r#"{"r": [], "c": "a"}"#, &[], None), missing);
    // Okta's polling: the link is always there, and a page without records says that there is nothing more.
    let okta = api(json!({"paging": {"link": {}}, "resume": "cursor"}));
    let link = &[("link", r#"<https://api.example.com/log?after=7>; rel="next""#)];
    assert_eq!(onward(&okta, "[1]", link, None), r#"next "/log?after=7""#);
    assert_eq!(onward(&okta, "[]", link, None), r#"later "/log?after=7""#);
}

#[test]
fn urls_lead_within_the_origin_and_keep_no_credential() {
    let by_member = api(json!({"records": {"path": "r"}, "paging": {"next_url": {"from": "next"}}}));
    for (next, expected) in [
        ("https://api.example.com/log?a=1&b=%20", r#"next "/log?a=1&b=+""#),
        ("/log?a=1", r#"next "/log?a=1""#),
        ("?a=1", r#"next "/base?a=1""#),
        ("https://api.example.com/log?a=1&key=s3cret", r#"next "/log?a=1""#),
        (
            "https://api.example.com:444/log",
            "`paging.next_url` leads to https://api.example.com:444, but credentials go to https://api.example.com only",
        ),
        (
            "http://api.example.com/log",
            "`paging.next_url` leads to http://api.example.com, but credentials go to https://api.example.com only",
        ),
        (
            "//evil.example/log",
            "`paging.next_url` leads to https://evil.example, but credentials go to https://api.example.com only",
        ),
    ] {
        assert_eq!(
            onward(&by_member, &json!({"r": [], "next": next}).to_string(), &[], None),
            expected,
            "{next}"
        );
    }
    let by_header = api(json!({"paging": {"link": {"rel": "next"}}}));
    for (links, expected) in [
        (&[][..], "end"),
        (&[("link", r#"</log?p=1>; rel="prev""#)][..], "end"),
        (
            &[("link", r#"</log?p=1>; rel="prev", </log?p=3>; rel="next"; title="a, b""#)][..],
            r#"next "/log?p=3""#,
        ),
        (
            &[("link", "</log?p=1>;rel=prev"), ("link", "</log?p=3> ;REL=\"last Next\"")][..],
            r#"next "/log?p=3""#,
        ),
    ] {
        assert_eq!(onward(&by_header, "[]", links, None), expected, "{links:?}");
    }
}

#[test]
fn counted_pages_end_with_one_that_is_empty() {
    let page = api(json!({"records": {"path": "r"}, "paging": {"page": {"to": {"query": "p"}}}}));
    assert_eq!(onward(&page, r#"{"r": [1]}"#, &[], None), "next 2");
    assert_eq!(onward(&page, r#"{"r": [1]}"#, &[], Some("7")), "next 8");
    assert_eq!(onward(&page, r#"{"r": []}"#, &[], Some("7")), "end");
    let offset = api(json!({"records": {"path": "r"}, "paging": {"offset": {"to": {"query": "o"}}}}));
    assert_eq!(onward(&offset, r#"{"r": [1, 2]}"#, &[], None), "next 2");
    assert_eq!(onward(&offset, r#"{"r": [1, 2]}"#, &[], Some("40")), "next 42");
    assert_eq!(onward(&offset, r#"{"r": []}"#, &[], Some("40")), "end");
    let short = api(
        json!({"records": {"path": "r"}, "paging": {"offset": {"to": {"query": "o"}}, "ends": ["short_page"],
        "page_size": {"to": {"query": "n"}, "size": 3}}}),
    );
    assert_eq!(onward(&short, r#"{"r": [1, 2]}"#, &[], None), "end");
    assert_eq!(onward(&short, r#"{"r": [1, 2, 3]}"#, &[], None), "next 3");
}

#[test]
fn records_are_found_wherever_they_are() {
    let wrapped = api(
        json!({"records": {"unwrap": "log"}, "paging": {"cursor": {"from": "cursor", "in": "last_record", "to": {"query": "c"}}}}),
    );
    let text = r#"[{"cursor": "a", "log": {"id": 1}}, {"log": {"id": 2}, "cursor": "b"}]"#;
    assert_eq!(
        read(&wrapped, text, &[], None).unwrap(),
        (vec![r#"{"id": 1}"#.into(), r#"{"id": 2}"#.into()], r#"next "b""#.into())
    );
    let lines = api(json!({"records": {"format": "ndjson"}}));
    assert_eq!(read(&lines, "{\"id\": 1}\n\n [2] \r\n", &[], None).unwrap().0, [r#"{"id": 1}"#, "[2]"]);
    assert_eq!(read(&lines, "", &[], None).unwrap().0, [""; 0]);
    assert_eq!(
        read(&lines, "{\"id\": 1}\n{\"id\"", &[], None).unwrap_err(),
        "line 2 of the answer is not JSON, or cut"
    );
    let absent = api(json!({"records": {"path": "data.items", "when_absent": "empty"}}));
    for (text, is_page) in [
        (r#"{"data": {}}"#, true),
        (r#"{"kind": "x"}"#, true),
        (r#"{"data": {"items": null}}"#, true),
        (r#"{"data": {"items": {}}}"#, false),
        ("[]", false),
        (r#"{"data": "#, false),
    ] {
        assert_eq!(read(&absent, text, &[], None).is_ok(), is_page, "{text}");
    }
}

#[test]
fn what_is_no_page_is_never_an_empty_one() {
    let api = api(json!({"records": {"path": "r"}}));
    for text in [
        r#"{"error": "x"}"#,
        r#"{"r": null}"#,
        r#"{"r": {}}"#,
        "[]",
        "null",
        "{}",
        "",
        "<html>",
        r#"{"r": []} x"#,
    ] {
        assert!(read(&api, text, &[], None).is_err(), "{text}");
    }
    let whole = r#"{"r": [{"id": 1}], "n": 5}"#;
    for cut in 0..whole.len() {
        assert!(read(&api, &whole[..cut], &[], None).is_err(), "{}", &whole[..cut]);
    }
    let secret = r#"{"PMAK-7f3a9e7f3a9e7f3a9e7f3a9e7f3a9e7f3a9e7f3a9e": 1, "a b": 2, "note": "s3cret"}"#;
    assert_eq!(
        read(&api, secret, &[], None).unwrap_err(),
        "`records.path` is `r`, but the answer has `note`"
    );
}

#[test]
fn broken_utf8_costs_the_character_and_not_the_page() {
    let api = api(json!({"records": {"path": "r"}}));
    let url = Url::parse("https://api.example.com").unwrap();
    let request = request(None);
    let asked = Asked { request: &request, size: 3, url: &url, secret: None, capacity: Capacity::default() };
    let body =
        Bytes::from_static(b"{\"r\": [{\"m\": \"a\xffb\"}, {\"o\": {\"t\": 7}}, {\"o\": {\"t\": \"x\"}}]}");
    let page = Reader::new(&api).read(&api, body, &HeaderMap::new(), asked).unwrap();
    assert_eq!(page.text(&page.records[0]), "{\"m\": \"a\u{fffd}b\"}".as_bytes());
    assert_eq!(page.values(&Path::of(&["o", "t"])).collect::<Vec<_>>(), ["7", "x"]);
}

#[test]
fn records_are_told_apart_by_ids_times_and_content() {
    let api = api(
        json!({"records": {"path": "r"}, "id": ["a.id", "n"], "time": ["at.late", "at.early"], "volatile": ["seen"]}),
    );
    let reader = Reader::new(&api);
    let text = r#"{"r": [
        {"a": {"id": 1}, "n": "x", "at": {"early": "2026-11-20T10:00:00Z"}, "seen": 1},
        {"n": "x", "at": {"early": "2026-11-20T10:00:00Z"}, "a": {"id": "1"}, "seen": 2},
        {"n": "x", "at": {"early": "2026-11-20T10:00:00Z"}, "a": {"id": 1}},
        {"a": {"id": 1}, "n": "x", "at": {"late": 1795168801, "early": "2026-11-20T10:00:00Z"}},
        {"n": "1x", "at": {"early": 1795168800000}}, {"x": 1}, 7
    ]}"#;
    let url = Url::parse("https://api.example.com").unwrap();
    let request = request(None);
    let asked = Asked { request: &request, size: 3, url: &url, secret: None, capacity: Capacity::default() };
    let both: Vec<Page> = [text.to_owned(), text.replacen("\"r\"", "\"\\u0072\"", 1)]
        .into_iter()
        .map(|text| reader.read(&api, Bytes::from(text), &HeaderMap::new(), asked).unwrap())
        .collect();
    let ids = &both[0].identities;
    assert_eq!(*ids, both[1].identities, "both ways of reading a page find the same");
    assert_eq!((both[0].with_id, both[1].with_id), (5, 5));
    assert_eq!(
        (ids[0].0.native, ids[0].0.second),
        (ids[1].0.native, 1_795_168_800),
        "7 and \"7\" are one id"
    );
    assert_eq!(ids[0].0, ids[2].0, "what is volatile makes no other record");
    assert_ne!(ids[0].0.content, ids[1].0.content);
    assert_eq!((ids[3].0.second, ids[3].0.native), (1_795_168_801, ids[0].0.native));
    assert_ne!(ids[4].0.native, ids[0].0.native, "parts of an id are kept apart");
    for (id, time) in &ids[5..] {
        assert_eq!((id.native, *time), (id.content, None));
    }
}

/// `cargo test --release -p source-audit-logs -- --ignored --nocapture cost`
#[test]
#[ignore = "measures; means something in release only"]
fn cost_of_a_page() {
    let record = |n: usize| {
        let record = format!(
            r#"{{"id":{},"ip":null,"userAgent":null,"action":"user.login_google_success","timestamp":"2026-11-20T10:{:02}:{:02}.000Z","message":"Zo\u00eb Doe logged in with \"Google\"","data":{{"actor":{{"name":"Zo\u00eb Doe","username":"zoe-doe","email":"zoe.doe@example.com","id":12345678,"active":true}},"user":{{"name":"Zo\u00eb Doe","username":"zoe-doe","email":"zoe.doe@example.com","id":12345678}},"team":{{"name":"Example Team","id":1234}},"variables":{{"pad":""}}}}}}"#,
            500_000_000 + n,
            n / 60 % 60,
            n % 60
        );
        let pad = format!(r#""pad":"{}""#, "x".repeat(588 - record.len()));
        record.replace(r#""pad":"""#, &pad)
    };
    let records: Vec<String> = (0..300).map(record).collect();
    let body = Bytes::from(format!(r#"{{"trails":[{}],"nextCursor":1}}"#, records.join(",")));
    let api =
        api(json!({"records": {"path": "trails"}, "time": "timestamp", "volatile": ["data.actor.active"],
        "paging": {"cursor": {"from": "nextCursor", "to": {"query": "cursor"}}}}));
    let reader = Reader::new(&api);
    let url = Url::parse("https://api.example.com").unwrap();
    let request = request(None);
    let round = || {
        let began = std::time::Instant::now();
        let asked =
            Asked { request: &request, size: 300, url: &url, secret: None, capacity: Capacity::default() };
        let page = reader.read(&api, body.clone(), &HeaderMap::new(), asked).unwrap();
        assert_eq!(std::hint::black_box(page).identities.len(), 300);
        began.elapsed()
    };
    let best = (0..1000).map(|_| round()).min().unwrap();
    println!("a record of 588 bytes: {:?}", best / 300);
}

/// An API without paging: whatever is asked for, its pages hold no more than `holds`.
#[derive(Debug)]
struct Unpaged {
    /// Milliseconds since some moment, of each record.
    times: Vec<u16>,
    holds: usize,
    size: usize,
    newest_first: bool,
    /// Whether the edges include their moment.
    inclusive: bool,
}

impl Unpaged {
    fn moment(time: u16) -> Timestamp {
        Timestamp::from_millis(1_795_168_800_000 + i64::from(time))
    }

    /// The walk as the source makes it: the records that it has seen, or why it did not end.
    fn walked(&self) -> Result<std::collections::BTreeSet<usize>, String> {
        let order = if self.newest_first { "newest_first" } else { "oldest_first" };
        let api = api(json!({"order": order,
            "paging": {"bound": {}, "page_size": {"to": {"query": "n"}, "size": self.size}},
            "time_filter": {"granularity": "second",
                "since": {"to": {"query": "a"}}, "until": {"to": {"query": "b"}}}}));
        let (reader, url) = (Reader::new(&api), Url::parse("https://api.example.com").unwrap());
        let mut capacity = Capacity::default();
        let (mut seen, mut request) = (std::collections::BTreeSet::new(), request(None));
        for _ in 0..1000 {
            let edge = request.cursor.as_ref().map(|cursor| Timestamp::read(&cursor.text()).unwrap());
            let inside = |time: u16| match edge {
                None => true,
                Some(edge) if Self::moment(time) == edge => self.inclusive,
                Some(edge) => (Self::moment(time) < edge) == self.newest_first,
            };
            let mut listed: Vec<usize> =
                (0..self.times.len()).filter(|index| inside(self.times[*index])).collect();
            listed.sort_by_key(|index| self.times[*index]);
            if self.newest_first {
                listed.reverse();
            }
            listed.truncate(self.size.min(self.holds));
            let record = |index: &usize| json!({"id": index, "created_at": Self::moment(self.times[*index]).to_string()});
            let body = Value::from(listed.iter().map(record).collect::<Vec<_>>()).to_string();
            let asked = Asked { request: &request, size: self.size, url: &url, secret: None, capacity };
            let page = reader.read(&api, body.into(), &HeaderMap::new(), asked).map_err(|e| e.to_string())?;
            seen.extend(listed.iter().copied());
            capacity.held(listed.len());
            let Onward::Next(next) = page.onward() else {
                // All at once, as far as a page holds it.
                let at_once = self.times.len().min(self.size).min(self.holds);
                if page.in_doubt() && at_once <= listed.len() {
                    return Err(crowded(listed.len()).to_string());
                }
                return Ok(seen);
            };
            request.cursor = Some(next.clone());
        }
        panic!("the walk has no end: {self:?}");
    }
}

#[test]
fn a_page_that_goes_no_further_is_the_end_only_where_another_has_more() {
    let crowd = std::iter::repeat_n(1000, 6);
    for newest_first in [true, false] {
        let api = |times: Vec<u16>, holds| Unpaged { times, holds, size: 50, newest_first, inclusive: false };
        let spread = (0..8).map(|second| 20_000 + second * 1000);
        let both: Vec<u16> = spread.chain(crowd.clone()).collect();
        for holds in [2, 3, 5, 6] {
            for times in [both.clone(), crowd.clone().collect()] {
                let said = api(times, holds).walked().unwrap_err();
                assert!(said.contains(&format!("{holds} records share one moment, and no page")), "{said}");
            }
        }
        assert_eq!(api(both.clone(), 9).walked().map(|seen| seen.len()), Ok(14));
        // As many as there are: nobody can tell.
        assert!(api(crowd.clone().collect(), 40).walked().is_err());
        // One record more, of any other time, tells.
        let and_one = crowd.clone().chain([60_000]).collect();
        assert_eq!(api(and_one, 40).walked().map(|seen| seen.len()), Ok(7));
        assert_eq!(api(vec![1000], 40).walked().map(|seen| seen.len()), Ok(1));
    }
}

proptest::proptest! {
    /// Whatever shares a moment, and however few records a page holds: all are seen, or it is said that they are not.
    #[test]
    fn a_moved_edge_loses_nothing_in_silence(
        moments in proptest::collection::vec((0_u16..6000, 1_usize..40), 0..8),
        holds in 2_usize..30,
        size in 5_usize..60,
        newest_first: bool,
        inclusive: bool,
    ) {
        let times: Vec<u16> = moments.iter().flat_map(|(time, count)| std::iter::repeat_n(*time, *count)).collect();
        let api = Unpaged { times, holds, size, newest_first, inclusive };
        match api.walked() {
            Ok(seen) => proptest::prop_assert_eq!(seen.len(), api.times.len()),
            Err(said) => {
                proptest::prop_assert!(said.contains("`paging.page_size`") && said.contains("`time_filter.granularity`"), "{}", said);
            }
        }
    }

    /// What fits is no failure, where the log has as much as a record of another time.
    #[test]
    fn a_moved_edge_goes_by_what_fits(
        times in proptest::prop_oneof![proptest::collection::vec(0_u16..6000, 0..200), proptest::collection::vec(0_u16..60_000, 0..8)],
        newest_first: bool,
        inclusive: bool,
    ) {
        let second = |time: &u16| times.iter().filter(|other| (**other).abs_diff(*time) <= 2000).count();
        let most = times.iter().map(second).max().unwrap_or_default();
        let times = times.clone();
        // Two seconds may be asked for at once, for an edge that is left out.
        let api = Unpaged { holds: most + 1, size: 500, times, newest_first, inclusive };
        if api.times.len() < 2 || api.times.len() > most {
            proptest::prop_assert_eq!(api.walked().map(|seen| seen.len()), Ok(api.times.len()));
        }
    }
}
