//! One data directory, one process.

use simulator::Postman;

use crate::api::Api;
use crate::process::wait_until;
use crate::workplace::{Config, Workplace};

#[test]
fn a_second_process_on_the_same_data_directory_refuses_and_names_the_first() {
    let api = Api::start(Postman::builder().events(100));
    let place = Workplace::new();
    place.configure(&Config::new(&api).sink("raw"));
    let first = place.start(&["run"]);
    wait_until("it starts", || place.log().contains("towpath starts"));

    let refusal = format!("data directory is in use by process {}", first.pid());
    for args in [
        &["run"][..],
        &["run", "--once"],
        &["checkpoint", "list"],
        &["checkpoint", "show", "postman"],
        &["checkpoint", "set", "postman", "{}"],
        &["checkpoint", "reset", "postman"],
    ] {
        let ended = place.run(args).exits(1);
        assert!(ended.stderr.contains(&refusal), "{args:?}: {ended}");
        assert_eq!(ended.stdout, "", "{args:?}");
    }
    // Killed, it holds nothing any more.
    first.kill();
    place.run(&["checkpoint", "list"]).exits(0);
}
