use pipeline::Schema;

use super::*;

fn view(keep_raw: bool) -> View {
    View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw }
}

fn group(ids: &[u128], path: &str) -> Group {
    Group {
        path: path.to_owned(),
        indexes: (0..ids.len() as u32).collect(),
        ids: ids.to_vec(),
        lines: vec![],
        oldest: Timestamp::from_millis(1_795_165_523_120),
    }
}

/// Pinned: buckets keep objects for years, over upgrades of ours.
#[test]
fn keys_do_not_change() {
    let group = group(&[1, 2, 3], "year=2026/month=11/day=20");
    assert_eq!(
        key("audit/postman", &group, &view(true), Compression::Gzip),
        "audit/postman/year=2026/month=11/day=20/20261120T090523Z-c662d7899ceb8d5edb2e06b0c442ff78.ndjson.gz"
    );
}

#[test]
fn keys_follow_from_the_events_and_their_form() {
    let key = |ids: &[u128], keep_raw, compression| key("", &group(ids, ""), &view(keep_raw), compression);
    let all = [
        key(&[1, 2], true, Compression::None),
        key(&[2, 1], true, Compression::None),
        key(&[1], true, Compression::None),
        key(&[1, 2], false, Compression::None),
        key(&[1, 2], true, Compression::Zstd),
    ];
    for (n, one) in all.iter().enumerate() {
        assert!(!one.contains('/'), "{one}");
        assert!(!all[..n].contains(one), "{one}");
    }
    assert!(all[0].ends_with(".ndjson") && all[4].ends_with(".ndjson.zst"));
}

#[test]
fn the_same_events_give_the_same_bytes() {
    let lines = [Bytes::from_static(b"{\"a\":1}\n"), Bytes::from_static(b"{\"a\":2}\n")];
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let make = |lines: &[Bytes]| Object::make("k".to_owned(), lines, &[7, 9], compression).unwrap();
        let object = make(&lines);
        // However they are spread over batches.
        assert_eq!(object.body, make(&[lines.concat().into()]).body);
        let [events, first, last, sha256] = object.metadata();
        assert_eq!((events.1.as_str(), first.1.len(), last.1.ends_with('9')), ("2", 32, true));
        assert_eq!(sha256.1, hex(&Sha256::digest(&object.body)));
    }
    let gzip = Object::make("k".to_owned(), &lines, &[7], Compression::Gzip).unwrap();
    assert_eq!(gzip.body[4..8], [0; 4], "RFC 1952: the header has no time");
}
