//! What is wrong with a mapping, in the words that a user reads.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use transform::MappingConfig;

#[test]
fn what_is_wrong_is_said_with_its_key_and_what_would_be_right() {
    let cases: [Value; 11] = [
        json!({"vendor": "", "product": " ", "module": "Acme-1", "dataset": "Acme Audit", "base_url": "api.example.com"}),
        json!({"module": "user", "dataset": "x".repeat(101)}),
        json!({"module": "acme", "dataset": "other.audit"}),
        json!({"module": "", "dataset": "", "base_url": "https://x.example/?a"}),
        json!({"fields": {"id": "a..b", "time": ["ok", ""], "actor": {"name": "a b. c"}, "target": {"id": "l.100"}}}),
        json!({"fields": {"action": [], "message": vec!["a"; 101]}}),
        json!({"actor_types": {"person": ["human", "APP"], "system": ["robot", "Human"]}, "outcomes": {"failure": ["ok"]}}),
        json!({"actions": [
            {"match": "", "class": "authentication"},
            {"match": "user.*", "class": "group_management", "activity": "add_usr"},
            {"match": "User.login*", "class": "authentication", "activity": "logon"},
            {"match": "a", "activity": "create"},
            {"match": "b"},
            {"match": "c", "class": "api_activity", "activity": "logon"},
            {"match": "d", "class": "base_event", "activity": "unknown"},
        ]}),
        json!({"actions": [{"match": "*", "severity": "low"}, {"match": "x", "severity": "high"}]}),
        json!({"actions": [{"match": "x", "class": "account_change", "activity": "Create"}]}),
        json!({"action_names": {"": "nothing", "1000": " ", "1001": "user.logged_out"}}),
    ];
    let mut found = String::new();
    for case in &cases {
        let config: MappingConfig = serde_json::from_value(case.clone()).unwrap();
        let wrong = config.validate("acme").unwrap_err();
        for invalid in wrong {
            let invalid = invalid.under("mapping");
            writeln!(found, "{invalid}\n    {}", invalid.remedy).unwrap();
        }
        found.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mapping_errors.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, &found).unwrap();
    }
    assert!(found == fs::read_to_string(&path).unwrap_or_default(), "{} is not\n{found}", path.display());
}

#[test]
fn words_and_keys_that_there_are_not_are_refused_on_reading() {
    for (config, message) in [
        (json!({"actions": [{"match": "x", "class": "api"}]}), "unknown variant `api`"),
        (json!({"actions": [{"match": "x", "severity": "worst"}]}), "unknown variant `worst`"),
        (json!({"fields": {"actor": {"uid": "x"}}}), "unknown field `uid`"),
        (json!({"fields": {"id": 7}}), "a path or a list of paths"),
    ] {
        let error = serde_json::from_value::<MappingConfig>(config).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}
