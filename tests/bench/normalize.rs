//! `towpath normalize` over realistic records.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use simulator::{Faults, Postman};

use crate::RECORD_BYTES;
use crate::process::{Cost, measure};

/// Records to normalise.
const RECORDS: u64 = 600_000;

/// Different ones among them.
const DIFFERENT: usize = 20_000;

/// Events of each output whose schema is checked.
const CHECKED: usize = 400;

const ROUNDS: usize = 3;

/// What is measured: the yardstick, and `normalize` into each schema.
const PROGRAMS: [&str; 4] = ["plain", "ocsf", "ecs", "raw"];

/// The processors that it may use; the yardstick, which has one thread, runs on each at once.
const CORES: [&[&str]; 2] = [&["0"], &["0", "1"]];

pub(crate) fn run(towpath: &Path, work: &Path) {
    let input = records(work);
    println!(
        "normalize: {RECORDS} records of {RECORD_BYTES} bytes to /dev/null, keep_raw, best and worst of {ROUNDS} rounds in \
         turn; `plain` is a small serde program without the mapping, the yardstick for this machine"
    );
    println!("  program  cores    CPU s per million  of plain      records/s         peak RSS");
    let mut costs: BTreeMap<(&str, usize), Vec<Cost>> = BTreeMap::new();
    let mut hashes: BTreeMap<&str, String> = BTreeMap::new();
    for round in 0..ROUNDS {
        for program in PROGRAMS {
            for cores in CORES {
                // What the disk costs is the disk's: a file of a gigabyte makes the next run slow as well.
                let cost = measured(towpath, Path::new("/dev/null"), &input, program, cores);
                costs.entry((program, cores.len())).or_default().push(cost);
                if round == 0 {
                    let output = work.join("events.ndjson");
                    measured(towpath, &output, &input, program, cores);
                    let hash = validate(&output, program);
                    let known = hashes.entry(program).or_insert_with(|| hash.clone());
                    assert_eq!(*known, hash, "{program}: one core and two give the same bytes");
                }
            }
        }
    }
    let best_plain = min(&cpu(&costs[&("plain", 1)]));
    for program in PROGRAMS {
        for cores in 1..=CORES.len() {
            let costs = &costs[&(program, cores)];
            let (cpu, rate) = (cpu(costs), rate(costs));
            println!(
                "  {program:<7}  {cores:<5}  {:>8.2} – {:<8.2}   {:>4.2}     {:>9.0} – {:<9.0}  {:.1} MiB",
                min(&cpu),
                max(&cpu),
                min(&cpu) / best_plain,
                min(&rate),
                max(&rate),
                costs.iter().map(|cost| cost.peak_kib).max().unwrap_or(0) as f64 / 1024.0,
            );
        }
        let (one, two) = (max(&rate(&costs[&(program, 1)])), max(&rate(&costs[&(program, 2)])));
        println!("  {program:<7}  two cores give {:.2} times the throughput of one", two / one);
    }
    println!();
}

fn cpu(costs: &[Cost]) -> Vec<f64> {
    costs.iter().map(|cost| cost.cpu_per_million(RECORDS)).collect()
}

fn rate(costs: &[Cost]) -> Vec<f64> {
    costs.iter().map(|cost| cost.per_second(RECORDS)).collect()
}

/// One run; the yardstick on two processors is two runs at once, taken as one of half the time a record.
fn measured(towpath: &Path, output: &Path, input: &Path, program: &str, cores: &[&str]) -> Cost {
    let run = |cores: &str| {
        let mut command = Command::new("taskset");
        command.args(["-c", cores]);
        if program == "plain" {
            command.arg(env::current_exe().expect("this program has a path")).arg(crate::PLAIN);
        } else {
            command.arg(towpath).args(["normalize", "--source", "postman", "--schema", program]);
            command.args(["--collected-at", "2026-11-22T00:00:00Z"]);
        }
        command.arg(input).stdout(File::create(output).expect("an output file")).stderr(Stdio::null());
        measure(&mut command)
    };
    if program != "plain" {
        return run(&cores.join(","));
    }
    let costs: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = cores.iter().map(|core| scope.spawn(|| run(core))).collect();
        runs.into_iter().map(|run| run.join().expect("the run ends")).collect()
    });
    let share = |duration: Duration| duration / costs.len() as u32;
    Cost {
        wall: share(costs.iter().map(|cost| cost.wall).max().unwrap_or_default()),
        cpu: share(costs.iter().map(|cost| cost.cpu).sum()),
        others: Duration::ZERO,
        peak_kib: costs.iter().map(|cost| cost.peak_kib).max().unwrap_or_default(),
    }
}

fn min(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// A file of records as the simulated API has them.
fn records(work: &Path) -> PathBuf {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let api = Postman::builder().seed(1).events(DIFFERENT).record_bytes(RECORD_BYTES).faults(Faults::none());
    let all = runtime.block_on(async {
        let api = api.start(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        api.all()
    });
    let path = work.join("records.ndjson");
    let mut file = BufWriter::new(File::create(&path).expect("an input file"));
    for n in 0..RECORDS as usize {
        file.write_all(&all[n % all.len()].versions[0].text).expect("room on the disk");
        file.write_all(b"\n").expect("room on the disk");
    }
    file.flush().expect("room on the disk");
    path
}

/// Every record gave events, and these are what their schema demands. The hash of it all tells outputs apart.
fn validate(output: &Path, schema: &str) -> String {
    let text = fs::read(output).expect("the output can be read");
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    assert!(lines.len() as u64 >= RECORDS, "{} events of {RECORDS} records", lines.len());
    assert!(schema == "ocsf" || lines.len() as u64 == RECORDS, "one event a record");
    for line in lines.iter().step_by(lines.len() / CHECKED) {
        let checked = match schema {
            "ocsf" => testkit::schema::check_ocsf("1.8.0", line),
            "ecs" => testkit::schema::check_ecs(line),
            _ => Ok(()),
        };
        checked.unwrap_or_else(|wrong| panic!("{schema}: {wrong:?} in {}", String::from_utf8_lossy(line)));
    }
    Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect()
}
