//! A server that answers with scripted bytes and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// What happens to a connection after a request on it was read.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, then silence.
    Hang(Vec<u8>),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers the n-th request with the n-th reply, the last one for ever.
    pub(crate) async fn start(replies: Vec<Reply>, tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, replies, tls) = (log.clone(), replies.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(stream, &log, &replies).await,
                        // A client that does not trust us goes away: that is what some tests are about.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, &log, &replies).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, requests }
    }

    /// Plain HTTP, one reply for ever.
    pub(crate) async fn plain(reply: &str) -> Self {
        Self::start(vec![Reply::Bytes(reply.as_bytes().to_vec())], None).await
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, scheme: &str, path: &str) -> http_client::Url {
        format!("{scheme}://{}{path}", self.address).parse().unwrap()
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    log: &Mutex<Vec<String>>,
    replies: &[Reply],
) {
    let Some(head) = read_head(&mut stream).await else { return };
    let n = {
        let mut log = log.lock().unwrap();
        log.push(head);
        log.len() - 1
    };
    match &replies[n.min(replies.len() - 1)] {
        Reply::Bytes(bytes) => {
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
        }
        Reply::Hang(bytes) => {
            stream.write_all(bytes).await.unwrap();
            std::future::pending::<()>().await;
        }
    }
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// A proxy: tunnels `CONNECT` to wherever it says, and counts.
pub(crate) async fn tunnel_proxy(reply: &'static str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut inbound, _) = listener.accept().await.unwrap();
            let log = log.clone();
            tokio::spawn(async move {
                let head = read_head(&mut inbound).await.unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                log.lock().unwrap().push(head);
                inbound.write_all(reply.as_bytes()).await.unwrap();
                if reply.contains(" 200 ") {
                    let mut outbound = TcpStream::connect(target).await.unwrap();
                    tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await.ok();
                }
            });
        }
    });
    Server { address, requests }
}

/// A certificate authority of our own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` and its key, both PEM; `expired` since 2021.
    pub(crate) fn issue(&self, name: &str, expired: bool) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    /// A server's configuration with a certificate for `name`; asks for a client certificate of `clients`.
    pub(crate) fn server(&self, name: &str, expired: bool, clients: Option<&Self>) -> ServerConfig {
        let (certificate, key) = self.issue(name, expired);
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(clients.pem().as_bytes()).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
    }
}
