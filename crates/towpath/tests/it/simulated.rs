//! The simulated API, and a directory in which the binary works against it.

use std::path::PathBuf;
use std::process::{Command, Output};

use simulator::{Builder, Postman};
use tokio::runtime::Runtime;

/// A running simulator; ends when dropped.
pub(crate) struct Api {
    pub(crate) postman: Postman,
    // Dropped after what runs on it.
    _runtime: Runtime,
}

impl Api {
    pub(crate) fn start(builder: Builder) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let postman = runtime.block_on(builder.start(([127, 0, 0, 1], 0).into())).expect("the simulator");
        Self { postman, _runtime: runtime }
    }
}

/// What a command said, and how it ended.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// A directory with a configuration; gone when dropped.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// With one source of these keys and one sink, a file.
    pub(crate) fn new(source: &str) -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a directory") };
        place.configure(source, "type: file, path: ./events.ndjson");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration; both are the insides of a YAML block in braces.
    pub(crate) fn configure(&self, source: &str, sink: &str) {
        let text = format!(
            "admin: {{ listen: off }}\nsources:\n  postman: {{ type: postman, {source} }}\nsinks:\n  archive: {{ {sink} }}\n"
        );
        std::fs::write(self.path("towpath.yaml"), text).expect("the configuration");
    }

    pub(crate) fn towpath(&self, args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.args(args).current_dir(self.dir.path()).env_clear();
        command.output().expect("towpath runs").into()
    }
}

/// The keys with which the simulated API is collected from.
pub(crate) fn keys(api: &Api) -> String {
    format!("url: '{}', api_key: '{}', timeout: 5s", api.postman.url(), api.postman.key())
}
