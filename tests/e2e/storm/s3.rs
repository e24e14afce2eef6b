//! A real store of objects, MinIO.

use std::fs;
use std::io::Read as _;
use std::process::Command;

use flate2::read::MultiGzDecoder;
use testkit::http::Reply;

use super::http::{Manners, Proxy};
use super::server::{Server, variable};
use super::{Again, Damage, Death, Destination, Weather, weather_the_storm};

const BUCKET: &str = "test";

struct Store {
    server: Server,
    proxy: Proxy,
    prefix: String,
    access_key: String,
    secret_key: String,
}

/// What Amazon says, under two statuses as other stores do.
fn slow_down(number: u64) -> Reply {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>SlowDown</Code>\
                <Message>Please reduce your request rate.</Message><RequestId>STORM</RequestId></Error>";
    let headers = vec![("content-type", "application/xml".to_owned())];
    Reply::Answer(if number % 4 == 3 { 429 } else { 503 }, headers, body.to_owned())
}

impl Store {
    /// Reads by `curl`, which can sign requests and shares no code with the sink. `targets` are paths with queries.
    fn get(&self, targets: &[String]) -> Vec<Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        let mut config = String::new();
        for (number, target) in targets.iter().enumerate() {
            let to = dir.path().join(number.to_string());
            config +=
                &format!("url = \"http://{}{target}\"\noutput = \"{}\"\n", self.server.address, to.display());
        }
        let urls = dir.path().join("urls");
        fs::write(&urls, config).unwrap();
        let status = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3"])
            .args(["--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--user"])
            .arg(format!("{}:{}", self.access_key, self.secret_key))
            .arg("--config")
            .arg(&urls)
            .status()
            .unwrap();
        assert!(status.success(), "the store cannot be read");
        (0..targets.len()).map(|number| fs::read(dir.path().join(number.to_string())).unwrap()).collect()
    }

    /// Keys of all objects.
    fn list(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            // The parameters in the order of their names, as they are signed.
            let after =
                keys.last().map_or_else(String::new, |key| format!("&start-after={}", escape(key, true)));
            let target = format!("/{BUCKET}?list-type=2&prefix={}{after}", escape(&self.prefix, true));
            let page = String::from_utf8(self.get(&[target]).remove(0)).unwrap();
            let found =
                page.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned());
            keys.extend(found);
            if !page.contains("<IsTruncated>true</IsTruncated>") {
                return keys;
            }
        }
    }
}

/// A key as it stands in a URL.
fn escape(key: &str, slashes: bool) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (byte == b'/' && !slashes);
    key.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

impl Destination for Store {
    fn sink(&self) -> String {
        format!(
            "type: s3\nbucket: {BUCKET}\nprefix: {}\nendpoint: \"http://{}\"\npath_style: true\ntimeout: 10s\n\
             credentials: {{ access_key_id: {}, secret_access_key: {} }}\nbatch: {{ max_events: 500 }}\n",
            self.prefix, self.proxy.address, self.access_key, self.secret_key
        )
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
        let targets: Vec<String> =
            self.list().iter().map(|key| format!("/{BUCKET}/{}", escape(key, false))).collect();
        let mut events = Vec::new();
        for object in self.get(&targets) {
            MultiGzDecoder::new(&object[..]).read_to_end(&mut events).unwrap();
        }
        events
    }
}

#[test]
#[ignore = "needs a store: tests/services/run.sh s3"]
fn a_store_that_is_busy_loses_answers_and_dies_gets_everything_once() {
    let server = Server::of_environment();
    let store = Store {
        proxy: Proxy::start(server.address, Manners { busy: slow_down, in_part: None }),
        server,
        prefix: format!("storm-{}", std::process::id()),
        access_key: variable("S3_TEST_ACCESS_KEY"),
        secret_key: variable("S3_TEST_SECRET_KEY"),
    };
    weather_the_storm("s3", &store, Death::InTheStorm, Again::Never);
}
