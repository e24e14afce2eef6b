//! What a user writes in a `postman` block, and its check.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use pipeline::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{HumanDuration, Invalid, Secret, Tls};
use source_audit_logs::{AuditLogsSettings, ResweepConfig};

use crate::description::{self, RETENTION};
use crate::{address, quota};

/// Collects Postman's team audit log (`GET /audit/logs`). Needs a team on the Enterprise plan.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostmanConfig {
    /// API key of a Team Admin or Super Admin, or of a service account with the Team Admin role: `PMAK-…`.
    pub api_key: Secret,
    /// Postman's API. Teams whose data is in the EU use `https://api.eu.postman.com`. Plain `http://` only to this machine.
    #[serde(default = "defaults::url")]
    pub url: String,
    /// Lower bound on event time, at the first run only: `all` (as far back as Postman keeps, 180 days), `now`, an age
    /// such as `7d`, or a moment such as `2026-11-01T00:00:00Z`.
    #[serde(default = "defaults::start")]
    pub start: String,
    /// Pause between two polls of the newest entries; at least 1s.
    #[serde(default = "defaults::poll_interval")]
    pub poll_interval: HumanDuration,
    /// Most requests in any minute. Postman grants 300 to a user, shared with that user's other tools; fewer are made
    /// when its answers say so.
    #[serde(default = "defaults::requests_per_minute")]
    pub requests_per_minute: NonZeroU32,
    /// Proxy, `http://[user:password@]host:port`. Without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.
    #[serde(default)]
    pub proxy: Option<Secret>,
    /// Trust and client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Longest time for one request. Postman takes its time over large teams.
    #[serde(default = "defaults::timeout")]
    pub timeout: HumanDuration,
    /// How far each poll reads back behind the newest entry, for entries that appear late.
    #[serde(default = "defaults::overlap")]
    pub overlap: HumanDuration,
    /// A second look, further back and less often, for entries that appear very late.
    #[serde(default)]
    pub resweep: ResweepConfig,
    /// How the time filter is written. `auto` writes a date and time, and a date alone once Postman has refused that.
    #[serde(default)]
    pub since_format: SinceFormat,
}

/// How the `since` parameter is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SinceFormat {
    /// `datetime`, and `date` once that was refused.
    #[default]
    Auto,
    /// `2026-11-20T10:00:00.000Z`, as Postman documented until 2021 and collectors send to this day.
    Datetime,
    /// `2026-11-20`, as Postman documents since 2022. A poll then reads the whole day again.
    Date,
}

/// A checked [`PostmanConfig`].
#[derive(Clone, Debug)]
pub struct PostmanSettings {
    pub(crate) log: AuditLogsSettings,
    poll_interval: Duration,
    resweep_every: Duration,
}

impl PostmanConfig {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<PostmanSettings, Vec<Invalid>> {
        let mut wrong = self.wrong_for_postman();
        let url = address::read(&self.url).map_err(|invalid| wrong.push(invalid));
        let log = description::of(self).validate().map_err(|found| {
            // What is said in Postman's words is not said again in those of a description that its users do not see.
            let is_said = |found: &Invalid| {
                found.path.starts_with("auth.") || wrong.iter().any(|said| said.path == found.path)
            };
            let others: Vec<Invalid> = found.into_iter().filter(|found| !is_said(found)).collect();
            wrong.extend(others);
        });
        match (url, log) {
            (Ok(url), Ok(log)) if wrong.is_empty() => Ok(PostmanSettings {
                log: log.of_vendor(description::vendor(&url)),
                poll_interval: self.poll_interval.get(),
                resweep_every: self.resweep.every.get(),
            }),
            _ => Err(wrong),
        }
    }

    /// What can be said more exactly of Postman than of any API.
    fn wrong_for_postman(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        let mut require = |good: bool, key: &str, message: &str, remedy: &str| {
            if !good {
                wrong.push(Invalid::new(key, message, remedy));
            }
        };
        require(!self.api_key.expose().trim().is_empty(), "api_key", "is empty", MAKE_A_KEY);
        require(
            http_client::secret_header("api_key", &self.api_key).is_ok(),
            "api_key",
            "holds a line break or another character that no header can carry",
            "copy the key again, without what stands around it",
        );
        require(
            self.requests_per_minute.get() <= MOST_REQUESTS,
            "requests_per_minute",
            "is above 60000",
            "write at most `60000`; Postman itself grants 300",
        );
        require(
            self.resweep.over.get() <= RETENTION,
            "resweep.over",
            "is longer than the 180 days that Postman keeps",
            "write a time such as `24h`",
        );
        wrong
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self, now: Timestamp) -> Vec<Invalid> {
        let mut doubts = Vec::new();
        let mut doubt =
            |key: &str, message: &str, remedy: &str| doubts.push(Invalid::new(key, message, remedy));
        if !self.api_key.expose().starts_with("PMAK-") {
            doubt("api_key", "does not look like a Postman API key, which starts with `PMAK-`", MAKE_A_KEY);
        }
        doubts.extend(description::of(self).warnings(now));
        if self.requests_per_minute.get() > 300 {
            let message = "is above the 300 that Postman grants to a user";
            doubts.push(Invalid::new("requests_per_minute", message, "write `240`"));
        }
        doubts.extend(address::doubt(&self.url));
        doubts.extend(quota::doubt(&self.url, self.poll_interval.get(), self.resweep.every.get()));
        doubts
    }
}

