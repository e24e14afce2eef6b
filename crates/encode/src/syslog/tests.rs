use proptest::prelude::*;

use super::*;

const TIME: Timestamp = Timestamp::from_millis(1_795_165_523_120);

fn message<'a>(kind: &'a str, data: &'a [(&'a str, &'a str)], body: &'a str) -> Message<'a> {
    let escapes = Escapes::Json;
    Message { severity: 6, time: TIME, kind, data_id: "towpath@32473", data, body: body.as_bytes(), escapes }
}

/// What a receiver of RFC 5424 reads, by its grammar (section 6), without a look at the writer.
#[derive(Debug, PartialEq)]
struct Read {
    priority: u32,
    fields: Vec<String>,
    data: Vec<(String, Vec<(String, String)>)>,
    body: String,
}

fn read(text: &str) -> Read {
    let (priority, rest) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')).expect("PRI");
    assert!(!priority.starts_with('0') || priority == "0");
    let mut rest = rest.strip_prefix("1 ").expect("the version");
    let mut fields = Vec::new();
    for most in [32, 255, 48, 128, 32] {
        let (field, after) = rest.split_once(' ').expect("a field");
        assert!(
            (1..=most).contains(&field.len()) && field.bytes().all(|b| (33..=126).contains(&b)),
            "{field:?}"
        );
        fields.push(field.to_owned());
        rest = after;
    }
    let mut data = Vec::new();
    let mut chars = rest.chars();
    if rest.starts_with('-') {
        chars.next();
    }
    while chars.as_str().starts_with('[') {
        chars.next();
        let mut names = vec![String::new()];
        let mut values = Vec::new();
        loop {
            match chars.next().expect("the end of an element") {
                ']' => break,
                ' ' => names.push(String::new()),
                '=' => {
                    assert_eq!(chars.next(), Some('"'));
                    let mut value = String::new();
                    loop {
                        match chars.next().expect("the end of a value") {
                            '"' => break,
                            '\\' => {
                                value.push(chars.next().filter(|c| "\"\\]".contains(*c)).expect("an escape"))
                            }
                            ']' => panic!("an unescaped bracket"),
                            c => value.push(c),
                        }
                    }
                    values.push(value);
                }
                c => {
                    assert!(c.is_ascii_graphic() && !"=]\"".contains(c), "{c:?} in a name");
                    names.last_mut().unwrap().push(c);
                }
            }
        }
        assert!(names.iter().all(|name| (1..=32).contains(&name.len())), "{names:?}");
        let id = names.remove(0);
        assert_eq!(names.len(), values.len());
        data.push((id, names.into_iter().zip(values).collect()));
    }
    let body = chars.as_str().strip_prefix(' ').expect("a blank before the text").to_owned();
    Read { priority: priority.parse().unwrap(), fields, data, body }
}

/// Takes a stream of frames apart.
fn frames(framing: Framing, mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let end = match framing {
            Framing::OctetCounting => {
                let digits = stream.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let length: usize = std::str::from_utf8(&stream[..digits]).unwrap().parse().unwrap();
                assert!(stream[0] != b'0' && stream[digits] == b' ');
                stream = &stream[digits + 1..];
                length
            }
            Framing::Lf => stream.iter().position(|byte| *byte == b'\n').expect("a line break at the end"),
            Framing::None => stream.len(),
        };
        frames.push(stream[..end].to_vec());
        stream = &stream[end + usize::from(framing == Framing::Lf)..];
    }
    frames
}

#[test]
fn golden_5424() {
    let sender = Sender::new(Format::Rfc5424, Facility::Audit, "host.example.com", "towpath");
    let data = [("event_id", "00ff"), ("source", "a\"b\\c]d\ne")];
    let mut out = Vec::new();
    let fit = sender.push(
        &message("user.login", &data, "{\"a\":1}"),
        8192,
        false,
        Framing::OctetCounting,
        &mut out,
    );
    assert_eq!(fit, Fit::Whole);
    let fit = sender.push(&message("", &[], "{}"), 8192, false, Framing::Lf, &mut out);
    assert_eq!(fit, Fit::Whole);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "131 <110>1 2026-11-20T09:05:23.120Z host.example.com towpath - user.login [towpath@32473 event_id=\"00ff\" \
         source=\"a\\\"b\\\\c\\]d e\"] {\"a\":1}\
         <110>1 2026-11-20T09:05:23.120Z host.example.com towpath - - [towpath@32473] {}\n"
    );
}

