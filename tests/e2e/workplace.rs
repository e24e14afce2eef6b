//! A directory for one test: its configuration, data, output and logs. Kept, and named, when the test fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::api::Api;
use crate::binary::towpath;
use crate::delivered::{self, Event, Schema};
use crate::process::{self, Ended, Running};

pub(crate) struct Workplace {
    dir: Option<TempDir>,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        // Built by now, if it has to be, and not within a time that the test measures.
        towpath();
        Self { dir: Some(tempfile::Builder::new().prefix("towpath-e2e-").tempdir().unwrap()) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.as_ref().unwrap().path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// What a sink wrote.
    pub(crate) fn events(&self, name: &str, schema: Schema) -> Vec<Event> {
        delivered::events(schema, &fs::read(self.path(name)).unwrap_or_default())
    }

    /// How many whole lines a sink has written so far. One that is being written does not count, where [`Workplace::events`]
    /// demands that none is.
    pub(crate) fn lines(&self, name: &str) -> usize {
        fs::read(self.path(name)).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
    }

    /// The log of the processes that [`Workplace::start`] started.
    pub(crate) fn log(&self) -> String {
        self.read("log")
    }

    /// The binary, working in this directory with `towpath.yaml` if there is one.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(towpath());
        command.args(args).current_dir(self.path("")).env_clear();
        command
    }

    /// Starts the binary; its log goes to the file `log`.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(args), &self.path("log"))
    }

    /// Writes `towpath.yaml`.
    pub(crate) fn configure(&self, config: &Config) {
        self.write("towpath.yaml", &config.text());
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        process::run(&mut self.command(args), b"")
    }

    /// Collects and delivers everything that there is, with success.
    #[track_caller]
    pub(crate) fn catches_up(&self) -> Ended {
        self.run(&["run", "--once"]).exits(0)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            eprintln!("what the test left is kept in {}", dir.keep().display());
        }
    }
}

/// A configuration of one source and some sinks that polls as often as it may and waits as briefly as it may.
pub(crate) struct Config {
    /// Top-level lines.
    pub(crate) general: String,
    /// Lines of the source's block, without indentation.
    pub(crate) source: String,
    /// Lines of the sinks, without indentation.
    pub(crate) sinks: String,
}

impl Config {
    /// Collects from `api` with the right key.
    pub(crate) fn new(api: &Api) -> Self {
        Self {
            general: "admin: { listen: off }\nretry: { initial: 20ms, max: 200ms }\n".to_owned(),
            source: format!(
                "type: postman\nurl: {}\napi_key: {}\ntimeout: 1s\npoll_interval: 1s\nrequests_per_minute: 6000\n\
                 resweep: {{ every: 2s, over: 24h }}\n",
                api.url(),
                api.key()
            ),
            sinks: String::new(),
        }
    }

    /// Adds top-level lines.
    pub(crate) fn with(mut self, lines: &str) -> Self {
        self.general += lines;
        self.general += "\n";
        self
    }

    /// Adds a sink that writes to `NAME.ndjson` with the schema of that name.
    pub(crate) fn sink(self, schema: &str) -> Self {
        let path = format!("{schema}.ndjson");
        self.sink_at(schema, Path::new(&path))
    }

    /// The same with another path; the sink has the name of its schema.
    pub(crate) fn sink_at(mut self, schema: &str, path: &Path) -> Self {
        self.sinks += &format!("{schema}: {{ type: file, path: {}, schema: {schema} }}\n", path.display());
        self
    }

    /// The file.
    pub(crate) fn text(&self) -> String {
        let indent =
            |text: &str, by: &str| text.lines().map(|line| format!("{by}{line}\n")).collect::<String>();
        format!(
            "{}sources:\n  postman:\n{}sinks:\n{}",
            self.general,
            indent(&self.source, "    "),
            indent(&self.sinks, "  ")
        )
    }
}
