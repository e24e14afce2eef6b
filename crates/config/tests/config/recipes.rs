//! Recipes: shipped ones, and files of one's own.

use std::path::Path;

use config::{ConnectorType, Recipe, RecipeError, Shipped, SinkTraits};

use crate::connectors::{Fake, FileConfig, PostmanConfig};

const SHIPPED: &Shipped = &[(
    "acme",
    "title: Acme\ncredential: a key\nkeys:\n  url: https://api.acme.example\n  overlap: 5m\nfacts: []\n",
)];

const OWN: &str =
    "title: Mine\ncredential: a key\nkeys:\n  url: https://api.mine.example\n  resweep: { every: 2h }\n";

fn types() -> Vec<ConnectorType> {
    vec![
        ConnectorType::source::<PostmanConfig>("logs").with_recipes(SHIPPED),
        ConnectorType::sink::<FileConfig>("file", SinkTraits::default()),
    ]
}

/// The configuration with these keys in its source, and what is said of it.
fn read(keys: &str, files: &[(&str, &str)]) -> (Option<PostmanConfig>, String) {
    let text =
        format!("sources:\n  a:\n    type: logs\n{keys}\nsinks:\n  out: {{ type: file, path: ./out }}\n");
    let environment = Fake::new(&[("KEY", "hunter2")], files);
    let config = config::parse(Path::new("etc/towpath.yaml"), &text, &types(), &environment).unwrap();
    let source = config.sources.first().map(|source| source.block.read().unwrap());
    assert!(!config.report.to_string().contains("hunter2"), "{}", config.report);
    (source, config.report.to_string())
}

const KEY: &str = "    api_key: ${KEY}";

#[test]
fn keys_of_a_file_stand_under_the_user_s() {
    let files = [("etc/mine.yaml", OWN), ("etc/below/mine.yml", OWN), ("/mine", OWN)];
    for name in ["./mine.yaml", "mine.yaml", "below/mine.yml", "/mine"] {
        let (source, told) = read(&format!("{KEY}\n    recipe: {name}\n    resweep: {{ over: 3d }}"), &files);
        let source = source.unwrap();
        assert_eq!((told.as_str(), source.url.as_str()), ("", "https://api.mine.example"), "{name}");
        assert_eq!(
            (source.resweep.every.to_string(), source.resweep.over.to_string()),
            ("2h".into(), "3d".into())
        );
    }
    let (source, told) = read(&format!("{KEY}\n    recipe: acme\n    url: https://eu.acme.example"), &[]);
    assert_eq!((told.as_str(), source.unwrap().url.as_str()), ("", "https://eu.acme.example"));
}

#[test]
fn name_that_is_none_is_the_one_error() {
    for (name, message, help) in [
        ("acmee", "there is no recipe of this name", "did you mean `acme`?"),
        ("other", "there is no recipe of this name", "write `acme`, or the path of a file: `./mine.yaml`"),
        (
            "./none.yaml",
            "the recipe etc/./none.yaml cannot be read: entity not found",
            "check the path, which counts from the configuration file, and that this user may read it",
        ),
        (
            "./acme.yaml",
            "the recipe etc/./acme.yaml cannot be read: entity not found",
            "`acme` is shipped: write its name alone, for a file of yours check the path",
        ),
    ] {
        // `api_key` is missing too, as nobody knows what the recipe would have.
        let (source, told) = read(&format!("    recipe: {name}\n    resweep: {{ every: 1h }}"), &[]);
        assert!(source.is_none());
        let expected = format!("etc/towpath.yaml:4:13: {message}\n  4 |     recipe: {name}\n");
        assert!(told.starts_with(&expected) && told.ends_with(&format!("help: {help}\n\n1 error")), "{told}");
    }
    // What is there is checked all the same.
    let (_, told) = read("    recipe: acmee\n    ovrlap: 5m", &[]);
    assert!(told.contains("did you mean `acme`?") && told.contains("did you mean `overlap`?"), "{told}");
}

