//! Whatever a description can choose, a shipped recipe has chosen, so that it is tried with every hazard; or there is a reason
//! why none has.

use std::collections::{BTreeMap, BTreeSet};

use source_audit_logs::{
    AuthConfig, ClientAuthName, CursorConfig, EdgeConfig, FormatName, GrantName, GranularityName, MethodName,
    OrderName, PageConfig, PagingConfig, ParameterConfig, PlaceName, RecordsConfig, ResumeName,
    TimeFilterConfig, TimeFormat, WhenAbsent,
};

use super::*;
use crate::connectors::RECIPES;

/// What no shipped recipe has: the key, the kind, and why.
const LACKING: &[(&str, &str, &str)] = &[
    ("auth", "none", "an audit log that anybody may read is none"),
    (
        "records.when_absent",
        "empty",
        "the one known API with it takes a signed JWT, which cannot be described",
    ),
    ("time_filter.granularity", "minute", "no API is known that cuts its edges so"),
    ("time_filter.granularity", "hour", "no API is known that cuts its edges so"),
];

/// A key at which a description chooses one kind of several.
struct Choice {
    key: &'static str,
    /// All that there are.
    kinds: &'static [&'static str],
    /// Those of one description.
    chosen: Vec<&'static str>,
}

/// A `match` that has to know every kind, and the list of them.
macro_rules! choice {
    ($key:literal, $values:expr, { $($kind:pat => $name:literal),+ $(,)? }) => {
        Choice {
            key: $key,
            kinds: &[$($name),+],
            chosen: $values.into_iter().map(|value| match value { $($kind => $name),+ }).collect(),
        }
    };
}

/// Where parameters go.
macro_rules! parameter {
    ($key:literal, $values:expr) => {
        choice!($key, $values, { ParameterConfig::Query(_) => "query", ParameterConfig::Body(_) => "body" })
    };
}

