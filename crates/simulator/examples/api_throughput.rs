//! How fast the simulator serves: `cargo run --release -p simulator --example api_throughput`. Client and server share the
//! machine, as collector and simulator do in the benchmarks; the client only reads and looks for the cursor.
#![allow(clippy::print_stdout, reason = "a program that prints its result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use simulator::Postman;

const RECORDS: usize = 1_000_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> std::io::Result<()> {
    let api = Postman::builder().events(RECORDS).record_bytes(588).start(([127, 0, 0, 1], 0).into()).await?;
    let (address, key) = (api.address(), api.key().to_owned());
    let before = server_seconds();
    let started = Instant::now();
    let (pages, bytes) = tokio::task::spawn_blocking(move || walk(TcpStream::connect(address)?, &key))
        .await
        .map_err(std::io::Error::other)??;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = server_seconds() - before;
    println!(
        "{pages} pages, {RECORDS} records, {:.0} MB in {seconds:.2} s: {:.0} records/s, {:.0} records per CPU second of the server",
        bytes as f64 / 1e6,
        RECORDS as f64 / seconds,
        RECORDS as f64 / cpu,
    );
    Ok(())
}

fn walk(mut stream: TcpStream, key: &str) -> std::io::Result<(usize, usize)> {
    let (mut pages, mut bytes, mut cursor) = (0, 0, String::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let request =
            format!("GET /audit/logs?limit=300{cursor} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let (mut filled, mut end) = (0, usize::MAX);
        while filled < end {
            filled += stream.read(&mut buffer[filled..])?;
            if end == usize::MAX
                && let Some(head) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n")
            {
                let text = String::from_utf8_lossy(&buffer[..head]).to_lowercase();
                let length =
                    text.lines().find_map(|line| line.strip_prefix("content-length: ")).map(str::parse);
                end = head + 4 + length.and_then(Result::ok).unwrap_or(0);
            }
        }
        (pages, bytes) = (pages + 1, bytes + end);
        let tail = String::from_utf8_lossy(&buffer[end - 40..end]).into_owned();
        match tail.split("\"nextCursor\":").nth(1) {
            Some(next) => cursor = format!("&cursor={}", next.trim_end_matches('}')),
            None => return Ok((pages, bytes)),
        }
    }
}

/// CPU time of the runtime's one worker, which is the server: user and system, in seconds.
fn server_seconds() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_worker = |stat: &String| stat.contains("(tokio-r") || stat.contains("(tokio-w");
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok())
        .filter(of_worker)
        .take(1)
        .filter_map(|stat| {
            let fields: Vec<_> = stat.rsplit(") ").next()?.split(' ').map(str::to_owned).collect();
            Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
        })
        .sum()
}