impl PostmanSettings {
    /// Requests in a month when little happens, held against what Postman's plans grant; for people.
    pub fn cost(&self) -> String {
        quota::cost(self.poll_interval, self.resweep_every)
    }

    /// A position that an operator has written for this source, as it is saved.
    ///
    /// # Errors
    /// It cannot be read, makes no sense, or is another place's.
    pub fn position(&self, written: &pipeline::Position) -> Result<pipeline::Position, poll::OpenError> {
        self.log.position(written)
    }
}

impl fmt::Display for PostmanSettings {
    /// For people: `https://api.getpostman.com, all that it keeps, every 1m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log.fmt(f)
    }
}

/// The limiter remembers each request of the last minute.
const MOST_REQUESTS: u32 = 60_000;

const MAKE_A_KEY: &str = "a Team Admin makes one in Postman under Settings, API keys";

mod defaults {
    use super::{Duration, HumanDuration, NonZeroU32};

    pub(super) fn url() -> String {
        "https://api.getpostman.com".to_owned()
    }

    pub(super) fn start() -> String {
        "all".to_owned()
    }

    pub(super) fn poll_interval() -> HumanDuration {
        Duration::from_secs(60).into()
    }

    pub(super) fn requests_per_minute() -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(239)
    }

    pub(super) fn timeout() -> HumanDuration {
        Duration::from_secs(90).into()
    }

    pub(super) fn overlap() -> HumanDuration {
        Duration::from_secs(15 * 60).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> PostmanConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_key_is_all_it_takes() {
        let settings = config(r#"{"api_key": "PMAK-1"}"#).validate().unwrap();
        assert_eq!(settings.to_string(), "https://api.getpostman.com, all that it keeps, every 1m");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_without_the_secrets() {
        let wrong = config(
            r#"{"api_key": "PMAK-s3cret\n", "url": "http://api.getpostman.com", "start": "soon", "poll_interval": "10ms",
                "requests_per_minute": 60001, "proxy": "socks5://u:s3cret@p:1", "tls": {"cert_file": "c.pem"},
                "timeout": "0s", "overlap": "2d", "resweep": {"every": "2h", "over": "1h"}}"#,
        )
        .validate()
        .unwrap_err();
        let mut keys: Vec<_> = wrong.iter().map(|invalid| invalid.path.as_str()).collect();
        keys.sort_unstable();
        let expected = [
            "api_key",
            "overlap",
            "poll_interval",
            "proxy",
            "requests_per_minute",
            "resweep.over",
            "start",
            "timeout",
            "tls.cert_file",
            "url",
        ];
        assert_eq!(keys, expected);
        assert!(!format!("{wrong:?}").contains("s3cret"));
        assert!(wrong.iter().any(|invalid| invalid.message.contains("send the key in clear")));
    }

    #[test]
    fn what_is_hardly_meant_is_doubted() {
        let now = Timestamp::read("2026-11-20").unwrap();
        let keys = |json| -> Vec<String> {
            config(json).warnings(now).into_iter().map(|doubt| doubt.path).collect()
        };
        assert_eq!(keys(r#"{"api_key": "PMAK-1"}"#), [""; 0]);
        assert_eq!(
            keys(r#"{"api_key": "abc", "start": "2026-12-01", "requests_per_minute": 301}"#),
            ["api_key", "start", "requests_per_minute"]
        );
        assert_eq!(keys(r#"{"api_key": "PMAK-1", "poll_interval": "1s"}"#), ["poll_interval"]);
        assert_eq!(keys(r#"{"api_key": "PMAK-1", "url": "https://gateway.example/postman"}"#), ["url"]);
        assert_eq!(keys(r#"{"api_key": "PMAK-1", "start": "365d"}"#), ["start"]);
        assert_eq!(keys(r#"{"api_key": "PMAK-1", "start": "2026-05-01"}"#), ["start"]);
        assert_eq!(keys(r#"{"api_key": "PMAK-1", "start": "2026-06-01"}"#), [""; 0]);
    }
}
