//! What a user writes in an `audit_logs` block, and its check.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use http_client::{ClientSettings, Proxy, Url, endpoint};
use pipeline::Timestamp;
use poll::Start;
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{HumanDuration, Invalid, Secret, Tls};

use crate::api::Api;
use crate::auth::{Auth, AuthConfig, Prepared};
use crate::describe::{
    ErrorConfig, OneOrMany, OrderName, PagingConfig, RecordsConfig, RequestConfig, ResumeName,
    TimeFilterConfig,
};
use crate::vendor::{Vendor, Voice};
use http_client::delivery::Secrets as _;

/// Collects an audit log over HTTP, as described: how to ask for a page, where its records are, how the next page is
/// asked for, and how time is filtered.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditLogsConfig {
    /// Where the API begins: origin and, where there is one, a path that all requests share. Plain `http://` only to this
    /// machine.
    pub url: String,
    /// Values for `{name}` in `request.path`, `request.query`, `request.headers` and `request.body`.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The credential.
    pub auth: AuthConfig,
    /// How a page is asked for.
    pub request: RequestConfig,
    /// Where the records of a page are.
    #[serde(default)]
    pub records: RecordsConfig,
    /// How the next page is asked for, and what the last one is told by.
    pub paging: PagingConfig,
    /// How a stretch of time is asked for. Without it every poll reads the whole log, and what was delivered is
    /// remembered for ever.
    #[serde(default)]
    pub time_filter: Option<TimeFilterConfig>,
    /// In which order the API answers the request as described. Wrong is worse than `unordered`, which only costs
    /// requests.
    #[serde(default)]
    pub order: OrderName,
    /// What collection goes on from.
    #[serde(default)]
    pub resume: ResumeName,
    /// The member with a record's id, or several that are an id together. `content` where records have none: then the whole
    /// record is. A member that is called so is written `'"content"'`.
    #[serde(default = "defaults::id")]
    pub id: OneOrMany,
    /// The member with a record's time; of several the first that can be read. RFC 3339 with or without fraction and offset,
    /// a date, or seconds or milliseconds since 1970.
    #[serde(default = "defaults::time")]
    pub time: OneOrMany,
    /// The member that tells whose log a record is of. A key of somebody else's log is then refused.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Members that tell how things stand when the API is asked, not when the event happened. A record in which nothing else
    /// has changed is not delivered again.
    #[serde(default)]
    pub volatile: Vec<String>,
    /// How long the API keeps its log. What is older is not asked for.
    #[serde(default)]
    pub retention: Option<HumanDuration>,
    /// What answers mean, where their status does not say it: the first that fits counts.
    #[serde(default)]
    pub errors: Vec<ErrorConfig>,
    /// Lower bound on event time, at the first run only: `all` (as far back as the API keeps), `now`, an age such as `7d`,
    /// or a moment such as `2026-11-01T00:00:00Z`.
    #[serde(default = "defaults::start")]
    pub start: String,
    /// Pause between two polls of the newest entries; at least 1s.
    #[serde(default = "defaults::poll_interval")]
    pub poll_interval: HumanDuration,
    /// Most requests in any minute; fewer are made when the API's answers say so.
    #[serde(default = "defaults::requests_per_minute")]
    pub requests_per_minute: NonZeroU32,
    /// Proxy, `http://[user:password@]host:port`. Without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.
    #[serde(default)]
    pub proxy: Option<Secret>,
    /// Trust and client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Longest time for one request.
    #[serde(default = "defaults::timeout")]
    pub timeout: HumanDuration,
    /// How far each poll reads back behind the newest entry, for entries that appear late.
    #[serde(default = "defaults::overlap")]
    pub overlap: HumanDuration,
    /// A second look, further back and less often, for entries that appear very late.
    #[serde(default)]
    pub resweep: ResweepConfig,
}

