//! Outputs pinned byte for byte: `golden/<vendor>/<case>/{input.json, ocsf.json, ecs.json}`, one event a line.
//! `UPDATE_EXPECT=1 cargo test -p transform golden` rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline::Schema;

use crate::support::{checked, ecs, generic, lines, mapping, ocsf, origin, postman, record, views};

#[test]
fn golden_cases_come_out_byte_for_byte() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut compared = 0;
    for (vendor, make) in [("postman", postman as fn(&_) -> _), ("generic", generic)] {
        for case in directories(&golden.join(vendor)) {
            let input = fs::read(case.join("input.json")).unwrap();
            for (view, file) in [(ocsf("1.8.0"), "ocsf.json"), (ecs(), "ecs.json")] {
                let origin = origin("postman.audit");
                let out = lines(&*make(&view), &record(&origin, &input));
                let found = out.ndjson().to_vec();
                checked(&view, out, &case.display().to_string());
                let path = case.join(file);
                if update {
                    fs::write(&path, &found).unwrap();
                }
                let expected = fs::read(&path).unwrap_or_default();
                assert!(found == expected, "{} is not\n{}", path.display(), String::from_utf8_lossy(&found));
                compared += 1;
            }
        }
    }
    assert!(compared >= 70, "{compared}");
}

#[test]
fn mapped_cases_come_out_byte_for_byte_and_are_valid_in_every_version() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/mapped");
    let mut compared = 0;
    for case in directories(&golden) {
        let input = fs::read(case.join("input.json")).unwrap();
        let settings =
            mapping(serde_json::from_slice(&fs::read(case.join("mapping.json")).unwrap()).unwrap());
        for view in views() {
            let origin = origin(settings.dataset());
            let out = lines(&*transform::generic(&view, &settings).unwrap(), &record(&origin, &input));
            let found = out.ndjson().to_vec();
            checked(&view, out, &case.display().to_string());
            let file = match (view.schema, &*view.version) {
                (Schema::Ocsf, "1.8.0") => "ocsf.json",
                (Schema::Ecs, _) => "ecs.json",
                _ => continue,
            };
            let path = case.join(file);
            if update {
                fs::write(&path, &found).unwrap();
            }
            let expected = fs::read(&path).unwrap_or_default();
            assert!(found == expected, "{} is not\n{}", path.display(), String::from_utf8_lossy(&found));
            compared += 1;
        }
    }
    assert!(compared >= 16, "{compared}");
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}