#[test]
fn what_is_wrong_in_a_file_is_told_at_its_place_there() {
    for (text, place, message) in [
        ("title: [", "1:8", "this bracket is never closed"),
        ("", "1:1", "the recipe is empty"),
        ("- a", "1:1", "a recipe is a block of keys, not a list"),
        ("titel: Mine\ncredential: a key\nkeys: {}\n", "1:1", "missing key `title`"),
        ("titel: Mine\ncredential: a key\nkeys: {}\n", "1:1", "unknown key `titel`"),
        ("title: Mine\ncredential: a key\nkeys: x\n", "3:7", "`keys` takes a block of keys, not text"),
        (&OWN.replace("resweep", "resweeep"), "5:3", "unknown key `resweeep`"),
        (&OWN.replace("2h", "2 h"), "5:21", "`2 h` is not a duration"),
        (&OWN.replace("2h", "'${NONE}'"), "5:22", "environment variable `NONE` is not set"),
        (&OWN.replace("keys:", "keys: &a\n  url: x"), "5:3", "this key stands twice in its block"),
    ] {
        let (_, told) = read(&format!("{KEY}\n    recipe: ./mine.yaml"), &[("etc/mine.yaml", text)]);
        assert!(told.contains(&format!("etc/./mine.yaml:{place}: {message}")), "{text:?}: {told}");
        assert_eq!(told.contains("  1 | titel: ***"), text.starts_with("titel"), "a key is shown: {told}");
        let loaded = Recipe::load("./mine.yaml", SHIPPED, &Fake::new(&[], &[("./mine.yaml", text)]));
        let connector = &types()[0];
        let alone = loaded.map_err(|error| error.to_string()).and_then(|recipe| {
            recipe
                .source("mine", connector, "api_key: x", &Fake::default())
                .map_err(|report| report.to_string())
        });
        let alone = alone.map(|_| ()).unwrap_err();
        assert!(alone.contains(&format!("./mine.yaml:{place}: {message}")), "{text:?}: {alone}");
        assert!(!alone.contains("warning"), "what is handed in is not written in the recipe: {alone}");
    }
}

#[test]
fn what_a_connector_finds_points_into_the_file() {
    let text = OWN.replace("https://", "http://");
    let keys = format!("{KEY}\n    recipe: ./mine.yaml");
    let source =
        format!("sources:\n  a:\n    type: logs\n{keys}\nsinks:\n  out: {{ type: file, path: ./out }}\n");
    let environment = Fake::new(&[("KEY", "k")], &[("mine.yaml", &text)]);
    let config = config::parse(Path::new("towpath.yaml"), &source, &types(), &environment);
    // A path in a name is taken as it stands.
    let told = config.unwrap().report.to_string();
    assert!(told.contains("the recipe ./mine.yaml cannot be read"), "{told}");
    let environment = Fake::new(&[("KEY", "k")], &[("./mine.yaml", &text)]);
    let config = config::parse(Path::new("towpath.yaml"), &source, &types(), &environment).unwrap();
    let block = &config.sources[0].block;
    let wrong = block.read::<PostmanConfig>().unwrap().validate().unwrap_err();
    let told = block.diagnostic(&wrong[0]).to_string();
    assert!(told.starts_with("./mine.yaml:4:8: `url` is `http://api.mine.example`"), "{told}");
}

#[test]
fn recipe_makes_a_source_by_itself() {
    let recipe = Recipe::load("acme", SHIPPED, &Fake::default()).unwrap();
    assert_eq!((recipe.title.as_str(), recipe.credential.as_str()), ("Acme", "a key"));
    assert!(recipe.has("url") && !recipe.has("api_key"));
    let instead = "api_key: k\noverlap: 7m";
    let source = recipe.source("mine", &types()[0], instead, &Fake::default()).unwrap();
    let config: PostmanConfig = source.block.read().unwrap();
    assert_eq!((source.name.as_str(), source.kind, config.api_key.expose()), ("mine", "logs", "k"));
    assert_eq!(
        (config.overlap.to_string().as_str(), config.url.as_str()),
        ("7m", "https://api.acme.example")
    );
    let missing =
        recipe.source("mine", &types()[0], "", &Fake::default()).map(|_| ()).unwrap_err().to_string();
    assert!(missing.contains("recipe acme:3:1: missing key `api_key`"), "{missing}");
    let unknown = Recipe::load("acmee", SHIPPED, &Fake::default()).unwrap_err();
    assert!(matches!(unknown, RecipeError::Unknown { .. }));
    assert_eq!(unknown.to_string(), "error: there is no recipe `acmee`\nhelp: did you mean `acme`?");
    for (path, help) in [
        (
            "./mine.yaml",
            "check the path, which counts from the working directory, and that this user may read it",
        ),
        ("acme.yml", "`acme` is shipped: write its name alone, for a file of yours check the path"),
    ] {
        let unreadable = Recipe::load(path, SHIPPED, &Fake::default()).unwrap_err().to_string();
        let expected = format!("error: cannot read the recipe {path}: entity not found\nhelp: {help}");
        assert_eq!(unreadable, expected);
    }
}