/// A second look, further back and less often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResweepConfig {
    /// How often.
    pub every: HumanDuration,
    /// How far back.
    pub over: HumanDuration,
}

impl Default for ResweepConfig {
    fn default() -> Self {
        Self { every: Duration::from_secs(3600).into(), over: Duration::from_secs(24 * 3600).into() }
    }
}

/// A checked [`AuditLogsConfig`].
#[derive(Clone, Debug)]
pub struct AuditLogsSettings {
    pub(crate) url: Url,
    pub(crate) api: Api,
    pub(crate) auth: Auth,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) client: ClientSettings,
    pub(crate) start: Start,
    /// As the user wrote it.
    pub(crate) start_text: String,
    pub(crate) requests_per_minute: NonZeroU32,
    pub(crate) policy: poll::Policy,
    pub(crate) vendor: Option<Vendor>,
}

fn read_start(text: &str) -> Option<Start> {
    match text {
        "all" => Some(Start::All),
        "now" => Some(Start::Now),
        _ => match text.parse::<HumanDuration>() {
            Ok(age) => Some(Start::Ago(age.get())),
            Err(_) => Timestamp::read(text).map(Start::At),
        },
    }
}

/// The limiter remembers each request of the last minute.
const MOST_REQUESTS: u32 = 60_000;

impl AuditLogsConfig {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<AuditLogsSettings, Vec<Invalid>> {
        let mut wrong = self.wrong_numbers();
        let mut take = |invalid: Invalid| wrong.push(invalid);
        let start = read_start(&self.start);
        let url = endpoint(&self.url)
            .map_err(|error| take(Invalid::new("url", format!("is {error}"), error.remedy())))
            .ok();
        let proxy = self.proxy.as_ref().map(|proxy| Proxy::read(proxy.expose())).transpose();
        let proxy = proxy.map_err(|e| {
            take(Invalid::new(
                "proxy",
                format!("is {e}"),
                "write `http://host:port`, SOCKS is not supported",
            ));
        });
        if let Err(invalid) = self.tls.validate() {
            take(invalid.under("tls"));
        }
        let prepared = self.auth.prepare().map_err(|invalid| wrong.extend(invalid)).ok();
        let api = Api::read(self).map_err(|invalid| wrong.extend(invalid)).ok();
        match (url, proxy, start, prepared, api) {
            (Some(url), Ok(proxy), Some(start), Some(prepared), Some(api)) if wrong.is_empty() => {
                Ok(AuditLogsSettings {
                    policy: self.policy(),
                    url,
                    api,
                    auth: Auth { config: self.auth.clone(), key: None },
                    prepared: Arc::new(prepared),
                    client: ClientSettings {
                        tls: self.tls.clone(),
                        proxy,
                        timeout: self.timeout.get(),
                        ..ClientSettings::default()
                    },
                    start,
                    start_text: self.start.clone(),
                    requests_per_minute: self.requests_per_minute,
                    vendor: None,
                })
            }
            _ => Err(wrong),
        }
    }

