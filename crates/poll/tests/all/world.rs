//! Source and runtime around a collector: fetches, remembers, delivers late and in order, crashes, pauses, and has a
//! clock of its own. Reports everything to the [`Oracle`].

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use pipeline::{Position, Progress, RecordId, Seen, Timestamp};
use poll::position::Kind;
use poll::{Collector, Failure, Identity, Onward, Page, Policy, Request, Start, Step};

use crate::api::{Api, Fault, MINUTE, SECOND, millis};
use crate::oracle::Oracle;

/// Something that happens at a moment.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// The process dies and is started again after so long.
    Crash(i64),
    /// The process drains, ends, and is started again after so long.
    Stop(i64),
    /// The machine sleeps.
    Sleep(i64),
    /// Something is wrong with the API for so long.
    Fault(Fault, i64),
    /// Our clock jumps.
    Jump(i64),
    /// The API makes pages of this size.
    PageSize(usize),
}

#[derive(Clone, Debug)]
struct Chunk {
    ids: Vec<RecordId>,
    progress: Progress,
    safe_at: i64,
}

pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) oracle: Oracle,
    policy: Policy,
    start: Start,
    /// By the API's clock.
    pub(crate) now: i64,
    /// Our clock less the API's.
    offset: i64,
    /// Fault and its end.
    faults: Vec<(Fault, i64)>,
    collector: Collector,
    saved: Progress,
    delivered: BTreeMap<(i64, u64), Vec<u64>>,
    pending: VecDeque<Chunk>,
    backoff: i64,
    random: u64,
    pub(crate) requests: u64,
    /// Requests without a cursor since the moment.
    fresh_requests: (i64, HashMap<(Kind, Option<Timestamp>), u32>),
    /// Each process lives for so many requests only. What it has found out by then is saved, by a page or by a refusal.
    pub(crate) lives_for: Option<u64>,
    trace: Option<Vec<String>>,
}

pub(crate) fn identity() -> Identity {
    Identity { source: "hostile".into(), host: "api.example".into() }
}

/// All of a position but whose turn it is, which every start changes.
fn held(position: &Position) -> serde_json::Value {
    let mut json: serde_json::Value = serde_json::from_str(position.as_str()).unwrap();
    json.as_object_mut().unwrap().remove("first");
    json
}

impl World {
    pub(crate) fn new(
        api: Api,
        policy: Policy,
        start: Start,
        now: i64,
        offset: i64,
        seed: u64,
        oracle: Oracle,
    ) -> Self {
        let ours = Timestamp::from_millis(now + offset);
        let collector = Collector::open(policy.clone(), identity(), start, None, ours).unwrap();
        // The first position is saved before the first request.
        let saved = collector.progress();
        Self {
            api,
            oracle,
            policy,
            start,
            now,
            offset,
            faults: Vec::new(),
            collector,
            saved,
            delivered: BTreeMap::new(),
            pending: VecDeque::new(),
            backoff: 0,
            random: seed | 1,
            requests: 0,
            fresh_requests: (now, HashMap::new()),
            lives_for: None,
            trace: std::env::var_os("TRACE").map(|_| Vec::new()),
        }
    }

    fn ours(&self) -> Timestamp {
        Timestamp::from_millis(self.now.saturating_add(self.offset))
    }

