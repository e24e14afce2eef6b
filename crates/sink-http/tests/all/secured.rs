//! TLS: whom we trust, and who we are.

use std::fs;

use pipeline::Sink;
use serde_json::json;

use crate::receiver::{Protocol, Receiver};
use crate::{all_words, deliver, sink, words};
use testkit::http::Authority;

#[tokio::test]
async fn an_own_authority_and_a_client_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let receiver = Receiver::secured(Protocol::default(), servers.server(Some(&clients))).await;
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = clients.issue("towpath");
    for (name, text) in [("ca.pem", servers.pem()), ("cert.pem", certificate), ("key.pem", key)] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let url = format!("https://{}/", receiver.address);
    let file = |name: &str| dir.path().join(name);

    let stranger = sink(&json!({"url": url}));
    let error = deliver(&stranger, &[1]).await;
    assert_eq!(words(&error), "paused tls");
    assert!(error.unwrap_err().to_string().contains("tls.ca_file"));

    let nobody = sink(&json!({"url": url, "tls": {"ca_file": file("ca.pem")}}));
    let error = deliver(&nobody, &[1]).await;
    assert_eq!(words(&error), "paused tls");
    assert!(error.unwrap_err().to_string().contains("tls.cert_file"));
    assert!(nobody.check().await.is_err());

    let tls = json!({"ca_file": file("ca.pem"), "cert_file": file("cert.pem"), "key_file": file("key.pem")});
    let sink = sink(&json!({"url": url, "tls": tls, "auth": {"bearer": "s3cret"}}));
    assert_eq!(words(&deliver(&sink, &[1, 2]).await), "taken");
    sink.check().await.unwrap();

    // A renewed certificate needs no restart, and a broken one says which file it is.
    fs::write(file("ca.pem"), "no PEM").unwrap();
    let renewed = crate::sink(&json!({"url": url, "tls": tls}));
    let error = deliver(&renewed, &[1]).await;
    assert_eq!(words(&error), "paused setup");
    assert!(all_words(&error.unwrap_err()).contains("ca.pem"));
    fs::write(file("ca.pem"), servers.pem()).unwrap();
    assert_eq!(words(&deliver(&renewed, &[3]).await), "taken");
    assert_eq!(receiver.taken().len(), 3);
}
