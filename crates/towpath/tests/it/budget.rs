//! Two sources with one key.

use simulator::Postman;

use crate::simulated::{Api, Place, keys};

#[test]
fn sources_with_one_key_keep_to_the_lower_of_their_ceilings_together() {
    let api = Api::start(Postman::builder().events(2000));
    let keys = keys(&api);
    let place = Place::new(&keys);
    let text = format!(
        "admin: {{ listen: off }}\nsources:\n  one: {{ type: postman, {keys}, requests_per_minute: 9 }}\n  \
         other: {{ type: postman, {keys}, requests_per_minute: 6 }}\nsinks:\n  archive: {{ type: file, path: ./events.ndjson }}\n"
    );
    std::fs::write(place.path("towpath.yaml"), text).expect("the configuration");
    let said = place.towpath(&["run", "--once", "--timeout", "2s"]);
    assert_eq!(said.status, Some(1), "it would take minutes: {}", said.err);
    assert_eq!(api.postman.requests().len(), 6, "{}", said.err);
}
