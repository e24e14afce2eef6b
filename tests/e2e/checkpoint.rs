//! `towpath checkpoint`: looking at positions and editing them.

use std::time::Duration;

use serde_json::Value;
use simulator::Postman;

use crate::api::Api;
use crate::delivered::{Schema, repeated};
use crate::truth::assert_delivered_once;
use crate::workplace::{Config, Workplace};
const HOUR: Duration = Duration::from_secs(3600);
const RAW: &[(&str, Schema)] = &[("raw.ndjson", Schema::Raw)];

#[test]
fn positions_are_listed_shown_set_and_reset() {
    let api = Api::start(Postman::builder().events(1500).span(20 * HOUR));
    let place = Workplace::new();
    place.configure(&Config::new(&api).sink("raw"));

    // Before the first run there is nothing, and looking at it creates nothing.
    let ended = place.run(&["checkpoint", "list"]).exits(0);
    assert_eq!(ended.stdout, "");
    place.run(&["checkpoint", "show", "postman"]).exits(1).says("nothing is saved");
    assert!(!place.path("data").exists());

    place.catches_up();
    let list = place.run(&["checkpoint", "list"]).exits(0).stdout;
    assert!(list.starts_with("postman\trevision ") && list.contains("\t1,500 delivered ids\t"), "{list}");
    let shown = place.run(&["checkpoint", "show", "postman"]).exits(0).stdout;
    let position: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&position["source"], &position["host"]), (&"postman".into(), &"127.0.0.1".into()));
    assert_eq!((&position["walks"], &position["history"]), (&Value::Array(vec![]), &Value::Array(vec![])));

    // What `show` prints, `set` takes; nothing comes again, because what was delivered stays remembered.
    let set = place.run(&["checkpoint", "set", "postman", &shown]).exits(0).stdout;
    assert!(set.contains("position of postman is set"), "{set}");
    assert_eq!(place.run(&["checkpoint", "show", "postman"]).exits(0).stdout, shown);
    place.catches_up();
    assert_delivered_once(&api, &place, RAW);

    // Set back, everything since is read again.
    let mut earlier = position.clone();
    for key in ["complete_until", "swept_until", "newest"] {
        let day = &position["complete_until"].as_str().unwrap()[..10];
        earlier[key] = format!("{day}T00:00:00.000Z").into();
    }
    place.run(&["checkpoint", "set", "postman", &earlier.to_string()]).exits(0);
    api.add(std::time::SystemTime::now());
    place.catches_up();
    assert_delivered_once(&api, &place, RAW);

    // Nonsense is refused at once, and nothing is changed by it.
    place.run(&["checkpoint", "set", "postman", "{not json"]).exits(2).says("is not JSON");
    place.run(&["checkpoint", "set", "postmann", &shown]).exits(2).says("postmann");
    place.run(&["checkpoint", "show", "postmann"]).exits(1).says("postman");
    place.run(&["checkpoint", "reset", "postmann"]).exits(1).says("postman");
    place.run(&["checkpoint", "set", "postman", "{\"version\": 1}"]).exits(2).says("missing field");

    let reset = place.run(&["checkpoint", "reset", "postman"]).exits(0).stdout;
    assert!(reset.contains("1,501 delivered ids of postman are forgotten"), "{reset}");
    place.run(&["checkpoint", "show", "postman"]).exits(1).says("nothing is saved for postman");
    place.catches_up();
    let events = place.events("raw.ndjson", Schema::Raw);
    assert_eq!((events.len(), repeated(&events).len()), (3002, 1501), "everything once more");
}
