//! Where the binary under test is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The binary that `TOWPATH_BIN` names, else one that is built with the profile and in the target directory of this test:
/// by itself, so that it has the features that are shipped and none that tests switch on.
pub(crate) fn towpath() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("TOWPATH_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    // target/debug/deps/e2e-0123456789abcdef
    let this_test = std::env::current_exe().unwrap();
    let of_profile = this_test.ancestors().nth(2).unwrap();
    let profile = match of_profile.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked"])
        .args(["--package", "towpath", "--bin", "towpath", "--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .arg("--target-dir")
        .arg(of_profile.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit());
    let built = cargo.output().unwrap();
    assert!(built.status.success(), "cargo cannot build towpath");
    let messages = String::from_utf8(built.stdout).unwrap();
    let executable = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    executable.expect("cargo names the executable that it has built")
}