/// All that a description chooses.
fn choices(config: &AuditLogsConfig) -> Vec<Choice> {
    let oauth2: Vec<_> = match &config.auth {
        AuthConfig::Oauth2(oauth2) => vec![oauth2],
        _ => Vec::new(),
    };
    let RecordsConfig { path: _, unwrap, when_absent, format } = &config.records;
    // Without `..`, so that a new kind of paging has to be written here.
    let PagingConfig {
        cursor,
        next_url,
        link,
        page,
        offset,
        bound,
        none,
        more: _,
        ends: _,
        page_size,
        filter_first_page_only: _,
    } = &config.paging;
    let paging = [
        (cursor.is_some(), "cursor"),
        (next_url.is_some(), "next_url"),
        (link.is_some(), "link"),
        (page.is_some(), "page"),
        (offset.is_some(), "offset"),
        (bound.is_some(), "bound"),
        (none.is_some(), "none"),
    ];
    let edges: Vec<&EdgeConfig> =
        config.time_filter.iter().flat_map(|filter| filter.since.iter().chain(&filter.until)).collect();
    vec![
        choice!("auth", [&config.auth], {
            AuthConfig::Bearer(_) => "bearer",
            AuthConfig::Headers(_) => "headers",
            AuthConfig::Basic(_) => "basic",
            AuthConfig::Query(_) => "query",
            AuthConfig::Oauth2(_) => "oauth2",
            AuthConfig::None(_) => "none",
        }),
        choice!("auth.oauth2.grant", oauth2.iter().map(|oauth2| oauth2.grant), {
            GrantName::ClientCredentials => "client_credentials",
            GrantName::RefreshToken => "refresh_token",
            GrantName::AccountCredentials => "account_credentials",
        }),
        choice!("auth.oauth2.client_auth", oauth2.iter().map(|oauth2| oauth2.client_auth), {
            ClientAuthName::Basic => "basic",
            ClientAuthName::Body => "body",
        }),
        choice!("request.method", [config.request.method], { MethodName::GET => "GET", MethodName::POST => "POST" }),
        choice!("records.unwrap", [unwrap], { Some(_) => "wrapped", None => "bare" }),
        choice!("records.when_absent", [when_absent], { WhenAbsent::Error => "error", WhenAbsent::Empty => "empty" }),
        choice!("records.format", [format], { FormatName::Json => "json", FormatName::Ndjson => "ndjson" }),
        Choice {
            key: "paging",
            kinds: &["cursor", "next_url", "link", "page", "offset", "bound", "none"],
            chosen: paging.iter().filter(|(is_it, _)| *is_it).map(|(_, name)| *name).collect(),
        },
        choice!("paging.cursor.in", cursor.iter().map(|cursor| cursor.place), {
            PlaceName::Body => "body",
            PlaceName::Header => "header",
            PlaceName::LastRecord => "last_record",
        }),
        parameter!("paging.cursor.to", cursor.iter().map(|CursorConfig { to, .. }| to)),
        choice!("paging.cursor.alone", cursor.iter().map(|cursor| cursor.alone), { true => "true", false => "false" }),
        choice!("paging.cursor.path", cursor.iter().map(|cursor| &cursor.path), {
            Some(_) => "another",
            None => "the same",
        }),
        choice!("paging.page.from", page.iter().map(|PageConfig { from, .. }| from), {
            Some(_) => "a member",
            None => "counted",
        }),
        parameter!("paging.page_size.to", page_size.iter().map(|page_size| &page_size.to)),
        parameter!("time_filter.since.to", edges.iter().map(|edge| &edge.to)),
        choice!("time_filter.since.format", edges.iter().flat_map(|edge| edge.format.each()), {
            TimeFormat::Rfc3339 => "rfc3339",
            TimeFormat::Rfc3339Ms => "rfc3339_ms",
            TimeFormat::Date => "date",
            TimeFormat::EpochS => "epoch_s",
            TimeFormat::EpochMs => "epoch_ms",
        }),
        choice!("time_filter.since.template", edges.iter().map(|edge| &edge.template), {
            Some(_) => "within a text",
            None => "alone",
        }),
        choice!("time_filter.since.required", edges.iter().map(|edge| edge.required), {
            true => "true",
            false => "false",
        }),
        choice!("time_filter", [config.time_filter.as_ref().map(|TimeFilterConfig { until, .. }| until)], {
            None => "none",
            Some(None) => "since",
            Some(Some(_)) => "since and until",
        }),
        choice!("time_filter.granularity", config.time_filter.iter().filter_map(|filter| filter.granularity), {
            GranularityName::Second => "second",
            GranularityName::Minute => "minute",
            GranularityName::Hour => "hour",
            GranularityName::Day => "day",
        }),
        choice!("order", [config.order], {
            OrderName::NewestFirst => "newest_first",
            OrderName::OldestFirst => "oldest_first",
            OrderName::Unordered => "unordered",
        }),
        choice!("resume", [config.resume], { ResumeName::Window => "window", ResumeName::Cursor => "cursor" }),
    ]
}

#[test]
fn whatever_can_be_described_is_so_in_a_recipe() {
    let mut used: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for (name, _) in RECIPES {
        let recipe = crate::commands::recipes::load(name).unwrap();
        let described = Described::new(&recipe).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        for Choice { key, kinds, chosen } in choices(&described.config) {
            for kind in kinds {
                used.entry((key, kind)).or_default();
            }
            for kind in chosen {
                used.entry((key, kind)).or_default().push(name);
            }
        }
    }
    let lacking: BTreeSet<(&str, &str)> = LACKING.iter().map(|(key, kind, _)| (*key, *kind)).collect();
    assert_eq!(lacking.len(), LACKING.len(), "a kind is listed twice");
    let unused: BTreeSet<(&str, &str)> =
        used.iter().filter(|(_, recipes)| recipes.is_empty()).map(|(kind, _)| *kind).collect();
    let told = |kinds: &mut dyn Iterator<Item = &(&str, &str)>| {
        kinds.map(|(key, kind)| format!("{key}: {kind}")).collect::<Vec<_>>().join(", ")
    };
    let missing = told(&mut unused.difference(&lacking));
    assert!(missing.is_empty(), "no recipe has, and no reason is given for, {missing}");
    let needless = told(&mut lacking.difference(&unused));
    assert!(
        needless.is_empty(),
        "there is a recipe with, or no such kind as, {needless}: take it out of the list"
    );
}
