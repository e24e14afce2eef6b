//! What can go wrong between a request and its answer, in words for an operator.

use std::error::Error;
use std::io;
use std::time::Duration;

use pipeline::BoxError;
use reqwest::Url;
use rustls::{AlertDescription, CertificateError};

use crate::endpoint::origin;

/// Why there is no whole answer. Names scheme, host and port of the server; never a path, a query, a header's value or
/// a body.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A file for TLS cannot be used, or a setting is unfit.
    #[error("{detail}")]
    Setup {
        /// Which, and why.
        detail: String,
    },
    /// The host's name has no address.
    #[error("name of {server} cannot be resolved")]
    Dns {
        /// Origin of the server, or of the proxy.
        server: String,
        /// What the resolver said.
        #[source]
        source: BoxError,
    },
    /// No connection: refused, or no route.
    #[error("no connection to {server}")]
    Connect {
        /// Origin of the server, or of the proxy.
        server: String,
        /// What the operating system said.
        #[source]
        source: BoxError,
    },
    /// The proxy does not let the connection through.
    #[error("proxy {proxy} does not connect to {server}")]
    Proxy {
        /// Origin of the proxy.
        proxy: String,
        /// Origin of the server.
        server: String,
        /// Whether it wants a name and password.
        wants_login: bool,
        /// What it said.
        #[source]
        source: BoxError,
    },
    /// No agreement on TLS.
    #[error("TLS with {server} failed: {detail}")]
    Tls {
        /// Origin of the server.
        server: String,
        /// What is wrong.
        detail: String,
        /// What to do, in a sentence.
        remedy: String,
    },
    /// It took too long.
    #[error("{what} {server} within {}", seconds(.after))]
    Timeout {
        /// What did not come.
        what: TimedOut,
        /// Origin of the server.
        server: String,
        /// The time allowed.
        after: Duration,
    },
    /// The server, or something on the way, closed the connection before it answered.
    #[error("{server} closed the connection before it answered")]
    Reset {
        /// Origin of the server.
        server: String,
        /// What the operating system said.
        #[source]
        source: BoxError,
    },
    /// The answer ends before its announced end, or its compression does.
    #[error("answer of {server} is cut after {received} bytes")]
    Truncated {
        /// Origin of the server.
        server: String,
        /// Bytes that came, before decompression.
        received: usize,
    },
    /// The answer is larger than allowed.
    #[error("answer of {server} is larger than {cap} bytes")]
    TooLarge {
        /// Origin of the server.
        server: String,
        /// Bytes allowed, after decompression.
        cap: usize,
    },
    /// What came is no HTTP, or is encoded in a way that was not asked for.
    #[error("{server} does not answer in HTTP as asked")]
    Protocol {
        /// Origin of the server.
        server: String,
        /// What is wrong.
        #[source]
        source: BoxError,
    },
    /// The server points to another origin, where the key must not go.
    #[error("{server} redirects to {to} (status {status})")]
    Redirect {
        /// Origin of the server.
        server: String,
        /// Origin of the target.
        to: String,
        /// The status.
        status: u16,
    },
    /// Any other failure of the HTTP library.
    #[error("request to {server} failed")]
    Other {
        /// Origin of the server.
        server: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
}

/// What did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimedOut {
    /// A connection.
    Connection,
    /// The head of the answer.
    Answer,
    /// The next piece of the body.
    NextPiece,
    /// The end of the body.
    WholeBody,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "no connection to",
            Self::Answer => "no answer from",
            Self::NextPiece => "no further piece of the answer from",
            Self::WholeBody => "no complete answer from",
        })
    }
}

impl HttpError {
    /// A stable word for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Setup { .. } => "setup",
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Proxy { .. } => "proxy",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Reset { .. } => "reset",
            Self::Truncated { .. } => "truncated",
            Self::TooLarge { .. } => "too_large",
            Self::Protocol { .. } => "protocol",
            Self::Redirect { .. } => "redirect",
            Self::Other { .. } => "other",
        }
    }

    /// What a person has to do; `None` where waiting helps as well.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Setup { .. } => Some("correct the file or the key that names it".to_owned()),
            Self::Tls { remedy, .. } => Some(remedy.clone()),
            Self::Proxy { wants_login: true, .. } => Some(
                "put the proxy's user and password into `proxy` as http://user:password@host:port".to_owned(),
            ),
            Self::Redirect { server, to, .. } => Some(format!(
                "if {to} is right, set `url` to it: the key is never sent to another address than the configured \
                 one, and {server} is it now"
            )),
            _ => None,
        }
    }
}

impl HttpError {
    /// What to look at first where the configuration is new: failures that may pass by themselves, but come of a wrong
    /// address more often. `None` where [`HttpError::remedy`] knows better, or waiting does.
    pub fn suspicion(&self) -> Option<String> {
        match self {
            Self::Dns { server, .. } => {
                Some(format!("check the host's name in {server}, and that this machine can resolve names"))
            }
            Self::Connect { server, .. } | Self::Timeout { what: TimedOut::Connection, server, .. } => {
                Some(format!("check host and port of {server}, and the firewall or proxy on the way"))
            }
            Self::Proxy { wants_login: false, server, .. } => {
                Some(format!("check `proxy`, and that it lets connections to {server} through"))
            }
            Self::Protocol { server, .. } => {
                Some(format!("check scheme and port of {server}: another service may answer there"))
            }
            _ => None,
        }
    }
}

