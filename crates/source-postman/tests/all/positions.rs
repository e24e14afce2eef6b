//! Which saved positions are taken up.

use pipeline::SourceError;
use source_postman::Account;

use crate::driver::{Run, wiring};

#[tokio::test(start_paused = true)]
async fn both_names_of_the_api_are_one_place_and_other_hosts_are_not() {
    let open = |url: &str, resume| {
        let config = format!(r#"{{"api_key": "PMAK-1", "url": "{url}"}}"#);
        let config: source_postman::PostmanConfig = serde_json::from_str(&config).unwrap();
        Run::open(Account::new(config.validate().unwrap(), wiring()), resume)
    };
    let position = open("https://api.getpostman.com", None).await.unwrap().progress.unwrap().position;
    assert!(open("https://api.postman.com", Some(position.clone())).await.is_ok());
    let Err(SourceError::Fatal { remedy, .. }) = open("https://api.eu.postman.com", Some(position)).await
    else {
        panic!()
    };
    assert!(remedy.contains("another place"), "{remedy}");
    let newer = pipeline::Position::from_json(r#"{"version": 99}"#).unwrap();
    let Err(SourceError::Fatal { remedy, .. }) = open("https://api.postman.com", Some(newer)).await else {
        panic!()
    };
    assert!(remedy.contains("newer Towpath"), "{remedy}");
}

/// As the first version wrote it; whoever changes this loses what users have collected.
#[tokio::test(start_paused = true)]
async fn a_position_of_the_first_version_is_taken_up_as_it_is() {
    let saved = r#"{"version":1,"source":"postman","host":"api.getpostman.com","tenant":"1234",
        "start":"2026-11-02T20:18:23.753Z","complete_until":"2026-11-22T20:18:23.000Z","newest":"2026-11-22T20:18:23.000Z",
        "swept_until":"2026-11-22T20:18:23.000Z","history":[],"walks":[]}"#
        .replace("\n        ", "");
    let position = pipeline::Position::from_json(&saved).unwrap();
    let config: source_postman::PostmanConfig = serde_json::from_str(r#"{"api_key": "PMAK-1"}"#).unwrap();
    let settings = config.validate().unwrap();
    assert_eq!(settings.position(&position).unwrap().as_str(), saved);
    let run = Run::open(Account::new(settings, wiring()), Some(position)).await.unwrap();
    assert_eq!(run.progress.unwrap().position.as_str(), saved);
}
