//! `make bench`: what Towpath costs and how fast it is. Each output is validated (count, order or ids, schema) before
//! its figure is printed; CPU seconds of our own process per million events are the steady measure, because wall clock
//! moves with whatever else the machine does.

#![expect(clippy::print_stdout, reason = "printing the figures is what this program is for")]

mod collect;
mod http;
mod kafka;
mod normalize;
mod plain;
mod process;
mod syslog;

use std::env;
use std::path::PathBuf;

/// Size of the records, in bytes: the mean of the real ones that were seen.
pub(crate) const RECORD_BYTES: usize = 588;

/// The argument with which this program is the yardstick of [`plain`] instead.
pub(crate) const PLAIN: &str = "plain-serde";

fn main() {
    let arguments: Vec<_> = env::args().collect();
    if let [_, PLAIN, input] = &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        plain::run(input.as_ref()).expect("records in and events out");
        return;
    }
    let towpath = PathBuf::from(env::var_os("TOWPATH_BIN").expect("TOWPATH_BIN names the release binary"));
    println!("{}\n", process::machine());
    let only = arguments.iter().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only.as_str()));
    let work = tempfile::tempdir().expect("a directory to work in");
    if wanted("normalize") {
        normalize::run(&towpath, work.path());
    }
    if wanted("collect") {
        collect::throughput(&towpath, work.path());
    }
    if wanted("kafka") {
        kafka::throughput(&towpath, work.path());
    }
    if wanted("http") {
        http::throughput(&towpath, work.path());
        http::dead(&towpath, work.path());
    }
    if wanted("syslog") {
        syslog::throughput(&towpath, work.path());
    }
    if wanted("idle") {
        collect::idle(&towpath, work.path());
    }
    if wanted("budget") {
        collect::at_the_budget(&towpath, work.path());
    }
}
