//! Real syslog receivers: rsyslog over RELP, and syslog-ng over TCP, which says of no message that it has it.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Signal;
use serde::Deserialize;

use super::server::Server;
use super::tcp::Proxy;
use super::{Again, Damage, Death, Destination, Weather, weather_the_storm};

/// rsyslog with `queue.type="Direct"`: it answers when it has written. As it is installed it answers when the message is in a
/// queue in memory, and loses that when it is killed.
struct Relp {
    server: Server,
    proxy: Proxy,
}

/// syslog-ng without anything in between: whoever takes the bytes is the receiver's machine, and what that loses is lost.
struct Tcp {
    server: Server,
    stopped: AtomicU64,
}

fn keys(address: &str) -> String {
    format!("type: syslog\naddress: \"{address}\"\nmax_bytes: 512KiB\ntimeout: 10s\n")
}

impl Destination for Relp {
    fn sink(&self) -> String {
        keys(&format!("relp://{}", self.proxy.address))
    }

    fn weather(&self, weather: Weather) {
        self.proxy.weather(weather);
    }

    fn kill(&self) {
        self.server.kill();
    }

    fn start(&self) {
        self.server.start();
    }

    fn damage(&self) -> Damage {
        self.proxy.damage()
    }

    fn stored(&self) -> Vec<u8> {
        received(&self.server)
    }
}

impl Destination for Tcp {
    fn sink(&self) -> String {
        keys(&format!("tcp://{}", self.server.address))
    }

    /// It is stopped and goes on, and so is whoever writes to it.
    fn weather(&self, weather: Weather) {
        match weather {
            Weather::Busy => {
                self.stopped.fetch_add(1, Ordering::SeqCst);
                self.server.signal(Signal::STOP);
            }
            Weather::Lossy | Weather::Clear => self.server.signal(Signal::CONT),
        }
    }

    fn kill(&self) {
        self.server.kill();
    }

    fn start(&self) {
        self.server.start();
    }

    fn damage(&self) -> Damage {
        Damage { refused: self.stopped.load(Ordering::SeqCst), answers_lost: 0 }
    }

    fn stored(&self) -> Vec<u8> {
        received(&self.server)
    }
}

/// What `tests/services/syslog.sh` makes the receivers write for each message.
#[derive(Deserialize)]
struct Line {
    msg: String,
}

/// The events in the receiver's file.
fn received(server: &Server) -> Vec<u8> {
    // How each of the two begins a line; within a message the quotes are escaped.
    const BEGIN: [&str; 2] = ["{\"input\":", "{\"time\":"];
    let file = std::fs::read_to_string(server.pid_file.with_file_name("received.jsonl")).unwrap_or_default();
    let mut events = Vec::new();
    // Only whole lines; one that is being written is not there yet.
    let whole = file.rfind('\n').map_or("", |end| &file[..=end]);
    for line in whole.lines() {
        // A killed receiver may leave the beginning of a line, and goes on behind it.
        let begin = BEGIN.iter().filter_map(|begin| line.rfind(begin)).max();
        let line = &line[begin.unwrap_or_else(|| panic!("no message: {line}"))..];
        let Line { msg } = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        events.extend(msg.trim_start().bytes());
        events.push(b'\n');
    }
    events
}

#[test]
#[ignore = "needs rsyslog: tests/services/run.sh rsyslog"]
fn rsyslog_that_hangs_loses_answers_and_dies_gets_everything_over_relp() {
    let server = Server::of_environment();
    let proxy = Proxy::start(([127, 0, 0, 1], 0).into(), server.address);
    weather_the_storm("rsyslog", &Relp { server, proxy }, Death::InTheStorm, Again::Possible);
}

#[test]
#[ignore = "needs syslog-ng: tests/services/run.sh syslog-ng"]
fn syslog_ng_that_hangs_and_dies_in_a_lull_gets_everything_over_tcp() {
    let server = Server::of_environment();
    let receiver = Tcp { server, stopped: AtomicU64::new(0) };
    weather_the_storm("syslog-ng", &receiver, Death::InALull, Again::Possible);
}
