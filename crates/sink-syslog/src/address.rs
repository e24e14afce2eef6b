//! Where a receiver listens, and what is spoken there.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::ServerName;

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// One datagram a message (RFC 5426).
    Udp,
    /// A stream of frames (RFC 6587).
    Tcp,
    /// The same over TLS (RFC 5425).
    Tls,
    /// RELP: the receiver answers each message.
    Relp,
    /// The same over TLS.
    RelpTls,
}

impl Transport {
    const ALL: [(&'static str, Self); 5] = [
        ("udp", Self::Udp),
        ("tcp", Self::Tcp),
        ("tls", Self::Tls),
        ("relp", Self::Relp),
        ("relp+tls", Self::RelpTls),
    ];

    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Tls | Self::RelpTls)
    }

    /// Where there is one port that everybody uses (RFC 5425, 4.1; RFC 5426, 3.3).
    fn usual_port(self) -> Option<u16> {
        match self {
            Self::Udp => Some(514),
            Self::Tls => Some(6514),
            Self::Tcp | Self::Relp | Self::RelpTls => None,
        }
    }
}

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) transport: Transport,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = Transport::ALL.iter().find(|(_, transport)| *transport == self.transport);
        let scheme = scheme.map_or("", |(scheme, _)| scheme);
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

impl Address {
    /// Reads `SCHEME://HOST[:PORT]`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// What is wrong and what would be right.
    pub(crate) fn read(text: &str) -> Result<Self, (&'static str, &'static str)> {
        const EXAMPLE: &str =
            "write it like tls://siem.example.com:6514; there are tls, tcp, udp, relp and relp+tls";
        let Some((scheme, rest)) = text.trim().split_once("://") else {
            return Err(("has no scheme", EXAMPLE));
        };
        let known = Transport::ALL.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
        let Some((_, transport)) = known else { return Err(("has an unknown scheme", EXAMPLE)) };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(("has more than a host and a port", "remove path, query and credentials"));
        }
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        if ServerName::try_from(host).is_err() {
            return Err(("names no host", "write a host name or an IP address, IPv6 in brackets"));
        }
        let port = match port {
            None => transport.usual_port().ok_or(("has no port", "add the receiver's port, such as :601")),
            Some(port) => {
                let port = port.parse().ok().filter(|port| *port != 0);
                port.ok_or(("has no valid port", "write a port from 1 to 65535"))
            }
        };
        Ok(Self { transport: *transport, host: host.to_owned(), port: port? })
    }

    /// Whether it leads to this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown() {
        for (text, shown) in [
            ("tls://siem.example.com", "tls://siem.example.com:6514"),
            (" TCP://10.0.0.1:601/ ", "tcp://10.0.0.1:601"),
            ("udp://[::1]", "udp://[::1]:514"),
            ("relp+tls://[2001:db8::1]:2514", "relp+tls://[2001:db8::1]:2514"),
            ("relp://localhost:2514", "relp://localhost:2514"),
        ] {
            assert_eq!(Address::read(text).unwrap().to_string(), shown);
        }
        for bad in [
            "",
            "siem.example.com:514",
            "http://a:1",
            "tcp://a",
            "relp://a",
            "tcp://:514",
            "tcp://a:0",
            "tcp://a:70000",
            "tcp://a b:1",
            "tcp://u:p@a:1",
            "tls://a/path",
            "udp://2001:db8::1",
            "tcp://[::1:1",
        ] {
            assert!(Address::read(bad).is_err(), "{bad}");
        }
    }
}
