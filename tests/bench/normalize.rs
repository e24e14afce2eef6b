//! `towpath normalize` over realistic records.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};
use simulator::{Faults, Postman};

use crate::RECORD_BYTES;
use crate::process::measure;

/// Records to normalise.
const RECORDS: u64 = 600_000;

/// Different ones among them.
const DIFFERENT: usize = 20_000;

/// Events of each output whose schema is checked.
const CHECKED: usize = 400;

const ROUNDS: usize = 3;

pub(crate) fn run(towpath: &Path, work: &Path) {
    let input = records(work);
    println!(
        "normalize: {RECORDS} records of {RECORD_BYTES} bytes, keep_raw, best and worst of {ROUNDS} rounds"
    );
    println!("  schema  cores    CPU s per million      records/s         peak RSS");
    for schema in ["ocsf", "ecs", "raw"] {
        let mut hashes = Vec::new();
        let mut best = Vec::new();
        for cores in ["0", "0,1"] {
            let output = work.join("events.ndjson");
            let mut costs = Vec::new();
            for _ in 0..ROUNDS {
                let mut command = Command::new("taskset");
                command.args(["-c", cores]).arg(towpath);
                command.args(["normalize", "--source", "postman", "--schema", schema]);
                command.args(["--collected-at", "2026-11-22T00:00:00Z"]).arg(&input);
                command.stdout(File::create(&output).expect("an output file")).stderr(Stdio::null());
                costs.push(measure(&mut command));
            }
            hashes.push(validate(&output, schema));
            let cpu: Vec<f64> = costs.iter().map(|cost| cost.cpu_per_million(RECORDS)).collect();
            let rate: Vec<f64> = costs.iter().map(|cost| cost.per_second(RECORDS)).collect();
            let peak = costs.iter().map(|cost| cost.peak_kib).max().unwrap_or(0) as f64 / 1024.0;
            let (low, high) = (min(&cpu), max(&cpu));
            println!(
                "  {schema:<6}  {:<5}  {low:>8.2} – {high:<8.2}  {:>9.0} – {:<9.0}  {peak:.1} MiB",
                cores.split(',').count(),
                min(&rate),
                max(&rate),
            );
            best.push(max(&rate));
        }
        assert!(
            hashes.iter().all(|hash| *hash == hashes[0]),
            "{schema}: one core and two give the same bytes"
        );
        println!("  {schema:<6}  two cores give {:.2} times the throughput of one", best[1] / best[0]);
    }
    println!();
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