    fn random(&mut self, below: i64) -> i64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 1) as i64 % below.max(1)
    }

    /// Runs up to `until`, then lets `happening` happen.
    pub(crate) fn run(&mut self, until: i64) {
        while self.now < until {
            self.turn(until);
        }
    }

    pub(crate) fn happens(&mut self, happening: &Happening) {
        self.log(|_| format!("happens {happening:?}"));
        match *happening {
            Happening::Crash(pause) => {
                self.settle(false);
                self.oracle.crashed(self.pending.drain(..).flat_map(|chunk| chunk.ids));
                self.restart(pause);
            }
            Happening::Stop(pause) => {
                self.settle(true);
                self.restart(pause);
            }
            Happening::Sleep(pause) => {
                self.now += pause;
                self.oracle.interrupted(self.now);
            }
            Happening::Fault(fault, length) => {
                self.faults.push((fault, self.now + length));
                if !matches!(fault, Fault::HistoryFails(_) | Fault::NoDate) {
                    self.oracle.interrupted(self.now + length);
                }
            }
            Happening::Jump(by) => {
                self.offset = self.offset.saturating_add(by);
                self.oracle.interrupted(self.now);
            }
            Happening::PageSize(size) => self.api.habits.page_size = size,
        }
    }

    fn restart(&mut self, pause: i64) {
        self.now += pause;
        self.backoff = 0;
        self.fresh_requests = (self.now, HashMap::new());
        let position = Position::from_json(self.saved.position.as_str()).unwrap();
        self.collector =
            Collector::open(self.policy.clone(), identity(), self.start, Some(&position), self.ours())
                .expect("a position that the machine has made is taken up");
        let again = self.collector.progress();
        assert_eq!(held(&again.position), held(&position), "a position says all that it holds");
        self.oracle.opened(self.now);
    }

    /// Saves what became safe by now, in order; everything, if `all`.
    fn settle(&mut self, all: bool) {
        while self.pending.front().is_some_and(|chunk| all || chunk.safe_at <= self.now) {
            let chunk = self.pending.pop_front().unwrap();
            for id in &chunk.ids {
                self.delivered.entry((id.second, id.native)).or_default().push(id.content);
            }
            self.saved = chunk.progress;
            let prune_before = self.saved.prune_before;
            while self.delivered.first_key_value().is_some_and(|((second, _), _)| *second < prune_before) {
                self.delivered.pop_first();
            }
            self.oracle.saved(&chunk.ids, &self.saved.position, self.now);
        }
    }

    fn seen(&self, id: &RecordId) -> Seen {
        let pending = self.pending.iter().flat_map(|chunk| &chunk.ids);
        let pending = pending.filter(|other| (other.second, other.native) == (id.second, id.native));
        let stored = self.delivered.get(&(id.second, id.native)).into_iter().flatten().copied();
        let contents: Vec<u64> = stored.chain(pending.map(|other| other.content)).collect();
        match contents.contains(&id.content) {
            true => Seen::Known,
            false if contents.is_empty() => Seen::New,
            false => Seen::NewVersion,
        }
    }

    fn turn(&mut self, until: i64) {
        self.settle(false);
        self.faults.retain(|(_, end)| *end > self.now);
        match self.collector.step(self.ours()) {
            Step::Wait(wait) => {
                let length = millis(wait.duration);
                assert!(length > 0, "waits for nothing");
                assert!(wait.duration <= self.policy.poll_interval, "waits longer than a poll: {wait:?}");
                self.log(|_| format!("waits {length} ms, caught up {}", wait.caught_up));
                let position = self.collector.progress().position;
                if wait.caught_up {
                    self.oracle.caught_up(&position);
                }
                // The runtime sleeps; whatever is planned happens meanwhile.
                self.now = (self.now + length).min(until.max(self.now + 1));
            }
            Step::Fetch(request) => {
                let again = self.collector.step(self.ours());
                assert_eq!(again, Step::Fetch(request.clone()), "asked again, it says the same");
                self.fetch(&request);
            }
        }
    }

    fn fetch(&mut self, request: &Request) {
        self.requests += 1;
        let faults: Vec<Fault> = self.faults.iter().map(|(fault, _)| *fault).collect();
        let asked_at = self.now;
        let before = self.collector.progress().position;
        let slow =
            faults.iter().any(|fault| matches!(fault, Fault::Endless | Fault::Circle | Fault::SameCursor));
        self.now += if slow { 5 * SECOND } else { 20 + self.random(500) };
        match self.api.fetch(request, asked_at, &faults) {
            Err((failure, date)) => {
                self.log(|_| format!("{request:?} fails: {failure:?}"));
                self.collector.failed(failure, date, self.ours());
                self.backoff = match failure {
                    Failure::BeforeRetention => 100,
                    Failure::TimedOut => 30 * SECOND,
                    _ => (self.backoff * 2).clamp(SECOND, MINUTE),
                };
                let progress = self.collector.progress();
                if progress.position != before {
                    // What a failure has changed is saved like what a page has, behind all that was given out before.
                    let safe_at = self.pending.back().map_or(self.now, |chunk| chunk.safe_at);
                    self.pending.push_back(Chunk { ids: Vec::new(), progress, safe_at });
                }
                self.now += self.backoff;
            }
            Ok(answer) => {
                self.count_windows(request);
                self.backoff = 0;
                let ids: Vec<RecordId> = answer.records.iter().map(|(id, _)| *id).collect();
                let seen: Vec<Seen> = ids.iter().map(|id| self.seen(id)).collect();
                let next = match &answer.next {
                    Some(next) if answer.later => Onward::Later(next),
                    next => next.as_ref().into(),
                };
                let page = Page { records: &answer.records, next, server_time: answer.date };
                let taken = self.collector.page(&page, &seen, self.ours());
                let new: Vec<RecordId> = taken.deliver.iter().map(|index| ids[*index as usize]).collect();
                self.log(|_| {
                    let known = ids.len() - new.len();
                    let next = answer.next.is_some();
                    format!(
                        "{request:?}: {} new, {known} known, more {next}, gaps {:?}",
                        new.len(),
                        taken.gaps
                    )
                });
                assert_eq!(taken.duplicates + new.len(), ids.len());
                let progress = self.collector.progress();
                self.oracle.page(&new, &taken.gaps, (&before, &progress.position), &self.api, self.now);
                // Some take long, and then all behind them do.
                let lag = match self.random(8) {
                    0 => self.random(10 * MINUTE),
                    1..=3 => self.random(5 * SECOND),
                    _ => 0,
                };
                let behind = self.pending.back().map_or(0, |chunk| chunk.safe_at);
                let safe_at = behind.max(self.now + lag);
                self.pending.push_back(Chunk { ids: new, progress, safe_at });
            }
        }
        // Whatever happened, the position can be resumed from.
        let now = self.collector.progress().position;
        if now != before {
            Collector::open(self.policy.clone(), identity(), self.start, Some(&now), self.ours())
                .unwrap_or_else(|error| panic!("{error}: {now}"));
        }
        self.log(|world| format!("  at {}: {now}", world.now));
        if self.lives_for.is_some_and(|requests| self.requests.is_multiple_of(requests)) {
            let pause = SECOND + self.random(MINUTE);
            self.happens(&Happening::Stop(pause));
        }
    }

    /// A window is not started over and over: that would be a spin.
    fn count_windows(&mut self, request: &Request) {
        let interval = millis(self.policy.poll_interval).max(MINUTE);
        if self.now - self.fresh_requests.0 >= interval {
            self.fresh_requests = (self.now, HashMap::new());
        }
        if request.cursor.is_none() {
            let count = self.fresh_requests.1.entry((request.kind, request.since)).or_default();
            *count += 1;
            assert!(*count < 15, "spins: {request:?}");
        }
    }

    fn log(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{} {}", Timestamp::from_millis(self.now), line(self));
            if let Some(trace) = &mut self.trace {
                trace.push(line);
            }
        }
    }

    /// Runs without faults until all is collected, and checks that it is.
    pub(crate) fn finish(&mut self) {
        self.faults.clear();
        let every = millis(self.policy.resweep_every);
        let poll = millis(self.policy.poll_interval);
        let calm = self.now;
        self.oracle.interrupted(calm);
        let end = calm + every + 10 * poll + 20 * MINUTE + self.oracle.dead_time;
        let before = self.requests;
        self.run(end);
        // It may be in the middle of something, but not for long.
        let patience = self.now + 2 * every + self.oracle.dead_time;
        while !self.oracle.is_closed(&self.collector.progress().position) && self.now < patience {
            self.turn(patience);
        }
        self.settle(true);
        // A filter that is cut to its day shows the day again at each poll.
        let most = 4000 + (40 + 12 * self.api.pages_for_all()) * (end - calm) / poll;
        // Each process looks at the present before all else.
        let in_peace = self.lives_for.is_some() || self.requests - before < most as u64;
        assert!(in_peace, "{} requests in peace", self.requests - before);
        let last = self.saved.position.clone();
        self.oracle.finished(&last, calm, self.now);
    }

    pub(crate) fn duration(millis: i64) -> Duration {
        Duration::from_millis(millis.unsigned_abs())
    }
}

impl Drop for World {
    /// `TRACE=file` keeps what happened in the last failing run.
    fn drop(&mut self) {
        if let (true, Some(trace), Some(file)) =
            (std::thread::panicking(), &self.trace, std::env::var_os("TRACE"))
        {
            std::fs::write(file, trace.join("\n")).expect("the trace can be written");
        }
    }
}
