//! APIs of seven kinds, each with its description.

use std::sync::Arc;

use pipeline::Timestamp;
use serde_json::{Value, json};
use simulator::log::{
    Credential, Edge, Edges, KEY, Log, Manner, Method, Order, Paging, Parameter, Shape, Size, TimeFormat,
};
use source_audit_logs::{Account, AuditLogsConfig, AuditLogsSource, Wiring};

/// One kind of API: how the simulator speaks, and how it is described to the source.
#[derive(Clone)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) manner: Manner,
    pub(crate) description: Value,
}

/// The common shape: `/v1/audit_logs` with `items` and `pagination.next_cursor`, newest first.
pub(crate) fn cursor() -> Kind {
    let description = json!({
        "request": {"path": "/v1/audit_logs", "query": {"sort": "created_at:desc"}},
        "records": {"path": "items"},
        "paging": {
            "cursor": {"from": ["pagination.cursor", "pagination.next_cursor"], "to": {"query": "cursor"}},
            "page_size": {"to": {"query": "limit"}, "size": 100},
        },
        "time_filter": {
            "since": {"to": {"query": "created_at_min"}},
            "until": {"to": {"query": "created_at_max"}},
        },
        "order": "newest_first",
        "retention": "30d",
    });
    Kind { name: "cursor", manner: Manner::default(), description }
}

/// A list at the root, oldest first, with `Link`; times in milliseconds.
pub(crate) fn link() -> Kind {
    let manner = Manner {
        path: "/api/v4/audit_events".into(),
        credentials: vec![Credential::Header { name: "private-token".into(), value: KEY.into() }],
        list: "".into(),
        paging: Paging::Link { rel: "next".into() },
        order: Order::OldestFirst,
        since: Some(Edge::new("created_after", TimeFormat::Rfc3339)),
        until: Some(Edge::new("created_before", TimeFormat::Rfc3339)),
        edges: Edges::EXCLUSIVE,
        max_span: Some(std::time::Duration::from_secs(30 * 86_400)),
        size: Size::new("per_page", 20, 100),
        shape: Shape::new("created_at", TimeFormat::EpochMillis),
        ..Manner::default()
    };
    let description = json!({
        "auth": "private-token",
        "request": {"path": "/api/{version}/audit_events", "query": {"pagination": "keyset", "sort": "asc"}},
        "variables": {"version": "v4"},
        "paging": {"link": {}, "page_size": {"to": {"query": "per_page"}, "size": 100}},
        "time_filter": {
            "since": {"to": {"query": "created_after"}},
            "until": {"to": {"query": "created_before"}},
            "max_span": "30d",
        },
        "order": "oldest_first",
        "retention": "20d",
    });
    Kind { name: "link", manner, description }
}

/// Numbered pages and a lower edge only.
pub(crate) fn page() -> Kind {
    let manner = Manner {
        path: "/api/v2/organization/audit-trail".into(),
        list: "data".into(),
        paging: Paging::Page {
            to: Parameter::query("page[number]"),
            first: 1,
            member: Some("pagination.next_page".into()),
        },
        since: Some(Edge::new("since", TimeFormat::Rfc3339)),
        until: None,
        size: Size::new("page[size]", 100, 1000),
        shape: Shape::new("timestamp", TimeFormat::Rfc3339),
        ..Manner::default()
    };
    let description = json!({
        "request": {"path": "/api/v2/organization/audit-trail"},
        "records": {"path": "data"},
        "paging": {
            "page": {"to": {"query": "page[number]"}, "from": "pagination.next_page"},
            "page_size": {"to": {"query": "page[size]"}, "size": 1000},
        },
        "time_filter": {"since": {"to": {"query": "since"}, "format": "rfc3339_ms"}},
        "order": "newest_first",
        "time": "timestamp",
        "retention": "30d",
    });
    Kind { name: "page", manner, description }
}

/// Absolute URLs of the next page, and no filter of time.
pub(crate) fn next_url() -> Kind {
    let manner = Manner {
        path: "/__api__/v1/audit_logs".into(),
        credentials: vec![Credential::Header { name: "authorization".into(), value: format!("Key {KEY}") }],
        list: "results".into(),
        paging: Paging::NextUrl { member: "paging.next".into() },
        since: None,
        until: None,
        size: Size::new("limit", 20, 500),
        shape: Shape::new("time", TimeFormat::Rfc3339),
        ..Manner::default()
    };
    let description = json!({
        "auth": "key",
        "request": {"path": "/v1/audit_logs", "query": {"ascOrder": "false"}},
        "records": {"path": "results"},
        "paging": {"next_url": {"from": "paging.next"}, "page_size": {"to": {"query": "limit"}, "size": 500}},
        "order": "newest_first",
        "time": "time",
    });
    Kind { name: "next_url", manner, description }
}

