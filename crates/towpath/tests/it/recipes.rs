//! Recipes: each makes a valid source with nothing but a credential added.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn recipes() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/recipes");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("recipes").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_stem().expect("a name").to_str().expect("UTF-8")
}

fn towpath(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_towpath")).args(args).output().expect("towpath runs")
}

fn check(keys: &str) -> Output {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("towpath.yaml");
    let text = format!(
        "data_dir: {0}/data\nsources:\n  a:\n    type: audit_logs\n{keys}\nsinks:\n  out: {{ type: file, path: {0}/out }}\n",
        dir.path().display()
    );
    std::fs::write(&file, text).expect("the configuration");
    towpath(&["check", "--config", file.to_str().expect("UTF-8")])
}

#[test]
fn every_recipe_is_valid_once_what_it_asks_for_is_added() {
    assert!(recipes().len() >= 15);
    for path in recipes() {
        let name = name(&path);
        let text = std::fs::read_to_string(&path).expect("a recipe");
        let mut keys = format!("    recipe: {name}\n    auth: {{ bearer: key-of-a-test }}\n");
        if !text.contains("\n  url: ") {
            keys += "    url: https://api.example.com\n";
        }
        let known = ["org", "account", "group", "tailnet", "workspace", "realm", "enterprise", "key"];
        let variables: Vec<String> = known
            .iter()
            .filter(|variable| text.contains(&format!("{{{variable}}}")))
            .map(|variable| format!("{variable}: x"))
            .collect();
        if !variables.is_empty() {
            keys += &format!("    variables: {{ {} }}\n", variables.join(", "));
        }
        let output = check(&keys);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let shown = towpath(&["recipes", "show", name]);
        assert!(shown.status.success(), "{name}: {}", String::from_utf8_lossy(&shown.stderr));
        let shown = String::from_utf8(shown.stdout).expect("UTF-8");
        assert_eq!(shown.contains("unverified: "), text.contains("seen: false"), "{shown}");
    }
    let list = towpath(&["recipes", "list"]);
    let list = String::from_utf8(list.stdout).expect("UTF-8");
    assert_eq!(list.lines().count(), recipes().len(), "{list}");
}

#[test]
fn what_the_user_writes_stands_and_errors_name_the_recipe_s_key() {
    let told = |keys: &str| {
        let output = check(keys);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let credential = "    recipe: nirvana\n    auth: { bearer: key-of-a-test }\n";
    let (code, text) = told(&format!("{credential}    url: http://api.example.com\n"));
    assert!(code == Some(2) && text.contains("`url`"), "the user's url did not stand: {text}");
    // One key of a block of the recipe's: the others stay.
    let (code, text) = told(&format!("{credential}    paging: {{ cursor: {{ from: next }} }}\n"));
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = told(&format!("{credential}    paging: {{ none: {{}} }}\n"));
    assert!(code == Some(2) && text.contains("paging"), "{text}");
    // The user's overlap is longer than the recipe's re-sweep.
    let (code, text) = told(
        "    recipe: gitlab\n    auth: { bearer: key-of-a-test }\n    variables: { group: x }\n    retention: 2h\n",
    );
    assert!(code == Some(2) && text.contains("`resweep.over`") && text.contains("recipe: gitlab"), "{text}");
    let (code, text) = told("    recipe: nirvanna\n    auth: { bearer: key-of-a-test }\n");
    assert!(code == Some(2) && text.contains("did you mean `nirvana`?"), "{text}");
    assert!(text.ends_with("\n1 error, 1 warning\n"), "more is told than that: {text}");
    assert_eq!(towpath(&["recipes", "show", "nobody"]).status.code(), Some(2));
}

#[test]
fn recipe_of_one_s_own_is_as_good_as_a_shipped_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let shipped = std::fs::read_to_string(recipes().remove(0)).expect("a recipe");
    let file = dir.path().join("mine.yaml");
    let config = dir.path().join("towpath.yaml");
    std::fs::write(
        &config,
        format!(
            "data_dir: {0}/data\nsources:\n  a:\n    type: audit_logs\n    recipe: mine.yaml\n    auth: {{ bearer: k }}\nsinks:\n  \
             out: {{ type: file, path: {0}/out }}\n",
            dir.path().display()
        ),
    )
    .expect("the configuration");
    let check = || towpath(&["check", "--config", config.to_str().expect("UTF-8")]);
    let show = || towpath(&["recipes", "show", file.to_str().expect("UTF-8")]);
    std::fs::write(&file, &shipped).expect("the recipe");
    assert!(check().status.success(), "{}", String::from_utf8_lossy(&check().stderr));
    let shown = show();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let by_name = towpath(&["recipes", "show", name(&recipes()[0])]);
    let by_name = String::from_utf8_lossy(&by_name.stdout).into_owned();
    let named = |name: &str| {
        format!(
            "
recipe: {name}
"
        )
    };
    assert_eq!(shown.replace(&named(&file.display().to_string()), &named(name(&recipes()[0]))), by_name);
    // What the connector finds has the place in the recipe.
    std::fs::write(&file, shipped.replace("order: oldest_first", "order: unordered\n  overlap: 48h"))
        .expect("the recipe");
    let told = String::from_utf8_lossy(&check().stderr).into_owned();
    assert!(told.contains("mine.yaml:13:12: `overlap` is longer than `resweep.over`"), "{told}");
    std::fs::write(&file, shipped.replace("credential:", "credentail:")).expect("the recipe");
    let told = String::from_utf8_lossy(&show().stderr).into_owned();
    assert!(told.contains("mine.yaml:2:1: unknown key `credentail`"), "{told}");
}

