//! From a description to an API that speaks as it says.

use std::collections::BTreeMap;

use serde_json::Value;
use simulator::log::{
    Credential, CursorFrom, Edge, Edges, Manner, Meaning, Method, Order, Paging, Parameter, Said, Shape,
    Size, TimeFormat,
};
use source_audit_logs::{
    AuditLogsConfig, EdgeConfig, ErrorConfig, ErrorKind, FormatName, GranularityName, MethodName, OrderName,
    PagingConfig, ParameterConfig, PlaceName, ResumeName, TimeFormat as EdgeFormat, WhenAbsent,
};

use super::simulated::base_path;

/// Records a page has when nobody asks for another number.
const USUAL: usize = 100;

/// Of several forms in which a description writes times, the one that an API takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// The one that is tried first.
    TheFirst,
    /// The one that is tried when all others were refused.
    TheLast,
}

/// The API that a checked description is of.
///
/// # Errors
/// Why it cannot be simulated.
pub(super) fn manner(
    config: &AuditLogsConfig,
    credentials: Vec<Credential>,
    takes: Takes,
) -> Result<Manner, String> {
    let filled = |text: &str| fill(text, &config.variables);
    let filter = config.time_filter.as_ref();
    let since = filter.and_then(|filter| filter.since.as_ref()).map(|since| edge(since, takes, &filled));
    let until = filter.and_then(|filter| filter.until.as_ref()).map(|until| edge(until, takes, &filled));
    let granularity = filter.and_then(|filter| filter.granularity);
    let dates = [&since, &until].into_iter().flatten().any(|edge| edge.format == TimeFormat::Date);
    let feed = config.resume == ResumeName::Cursor;
    let base = base_path(&config.url);
    let mut fixed: Vec<(Parameter, String)> =
        config.request.query.iter().map(|(name, value)| (Parameter::query(name), filled(value))).collect();
    for (name, value) in &config.request.body {
        flatten(name, value, &mut |path, text| fixed.push((Parameter::body(path), filled(&text))));
    }
    let is_content = matches!(config.id.each(), [only] if only == "content");
    let format = match since.as_ref().map_or(TimeFormat::Rfc3339, |since| since.format) {
        TimeFormat::Date => TimeFormat::Rfc3339,
        format => format,
    };
    let shape = Shape {
        id: if is_content { vec!["id".to_owned()] } else { config.id.each().to_vec() },
        time: config.time.each().first().cloned().unwrap_or_default(),
        format,
        tenant: config.tenant.clone(),
    };
    if shape.id.contains(&shape.time) {
        return Err(format!("`id` is `{}`, which is the `time` as well", shape.time));
    }
    let paging = paging(&config.paging, &base, &filled)?;
    if matches!(&paging, Paging::Cursor { from: CursorFrom::LastRecord(member), .. } if *member == shape.time)
    {
        return Err(
            "`paging.cursor.from` is the time of the last record, which several records may share".to_owned()
        );
    }
    let size = match &config.paging.page_size {
        None => Size { to: None, usual: USUAL, most: USUAL, given: USUAL },
        Some(page_size) => {
            let most = usize::try_from(page_size.size.get()).unwrap_or(usize::MAX);
            Size { to: Some(parameter(&page_size.to)), usual: most.min(USUAL), most, given: most }
        }
    };
    Ok(Manner {
        method: if config.request.method == MethodName::POST { Method::Post } else { Method::Get },
        path: format!("{base}{}", filled(&config.request.path)),
        credentials,
        fixed,
        strict: true,
        list: config.records.path.clone(),
        absent_when_empty: config.records.when_absent == WhenAbsent::Empty,
        wrapper: config.records.unwrap.clone(),
        lines: config.records.format == FormatName::Ndjson,
        paging,
        more: config.paging.more.clone(),
        feed,
        order: match config.order {
            _ if feed => Order::Arrival,
            OrderName::NewestFirst => Order::NewestFirst,
            OrderName::OldestFirst => Order::OldestFirst,
            OrderName::Unordered => Order::Arrival,
        },
        since,
        until,
        edges: match granularity {
            Some(GranularityName::Day) => Edges::DAYS,
            Some(GranularityName::Hour) => Edges { unit: 3600, included: true },
            Some(GranularityName::Minute) => Edges { unit: 60, included: true },
            None if dates => Edges::DAYS,
            Some(GranularityName::Second) | None => Edges::INCLUSIVE,
        },
        // Where other forms were tried first, nothing was known.
        edges_documented: granularity.is_some() || dates && !has_forms(config),
        filter_first_page_only: config.paging.filter_first_page_only,
        max_span: filter.and_then(|filter| filter.max_span).map(settings::HumanDuration::get),
        size,
        shape,
        retention: config.retention.map(settings::HumanDuration::get),
        said: config.errors.iter().map(said).collect(),
        ..Manner::default()
    })
}

