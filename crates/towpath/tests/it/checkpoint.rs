//! `towpath checkpoint set` and `show`.

use simulator::Postman;

use crate::simulated::{Api, Place, keys};

#[test]
fn a_position_that_the_source_would_refuse_is_refused_at_once() {
    let api = Api::start(Postman::builder().events(5));
    let place = Place::new(&keys(&api));
    assert_eq!(place.towpath(&["run", "--once"]).status, Some(0));
    let shown = place.towpath(&["checkpoint", "show", "postman"]).out;
    for (from, to, reason) in [
        (&*shown, "{\"version\": 1}", "position cannot be read: missing field `source`"),
        ("\"tenant\"", "\"tenants\"", "unknown field `tenants`"),
        ("\"version\": 1", "\"version\": 7", "position has version 7, this Towpath reads version 1"),
        (
            "127.0.0.1",
            "127.0.0.9",
            "belongs to source postman at 127.0.0.9, not to source postman at 127.0.0.1",
        ),
        ("\"complete_until\": \"20", "\"complete_until\": \"19", "is not a time between 2000 and 2100"),
    ] {
        let wrong = shown.replace(from, to);
        assert_ne!(wrong, shown);
        let said = place.towpath(&["checkpoint", "set", "postman", &wrong]);
        assert_eq!(said.status, Some(2), "{to}: {}", said.err);
        for part in ["postman cannot take up this position", reason, "`towpath checkpoint show postman`"] {
            assert!(said.err.contains(part), "`{part}` is not said: {}", said.err);
        }
        assert_eq!(place.towpath(&["checkpoint", "show", "postman"]).out, shown, "nothing is changed");
    }
}

#[test]
fn what_is_shown_has_its_own_order_and_what_is_set_its_own_digits() {
    let api = Api::start(Postman::builder().events(5));
    let place = Place::new(&keys(&api));
    assert_eq!(place.towpath(&["run", "--once"]).status, Some(0));
    let shown = place.towpath(&["checkpoint", "show", "postman"]).out;
    let keys = ["version", "source", "host", "tenant", "start", "complete_until", "newest", "swept_until"];
    let places = keys.map(|key| shown.find(&format!("\n  \"{key}\": ")).expect("a key on a line of its own"));
    assert!(places.is_sorted(), "{shown}");

    // A cursor with more digits than a number holds comes back as it was.
    let cursor = "100000000000000000000000000000000001";
    let walk = format!(
        "\"walks\": [{{\"kind\": \"live\", \"since\": \"2026-11-20T09:00:00.000Z\", \"until\": null, \
         \"began\": \"2026-11-20T09:00:00.000Z\", \"cursor\": {cursor}, \"pages\": 1, \"restarts\": 0}}]"
    );
    let walking = shown.replace("\"walks\": []", &walk);
    assert_ne!(walking, shown);
    let set = place.towpath(&["checkpoint", "set", "postman", &walking]);
    assert_eq!(set.status, Some(0), "{}", set.err);
    let again = place.towpath(&["checkpoint", "show", "postman"]).out;
    assert!(again.contains(&format!("\"cursor\": {cursor},\n")), "{again}");
    let list = place.towpath(&["checkpoint", "list"]).out;
    assert_eq!(list.lines().count(), 1, "one line a source, however it was set: {list}");
}
