//! Delivery over the network to a destination that does, one after the other, everything that destinations do.
//!
//! Meanwhile the process is killed and stopped at random, but never to heal it: every trouble ends while the process that
//! met it runs. What was delivered is compared with what the simulator has shown; probes, status and metrics are asked all the
//! time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::{Faults, Postman};

use crate::admin::{free_address, get};
use crate::api::Api;
use crate::chance::Random;
use crate::delivered::{self, Schema};
use crate::process::{Running, wait_until, wait_within};
use crate::receiver::{Mood, Receiver, TOKEN};
use crate::truth::Truth;
use crate::workplace::{Config, Workplace};

/// `/status` tells the truth within this.
const TRUTH_WITHIN: Duration = Duration::from_secs(10);

/// What `/readyz` allows before it says no, and a little for the test.
const NOT_READY_AFTER: Duration = Duration::from_secs(60);
const SLACK: Duration = Duration::from_secs(10);

/// How long the destination stays away.
const AWAY: Duration = Duration::from_secs(120);

#[test]
fn a_destination_that_does_everything_wrong_in_turn_loses_nothing_and_heals_without_a_restart() {
    let seed = Random::seed();
    let mut random = Random::new(seed);
    let api = Api::start(Postman::builder().seed(seed).events(2000).rate(40.0).faults(Faults::none()));
    let receiver = Receiver::start();
    let poison = api.all_ids().into_iter().nth(700).unwrap();
    receiver.set_poison(format!("\"id\":{poison},"));

    let admin = free_address();
    let place = Workplace::new();
    let mut config = Config::new(&api).with("limits: { in_flight: 8MiB }").sink("raw");
    config.general = config.general.replace("listen: off", &format!("listen: \"{admin}\""));
    config.sinks += &format!(
        "receiver: {{ type: http, url: {}, auth: {{ bearer: {TOKEN} }}, schema: raw, timeout: 1s, batch: {{ max_age: 100ms }} }}\n",
        receiver.url()
    );
    place.configure(&config);

    let watcher = Watcher::start(admin);
    let mut run = Run {
        place: &place,
        admin,
        process: None,
        started: Instant::now(),
        random: &mut random,
        ends: Vec::new(),
    };
    run.start();
    wait_until("the history is delivered but for the poison", || {
        letters(&place).len() == 1 && lines(&receiver.taken()) > 1900
    });

    for mood in [
        Mood::Stall,
        Mood::Reset,
        Mood::Throttle,
        Mood::Fail,
        Mood::Small,
        Mood::Unauthorized,
        Mood::RefuseAll,
    ] {
        receiver.set_mood(mood);
        run.disturb();
        let expected = match mood {
            Mood::Small => "delivering",
            Mood::Unauthorized | Mood::RefuseAll => "paused",
            _ => "retrying",
        };
        run.shows(mood, expected);
        if mood == Mood::RefuseAll {
            assert_eq!(run.sink()["paused_for"], "refuses_everything");
        }
        sleep(Duration::from_secs(3));
        run.disturb();
        run.shows(mood, expected);
        assert_eq!(run.get("/readyz").0, 200, "{mood:?} has not lasted a minute");
        assert_eq!(run.get("/livez").0, 200);
        heal(&mut run, &receiver);
    }

    // Away for two minutes: `/readyz` says so after one, and not before.
    let away = Instant::now();
    receiver.set_mood(Mood::Gone);
    run.disturb();
    run.shows(Mood::Gone, "retrying");
    let failing = Instant::now();
    sleep(NOT_READY_AFTER / 2);
    assert_eq!(run.get("/readyz").0, 200, "half a minute is no reason yet");
    wait_within(NOT_READY_AFTER / 2 + SLACK, "not ready after a minute", || run.get("/readyz").0 == 503);
    assert!(failing.elapsed() > NOT_READY_AFTER - SLACK);
    let (_, reasons) = run.get("/readyz");
    assert!(reasons.contains("\"receiver\"") && !reasons.contains("\"raw\""), "{reasons}");
    sleep(AWAY.saturating_sub(away.elapsed()));
    heal(&mut run, &receiver);
    wait_within(TRUTH_WITHIN, "ready again", || run.get("/readyz").0 == 200);

    api.set_rate(0.0);
    let all = api.all_ids();
    wait_until("everything is delivered", || {
        let ids: BTreeSet<String> = delivered::events(Schema::Raw, &receiver.taken())
            .into_iter()
            .filter_map(|event| event.id)
            .collect();
        all.difference(&ids).count() == 1
    });
    run.stop();
    let ends = std::mem::take(&mut run.ends);
    let wrong = watcher.end();

    assert_eq!(receiver.wrong(), [""; 0]);
    assert_eq!(wrong, [""; 0], "ledgers that did not balance");
    let truth = Truth::of(&api);
    let verdict = truth.judge(Schema::Raw, &delivered::events(Schema::Raw, &receiver.taken()));
    assert_eq!(
        (verdict.lost, verdict.wrong),
        (vec![poison.clone()], vec![]),
        "but for the poison nothing is missing"
    );
    let verdict = truth.judge(Schema::Raw, &place.events("raw.ndjson", Schema::Raw));
    assert_eq!((verdict.lost, verdict.wrong), (vec![], vec![]), "the sink beside it has everything");
    let letters = letters(&place);
    let events: BTreeSet<&str> = letters.iter().map(|letter| letter["event_id"].as_str().unwrap()).collect();
    assert_eq!(events.len(), 1, "the poison alone: {letters:?}");
    assert!(letters.iter().all(|letter| letter["sink"] == "receiver"), "{letters:?}");
    let shown = place.run(&["dead-letters", "show", letters[0]["id"].as_str().unwrap()]).exits(0);
    assert!(shown.stdout.contains(&poison), "{shown}");
    eprintln!("ends of the process: {ends:?}; {} requests; seed {seed}", receiver.requests());
}

