//! `towpath dead-letters`: the real binary on letters that the store has kept.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use dead_letters::{KeptLetter, LetterFiles, LetterStore, Removal};
use pipeline::{DeadLetters as _, Letter, LetterRecord, Origin, RecordId, Schema, Timestamp, View};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with a configuration, letters, and what comes out.
struct Place {
    dir: TempDir,
}

/// What a command did.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "{:?} is not in {}", words, self.err);
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.configure("");
        place
    }

    /// Two sinks, and more of them.
    fn configure(&self, more: &str) {
        let dir = self.dir.path().display();
        let text = format!(
            "data_dir: {dir}/data\n\
             sources:\n  postman: {{ type: postman, api_key: PMAK-of-a-test }}\n\
             sinks:\n  archive: {{ type: file, path: {dir}/archive.ndjson }}\n  \
             ecs: {{ type: file, path: {dir}/ecs.ndjson, schema: ecs, batch: {{ max_events: 2 }} }}\n{more}"
        );
        fs::write(self.dir.path().join("towpath.yaml"), text).unwrap();
    }

    fn letters_dir(&self) -> PathBuf {
        self.dir.path().join("data/dead-letters")
    }

    fn keep(&self, letters: &[Letter]) {
        LetterStore::open(&self.letters_dir(), 1 << 30).unwrap().keep(letters).unwrap();
    }

    fn kept(&self) -> Vec<KeptLetter> {
        LetterFiles::in_dir(&self.letters_dir()).letters(None).unwrap().map(Result::unwrap).collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.arg("dead-letters").args(args).arg("--config").arg(self.dir.path().join("towpath.yaml"));
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap().into()
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.dir.path().join(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn golden(case: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../transform/golden/postman").join(case);
    fs::read(dir.join("input.json")).unwrap()
}

const COLLECTED_AT: &str = "2026-11-20T10:00:00Z";

fn letter(sink: &str, record: &[u8], fan_out: u32) -> Letter {
    let (source, kind, dataset) = ("postman".into(), "postman".into(), "postman.audit".into());
    Letter {
        time: Timestamp::from_millis(1_795_165_523_120),
        origin: Origin { source, kind, dataset, labels: vec![] }.into(),
        sink: sink.into(),
        // Neither this view nor these bytes are what is sent today.
        view: View { schema: Schema::Ocsf, version: "1.1.0".into(), keep_raw: true }.into(),
        event_id: 42,
        fan_out,
        reason: "mapping".into(),
        detail: "field [time] \u{1b}[31mof type long\nfailed".into(),
        attempts: 3,
        sent: "{\"class_uid\":3002}".into(),
        record: Some(LetterRecord {
            text: record.to_vec().into(),
            id: RecordId { second: 1_795_165_523, native: 17, content: 5 },
            collected_at: COLLECTED_AT.parse().unwrap(),
        }),
    }
}

/// The events of a record, as `normalize` has them.
fn normalized(record: &[u8], schema: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["normalize", "--source", "postman", "--schema", schema, "--collected-at", COLLECTED_AT]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("record");
    fs::write(&file, record).unwrap();
    let output = command.arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn without_letters_there_is_nothing_to_see_and_nothing_is_created() {
    let place = Place::new();
    assert!(place.run(&["list"]).exits(0).out.starts_with("no dead letters in "));
    assert_eq!(place.run(&["list", "--json"]).exits(0).out, "");
    assert_eq!(place.run(&["export"]).exits(0).out, "");
    assert!(place.run(&["purge", "--all"]).exits(0).out.starts_with("removed 0 dead letters"));
    place.run(&["replay", "--all"]).exits(0).says("0 replayed, 0 refused again, 0 kept");
    place.run(&["show", "abc"]).exits(1).says("there is no dead letter abc");
    place.run(&["list", "--sink", "archiv"]).exits(2).says("it has archive, ecs");
    assert!(!place.dir.path().join("data").exists());
}

#[test]
fn letters_are_listed_shown_and_exported() {
    let place = Place::new();
    let (login, odd) = (golden("login-password"), golden("not-utf8"));
    assert!(std::str::from_utf8(&odd).is_err());
    place.keep(&[letter("archive", &login, 0), letter("archive", &odd, 1)]);
    let gap = Letter { record: None, ..letter("ecs", b"", 0) };
    place.keep(&[gap]);
    let kept = place.kept();

    let list = place.run(&["list", "--json"]).exits(0).out;
    let expected = format!(
        r#"{{"id":"{}","time":"2026-11-20T09:05:23.120Z","source":"postman","sink":"archive","event_id":"0000000000000000000000000000002a","reason":"mapping","attempts":3,"bytes":18}}"#,
        kept[0].id
    );
    assert_eq!(list.lines().next().unwrap(), expected);
    assert_eq!(list.lines().count(), 3);
    for line in list.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert_eq!(place.run(&["--sink", "ecs", "list", "--json"]).exits(0).out.lines().count(), 1);

    let list = place.run(&["list"]).exits(0).out;
    assert!(list.starts_with("ID   ") && list.contains(&kept[2].id.to_string()[..12]), "{list}");
    assert!(list.contains("field [time] \\u{1b}[31mof type long\\nfailed"), "{list}");
    assert!(list.ends_with("\n\n3 dead letters: 2 of archive, 1 of ecs\n"), "{list}");
    let list = place.run(&["list", "--sink", "archive"]).exits(0).out;
    assert!(list.ends_with("\n\n2 dead letters, all of archive\n"), "{list}");

    let id = kept[0].id.to_string();
    let shown = place.run(&["show", &id[..12]]).exits(0).out;
    for words in [
        &*format!("id        {id}\n"),
        "sink      archive (ocsf 1.1.0)\n",
        "source    postman (postman, postman.audit)\n",
        "event     0000000000000000000000000000002a\n",
        "attempts  3\n",
        "\\u{1b}[31mof type long\\nfailed\n",
        "\n  \"action\": \"user.login_password_success\",\n",
        "\nevent as sent, 18 bytes:\n{\n  \"class_uid\": 3002\n}\n",
    ] {
        assert!(shown.contains(words), "{words:?} is not in {shown}");
    }
    let gap = place.run(&["show", &kept[2].id.to_string()]).exits(0).out;
    assert!(gap.contains("\nno record: the event reports a gap\n"), "{gap}");
    let whole = place.run(&["show", &id, "--json"]).exits(0).out;
    assert_eq!(whole.trim_end().as_bytes(), &kept[0].line[..]);

    let export = place.run(&["export"]).exits(0).out;
    let lines: Vec<_> = kept.iter().map(|kept| std::str::from_utf8(&kept.line).unwrap()).collect();
    assert_eq!(export, lines.join("\n") + "\n");
    // What was exported is a file of letters again, with every byte of the records.
    let other = Place::new();
    fs::create_dir_all(other.letters_dir()).unwrap();
    fs::write(other.letters_dir().join("a.3.ndjson"), &export).unwrap();
    let again = other.kept();
    assert_eq!(
        again.iter().map(|kept| &kept.letter).collect::<Vec<_>>(),
        kept.iter().map(|k| &k.letter).collect::<Vec<_>>()
    );
    assert_eq!(again[1].letter.record.as_ref().unwrap().text, odd);
}

#[test]
fn purging_needs_a_choice_and_removes_only_that() {
    let place = Place::new();
    let letters: Vec<_> = (0..4).map(|n| letter("archive", format!("{n}").as_bytes(), 0)).collect();
    place.keep(&letters);
    place.keep(&[letter("ecs", b"4", 0), letter("ecs", b"5", 0)]);
    let kept = place.kept();
    let id = |n: usize| kept[n].id.to_string();

    for args in [&["purge"][..], &["purge", "--sink", "ecs"], &["replay"]] {
        place.run(args).exits(2).says("`towpath dead-letters list` shows them, or say --all");
    }
    place.run(&["purge", "--all", &id(0)]).exits(2);
    place.run(&["purge", "xyz"]).exits(2).says("is no id of a dead letter");
    place
        .run(&["purge", &id(0), "00000000000000000000000000000000"])
        .exits(1)
        .says("there is no dead letter 000");
    place.run(&["purge", &id(0), "--sink", "ecs"]).exits(1).says("of ecs in ");
    assert_eq!(place.kept().len(), 6);

    let removed = place.run(&["purge", &id(1)[..16], &id(4), &id(4)]).exits(0).out;
    assert!(removed.starts_with("removed 2 dead letters from "), "{removed}");
    let left: Vec<_> = place.kept().iter().map(|kept| kept.id).collect();
    assert_eq!(left, [0, 2, 3, 5].map(|n: usize| kept[n].id));
    assert_eq!(
        place.run(&["purge", "--all", "--sink", "archive", "--json"]).exits(0).out,
        "{\"removed\":3}\n"
    );
    assert_eq!(place.kept().len(), 1);
    assert!(place.run(&["purge", "--all"]).exits(0).out.starts_with("removed 1 dead letter from "));
    assert!(place.kept().is_empty());
}

#[test]
fn a_start_that_several_ids_have_is_refused() {
    let place = Place::new();
    // Of seventeen ids two start alike.
    let letters: Vec<_> = (0..17).map(|_| letter("archive", b"{}", 0)).collect();
    place.keep(&letters);
    let starts: Vec<String> = place.kept().iter().map(|kept| kept.id.to_string()[..1].to_owned()).collect();
    let start = starts.iter().find(|start| starts.iter().filter(|other| other == start).count() > 1).unwrap();
    place.run(&["purge", start]).exits(2).says("write more of the id: ");
    assert_eq!(place.kept().len(), 17);
}

#[test]
fn what_cannot_be_read_is_told_and_stays() {
    let place = Place::new();
    place.keep(&[letter("archive", b"{}", 0), letter("archive", b"{}", 0)]);
    let file = LetterFiles::in_dir(&place.letters_dir()).letters(None).unwrap().next().unwrap().unwrap();
    let text = fs::read_to_string(file.file()).unwrap();
    fs::write(file.file(), text.replacen("\"v\":1", "\"v\":9", 1)).unwrap();
    for args in [&["list"][..], &["list", "--json"], &["export"]] {
        let ended = place.run(args).exits(1).says(", line 1, is no letter: a newer Towpath wrote it");
        assert!(ended.err.ends_with("could not be read, see above\n"), "{}", ended.err);
        assert!(!ended.out.is_empty(), "the other one is shown");
    }
    let ended = place.run(&["purge", "--all"]).exits(1);
    assert!(ended.out.starts_with("removed 1 dead letter "), "{}", ended.out);
    place.run(&["replay", "--all"]).exits(1).says("0 replayed").says("1 dead letter in ");
    assert!(
        fs::read_to_string(
            place
                .letters_dir()
                .read_dir()
                .unwrap()
                .find_map(|entry| {
                    let path = entry.unwrap().path();
                    path.extension().is_some_and(|end| end == "ndjson").then_some(path)
                })
                .unwrap()
        )
        .unwrap()
        .starts_with("{\"v\":9,")
    );
}

#[test]
fn replay_delivers_todays_events_to_their_sinks_and_removes_the_letters() {
    let place = Place::new();
    let (login, roles, odd) = (golden("login-password"), golden("update-user-roles"), golden("not-utf8"));
    assert_eq!(normalized(&roles, "ocsf").len(), 2);
    place.keep(&[letter("archive", &roles, 1), letter("ecs", &login, 0), letter("archive", &login, 0)]);
    place.keep(&[letter("ecs", &roles, 0), letter("ecs", &odd, 0)]);
    let sent = r#"{"time":5,"gap":true, "as it": "was"}"#;
    place.keep(&[Letter { record: None, sent: sent.into(), ..letter("archive", b"", 0) }]);
    // A source that is configured no more.
    let mut gone = letter("archive", &login, 0);
    gone.origin = Origin { source: "old".into(), ..Origin::clone(&gone.origin) }.into();
    place.keep(&[gone]);

    let ended = place.run(&["replay", "--all"]).exits(0).says("7 replayed, 0 refused again, 0 kept\n");
    assert_eq!(ended.out, "");
    assert!(place.kept().is_empty());
    let mut archive = vec![normalized(&roles, "ocsf").remove(1), normalized(&login, "ocsf").remove(0)];
    archive.push(serde_json::from_str(sent).unwrap());
    let written = place.lines("archive.ndjson");
    assert_eq!(written[..3], archive);
    assert_eq!(written[3]["metadata"]["uid"], archive[1]["metadata"]["uid"]);
    assert!(
        fs::read_to_string(place.dir.path().join("archive.ndjson")).unwrap().contains(sent),
        "byte for byte"
    );
    let ecs: Vec<_> =
        [&login, &roles, &odd].into_iter().flat_map(|record| normalized(record, "ecs")).collect();
    assert_eq!(place.lines("ecs.ndjson"), ecs);
}

#[test]
fn replay_takes_what_is_chosen_and_keeps_what_cannot_be_sent() {
    let place = Place::new();
    let login = golden("login-password");
    place.keep(&[
        letter("archive", &login, 0),
        // Today's mapping makes one event of it.
        letter("archive", &login, 1),
        letter("renamed", &login, 0),
        letter("ecs", &login, 0),
        Letter { record: None, sent: "{}\n{}".into(), ..letter("ecs", b"", 0) },
    ]);
    let mut strange = letter("ecs", &login, 0);
    strange.origin = Origin { kind: "okta".into(), ..Origin::clone(&strange.origin) }.into();
    place.keep(&[strange]);
    let kept = place.kept();
    let id = |n: usize| kept[n].id.to_string();

    place.run(&["replay", &id(3)]).exits(0).says("1 replayed, 0 refused again, 0 kept");
    assert_eq!((place.lines("ecs.ndjson").len(), place.lines("archive.ndjson").len()), (1, 0));

    let ended = place.run(&["replay", "--all", "--json"]).exits(1);
    assert_eq!(
        serde_json::from_str::<Value>(&ended.out).unwrap(),
        json!({"replayed": 1, "refused_again": 0, "kept": 4})
    );
    let ended = ended
        .says("today's mapping makes 1 event of its record, and it was number 2 of them")
        .says("the configuration has no such sink")
        .says("this release has no source of type okta")
        .says("its event is more than one line");
    assert!(ended.err.contains("4 dead letters could not be delivered and stay in"), "{}", ended.err);
    let left: Vec<_> = place.kept().iter().map(|kept| (kept.id, kept.line.clone())).collect();
    assert_eq!(left, [1, 2, 4, 5].map(|n: usize| (kept[n].id, kept[n].line.clone())), "unchanged");

    // A sink of that name makes it deliverable.
    let path = place.dir.path().join("renamed.ndjson");
    place.configure(&format!("  renamed: {{ type: file, path: {} }}\n", path.display()));
    place.run(&["replay", "--all", "--sink", "renamed"]).exits(0).says("1 replayed, 0 refused again, 0 kept");
    assert_eq!(place.lines("renamed.ndjson"), normalized(&login, "ocsf"));
}

#[test]
fn a_sink_that_needs_a_person_keeps_its_letters_and_others_go_on() {
    let place = Place::new();
    let login = golden("login-password");
    let mut letters = vec![letter("archive", &login, 0); 3];
    letters.extend(vec![letter("ecs", &login, 0); 5]);
    place.keep(&letters);
    fs::create_dir(place.dir.path().join("ecs.ndjson")).unwrap();
    let ended = place.run(&["replay", "--all"]).exits(1).says("3 replayed, 0 refused again, 5 kept");
    assert!(ended.err.contains("sink is not usable, its letters are kept"), "{}", ended.err);
    assert_eq!(ended.err.matches("not usable").count(), 1, "it is asked once: {}", ended.err);
    assert_eq!(place.kept().len(), 5);
    fs::remove_dir(place.dir.path().join("ecs.ndjson")).unwrap();
    place.run(&["replay", "--all"]).exits(0).says("5 replayed, 0 refused again, 0 kept");
    assert_eq!(place.lines("ecs.ndjson").len(), 5);
}

#[test]
fn one_command_at_a_time_removes_and_the_others_can_look() {
    let place = Place::new();
    place.keep(&[letter("archive", &golden("login-password"), 0)]);
    let removal = Removal::begin(&place.letters_dir()).unwrap();
    let me = format!("process {} is removing or replaying letters", std::process::id());
    place.run(&["replay", "--all"]).exits(1).says(&me);
    place.run(&["purge", "--all"]).exits(1).says(&me);
    assert_eq!(place.run(&["list", "--json"]).exits(0).out.lines().count(), 1);
    drop(removal);
    place.run(&["purge", "--all"]).exits(0);
}

/// Killed at any moment, nothing is lost: what is no letter any more is in the file.
#[test]
fn a_killed_replay_repeats_events_but_loses_none() {
    let place = Place::new();
    let record =
        |n: usize| format!("{{\"id\":{n},\"action\":\"user.logout\",\"data\":{{\"user\":{{\"id\":1}}}}}}");
    for file in 0..40 {
        let letters: Vec<_> = (0..5).map(|n| letter("ecs", record(file * 5 + n).as_bytes(), 0)).collect();
        place.keep(&letters);
    }
    let numbers = |events: &[Value]| -> Vec<u64> {
        let number = |event: &Value| {
            let record: Value = serde_json::from_str(event["event"]["original"].as_str().unwrap()).unwrap();
            record["id"].as_u64().unwrap()
        };
        let mut numbers: Vec<_> = events.iter().map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let mut left = 200;
    for round in 0..12 {
        let mut replay = place.command(&["replay", "--all"]).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(60 + round * 13 % 70));
        replay.kill().unwrap();
        replay.wait().unwrap();
        let kept = place.kept();
        assert!(kept.len() <= left);
        left = kept.len();
        let path = place.dir.path().join("ecs.ndjson");
        // A line may be torn until the sink opens the file again.
        let text = fs::read_to_string(&path).unwrap_or_default();
        let whole: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let delivered = numbers(&whole);
        for n in 0..200_u64 {
            let is_kept = kept.iter().any(|kept| {
                kept.letter.record.as_ref().unwrap().text == record(usize::try_from(n).unwrap()).as_bytes()
            });
            assert!(is_kept || delivered.contains(&n), "{n} is lost in round {round}");
        }
    }
    place.run(&["replay", "--all"]).exits(0);
    assert!(place.kept().is_empty());
    let events = place.lines("ecs.ndjson");
    assert_eq!(numbers(&events), (0..200).collect::<Vec<_>>());
    let mut ids: Vec<_> = events.iter().map(|event| event["event"]["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200, "what came twice has the same id");
}

/// An endpoint on loopback that answers 422 to what holds a word that it does not like, and 503 before its first answer.
fn picky_endpoint(dislikes: &'static str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(String::new()));
    let took = taken.clone();
    std::thread::spawn(move || {
        for (n, stream) in (0..).zip(listener.incoming()) {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).unwrap() > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let status = match n {
                0 => "503 Service Unavailable",
                _ if body.contains(dislikes) => "422 Unprocessable Content",
                _ => "200 OK",
            };
            if status.starts_with("200") {
                took.lock().unwrap().push_str(&body);
            }
            let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 4\r\n\r\nno 7");
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, taken)
}

#[test]
fn what_a_destination_refuses_again_is_told_apart_from_the_rest_of_its_batch() {
    let place = Place::new();
    let (url, taken) = picky_endpoint("poison");
    place.configure(&format!(
        "  hook: {{ type: http, url: {url}, schema: raw, retry: {{ initial: 10ms, max: 20ms }} }}\n"
    ));
    let record =
        |n: u32| format!("{{\"id\":{n},\"action\":\"{}\"}}", if n == 5 { "poison" } else { "user.logout" });
    let letters: Vec<_> = (0..9).map(|n| letter("hook", record(n).as_bytes(), 0)).collect();
    place.keep(&letters);
    place.run(&["replay", "--all"]).exits(1).says("8 replayed, 1 refused again, 0 kept");

    let taken: Vec<String> = taken.lock().unwrap().lines().map(str::to_owned).collect();
    assert_eq!(taken, [0, 1, 2, 3, 4, 6, 7, 8].map(record));
    let [kept] = &place.kept()[..] else { panic!("one is left") };
    assert_eq!((&*kept.letter.reason, &kept.letter.sent[..]), ("unprocessable", record(5).as_bytes()));
    assert!(kept.letter.detail.contains("no 7"), "{}", kept.letter.detail);
    // 503; all nine, four, four of nine are refused together until it is alone.
    assert!(kept.letter.attempts > 3 + 3, "{}", kept.letter.attempts);
    assert_eq!(kept.letter.view.schema, Schema::Raw);
    assert_eq!(kept.letter.record, letters[5].record);
}
