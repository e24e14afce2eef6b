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

/// What a recipe fails when its API is another one than it says; the API is that of the recipe as it is.
fn failing(name: &str, case: &str, change: impl Fn(&mut AuditLogsConfig)) -> String {
    let mut described = Simulated::new(&crate::commands::recipes::load(name).unwrap()).unwrap();
    change(&mut described.config);
    let tested = Tested { described: Arc::new(described), seed: 7 };
    let report = tested.examine(|hazard| hazard == case, |_, _| {});
    match &report.cases[..] {
        [(_, Ended::Failed(why))] => why.clone(),
        other => panic!("{other:?}"),
    }
}

fn one_or_many(text: &str) -> source_audit_logs::OneOrMany {
    serde_json::from_value(text.into()).unwrap()
}

#[test]
fn what_does_not_fit_its_api_fails_with_the_key_or_with_what_is_lost() {
    let failed = failing("nirvana", "plain", |config| config.records.path = "data".to_owned());
    assert!(failed.contains("`records.path` is `data`, but the answer has `items`"), "{failed}");
    let failed = failing("nirvana", "plain", |config| config.id = one_or_many("uuid"));
    assert!(failed.contains("`id` is `uuid`"), "{failed}");
    let failed = failing("nirvana", "plain", |config| config.time = one_or_many("action"));
    assert!(failed.contains("`time` is `action`"), "{failed}");
    // The end is told by what is not there.
    let failed = failing("nirvana", "plain", |config| {
        config.paging.cursor.as_mut().unwrap().from = one_or_many("pagination.cursor");
    });
    assert!(failed.contains("of 700 records were never asked for"), "{failed}");
    // Whoever heeds no cursor gives the first page again and again.
    let failed = failing("hcp-terraform", "plain", |config| {
        config.paging.page.as_mut().unwrap().to =
            source_audit_logs::ParameterConfig::Query("page".to_owned());
    });
    assert!(failed.contains("page is not known here"), "{failed}");
    let failed = failing("okta", "wrong_key_heals", |config| {
        config.auth = source_audit_logs::AuthConfig::Bearer(settings::Secret::new("other".to_owned()));
    });
    assert!(failed.contains("it has never caught up") && failed.contains("`auth`"), "{failed}");
}

/// A recipe of one's own, as text.
fn of_text(keys: &str, credential: &str) -> Result<Tested, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.yaml");
    std::fs::write(&file, format!("title: Mine\ncredential: \"{credential}\"\nkeys:\n{keys}")).unwrap();
    let recipe =
        crate::commands::recipes::load(file.to_str().unwrap()).map_err(|failure| failure.to_string())?;
    Tested::new(&recipe, 7).map_err(|failure| failure.to_string())
}

const KEYS: &str = "  url: https://api.example.com/base\n  request: { path: '/v1/{team}/events', query: { team: '{team}' } }\n  \
                    records: { path: data.items, unwrap: event }\n  id: [meta.id, meta.part]\n  time: at\n";

#[test]
fn every_construct_of_a_description_is_simulated() {
    let edges = "  time_filter: { since: { to: { query: from } }, until: { to: { query: to } } }\n  order: newest_first\n";
    for (credential, keys) in [
        (
            "`auth: { bearer: TOKEN }`",
            "  paging: { cursor: { from: X-Next, in: header, to: { query: after } } }\n",
        ),
        ("`auth: { query: { name: key, value: KEY } }`", "  paging: { next_url: { from: links.next } }\n"),
        ("`auth: { query: { name: key, value: KEY } }`", "  paging: { link: { rel: older } }\n"),
        (
            "`auth: { basic: { username: ID, password: KEY } }`",
            "  paging: { cursor: { from: id, in: last_record, to: { query: after } }, more: more }\n",
        ),
        (
            "`auth: { oauth2: { token_url: 'https://id.example.com/token', client_id: c, client_secret: SECRET } }`",
            "  paging: { page: { to: { query: page }, first: 0 }, page_size: { to: { query: size }, size: 50 } }\n",
        ),
        (
            "`auth: { headers: { X-Key: KEY, X-App: APP } }`",
            "  paging: { cursor: { from: next, to: { query: after }, path: /v1/more }, filter_first_page_only: true }\n",
        ),
        (
            "`auth: { bearer: TOKEN }`",
            "  paging: { offset: { to: { query: skip } } }\n  errors: [{ status: 200, path: error, kind: unavailable }]\n",
        ),
    ] {
        let tested =
            of_text(&format!("{KEYS}{edges}{keys}"), credential).unwrap_or_else(|wrong| panic!("{wrong}"));
        let some =
            ["plain", "small_pages", "killed_at_random", "wrong_key_heals", "spoiled_error_as_success"];
        let report = tested.examine(|hazard| some.contains(&hazard), |_, _| {});
        assert!(report.failed().is_empty(), "{keys}{report}");
    }
    let lines = "  url: https://api.example.com\n  request: { path: /v1/events, method: POST, body: { kind: { of: audit } } }\n  \
                 records: { format: ndjson }\n  paging: { bound: {}, page_size: { to: { body: page.limit }, size: 100 } }\n  \
                 time_filter: { since: { to: { body: from.at }, format: epoch_ms }, until: { to: { body: to }, format: epoch_ms }, granularity: second }\n  \
                 order: oldest_first\n  errors: [{ status: 422, contains: too old, kind: retention }, { status: 429, contains: quota, kind: quota }]\n";
    let tested = of_text(lines, "`auth: { bearer: TOKEN }`").unwrap_or_else(|wrong| panic!("{wrong}"));
    let some = ["plain", "gap_is_told", "quota", "ties_over_page_edges", "killed_at_random"];
    let report = tested.examine(|hazard| some.contains(&hazard), |_, _| {});
    assert!(report.cases.iter().all(|(_, ended)| *ended == Ended::Passed), "{report}");
}

#[test]
fn what_cannot_be_simulated_is_told() {
    let paging = "  paging: { none: {} }\n";
    let wrong = of_text(&format!("{KEYS}{paging}"), "a token").err().unwrap();
    assert!(
        wrong.contains("does not say how its credential is sent") && wrong.contains("in backticks"),
        "{wrong}"
    );
    let same = KEYS.replace("[meta.id, meta.part]", "at");
    let wrong = of_text(&format!("{same}{paging}"), "`auth: { bearer: TOKEN }`").err().unwrap();
    assert!(wrong.contains("`id` is `at`, which is the `time` as well"), "{wrong}");
    let wrong =
        of_text(&format!("{KEYS}  paging: {{ none: {{}}, link: {{}} }}\n"), "`auth: { bearer: TOKEN }`")
            .err()
            .unwrap();
    assert!(wrong.contains("`paging`") && wrong.contains("mine.yaml:"), "{wrong}");
}
