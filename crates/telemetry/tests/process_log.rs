//! The log of a whole process: this test runs itself again as a child with the environment that it wants to see.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use telemetry::logs::{self, Format};

const FORMAT: &str = "TELEMETRY_TEST_FORMAT";
const LEVEL: &str = "TELEMETRY_TEST_LEVEL";

/// Not a test of its own: what the child does.
#[test]
fn child() {
    let Ok(format) = std::env::var(FORMAT) else { return };
    let level = std::env::var(LEVEL).ok();
    if let Err(error) = logs::init(format.parse().unwrap(), level.as_deref()) {
        eprintln!("{error}: {}", std::error::Error::source(&error).unwrap());
        return;
    }
    tracing::debug!("fine detail");
    tracing::info!(n = 1, "usual");
    tracing::warn!("unusual");
    assert!(matches!(logs::init(Format::Text, None), Err(logs::LogError::Twice)));
}

fn run(environment: &[(&str, &str)]) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture"]).env_remove(logs::LEVEL_VARIABLE);
    child.envs(environment.iter().copied()).output().unwrap()
}

fn stderr(environment: &[(&str, &str)]) -> String {
    String::from_utf8(run(environment).stderr).unwrap()
}

#[test]
fn logs_go_to_stderr_alone_without_colours_where_it_is_no_terminal() {
    let output = run(&[(FORMAT, "text")]);
    assert!(output.status.success());
    assert!(!String::from_utf8(output.stdout).unwrap().contains("usual"));
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = log.lines().map(|line| &line[20..]).collect();
    assert_eq!(lines, ["  INFO usual n=1", "  WARN unusual"]);
}

#[test]
fn the_command_line_wins_over_the_environment_and_both_over_info() {
    let count = |environment: &[(&str, &str)]| stderr(environment).lines().count();
    assert_eq!(count(&[(FORMAT, "json")]), 2);
    assert_eq!(count(&[(FORMAT, "json"), (logs::LEVEL_VARIABLE, "debug")]), 3);
    assert_eq!(count(&[(FORMAT, "json"), (logs::LEVEL_VARIABLE, "debug"), (LEVEL, "warn")]), 1);
}

#[test]
fn a_bad_level_is_named_with_the_place_that_it_came_from() {
    assert_eq!(
        stderr(&[(FORMAT, "text"), (logs::LEVEL_VARIABLE, "loud")]),
        "cannot read the log level from TOWPATH_LOG: `loud` is not a level: \
         use `error`, `warn`, `info`, `debug`, `trace` or `off`\n"
    );
    assert!(stderr(&[(FORMAT, "text"), (LEVEL, "")]).contains("from --log-level: the log level is empty"));
}