    fn wrong_numbers(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        let mut require = |good: bool, key: &str, message: &str, remedy: &str| {
            if !good {
                wrong.push(Invalid::new(key, message, remedy));
            }
        };
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        require(self.poll_interval.get() >= second, "poll_interval", "is below 1s", "write `1s` or more");
        require(
            (second..=hour).contains(&self.timeout.get()),
            "timeout",
            "is not between 1s and 1h",
            "write a time such as `90s`",
        );
        require(
            self.requests_per_minute.get() <= MOST_REQUESTS,
            "requests_per_minute",
            "is above 60000",
            "write at most `60000`",
        );
        let (every, over) = (self.resweep.every.get(), self.resweep.over.get());
        require(every >= second, "resweep.every", "is below 1s", "write a time such as `1h`");
        require(
            over >= every,
            "resweep.over",
            "is shorter than `resweep.every`, so that the time between two re-sweeps is never looked at again",
            "make it a multiple of `resweep.every`, such as `24h`",
        );
        require(
            over >= self.overlap.get(),
            "overlap",
            "is longer than `resweep.over`, so that a re-sweep would find nothing more",
            "write a shorter time such as `15m`, or a longer `resweep.over`",
        );
        require(
            read_start(&self.start).is_some(),
            "start",
            "is neither `all`, `now`, an age nor a moment",
            "write `all`, `now`, an age such as `7d`, or a moment such as `2026-11-01T00:00:00Z`",
        );
        let kept = self.retention.map_or(Duration::MAX, HumanDuration::get);
        require(
            kept >= hour,
            "retention",
            "is below 1h",
            "write how long the API keeps its log, such as `90d`",
        );
        require(
            over <= kept,
            "resweep.over",
            "is longer than `retention`, so that a re-sweep would ask for what is gone",
            "write a shorter time such as `24h`",
        );
        let Some(filter) = &self.time_filter else { return wrong };
        let settle = filter.settle.get();
        require(
            settle <= self.overlap.get(),
            "time_filter.settle",
            "is longer than `overlap`",
            "write a longer `overlap`: what settles late is read by the poll after it",
        );
        let span = filter.max_span.map_or(Duration::MAX, HumanDuration::get);
        let least = 2 * over.saturating_add(self.overlap.get());
        require(
            span >= least.max(2 * hour),
            "time_filter.max_span",
            "is shorter than twice `resweep.over` and `overlap` together, so that a re-sweep would not fit",
            "write a shorter `resweep.over` and `overlap`",
        );
        let bounded = self.retention.is_some() || !matches!(self.start.as_str(), "all");
        let needs_start =
            filter.max_span.is_some() || filter.since.as_ref().is_some_and(|since| since.required);
        require(
            bounded || !needs_start,
            "start",
            "is `all`, but the API must be told where to begin, and nothing says how far back it keeps",
            "write `retention`, how long the API keeps its log, or a `start` such as `30d`",
        );
        wrong
    }

    fn policy(&self) -> poll::Policy {
        let filter = self.time_filter.as_ref();
        let settle = filter.map_or(Duration::ZERO, |filter| filter.settle.get());
        let since = filter.and_then(|filter| filter.since.as_ref());
        let until = filter.and_then(|filter| filter.until.as_ref());
        let closed = until.is_some_and(|until| until.required) || !settle.is_zero();
        poll::Policy {
            overlap: self.overlap.get(),
            resweep_every: self.resweep.every.get(),
            resweep_over: self.resweep.over.get(),
            poll_interval: self.poll_interval.get(),
            retention: self.retention.map(HumanDuration::get),
            order: self.order.into(),
            granularity: filter.map_or(poll::Granularity::Unknown, TimeFilterConfig::poll_granularity),
            filter: match (since, until) {
                (None, _) => poll::TimeFilter::None,
                (Some(_), None) => poll::TimeFilter::Since,
                (Some(_), Some(_)) if closed => poll::TimeFilter::Closed { settle },
                (Some(_), Some(_)) => poll::TimeFilter::Window,
            },
            max_span: filter.and_then(|filter| filter.max_span).map(HumanDuration::get),
            resume: self.resume.into(),
            ..poll::Policy::default()
        }
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self, now: Timestamp) -> Vec<Invalid> {
        let mut doubts = Vec::new();
        let mut doubt =
            |key: &str, message: &str, remedy: &str| doubts.push(Invalid::new(key, message, remedy));
        let start = read_start(&self.start);
        if let Some(Start::At(start)) = start
            && start > now
        {
            doubt(
                "start",
                "is in the future: nothing is collected until then",
                "write `now`, or a moment in the past",
            );
        }
        let age = match start {
            Some(Start::At(start)) => now.since(start),
            Some(Start::Ago(age)) => age,
            Some(Start::All | Start::Now) | None => Duration::ZERO,
        };
        if let Some(kept) = self.retention.filter(|kept| age > kept.get()) {
            let message = format!("is before what the API keeps, {kept}: the rest is reported as a gap");
            doubt("start", &message, "write `all`");
        }
        let is_filtered = self.time_filter.as_ref().is_some_and(|filter| filter.since.is_some());
        if !is_filtered && self.resume == ResumeName::Window && self.order != OrderName::NewestFirst {
            doubt(
                "time_filter",
                "is missing, so that every poll reads the whole log",
                "describe how the API filters by time, or ask it for the newest first and write `order: newest_first`",
            );
        }
        doubts
    }
}

