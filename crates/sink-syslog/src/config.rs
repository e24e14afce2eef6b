//! What a user writes in a `syslog` block, and its check.

use std::fmt;
use std::time::Duration;

use encode::Framing;
use encode::syslog::{Facility, Format};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{ByteSize, HumanDuration, Invalid, Tls};

use crate::address::{Address, Transport};

/// Smaller messages than these every receiver takes (RFC 5424, 6.1).
const LEAST_BYTES: u64 = 480;

/// Most that a datagram holds over IPv4.
const MOST_DATAGRAM: u64 = 65_507;

/// Most bytes of one message over a stream.
const MOST_BYTES: u64 = 16 << 20;

/// Events to a syslog receiver, one message an event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyslogConfig {
    /// Where the receiver listens: `tls://host:6514`, `tcp://host:port`, `udp://host:514`, `relp://host:port` or
    /// `relp+tls://host:port`. Only RELP tells us that a message was taken; UDP loses messages without a word.
    pub address: String,
    /// How a message is laid out.
    #[serde(default)]
    pub format: Format,
    /// How messages are told apart on TCP and TLS. Without it octet counting; `lf` for receivers that read lines.
    #[serde(default)]
    pub framing: Option<Framing>,
    /// What a message says: the event as JSON, or CEF with the event in `rawEvent`.
    #[serde(default)]
    pub body: Body,
    /// What kind of program speaks; some receivers sort by it.
    #[serde(default)]
    pub facility: Facility,
    /// APP-NAME, or TAG with `rfc3164`.
    #[serde(default = "towpath")]
    pub app_name: String,
    /// HOSTNAME; without it this machine's name.
    #[serde(default)]
    pub hostname: Option<String>,
    /// Longest message. Without it 2KiB on UDP and 8KiB otherwise, which is what receivers take as they are installed.
    #[serde(default)]
    pub max_bytes: Option<ByteSize>,
    /// What becomes of an event whose message is longer.
    #[serde(default)]
    pub on_oversize: OnOversize,
    /// Trust and client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Longest time for one write, from the connection to the last acknowledgement. After it the receiver may have taken
    /// the events or not: they are sent again.
    #[serde(default = "half_a_minute")]
    pub timeout: HumanDuration,
}

fn towpath() -> String {
    "towpath".to_owned()
}

fn half_a_minute() -> HumanDuration {
    Duration::from_secs(30).into()
}

/// What a message says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Body {
    /// The event.
    #[default]
    Json,
    /// Its main facts in ArcSight's Common Event Format, with the whole event in `rawEvent`.
    Cef,
}

/// What becomes of an event whose message is longer than `max_bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnOversize {
    /// It is refused, and kept whole among the dead letters.
    #[default]
    DeadLetter,
    /// It is cut at a character, says so (`truncated="1"`, or `[truncated]` at the end with `rfc3164`), and counts as
    /// delivered. What was cut off is lost.
    Truncate,
}

/// A checked [`SyslogConfig`].
#[derive(Clone)]
pub struct SyslogSettings {
    pub(crate) address: Address,
    pub(crate) format: Format,
    pub(crate) framing: Framing,
    pub(crate) body: Body,
    pub(crate) facility: Facility,
    pub(crate) app_name: String,
    pub(crate) hostname: Option<String>,
    pub(crate) max_bytes: usize,
    pub(crate) on_oversize: OnOversize,
    pub(crate) tls: Tls,
    pub(crate) timeout: Duration,
}

/// For people: `tls://siem.example.com:6514`.
impl fmt::Display for SyslogSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Debug for SyslogSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SyslogSettings({self})")
    }
}