#[test]
fn golden_3164() {
    let sender = Sender::new(Format::Rfc3164, Facility::Local0, "ho st\u{e9}", "tow-path[1]: é");
    let mut out = Vec::new();
    sender.push(&message("user.login", &[], "{\"a\":1}"), 8192, false, Framing::Lf, &mut out);
    let early =
        Message { time: Timestamp::from_millis(1_793_500_205_000), severity: 9, ..message("", &[], "x\ny") };
    sender.push(&early, 8192, false, Framing::Lf, &mut out);
    let never = Message { time: Timestamp::from_millis(i64::MAX), severity: 0, ..message("", &[], "") };
    sender.push(&never, 8192, false, Framing::Lf, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<134>Nov 20 09:05:23 ho_st_ towpath1: {\"a\":1}\n<135>Nov  1 02:30:05 ho_st_ towpath1: x y\n\
         <128>Jan  1 00:00:00 ho_st_ towpath1: \n"
    );
}

#[test]
fn what_is_too_long_is_left_out_or_cut_and_says_so() {
    for (format, says) in [(Format::Rfc5424, " truncated=\"1\"]"), (Format::Rfc3164, " [truncated]")] {
        let sender = Sender::new(format, Facility::User, "h", "a");
        let message = message("k", &[("event_id", "1")], "0123456789éééééééééééééééééééé\\u00e9\\u00e9");
        let mut whole = Vec::new();
        sender.push(&message, usize::MAX, true, Framing::None, &mut whole);
        for most in 0..whole.len() {
            let mut out = b"before".to_vec();
            let fit = sender.push(&message, most, false, Framing::None, &mut out);
            assert_eq!((fit, out.len()), (Fit::TooLarge(whole.len()), 6));
            match sender.push(&message, most, true, Framing::None, &mut out) {
                Fit::Cut => {
                    let text = std::str::from_utf8(&out[6..]).unwrap();
                    assert!(text.len() <= most && text.contains(says), "{text}");
                }
                Fit::TooLarge(bytes) => assert_eq!((bytes, out.len()), (whole.len(), 6)),
                Fit::Whole => panic!("{most} is enough?"),
            }
        }
        assert_eq!(sender.push(&message, whole.len(), true, Framing::None, &mut Vec::new()), Fit::Whole);
    }
}

#[test]
fn an_event_that_looks_like_frames_stays_one() {
    let sender = Sender::new(Format::Rfc5424, Facility::User, "h\n<1>1", "a b");
    let evil = "}\n<0>1 - - - - - - injected\r\n12 <0>1 - - x\u{0}\n";
    for framing in [Framing::OctetCounting, Framing::Lf] {
        let mut out = Vec::new();
        for _ in 0..2 {
            sender.push(&message(evil, &[("source", evil)], evil), 8192, false, framing, &mut out);
        }
        let frames = frames(framing, &out);
        assert_eq!(frames.len(), 2, "{framing:?}");
        let expected = if framing == Framing::Lf { evil.replace('\n', " ") } else { evil.to_owned() };
        assert_eq!(read(std::str::from_utf8(&frames[1]).unwrap()).body, expected);
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(
        (host, app, kind) in any::<(String, String, String)>(),
        data in prop::collection::vec(any::<String>(), 0..4),
        bodies in prop::collection::vec(any::<String>(), 1..5),
        severity in 0..8u8,
        framing in prop::sample::select(vec![Framing::OctetCounting, Framing::Lf]),
        most in 100..400usize,
    ) {
        let sender = Sender::new(Format::Rfc5424, Facility::Local7, &host, &app);
        let names = ["event_id", "source", "dataset", "schema"];
        let pairs: Vec<(&str, &str)> = names.iter().zip(&data).map(|(n, v)| (*n, v.as_str())).collect();
        let mut out = Vec::new();
        let mut kept = Vec::new();
        for body in &bodies {
            let message = Message { severity, ..message(&kind, &pairs, body) };
            kept.push(sender.push(&message, most, true, framing, &mut out));
        }
        let frames = frames(framing, &out);
        let sent: Vec<_> = bodies.iter().zip(&kept).filter(|(_, fit)| !matches!(fit, Fit::TooLarge(_))).collect();
        prop_assert_eq!(frames.len(), sent.len());
        for (frame, (body, fit)) in frames.iter().zip(sent) {
            prop_assert!(frame.len() <= most);
            let read = read(std::str::from_utf8(frame).unwrap());
            prop_assert_eq!(read.priority, 23 * 8 + u32::from(severity));
            prop_assert_eq!(&read.fields[0], "2026-11-20T09:05:23.120Z");
            let (id, params) = &read.data[0];
            prop_assert_eq!((id.as_str(), read.data.len()), ("towpath@32473", 1));
            let blank = |text: &str| text.replace(|c: char| c.is_control(), " ");
            let mut expected: Vec<(String, String)> =
                pairs.iter().map(|(name, value)| (name.to_string(), blank(value))).collect();
            if *fit == Fit::Cut {
                expected.push(("truncated".into(), "1".into()));
            }
            prop_assert_eq!(params, &expected);
            let body = if framing == Framing::Lf { body.replace('\n', " ") } else { body.clone() };
            match fit {
                Fit::Whole => prop_assert_eq!(&read.body, &body),
                _ => prop_assert!(body.starts_with(&read.body), "{:?} of {:?}", read.body, body),
            }
        }
    }
}
