//! `towpath normalize`: records from files and stdin, in every form that they come in.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use simulator::{Faults, Postman};

use crate::api::Api;
use crate::process::{Ended, run};
use crate::workplace::Workplace;
const ARGS: [&str; 3] = ["normalize", "--source", "postman"];

fn normalize(place: &Workplace, args: &[&str], stdin: &[u8]) -> Ended {
    let mut all = ARGS.to_vec();
    all.extend(args);
    run(&mut place.command(&all), stdin).exits(0)
}

/// Records of the simulator, odd ones among them.
fn records() -> Vec<Vec<u8>> {
    let faults = Faults { odd_records: 0.2, ..Faults::none() };
    let api = Api::start(Postman::builder().events(600).faults(faults));
    let text = |record: simulator::Record| record.versions.into_iter().next().unwrap().text;
    api.all().into_iter().map(text).collect()
}

/// For NDJSON each must be on one line.
fn one_a_line(records: &[Vec<u8>]) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in records {
        lines.extend(record.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')));
        lines.push(b'\n');
    }
    lines
}

#[test]
fn every_form_of_input_gives_the_same_events() {
    let place = Workplace::new();
    let records = records();
    let lines = one_a_line(&records);
    let records: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let joined = |records: &[&[u8]]| records.join(&b","[..]);
    let array = [b"[", joined(&records).as_slice(), b"]"].concat();
    let page = |records: &[&[u8]], cursor: &str| {
        [b"{\"trails\":[", joined(records).as_slice(), b"],\"nextCursor\":", cursor.as_bytes(), b"}\n"]
            .concat()
    };
    let pages = [page(&records[..300], "5"), page(&records[300..], "null")].concat();

    for (schema, extra) in [("ocsf", &[][..]), ("ecs", &["--schema", "ecs"]), ("raw", &["--schema", "raw"])] {
        let at = ["--collected-at", "2026-11-20T10:00:00Z"];
        let args = [extra, &at].concat();
        let expected = normalize(&place, &args, &lines);
        assert!(expected.stderr.contains("600 records"), "{schema}: {}", expected.stderr);
        let events: Vec<&str> = expected.stdout.lines().collect();
        assert!(events.len() >= 600, "{schema}: {}", events.len());
        for event in &events {
            match schema {
                "ocsf" => {
                    assert_eq!(testkit::schema::check_ocsf("1.8.0", event.as_bytes()), Ok(()), "{event}")
                }
                "ecs" => assert_eq!(testkit::schema::check_ecs(event.as_bytes()), Ok(()), "{event}"),
                _ => assert!(records.contains(&event.as_bytes()), "not as it came: {event}"),
            }
        }
        place.write("array.json", str::from_utf8(&array).unwrap());
        place.write("pages.json", str::from_utf8(&pages).unwrap());
        place.write(
            "first.ndjson",
            str::from_utf8(&[records[..100].join(&b"\n"[..]).as_slice(), b"\n"].concat()).unwrap(),
        );
        // Without a line break at its end.
        place.write("second.ndjson", str::from_utf8(&records[100..].join(&b"\n"[..])).unwrap());
        for (what, files, stdin) in [
            ("array", &["array.json"][..], &b""[..]),
            ("pages", &["pages.json"], b""),
            ("two files", &["first.ndjson", "second.ndjson"], b""),
            (
                "file and stdin",
                &["first.ndjson", "-"],
                &lines[lines.len() - records[100..].iter().map(|r| r.len() + 1).sum::<usize>()..],
            ),
            ("array on stdin", &["-"], &array),
            ("pages on stdin", &[], &pages),
        ] {
            let again = normalize(&place, &[&args[..], files].concat(), stdin);
            assert!(
                again.stdout == expected.stdout,
                "{schema}: {what} gives something else: {}",
                again.stderr
            );
            assert_eq!(again.stderr.lines().last(), expected.stderr.lines().last(), "{schema}: {what}");
        }
    }
}

#[test]
fn bad_records_become_base_events_and_are_counted() {
    let place = Workplace::new();
    let good = r#"{"id":1,"action":"user.logout","timestamp":"2026-11-20T10:00:00.000Z","data":{"actor":{"name":"A","id":2}}}"#;
    let bad: &[&[u8]] =
        &[b"not json", b"{\"id\": 2, \"action\":", b"42", b"null", b"{}", b"{\"action\": 7}", b"\xff\xfe"];
    let mut input = good.as_bytes().to_vec();
    for record in bad {
        input.push(b'\n');
        input.extend_from_slice(record);
    }
    for (schema, check) in [
        (
            "ocsf",
            (|event| testkit::schema::check_ocsf("1.8.0", event)) as fn(&[u8]) -> Result<(), Vec<String>>,
        ),
        ("ecs", testkit::schema::check_ecs),
    ] {
        let ended = normalize(&place, &["--schema", schema], &input);
        assert_eq!(ended.stdout.lines().count(), 8, "{schema}: {ended}");
        for event in ended.stdout.lines() {
            assert_eq!(check(event.as_bytes()), Ok(()), "{schema}: {event}");
        }
        assert!(
            ended.stderr.contains("8 records, 8 events, 7 could not be mapped and are base events"),
            "{schema}: {}",
            ended.stderr
        );
    }
    let raw = normalize(&place, &["--schema", "raw"], &input);
    assert_eq!(raw.stdout.lines().next(), Some(good));
    for line in raw.stdout.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn the_collection_time_is_the_only_thing_that_changes_from_run_to_run() {
    let place = Workplace::new();
    // Without a time of its own, the collection time is the event's.
    let record = br#"{"id":1,"action":"user.logout","data":{"actor":{"name":"A","id":2}}}"#;
    let at = |time: &str| normalize(&place, &["--collected-at", time], record).stdout;
    let first = at("2026-11-20T10:00:00Z");
    assert_eq!(first, at("2026-11-20T12:00:00+02:00"));
    let event: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(event["time"], 1_795_168_800_000_i64);
    assert_ne!(first, at("2026-11-20T10:00:01Z"));
    let now: Value = serde_json::from_str(&normalize(&place, &[], record).stdout).unwrap();
    assert!(now["time"].as_i64() > Some(1_795_168_800_000), "{now}");
}

#[test]
fn every_ocsf_version_is_valid_and_raw_data_can_be_left_out() {
    let place = Workplace::new();
    let lines = one_a_line(&records());
    for version in testkit::schema::OCSF_VERSIONS {
        for event in normalize(&place, &["--ocsf-version", version], &lines).stdout.lines() {
            assert_eq!(testkit::schema::check_ocsf(version, event.as_bytes()), Ok(()), "{event}");
        }
    }
    let lean = normalize(&place, &["--no-raw"], &lines).stdout;
    assert!(!lean.contains("raw_data"));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let place = Workplace::new();
    let lines = one_a_line(&records()).repeat(50);
    std::fs::write(place.path("many.ndjson"), lines).unwrap();
    let mut command = place.command(&ARGS);
    let stderr = tempfile::NamedTempFile::new().unwrap();
    command.arg("many.ndjson").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr.reopen().unwrap());
    let mut child = command.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let status = child.wait().unwrap();
    assert!(first.starts_with('{'), "{first}");
    let said = std::fs::read_to_string(stderr.path()).unwrap();
    assert!(!said.contains("error") && !said.contains("panicked"), "{said}");
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let place = Workplace::new();
    let ended = run(&mut place.command(&[&ARGS[..], &["nowhere.ndjson"]].concat()), b"").exits(1);
    assert!(ended.stderr.contains("nowhere.ndjson"), "{ended}");
}
