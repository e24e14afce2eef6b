//! SIGKILL at any moment.
//!
//! The process is killed again and again, at random moments and at chosen ones, while the API does its worst. Afterwards the API
//! calms down, the process catches up, and the files are compared with what the simulator has shown: by what stands in them,
//! never by the product's own counters.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use simulator::{Faults, Postman};

use crate::api::{Api, calmed, worst};
use crate::chance::Random;
use crate::delivered::{self, Event, Schema};
use crate::process::Running;
use crate::truth::Truth;
use crate::workplace::{Config, Workplace};

const KILLS: usize = 60;
const BUDGET: usize = 256 << 10;
const FILES: [(&str, Schema); 2] = [("raw.ndjson", Schema::Raw), ("ocsf.ndjson", Schema::Ocsf)];

/// What a kill waits for, from the start of the process on, and for how long after that.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// Nothing.
    Anytime,
    /// A page beyond the first was asked for.
    Walk,
    /// A file has grown.
    Write,
    /// The checkpoint file has changed.
    Save,
    /// Nothing was asked for a while.
    Idle,
    /// Nothing, while one of the files is locked by somebody else: its sink is paused, the other goes on.
    Held,
}

/// One kill, and what was seen of it from outside.
struct Kill {
    aim: Aim,
    started: SystemTime,
    lived: Duration,
    /// Lengths of the files after the kill, without a torn last line.
    lengths: [usize; 2],
    torn: bool,
}

