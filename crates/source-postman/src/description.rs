//! Postman's API as a description: `GET /audit/logs`, newest first, `{"trails": [...], "nextCursor": ...}`; and what its answers
//! mean that are no page. It speaks two dialects, also at one endpoint: `{"error": {"name", "message"}}` and RFC 9457
//! `{"type", "title", "detail", "status"}`; what stands in front of it (proxies, gateways) speaks HTML.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use http_client::Url;
use source_audit_logs::{
    AuditLogsConfig, AuthConfig, CursorConfig, EdgeConfig, ErrorConfig, ErrorKind, MethodName, OneOrMany,
    OrderName, PageSizeConfig, PagingConfig, ParameterConfig, PlaceName, RecordsConfig, RequestConfig,
    ResumeName, TimeFilterConfig, TimeFormat, Vendor, Voice,
};

use crate::config::{PostmanConfig, SinceFormat};

/// How long Postman keeps audit logs on the Enterprise plan (Postman Learning Center, "Audit logs").
pub(crate) const RETENTION: Duration = Duration::from_secs(180 * 86_400);

/// The largest page that Postman's documentation allows.
const MOST_RECORDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(299);

/// Members that tell how things stand when Postman is asked, not when the event happened.
const VOLATILE: &str = "data.actor.active";

/// Words by which a 403 says that the plan, or the region, has no audit log.
const OF_THE_PLAN: [&str; 4] = ["region", "plan", "upgrade", "feature"];

const QUOTA: &str = "the team's monthly API quota is used up: raise it in Postman, or wait for the next month; a longer \
                     `poll_interval` needs fewer calls";

/// The API that a configuration asks for.
pub(crate) fn of(config: &PostmanConfig) -> AuditLogsConfig {
    AuditLogsConfig {
        url: config.url.clone(),
        variables: BTreeMap::new(),
        auth: AuthConfig::Headers([("X-API-Key".to_owned(), config.api_key.clone())].into()),
        request: RequestConfig {
            method: MethodName::GET,
            path: "/audit/logs".to_owned(),
            query: [("orderBy".to_owned(), "desc".to_owned())].into(),
            headers: BTreeMap::new(),
            body: BTreeMap::new(),
        },
        records: RecordsConfig { path: "trails".to_owned(), ..RecordsConfig::default() },
        paging: PagingConfig {
            // A number in every capture; in third-party descriptions it is in `meta`.
            cursor: Some(CursorConfig {
                from: OneOrMany::of("nextCursor", ["meta.nextCursor"]),
                place: PlaceName::Body,
                to: query("cursor"),
                alone: false,
                path: None,
            }),
            page_size: Some(PageSizeConfig { to: query("limit"), size: MOST_RECORDS }),
            ..PagingConfig::default()
        },
        time_filter: Some(TimeFilterConfig {
            since: Some(edge("since", config.since_format)),
            until: Some(edge("until", config.since_format)),
            // Whether a time is cut to its day, nobody says.
            granularity: None,
            max_span: None,
            settle: Duration::ZERO.into(),
        }),
        order: OrderName::NewestFirst,
        resume: ResumeName::Window,
        id: "id".to_owned().into(),
        time: "timestamp".to_owned().into(),
        tenant: Some("data.team.id".to_owned()),
        volatile: vec![VOLATILE.to_owned()],
        retention: Some(RETENTION.into()),
        errors: errors(is_eu(&config.url)),
        start: config.start.clone(),
        poll_interval: config.poll_interval,
        requests_per_minute: config.requests_per_minute,
        proxy: config.proxy.clone(),
        tls: config.tls.clone(),
        timeout: config.timeout,
        overlap: config.overlap,
        resweep: config.resweep,
    }
}

fn query(name: &str) -> ParameterConfig {
    ParameterConfig::Query(name.to_owned())
}

fn edge(parameter: &str, format: SinceFormat) -> EdgeConfig {
    let format = match format {
        SinceFormat::Auto => OneOrMany::of(TimeFormat::Rfc3339Ms, [TimeFormat::Date]),
        SinceFormat::Datetime => TimeFormat::Rfc3339Ms.into(),
        SinceFormat::Date => TimeFormat::Date.into(),
    };
    EdgeConfig { to: query(parameter), format, template: None, required: false }
}

