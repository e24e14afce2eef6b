//! A simulated API, and somebody who asks it.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use simulator::*;

use crate::client::{Client, Response};

pub(crate) const LOGS: &str = "/audit/logs?limit=100";

/// 2026-11-20T12:00:00Z
pub(crate) fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_176_000)
}

pub(crate) async fn start(events: usize, faults: Faults) -> (Postman, Client) {
    let builder = Postman::builder().seed(7).events(events).clock(noon()).faults(faults);
    let api = builder.start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let client = Client::new(&api);
    (api, client)
}

pub(crate) fn ids_of(api: &Postman) -> Vec<u64> {
    api.all_ids().iter().map(|id| id.parse().unwrap()).collect::<BTreeSet<_>>().into_iter().rev().collect()
}

/// The server has noted all that it has sent when it answers the next request of the connection.
pub(crate) fn noted(client: &mut Client) {
    drop(client.get("/me"));
}

pub(crate) fn error_name(response: &Response) -> String {
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    body["error"]["name"].as_str().or(body["title"].as_str()).unwrap().to_owned()
}
