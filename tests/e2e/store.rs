//! A checkpoint store that cannot be used as it is: said with a remedy, and nothing starts afresh in silence.

use std::fs;

use simulator::Postman;

use crate::api::Api;
use crate::delivered::Schema;
use crate::truth::assert_delivered_once;
use crate::workplace::{Config, Workplace};
const STORE: &str = "data/checkpoints.db";

fn collected() -> (Api, Workplace) {
    let api = Api::start(Postman::builder().events(2000));
    let place = Workplace::new();
    place.configure(&Config::new(&api).sink("raw"));
    place.catches_up();
    (api, place)
}

#[test]
fn a_damaged_store_is_refused_and_left_as_it_is() {
    let (api, place) = collected();
    let whole = fs::read(place.path(STORE)).unwrap();
    let output = place.read("raw.ndjson");
    let requests = api.requests_so_far();
    let middle = whole.len() / 2;
    let damages: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("text", b"not a store at all".repeat(1000)),
        ("cut in half", whole[..middle].to_vec()),
        (
            "zeros from the middle on",
            whole[..middle].iter().copied().chain(vec![0; whole.len() - middle]).collect(),
        ),
        ("every page touched", {
            let mut touched = whole.clone();
            touched.iter_mut().skip(200).step_by(1024).for_each(|byte| *byte ^= 0x40);
            touched
        }),
    ];
    for (what, bytes) in damages {
        fs::write(place.path(STORE), &bytes).unwrap();
        for args in [&["run", "--once", "--timeout", "20s"][..], &["checkpoint", "list"]] {
            let ended = place.run(args);
            assert_eq!(ended.status.code(), Some(1), "{what}: {args:?}: {ended}");
            for word in ["checkpoints.db", "restore it from a backup", "start afresh"] {
                assert!(ended.stderr.contains(word), "{what}: `{word}` is not said: {ended}");
            }
            assert!(!ended.stderr.contains("panicked"), "{what}: {ended}");
        }
        assert_eq!(fs::read(place.path(STORE)).unwrap(), bytes, "{what}: the store was changed");
    }
    assert_eq!(place.read("raw.ndjson"), output, "something was delivered again");
    assert_eq!(api.requests_so_far(), requests, "something was collected");

    // The remedies work: the backup, and moving it away.
    fs::write(place.path(STORE), &whole).unwrap();
    place.catches_up();
    assert_delivered_once(&api, &place, &[("raw.ndjson", Schema::Raw)]);
    fs::remove_file(place.path(STORE)).unwrap();
    place.catches_up();
    assert_eq!(place.read("raw.ndjson").len(), output.len() * 2, "afresh: everything comes again");
}

#[test]
fn a_position_of_another_host_is_refused_with_its_remedy() {
    let (api, place) = collected();
    let position = place.run(&["checkpoint", "show", "postman"]).exits(0).stdout;
    let elsewhere = Api::start_at([127, 0, 0, 2], Postman::builder().seed(1).events(100));
    place.configure(&Config::new(&elsewhere).sink("raw"));
    let output = place.read("raw.ndjson");
    for args in [&["run"][..], &["run", "--once"]] {
        let ended = place.run(args).exits(1);
        for word in ["127.0.0.1", "127.0.0.2", "give it another name", "towpath checkpoint reset postman"] {
            assert!(ended.stderr.contains(word), "`{word}` is not said: {ended}");
        }
    }
    assert_eq!(elsewhere.requests_so_far(), 0, "nothing was asked for");
    assert_eq!(place.read("raw.ndjson"), output);
    assert_eq!(place.run(&["checkpoint", "show", "postman"]).exits(0).stdout, position);

    place.run(&["checkpoint", "reset", "postman"]).exits(0);
    place.catches_up();
    let events = place.events("raw.ndjson", Schema::Raw);
    assert_eq!(events.len(), 2100, "both hosts' records");
    drop(api);
}