/// Where a kill fell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The simulator had not been asked for anything since the start.
    BeforeFirstRequest,
    /// A walk that was under way was resumed by its cursor, or begun again, by a later process.
    MidWalk,
    /// A line was cut off.
    MidWrite,
    /// Lines that were in the files came again.
    BetweenWriteAndSave,
    /// None of these.
    Other,
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_repeats_at_most_one_budget() {
    let seed = Random::seed();
    let worst = Faults { latency: Duration::from_millis(25), bursts: 0.05, ..worst() };
    let api = Postman::builder().seed(seed).events(7000).rate(60.0).faults(worst.clone());
    let api = Api::start(api);
    let place = Workplace::new();
    let config = Config::new(&api).with("limits: { in_flight: 256KiB }").sink("raw").sink("ocsf");
    place.write("towpath.yaml", &config.text());

    let began = Instant::now();
    let mut random = Random::new(seed);
    let kills: Vec<Kill> = (0..KILLS).map(|number| kill_once(&place, &api, number, &mut random)).collect();
    let killing = began.elapsed();

    api.set_rate(0.0);
    api.set_faults(calmed(worst));
    let existed = api.all_ids();
    place.catches_up();
    let caught_up = began.elapsed();

    let files = FILES.map(|(name, schema)| delivered::events(schema, &fs::read(place.path(name)).unwrap()));
    let repeated = repeated_bytes(&kills, &files);
    let phases = phases(&api, &kills, &repeated);
    let report = report(&kills, &phases, &repeated);
    eprintln!("{report}");

    // Everything is looked at before the test fails: a run is long, and one fault may explain another.
    let mut faults = Vec::new();
    let mut none = |what: &str, found: &[String]| {
        if !found.is_empty() {
            let some: String = found.iter().take(20).map(|found| format!("\n    {found}")).collect();
            faults.push(format!("{} {what}:{some}", found.len()));
        }
    };
    let truth = Truth::of(&api);
    for ((name, schema), events) in FILES.iter().zip(&files) {
        let mut verdict = truth.judge(*schema, events);
        summary(&format!(
            "{name}: {} events; {} intact, {} of pages that do not count as shown, {} damaged by the API; \
             {} lost, {} invented",
            events.len(),
            verdict.intact,
            verdict.turned,
            verdict.damaged,
            verdict.lost.len(),
            verdict.wrong.len(),
        ));
        verdict.missing.retain(|id| existed.contains(id));
        none(&format!("records were shown and are not in {name}"), &verdict.lost);
        none(&format!("texts in {name} were never sent"), &verdict.wrong);
        none(&format!("events in {name} do not name their record's id"), &verdict.nameless);
        none(&format!("records existed before the last run and are not in {name}"), &verdict.missing);
    }
    none("events are in one of the files only", &in_one_file_only(&place, &files));
    none("lines of ocsf.ndjson are not valid", &invalid_lines(&fs::read(place.path("ocsf.ndjson")).unwrap()));

    let most = *repeated.iter().max().unwrap();
    let allowed = BUDGET + largest_record(&files);
    let over = repeated.iter().filter(|bytes| **bytes > allowed).map(|bytes| format!("{bytes} of {allowed}"));
    none("kills after which more bytes came again than were in flight", &over.collect::<Vec<_>>());
    summary(&format!(
        "{KILLS} kills in {killing:.1?}, caught up after {caught_up:.1?}; at most {most} bytes repeated after one kill, \
         of a budget of {BUDGET}; seed {seed}"
    ));
    let counts = count(&phases);
    summary(&format!("kills by phase (one may fall in several): {counts:?}"));
    for phase in [Phase::MidWalk, Phase::BetweenWriteAndSave] {
        if !counts.contains_key(&phase) {
            faults.push(format!("no kill fell {phase:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Starts the process and kills it at a moment of the kind that is next.
fn kill_once(place: &Workplace, api: &Api, number: usize, random: &mut Random) -> Kill {
    const AIMS: [Aim; 9] = [
        Aim::Anytime,
        Aim::Write,
        Aim::Walk,
        Aim::Save,
        Aim::Write,
        Aim::Anytime,
        Aim::Held,
        Aim::Write,
        Aim::Idle,
    ];
    let aim = AIMS[number % AIMS.len()];
    let started = SystemTime::now();
    let requests = api.requests_so_far();
    let held = matches!(aim, Aim::Held).then(|| hold(&place.path(FILES[random.below(2) as usize].0)));
    let mut process = place.start(&["run", "--log-level", "debug"]);
    let since = Instant::now();
    match aim {
        // One in four right at the start.
        Aim::Anytime if random.below(4) == 0 => sleep(random.up_to(Duration::from_millis(60))),
        Aim::Anytime | Aim::Held => sleep(random.up_to(Duration::from_millis(1500))),
        Aim::Walk => {
            watch(&mut process, || api.requests_so_far() > requests + 1);
            sleep(random.up_to(Duration::from_millis(300)));
        }
        Aim::Write => {
            // Not always the first write.
            for _ in 0..1 + random.below(20) {
                let before = FILES.map(|(name, _)| length(&place.path(name)));
                watch(&mut process, || FILES.map(|(name, _)| length(&place.path(name))) != before);
            }
            sleep(random.up_to(Duration::from_millis(4)));
        }
        Aim::Save => {
            let file = place.path("data/checkpoints.db");
            for _ in 0..1 + random.below(10) {
                let before = changed(&file);
                watch(&mut process, || changed(&file) != before);
            }
            sleep(random.up_to(Duration::from_millis(4)));
        }
        Aim::Idle => {
            let mut last = (api.requests_so_far(), Instant::now());
            watch(&mut process, || {
                let now = api.requests_so_far();
                if now != last.0 {
                    last = (now, Instant::now());
                }
                last.1.elapsed() > Duration::from_millis(400)
            });
        }
    }
    let ended = process.ended();
    assert!(ended.is_none(), "the process ended by itself, {}:\n{}", ended.unwrap(), place.log());
    process.kill();
    drop(held);
    let mut torn = false;
    let lengths = FILES.map(|(name, _)| {
        let file = fs::read(place.path(name)).unwrap_or_default();
        let whole = file.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        torn |= whole < file.len();
        whole
    });
    Kill { aim, started, lived: since.elapsed(), lengths, torn }
}

/// Locks a file until it is dropped.
fn hold(path: &Path) -> File {
    let file = File::options().create(true).append(true).open(path).unwrap();
    file.try_lock().unwrap();
    file
}

/// Waits until `happened`, not for long, and not after the process has ended.
fn watch(process: &mut Running, mut happened: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_millis(1500);
    while !happened() && Instant::now() < until && process.ended().is_none() {
        sleep(Duration::from_micros(100));
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn changed(path: &PathBuf) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// How many bytes of lines came again because of each kill: a line that was written before the kill and not saved as delivered.
fn repeated_bytes(kills: &[Kill], files: &[Vec<Event>; 2]) -> Vec<usize> {
    let mut bytes = vec![0; kills.len()];
    for (file, events) in files.iter().enumerate() {
        let life = |event: &Event| kills.partition_point(|kill| kill.lengths[file] <= event.at);
        for (earlier, later) in delivered::repeated(events) {
            let (first, again) = (life(&events[earlier]), life(&events[later]));
            let line = String::from_utf8_lossy(&events[later].text);
            assert!(
                first < again,
                "{}: repeated although nothing was killed in between: {line}",
                FILES[file].0
            );
            bytes[first] += events[later].bytes;
        }
    }
    bytes
}

/// The most bytes of lines that one record became: a chunk ends behind the record that fills it.
fn largest_record(files: &[Vec<Event>; 2]) -> usize {
    let mut largest: BTreeMap<&[u8], usize> = BTreeMap::new();
    for events in files {
        let mut of_file: BTreeMap<(&[u8], &[u8]), usize> = BTreeMap::new();
        for event in events {
            of_file.insert((&event.text, &event.identity), event.bytes);
        }
        for ((text, _), bytes) in of_file {
            *largest.entry(text).or_default() += bytes;
        }
    }
    largest.into_values().max().unwrap_or(0)
}

/// Both files hold the same records, each with all of its events: the raw file, normalised in one go, gives the OCSF file.
fn in_one_file_only(place: &Workplace, files: &[Vec<Event>; 2]) -> Vec<String> {
    let normalized = place.run(&["normalize", "--source", "postman", "raw.ndjson"]).exits(0);
    let again = delivered::events(Schema::Ocsf, normalized.stdout.as_bytes());
    let uids = |events: &[Event]| -> BTreeSet<String> {
        events.iter().filter_map(|event| event.uid.clone()).collect()
    };
    uids(&again).symmetric_difference(&uids(&files[1])).cloned().collect()
}

fn invalid_lines(file: &[u8]) -> Vec<String> {
    let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let problem = |line| Some((testkit::schema::check_ocsf("1.8.0", line).err()?, line));
    let text = |(errors, line)| format!("{errors:?} in {}", String::from_utf8_lossy(line));
    lines.filter_map(problem).map(text).collect()
}

/// In which phases each kill fell.
fn phases(api: &Api, kills: &[Kill], repeated: &[usize]) -> Vec<Vec<Phase>> {
    let requests = api.requests();
    let life = |at: SystemTime| kills.partition_point(|kill| kill.started <= at);
    let pages: Vec<(usize, Page)> = requests
        .iter()
        .filter(|request| request.path == "/audit/logs")
        .map(|request| (life(request.at), Page::of(&request.query)))
        .collect();
    let asked: HashSet<usize> = requests.iter().map(|request| life(request.at)).collect();
    let phases_of = |number: usize| {
        let mut phases = Vec::new();
        // Lives count from 1: before the first start there is none.
        let this = number + 1;
        if !asked.contains(&this) {
            phases.push(Phase::BeforeFirstRequest);
        }
        let under_way: BTreeSet<&Page> =
            pages.iter().filter(|(life, page)| *life == this && page.paged).map(|(_, page)| page).collect();
        let goes_on = |page: &&Page| {
            let next = pages.iter().find(|(life, later)| *life > this && later.filters == page.filters);
            next.is_some_and(|(_, later)| later.paged || later.closed)
        };
        if under_way.iter().any(goes_on) {
            phases.push(Phase::MidWalk);
        }
        if kills[number].torn {
            phases.push(Phase::MidWrite);
        }
        if repeated[number] > 0 {
            phases.push(Phase::BetweenWriteAndSave);
        }
        if phases.is_empty() {
            phases.push(Phase::Other);
        }
        phases
    };
    (0..kills.len()).map(phases_of).collect()
}

/// A request for a page, as far as it tells about its walk.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Page {
    /// What stays the same from page to page of a walk.
    filters: String,
    /// Not the first page.
    paged: bool,
    /// A window of history: once it is closed, nobody asks for it again.
    closed: bool,
}

impl Page {
    fn of(query: &str) -> Self {
        let is = |pair: &&str, name: &str| pair.split_once('=').is_some_and(|(found, _)| found == name);
        let filters: Vec<&str> =
            query.split('&').filter(|pair| !is(pair, "cursor") && !is(pair, "limit")).collect();
        Self {
            paged: query.split('&').any(|pair| is(&pair, "cursor")),
            closed: filters.iter().any(|pair| is(pair, "until")),
            filters: filters.join("&"),
        }
    }
}

fn count(phases: &[Vec<Phase>]) -> BTreeMap<Phase, usize> {
    let mut counts = BTreeMap::new();
    for phase in phases.iter().flatten() {
        *counts.entry(*phase).or_default() += 1;
    }
    counts
}

fn report(kills: &[Kill], phases: &[Vec<Phase>], repeated: &[usize]) -> String {
    let line = |(number, kill): (usize, &Kill)| {
        format!(
            "kill {:2}  aimed {:8}  after {:>8.1?}  {:>6} bytes repeated  {:?}\n",
            number + 1,
            format!("{:?}", kill.aim),
            kill.lived,
            repeated[number],
            phases[number],
        )
    };
    kills.iter().enumerate().map(line).collect()
}

/// Said whether or not the test fails.
fn summary(text: &str) {
    // `eprintln` alone is kept back by the test harness.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{text}").unwrap();
}