/// The destination works again: events come, and the status says so, without a restart.
fn heal(run: &mut Run<'_>, receiver: &Receiver) {
    let before = receiver.bytes();
    receiver.set_mood(Mood::Take);
    run.started = Instant::now();
    run.shows(Mood::Take, "delivering");
    wait_within(TRUTH_WITHIN, "events come again", || receiver.bytes() > before);
    let sink = run.sink();
    assert_eq!((&sink["last_error"], &sink["failing_since"]), (&Value::Null, &Value::Null));
}

struct Run<'a> {
    place: &'a Workplace,
    admin: SocketAddr,
    process: Option<Running>,
    /// Since when the status may be expected to tell the truth.
    started: Instant,
    random: &'a mut Random,
    ends: Vec<&'static str>,
}

impl Run<'_> {
    fn start(&mut self) {
        self.process = Some(self.place.start(&["run", "--log-level", "debug"]));
        self.started = Instant::now();
    }

    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.terminate();
        assert!(process.wait().success());
        self.ends.push("drained");
    }

    /// Perhaps ends the process after a while, in one way or another, and starts it again.
    fn disturb(&mut self) {
        sleep(self.random.up_to(Duration::from_secs(2)));
        self.started = Instant::now();
        match self.random.below(3) {
            0 => {
                self.process.take().unwrap().kill();
                self.ends.push("killed");
                self.start();
            }
            1 => {
                // Its time-out for a drain is longer than the test wants to wait: a second signal ends it at once.
                let mut process = self.process.take().unwrap();
                process.terminate();
                sleep(Duration::from_millis(500));
                if process.ended().is_none() {
                    process.terminate();
                }
                process.wait();
                self.ends.push("stopped");
                self.start();
            }
            _ => self.ends.push("left alone"),
        }
    }

    /// The status of the sink becomes `state` in time.
    #[track_caller]
    fn shows(&mut self, mood: Mood, state: &str) {
        let mut last = Value::Null;
        while self.started.elapsed() < TRUTH_WITHIN {
            last = self.sink();
            if last["state"] == state {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!(
            "{mood:?} does not show as {state} within {TRUTH_WITHIN:?}: {last}\n{}",
            tail(&self.place.log())
        );
    }

    fn sink(&self) -> Value {
        let (_, text) = self.get("/status");
        let status: Value = serde_json::from_str(&text).unwrap_or_default();
        status["sinks"]["receiver"].clone()
    }

    fn get(&self, path: &str) -> (u16, String) {
        get(self.admin, path).unwrap_or_default()
    }
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// The dead letters, as a script sees them, also while the process runs.
fn letters(place: &Workplace) -> Vec<Value> {
    let listed = place.run(&["dead-letters", "list", "--json"]);
    listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Asks for the metrics all the time and checks each ledger.
struct Watcher {
    ended: Arc<AtomicBool>,
    wrong: Arc<Mutex<Vec<String>>>,
    scrapes: Arc<Mutex<u32>>,
}

impl Watcher {
    fn start(admin: SocketAddr) -> Self {
        let watcher = Self { ended: Arc::default(), wrong: Arc::default(), scrapes: Arc::default() };
        let (ended, wrong, scrapes) = (watcher.ended.clone(), watcher.wrong.clone(), watcher.scrapes.clone());
        spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                if let Some((200, text)) = get(admin, "/metrics") {
                    *scrapes.lock().unwrap() += 1;
                    wrong.lock().unwrap().extend(unbalanced(&text));
                }
                sleep(Duration::from_millis(100));
            }
        });
        watcher
    }

    fn end(self) -> Vec<String> {
        self.ended.store(true, Ordering::SeqCst);
        assert!(*self.scrapes.lock().unwrap() > 100, "the metrics were read all the time");
        self.wrong.lock().unwrap().clone()
    }
}

/// The ledgers in a scrape that do not balance.
fn unbalanced(metrics: &str) -> Vec<String> {
    let value = |name: &str, sink: &str| -> i64 {
        let label = format!("sink=\"{sink}\"");
        let lines =
            metrics.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(&label));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as i64).sum()
    };
    let ledger = |sink: &&str| {
        let [received, delivered, dead, filtered, abandoned, in_flight] = [
            "received_events_total",
            "delivered_events_total",
            "dead_lettered_events_total",
            "filtered_events_total",
            "abandoned_events_total",
            "in_flight_events",
        ]
        .map(|name| value(&format!("towpath_sink_{name}"), sink));
        let text =
            format!("{sink}: {received} = {delivered} + {dead} + {filtered} + {abandoned} + {in_flight}");
        (received != delivered + dead + filtered + abandoned + in_flight || in_flight < 0).then_some(text)
    };
    ["raw", "receiver"].iter().filter_map(ledger).collect()
}

#[test]
fn the_check_of_the_ledger_can_fail() {
    let scrape = "towpath_sink_received_events_total{sink=\"raw\"} 5\ntowpath_sink_delivered_events_total{sink=\"raw\"} 4\n";
    assert_eq!(unbalanced(scrape), ["raw: 5 = 4 + 0 + 0 + 0 + 0"]);
}
