//! Splunk, as far as the strict receiver of `sink-splunk-hec`'s tests is one: there is no real one to start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;
use testkit::http::Reply;
use tokio::runtime::Runtime;

use super::receiver::{Fate, Setup, Splunk, code};
use super::{Again, Damage, Death, Destination, Weather, weather_the_storm};

struct Collector {
    splunk: Splunk,
    refused: Arc<AtomicU64>,
    answers_lost: Arc<AtomicU64>,
    // Dropped after what runs on it.
    _runtime: Runtime,
}

/// For so long before its death the collector takes events that it will not have indexed.
const UNINDEXED: Duration = Duration::from_millis(300);

impl Collector {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let setup = Setup { indexers: 2, ..Setup::default() };
        let splunk = runtime.block_on(Splunk::start(setup));
        Self { splunk, refused: Arc::default(), answers_lost: Arc::default(), _runtime: runtime }
    }

    /// Code 9 of the collector's own list.
    fn busy(&self) {
        let refused = self.refused.clone();
        self.splunk.rule(Some(Box::new(move |_| {
            let number = refused.fetch_add(1, Ordering::SeqCst);
            let headers = match number % 4 {
                0 => vec![("retry-after", "1".to_owned())],
                _ => vec![],
            };
            let (status, body) = code(503, 9, "Server is busy");
            Fate::Refuse(status, headers, body)
        })));
    }

    /// Answers are lost, and so are events that were taken: nobody acknowledges those.
    fn lossy(&self) {
        let answers_lost = self.answers_lost.clone();
        let mut number = 0;
        self.splunk.rule(Some(Box::new(move |_| {
            number += 1;
            match number % 6 {
                0 | 3 => {
                    answers_lost.fetch_add(1, Ordering::SeqCst);
                    Fate::TakeAndClose
                }
                1 => Fate::TakeAndLose,
                _ => Fate::Take,
            }
        })));
        let answer = |status, text: &str| Reply::Answer(status, vec![], text.to_owned());
        let busy = code(503, 9, "Server is busy").1;
        self.splunk.answer_acks((0..5).flat_map(|_| {
            [
                answer(503, &busy),
                Reply::Close,
                answer(200, "{\"acks\":{"),
                answer(500, "<html>Internal Server Error</html>"),
                answer(200, &json!({"acks": {}}).to_string()),
            ]
        }));
    }
}

impl Destination for Collector {
    fn sink(&self) -> String {
        format!(
            "type: splunk_hec\nurl: \"{}\"\ntoken: {}\nack_timeout: 3s\ntimeout: 5s\ncompression: none\n\
             batch: {{ max_events: 200 }}\n",
            self.splunk.url(),
            Setup::default().token
        )
    }

    fn weather(&self, weather: Weather) {
        match weather {
            Weather::Clear => self.splunk.rule(None),
            Weather::Busy => self.busy(),
            Weather::Lossy => self.lossy(),
        }
    }

    fn kill(&self) {
        // What was taken last is in memory only.
        self.splunk.rule(Some(Box::new(|_| Fate::TakeAndLose)));
        sleep(UNINDEXED);
        self.splunk.server.away(true);
        // The channels of this indexer die with it.
        self.splunk.take_away(0);
    }

    fn start(&self) {
        self.lossy();
        self.splunk.server.away(false);
    }

    fn damage(&self) -> Damage {
        Damage {
            refused: self.refused.load(Ordering::SeqCst),
            answers_lost: self.answers_lost.load(Ordering::SeqCst),
        }
    }

    fn stored(&self) -> Vec<u8> {
        self.splunk.events().into_iter().flat_map(|event| (event + "\n").into_bytes()).collect()
    }
}

#[test]
fn splunk_that_is_busy_loses_answers_and_dies_gets_everything() {
    let collector = Collector::start();
    weather_the_storm("splunk", &collector, Death::InTheStorm, Again::Possible);
    assert_eq!(collector.splunk.violations(), [""; 0]);
}
