//! Checks of the URLs that a user configures.

use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;

/// Why a URL cannot be used. `Display` says what is wrong, [`EndpointError::remedy`] what would be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It cannot be read.
    #[error("not an absolute URL")]
    NotAUrl,
    /// Another scheme than `https` or `http`.
    #[error("neither an https:// nor an http:// URL")]
    Scheme,
    /// `http://` to another machine.
    #[error("plain http:// to another machine would send the key in clear")]
    Clear,
    /// `user:password@` in it.
    #[error("credentials do not belong in the URL")]
    Credentials,
    /// `?…` or `#…` in it.
    #[error("a query or fragment does not belong in the URL")]
    Query,
    /// `#…` in it.
    #[error("a fragment does not belong in the URL")]
    Fragment,
}

impl EndpointError {
    /// What would be right, in a sentence.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NotAUrl | Self::Scheme => "write it like https://api.example.com",
            Self::Clear => "use https://; plain http:// is for loopback addresses only",
            Self::Credentials => "move them to the keys made for them, where they are kept out of logs",
            Self::Query => "end the URL before the ? or #",
            Self::Fragment => "end the URL before the #",
        }
    }
}

/// Reads the URL of an API: `https://`, or `http://` on this machine only, without credentials, query or fragment.
///
/// # Errors
/// One of [`EndpointError`]. The URL itself is never part of it.
pub fn endpoint(text: &str) -> Result<Url, EndpointError> {
    let url = read(text)?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(EndpointError::Clear);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::Query);
    }
    Ok(url)
}

/// Reads the URL of a place that events are sent to. A query may stand in it, because some intakes want their token
/// there. Plain `http://` may lead to another machine only when neither `credentials` nor a query travel with it.
///
/// # Errors
/// One of [`EndpointError`]. The URL itself is never part of it.
pub fn destination(text: &str, credentials: bool) -> Result<Url, EndpointError> {
    let url = read(text)?;
    if url.scheme() == "http" && !is_loopback(&url) && (credentials || url.query().is_some()) {
        return Err(EndpointError::Clear);
    }
    if url.fragment().is_some() {
        return Err(EndpointError::Fragment);
    }
    Ok(url)
}

/// An absolute URL of a scheme that we speak, without credentials.
fn read(text: &str) -> Result<Url, EndpointError> {
    let url = Url::parse(text.trim()).map_err(|_| EndpointError::NotAUrl)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(EndpointError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::Credentials);
    }
    Ok(url)
}

/// Scheme, host and port: what may be shown of a URL.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// `localhost`, `127.0.0.0/8` or `::1`.
pub fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A configured proxy. Shows itself without its credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

impl Proxy {
    /// Reads `http://[user:password@]host:port` or `https://…`.
    ///
    /// # Errors
    /// One of [`EndpointError`]. The URL itself is never part of it.
    pub fn read(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| EndpointError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::Scheme);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Query);
        }
        Ok(Self(url))
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&origin(&self.0))
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// A header value that no `Debug` output shows.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_https_or_on_this_machine() {
        for good in [
            "https://api.getpostman.com",
            " https://api.eu.postman.com/ ",
            "https://gateway.example.com:8443/postman",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]:8080",
            "http://localhost:1",
        ] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for (bad, error) in [
            ("api.getpostman.com", EndpointError::NotAUrl),
            ("", EndpointError::NotAUrl),
            ("ftp://example.com", EndpointError::Scheme),
            ("http://api.getpostman.com", EndpointError::Clear),
            ("http://localhost.example.com", EndpointError::Clear),
            ("http://127.0.0.1.example.com", EndpointError::Clear),
            ("http://10.0.0.1", EndpointError::Clear),
            ("https://user:s3cret@example.com", EndpointError::Credentials),
            ("https://example.com?apikey=s3cret", EndpointError::Query),
            ("https://example.com/#x", EndpointError::Query),
        ] {
            assert_eq!(endpoint(bad), Err(error), "{bad}");
            assert!(!format!("{error} {}", error.remedy()).contains("s3cret"));
        }
    }

    #[test]
    fn destinations_may_have_a_query_and_no_secret_travels_in_clear() {
        for (good, credentials) in [
            ("https://intake.example.com/v1?token=s3cret", true),
            ("https://intake.example.com/v1", true),
            ("http://127.0.0.1:8080/?token=s3cret", true),
            ("http://collector.example.com:8080/events", false),
        ] {
            assert!(destination(good, credentials).is_ok(), "{good}");
        }
        for (bad, credentials, error) in [
            ("http://collector.example.com/events", true, EndpointError::Clear),
            ("http://collector.example.com/events?token=s3cret", false, EndpointError::Clear),
            ("http://user:s3cret@127.0.0.1/", false, EndpointError::Credentials),
            ("https://example.com/#s3cret", false, EndpointError::Fragment),
            ("ftp://example.com", false, EndpointError::Scheme),
            ("/events", false, EndpointError::NotAUrl),
        ] {
            assert_eq!(destination(bad, credentials), Err(error), "{bad}");
            assert!(!format!("{error} {}", error.remedy()).contains("s3cret"));
        }
    }

    #[test]
    fn a_proxy_shows_itself_without_its_password() {
        let proxy = Proxy::read("http://user:s3cret@proxy.example.com:3128").unwrap();
        assert_eq!(
            format!("{proxy} {proxy:?}"),
            "http://proxy.example.com:3128 Proxy(http://proxy.example.com:3128)"
        );
        assert_eq!(Proxy::read("socks5://proxy:1080"), Err(EndpointError::Scheme));
        assert_eq!(Proxy::read("proxy:3128"), Err(EndpointError::Scheme));
    }
}
