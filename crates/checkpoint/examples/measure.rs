//! What the store costs: `cargo run --release -p checkpoint --example measure -- DIR [IDS]`.
//!
//! Fills a store in DIR, which must be empty, with IDS (5,000,000) delivered ids, prints the figures of
//! `docs/adr/0002-checkpoint-store.md`, and ends itself by SIGKILL in the middle of things. Run again on the same
//! directory it measures opening.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use checkpoint::FileStore;
use pipeline::{CheckpointStore, Position, RecordId, Revision, Save, SinkSet};

const STREAM: &str = "postman";

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let dir: PathBuf = args.next().ok_or("which directory?")?.into();
    let ids: u64 = args.next().as_deref().unwrap_or("5000000").parse()?;

    let start = Instant::now();
    let store = FileStore::open(&dir)?;
    let opened = start.elapsed();
    let checkpoint = store.load(STREAM)?;
    store.delivered(STREAM, &[record(0, 60)])?;
    let remembered = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.delivered);
    say(&format!("open: {opened:.1?}, with first look-up {:.1?}, {remembered} ids", start.elapsed()))?;
    if checkpoint.is_some() {
        return Ok(());
    }

    let mut run = Run { store, dir, revision: Revision(0), next: 0 };
    run.saves("empty store", 100, 300, 60)?;
    run.saves("fill", ids / 5000, 5000, 60)?;
    run.saves("many a save", 100, 10_000, 60)?;
    run.saves("few a save", 300, 1000, 60)?;
    run.saves("full store", 100, 300, 60)?;
    run.look_ups("scattered", |n| n.wrapping_mul(7_919_001))?;
    run.look_ups("newest", |n| u64::MAX - n)?;
    run.saves_with_pruning(100, 5000)?;
    run.saves("10,000 a second", 40, 5000, 10_000)?;
    run.burst(40, 5000)?;
    run.memory()?;
    let start = Instant::now();
    run.store.reset("burst")?;
    say(&format!("reset of 200,000 ids: {:.1?}", start.elapsed()))?;
    kill_oneself()
}

struct Run {
    store: FileStore,
    dir: PathBuf,
    revision: Revision,
    next: u64,
}

/// Record `n` of a stream with so many records a second.
fn record(n: u64, per_second: u64) -> RecordId {
    let mix = |n: u64| (n ^ n >> 31).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let native = mix(mix(n + 1).rotate_left(29));
    RecordId { second: 1_700_000_000 + (n / per_second) as i64, native, content: mix(native) }
}

impl Run {
    fn save(&mut self, delivered: &[RecordId], prune_before: i64) -> Result<(), Box<dyn Error>> {
        let delivered: Vec<_> = delivered.iter().map(|id| (*id, SinkSet::ALL)).collect();
        let position = Position::encode(&self.next);
        let save = Save { position: &position, delivered: &delivered, prune_before };
        self.revision = self.store.save(STREAM, save, self.revision)?;
        Ok(())
    }

    fn saves(&mut self, what: &str, saves: u64, ids: u64, per_second: u64) -> Result<(), Box<dyn Error>> {
        let meter = Meter::start()?;
        let mut times = Vec::new();
        for _ in 0..saves {
            let records: Vec<_> = (self.next..self.next + ids).map(|n| record(n, per_second)).collect();
            self.next += ids;
            let start = Instant::now();
            self.save(&records, i64::MIN)?;
            times.push(start.elapsed());
        }
        meter.report(&format!("{what}: {saves} saves of {ids} ids"), times, saves * ids)
    }

    fn saves_with_pruning(&mut self, saves: u64, ids: u64) -> Result<(), Box<dyn Error>> {
        let meter = Meter::start()?;
        let mut times = Vec::new();
        for n in 0..saves {
            let records: Vec<_> = (self.next..self.next + ids).map(|n| record(n, 60)).collect();
            self.next += ids;
            let start = Instant::now();
            self.save(&records, record((n + 1) * ids, 60).second)?;
            times.push(start.elapsed());
        }
        meter.report(&format!("{saves} saves of {ids} ids that prune as many"), times, saves * ids)
    }

    /// All ids fall into the same second, so that they come in no order.
    fn burst(&self, saves: u64, ids: u64) -> Result<(), Box<dyn Error>> {
        let meter = Meter::start()?;
        let mut times = Vec::new();
        let mut revision = Revision(0);
        for n in 0..saves {
            let records = (n * ids..(n + 1) * ids).map(|n| (record(n, saves * ids), SinkSet::ALL));
            let records: Vec<_> = records.collect();
            let start = Instant::now();
            let save = Save { position: &Position::encode(&n), delivered: &records, prune_before: i64::MIN };
            revision = self.store.save("burst", save, revision)?;
            times.push(start.elapsed());
        }
        meter.report(&format!("all in one second: {saves} saves of {ids} ids"), times, saves * ids)
    }

    fn look_ups(&self, what: &str, place: fn(u64) -> u64) -> Result<(), Box<dyn Error>> {
        for (kind, flip) in [("hits", 0), ("misses", 1)] {
            let meter = Meter::start()?;
            let mut times = Vec::new();
            for page in 0..200 {
                let numbers = (page * 300..(page + 1) * 300).map(|n| match place(n) {
                    from_end if from_end > u64::MAX / 2 => self.next - 1 - (u64::MAX - from_end),
                    n => n % self.next,
                });
                let ids: Vec<_> = numbers
                    .map(|n| RecordId { native: record(n, 60).native ^ flip, ..record(n, 60) })
                    .collect();
                let start = Instant::now();
                let found = self.store.delivered(STREAM, &ids)?;
                times.push(start.elapsed());
                assert!(found.iter().all(|versions| versions.len() as u64 == 1 - flip));
            }
            meter.report(&format!("look up 300 {what} ids, {kind}"), times, 60_000)?;
        }
        Ok(())
    }

    fn memory(&self) -> Result<(), Box<dyn Error>> {
        let size = std::fs::metadata(self.dir.join("checkpoints.db"))?.len() >> 20;
        let peak = field("/proc/self/status", "VmHWM:")? >> 10;
        say(&format!("{} ids: file {size} MiB, peak memory of the process {peak} MiB", self.next))
    }
}

/// Time, CPU and bytes written between two moments.
struct Meter {
    cpu: Duration,
    written: u64,
}

impl Meter {
    fn start() -> Result<Self, Box<dyn Error>> {
        Ok(Self { cpu: cpu_time()?, written: field("/proc/self/io", "wchar:")? })
    }

    fn report(self, what: &str, mut times: Vec<Duration>, ids: u64) -> Result<(), Box<dyn Error>> {
        times.sort();
        let cpu = (cpu_time()? - self.cpu).as_secs_f64() * 1e6 / ids as f64;
        let written = (field("/proc/self/io", "wchar:")? - self.written) / ids;
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        say(&format!(
            "{what}: median {median:.1?}, worst {worst:.1?}, CPU {cpu:.2} µs an id, {written} B written an id"
        ))
    }
}

/// User and system time of this process, in the kernel's ticks of 10 ms.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

fn field(file: impl AsRef<Path>, name: &str) -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
    Ok(line.split_whitespace().next().ok_or("empty field")?.parse()?)
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

fn kill_oneself() -> Result<(), Box<dyn Error>> {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
    Err("survived".into())
}
