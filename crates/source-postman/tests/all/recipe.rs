//! The recipe `postman`, in the source for any API, collects what the source `postman` does.

use std::collections::BTreeMap;
use std::time::Duration;

use simulator::{Answer, Cursor, Faults, NextCursor, Postman, TimeFilter};
use source_audit_logs::{AuditLogsConfig, AuditLogsSource};

use crate::driver::{self, Run, wiring};

const RECIPES: &[(&str, &str)] = &[("postman", include_str!("../../../../config/recipes/postman.yaml"))];

/// The source for any API, with the recipe and what a user adds.
fn described(api: &Postman) -> Box<AuditLogsSource> {
    let types = [
        config::ConnectorType::source::<AuditLogsConfig>("audit_logs")
            .with_part::<BTreeMap<String, serde_json::Value>>("mapping")
            .with_recipes(RECIPES),
        config::ConnectorType::sink::<BTreeMap<String, String>>("none", config::SinkTraits::default()),
    ];
    let text = format!(
        "sources:\n  a:\n    type: audit_logs\n    recipe: postman\n    url: {}\n    \
         auth: {{ headers: {{ X-API-Key: {} }} }}\n    start: 30d\n    requests_per_minute: 6000\nsinks:\n  b: {{ type: none }}\n",
        api.url(),
        api.key()
    );
    let path = std::path::Path::new("towpath.yaml");
    let config = config::parse(path, &text, &types, &config::ProcessEnvironment).unwrap();
    assert_eq!(config.report.errors(), 0, "{:?}", config.report);
    let config: AuditLogsConfig = config.sources[0].block.read().unwrap();
    let from = wiring();
    let wiring = source_audit_logs::Wiring { clock: from.clock, ..source_audit_logs::Wiring::default() };
    let account = source_audit_logs::Account::new(config.validate().unwrap(), wiring);
    Box::new(AuditLogsSource::new("audit", account))
}

#[tokio::test(start_paused = true)]
async fn the_recipe_collects_the_same_records() {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let dates = |inclusive| TimeFilter { cut_to_day: true, dates_only: true, inclusive };
    for faults in [
        Faults::none(),
        Faults { cursor: Cursor::NextIdText, next_cursor: NextCursor::Null, ..Faults::none() },
        Faults { cursor: Cursor::Opaque, next_cursor: NextCursor::InMeta, ..Faults::none() },
        Faults { cursor: Cursor::Date, ties: 0.5, ..Faults::none() },
        Faults { huge_ids: true, bound_cursors: true, trailing_pages: 3, ..Faults::none() },
        Faults { odd_records: 0.3, crowded_second: 700, ..Faults::none() },
        Faults { largest_page: 7, ..Faults::none() },
        Faults { time_filter: dates(true), ..Faults::none() },
        Faults { time_filter: dates(false), ..Faults::none() },
        Faults { retention: days(3), ..Faults::none() },
        Faults { longest_window: Some((days(5), Answer::Status(504))), ..Faults::none() },
    ] {
        let builder = Postman::builder().seed(7).events(2000).span(days(20)).faults(faults.clone());
        let api = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
        let mut by_type = driver::open(&api, r#", "start": "30d", "requests_per_minute": 6000"#).await;
        let mut by_recipe = Run::of(described(&api), None).await.unwrap();
        let mut scripts = Vec::new();
        for run in [&mut by_type, &mut by_recipe] {
            let before = api.requests().len();
            // Trouble on the way is the same for both.
            api.script([Answer::Good, Answer::Status(503), Answer::Good, Answer::ErrorWithStatus200]);
            run.catch_up().await;
            scripts.push(api.requests()[before..].iter().filter(|asked| asked.path == "/audit/logs").count());
        }
        assert!(by_type.records > 0, "{faults:?}");
        assert_eq!(by_type.texts.len(), by_recipe.texts.len(), "{faults:?}");
        assert!(by_type.texts == by_recipe.texts, "records or identities differ: {faults:?}");
        assert_eq!(by_type.ids, by_recipe.ids);
        assert_eq!(
            scripts[0], scripts[1],
            "requests: {faults:?} {:?} {:?}",
            by_type.errors, by_recipe.errors
        );
        let near = |one: pipeline::Timestamp, other: pipeline::Timestamp| {
            one.since(other).max(other.since(one)) < Duration::from_secs(600)
        };
        assert_eq!(by_type.gaps.len(), by_recipe.gaps.len(), "{:?} {:?}", by_type.gaps, by_recipe.gaps);
        for (one, other) in by_type.gaps.iter().zip(&by_recipe.gaps) {
            assert!(near(one.from, other.from) && near(one.to, other.to), "{one:?} {other:?}");
        }
    }
}
