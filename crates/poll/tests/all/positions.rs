//! Positions are JSON that people read and edit; what makes no sense is refused, with a reason.

use pipeline::Position;
use poll::position::{Form, accepted};
use poll::{OpenError, Policy, Start};

use crate::conversation::{Conversation, DAY, HOUR, at, identity};

/// As in the documentation of `poll::position`.
const EXAMPLE: &str = r#"{"version": 1, "source": "postman", "host": "api.example", "tenant": "1234",
    "start": "2026-11-13T10:00:00.000Z", "complete_until": "2026-11-20T10:00:00.000Z",
    "newest": "2026-11-20T09:58:12.000Z", "swept_until": "2026-11-20T09:30:00.000Z",
    "history": [{"from": "2026-11-13T10:00:00.000Z", "to": "2026-11-20T08:00:00.000Z"}],
    "walks": [{"kind": "history", "since": "2026-11-13T10:00:00.000Z", "until": "2026-11-20T08:00:00.000Z",
               "began": "2026-11-20T10:00:05.000Z", "cursor": 554891778, "pages": 12, "restarts": 0}]}"#;

fn talk() -> Conversation {
    Conversation::begin(Policy::default(), Start::Now)
}

#[test]
fn the_documented_example_is_taken_up() {
    let documented: String = include_str!("../../src/position.rs")
        .lines()
        .skip_while(|line| !line.contains("```json"))
        .skip(1)
        .take_while(|line| !line.contains("```"))
        .map(|line| line.trim_start_matches("//!"))
        .collect();
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(squeezed(&documented).replace("api.getpostman.com", "api.example"), squeezed(EXAMPLE));
    let mut collector = talk().reopened(EXAMPLE).unwrap();
    collector.set_tenant("1234").unwrap();
    let line = "history 2026-11-13T10:00:00.000Z to 2026-11-20T08:00:00.000Z, 12 pages";
    assert_eq!(collector.status().walks, [line]);
}

#[test]
fn a_position_reads_well() {
    let mut talk = Conversation::begin(Policy::default(), Start::Ago(DAY));
    talk.asks();
    talk.goes_on(&[], "\"abc\"");
    let expected = concat!(
        r#"{"version":1,"source":"postman","host":"api.example","tenant":null,"start":"2026-11-19T10:00:00.000Z","#,
        r#""complete_until":null,"newest":null,"swept_until":"2026-11-20T10:00:00.000Z","#,
        r#""history":[{"from":"2026-11-19T10:00:00.000Z","to":"2026-11-20T10:00:00.000Z"}],"#,
        r#""walks":[{"kind":"live","since":"2026-11-20T09:45:00.000Z","until":null,"began":"2026-11-20T10:00:00.000Z","#,
        r#""cursor":"abc","pages":1,"restarts":0,"newest":null}]}"#,
    );
    assert_eq!(talk.collector.progress().position.as_str(), expected);
}