fn seconds(time: &Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// Where a request was going.
pub(crate) struct Route<'a> {
    pub(crate) url: &'a Url,
    /// Origin of the proxy on the way, if any.
    pub(crate) proxy: Option<String>,
    pub(crate) connect_timeout: Duration,
    /// See [`crate::ClientSettings::address_key`].
    pub(crate) address_key: &'static str,
}

impl Route<'_> {
    /// Sorts a failure of the HTTP library. `received`: bytes of the body so far, if its head had come.
    pub(crate) fn sort(&self, error: reqwest::Error, received: Option<usize>) -> HttpError {
        let server = origin(self.url);
        let next = self.proxy.clone().unwrap_or_else(|| server.clone());
        // The library's own error shows the URL, and it may be the innermost one.
        let error = error.without_url();
        let cause = root_cause(&error);
        if let Some(tls) = find(&error, as_tls) {
            return tls_failure(server, self.address_key, tls);
        }
        if error.is_connect() {
            if error.is_timeout() {
                return HttpError::Timeout {
                    what: TimedOut::Connection,
                    server: next,
                    after: self.connect_timeout,
                };
            }
            if error.is_dns() {
                return HttpError::Dns { server: next, source: cause };
            }
            // The tunnel's error type is private to the HTTP library; its words are pinned by a test.
            let refused_by_proxy = chain(&error)
                .map(ToString::to_string)
                .find(|text| text.starts_with("tunnel error: ") && !text.ends_with("underlying connection"));
            if let (Some(proxy), Some(text)) = (&self.proxy, refused_by_proxy) {
                let wants_login = text.ends_with("proxy authorization required");
                return HttpError::Proxy { proxy: proxy.clone(), server, wants_login, source: cause };
            }
            return HttpError::Connect { server: next, source: cause };
        }
        if let Some(received) = received {
            return HttpError::Truncated { server, received };
        }
        let io = find(&error, |e| e.downcast_ref::<io::Error>()).map(io::Error::kind);
        let closed = matches!(
            io,
            Some(
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::UnexpectedEof
            )
        );
        match find(&error, |e| e.downcast_ref::<hyper::Error>()) {
            _ if closed => HttpError::Reset { server, source: cause },
            Some(e) if e.is_incomplete_message() || e.is_closed() || e.is_canceled() => {
                HttpError::Reset { server, source: cause }
            }
            Some(e) if e.is_parse() => HttpError::Protocol { server, source: cause },
            _ => HttpError::Other { server, source: cause },
        }
    }
}

/// The error and what lies below it, the contents of I/O errors included.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // An I/O error hands out what lies below its content, not the content.
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    })
}

fn find<'a, T: 'a>(
    error: &'a (dyn Error + 'static),
    sought: impl Fn(&'a (dyn Error + 'static)) -> Option<&'a T>,
) -> Option<&'a T> {
    chain(error).find_map(sought)
}

fn as_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    error.downcast_ref()
}

/// The innermost error's words: the layers between say only which part of the library passed it on.
fn root_cause(error: &(dyn Error + 'static)) -> BoxError {
    chain(error).last().map(ToString::to_string).unwrap_or_default().into()
}

/// What a failure of TLS with `server` means and what to do about it. `key` is what the configuration calls the address.
pub fn tls_failure(server: String, key: &str, error: &rustls::Error) -> HttpError {
    let (detail, remedy) = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate_trouble(certificate, key),
        rustls::Error::AlertReceived(alert) => (
            format!("the server refuses with `{alert:?}`"),
            match alert {
                AlertDescription::ProtocolVersion => "the server must offer TLS 1.2 or 1.3".to_owned(),
                AlertDescription::UnrecognisedName => format!("check the host in `{key}`"),
                _ => "if it asks for a client certificate, set tls.cert_file and tls.key_file to one that it accepts and \
                      that has not expired"
                    .to_owned(),
            },
        ),
        rustls::Error::InvalidMessage(_) => (
            "what answers there does not speak TLS".to_owned(),
            format!("check scheme and port of `{key}`, and that no proxy answers in the server's place"),
        ),
        rustls::Error::PeerIncompatible(what) => (
            format!("no common version or cipher ({what:?})"),
            "the server must offer TLS 1.2 or 1.3 with current ciphers".to_owned(),
        ),
        other => (other.to_string(), format!("check `{key}` and the `tls` block")),
    };
    HttpError::Tls { server, detail, remedy }
}

fn certificate_trouble(error: &CertificateError, key: &str) -> (String, String) {
    const CLOCK: &str =
        "check this machine's clock; if it is right, the server's operator must renew the certificate";
    match error {
        CertificateError::UnknownIssuer => (
            "its certificate is signed by an authority that is not trusted here".to_owned(),
            "set tls.ca_file to the certificate of that authority; if this network inspects TLS, it is the inspecting \
             proxy's"
                .to_owned(),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), CLOCK.to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), CLOCK.to_owned())
        }
        CertificateError::NotValidForName => (
            "its certificate is for another name".to_owned(),
            format!("set `{key}` to a name that the certificate is for"),
        ),
        CertificateError::NotValidForNameContext { presented, .. } => (
            format!("its certificate is for {}", presented.join(", ")),
            format!("set `{key}` to a name that the certificate is for"),
        ),
        other => (
            format!("its certificate is refused: {other}"),
            "set tls.ca_file to the authority that signed it, or have the server's certificate corrected".to_owned(),
        ),
    }
}
