//! What TLS trusts and shows.
//!
//! Trusted is what `tls.ca_file` names and nothing else; without it, the certificate authorities of this machine: an
//! organisation that inspects TLS or runs its own CA has put it there, and expects programs to follow. They are read
//! from the bundle file alone (1.6 ms; going through the directory of single certificates as well takes forty times
//! as long and finds the same). A machine without a bundle, such as an empty container image, gets Mozilla's list,
//! which is compiled in.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use settings::Tls;

use crate::error::HttpError;

/// Reads the files that `tls` names, or the machine's authorities. Also for what is spoken over TLS instead of HTTP.
///
/// # Errors
/// [`HttpError::Setup`], with the key and the file.
pub fn client_config(tls: &Tls) -> Result<ClientConfig, HttpError> {
    let Some(path) = &tls.ca_file else {
        return with_client_certificate(machine_roots(), tls);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("tls.ca_file", path)? {
        roots.add(certificate).map_err(|e| {
            setup("tls.ca_file", path, format!("holds a certificate that cannot be used: {e}"))
        })?;
    }
    with_client_certificate(roots, tls)
}

/// For plain HTTP alone: nothing is read, nothing is trusted.
pub(crate) fn no_trust() -> Result<ClientConfig, HttpError> {
    with_client_certificate(RootCertStore::empty(), &Tls::default())
}

fn with_client_certificate(roots: RootCertStore, tls: &Tls) -> Result<ClientConfig, HttpError> {
    let internal =
        |e: rustls::Error| HttpError::Setup { detail: format!("TLS library refuses its own defaults: {e}") };
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(internal)?
        .with_root_certificates(roots);
    let (cert_file, key_file) = match (&tls.cert_file, &tls.key_file) {
        (None, None) => return Ok(builder.with_no_client_auth()),
        (Some(cert_file), Some(key_file)) => (cert_file, key_file),
        _ => {
            return Err(HttpError::Setup {
                detail: "tls.cert_file and tls.key_file only work together".to_owned(),
            });
        }
    };
    let chain = certificates("tls.cert_file", cert_file)?;
    let text = read("tls.key_file", key_file)?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|e| {
        setup("tls.key_file", key_file, format!("holds no private key in PEM form: {}", pem_error(&e)))
    })?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|e| setup("tls.key_file", key_file, format!("does not fit {}: {e}", cert_file.display())))
}

fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    if let Some(path) = openssl_probe::probe().cert_file {
        match fs::read(&path) {
            Ok(text) => {
                let readable = CertificateDer::pem_slice_iter(&text).filter_map(Result::ok);
                let (added, ignored) = roots.add_parsable_certificates(readable);
                tracing::debug!(path = %path.display(), added, ignored, "trusting the authorities of this machine");
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "authorities of this machine cannot be read");
            }
        }
    }
    if roots.is_empty() {
        tracing::debug!("trusting the built-in list of authorities, this machine has none");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let text = read(key, path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|e| setup(key, path, format!("is no PEM file: {}", pem_error(&e))))?;
    if certificates.is_empty() {
        return Err(setup(key, path, "holds no certificate in PEM form".to_owned()));
    }
    Ok(certificates)
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, HttpError> {
    fs::read(path).map_err(|e| setup(key, path, format!("cannot be read: {e}")))
}

fn setup(key: &str, path: &Path, what: String) -> HttpError {
    HttpError::Setup { detail: format!("{key}: {} {what}", path.display()) }
}

/// In words without the file's content, which may be a key.
fn pem_error(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::NoItemsFound => "nothing of that kind in it",
        pem::Error::MissingSectionEnd { .. } => "an END line is missing",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        _ => "malformed",
    }
}
