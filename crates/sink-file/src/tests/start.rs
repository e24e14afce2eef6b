//! What is found at the start.

use super::*;

#[tokio::test]
async fn a_file_torn_at_any_length_has_whole_lines_after_the_start() {
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let old = "{\"n\":1}\n{\"n\":2,\"s\":\"a\\\"b\"}\n";
    for len in 0..=old.len() {
        fs::write(&path, &old[..len]).unwrap();
        let sink = sink(&path);
        sink.open().await.unwrap();
        let found = content(&path);
        assert!(found.is_empty() || found.ends_with('\n'), "{len}: {found:?}");
        deliver(&sink, &["{\"n\":3}"]).await.unwrap();
        let found = content(&path);
        assert_eq!(found, format!("{}{{\"n\":3}}\n", found.strip_suffix("{\"n\":3}\n").unwrap()));
        for line in found.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        let whole = old[..len].matches('\n').count();
        assert!(found.lines().count() > whole, "{len}: {found:?}");
    }
}

#[tokio::test]
async fn what_others_wrote_is_kept() {
    let dir = directory();
    let path = dir.path().join("notes.txt");
    fs::write(&path, "dear diary\nunfinished bus").unwrap();
    deliver(&sink(&path), &["{1}"]).await.unwrap();
    assert_eq!(content(&path), "dear diary\nunfinished bus\n{1}\n");

    let path = dir.path().join("database");
    let bytes = b"SQLite format 3\n\x10\0\x01\x01\0";
    fs::write(&path, bytes).unwrap();
    let sink = sink(&path);
    assert_eq!(reason(sink.open().await), "path");
    assert_eq!(reason(deliver(&sink, &["{1}"]).await), "path");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    fs::remove_file(&path).unwrap();
    deliver(&sink, &["{1}"]).await.unwrap();
}
