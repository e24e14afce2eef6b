//! The simulated API, on threads of its own.

use std::ops::Deref;
use std::time::Duration;

use simulator::{Faults, Late, Outage, Postman};
use tokio::runtime::Runtime;

/// A running simulator; ends when dropped.
pub(crate) struct Api {
    postman: Postman,
    // Dropped after what runs on it.
    _runtime: Runtime,
}

impl Api {
    /// Serves what `builder` describes on 127.0.0.1.
    pub(crate) fn start(builder: simulator::Builder) -> Self {
        Self::start_at([127, 0, 0, 1], builder)
    }

    /// The same at another loopback address.
    pub(crate) fn start_at(address: [u8; 4], builder: simulator::Builder) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let postman = runtime.block_on(builder.start((address, 0).into())).unwrap();
        Self { postman, _runtime: runtime }
    }

    /// Requests answered or left without an answer so far.
    pub(crate) fn requests_so_far(&self) -> u64 {
        self.stats().statuses.values().sum()
    }
}

impl Deref for Api {
    type Target = Postman;

    fn deref(&self) -> &Postman {
        &self.postman
    }
}

/// Everything that goes wrong at once, at the pace of a test of a minute: silences and outages last as long as they must to
/// be felt by a client with a time-out of one second, and late records appear while the test still runs.
pub(crate) fn worst() -> Faults {
    let second = Duration::from_secs(1);
    let mut faults = Faults::hostile();
    for (answer, _) in &mut faults.answers {
        match answer {
            simulator::Answer::Stalled(time) | simulator::Answer::Hang(time) => *time = second * 3 / 2,
            _ => {}
        }
    }
    let outage = |every: u32, answer| Outage { every: second * every, lasts: second * 2 / 3, answer };
    Faults {
        outages: vec![
            outage(17, simulator::Answer::Status(401)),
            outage(13, simulator::Answer::Reset),
            outage(23, simulator::Answer::Status(503)),
        ],
        late: Late { share: 0.05, least: second, most: 20 * second },
        rate_limit: None,
        ..faults
    }
}

/// The same API once it behaves: how records and cursors are made stays, nothing goes wrong any more.
pub(crate) fn calmed(faults: Faults) -> Faults {
    Faults {
        answers: Vec::new(),
        outages: Vec::new(),
        bursts: 0.0,
        edits: 0.0,
        latency: Duration::ZERO,
        ..faults
    }
}
