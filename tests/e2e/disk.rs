//! Disks that are full or read-only: a clear error, nothing lost, and it goes on once the cause is gone.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use simulator::Postman;

use crate::api::Api;
use crate::delivered::Schema;
use crate::process::{HEALS, Running, run, wait_until, wait_within};
use crate::truth::{assert_delivered, assert_delivered_once};
use crate::workplace::{Config, Workplace};

const RAW: &[(&str, Schema)] = &[("raw.ndjson", Schema::Raw)];

/// A file system mounted for a test; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    /// `None`, and said so, where this user may not mount.
    fn new(at: &Path, args: &[&str]) -> Option<Self> {
        let mounted =
            Command::new("mount").args(args).arg(at).output().is_ok_and(|ended| ended.status.success());
        if !mounted {
            eprintln!("skipped: only root may mount, as `mount {}` would", args.join(" "));
        }
        mounted.then(|| Self(at.to_owned()))
    }

    fn tmpfs(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        Self::new(at, &["-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs"])
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount").args(["-o", options]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What keeps it busy was killed just now.
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

/// A file that takes what the disk has, but for `free` bytes.
fn fill(path: &Path, free: u64) {
    let mut file = File::create(path).unwrap();
    while file.write(&[b'x'; 4096]).is_ok_and(|written| written > 0) {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(free)).unwrap();
}

fn stop(mut process: Running, place: &Workplace) {
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", place.log());
}

#[test]
fn a_full_disk_pauses_the_sink_until_there_is_space() {
    let api = Api::start(Postman::builder().events(3000));
    let place = Workplace::new();
    let Some(_mount) = Mount::tmpfs(&place.path("out")) else { return };
    let ballast = place.path("out/ballast");
    fill(&ballast, 256 << 10);
    place.configure(&Config::new(&api).sink_at("raw", Path::new("out/raw.ndjson")).sink("ocsf"));

    let process = place.start(&["run"]);
    wait_until("the disk is full", || place.log().contains("sink is paused"));
    let log = place.log();
    assert!(log.contains("free space for ") && log.contains("out/raw.ndjson or raise the quota"), "{log}");
    assert!(log.contains("No space left on device"), "{log}");
    fs::remove_file(ballast).unwrap();
    wait_within(HEALS, "it delivers again", || place.lines("ocsf.ndjson") >= 3000);
    stop(process, &place);
    assert!(place.log().contains("sink delivers again"), "{}", place.log());
    assert_delivered_once(&api, &place, &[("out/raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)]);
}

#[test]
fn a_limit_on_file_sizes_pauses_the_sink_until_it_is_raised() {
    let api = Api::start(Postman::builder().events(10));
    let place = Workplace::new();
    place.configure(&Config::new(&api).sink("raw"));
    // The store is made without the limit.
    place.catches_up();
    for _ in 0..4000 {
        api.add(SystemTime::now());
    }
    // 1 MiB.
    let mut process = Running::start(&mut with_limit(2048, &place), &place.path("log"));
    wait_until("the limit is reached", || {
        process.ended().is_some() || place.log().contains("sink is paused")
    });
    assert_eq!(process.ended(), None, "the process did not survive the limit: {}", place.log());
    assert!(place.log().contains("raise the limit on file sizes"), "{}", place.log());
    let unlimited = Rlimit { current: None, maximum: None };
    prlimit(Pid::from_raw(process.pid().cast_signed()), Resource::Fsize, unlimited).unwrap();
    wait_within(HEALS, "it delivers again", || place.lines("raw.ndjson") >= 4010);
    stop(process, &place);
    assert_delivered_once(&api, &place, RAW);
}

/// `towpath run` that may not make a file longer than so many blocks of 512 bytes.
fn with_limit(blocks: u32, place: &Workplace) -> Command {
    let mut command = Command::new("/bin/sh");
    let script = format!("ulimit -S -f {blocks}; exec \"$0\" run");
    command.args(["-c", &script]).arg(crate::binary::towpath()).current_dir(place.path("")).env_clear();
    command
}

#[test]
fn a_limit_that_leaves_no_room_for_the_store_is_said() {
    let api = Api::start(Postman::builder().events(10));
    let place = Workplace::new();
    place.configure(&Config::new(&api).sink("raw"));
    run(&mut with_limit(8, &place), b"").exits(1).says("data/checkpoints.db").says("File too large");
    place.catches_up();
    assert_delivered_once(&api, &place, RAW);
}

#[test]
fn a_read_only_directory_pauses_the_sink_until_it_is_writable() {
    let api = Api::start(Postman::builder().events(500));
    let place = Workplace::new();
    let out = place.path("out");
    let Some(mount) = Mount::tmpfs(&out) else { return };
    mount.remount("remount,ro");
    place.configure(&Config::new(&api).sink_at("raw", Path::new("out/raw.ndjson")).sink("ocsf"));

    let process = place.start(&["run"]);
    wait_until("the sink is paused", || place.log().contains("sink is paused"));
    let log = place.log();
    assert!(log.contains("make the file system of ") && log.contains("out/raw.ndjson writable"), "{log}");
    // The other sink is not held up.
    wait_until("the other sink delivers", || place.lines("ocsf.ndjson") >= 500);
    mount.remount("remount,rw");
    wait_within(HEALS, "it delivers again", || place.lines("out/raw.ndjson") >= 500);
    stop(process, &place);
    assert_delivered_once(&api, &place, &[("out/raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)]);
}

#[test]
fn a_full_disk_under_the_data_directory_holds_collection_until_there_is_space() {
    let api = Api::start(Postman::builder().events(20_000).rate(100.0));
    let place = Workplace::new();
    let Some(_mount) = Mount::tmpfs(&place.path("state")) else { return };
    place.configure(&Config::new(&api).with("data_dir: state/data").sink("raw"));

    let process = place.start(&["run"]);
    wait_until("something is saved", || place.lines("raw.ndjson") > 500);
    let ballast = place.path("state/ballast");
    fill(&ballast, 0);
    wait_until("the disk is full", || place.log().contains("checkpoint cannot be saved"));
    let log = place.log();
    assert!(log.contains("No space left on device"), "{log}");
    assert!(log.contains("state/data/checkpoints.db"), "{log}");
    fs::remove_file(ballast).unwrap();
    wait_within(HEALS, "it saves again", || place.log().contains("checkpoint is saved again"));
    api.set_rate(0.0);
    stop(process, &place);
    place.catches_up();
    assert_delivered_once(&api, &place, RAW);
}

/// Killed while the disk is full, it repeats what was not saved, and no more than that.
#[test]
fn killed_while_the_data_directory_is_full_it_loses_nothing() {
    let api = Api::start(Postman::builder().events(10_000));
    let place = Workplace::new();
    let Some(_mount) = Mount::tmpfs(&place.path("state")) else { return };
    place.configure(
        &Config::new(&api).with("data_dir: state/data\nlimits: { in_flight: 256KiB }").sink("raw"),
    );
    let process = place.start(&["run"]);
    wait_until("something is saved", || place.lines("raw.ndjson") > 500);
    let ballast = place.path("state/ballast");
    fill(&ballast, 0);
    wait_until("the disk is full", || place.log().contains("checkpoint cannot be saved"));
    process.kill();
    // Still full: it says so instead of starting afresh, or starts and waits.
    let mut process = place.start(&["run"]);
    std::thread::sleep(Duration::from_millis(500));
    if let Some(status) = process.ended() {
        assert_eq!(status.code(), Some(1), "{}", place.log());
    }
    drop(process);
    fs::remove_file(ballast).unwrap();
    place.catches_up();
    assert_delivered(&api, &place, RAW);
    let events = place.events("raw.ndjson", Schema::Raw);
    let repeated: usize =
        crate::delivered::repeated(&events).iter().map(|(_, again)| events[*again].bytes).sum();
    assert!(repeated <= 256 << 10, "{repeated} bytes came again");
}

#[test]
fn a_data_directory_that_cannot_be_written_is_said_before_anything_starts() {
    let api = Api::start(Postman::builder().events(10));
    let place = Workplace::new();
    let Some(mount) = Mount::tmpfs(&place.path("state")) else { return };
    mount.remount("remount,ro");
    place.configure(&Config::new(&api).with("data_dir: state/data").sink("raw"));
    let ended = run(&mut place.command(&["run"]), b"");
    ended.exits(1).says("state/data").says("Read-only file system");
    assert_eq!(api.requests_so_far(), 0);
}
