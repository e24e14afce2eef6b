//! The configured `url`: where Postman's API begins. Paths and queries are the source's own.

use http_client::{EndpointError, Url, endpoint, origin};
use settings::Invalid;

/// Reads it.
///
/// # Errors
/// It cannot be used, or what follows its host cannot be meant.
pub(crate) fn read(text: &str) -> Result<Url, Invalid> {
    let url = endpoint(text).map_err(|error| match (error, Url::parse(text.trim())) {
        (EndpointError::Query, Ok(url)) => {
            Invalid::new("url", "has a query or fragment, but the source makes its own", root(&url))
        }
        (error, _) => Invalid::new("url", format!("is {error}"), error.remedy()),
    })?;
    if has_path(&url) && (is_postmans(&url) || is_own_path(&url)) {
        let message = "has a path, but the source appends its own, such as `/audit/logs`";
        return Err(Invalid::new("url", message, root(&url)));
    }
    Ok(url)
}

/// What is allowed, because a gateway may serve the API so, but hardly meant.
pub(crate) fn doubt(text: &str) -> Option<Invalid> {
    let url = read(text).ok().filter(has_path)?;
    let remedy = format!("{}, unless a gateway serves Postman's API below that path", root(&url));
    Some(Invalid::new("url", "has a path: requests go below it, to `…/audit/logs`", remedy))
}

fn root(url: &Url) -> String {
    format!("write `{}`", origin(url))
}

fn has_path(url: &Url) -> bool {
    url.path().chars().any(|c| c != '/')
}

/// Postman's own API has no path before the source's.
fn is_postmans(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    [".postman.com", ".getpostman.com"].iter().any(|domain| host.ends_with(domain))
}

fn is_own_path(url: &Url) -> bool {
    let path = url.path().trim_end_matches('/').to_ascii_lowercase();
    path.ends_with("/audit/logs") || path.ends_with("/audit-actions")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of it: an error, a doubt or nothing.
    fn said(text: &str) -> String {
        let line = |invalid: Invalid| format!("`{}` {}; {}", invalid.path, invalid.message, invalid.remedy);
        match (read(text), doubt(text)) {
            (Err(invalid), None) => format!("error: {}", line(invalid)),
            (Ok(_), Some(doubt)) => format!("doubt: {}", line(doubt)),
            (Ok(_), None) => String::new(),
            (Err(_), Some(doubt)) => panic!("both: {}", line(doubt)),
        }
    }

    #[test]
    fn what_follows_the_host_is_an_error_or_a_doubt_and_what_would_be_right_is_said() {
        let path = "error: `url` has a path, but the source appends its own, such as `/audit/logs`; write ";
        let query = "error: `url` has a query or fragment, but the source makes its own; write ";
        let doubt = "doubt: `url` has a path: requests go below it, to `…/audit/logs`; write ";
        for (text, begin, right) in [
            ("https://api.getpostman.com", "", ""),
            ("https://api.eu.postman.com/", "", ""),
            ("http://127.0.0.1:8123//", "", ""),
            ("https://api.getpostman.com/audit/logs", path, "`https://api.getpostman.com`"),
            ("https://api.eu.postman.com/v1", path, "`https://api.eu.postman.com`"),
            ("http://127.0.0.1:8123/audit/logs/", path, "`http://127.0.0.1:8123`"),
            ("https://gateway.example/postman/Audit-Actions", path, "`https://gateway.example`"),
            ("https://api.getpostman.com/audit/logs?limit=5", query, "`https://api.getpostman.com`"),
            ("https://api.getpostman.com/?apikey=PMAK-s3cret", query, "`https://api.getpostman.com`"),
            ("https://api.getpostman.com#top", query, "`https://api.getpostman.com`"),
            (
                "https://gateway.example/postman",
                doubt,
                "`https://gateway.example`, unless a gateway serves Postman's",
            ),
            ("https://postman.com.example/v1", doubt, "`https://postman.com.example`, unless a gateway"),
        ] {
            let said = said(text);
            assert!(said.starts_with(begin) && said[begin.len()..].starts_with(right), "{text}: {said}");
            assert!(said.is_empty() == right.is_empty() && !said.contains("s3cret"), "{text}: {said}");
        }
        assert!(said("http://api.getpostman.com").contains("send the key in clear"));
    }
}
