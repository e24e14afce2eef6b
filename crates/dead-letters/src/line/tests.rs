use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn words() -> impl Strategy<Value = Box<str>> {
    prop_oneof![".{0,12}", "[a-z]{1,8}", Just("a\"\\\n\r\u{0}\u{2028}\u{1f600}".to_owned())]
        .prop_map(String::into_boxed_str)
}

/// Mostly any bytes; also text that looks like JSON and like lines.
fn content() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        vec(any::<u8>(), 0..40).prop_map(Bytes::from),
        ".{0,40}".prop_map(Bytes::from),
        Just(Bytes::from_static(b"{\"a\":\"\xff\xfe\"}\n{}\r\n")),
        Just(Bytes::from_static(b"{\"a\": 1.0, \"a\": \"\\u00e9\"}")),
    ]
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![4 => 0..4_102_444_800_000_i64, 1 => any::<i64>()].prop_map(Timestamp::from_millis)
}

fn record() -> impl Strategy<Value = LetterRecord> {
    let second = prop_oneof![any::<i64>(), Just(RecordId::TIMELESS)];
    (content(), second, any::<u64>(), any::<u64>(), moment()).prop_map(
        |(text, second, native, content, collected_at)| LetterRecord {
            text,
            id: RecordId { second, native, content },
            collected_at,
        },
    )
}

prop_compose! {
    fn origin()(source in words(), kind in words(), dataset in words(), labels in vec((words(), words()), 0..4))
        -> Origin { Origin { source, kind, dataset, labels } }
}

prop_compose! {
    fn letters()(
        time in moment(),
        origin in origin(),
        sink in words(),
        schema in prop_oneof![Just(Schema::Ocsf), Just(Schema::Ecs), Just(Schema::Raw)],
        version in words(),
        keep_raw in any::<bool>(),
        (event_id, fan_out, attempts) in any::<(u128, u32, u32)>(),
        (reason, detail) in (words(), words()),
        sent in content(),
        record in option::weighted(0.8, record()),
    ) -> Letter {
        let view = Arc::new(View { schema, version, keep_raw });
        Letter { time, origin: origin.into(), sink, view, event_id, fan_out, reason, detail, attempts, sent, record }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_letter_comes_back_as_it_was_from_one_line(letter in letters()) {
        let (id, mut out) = (LetterId::random(), Vec::new());
        write(id, &letter, &mut out).unwrap();
        let (line_break, line) = out.split_last().unwrap();
        prop_assert!(*line_break == b'\n' && !line.contains(&b'\n') && std::str::from_utf8(line).is_ok());
        prop_assert_eq!(read(line).unwrap(), (id, letter));
        prop_assert_eq!(read_id(line).unwrap(), id);
    }

    /// A line that was cut is refused, not read as something else.
    #[test]
    fn part_of_a_line_is_no_letter(letter in letters(), at in any::<proptest::sample::Index>()) {
        let mut out = Vec::new();
        write(LetterId::random(), &letter, &mut out).unwrap();
        let line = &out[..out.len() - 1];
        prop_assert!(read(&line[..at.index(line.len())]).is_err());
    }
}

/// The format is a contract: this line must be readable for ever, and is what this release writes.
const LINE: &str = concat!(
    r#"{"v":1,"id":"00000000000000000000000000c0ffee","time":"2026-11-20T10:00:00.000Z","source":"postman","#,
    r#""sink":"splunk","event_id":"0000000000000000000000000000002a","reason":"mapping","#,
    r#""detail":"field \"time\"","attempts":2,"fan_out":1,"#,
    r#""view":{"schema":"ocsf","version":"1.8.0","keep_raw":true},"#,
    r#""origin":{"kind":"postman","dataset":"postman.audit","labels":[["env","prod"]]},"#,
    r#""sent":"{\"class_uid\":3002}","record_base64":"eyL/In0=","#,
    r#""record_id":{"second":1795165523,"native":"0000000000000011","content":"ffffffffffffffff"},"#,
    r#""collected_at":"2026-11-20T09:59:58.000Z"}"#,
);

#[test]
fn the_format_stays_as_it_is() {
    let (id, letter) = read(LINE.as_bytes()).unwrap();
    assert_eq!(letter.event_id, 42);
    assert_eq!(&letter.record.as_ref().unwrap().text[..], b"{\"\xff\"}");
    assert_eq!(letter.record.as_ref().unwrap().id.content, u64::MAX);
    let mut out = Vec::new();
    write(id, &letter, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("{LINE}\n"));
}

#[test]
fn a_newer_or_senseless_line_is_refused_as_such() {
    let newer = LINE.replace("\"v\":1", "\"v\":2").replace("\"time\":", "\"moment\":");
    assert!(matches!(read(newer.as_bytes()), Err(LineError::Newer { found: 2, supported: 1 })));
    for (from, to) in [
        ("\"v\":1,", ""),
        ("\"v\":1", "\"v\":\"1\""),
        ("c0ffee\"", "c0ffe\""),
        ("\"id\":\"00000000000000000000000000c0ffee\",", ""),
        ("\"sent\":", "\"send\":"),
        ("\"sent\":", "\"sent_base64\":"),
        ("\"attempts\":2", "\"attempts\":2,\"attempt\":2"),
        ("\"ocsf\"", "\"cef\""),
        ("eyL/In0=", "eyL/In0"),
        ("\"record_base64\":", "\"record\":\"\",\"record_base64\":"),
        ("\"record_base64\":\"eyL/In0=\",", ""),
        ("0000000000000011", "11"),
        ("2026-11-20T10:00:00.000Z", "yesterday"),
    ] {
        assert!(LINE.contains(from));
        let changed = LINE.replacen(from, to, 1);
        assert!(matches!(read(changed.as_bytes()), Err(LineError::Unreadable(_))), "{changed}");
    }
    for line in ["", "7", "[]", "{}", "null"] {
        assert!(matches!(read(line.as_bytes()), Err(LineError::Unreadable(_))), "{line}");
    }
}
