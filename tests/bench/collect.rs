//! `towpath run` against a simulated API in this process.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use simulator::{Faults, Postman};
use tokio::runtime::Runtime;

use crate::RECORD_BYTES;
use crate::process::{cpu_time, measure, memory, peak_memory, stop};

/// Records to collect.
const RECORDS: usize = 500_000;

/// Events of the output whose schema is checked.
const CHECKED: usize = 400;

/// A simulated API and a directory to work in.
pub(crate) struct World {
    runtime: Runtime,
    pub(crate) api: Postman,
    pub(crate) dir: PathBuf,
}

impl World {
    pub(crate) fn new(work: &Path, name: &str, records: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let api =
            Postman::builder().seed(1).events(records).record_bytes(RECORD_BYTES).faults(Faults::none());
        let api = runtime.block_on(api.start(([127, 0, 0, 1], 0).into())).expect("a free port");
        let dir = work.join(name);
        fs::create_dir_all(&dir).expect("a directory");
        Self { runtime, api, dir }
    }

    /// Writes the configuration; `sink` is the sink's own keys.
    pub(crate) fn configure(&self, sink: &str) -> PathBuf {
        let path = self.dir.join("towpath.yaml");
        let text = format!(
            "data_dir: {dir}/data\nadmin: {{ listen: off }}\nsources:\n  postman:\n    type: postman\n    url: {url}\n    \
             api_key: {key}\n    requests_per_minute: 60000\nsinks:\n  archive: {{ {sink} }}\n",
            dir = self.dir.display(),
            url = self.api.url(),
            key = self.api.key(),
        );
        fs::write(&path, text).expect("a configuration");
        path
    }

