//! A child process and what it cost.

use std::fs;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a finished process took.
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// The same of this process meanwhile, with whatever it simulates.
    pub(crate) others: Duration,
    /// Most memory it held, in KiB.
    pub(crate) peak_kib: u64,
}

impl Cost {
    /// What is left of it without what a shorter run took; the memory stays.
    pub(crate) fn without(self, shorter: &Self) -> Self {
        Self {
            wall: self.wall.saturating_sub(shorter.wall),
            cpu: self.cpu.saturating_sub(shorter.cpu),
            others: self.others.saturating_sub(shorter.others),
            peak_kib: self.peak_kib,
        }
    }

    pub(crate) fn cpu_per_million(&self, events: u64) -> f64 {
        self.cpu.as_secs_f64() / events as f64 * 1e6
    }

    pub(crate) fn per_second(&self, events: u64) -> f64 {
        events as f64 / self.wall.as_secs_f64()
    }

    /// The figures of a run that has delivered so many events.
    pub(crate) fn figures(&self, events: u64) -> String {
        format!(
            "{:>8.0} events/s, {:.2} CPU s per million (API and receiver took {:.2} more on the same machine), peak RSS {:.1} MiB",
            self.per_second(events),
            self.cpu_per_million(events),
            self.others.as_secs_f64() / events as f64 * 1e6,
            self.peak_kib as f64 / 1024.0,
        )
    }
}

/// Processor, cores and load: a figure without its machine is none.
pub(crate) fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "machine: {}, {cores} cores, load {load} at the start",
        model.trim_start_matches([' ', '\t', ':'])
    )
}

/// Runs to the end and says what it took. The process must succeed.
pub(crate) fn measure(command: &mut Command) -> Cost {
    let (began, own) = (Instant::now(), own_cpu_time());
    let mut child = command.spawn().expect("the command starts");
    let mut peak_kib = 0;
    loop {
        peak_kib = peak_kib.max(peak_memory(&child));
        // A zombie keeps its times until it is waited for.
        if state(&child) == Some('Z') {
            break;
        }
        sleep(Duration::from_millis(2));
    }
    let wall = began.elapsed();
    let (cpu, others) = (cpu_time(&child), own_cpu_time() - own);
    let status = child.wait().expect("the process can be waited for");
    assert!(status.success(), "{command:?} ended with {status}");
    Cost { wall, cpu, others, peak_kib }
}

fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces.
    let rest = text.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    rest.split(' ').map(str::to_owned).collect()
}

fn state(child: &Child) -> Option<char> {
    stat(child.id()).first()?.chars().next()
}

/// User and system time so far. Linux counts them in hundredths of a second (`USER_HZ`).
pub(crate) fn cpu_time(child: &Child) -> Duration {
    cpu_time_of(child.id())
}

fn own_cpu_time() -> Duration {
    cpu_time_of(std::process::id())
}

fn cpu_time_of(pid: u32) -> Duration {
    let stat = stat(pid);
    let ticks = |field: usize| stat.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn status(child: &Child, field: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(0)
}

/// Most memory held so far, in KiB.
pub(crate) fn peak_memory(child: &Child) -> u64 {
    status(child, "VmHWM:")
}

/// Memory held now, in KiB.
pub(crate) fn memory(child: &Child) -> u64 {
    status(child, "VmRSS:")
}

/// Asks for an orderly end and waits for it.
pub(crate) fn stop(mut child: Child) {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("the process is ours");
    assert!(child.wait().expect("the process can be waited for").success());
}
