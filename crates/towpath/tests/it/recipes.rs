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
        for variable in ["org", "account", "group", "tailnet"] {
            if text.contains(&format!("{{{variable}}}")) {
                keys += &format!("    variables: {{ {variable}: x }}\n");
            }
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
    for path in recipes() {
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
    let words: Vec<String> = vendor_words().iter().map(|word| word.to_lowercase()).collect();
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
