//! A key that is wrong: what to do is said, and a corrected file is enough.

use simulator::Postman;

use crate::api::Api;
use crate::delivered::Schema;
use crate::process::{HEALS, wait_until, wait_within};
use crate::truth::assert_delivered_once;
use crate::workplace::{Config, Workplace};

#[test]
fn a_wrong_key_pauses_and_a_corrected_key_file_heals_without_a_restart() {
    let api = Api::start(Postman::builder().events(1000));
    let place = Workplace::new();
    let mut config = Config::new(&api).sink("raw");
    config.source = config.source.replace(api.key(), "${file:key}");
    place.configure(&config);
    place.write("key", "PMAK-wrong\n");

    let mut process = place.start(&["run"]);
    wait_until("it says that the key is wrong", || place.log().contains("source is paused"));
    let log = place.log();
    assert!(log.contains("put a valid key into `api_key`"), "{log}");
    assert!(log.contains(" ERROR "), "a person must act: {log}");
    assert_eq!(process.ended(), None);
    assert_eq!(place.read("raw.ndjson"), "");

    place.write("key", &format!("{}\n", api.key()));
    wait_within(HEALS, "it collects", || place.lines("raw.ndjson") >= 1000);
    // Changed at the vendor's, and then in the file.
    api.rotate_key("PMAK-another");
    api.add(std::time::SystemTime::now());
    wait_until("it is paused again", || place.log().matches("source is paused").count() > 1);
    place.write("key", "PMAK-another\n");
    wait_within(HEALS, "it collects again", || place.lines("raw.ndjson") >= 1001);
    process.terminate();
    assert_eq!(process.wait().code(), Some(0), "{}", place.log());
    assert_delivered_once(&api, &place, &[("raw.ndjson", Schema::Raw)]);
}
