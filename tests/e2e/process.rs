//! Processes that end when the test does.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const POLL: Duration = Duration::from_millis(5);

/// How long a test waits for what has to happen. It says nothing about speed: on a machine that is busy or whose disk is
/// slow everything takes many times longer, and a test that has to know how long something takes measures that itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Within this it works again once what was wrong is right, with the brief waits of [`Config::new`](crate::workplace::Config::new).
pub(crate) const HEALS: Duration = Duration::from_secs(15);

/// A child process; killed when dropped.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Starts `command`; what it says on stdout and stderr is appended to the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        self.child.wait().unwrap()
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// How it ends by itself; panics when it has not within [`PATIENCE`].
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.wait_within(PATIENCE)
    }

    /// How it ends by itself; panics when it has not within `limit`.
    #[track_caller]
    pub(crate) fn wait_within(&mut self, limit: Duration) -> ExitStatus {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(Instant::now() < until, "the process has not ended within {limit:?}");
            sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// A process that has ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Panics, with everything that was said, unless the exit status is `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Panics, with everything that was said, unless stderr contains `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not said: {self}");
        self
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

/// Runs `command` to its end, with `stdin` if there is any; panics when it has not ended within [`PATIENCE`].
#[track_caller]
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Ended {
    let file_of = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        file.rewind().unwrap();
        file
    };
    // Files rather than pipes: whatever is said, nobody has to read at the same time.
    let (mut stdout, mut stderr) = (file_of(b""), file_of(b""));
    command.stdin(file_of(stdin)).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
    let mut running = Running { child: command.spawn().unwrap() };
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match running.ended() {
            Some(status) => break Some(status),
            None if Instant::now() > until => break None,
            None => sleep(POLL),
        }
    };
    drop(running);
    let read = |file: &mut File| {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (stdout, stderr) = (read(&mut stdout), read(&mut stderr));
    match status {
        Some(status) => Ended { status, stdout, stderr },
        None => {
            panic!("not ended within {PATIENCE:?}: {command:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
        }
    }
}

/// Waits until `condition` holds; panics with `what` when it does not within [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_within(PATIENCE, what, condition);
}

/// Waits until `condition` holds; panics with `what` when it does not within `limit`.
#[track_caller]
pub(crate) fn wait_within(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < until, "not within {limit:?}: {what}");
        sleep(POLL);
    }
}