/// What a recipe says of its vendor: its own name, or the first part of it, and what it calls vendor, product and module.
fn vendor_words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    // Postman has a type of its own besides.
    for path in recipes().into_iter().filter(|path| name(path) != "postman") {
        let text = std::fs::read_to_string(&path).expect("a recipe");
        words.insert(name(&path).to_owned());
        words.insert(name(&path).split('-').next().expect("a part").to_owned());
        for key in ["vendor: ", "product: ", "module: "] {
            let values = text.split(key).skip(1).filter_map(|rest| rest.split([',', '\n', '}']).next());
            words.extend(values.map(|value| value.trim().to_owned()));
        }
    }
    words
}

#[test]
fn code_knows_no_vendor_of_a_recipe() {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("UTF-8").to_owned();
            if path.is_dir() && stem != "tests" {
                files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "tests" {
                found.push(path);
            }
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(crates).expect("crates") {
        let source = entry.expect("an entry").path().join("src");
        if source.is_dir() {
            files(&source, &mut sources);
        }
    }
    assert!(sources.len() > 200, "files are missing");
    // The simulated Postman speaks of its integrations, as the real one does.
    sources.retain(|path| !path.ends_with("simulator/src/record.rs"));
    let mut words: Vec<String> = vendor_words().iter().map(|word| word.to_lowercase()).collect();
    // A name that is a programmer's word as well tells nothing.
    words.retain(|word| word != "render");
    assert!(words.len() > 15 && words.contains(&"nirvana labs".to_owned()), "{words:?}");
    let mut told = Vec::new();
    for path in sources {
        let text = std::fs::read_to_string(&path).expect("a file");
        for (number, line) in (1..).zip(text.lines()) {
            // A comment may say where a fact is from, and a constant has capitals.
            let code = line.split("//").next().unwrap_or_default();
            let is_constant = |word: &str| code.contains(&word.to_uppercase());
            let lower = code.to_lowercase();
            let stands = |word: &&String| {
                lower.match_indices(word.as_str()).any(|(at, _)| {
                    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    !part(lower[..at].chars().next_back()) && !part(lower[at + word.len()..].chars().next())
                })
            };
            if let Some(word) = words.iter().find(stands).filter(|word| !is_constant(word)) {
                told.push(format!("{}:{number}: {word}", path.display()));
            }
        }
    }
    assert!(told.is_empty(), "what is known of an API belongs into its recipe:\n{}", told.join("\n"));
}

/// By moving an edge only five records a page, of a log in which more share a second.
const TOO_FEW: &str = "title: Mine\ncredential: '`auth: { bearer: TOKEN }`'\nkeys:\n  url: https://api.example.com\n  request: { path: /v1/events }\n  \
                       records: { path: items }\n  paging: { bound: {}, page_size: { to: { query: limit }, size: 5 } }\n  time_filter:\n    \
                       since: { to: { query: from } }\n    until: { to: { query: to } }\n    granularity: second\n  order: newest_first\n";

#[test]
fn recipes_are_tested_with_a_verdict_each_and_fail_with_what_is_to_be_changed() {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let tested = towpath(&["recipes", "test", "nirvana", "--case", "spoiled_c", "--seed", "3"]);
    let out = text(&tested.stdout);
    assert!(tested.status.success(), "{out}{}", text(&tested.stderr));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.first(), Some(&"nirvana: 2 hazards, seed 3"));
    assert_eq!(lines.last(), Some(&"nirvana: 2 passed, 0 cannot happen, 0 failed"));
    assert!(lines[1].trim_start().starts_with("spoiled_cut") && lines[1].ends_with("passed"), "{out}");
    assert_eq!(text(&tested.stderr), "", "what the source logs is about the hazards");

    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("mine.yaml");
    std::fs::write(&file, TOO_FEW).expect("a recipe");
    let file = file.to_str().expect("UTF-8");
    let tested = towpath(&["recipes", "test", file, "--case", "ties"]);
    let out = text(&tested.stdout);
    assert_eq!(tested.status.code(), Some(1), "{out}");
    assert!(out.contains("FAILED: ") && out.contains("`paging.page_size`"), "{out}");
    assert!(
        out.contains(&format!(
            "see it again: towpath recipes test {file} --case ties_over_page_edges --seed 7"
        )),
        "{out}"
    );
    let tested = towpath(&["recipes", "test", file, "--case", "ties", "--json"]);
    let verdict: serde_json::Value = serde_json::from_slice(&tested.stdout).expect("one object");
    assert_eq!((&verdict["hazard"], &verdict["verdict"]), (&"ties_over_page_edges".into(), &"failed".into()));

    let tested = towpath(&["recipes", "test", "nirvana", "--case", "nothing_like_it"]);
    assert_eq!(tested.status.code(), Some(2));
    assert!(text(&tested.stderr).contains("spoiled_empty_page"), "{}", text(&tested.stderr));
}

