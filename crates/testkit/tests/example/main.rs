//! The sink of `docs/adding-a-sink.md`: it passes the suite, and the page shows this very code.

#![allow(clippy::unwrap_used, unreachable_pub)] // The lints spare test functions, but not what they share.

mod collector;
mod harness;
mod sink;

use std::fs;
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_conforms() {
    testkit::sink::conforms(harness::CollectorHarness).await;
}

/// `UPDATE_EXPECT=1` puts the code into the page.
#[test]
fn the_page_shows_the_code() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = here.join("../../docs/adding-a-sink.md");
    let text = fs::read_to_string(&page).unwrap();
    let mut fresh = text.clone();
    for name in ["sink.rs", "harness.rs"] {
        let code = fs::read_to_string(here.join("tests/example").join(name)).unwrap();
        let marker = format!("<!-- crates/testkit/tests/example/{name} -->\n```rust\n");
        let start =
            fresh.find(&marker).unwrap_or_else(|| panic!("the page has no {marker:?}")) + marker.len();
        let end = start + fresh[start..].find("```\n").expect("the block ends");
        fresh.replace_range(start..end, &code);
    }
    if fresh != text {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&page, fresh).unwrap();
        } else {
            panic!("docs/adding-a-sink.md is stale: `make docs` rewrites it");
        }
    }
}
