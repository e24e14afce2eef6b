//! Every shipped recipe maps a page of its API as `recipes/NAME` shows it. `UPDATE_EXPECT=1` writes what is expected anew.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};

use crate::process::{Ended, PATIENCE, run};
use crate::receiver::{Receiver, TOKEN};
use crate::workplace::Workplace;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/recipes")
}

/// The names of the entries of a folder, without their extension.
fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> BTreeSet<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| wanted(path))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn normalize(place: &Workplace, args: &[&str], stdin: &str) -> Ended {
    run(&mut place.command(&[&["normalize"], args].concat()), stdin.as_bytes())
}

/// What is expected of a recipe; written anew if that is asked for.
fn expect(file: &Path, is: &str) {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(file, is).unwrap();
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    assert!(expected == is, "{} is not what comes out:\n{is}", file.display());
}

/// One value below the other for people, in the order that they have.
fn laid_out(lines: &str) -> String {
    let mut out = String::new();
    for line in lines.lines() {
        let (mut depth, mut in_text, mut escaped) = (0, false, false);
        for c in line.chars() {
            let is_structure = !in_text;
            (in_text, escaped) = match c {
                _ if escaped => (in_text, false),
                '"' => (!in_text, false),
                '\\' => (in_text, in_text),
                _ => (in_text, false),
            };
            if is_structure && matches!(c, '}' | ']') {
                depth -= 1;
                out += &format!("\n{}", "  ".repeat(depth));
            }
            out.push(c);
            match c {
                '{' | '[' if is_structure => {
                    depth += 1;
                    out += &format!("\n{}", "  ".repeat(depth));
                }
                ',' if is_structure => out += &format!("\n{}", "  ".repeat(depth)),
                ':' if is_structure => out.push(' '),
                _ => {}
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_recipe_maps_a_page_as_expected() {
    let place = Workplace::new();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/recipes");
    let recipes = names(&recipes, |_| true);
    assert_eq!(recipes, names(&folder(), Path::is_dir), "each recipe has a page, and each page a recipe");
    for name in recipes {
        let here = folder().join(&name);
        let page = here.join("page.json");
        let told = |args: &[&str]| {
            let at = ["--collected-at", "2026-11-21T00:00:00Z", "--recipe", &name];
            normalize(&place, &[&at, args, &[page.to_str().unwrap()]].concat(), "").exits(0)
        };
        let ocsf = told(&["--no-raw"]);
        assert!(ocsf.stdout.lines().count() >= 3, "{name}: {ocsf}");
        for wrong in ["could not be mapped", "no time", "none there"] {
            assert!(!ocsf.stderr.contains(wrong), "{name}: {ocsf}");
        }
        expect(&here.join("ocsf-1.8.0.json"), &laid_out(&ocsf.stdout));
        expect(&here.join("ecs.json"), &laid_out(&told(&["--no-raw", "--schema", "ecs"]).stdout));
        for version in testkit::schema::OCSF_VERSIONS {
            for event in told(&["--ocsf-version", version]).stdout.lines() {
                let checked = testkit::schema::check_ocsf(version, event.as_bytes());
                assert_eq!(checked, Ok(()), "{name}, {version}: {event}");
            }
        }
        for event in told(&["--schema", "ecs"]).stdout.lines() {
            assert_eq!(testkit::schema::check_ecs(event.as_bytes()), Ok(()), "{name}: {event}");
        }
        // Nothing of a record is lost where the record itself is not kept.
        let records = told(&["--schema", "raw"]).stdout;
        assert_eq!(lost(&records, &ocsf.stdout), BTreeSet::new(), "{name}");
    }
}

/// The texts and numbers of the records that stand nowhere in their events. What an actor is is told in the schema's own words.
fn lost(records: &str, events: &str) -> BTreeSet<String> {
    let parsed = |lines: &str| -> Vec<serde_json::Value> {
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (records, events) = (parsed(records), parsed(events));
    assert_eq!(records.len(), events.len());
    let mut lost = BTreeSet::new();
    for (record, event) in records.iter().zip(&events) {
        let mut told = BTreeSet::new();
        scalars("", event, &mut |_, text| {
            told.insert(text);
        });
        scalars("", record, &mut |key, text| {
            if !text.is_empty() && !told.contains(&text) && !matches!(key, "type" | "actor_type" | ".tag") {
                lost.insert(text);
            }
        });
    }
    lost
}

/// Calls `take` with every text and number, and the key that it stands under.
fn scalars(key: &str, value: &serde_json::Value, take: &mut impl FnMut(&str, String)) {
    match value {
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(key, value)| scalars(key, value, take));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|value| scalars(key, value, take)),
        serde_json::Value::String(text) => take(key, text.clone()),
        serde_json::Value::Number(number) => take(key, number.to_string()),
        serde_json::Value::Bool(_) | serde_json::Value::Null => {}
    }
}

#[test]
fn answers_come_as_they_were_saved() {
    let place = Workplace::new();
    let page = fs::read_to_string(folder().join("nirvana/page.json")).unwrap();
    let one = normalize(&place, &["--recipe", "nirvana", "--schema", "raw"], &page).exits(0);
    assert_eq!(one.stdout.lines().count(), 3);
    assert!(
        one.stderr
            .ends_with("another page follows 1 of 1, by `paging.cursor`\n1 page, 3 records, 3 events\n"),
        "{one}"
    );
    // Several in one file, and in several.
    place.write("two.json", &format!("{page}\n{page}"));
    place.write("one.json", &page);
    let many =
        normalize(&place, &["--recipe", "nirvana", "--schema", "raw", "two.json", "one.json", "-"], &page);
    assert_eq!(many.exits(0).stdout, one.stdout.repeat(4));
    // A recipe of one's own, with a record a line.
    place.write(
        "mine.yaml",
        "title: Mine\ncredential: a key\nkeys:\n  request: { path: '/v1/{account}/log' }\n  records: { format: ndjson }\n  \
         paging: { none: {} }\n  id: [day, number]\n  time: at\n  mapping: { fields: { time: at, action: did, actor: { name: who } } }\n",
    );
    let lines = "{\"day\":1,\"number\":1,\"at\":1795162530,\"did\":\"user.login\",\"who\":\"ines\"}\n\n{\"did\":\"x\",\"at\":\"soon\",\"who\":\"jonas\"}\n";
    let mine = normalize(&place, &["--recipe", "./mine.yaml", "--schema", "ecs"], lines).exits(0);
    assert!(mine.stdout.contains("\"dataset\":\"mine.audit\""), "{mine}");
    assert_eq!(
        mine.stderr,
        "`id` is `day`, `number`, but 1 of 2 records have none there: their content is their id\n`time` is `at`, but of 1 of 2 \
         records no time can be read there\n`mapping.fields.time` finds no time for 1 of 2 events: they have that of their \
         collection\nno page follows, by `paging.none`\n1 page, 2 records, 2 events\n"
    );
}

#[test]
fn what_does_not_fit_names_file_page_and_key() {
    let place = Workplace::new();
    let page = fs::read_to_string(folder().join("nirvana/page.json")).unwrap();
    place.write("good-then-bad.json", &format!("{page}{{\"data\":[],\"has_more\":false}}"));
    for (args, stdin, says) in [
        (
            &["--recipe", "nirvana", "good-then-bad.json"][..],
            "",
            "good-then-bad.json, page 2: `records.path` is `items`, but the answer has `data`, `has_more`",
        ),
        (&["--recipe", "nirvana"], "{\"items\":[", "-, page 1: answer is not JSON, or cut: EOF"),
        (
            &["--recipe", "nirvana"],
            "HTTP/2 200\r\ndate: x\r\n\r\n{}",
            "the headers of the answer stand before it",
        ),
        (
            &["--recipe", "openai"],
            "{\"data\":[]}",
            "`paging.more` is `has_more`, but the answer has no such member",
        ),
        (
            &["--recipe", "slack"],
            "{\"ok\":false,\"error\":\"missing_scope\"}",
            "`errors.0` describes: missing_scope",
        ),
    ] {
        let ended = normalize(&place, args, stdin).exits(1);
        assert!(ended.stderr.contains(says), "{args:?}: {ended}");
    }
    for (args, says) in [
        (&["--recipe", "nirvanna"][..], "did you mean `nirvana`?"),
        (&["--recipe", "./none.yaml"], "cannot read the recipe ./none.yaml"),
        (&["--recipe", "./none.yaml"], "help: check the path, which counts from the working directory"),
        (&["--recipe", "./okta.yaml"], "help: `okta` is shipped: write its name alone"),
        (&["--recipe", "nirvana", "--source", "postman"], "cannot be used with"),
        (&[], "--source <NAME>"),
        (&["--source", "cloud"], "no configuration file"),
    ] {
        let ended = normalize(&place, args, "").exits(2);
        assert!(ended.stderr.contains(says), "{args:?}: {ended}");
    }
    for source in [["--recipe", "nirvana"], ["--source", "postman"]] {
        let missing = normalize(&place, &[&source[..], &["none.json"]].concat(), "").exits(1);
        assert!(
            missing.stderr.contains("help: check the path, which counts from the working directory"),
            "{missing}"
        );
        let folder = normalize(&place, &[&source[..], &["."]].concat(), "").exits(1);
        assert!(folder.stderr.contains("help: name the files in it"), "{folder}");
    }
}

#[test]
fn source_of_a_configuration_maps_as_it_would_run() {
    let place = Workplace::new();
    place.write(
        "towpath.yaml",
        "data_dir: ./data\nsources:\n  cloud:\n    type: audit_logs\n    recipe: nirvana\n    auth: { bearer: k }\n    labels: { env: prod }\n    \
         mapping: { dataset: nirvana.mine }\nsinks:\n  out: { type: file, path: ./out }\n",
    );
    let page = fs::read_to_string(folder().join("nirvana/page.json")).unwrap();
    let args = ["--source", "cloud", "--config", "towpath.yaml", "--schema", "ecs"];
    let ended = normalize(&place, &args, &page).exits(0);
    assert_eq!(ended.stdout.lines().count(), 3);
    for line in ended.stdout.lines() {
        assert!(line.contains("\"dataset\":\"nirvana.mine\"") && line.contains("\"env\":\"prod\""), "{line}");
    }
    let ended = normalize(&place, &["--source", "clouds"], &page).exits(2);
    assert!(ended.stderr.contains("did you mean `cloud`?"), "{ended}");
    assert!(!place.path("data").exists(), "nothing is started");
}

/// An API that answers every request with the same page.
struct OnePage {
    url: String,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl OnePage {
    fn start(page: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ended = Arc::new(AtomicBool::new(false));
        let stop = ended.clone();
        let thread = spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let head = BufReader::new(&stream)
                    .lines()
                    .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()));
                assert!(head.count() > 0);
                let length = page.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{page}"
                )
                .unwrap();
            }
        });
        Self { url, ended, thread: Some(thread) }
    }
}

