//! `tests/errors/*.yaml` are configurations with mistakes, each with what is said of it beside it in `.expected`.
//! `UPDATE_EXPECT=1` writes these files anew.

use std::fs;
use std::path::Path;

use crate::connectors::{Fake, load};

/// What the cases may refer to.
fn environment() -> Fake {
    let variables = [
        ("KEY", "hunter2-variable"),
        ("SOON", "hunter2-soon"),
        ("COUNT", "5"),
        ("EMPTY", ""),
        ("DIR", "./out"),
    ];
    Fake::new(&variables, &[("/run/key", "hunter2-file\n"), ("/run/empty", "\n")])
}

#[test]
fn mistakes_are_told_as_expected() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    let mut cases: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    assert!(cases.len() > 20, "cases are missing");
    let mut stale = Vec::new();
    for case in cases {
        let text = fs::read_to_string(&case).unwrap();
        let (_, report) = load(&text, &environment());
        let told = format!("{report}\n");
        assert!(!told.contains("hunter"), "a secret is told in {}:\n{told}", case.display());
        let expected = case.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(&expected, told).unwrap();
        } else if fs::read_to_string(&expected).ok().as_deref() != Some(&told) {
            stale.push(format!("{}:\n{told}", case.display()));
        }
    }
    assert!(stale.is_empty(), "differ from `.expected` (UPDATE_EXPECT=1 rewrites):\n{}", stale.join("\n"));
}
