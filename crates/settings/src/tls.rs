//! The TLS block of connectors.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Trust and identity for TLS connections. PEM files; a relative path counts from the working directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificates of the authorities to trust, instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Our own certificate chain, for servers that ask for one; needs `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// The private key of `cert_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Finds a certificate without its key, or the other way round. Paths are relative to this block.
    pub fn validate(&self) -> Result<(), Invalid> {
        let lonely = |key, other: &str| {
            let message = format!("stands without `{other}`");
            Err(Invalid::new(key, message, format!("add `{other}`: a client certificate needs both files")))
        };
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => lonely("cert_file", "key_file"),
            (None, Some(_)) => lonely("key_file", "cert_file"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_and_key_come_together() {
        let read = |json| serde_json::from_str::<Tls>(json).unwrap().validate().map_err(|i| i.path);
        assert_eq!(read("{}"), Ok(()));
        assert_eq!(read(r#"{"ca_file": "ca.pem"}"#), Ok(()));
        assert_eq!(read(r#"{"cert_file": "c.pem", "key_file": "k.pem"}"#), Ok(()));
        assert_eq!(read(r#"{"cert_file": "c.pem"}"#), Err("cert_file".into()));
        assert_eq!(read(r#"{"key_file": "k.pem"}"#), Err("key_file".into()));
        assert!(serde_json::from_str::<Tls>(r#"{"verify": false}"#).is_err());
    }
}
