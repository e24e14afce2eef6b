//! APIs of seven kinds, each with its description.

use std::sync::Arc;

use pipeline::Timestamp;
use serde_json::{Value, json};
use simulator::log::{Edges, Log, Manner, Order, Paging, TimeFormat};
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
        path: "/api/v4/audit_events",
        credential: ("private-token", ""),
        list: "",
        paging: Paging::Link,
        order: Order::OldestFirst,
        since: Some("created_after"),
        until: Some("created_before"),
        edges: Edges::Exclusive,
        max_span: Some(std::time::Duration::from_secs(30 * 86_400)),
        size: (Some("per_page"), 20, 100),
        time: ("created_at", TimeFormat::EpochMillis),
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
        path: "/api/v2/organization/audit-trail",
        list: "data",
        paging: Paging::Page { parameter: "page[number]", member: "pagination.next_page" },
        since: Some("since"),
        until: None,
        size: (Some("page[size]"), 100, 1000),
        time: ("timestamp", TimeFormat::Rfc3339),
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
        path: "/__api__/v1/audit_logs",
        credential: ("authorization", "Key "),
        list: "results",
        paging: Paging::NextUrl { member: "paging.next" },
        since: None,
        until: None,
        size: (Some("limit"), 20, 500),
        time: ("time", TimeFormat::Rfc3339),
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
        path: "/rest/api/3/auditing/record",
        list: "records",
        paging: Paging::Offset { parameter: "offset" },
        since: Some("from"),
        until: Some("to"),
        edge_format: TimeFormat::EpochMillis,
        size: (Some("limit"), 100, 1000),
        time: ("created", TimeFormat::EpochSeconds),
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
        method: "POST",
        path: "/api/v2/auditevents",
        paging: Paging::Cursor { member: "cursor", parameter: "cursor", feed: Some("has_more") },
        order: Order::Arrival,
        since: Some("start_time"),
        until: None,
        size: (Some("limit"), 100, 1000),
        time: ("timestamp", TimeFormat::Rfc3339),
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
        path: "/v2/report/operationlogs",
        list: "operation_logs",
        paging: Paging::Cursor { member: "next_page_token", parameter: "next_page_token", feed: None },
        since: Some("from"),
        until: Some("to"),
        edges_required: true,
        edge_format: TimeFormat::Date,
        edges: Edges::Days,
        size: (Some("page_size"), 30, 300),
        time: ("time", TimeFormat::Rfc3339),
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