fn is_eu(url: &str) -> bool {
    Url::parse(url.trim()).is_ok_and(|url| url.host_str().is_some_and(|host| host.contains(".eu.")))
}

/// What answers mean; the first that fits counts, and the status where none does.
fn errors(eu: bool) -> Vec<ErrorConfig> {
    let rule = |status, kind, remedy: Option<String>| ErrorConfig {
        status,
        header: None,
        path: None,
        equals: None,
        contains: None,
        message: None,
        kind,
        remedy,
    };
    let other = if eu { "https://api.getpostman.com" } else { "https://api.eu.postman.com" };
    let key = format!(
        "put a valid key into `api_key`: Postman does not know this one, or it was revoked; if the team's data lives in the \
         other region, set `url: {other}`"
    );
    let rights = "use the key of a Team Admin or Super Admin, or of a service account with the Team Admin role: this key is \
                  valid but may not read the audit log";
    let plan =
        "audit logs need Postman's Enterprise plan, and `url` of the team's region: ask the team's owner";
    let of_the_plan = |path: &str| ErrorConfig {
        path: Some(path.to_owned()),
        contains: Some(OneOrMany::of(OF_THE_PLAN[0], OF_THE_PLAN[1..].iter().copied())),
        ..rule(Some(403), ErrorKind::Plan, Some(plan.to_owned()))
    };
    let contains =
        |text: &str, rule: ErrorConfig| ErrorConfig { contains: Some(text.to_owned().into()), ..rule };
    vec![
        contains("serviceLimitExhausted", rule(None, ErrorKind::Quota, Some(QUOTA.to_owned()))),
        rule(Some(401), ErrorKind::Authentication, Some(key)),
        rule(Some(402), ErrorKind::Plan, Some(plan.to_owned())),
        contains("rateLimit", rule(Some(403), ErrorKind::RateLimit, None)),
        of_the_plan("error.message"),
        of_the_plan("detail"),
        rule(Some(403), ErrorKind::Permission, Some(rights.to_owned())),
        contains("cannot be older than", rule(Some(400), ErrorKind::Retention, None)),
        contains("cannot be older than", rule(Some(422), ErrorKind::Retention, None)),
    ]
}

/// What no description has: names, and the words for Postman's users.
pub(crate) fn vendor(url: &Url) -> Vendor {
    // The API has two names in the same region.
    let host = match url.host_str().unwrap_or_default() {
        "api.postman.com" => "api.getpostman.com",
        host => host,
    };
    Vendor {
        kind: "postman",
        host: host.to_owned(),
        credential: "api_key",
        voice: Voice {
            api: "Postman",
            names_keys: false,
            request: "check `url`: what answers there does not take the requests of Postman's API",
            no_page: "if it says so again, check `url` and `proxy`: something else than Postman's API answers, such as a login page",
            quota: ("monthly_quota", QUOTA),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use config::{ConnectorType, ProcessEnvironment, SinkTraits};
    use serde_json::Value;

    use super::*;

    const RECIPES: &[(&str, &str)] = &[("postman", include_str!("../../../config/recipes/postman.yaml"))];

    /// The recipe is this description: but for where the user writes the credential, key by key.
    #[test]
    fn the_recipe_says_the_same() {
        let types = [
            ConnectorType::source::<AuditLogsConfig>("audit_logs")
                .with_part::<BTreeMap<String, Value>>("mapping")
                .with_recipes(RECIPES),
            ConnectorType::sink::<BTreeMap<String, String>>("none", SinkTraits::default()),
        ];
        let text = "
sources:
  a: { type: audit_logs, recipe: postman, auth: { headers: { X-API-Key: PMAK-1 } } }
sinks:
  b: { type: none }
";
        let read = config::parse(Path::new("towpath.yaml"), text, &types, &ProcessEnvironment).unwrap();
        assert_eq!(read.report.errors(), 0, "{:?}", read.report);
        let recipe: AuditLogsConfig = read.sources[0].block.read().unwrap();
        let own: PostmanConfig = serde_json::from_str(r#"{"api_key": "PMAK-1"}"#).unwrap();
        let lines = |config: &AuditLogsConfig| -> Vec<String> {
            let text = format!("{config:#?}").replace("`api_key`", "`auth`");
            text.lines().map(|line| line.trim().to_owned()).collect()
        };
        assert_eq!(lines(&recipe), lines(&of(&own)));
    }
}