    pub(crate) fn command(&self, towpath: &Path, config: &Path, once: bool) -> Command {
        let mut command = Command::new(towpath);
        command.args(["run", "--log-level", "error", "--config"]).arg(config);
        if once {
            command.args(["--once", "--timeout", "5m"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// Simulated API → file with fsync and checkpoints.
pub(crate) fn throughput(towpath: &Path, work: &Path) {
    println!(
        "collect: {RECORDS} records of {RECORD_BYTES} bytes over HTTP, written with fsync, positions and ids saved"
    );
    for schema in ["ocsf", "ecs", "raw"] {
        let world = World::new(work, schema, RECORDS);
        let output = world.dir.join("events.ndjson");
        let config = world.configure(&format!(
            "type: file, path: {}, schema: {schema}, rotate: {{ max_size: 100GiB }}",
            output.display()
        ));
        let cost = measure(&mut world.command(towpath, &config, true));
        validate(&world.api, &output, schema);
        let plain = plain_write(&output, &world.dir.join("plain"));
        let bytes = fs::metadata(&output).expect("the output is there").len();
        println!(
            "  {schema:<6} {:>8.0} records/s, {:.2} CPU s per million (the simulated API took {:.2} more on the same machine), \
             wall {:.2} s (a plain write of the same {} MiB with as many fsyncs: {:.2} s), peak RSS {:.1} MiB",
            cost.per_second(RECORDS as u64),
            cost.cpu_per_million(RECORDS as u64),
            cost.others.as_secs_f64() / RECORDS as f64 * 1e6,
            cost.wall.as_secs_f64(),
            bytes >> 20,
            plain.as_secs_f64(),
            cost.peak_kib as f64 / 1024.0,
        );
        drop(world.runtime);
        fs::remove_dir_all(&world.dir).expect("the directory is ours");
    }
    println!();
}

/// What the API has is what the file holds, each once, and as its schema demands.
fn validate(api: &Postman, output: &Path, schema: &str) {
    let text = fs::read(output).expect("the output can be read");
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut ids = BTreeSet::new();
    for line in &lines {
        let event: Value = serde_json::from_slice(line).expect("each line is JSON");
        let id = match schema {
            "ocsf" => event["metadata"]["original_event_uid"].as_str().map(str::to_owned),
            "ecs" => event["event"]["id"].as_str().map(str::to_owned),
            _ => Some(event["id"].to_string()),
        };
        ids.extend(id);
    }
    assert!(schema == "ocsf" || lines.len() == ids.len(), "each record once");
    let all = api.all_ids();
    assert_eq!(all.len(), RECORDS);
    assert!(ids == all, "{} of {} records", ids.len(), all.len());
    for line in lines.iter().step_by(lines.len() / CHECKED) {
        let checked = match schema {
            "ocsf" => testkit::schema::check_ocsf("1.8.0", line),
            "ecs" => testkit::schema::check_ecs(line),
            _ => Ok(()),
        };
        checked.unwrap_or_else(|wrong| panic!("{schema}: {wrong:?}"));
    }
}

/// The same bytes, in writes of 1 MiB with an fsync each, by nothing but a loop.
fn plain_write(from: &Path, to: &Path) -> Duration {
    let bytes = fs::read(from).expect("the output can be read");
    let mut file = File::create(to).expect("a file");
    let began = Instant::now();
    for block in bytes.chunks(1 << 20) {
        file.write_all(block).expect("room on the disk");
        file.sync_data().expect("a disk that works");
    }
    began.elapsed()
}

/// Start-up, and what it costs to have nothing to do.
pub(crate) fn idle(towpath: &Path, work: &Path) {
    const WATCHED: Duration = Duration::from_secs(10);
    let mut first_events = Vec::new();
    let mut figures = (0, Duration::ZERO);
    for round in 0..5 {
        let world = World::new(work, &format!("idle{round}"), 200);
        let output = world.dir.join("events.ndjson");
        let config = world.configure(&format!("type: file, path: {}", output.display()));
        let began = Instant::now();
        let child = world.command(towpath, &config, false).spawn().expect("towpath starts");
        while fs::metadata(&output).map_or(0, |file| file.len()) == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "no event");
            sleep(Duration::from_micros(200));
        }
        first_events.push(began.elapsed());
        if round == 4 {
            sleep(Duration::from_secs(3));
            figures = watch(&child, WATCHED);
        }
        stop(child);
    }
    first_events.sort();
    println!(
        "idle: first event {:.1} ms after the start (best {:.1}, worst {:.1}), RSS {:.1} MiB, CPU {:.2} % of a core over {} s\n",
        first_events[2].as_secs_f64() * 1e3,
        first_events[0].as_secs_f64() * 1e3,
        first_events[4].as_secs_f64() * 1e3,
        figures.0 as f64 / 1024.0,
        figures.1.as_secs_f64() / WATCHED.as_secs_f64() * 100.0,
        WATCHED.as_secs(),
    );
}

/// Memory and processor time over a while.
fn watch(child: &Child, long: Duration) -> (u64, Duration) {
    let before = cpu_time(child);
    sleep(long);
    (memory(child), cpu_time(child) - before)
}

/// A sink that takes nothing, until the budget is used up and the source stops.
pub(crate) fn at_the_budget(towpath: &Path, work: &Path) {
    let world = World::new(work, "budget", RECORDS);
    // The path is a directory: the sink pauses and keeps what it has.
    let output = world.dir.join("events.ndjson");
    fs::create_dir(&output).expect("a directory");
    let config = world.configure(&format!("type: file, path: {}", output.display()));
    let child = world.command(towpath, &config, false).spawn().expect("towpath starts");
    let mut requests = 0;
    let began = SystemTime::now();
    loop {
        sleep(Duration::from_secs(2));
        let now = world.api.requests().len();
        if now == requests && now > 0 {
            break;
        }
        requests = now;
        assert!(began.elapsed().unwrap_or_default() < Duration::from_secs(60), "the source never stops");
    }
    let peak = peak_memory(&child) as f64 / 1024.0;
    println!(
        "budget: in_flight 64MiB used up behind a paused sink after {requests} pages: peak RSS {peak:.1} MiB"
    );
    fs::remove_dir(&output).expect("the directory is ours");
    let began = Instant::now();
    while fs::metadata(&output).map_or(0, |file| file.len()) == 0 {
        assert!(began.elapsed() < Duration::from_secs(90), "the sink never heals");
        sleep(Duration::from_millis(50));
    }
    println!(
        "budget: the sink heals by itself {:.1} s after its path can be written\n",
        began.elapsed().as_secs_f64()
    );
    stop(child);
}
