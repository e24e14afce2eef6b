//! The good API is as documented.

use simulator::*;

use crate::support::{LOGS, error_name, ids_of, start};

#[tokio::test(flavor = "multi_thread")]
async fn the_good_api_is_the_documented_one() {
    let (api, mut client) = start(1000, Faults::none()).await;
    let all = ids_of(&api);
    assert_eq!(all.len(), 1000);

    let first = client.page("/audit/logs?limit=500");
    assert_eq!(first.ids(), all[..300], "newest first, 300 at most");
    assert_eq!(first.cursor, Some(all[300].to_string()), "the id of the next older record");
    let raw = client.get("/audit/logs?limit=500").unwrap();
    assert_eq!(raw.headers["content-type"], "application/json; charset=utf-8");
    assert!(raw.headers["date"].starts_with("Fri, 20 Nov 2026 12:0"), "{}", raw.headers["date"]);
    assert!(raw.body.ends_with(format!("],\"nextCursor\":{}}}", all[300]).as_bytes()), "a number");
    for record in first.values() {
        let time = record["timestamp"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with(".000Z"), "{time}");
    }

    assert_eq!(client.walk(LOGS), (all.clone(), 10));
    let mut rising = all.clone();
    rising.reverse();
    for order in ["orderBy", "order_by"] {
        assert_eq!(client.walk(&format!("{LOGS}&{order}=asc")), (rising.clone(), 10));
    }

    // One record per 604.8 s, so a day holds 142 or 143.
    let (day, _) = client.walk(&format!("{LOGS}&since=2026-11-15&until=2026-11-16T00:00:00.000Z"));
    assert!((142..=143).contains(&day.len()), "{}", day.len());
    let (logins, _) = client.walk(&format!("{LOGS}&action=user.login_sso_success"));
    assert!((50..300).contains(&logins.len()), "{}", logins.len());
    let (system, _) = client.walk(&format!("{LOGS}&userId=2"));
    assert!((5..100).contains(&system.len()), "{}", system.len());

    for (target, status, name) in [
        ("/audit/logs?action=login", 400, "InvalidAuditAction"),
        ("/audit/logs?since=yesterday", 400, "invalidParamsError"),
        ("/audit/logs?since=2025-11-20", 400, "invalidParamsError"),
        ("/audit/logs?cursor=nonsense", 400, "invalidCursorError"),
        ("/audit/log", 404, "instanceNotFoundError"),
    ] {
        let response = client.get(target).unwrap();
        assert_eq!((response.status, error_name(&response).as_str()), (status, name), "{target}");
    }
    let old = client.get("/audit/logs?since=2025-11-20").unwrap();
    assert!(String::from_utf8(old.body).unwrap().contains("cannot be older than"));

    let actions: serde_json::Value =
        serde_json::from_slice(&client.get("/audit-actions").unwrap().body).unwrap();
    assert!(actions.as_array().unwrap().len() > 80);
    assert_eq!(actions[0]["name"], "team.name_updated");
    assert_eq!(client.get("/me").unwrap().status, 200);

    for key in ["", "PMAK-wrong"] {
        client.key = key.to_owned();
        let response = client.get(LOGS).unwrap();
        assert_eq!(response.status, 401, "{key}");
    }
    api.rotate_key("PMAK-new");
    client.key = "PMAK-new".to_owned();
    assert_eq!(client.get(LOGS).unwrap().status, 200);
    api.refuse_key();
    assert_eq!(client.get(LOGS).unwrap().status, 401);

    let log = api.requests();
    assert_eq!(log[0].query, "limit=500");
    assert_eq!((log[0].key, log[0].status, log[0].records), (Some(true), 200, 300));
    assert_eq!(log.last().unwrap().key, Some(false));
    assert!(!format!("{log:?}").contains("PMAK"));
}