/// Offsets, times in seconds.
pub(crate) fn offset() -> Kind {
    let manner = Manner {
        path: "/rest/api/3/auditing/record".into(),
        list: "records".into(),
        paging: Paging::Offset { to: Parameter::query("offset") },
        since: Some(Edge::new("from", TimeFormat::EpochMillis)),
        until: Some(Edge::new("to", TimeFormat::EpochMillis)),
        size: Size::new("limit", 100, 1000),
        shape: Shape::new("created", TimeFormat::EpochSeconds),
        ..Manner::default()
    };
    let description = json!({
        "request": {"path": "/rest/api/3/auditing/record"},
        "records": {"path": "records"},
        "paging": {"offset": {"to": {"query": "offset"}}, "page_size": {"to": {"query": "limit"}, "size": 1000}},
        "time_filter": {
            "since": {"to": {"query": "from"}, "format": "epoch_ms"},
            "until": {"to": {"query": "to"}, "format": "epoch_ms"},
        },
        "order": "newest_first",
        "time": ["nothing", "created"],
        "retention": "30d",
    });
    Kind { name: "offset", manner, description }
}

/// A `POST` whose cursor is always there, alone in the body, and is kept for ever.
pub(crate) fn feed() -> Kind {
    let manner = Manner {
        method: Method::Post,
        path: "/api/v2/auditevents".into(),
        paging: Paging::Cursor {
            from: simulator::log::CursorFrom::Member("cursor".into()),
            to: Parameter::body("cursor"),
            alone: true,
            path: None,
        },
        more: Some("has_more".into()),
        feed: true,
        order: Order::Arrival,
        since: Some(Edge { to: Parameter::body("start_time"), ..Edge::new("", TimeFormat::Rfc3339) }),
        until: None,
        size: Size { to: Some(Parameter::body("limit")), ..Size::new("", 100, 1000) },
        shape: Shape::new("timestamp", TimeFormat::Rfc3339),
        ..Manner::default()
    };
    let description = json!({
        "request": {"method": "POST", "path": "/api/v2/auditevents"},
        "records": {"path": "items"},
        "paging": {
            "cursor": {"from": "cursor", "to": {"body": "cursor"}, "alone": true},
            "more": "has_more",
            "page_size": {"to": {"body": "limit"}, "size": 1000},
        },
        "time_filter": {"since": {"to": {"body": "start_time"}}},
        "resume": "cursor",
        "time": "timestamp",
        "retention": "120d",
    });
    Kind { name: "feed", manner, description }
}

/// Whole days, both of which are required, and no ids.
pub(crate) fn days() -> Kind {
    let manner = Manner {
        path: "/v2/report/operationlogs".into(),
        list: "operation_logs".into(),
        paging: Paging::cursor("next_page_token", Parameter::query("next_page_token")),
        since: Some(Edge { required: true, ..Edge::new("from", TimeFormat::Date) }),
        until: Some(Edge { required: true, ..Edge::new("to", TimeFormat::Date) }),
        edges: Edges::DAYS,
        edges_documented: true,
        size: Size::new("page_size", 30, 300),
        shape: Shape::new("time", TimeFormat::Rfc3339),
        ..Manner::default()
    };
    let description = json!({
        "request": {"path": "/v2/report/operationlogs"},
        "records": {"path": "operation_logs"},
        "paging": {
            "cursor": {"from": "next_page_token", "to": {"query": "next_page_token"}},
            "page_size": {"to": {"query": "page_size"}, "size": 300},
        },
        "time_filter": {
            "since": {"to": {"query": "from"}, "format": "date", "required": true},
            "until": {"to": {"query": "to"}, "format": "date", "required": true},
        },
        "order": "newest_first",
        "id": "content",
        "time": "time",
        "retention": "30d",
    });
    Kind { name: "days", manner, description }
}

/// What answers mean beyond their status.
pub(crate) fn errors() -> Value {
    json!([
        {"status": 400, "contains": "cannot be older", "kind": "retention"},
        {"status": 403, "header": "X-RateLimit-Remaining", "equals": 0, "kind": "rate_limit"},
        {"status": 429, "contains": "quota", "kind": "quota"},
        {"path": "error", "message": "error.message", "status": 200, "kind": "unavailable"},
    ])
}

impl Kind {
    /// The configuration of a source to such an API.
    pub(crate) fn config(&self, api: &Log) -> Value {
        let mut config = self.description.clone();
        config["url"] = api.url().into();
        if self.name == "next_url" {
            config["url"] = format!("{}/__api__", api.url()).into();
        }
        config["auth"] = match self.description["auth"].as_str() {
            Some("private-token") => json!({"headers": {"PRIVATE-TOKEN": api.key()}}),
            Some("key") => json!({"headers": {"Authorization": format!("Key {}", api.key())}}),
            _ => json!({"bearer": api.key()}),
        };
        config["requests_per_minute"] = 6000.into();
        config["errors"] = errors();
        config
    }

    /// A source to such an API, whose clock passes with the runtime's.
    pub(crate) fn source(&self, config: &Value) -> AuditLogsSource {
        let config: AuditLogsConfig = serde_json::from_value(config.clone()).unwrap();
        let settings = config.validate().unwrap_or_else(|wrong| panic!("{wrong:?}"));
        AuditLogsSource::new("audit", Account::new(settings, wiring()))
    }
}

/// The clock that passes with the runtime's, from the system's time on.
pub(crate) fn wiring() -> Wiring {
    let (start, began) = (Timestamp::from_system(std::time::SystemTime::now()), tokio::time::Instant::now());
    Wiring { clock: Arc::new(move || start.plus(began.elapsed())), ..Wiring::default() }
}
