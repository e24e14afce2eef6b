//! Every shipped recipe survives every hazard of an API of its kind; and wrong descriptions do not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::connectors::RECIPES;

fn tested(name: &str) -> Tested {
    let recipe = crate::commands::recipes::load(name).unwrap();
    Tested::new(&recipe, 7).unwrap_or_else(|failure| panic!("{name}: {failure}"))
}

#[test]
fn every_recipe_survives_every_hazard() {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((name, _)) = RECIPES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let report = tested(name).examine(|_| true, |_, _| {});
                    if !report.failed().is_empty() {
                        failed.lock().unwrap().push(format!("{name}:\n{report}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
