//! Holes in the history are told of like records.

use pipeline::{EventOutcome, EventWriter, Gap, Origin, Schema};
use serde_json::json;

use crate::support::{checked, generic, ocsf, origin, postman, views};

fn gap() -> Gap {
    Gap {
        from: "2026-05-01T00:00:00Z".parse().unwrap(),
        to: "2026-05-03T12:30:00.250Z".parse().unwrap(),
        reason: "the API keeps \"180 days\"".into(),
    }
}

#[test]
fn a_gap_is_an_event_in_every_schema_but_raw() {
    let origin = Origin { labels: vec![("env".into(), "prod".into())], ..origin("postman.audit") };
    let message = "no audit records of postman are available from 2026-05-01T00:00:00.000Z to 2026-05-03T12:30:00.250Z: the API keeps \"180 days\"";
    for view in views() {
        for transform in [postman(&view), generic(&view)] {
            let mut out = EventWriter::default();
            transform.gap(&origin, &gap(), &mut out);
            if view.schema == Schema::Raw {
                assert!(out.is_empty());
                continue;
            }
            let event = checked(&view, out, "a gap").remove(0);
            assert_eq!(
                (event.meta.class, event.meta.severity, event.meta.outcome),
                (0, 3, EventOutcome::Failure)
            );
            assert_eq!(event.meta.time, gap().to);
            if view.schema == Schema::Ecs {
                assert_eq!(
                    (&event["event"]["kind"], &event["error"]["message"]),
                    (&json!("pipeline_error"), &json!(message))
                );
                assert_eq!(event["event"]["start"], "2026-05-01T00:00:00.000Z");
                assert_eq!(event["event"]["end"], "2026-05-03T12:30:00.250Z");
                assert_eq!(event["labels"], json!({"env": "prod"}));
                continue;
            }
            let metadata = json!({
                "version": &*view.version, "product": {"name": "Towpath", "vendor_name": "Towpath"}, "log_name": "towpath.gap",
                "log_provider": "Towpath", "uid": "31acc1c7-acc9-5a36-8d00-09440a20eb52", "labels": ["env:prod"]
            });
            assert_eq!(event["metadata"], metadata);
            assert_eq!(
                (&event["activity_id"], &event["activity_name"]),
                (&json!(99), &json!("Collection Gap"))
            );
            assert_eq!(
                (&event["severity_id"], &event["status_id"], &event["message"]),
                (&json!(3), &json!(2), &json!(message))
            );
            assert_eq!(
                (&event["start_time"], &event["time"]),
                (&json!(1_777_593_600_000_i64), &event["end_time"])
            );
            assert_eq!(event["time"], 1_777_811_400_250_i64);
        }
    }
}

#[test]
fn different_gaps_have_different_ids() {
    let transform = postman(&ocsf("1.8.0"));
    let id = |source: &str, change: fn(&mut Gap)| {
        let (mut gap, mut out) = (gap(), EventWriter::default());
        change(&mut gap);
        transform.gap(&Origin { source: source.into(), ..origin("postman.audit") }, &gap, &mut out);
        out.events()[0].id
    };
    let same = id("a", |_| {});
    assert_eq!(same, id("a", |_| {}));
    for other in [
        id("b", |_| {}),
        id("a", |gap| gap.from = gap.to),
        id("a", |gap| gap.to = gap.from),
        id("a", |gap| gap.reason = "x".into()),
    ] {
        assert_ne!(same, other);
    }
}