impl Drop for OnePage {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.url.trim_start_matches("http://")));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[test]
fn dead_letters_call_the_records_what_the_mapping_calls_them() {
    let page = fs::read_to_string(folder().join("nirvana/page.json")).unwrap();
    let api = OnePage::start(page.replace("\"eyJpZCI6MTIzfQ\"", "null"));
    let receiver = Receiver::start();
    receiver.set_poison("vm.create".to_owned());
    let place = Workplace::new();
    place.write(
        "towpath.yaml",
        &format!(
            "data_dir: ./data\nadmin: {{ listen: \"off\" }}\nsources:\n  cloud:\n    type: audit_logs\n    recipe: nirvana\n    url: {}\n    \
             start: all\n    auth: {{ bearer: k }}\n    mapping: {{ dataset: nirvana.mine }}\nsinks:\n  out: {{ type: http, url: \"{}\", auth: \
             {{ bearer: {TOKEN} }}, schema: ecs }}\n",
            api.url,
            receiver.url()
        ),
    );
    place.run(&["run", "--once", "--timeout", "40s"]).exits(1);
    let listed = place.run(&["dead-letters", "list", "--json"]).exits(0);
    let letter: serde_json::Value =
        serde_json::from_str(&listed.stdout).unwrap_or_else(|error| panic!("{error}: {listed}"));
    let shown = place.run(&["dead-letters", "show", letter["id"].as_str().unwrap()]).exits(0);
    assert!(shown.stdout.contains("cloud (audit_logs, nirvana.mine)"), "{shown}");
    assert!(shown.stdout.contains("\"dataset\": \"nirvana.mine\""), "{shown}");
}
