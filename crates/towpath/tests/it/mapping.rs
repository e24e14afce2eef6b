//! `mapping` of an audit log, from the file.

use std::path::Path;
use std::process::{Command, Output};

const SOURCE: &str = "
data_dir: DIR/data
sources:
  acme:
    type: audit_logs
    url: https://api.acme.example
    auth: { bearer: key-of-a-test }
    request: { path: /v1/audit_logs }
    records: { path: items }
    paging: { none: {} }
    start: 30d
    labels: { env: test }
MAPPING
sinks:
  out: { type: file, path: DIR/out.ndjson }
";

fn check(dir: &Path, mapping: &str) -> Output {
    let text = SOURCE.replace("DIR", &dir.display().to_string()).replace("MAPPING", mapping);
    let file = dir.join("towpath.yaml");
    std::fs::write(&file, text).expect("the configuration");
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["check", "--config"]).arg(&file).output().expect("towpath runs")
}

#[test]
fn a_mapping_is_checked_with_the_file_and_every_finding_has_its_place() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = "    mapping:
      vendor: Acme
      fields: { action: [kind, '\"dotted.kind\"'], actor: { id: who.0.id }, message: [] }
      actions:
        - { match: \"user.*\", class: group_management, activity: add_user }
        - { match: \"*\", severity: low }";
    let output = check(dir.path(), good);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let wrong = "    mapping:
      module: user
      fields: { id: a..b }
      actions:
        - { match: \"a\", class: group_management, activity: add_usr }
        - { match: \"A\", severity: low }";
    let output = check(dir.path(), wrong);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    for (message, place) in [
        ("`mapping.module` is `user`, which ECS uses itself", "towpath.yaml:14:15"),
        ("`mapping.fields.id` is not names joined by dots", "towpath.yaml:15:21"),
        (
            "`mapping.actions.0.activity` is `add_usr`, which `group_management` does not have",
            "towpath.yaml:17:60",
        ),
        ("did you mean `add_user`?", ""),
        ("`mapping.actions.1.match` is never reached", "towpath.yaml:18:20"),
    ] {
        assert!(told.contains(message) && told.contains(place), "{message} {place} is not in\n{told}");
    }

    let unknown = "    mapping:
      colour: red
      actions: [{ match: a, class: group_managment }]";
    let output = check(dir.path(), unknown);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    for message in ["unknown key `colour`", "did you mean `group_management`?"] {
        assert!(told.contains(message), "{message} is not in\n{told}");
    }
}