impl SyslogConfig {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<SyslogSettings, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let mut fault =
            |key: &str, message: &str, remedy: &str| wrong.push(Invalid::new(key, message, remedy));
        let address = Address::read(&self.address);
        if let Err((message, remedy)) = address {
            fault("address", message, remedy);
        }
        let transport = address.as_ref().ok().map(|address| address.transport);
        let has_frames = transport.is_none_or(|t| matches!(t, Transport::Tcp | Transport::Tls));
        if self.framing.is_some() && !has_frames {
            fault("framing", "has no effect: UDP and RELP have frames of their own", "remove it");
        }
        if self.tls != Tls::default() && transport.is_some_and(|transport| !transport.is_tls()) {
            fault("tls", "has no effect on this address", "use tls:// or relp+tls://, or remove it");
        }
        for (key, value) in [("app_name", Some(&self.app_name)), ("hostname", self.hostname.as_ref())] {
            if value.is_some_and(|value| value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic())) {
                fault(
                    key,
                    "is empty, or has a character that a header cannot hold",
                    "use ASCII without blanks",
                );
            }
        }
        let most = if transport == Some(Transport::Udp) { MOST_DATAGRAM } else { MOST_BYTES };
        let max_bytes = self.max_bytes.map_or(default_bytes(transport), |bytes| bytes.get());
        if !(LEAST_BYTES..=most).contains(&max_bytes) {
            let message = format!("is not between {LEAST_BYTES} and {most} bytes");
            fault("max_bytes", &message, "write what the receiver takes in one message, such as `8KiB`");
        }
        let (least, longest) = (Duration::from_secs(1), Duration::from_secs(3600));
        if !(least..=longest).contains(&self.timeout.get()) {
            fault("timeout", "is not between 1s and 1h", "write a time such as `30s`");
        }
        wrong.extend(self.tls.validate().err().map(|invalid| invalid.under("tls")));
        match address {
            Ok(address) if wrong.is_empty() => Ok(SyslogSettings {
                framing: match address.transport {
                    Transport::Tcp | Transport::Tls => self.framing.unwrap_or(Framing::OctetCounting),
                    Transport::Udp | Transport::Relp | Transport::RelpTls => Framing::None,
                },
                address,
                format: self.format,
                body: self.body,
                facility: self.facility,
                app_name: self.app_name.clone(),
                hostname: self.hostname.clone(),
                // Checked above: below 16 MiB.
                max_bytes: max_bytes as usize,
                on_oversize: self.on_oversize,
                tls: self.tls.clone(),
                timeout: self.timeout.get(),
            }),
            _ => Err(wrong),
        }
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self) -> Vec<Invalid> {
        let mut doubts = Vec::new();
        let Ok(address) = Address::read(&self.address) else { return doubts };
        let mut doubt =
            |key: &str, message: &str, remedy: &str| doubts.push(Invalid::new(key, message, remedy));
        if address.transport == Transport::Udp {
            let message = "is UDP: nobody tells when a message is lost on the way, and it counts as delivered all the same";
            doubt(
                "address",
                message,
                "use relp:// or relp+tls:// if the receiver is rsyslog, else tls:// or tcp://",
            );
        }
        if !address.transport.is_tls() && !address.is_loopback() {
            let message =
                "leads to another machine in clear: whoever is on the way can read and change the events";
            doubt("address", message, "use tls:// or relp+tls://");
        }
        if address.transport == Transport::Tls && self.framing == Some(Framing::Lf) {
            let message =
                "is not what RFC 5425 has for TLS, and a stop in the middle of a line can leave half of it";
            doubt("framing", message, "remove it, unless the receiver reads only lines");
        }
        if self.on_oversize == OnOversize::Truncate {
            let message = "loses the end of long events, and half an event is no JSON any more";
            doubt(
                "on_oversize",
                message,
                "leave it at `dead_letter` and raise `max_bytes` here and at the receiver",
            );
        }
        doubts
    }
}

/// What receivers take as they are installed: 8 KiB is rsyslog's limit and what RFC 5425, 4.3.1 asks for; over UDP 2 KiB
/// (RFC 5426, 3.2).
fn default_bytes(transport: Option<Transport>) -> u64 {
    if transport == Some(Transport::Udp) { 2048 } else { 8192 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> SyslogConfig {
        serde_json::from_value(json).unwrap()
    }

    fn keys(found: &[Invalid]) -> Vec<&str> {
        found.iter().map(|invalid| invalid.path.as_str()).collect()
    }

    #[test]
    fn defaults_are_safe() {
        let settings = read(serde_json::json!({"address": "tls://siem.example.com"})).validate().unwrap();
        assert_eq!(settings.framing, Framing::OctetCounting);
        assert_eq!((settings.max_bytes, settings.on_oversize), (8192, OnOversize::DeadLetter));
        assert_eq!(format!("{settings} {settings:?}").matches("tls://siem.example.com:6514").count(), 2);
        let settings = read(serde_json::json!({"address": "udp://localhost"})).validate().unwrap();
        assert_eq!((settings.max_bytes, settings.framing), (2048, Framing::None));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let config = read(serde_json::json!({
            "address": "udp://siem", "framing": "lf", "app_name": "two words", "hostname": "", "max_bytes": "64KiB",
            "timeout": "10ms", "tls": {"cert_file": "c.pem"},
        }));
        let wrong = config.validate().unwrap_err();
        let expected = ["framing", "tls", "app_name", "hostname", "max_bytes", "timeout", "tls.cert_file"];
        assert_eq!(keys(&wrong), expected);
        let wrong =
            read(serde_json::json!({"address": "siem", "max_bytes": "17MiB"})).validate().unwrap_err();
        assert_eq!(keys(&wrong), ["address", "max_bytes"]);
        assert!(
            serde_json::from_str::<SyslogConfig>(r#"{"address": "tcp://a:1", "framing": "none"}"#).is_err()
        );
    }

    #[test]
    fn what_loses_or_shows_events_is_warned_of() {
        for (config, expected) in [
            (serde_json::json!({"address": "tls://siem"}), vec![]),
            (serde_json::json!({"address": "tcp://127.0.0.1:601"}), vec![]),
            (serde_json::json!({"address": "udp://127.0.0.1"}), vec!["address"]),
            (serde_json::json!({"address": "udp://siem"}), vec!["address", "address"]),
            (serde_json::json!({"address": "relp://siem:1"}), vec!["address"]),
            (
                serde_json::json!({"address": "tls://siem", "framing": "lf", "on_oversize": "truncate"}),
                vec!["framing", "on_oversize"],
            ),
        ] {
            assert_eq!(keys(&read(config.clone()).warnings()), expected, "{config}");
        }
    }
}
