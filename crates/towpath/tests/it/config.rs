//! `config/`: the generated JSON Schema is up to date, and every example loads.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn config_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config")
}

fn towpath(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(args).env("POSTMAN_API_KEY", "PMAK-of-a-test");
    command.env("INTAKE_TOKEN", "token-of-a-test").env("SPLUNK_HEC_TOKEN", "token-of-a-test");
    command.env("ELASTIC_API_KEY", "a2V5LW9mLWEtdGVzdA==").env("OPENSEARCH_PASSWORD", "password-of-a-test");
    command.env("WEBHOOK_SECRET", "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIHRlc3Qga2V5ISE=");
    command.env("NIRVANA_API_KEY", "key-of-a-test");
    command.env("KAFKA_PASSWORD", "password-of-a-test");
    command.env("CONFLUENT_KEY", "key-of-a-test").env("CONFLUENT_SECRET", "secret-of-a-test");
    command.output().expect("towpath runs")
}

#[test]
fn the_schema_of_the_configuration_is_up_to_date() {
    let output = towpath(&["schema", "config"]);
    assert!(output.status.success());
    let path = config_dir().join("schema.json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &output.stdout).expect("config/schema.json can be written");
    }
    let kept = std::fs::read(&path).unwrap_or_default();
    assert!(kept == output.stdout, "config/schema.json is stale: `make docs` rewrites it");
}

#[test]
fn every_example_is_a_valid_configuration() {
    let mut found = 0;
    for entry in std::fs::read_dir(config_dir()).expect("config/ is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        found += 1;
        // An example may take its key from a file: one stands in for it.
        let text = std::fs::read_to_string(&path).expect("an example");
        let dir = tempfile::tempdir().expect("a directory");
        let key = dir.path().join("key");
        std::fs::write(&key, "PMAK-of-a-test\n").expect("a key file");
        let text =
            text.replace("${file:/run/secrets/postman-api-key}", &format!("${{file:{}}}", key.display()));
        let example = dir.path().join(path.file_name().expect("a name"));
        std::fs::write(&example, text).expect("the example");
        let output = towpath(&["check", "--config", example.to_str().expect("a path in UTF-8")]);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {out}{err}", path.display());
        assert!(!out.contains("warning"), "{}: {out}", path.display());
    }
    assert!(found >= 3, "there are examples");
}