fn parameter(parameter: &ParameterConfig) -> Parameter {
    match parameter {
        ParameterConfig::Query(name) => Parameter::query(name),
        ParameterConfig::Body(path) => Parameter::body(path),
    }
}

/// Whether times are written in several forms.
pub(super) fn has_forms(config: &AuditLogsConfig) -> bool {
    let filter = config.time_filter.as_ref();
    let edges = filter.into_iter().flat_map(|filter| [&filter.since, &filter.until]);
    edges.flatten().any(|edge| edge.format.each().len() > 1)
}

fn edge(edge: &EdgeConfig, takes: Takes, filled: &impl Fn(&str) -> String) -> Edge {
    let formats = edge.format.each();
    let around = edge.template.as_deref().and_then(|template| template.split_once("{}"));
    Edge {
        to: parameter(&edge.to),
        format: match if takes == Takes::TheFirst { formats.first() } else { formats.last() } {
            None | Some(EdgeFormat::Rfc3339 | EdgeFormat::Rfc3339Ms) => TimeFormat::Rfc3339,
            Some(EdgeFormat::Date) => TimeFormat::Date,
            Some(EdgeFormat::EpochS) => TimeFormat::EpochSeconds,
            Some(EdgeFormat::EpochMs) => TimeFormat::EpochMillis,
        },
        around: around.map(|(before, after)| (filled(before), filled(after))).unwrap_or_default(),
        required: edge.required,
    }
}

fn paging(paging: &PagingConfig, base: &str, filled: &impl Fn(&str) -> String) -> Result<Paging, String> {
    if let Some(cursor) = &paging.cursor {
        let from = cursor.from.each().first().cloned().unwrap_or_default();
        return Ok(Paging::Cursor {
            from: match cursor.place {
                PlaceName::Body => CursorFrom::Member(from),
                PlaceName::Header => CursorFrom::Header(from),
                PlaceName::LastRecord => CursorFrom::LastRecord(from),
            },
            to: parameter(&cursor.to),
            alone: cursor.alone,
            path: cursor.path.as_ref().map(|path| format!("{base}{}", filled(path))),
        });
    }
    if let Some(next_url) = &paging.next_url {
        return Ok(Paging::NextUrl { member: next_url.from.clone() });
    }
    if let Some(link) = &paging.link {
        return Ok(Paging::Link { rel: link.rel.clone() });
    }
    if let Some(page) = &paging.page {
        let first = usize::try_from(page.first).map_err(|_| "`paging.page.first` is too large")?;
        return Ok(Paging::Page { to: parameter(&page.to), first, member: page.from.clone() });
    }
    if let Some(offset) = &paging.offset {
        return Ok(Paging::Offset { to: parameter(&offset.to) });
    }
    Ok(if paging.bound.is_some() { Paging::Bound } else { Paging::None })
}

/// An answer that fits the rule.
fn said(rule: &ErrorConfig) -> (Meaning, Said) {
    let (meaning, usual) = match rule.kind {
        ErrorKind::Authentication => (Meaning::Authentication, 401),
        ErrorKind::Permission => (Meaning::Permission, 403),
        ErrorKind::Plan => (Meaning::Permission, 402),
        ErrorKind::RateLimit => (Meaning::RateLimit, 429),
        ErrorKind::Quota => (Meaning::Quota, 429),
        ErrorKind::Retention => (Meaning::Retention, 400),
        ErrorKind::Timeout => (Meaning::Timeout, 504),
        ErrorKind::Unavailable => (Meaning::Unavailable, 503),
        ErrorKind::Cursor => (Meaning::Cursor, 400),
        ErrorKind::Request => (Meaning::Request, 400),
    };
    let equals = rule.equals.as_ref().map(|scalar| scalar.0.as_str());
    let contained = rule.contains.as_ref().and_then(|texts| texts.each().first()).cloned();
    // A member that tells an error apart from a page is needed where the status does not.
    let status = rule.status.unwrap_or(if rule.path.is_some() { 200 } else { usual });
    let member = rule.path.as_ref().map(|path| {
        let text = equals.filter(|_| rule.header.is_none()).or(contained.as_deref()).unwrap_or("error");
        (path.clone(), serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
    });
    let said = Said {
        status,
        header: rule.header.as_ref().map(|name| (name.clone(), equals.unwrap_or("1").to_owned())),
        member,
        words_in: rule.message.clone(),
        words: contained.unwrap_or_default(),
    };
    (meaning, said)
}

/// Puts variables in place of `{name}`.
fn fill(text: &str, variables: &BTreeMap<String, String>) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// The single values of a body, each with its path.
fn flatten(path: &str, value: &Value, out: &mut impl FnMut(String, String)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(&format!("{path}.{name}"), value, out);
            }
        }
        Value::String(text) => out(path.to_owned(), text.clone()),
        other => out(path.to_owned(), other.to_string()),
    }
}
