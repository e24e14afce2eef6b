//! A real server that somebody else has started, and that this test may kill.
//!
//! | variable | is |
//! |---|---|
//! | `TOWPATH_STORM_ADDRESS` | where it listens, `127.0.0.1:19000` |
//! | `TOWPATH_STORM_PID` | the file with its process id |
//! | `TOWPATH_STORM_START` | the command that starts it again, and ends when it answers |

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::process::wait_until;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) pid_file: PathBuf,
    start: String,
}

impl Server {
    pub(super) fn of_environment() -> Self {
        Self {
            address: variable("TOWPATH_STORM_ADDRESS").parse().unwrap(),
            pid_file: variable("TOWPATH_STORM_PID").into(),
            start: variable("TOWPATH_STORM_START"),
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// SIGKILL; returns when it is gone.
    pub(super) fn kill(&self) {
        let pid = self.pid();
        kill_process(pid, Signal::KILL).unwrap();
        wait_until("the server is gone", || test_kill_process(pid).is_err());
    }

    /// Starts it with the data that it had.
    pub(super) fn start(&self) {
        let status = Command::new("sh").args(["-c", &self.start]).status().unwrap();
        assert!(status.success(), "the server does not start again: {}", self.start);
    }

    fn pid(&self) -> Pid {
        let pid = std::fs::read_to_string(&self.pid_file).unwrap();
        Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
    }
}

pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; tests/services/run.sh does it"))
}
