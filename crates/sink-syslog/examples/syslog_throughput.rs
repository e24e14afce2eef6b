//! What the sink alone costs: writes of 1000 events of 1.7 kB over TCP to a thread that reads and throws away, as the runtime
//! makes them, two at once.
//!
//! ```sh
//! cargo run --release -p sink-syslog --example syslog_throughput
//! ```

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "printing the figures is what this program is for"
)]

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::{
    EventDraft, EventOutcome, EventWriter, Origin, Outcome, Schema, Sink, Timestamp, View, Write,
};
use rustix::time::{ClockId, clock_gettime};
use sink_syslog::{SyslogConfig, SyslogSink};

const WRITES: usize = 400;
const EVENTS: u32 = 1000;

fn write() -> Write {
    let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
    let mut writer = EventWriter::default();
    for number in 0..EVENTS {
        let text = format!(r#"{{"n":{number},"message":"m","padding":"{}"}}"#, "\\\"x = y\\\" ".repeat(170));
        writer.line().extend_from_slice(text.as_bytes());
        writer.commit(&EventDraft {
            id: u128::from(number),
            time: Timestamp::from_millis(1_795_165_523_120),
            class: 3002,
            severity: 1,
            outcome: EventOutcome::Success,
            action: "user.login",
            actor: "12345",
            tenant: "1",
        });
    }
    let mut write = Write::default();
    write.push(Arc::new(writer.finish(Arc::new(origin), Arc::new(view))), 0..EVENTS as usize);
    write
}

/// CPU time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut space = vec![0; 256 << 10];
                while stream.read(&mut space).is_ok_and(|length| length > 0) {}
            });
        }
    });
    for body in ["json", "cef"] {
        let config = format!(r#"{{"address": "tcp://{address}", "body": "{body}"}}"#);
        let config: SyslogConfig = serde_json::from_str(&config).unwrap();
        let sink = SyslogSink::new(config.validate().unwrap());
        let write = write();
        let (began, before) = (Instant::now(), cpu());
        let half = || async {
            for _ in 0..WRITES / 2 {
                assert_eq!(sink.write(&write).await.unwrap(), Outcome::default());
            }
        };
        tokio::join!(half(), half());
        let events = WRITES as f64 * f64::from(EVENTS);
        println!(
            "{body}: {:.0} events/s, {:.2} µs of CPU an event, the reader's included",
            events / began.elapsed().as_secs_f64(),
            (cpu() - before).as_secs_f64() * 1e6 / events
        );
    }
}
