use std::sync::Arc;

use pipeline::{EventBatch, EventDraft, EventOutcome, EventWriter, Origin, Schema, View};
use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000;

/// A batch of events at these times (milliseconds); the text of each is its number.
pub(crate) fn batch(times: &[i64]) -> Arc<EventBatch> {
    let mut writer = EventWriter::default();
    for (n, time) in times.iter().enumerate() {
        writer.line().extend_from_slice(n.to_string().as_bytes());
        writer.commit(&EventDraft {
            id: n as u128,
            time: Timestamp::from_millis(*time),
            class: 0,
            severity: 0,
            outcome: EventOutcome::Unknown,
            action: "",
            actor: "",
            tenant: "",
        });
    }
    let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
    Arc::new(writer.finish(Arc::new(origin), Arc::new(view)))
}

fn sorted(template: &str, times: &[i64]) -> Sorted {
    let mut write = Write::default();
    write.push(batch(times), 0..times.len());
    sort(&Partition::read(template).unwrap(), &write)
}

fn path(template: &str, time: &str) -> String {
    Partition::read(template).unwrap().path(time.parse().unwrap())
}

#[test]
fn templates_are_filled_from_the_time_in_utc() {
    let time = "2026-11-20T01:02:03.456+02:00";
    assert_eq!(path("year=%Y/month=%m/day=%d", time), "year=2026/month=11/day=19");
    assert_eq!(path("%Y-%m-%d/%H%M", time), "2026-11-19/2302");
    assert_eq!(path("fixed", time), "fixed");
    assert_eq!(path("", time), "");
}

#[test]
fn templates_that_make_no_key_are_refused() {
    for template in
        ["%", "%y", "day=%%", "/%Y", "%Y/", "%Y//%m", "../%Y", "a/./b", "%Y\n", "%é", &"a".repeat(600)]
    {
        assert_eq!(Partition::read(template).unwrap_err().path, "partition", "{template:?}");
    }
}

#[test]
fn each_event_is_in_the_partition_of_its_own_time() {
    let sorted = sorted("%Y-%m-%d", &[0, DAY, 5, DAY - 1, -1, DAY]);
    let groups: Vec<(&str, &[u32])> =
        sorted.groups.iter().map(|group| (&*group.path, &*group.indexes)).collect();
    assert_eq!(groups, [("1970-01-01", &[0, 2, 3][..]), ("1970-01-02", &[1, 5]), ("1969-12-31", &[4])]);
    assert_eq!(sorted.groups[0].lines, ["0\n", "2\n3\n"]);
    assert_eq!(sorted.groups[0].ids, [0, 2, 3]);
    assert_eq!(sorted.groups[1].oldest, Timestamp::from_millis(DAY));
    assert!(sorted.left.is_empty());
}

/// Several days may be one partition.
#[test]
fn a_coarse_partition_is_one_group() {
    let sorted = sorted("%Y", &[0, 40 * DAY, 200 * DAY, 400 * DAY]);
    let groups: Vec<&[u32]> = sorted.groups.iter().map(|group| &*group.indexes).collect();
    assert_eq!(groups, [&[0, 1, 2][..], &[3]]);
}

#[test]
fn partitions_beyond_the_bound_are_left() {
    let times: Vec<i64> = (0..40).map(|n| n * DAY).chain([0, 39 * DAY]).collect();
    let sorted = sorted("%Y-%m-%d", &times);
    assert_eq!(sorted.groups.len(), MOST_PARTITIONS);
    assert_eq!(sorted.groups[0].indexes, [0, 40]);
    assert_eq!(sorted.left, [32, 33, 34, 35, 36, 37, 38, 39, 41]);
}

#[test]
fn any_time_has_a_partition() {
    for (time, expected) in
        [(i64::MIN, "0000-01-01"), (i64::MAX, "9999-12-30"), (253_402_207_199_999, "9999-12-30")]
    {
        assert_eq!(sorted("%Y-%m-%d", &[time]).groups[0].path, expected, "{time}");
    }
}

proptest! {
    #[test]
    fn every_event_is_in_one_group_or_left_with_its_own_line(
        times in prop::collection::vec(-3 * DAY..50 * DAY, 1..80),
        cut in 0usize..80,
    ) {
        let cut = cut.min(times.len());
        let batch = batch(&times);
        let mut write = Write::default();
        write.push(batch.clone(), 0..cut);
        write.push(batch, cut..times.len());
        let partition = Partition::read("%m-%d").unwrap();
        let sorted = sort(&partition, &write);
        let mut seen = sorted.left.clone();
        for group in &sorted.groups {
            let lines: Vec<u8> = group.lines.concat();
            let expected: String = group.indexes.iter().map(|index| format!("{index}\n")).collect();
            prop_assert_eq!(String::from_utf8(lines).unwrap(), expected);
            for index in &group.indexes {
                let time = Timestamp::from_millis(times[*index as usize]);
                prop_assert_eq!(partition.path(time), group.path.clone());
                prop_assert!(time >= group.oldest);
            }
            seen.extend(&group.indexes);
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..times.len() as u32).collect::<Vec<_>>());
    }
}
