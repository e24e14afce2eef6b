//! The arrows between crates point down, and only where `docs/architecture.md` draws them.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Each crate, its level, and what it may use. Tests may use `testkit`, `simulator` and whatever they check besides.
const ARROWS: &[(&str, u8, &[&str])] = &[
    ("pipeline", 0, &[]),
    ("telemetry", 0, &[]),
    ("settings", 0, &[]),
    ("http-client", 1, &["pipeline", "settings", "telemetry"]),
    ("poll", 1, &["pipeline"]),
    ("transform", 1, &["pipeline", "settings"]),
    ("checkpoint", 1, &["pipeline"]),
    ("dead-letters", 1, &["pipeline"]),
    ("config", 1, &["settings"]),
    ("runtime", 1, &["pipeline", "telemetry"]),
    ("encode", 1, &["pipeline"]),
    ("simulator", 1, &[]),
    ("hazards", 2, &["pipeline", "simulator"]),
    // The runtime, because a sink is only known to conform when the real one drives it.
    ("testkit", 2, &["pipeline", "runtime", "simulator"]),
    // A description for the engine that collects any log.
    ("source-postman", 3, &["http-client", "pipeline", "poll", "settings", "source-audit-logs"]),
    ("source-audit-logs", 2, &["http-client", "pipeline", "poll", "settings", "telemetry"]),
    ("sink-file", 2, &["pipeline", "settings", "telemetry"]),
    ("sink-http", 2, &["encode", "http-client", "pipeline", "settings", "telemetry"]),
    ("sink-elasticsearch", 2, &["encode", "http-client", "pipeline", "settings", "telemetry"]),
    ("sink-splunk-hec", 2, &["encode", "http-client", "pipeline", "settings", "telemetry"]),
    ("sink-syslog", 2, &["encode", "http-client", "pipeline", "settings", "telemetry"]),
    ("sink-s3", 2, &["encode", "http-client", "pipeline", "settings"]),
    ("sink-kafka", 2, &["http-client", "pipeline", "settings", "telemetry"]),
    (
        "towpath",
        4,
        &[
            "checkpoint",
            "config",
            "dead-letters",
            "hazards",
            "http-client",
            "pipeline",
            "poll",
            "runtime",
            "settings",
            "simulator",
            "sink-elasticsearch",
            "sink-file",
            "sink-http",
            "sink-splunk-hec",
            "sink-syslog",
            "sink-s3",
            "sink-kafka",
            "source-audit-logs",
            "source-postman",
            "telemetry",
            "transform",
        ],
    ),
    // Outside of the product: it drives it from without.
    ("e2e", 5, &["simulator", "testkit"]),
];

/// Names that say nothing about what a crate is for.
const NO_NAMES: &[&str] = &["common", "utils", "util", "core", "helpers", "shared", "misc"];

fn packages() -> Vec<Value> {
    let cargo = env!("CARGO");
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("there are packages").clone()
}

#[test]
fn arrows_between_crates_point_down() {
    let packages = packages();
    let allowed: BTreeMap<&str, (u8, &[&str])> =
        ARROWS.iter().map(|(name, level, uses)| (*name, (*level, *uses))).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let Some((level, uses)) = allowed.get(name) else {
            wrong.push(format!("{name} stands in no table: add it here and to docs/architecture.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("a list") {
            let used = dependency["name"].as_str().expect("a name");
            let Some((used_level, _)) = allowed.get(used) else { continue };
            let in_tests = dependency["kind"] == "dev";
            if !in_tests && (!uses.contains(&used) || used_level >= level) {
                wrong.push(format!("{name} → {used} is no arrow of docs/architecture.md"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, ..) in ARROWS {
        assert!(packages.iter().any(|package| package["name"] == *name), "{name} stands in the table alone");
    }
}

#[test]
fn crates_are_named_by_what_they_are_for_and_stand_in_a_folder_of_that_name() {
    for package in packages() {
        let name = package["name"].as_str().expect("a name");
        assert!(!NO_NAMES.contains(&name), "{name} says nothing");
        let manifest = package["manifest_path"].as_str().expect("a path");
        let outside = name == "e2e";
        assert!(
            outside || manifest.ends_with(&format!("crates/{name}/Cargo.toml")),
            "{name} stands in {manifest}"
        );
    }
}

#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    for package in packages() {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let text = std::fs::read_to_string(manifest).expect("a manifest");
        assert!(text.contains("[lints]\nworkspace = true"), "{manifest} has no `[lints] workspace = true`");
    }
}
