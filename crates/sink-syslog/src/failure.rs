//! What went wrong, and what the runtime does next.

use std::error::Error;
use std::io;
use std::time::Duration;

use http_client::HttpError;
use pipeline::SinkError;
use rustls::AlertDescription;

/// Why a write, or a part of it, was not acknowledged. Shows the address and what the receiver has said, nothing else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// TLS, or a file that it needs.
    #[error(transparent)]
    Tls(HttpError),
    /// The host's name has no address.
    #[error("name of {server} cannot be resolved")]
    Name { server: String, source: io::Error },
    /// Nobody listens, or no way leads there.
    #[error("no connection to {server}")]
    Connect { server: String, source: io::Error },
    /// Something did not come in time.
    #[error("{what} {server} within {} s", .after.as_secs_f64())]
    Timeout { what: &'static str, server: String, after: Duration },
    /// A connection stands, and nobody answers to `open` there. Many receivers of something else say nothing either.
    #[error(
        "{server} takes the connection and answers to no RELP within {} s; if that stays so, check that its port is one \
         of `imrelp`, with TLS if the scheme of `address` says so and without if not",
        .after.as_secs_f64()
    )]
    NoSession { server: String, after: Duration },
    /// The connection ended before all was acknowledged.
    #[error("{server} closed the connection before it had acknowledged everything")]
    Closed { server: String, source: io::Error },
    /// What answers is no RELP.
    #[error("{server} does not speak RELP: it says {words:?}")]
    NotRelp { server: String, words: String },
    /// RELP, and it does not want us.
    #[error("{server} refuses the session: {words}")]
    Session { server: String, words: String },
    /// It ends the session in good order.
    #[error("{server} ends the session")]
    SessionEnded { server: String },
}

impl Failure {
    /// What did not come from the server in the time that it had.
    pub(crate) fn late(what: &'static str, server: &str) -> impl FnOnce(Duration) -> Self {
        let server = server.to_owned();
        move |after| Self::Timeout { what, server, after }
    }

    /// A stable word for metrics, where a person must act.
    fn kind(&self) -> &'static str {
        match self {
            Self::Tls(error) => error.kind(),
            Self::Name { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Timeout { .. } | Self::NoSession { .. } => "timeout",
            Self::Closed { .. } => "reset",
            Self::NotRelp { .. } => "protocol",
            Self::Session { .. } => "session",
            Self::SessionEnded { .. } => "session_ended",
        }
    }

    /// What a person has to do; nothing where waiting helps as well.
    fn remedy(&self) -> Option<String> {
        match self {
            Self::Tls(error) => error.remedy(),
            Self::NotRelp { server, .. } => Some(format!(
                "check scheme and port of `address`: something else than RELP answers at {server}; rsyslog needs `imrelp` \
                 there, other receivers want tcp:// or tls://"
            )),
            Self::Session { .. } => Some(
                "look into the receiver's log: it speaks RELP, but takes no session that carries `syslog` from us".to_owned(),
            ),
            _ => None,
        }
    }

    /// What to look at first when the configuration is new.
    fn suspicion(&self) -> Option<String> {
        match self {
            Self::Name { server, .. } => {
                Some(format!("check the host's name in {server}, and that this machine can resolve names"))
            }
            Self::Connect { server, .. } => Some(format!(
                "check host and port of {server}, that the receiver listens there, and the firewall on the way"
            )),
            Self::Timeout { server, .. } | Self::NoSession { server, .. } | Self::Closed { server, .. } => {
                Some(format!(
                    "check scheme and port of `address`: what answers at {server} may not speak what the scheme says; a \
                 receiver of plain syslog does not answer RELP, and one without TLS does not answer TLS"
                ))
            }
            _ => self.remedy(),
        }
    }

    /// While it runs, only what cannot pass by itself pauses the sink.
    pub(crate) fn while_running(self) -> SinkError {
        let remedy = self.remedy();
        self.with(remedy)
    }

    /// Whoever checks a configuration has most likely written down a wrong address, and is told what to look at.
    pub(crate) fn when_checked(self) -> SinkError {
        let remedy = self.suspicion();
        self.with(remedy)
    }

    fn with(self, remedy: Option<String>) -> SinkError {
        match remedy {
            Some(remedy) => SinkError::Paused { reason: self.kind(), remedy, source: self.into() },
            None => SinkError::Transient { retry_after: None, source: self.into() },
        }
    }

    /// Sorts an error of a connection that stands.
    pub(crate) fn of_connection(server: &str, source: io::Error) -> Self {
        match tls(&source) {
            Some(rustls::Error::AlertReceived(alert)) if !is_about_us(*alert) => {}
            Some(error) => return Self::Tls(http_client::tls_failure(server.to_owned(), "address", error)),
            None => {}
        }
        Self::Closed { server: server.to_owned(), source }
    }

    /// Sorts an error of a handshake.
    pub(crate) fn of_handshake(server: &str, source: io::Error) -> Self {
        match tls(&source) {
            Some(error) => Self::Tls(http_client::tls_failure(server.to_owned(), "address", error)),
            None => Self::Closed { server: server.to_owned(), source },
        }
    }

    /// The receiver asked for a certificate, and ended the connection without a word once it had our answer.
    pub(crate) fn unwelcome(server: &str) -> Self {
        Self::Tls(HttpError::Tls {
            server: server.to_owned(),
            detail: "the server asked for a client certificate and closed the connection".to_owned(),
            remedy: "set tls.cert_file and tls.key_file to a certificate that the server accepts and that has not expired"
                .to_owned(),
        })
    }
}

/// Alerts after the handshake that say that our certificate is missing or not good enough (RFC 8446, 6.2).
fn is_about_us(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::NoCertificate
            | AlertDescription::HandshakeFailure
            | AlertDescription::DecryptError
    )
}

fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| (inner as &(dyn Error + 'static)).downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_pass_by_itself_pauses() {
        let server = || "tls://siem:6514".to_owned();
        let alert = |alert| io::Error::other(rustls::Error::AlertReceived(alert));
        for (failure, running, found) in [
            (
                Failure::Connect { server: server(), source: io::ErrorKind::ConnectionRefused.into() },
                None,
                Some("connect"),
            ),
            (Failure::Name { server: server(), source: io::ErrorKind::NotFound.into() }, None, Some("dns")),
            (
                Failure::Timeout { what: "no", server: server(), after: Duration::from_secs(1) },
                None,
                Some("timeout"),
            ),
            (Failure::NoSession { server: server(), after: Duration::from_secs(1) }, None, Some("timeout")),
            (Failure::of_connection("s", io::ErrorKind::ConnectionReset.into()), None, Some("reset")),
            (Failure::of_connection("s", alert(AlertDescription::InternalError)), None, Some("reset")),
            (
                Failure::of_connection("s", alert(AlertDescription::CertificateRequired)),
                Some("tls"),
                Some("tls"),
            ),
            (Failure::of_handshake("s", alert(AlertDescription::InternalError)), Some("tls"), Some("tls")),
            (Failure::unwelcome("s"), Some("tls"), Some("tls")),
            (Failure::NotRelp { server: server(), words: "220".into() }, Some("protocol"), Some("protocol")),
            (Failure::Session { server: server(), words: "500".into() }, Some("session"), Some("session")),
            (Failure::SessionEnded { server: server() }, None, None),
        ] {
            let kind = |remedy: Option<String>| {
                remedy.map(|remedy| {
                    assert!(remedy.len() > 15, "{remedy}");
                    failure.kind()
                })
            };
            assert_eq!((kind(failure.remedy()), kind(failure.suspicion())), (running, found), "{failure}");
        }
    }
}