#[test]
fn a_recipe_s_api_is_served_with_hazards_and_tells_what_it_has_shown() {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let dir = tempfile::tempdir().expect("a directory");
    let shown = dir.path().join("shown.ndjson");
    let mut api = Command::new(env!("CARGO_BIN_EXE_towpath"))
        .args([
            "simulate",
            "--recipe",
            "gitlab",
            "--records",
            "40",
            "--rate",
            "0/s",
            "--hazard",
            "small_pages",
            "--shown",
        ])
        .arg(&shown)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("towpath runs");
    let mut out = BufReader::new(api.stdout.take().expect("its output"));
    let mut line = || {
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    };
    let (url, credential, curl, hazard) = (line(), line(), line(), line());
    assert!(
        curl.starts_with("curl -H 'private-token: ")
            && curl.ends_with("/api/v4/groups/simulated/audit_events'"),
        "{curl}"
    );
    assert!(hazard.starts_with("hazard small_pages: "), "{hazard}");
    let mut stream = std::net::TcpStream::connect(url.trim_start_matches("http://")).expect("it listens");
    let request =
        format!("GET /api/v4/groups/simulated/audit_events?per_page=100 HTTP/1.1\r\n{credential}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = [0; 64];
    stream.read_exact(&mut answer).expect("it answers");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    let interrupted = Command::new("kill").args(["-INT", &api.id().to_string()]).status().expect("kill runs");
    assert!(interrupted.success());
    assert_eq!(line(), "shown 9 of 40 records in 1 requests");
    assert!(api.wait().expect("it ends").success());
    let shown = std::fs::read_to_string(shown).expect("what was shown");
    assert!(shown.lines().count() == 9 && shown.contains("{\"id\":\"ev_000039\"}"), "{shown}");

    let wrong = towpath(&["simulate", "--recipe", "gitlab", "--hazard", "quotas"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `quota`?"));
    let wrong = towpath(&["simulate", "--recipe", "gitlab", "--hazard", "restart_after_each_page"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("up to whoever runs the collector"));
}
