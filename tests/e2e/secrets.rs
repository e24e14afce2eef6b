//! The key is in no log, no error and no file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simulator::{Answer, Faults, Postman};

use crate::api::{Api, worst};
use crate::process::wait_until;
use crate::workplace::{Config, Workplace};
const WRONG: &str = "PMAK-00000000aaaaaaaa11111111-2222222222bbbbbbbbbb33333333334444";

/// Everything, of the libraries that carry the key too.
const EVERYTHING: &str =
    "trace,hyper=trace,hyper_util=trace,reqwest=trace,rustls=trace,tower=trace,http_client=trace";

#[test]
fn the_key_is_in_no_log_error_or_file() {
    let faults = Faults { outages: Vec::new(), ..worst() };
    let api = Api::start(Postman::builder().events(3000).rate(50.0).faults(faults));
    let place = Workplace::new();
    let mut config = Config::new(&api).sink("raw").sink("ocsf");
    config.source = config.source.replace(api.key(), "${file:key}");
    place.configure(&config);
    let key = api.key().to_owned();

    for format in ["text", "json"] {
        place.write("key", &key);
        let mut process = place.start(&["run", "--log-level", EVERYTHING, "--log-format", format]);
        std::thread::sleep(Duration::from_millis(1500));
        api.script([
            Answer::Redirect,
            Answer::Redirect,
            Answer::Status(401),
            Answer::Status(403),
            Answer::Redirect,
        ]);
        std::thread::sleep(Duration::from_millis(1500));
        // Rejected, then another wrong one, then right again.
        api.refuse_key();
        let before = place.log().matches("put a valid key").count();
        wait_until("the key is refused", || place.log().matches("put a valid key").count() > before);
        place.write("key", WRONG);
        std::thread::sleep(Duration::from_millis(500));
        place.write("key", &key);
        api.rotate_key(&key);
        std::thread::sleep(Duration::from_millis(700));
        process.terminate();
        assert_eq!(process.wait().code(), Some(0), "{}", place.log());
    }
    let log = place.log();
    assert!(log.contains("TRACE") && log.contains("\"level\":\"TRACE\""), "nothing was traced: {log}");
    assert!(api.stats().requests_elsewhere == 0 || api.stats().keys_elsewhere == 0, "a redirect got the key");
    assert!(log.contains("redirect"), "no redirect was met: {log}");

    // What other commands say; with a key that is right and one that is wrong, in a file and in the configuration itself.
    let mut said = Vec::new();
    let literal = Config { source: config.source.replace("${file:key}", WRONG), ..config };
    place.write("literal.yaml", &literal.text());
    place.write("broken.yaml", &literal.text().replace("api_key:", "api_kee:").replace("1s", "soon"));
    for args in [
        &["check", "--connect"][..],
        &["check", "--connect", "--config", "literal.yaml"],
        &["check", "--config", "broken.yaml"],
        &["run", "--once", "--config", "literal.yaml"],
        &["checkpoint", "show", "postman"],
        &["checkpoint", "list"],
    ] {
        let mut all = args.to_vec();
        all.extend(["--log-level", EVERYTHING]);
        let ended = place.run(&all);
        said.push((args.join(" "), ended.stdout + &ended.stderr));
    }
    for secret in [key.as_str(), WRONG] {
        for (what, text) in &said {
            assert_none(secret, what, text.as_bytes());
        }
        for file in files_below(&place.path("")) {
            if !["key", "literal.yaml", "broken.yaml"].iter().any(|name| file.ends_with(name)) {
                assert_none(secret, &file.display().to_string(), &fs::read(&file).unwrap());
            }
        }
    }
}

/// Neither the whole nor its last part, nor its bytes as a list of numbers.
#[track_caller]
fn assert_none(secret: &str, place: &str, bytes: &[u8]) {
    let tail = secret.rsplit('-').next().unwrap();
    let numbers: Vec<String> = tail.bytes().take(12).map(|byte| byte.to_string()).collect();
    for form in [tail.to_owned(), numbers.join(", "), numbers.join(",")] {
        let found = bytes.windows(form.len()).position(|window| window == form.as_bytes());
        if let Some(at) = found {
            let around = &bytes[at.saturating_sub(200)..bytes.len().min(at + 100)];
            panic!("the key is in {place}: {}", String::from_utf8_lossy(around));
        }
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}
