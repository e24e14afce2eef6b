//! Signatures as Standard Webhooks has them (its specification, "Signature scheme"): three headers, of which
//! `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `ID.TIMESTAMP.BODY`. While a secret is replaced there
//! is one signature for each, separated by spaces; a receiver accepts the delivery when it knows one of them.

use std::fmt;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use settings::Secret;
use sha2::Sha256;

/// How long a secret should be, in bytes (Standard Webhooks, "Signature scheme").
pub(crate) const FIT: std::ops::RangeInclusive<usize> = 24..=64;

const PREFIX: &str = "whsec_";

/// Some tools leave the padding away.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key to sign with. Its `Debug` form tells nothing.
#[derive(Clone)]
pub(crate) struct SigningKey {
    keyed: Hmac<Sha256>,
    bytes: usize,
}

impl SigningKey {
    /// Reads `whsec_<base64>`; `None` when it is not of that form, or empty.
    pub(crate) fn read(secret: &Secret) -> Option<Self> {
        let key = LENIENT.decode(secret.expose().trim().strip_prefix(PREFIX)?).ok()?;
        if key.is_empty() {
            return None;
        }
        // Takes keys of any length.
        Some(Self { keyed: Hmac::new_from_slice(&key).ok()?, bytes: key.len() })
    }

    /// Length of the key.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = self.keyed.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// The value of `webhook-signature`: one signature a key, in their order. `timestamp` is in seconds since 1970, and
/// `body` the bytes as they are sent.
pub(crate) fn signature(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signatures: Vec<String> = keys.iter().map(|key| key.sign(id, timestamp, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<SigningKey> {
        SigningKey::read(&Secret::new(text.to_owned()))
    }

    /// The example of the reference implementations of Standard Webhooks, in all of their test suites.
    #[test]
    fn the_published_example_has_its_signature() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        assert_eq!(
            signature(std::slice::from_ref(&key), id, 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let two = signature(&[key.clone(), key], id, 1_614_265_330, body);
        assert_eq!(two.split(' ').count(), 2);
    }

    #[test]
    fn other_forms_are_no_secrets_and_none_shows() {
        for bad in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_!!",
            "whsec_a",
            "whsec_====",
            "WHSEC_AAAA",
        ] {
            assert!(key(bad).is_none(), "{bad}");
        }
        assert_eq!(key(" whsec_AAAA\n").unwrap().bytes(), 3);
        assert_eq!(key("whsec_AAA").unwrap().bytes(), key("whsec_AAA=").unwrap().bytes());
        assert_eq!(format!("{:?}", key("whsec_AAAA").unwrap()), "SigningKey(…)");
    }
}
