//! Bodies of errors: the old family `{"error":{"name","message"}}`, RFC 7807, and what proxies in between say instead.

use crate::record::quote;

/// An answer that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// `{"error":{"name":…,"message":…}}`
pub(crate) fn old(status: u16, name: &str, message: &str) -> Refusal {
    let body = format!("{{\"error\":{{\"name\":{},\"message\":{}}}}}", quote(name), quote(message));
    Refusal { status, content_type: "application/json; charset=utf-8", body }
}

/// RFC 7807, `application/problem+json`.
fn problem(status: u16, kind: &str, title: &str, detail: &str) -> Refusal {
    let body = format!(
        "{{\"type\":\"https://api.postman.com/problems/{kind}\",\"title\":{},\"detail\":{},\"status\":{status}}}",
        quote(title),
        quote(detail),
    );
    Refusal { status, content_type: "application/problem+json", body }
}

fn html(status: u16, title: &str) -> Refusal {
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    );
    Refusal { status, content_type: "text/html; charset=utf-8", body }
}

/// The `turn`th of the bodies that occur with a status.
pub(crate) fn with_status(status: u16, turn: u64) -> Refusal {
    let variants = match status {
        400 => vec![
            old(400, "invalidParamsError", "The request has an invalid parameter."),
            problem(400, "bad-request", "Bad Request", "The request has an invalid parameter."),
        ],
        401 => vec![
            old(
                401,
                "AuthenticationError",
                "Invalid API Key. Every request requires a valid API Key to be sent.",
            ),
            problem(401, "unauthorized", "Unauthorized", "The API key is not valid."),
            problem(401, "unauthorized", "Unauthorized", "The API key has expired."),
            problem(401, "unauthenticated", "Unauthenticated", "The request carries no credentials."),
        ],
        403 => vec![
            old(403, "ForbiddenRequest", "You do not have permissions to view team Audit logs"),
            problem(403, "forbidden", "Forbidden", "This feature isn't available in your region."),
            problem(403, "forbidden", "Forbidden", "The team's plan does not include audit logs."),
        ],
        404 => vec![
            old(404, "instanceNotFoundError", "There is nothing at this address."),
            problem(404, "not-found", "Not Found", "There is nothing at this address."),
        ],
        429 => vec![
            problem(429, "too-many-requests", "Too Many Requests", "The rate limit was exceeded."),
            problem(429, "rate-limit-exceeded", "Rate Limit Exceeded", "The rate limit was exceeded."),
            old(429, "rateLimitError", "The rate limit was exceeded."),
            old(429, "rateLimited", "The rate limit was exceeded."),
        ],
        500.. => vec![
            old(status, "serverError", "An unexpected error occurred."),
            problem(status, "server-error", "Server Error", "An unexpected error occurred."),
            html(status, &format!("{status} error of the gateway")),
            Refusal {
                status,
                content_type: "text/plain",
                body: "upstream connect error or reset before headers".into(),
            },
            Refusal { status, content_type: "application/json", body: String::new() },
        ],
        _ => vec![old(status, "error", "The request was refused.")],
    };
    let turn = turn as usize % variants.len();
    variants.into_iter().nth(turn).unwrap_or_else(|| html(status, "error"))
}

/// 429 with a moment in prose (2018).
pub(crate) fn retry_at(milliseconds: i64) -> Refusal {
    old(429, "rateLimitError", &format!("Rate limit exceeded. Please retry at {milliseconds}"))
}

pub(crate) fn quota_exhausted() -> Refusal {
    old(429, "serviceLimitExhausted", "The team has used up its monthly quota of API calls.")
}

pub(crate) fn older_than_retention(days: u64) -> Refusal {
    old(400, "invalidParamsError", &format!("The since parameter cannot be older than {days} days."))
}

pub(crate) fn action_format() -> Refusal {
    let message = "Invalid audit action format. Expected format: prefix.action_name (e.g., user.login).";
    old(400, "InvalidAuditAction", message)
}

pub(crate) fn parameter(name: &str, expected: &str) -> Refusal {
    old(400, "invalidParamsError", &format!("The {name} parameter is not valid: expected {expected}."))
}

/// The cursor is not known (any more).
pub(crate) fn cursor(turn: u64) -> Refusal {
    let message = "The cursor is not valid or has expired.";
    match turn % 3 {
        0 => old(400, "invalidCursorError", message),
        1 => problem(404, "not-found", "Not Found", message),
        _ => problem(410, "gone", "Gone", message),
    }
}

/// A sign-in page, where something between client and API answers in the API's place.
pub(crate) fn sign_in() -> Refusal {
    html(200, "Sign in to continue")
}