impl AuditLogsSettings {
    /// A position that an operator has written for this source, as it is saved.
    ///
    /// # Errors
    /// It cannot be read, makes no sense, or is another place's.
    pub fn position(&self, written: &pipeline::Position) -> Result<pipeline::Position, poll::OpenError> {
        poll::position::accepted(written, &self.identity())
    }

    /// Makes these the settings of a source of its own type, whose users see nothing of the description.
    #[must_use]
    pub fn of_vendor(mut self, vendor: Vendor) -> Self {
        self.auth.key = Some(vendor.credential);
        self.vendor = Some(vendor);
        self
    }

    /// Whose positions this source takes up: the log at that place, with what the path and the fixed filters say.
    pub(crate) fn identity(&self) -> poll::Identity {
        match &self.vendor {
            Some(vendor) => poll::Identity { source: vendor.kind.to_owned(), host: vendor.host.clone() },
            None => poll::Identity {
                source: KIND.to_owned(),
                host: format!("{}{}", self.host(), self.api.place(&self.url)),
            },
        }
    }

    /// Where a credential counts.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host(), self.url.port_or_known_default().unwrap_or_default())
    }

    fn host(&self) -> &str {
        match &self.vendor {
            Some(vendor) => &vendor.host,
            None => self.url.host_str().unwrap_or_default(),
        }
    }

    /// How the source speaks of its API.
    pub(crate) fn voice(&self) -> &Voice {
        self.vendor.as_ref().map_or(&Voice::DESCRIBED, |vendor| &vendor.voice)
    }
}

/// The type of a source whose users describe its API.
pub(crate) const KIND: &str = "audit_logs";

impl fmt::Display for AuditLogsSettings {
    /// For people: `https://api.example.com, from all that it keeps, every 1m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", http_client::origin(&self.url))?;
        match self.start {
            Start::All => f.write_str("all that it keeps")?,
            Start::Now => f.write_str("from the first run on")?,
            Start::Ago(age) => write!(f, "from {} before the first run on", HumanDuration::from(age))?,
            Start::At(moment) => write!(f, "from {moment} on")?,
        }
        write!(f, ", every {}", HumanDuration::from(self.policy.poll_interval))
    }
}

mod defaults {
    use super::{Duration, HumanDuration, NonZeroU32, OneOrMany};

    pub(super) fn id() -> OneOrMany {
        "id".to_owned().into()
    }

    pub(super) fn time() -> OneOrMany {
        "created_at".to_owned().into()
    }

    pub(super) fn start() -> String {
        "all".to_owned()
    }

    pub(super) fn poll_interval() -> HumanDuration {
        Duration::from_secs(60).into()
    }

    pub(super) fn requests_per_minute() -> NonZeroU32 {
        NonZeroU32::MIN.saturating_add(59)
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

    #[test]
    fn starts_are_read() {
        let moment = Timestamp::read("2026-11-01T00:00:00Z").unwrap();
        for (text, start) in [
            ("all", Some(Start::All)),
            ("now", Some(Start::Now)),
            ("7d", Some(Start::Ago(Duration::from_secs(7 * 86_400)))),
            ("2026-11-01T00:00:00Z", Some(Start::At(moment))),
            ("2026-11-01", Some(Start::At(moment))),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(read_start(text), start, "{text}");
        }
    }
}
