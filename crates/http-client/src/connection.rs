//! The keys of a configuration that say how a server is reached, checked in one place.

use std::time::Duration;

use settings::{HumanDuration, Invalid, Secret, Tls};

use crate::client::ClientSettings;
use crate::endpoint::Proxy;

impl ClientSettings {
    /// Checks the keys `tls`, `proxy` and `timeout` of a connector's block; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right. Shows no part of the proxy's URL.
    pub fn validate(tls: &Tls, proxy: Option<&Secret>, timeout: HumanDuration) -> Result<Self, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(3600));
        if !(least..=most).contains(&timeout.get()) {
            wrong.push(Invalid::new("timeout", "is not between 1s and 1h", "write a time such as `30s`"));
        }
        let proxy = match proxy.map(|proxy| Proxy::read(proxy.expose())).transpose() {
            Ok(proxy) => proxy,
            Err(error) => {
                let remedy = "write `http://host:port`, SOCKS is not supported";
                wrong.push(Invalid::new("proxy", format!("is {error}"), remedy));
                None
            }
        };
        wrong.extend(tls.validate().err().map(|invalid| invalid.under("tls")));
        if wrong.is_empty() {
            Ok(Self { tls: tls.clone(), proxy, timeout: timeout.get(), ..Self::default() })
        } else {
            Err(wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_said_at_once_without_the_proxys_password() {
        let tls = Tls { cert_file: Some("c.pem".into()), ..Tls::default() };
        let proxy = Secret::new("socks5://u:s3cret@p:1".to_owned());
        for timeout in [Duration::ZERO, Duration::from_secs(3601)] {
            let wrong = ClientSettings::validate(&tls, Some(&proxy), timeout.into()).unwrap_err();
            let keys: Vec<_> = wrong.iter().map(|invalid| invalid.path.as_str()).collect();
            assert_eq!(keys, ["timeout", "proxy", "tls.cert_file"]);
            assert!(!format!("{wrong:?}").contains("s3cret"));
        }
        let proxy = Secret::new("http://u:s3cret@p:1".to_owned());
        let settings =
            ClientSettings::validate(&Tls::default(), Some(&proxy), Duration::from_secs(1).into()).unwrap();
        assert_eq!(format!("{:?}", settings.proxy), "Some(Proxy(http://p:1))");
    }
}
