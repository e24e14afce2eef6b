//! How long the identity of one record takes: `cargo bench -p poll --bench identity`.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use pipeline::Timestamp;
use poll::identity::{Members, record_id};

/// An audit-log record of common size, as vendors send it.
const COMPACT: &str = r#"{"id":50000001,"ip":"192.0.2.44","userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0","action":"user.login_password_success","timestamp":"2026-11-20T18:31:32.000Z","message":"Taylor Lee signed in with a password.","data":{"actor":{"name":"Taylor Lee","username":"taylor-lee","email":"taylor.lee@example.com","id":12345678,"active":true},"user":{"name":"Taylor Lee","username":"taylor-lee","email":"taylor.lee@example.com","id":12345678},"team":{"name":"Test-Team","id":1234},"variables":{"users":"[{\"id\":12345678,\"n\":\"Taylor Lee\"}]","via":"passwd"}}}"#;

fn main() -> io::Result<()> {
    let volatile = Members::volatile(&["data.actor.active"]);
    let time = Some(Timestamp::from_millis(1_795_165_523_120));
    let value: serde_json::Value = serde_json::from_str(COMPACT)?;
    let indented = serde_json::to_string_pretty(&value)?;
    let plain = COMPACT.replace("\\\"", "''");
    let mut out = io::stdout().lock();
    for (name, text) in [("with escapes", COMPACT), ("compact", &plain), ("indented", &indented)] {
        let best = best_time(|| record_id(black_box(text.as_bytes()), Some("50000001"), time, &volatile));
        let rate = text.len() as f64 / best.as_secs_f64() / 1e6;
        writeln!(
            out,
            "{name:12} {:4} bytes: {:5.0} ns, {rate:5.0} MB/s",
            text.len(),
            best.as_secs_f64() * 1e9
        )?;
    }
    Ok(())
}

/// Time of one call in the best of many rounds: the others were disturbed.
fn best_time<T>(mut call: impl FnMut() -> T) -> Duration {
    const CALLS: u32 = 1000;
    let round = |_| {
        let start = Instant::now();
        for _ in 0..CALLS {
            black_box(call());
        }
        start.elapsed()
    };
    (0..500).map(round).min().unwrap_or_default() / CALLS
}
