//! What the suite of sources does not ask: whose log it is, and pages that are too large.

use std::sync::Arc;

use pipeline::{Next, Position, Source, SourceError};
use serde_json::json;
use simulator::log::Log;
use source_audit_logs::{Account, AuditLogsConfig, AuditLogsSource, Wiring};

use crate::apis::{self, wiring};
use crate::driver::Nothing;

#[tokio::test(start_paused = true)]
async fn another_tenants_log_is_refused_before_anything_is_handed_out() {
    let kind = apis::cursor();
    let api = Log::start(kind.manner.clone(), 300).await.unwrap();
    let mut config = kind.config(&api);
    config["tenant"] = "actor.type".into();
    config["start"] = "3d".into();
    let mut source = kind.source(&config);
    let first = source.open(None, Arc::new(Nothing)).await.unwrap();
    let mut learnt = None;
    for _ in 0..6 {
        if let Next::Page { progress, batch } = source.next().await.unwrap()
            && !batch.records.is_empty()
        {
            learnt = Some(progress.position);
            break;
        }
    }
    assert!(learnt.unwrap().as_str().contains(r#""tenant":"user""#));
    let others = first.position.as_str().replace(r#""tenant":null"#, r#""tenant":"api_key""#);
    let mut source = kind.source(&config);
    source.open(Some(Position::from_json(&others).unwrap()), Arc::new(Nothing)).await.unwrap();
    for _ in 0..6 {
        match source.next().await {
            Ok(Next::Page { batch, .. }) => assert!(batch.records.is_empty(), "it was handed out"),
            Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
            Ok(Next::Learnt(_)) => {}
            Err(SourceError::Fatal { remedy, .. }) => {
                assert!(remedy.contains("checkpoint reset"), "{remedy}");
                return;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("another tenant's log was taken");
}

#[tokio::test(start_paused = true)]
async fn pages_that_are_too_large_are_asked_for_with_fewer_records() {
    let kind = apis::cursor();
    let api = Log::start(kind.manner.clone(), 300).await.unwrap();
    let sized = json!({"to": {"query": "limit"}, "size": 100});
    // What fits at a KiB a record is asked for at first, which mostly is enough; but no fewer than ten.
    for (page_size, page_bytes, collected, smaller) in
        [(&sized, 8 << 10, true, false), (&sized, 2 << 10, true, true), (&json!(null), 8 << 10, false, false)]
    {
        let mut config = kind.config(&api);
        config["paging"]["page_size"] = page_size.clone();
        let config: AuditLogsConfig = serde_json::from_value(config).unwrap();
        let wiring = Wiring { page_bytes, ..wiring() };
        let mut source = AuditLogsSource::new("audit", Account::new(config.validate().unwrap(), wiring));
        source.open(None, Arc::new(Nothing)).await.unwrap();
        let (mut ids, mut paused, mut too_large) = (std::collections::BTreeSet::new(), 0, 0);
        for _ in 0..400 {
            match source.next().await {
                Ok(Next::Page { batch, .. }) => ids.extend(batch.records.iter().map(|record| record.id)),
                Ok(Next::Wait(wait)) if wait.caught_up => break,
                Ok(Next::Wait(wait)) => tokio::time::sleep(wait.duration).await,
                Ok(Next::Learnt(_)) => {}
                Err(SourceError::Transient { .. }) => too_large += 1,
                Err(SourceError::Paused { reason, remedy, .. }) => {
                    assert_eq!(reason, "record_too_large");
                    assert!(remedy.contains("`paging.page_size`"), "{remedy}");
                    paused += 1;
                    if paused > 3 {
                        break;
                    }
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(
            (ids.len() == 300, paused == 0, too_large > 0),
            (collected, collected, smaller),
            "{page_bytes}: {too_large}"
        );
    }
}