#[test]
fn what_is_no_position_is_unreadable() {
    for (from, to) in [
        (EXAMPLE, "{}"),
        (EXAMPLE, "null"),
        (EXAMPLE, "17"),
        (EXAMPLE, r#"{"version": 1}"#),
        ("\"tenant\"", "\"tenants\""),
        ("\"pages\"", "\"page\""),
        ("\"from\"", "\"since\""),
        ("\"kind\": \"history\"", "\"kind\": \"backfill\""),
        ("554891778", "[554891778]"),
        ("\"2026-11-20T09:58:12.000Z\"", "\"yesterday\""),
        ("\"version\": 1", "\"version\": \"one\""),
        ("\"walks\"", "\"floor\": {\"refuse\": null}, \"walks\""),
    ] {
        let text = EXAMPLE.replace(from, to);
        assert_ne!(text, EXAMPLE);
        let error = talk().reopened(&text).unwrap_err();
        assert!(matches!(error, OpenError::Unreadable(_)), "{to}: {error}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let live = r#""walks": [{"kind": "live", "since": null, "until": null, "began": null, "cursor": null, "pages": 0, "restarts": 0}, {"#;
    for (from, to, reason) in [
        ("\"version\": 1", "\"version\": 0", "`version` is 0"),
        (
            "\"2026-11-20T09:58:12.000Z\"",
            "\"1995-01-01T00:00:00Z\"",
            "1995-01-01T00:00:00.000Z is not a time between 2000 and 2100",
        ),
        ("\"2026-11-20T09:30:00.000Z\"", "\"2226-11-20T09:30:00Z\"", "is not a time between 2000 and 2100"),
        (
            "\"from\": \"2026-11-13",
            "\"from\": \"2026-11-23",
            "2026-11-23T10:00:00.000Z is not before 2026-11-20T08:00:00.000Z",
        ),
        (
            "\"since\": \"2026-11-13",
            "\"since\": \"2026-11-23",
            "2026-11-23T10:00:00.000Z is not before 2026-11-20T08:00:00.000Z",
        ),
        (
            "\"since\": \"2026-11-13",
            "\"since\": \"2026-11-12",
            "does not lie in the first range of `history`",
        ),
        (
            "\"since\": \"2026-11-13T10:00:00.000Z\"",
            "\"since\": null",
            "does not lie in the first range of `history`",
        ),
        (
            "\"until\": \"2026-11-20T08",
            "\"until\": \"2026-11-20T09",
            "does not lie in the first range of `history`",
        ),
        (
            "\"to\": \"2026-11-20T08:00:00.000Z\"",
            "\"to\": null",
            "does not lie in the first range of `history`",
        ),
        ("\"kind\": \"history\"", "\"kind\": \"live\"", "`until` belongs to walks of kind `history`"),
        (
            "\"until\": \"2026-11-20T08:00:00.000Z\"",
            "\"until\": null",
            "`until` belongs to walks of kind `history`",
        ),
        (
            "\"walks\": [{",
            "\"floor\": {\"refused\": \"1995-01-01T00:00:00Z\"}, \"walks\": [{",
            "1995-01-01T00:00:00.000Z is not a time between 2000 and 2100",
        ),
        ("\"began\": \"2026-11-20T10:00:05.000Z\"", "\"began\": null", "has a `cursor`, but has not `began`"),
        ("\"walks\": [{", live, "`since` is missing in a walk to the present"),
        (
            "\"history\": [{",
            "\"history\": [{\"from\": \"2026-11-13T10:00:00.000Z\", \"to\": null}, {",
            "a range of `history` that is not the last has no `to`",
        ),
    ] {
        let text = EXAMPLE.replacen(from, to, 1);
        assert_ne!(text, EXAMPLE);
        let error = talk().reopened(&text).unwrap_err();
        assert!(matches!(error, OpenError::Nonsense(_)), "{to}: {error}");
        assert!(error.to_string().contains(reason), "{to}: {error}");
    }
    let walk = EXAMPLE.split_once("\"walks\": [").unwrap().1.trim_end_matches("]}");
    let twice = EXAMPLE.replace(walk, &format!("{walk}, {walk}"));
    assert!(talk().reopened(&twice).unwrap_err().to_string().contains("at most one walk of each kind"));
}

/// Positions of before have neither; those that need neither are as before.
#[test]
fn what_was_found_out_of_the_api_is_in_the_position_as_long_as_it_matters() {
    let refused =
        r#""floor": {"refused": "2026-11-14T10:00:00.000Z", "accepted": "2026-11-15T10:00:00.000Z"}"#;
    let form = r#""form": {"name": "date", "settled": false}"#;
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    for member in [refused, form] {
        let text = EXAMPLE.replace("\"walks\"", &format!("{member}, \"walks\""));
        let again = talk().reopened(&text).unwrap().progress().position;
        assert!(squeezed(again.as_str()).contains(&squeezed(member)), "{again}");
    }
    let mut collector = talk().reopened(EXAMPLE).unwrap();
    assert_eq!(collector.form(), None);
    let before = collector.progress().position;
    assert!(!before.as_str().contains("\"floor\"") && !before.as_str().contains("\"form\""), "{before}");
    let form = Form { name: "date".into(), settled: true };
    collector.set_form(Some(form.clone()));
    let saved = collector.progress().position;
    assert_eq!(talk().reopened(saved.as_str()).unwrap().form(), Some(&form));
    collector.set_form(None);
    assert_eq!(collector.progress().position, before);
}

/// Positions of before said in another way whose turn it was.
#[test]
fn a_position_that_was_historys_turn_is_taken_up_at_the_present() {
    let first = |member: &str| {
        let text = EXAMPLE.replace("\"walks\"", &format!("{member}\"walks\""));
        let position = talk().reopened(&text).unwrap().progress().position;
        let json: serde_json::Value = serde_json::from_str(position.as_str()).unwrap();
        assert_eq!(json.get("history_first"), None);
        json.get("first").cloned()
    };
    for (held, next) in [
        ("", Some("history")),
        ("\"first\": \"live\", ", Some("history")),
        ("\"first\": \"sweep\", ", Some("history")),
        ("\"first\": \"history\", ", None),
        ("\"history_first\": true, ", None),
    ] {
        assert_eq!(first(held), next.map(serde_json::Value::from), "{held}");
    }
}

#[test]
fn a_newer_version_is_refused_even_if_it_cannot_be_read() {
    let error = talk().reopened(r#"{"version": 2, "streams": []}"#).unwrap_err();
    assert_eq!(error.to_string(), "position has version 2, this Towpath reads version 1");
}

#[test]
fn another_start_is_told_where_it_can_be_told() {
    let (now, week_ago) = (at("2026-11-20T10:00:00Z"), at("2026-11-13T10:00:00Z"));
    for (held, asked, told) in [
        (Start::All, Start::All, None),
        (Start::All, Start::Now, Some("all")),
        (Start::All, Start::Ago(DAY), Some("all")),
        (Start::All, Start::At(week_ago), Some("all")),
        (Start::At(week_ago), Start::All, Some("2026-11-13T10:00:00.000Z")),
        (Start::At(week_ago), Start::At(week_ago), None),
        (Start::At(week_ago), Start::At(week_ago.plus(HOUR)), Some("2026-11-13T10:00:00.000Z")),
        (Start::Ago(7 * DAY), Start::At(week_ago), None),
        (Start::Ago(7 * DAY), Start::Ago(7 * DAY), None),
        // Later than the first run, an age asks for less than it did then.
        (Start::Ago(7 * DAY), Start::Ago(DAY), None),
        (Start::Ago(7 * DAY), Start::Now, None),
        (Start::Now, Start::Now, None),
        // By a clock that is hours off.
        (Start::Now, Start::Ago(23 * HOUR), None),
        (Start::Ago(7 * DAY), Start::Ago(30 * DAY), Some("2026-11-13T10:00:00.000Z")),
    ] {
        let position = Conversation::begin(Policy::default(), held).collector.progress().position;
        let collector = talk().reopened(position.as_str()).unwrap();
        let other = collector.other_start(asked, now).map(|start| start.to_string());
        assert_eq!(other.as_deref(), told, "{held:?}, then {asked:?}");
    }
}

#[test]
fn what_an_operator_writes_is_held_against_the_same_rules_and_put_in_order() {
    let accepted = |text: &str| accepted(&Position::from_json(text).unwrap(), &identity());
    let position = accepted(EXAMPLE).unwrap();
    let order =
        ["version", "source", "host", "tenant", "start", "complete_until", "newest", "history", "walks"];
    let places = order.map(|key| position.as_str().find(&format!("\"{key}\":")).unwrap());
    assert!(places.is_sorted() && !position.as_str().contains('\n'), "{position}");
    assert!(position.as_str().contains("\"cursor\":554891778,"), "{position}");
    talk().reopened(position.as_str()).unwrap();
    assert!(matches!(accepted("{}"), Err(OpenError::Unreadable(_))));
    let elsewhere = EXAMPLE.replace("api.example", "elsewhere.example");
    assert!(matches!(accepted(&elsewhere), Err(OpenError::Other { .. })));
}
