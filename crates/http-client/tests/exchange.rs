//! The client against servers that answer well, badly, late, or elsewhere. No key may show in what it says of them.

#![allow(clippy::unwrap_used)] // The lint spares test functions, but not what they share.

mod server;

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use http_client::header::{HeaderName, HeaderValue};
use http_client::{
    Answer, ClientSettings, HttpClient, HttpError, Proxy, Request, TimedOut, Url, secret_header,
};
use server::{Authority, Reply, Server, tunnel_proxy};
use settings::{Secret, Tls};
use tokio::io::AsyncWriteExt;

const KEY: &str = "PMAK-0123456789abcdef";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n\r\n{}";

fn request(url: Url) -> Request {
    let mut request = Request::get(url, 1000);
    let key = secret_header("api_key", &Secret::new(KEY.to_owned())).unwrap();
    request.headers.insert(HeaderName::from_static("x-api-key"), key);
    request
}

async fn send(settings: ClientSettings, url: Url) -> Result<Answer, HttpError> {
    HttpClient::new(settings).send(&request(url)).await.inspect_err(assert_no_key)
}

async fn get(url: Url) -> Result<Answer, HttpError> {
    send(ClientSettings::default(), url).await
}

/// Neither the key nor the query may show, in whatever form an error is printed.
fn assert_no_key(error: &HttpError) {
    let mut text = format!("{error:?} {error:#?} {:?}", error.remedy());
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        text += &format!(" {error} {error:?}");
        next = error.source();
    }
    assert!(!text.contains("0123456789") && !text.contains("since"), "{text}");
}

/// The error and its sources in one line, as an operator sees it.
fn line(error: &HttpError) -> String {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

fn trusting(authority: &Authority) -> (ClientSettings, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).unwrap();
    let tls = Tls { ca_file: Some(ca_file), ..Tls::default() };
    (ClientSettings { tls, ..ClientSettings::default() }, dir)
}

#[tokio::test]
async fn an_answer_has_status_headers_body_and_date() {
    let server = Server::plain(
        "HTTP/1.1 429 Slow down\r\nContent-Length: 5\r\nRetry-After: 3\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n\r\nhello",
    )
    .await;
    let answer = get(server.url("http", "/audit/logs?since=now")).await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (429, &b"hello"[..]));
    assert_eq!(answer.headers["retry-after"], "3");
    assert_eq!(answer.date.unwrap().to_string(), "2026-11-20T10:00:00.000Z");
    let sent = server.requests().remove(0).to_lowercase();
    assert!(sent.starts_with("get /audit/logs?since=now http/1.1\r\n"), "{sent}");
    for header in
        ["accept-encoding: gzip", "user-agent: towpath/0.1.0", &format!("x-api-key: {KEY}").to_lowercase()]
    {
        assert!(sent.contains(header), "{sent}");
    }
}

#[tokio::test]
async fn each_bad_answer_has_its_error() {
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let with_body = |headers: &str, body: &[u8]| {
        let mut reply = format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes();
        reply.extend_from_slice(body);
        reply
    };
    let bomb = gzip(&[b' '; 500_000]);
    let length = bomb.len();
    let small = gzip(b"{\"trails\":[]}");
    let table: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Le".to_vec(), "reset"),
        (b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), "protocol"),
        (with_body("Content-Length: 10\r\n", b"{\"trai"), "truncated"),
        (with_body("Transfer-Encoding: chunked\r\n", b"5\r\n{\"tra\r\n"), "truncated"),
        (with_body("Content-Encoding: gzip\r\n", &small[..small.len() - 4]), "truncated"),
        (with_body("Content-Encoding: gzip\r\nContent-Length: 100\r\n", &small), "truncated"),
        (with_body("Content-Length: 1001\r\n", &[b' '; 1001]), "too_large"),
        (with_body("", &[b' '; 1001]), "too_large"),
        (with_body(&format!("Content-Encoding: gzip\r\nContent-Length: {length}\r\n"), &bomb), "too_large"),
        (with_body("Content-Encoding: br\r\n", b"x"), "protocol"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://example.com/x?since=0123456789\r\n\r\n".to_vec(),
            "redirect",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: //user@\xff/\r\n\r\n".to_vec(), "redirect"),
        (b"HTTP/1.1 307 Again\r\nLocation: /audit/logs\r\n\r\n".to_vec(), "protocol"),
    ];
    for (reply, kind) in table {
        let shown = String::from_utf8_lossy(&reply).into_owned();
        let server = Server::start(vec![Reply::Bytes(reply)], None).await;
        let error = get(server.url("http", "/?since=0123456789")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{shown}: {error:?}");
        assert!(error.to_string().contains(&server.address.to_string()), "{error}");
    }
    let fits = Server::start(vec![Reply::Bytes(with_body("Content-Encoding: gzip\r\n", &small))], None).await;
    assert_eq!(&get(fits.url("http", "/")).await.unwrap().body[..], b"{\"trails\":[]}");
}

#[tokio::test]
async fn a_delivery_counts_by_its_status_whatever_becomes_of_the_body() {
    let head = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\n").into_bytes();
    let with_body = |headers: &str, body: &[u8]| [head(headers), body.to_vec()].concat();
    for (reply, body) in [
        (with_body("Content-Length: 10\r\n", b"{\"trai"), "{\"trai".to_owned()),
        (with_body("Transfer-Encoding: chunked\r\n", b"5\r\n{\"tra\r\n"), "{\"tra".to_owned()),
        (with_body("Content-Encoding: gzip\r\n", b"no gzip"), String::new()),
        (with_body("Content-Encoding: br\r\n", b"x"), String::new()),
        (with_body("Content-Length: 1001\r\n", &[b' '; 1001]), " ".repeat(1000)),
    ] {
        let shown = String::from_utf8_lossy(&reply).into_owned();
        let server = Server::start(vec![Reply::Bytes(reply)], None).await;
        let client = HttpClient::new(ClientSettings::default());
        let answer = client.deliver(&request(server.url("http", "/"))).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, body.as_bytes()), "{shown}");
    }
    // Without a head there is no answer.
    let server = Server::start(vec![Reply::Bytes(b"HTTP/1.1 20".to_vec())], None).await;
    let client = HttpClient::new(ClientSettings::default());
    let error = client.deliver(&request(server.url("http", "/?since=1"))).await.unwrap_err();
    assert_eq!(error.kind(), "reset");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_waits_for_the_rest_of_the_body_for_seconds_only() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec();
    let server = Server::start(vec![Reply::Hang(head)], None).await;
    let began = tokio::time::Instant::now();
    let answer = HttpClient::new(ClientSettings::default()).deliver(&request(server.url("http", "/"))).await;
    assert_eq!(&answer.unwrap().body[..], b"{");
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn no_connection_says_why() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get(format!("http://{free}/?since=1").parse().unwrap()).await.unwrap_err();
    assert_eq!(line(&error), format!("no connection to http://{free}: Connection refused (os error 111)"));
    let error = get("https://no-such-host.invalid/?since=1".parse().unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.remedy()), ("dns", None));
    assert!(
        line(&error).starts_with("name of https://no-such-host.invalid cannot be resolved: "),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn time_outs_are_told_apart() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".as_bytes().to_vec();
    for (reply, timeout, expected, words) in [
        (vec![], 90, TimedOut::Answer, "no answer from"),
        (head.clone(), 90, TimedOut::NextPiece, "no further piece of the answer from"),
        (head, 20, TimedOut::WholeBody, "no complete answer from"),
    ] {
        let server = Server::start(vec![Reply::Hang(reply)], None).await;
        let settings = ClientSettings { timeout: Duration::from_secs(timeout), ..ClientSettings::default() };
        let error = send(settings, server.url("http", "/?since=1")).await.unwrap_err();
        let HttpError::Timeout { what, after, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*what, *after), (expected, Duration::from_secs(timeout.min(30).max(after.as_secs()))));
        let server = server.url("http", "");
        assert_eq!(
            error.to_string(),
            format!("{words} {} within {} s", http_client::origin(&server), after.as_secs())
        );
    }
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_origin_only() {
    let redirect =
        |to: &str| Reply::Bytes(format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\n\r\n").into_bytes());
    let server = Server::start(vec![redirect("/v2/audit"), Reply::Bytes(OK.into())], None).await;
    assert_eq!(get(server.url("http", "/audit")).await.unwrap().status, 200);
    let requests = server.requests();
    assert!(requests[1].starts_with("GET /v2/audit ") && requests[1].contains(KEY));

    // Same host, other port: another origin.
    let elsewhere = Server::plain(OK).await;
    let target = elsewhere.url("http", "/x?since=0123456789");
    let server = Server::start(vec![redirect(target.as_str())], None).await;
    let error = get(server.url("http", "/audit")).await.unwrap_err();
    let (from, to) = (http_client::origin(&server.url("http", "")), http_client::origin(&target));
    assert_eq!(error.to_string(), format!("{from} redirects to {to} (status 301)"));
    assert!(error.remedy().unwrap().contains("set `url` to it"));
    assert_eq!(elsewhere.requests(), Vec::<String>::new());

    // What changes something is not sent again as something else.
    let server = Server::start(vec![redirect("/v2"), Reply::Bytes(OK.into())], None).await;
    let mut post = request(server.url("http", "/v1"));
    post.method = http_client::Method::POST;
    assert_eq!(HttpClient::new(ClientSettings::default()).send(&post).await.unwrap_err().kind(), "redirect");
}

#[tokio::test]
async fn tls_trusts_the_configured_authority_and_says_what_is_wrong() {
    let authority = Authority::new();
    let server = |name, expired| {
        Server::start(vec![Reply::Bytes(OK.into())], Some(authority.server(name, expired, None)))
    };
    let good = server("127.0.0.1", false).await;
    let (settings, _dir) = trusting(&authority);
    assert_eq!(send(settings.clone(), good.url("https", "/")).await.unwrap().status, 200);

    let error = get(good.url("https", "/?since=1")).await.unwrap_err();
    assert!(
        error.to_string().ends_with("its certificate is signed by an authority that is not trusted here")
    );
    assert!(error.remedy().unwrap().contains("tls.ca_file"));

    let wrong_name = server("other.example.com", false).await;
    let error = send(settings.clone(), wrong_name.url("https", "/?since=1")).await.unwrap_err();
    assert!(error.to_string().contains("its certificate is for "), "{error}");
    assert!(error.to_string().contains("other.example.com"), "{error}");

    let expired = server("127.0.0.1", true).await;
    let error = send(settings.clone(), expired.url("https", "/?since=1")).await.unwrap_err();
    assert!(error.to_string().ends_with("its certificate has expired"), "{error}");

    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/?since=1", plain.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let error = send(settings, url).await.unwrap_err();
    assert!(error.to_string().ends_with("what answers there does not speak TLS"), "{error}");
}

#[tokio::test]
async fn tls_shows_a_client_certificate() {
    let authority = Authority::new();
    let config = authority.server("127.0.0.1", false, Some(&authority));
    let server = Server::start(vec![Reply::Bytes(OK.into())], Some(config)).await;
    let (mut settings, dir) = trusting(&authority);
    let error = send(settings.clone(), server.url("https", "/?since=1")).await.unwrap_err();
    assert!(error.remedy().unwrap().contains("tls.cert_file"), "{error:?}");

    let (certificate, key) = authority.issue("towpath", false);
    let (cert_file, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert_file, certificate).unwrap();
    std::fs::write(&key_file, key).unwrap();
    settings.tls.cert_file = Some(cert_file.clone());
    settings.tls.key_file = Some(key_file.clone());
    assert_eq!(send(settings.clone(), server.url("https", "/")).await.unwrap().status, 200);

    // Files that cannot be used are named with their key.
    std::fs::write(&key_file, "-----BEGIN PRIVATE KEY-----\n0123456789\n").unwrap();
    let error = send(settings.clone(), server.url("https", "/")).await.unwrap_err();
    assert!(error.to_string().starts_with("tls.key_file: ") && error.remedy().is_some(), "{error}");
    std::fs::write(&key_file, authority.issue("towpath", false).1).unwrap();
    let error = send(settings.clone(), server.url("https", "/")).await.unwrap_err();
    assert!(error.to_string().contains("key.pem does not fit"), "{error}");
    settings.tls.ca_file = Some(dir.path().join("absent.pem"));
    let error = send(settings.clone(), server.url("https", "/")).await.unwrap_err();
    assert!(error.to_string().contains("absent.pem cannot be read: No such file"), "{error}");
    std::fs::write(dir.path().join("absent.pem"), "hello").unwrap();
    let error = send(settings, server.url("https", "/")).await.unwrap_err();
    assert!(error.to_string().contains("holds no certificate"), "{error}");
}

#[tokio::test]
async fn a_corrected_authority_needs_no_new_client() {
    let (old, new) = (Authority::new(), Authority::new());
    let config = new.server("127.0.0.1", false, None);
    let server = Server::start(vec![Reply::Bytes(OK.into())], Some(config)).await;
    let (settings, dir) = trusting(&old);
    let client = HttpClient::new(settings);
    let request = request(server.url("https", "/"));
    assert_eq!(client.send(&request).await.unwrap_err().kind(), "tls");
    std::fs::write(dir.path().join("ca.pem"), new.pem()).unwrap();
    assert_eq!(client.send(&request).await.unwrap().status, 200);
}

#[tokio::test]
async fn requests_go_through_the_configured_proxy() {
    let through = |server: &Server| {
        let proxy = Proxy::read(&format!("http://someone:0123456789@{}", server.address)).unwrap();
        ClientSettings { proxy: Some(proxy), ..ClientSettings::default() }
    };
    // Plain HTTP: the proxy is asked for the whole URL.
    let proxy = Server::plain(OK).await;
    let url: Url = "http://127.0.0.1:1/audit?since=1".parse().unwrap();
    assert_eq!(send(through(&proxy), url.clone()).await.unwrap().status, 200);
    let asked = proxy.requests().remove(0);
    assert!(asked.starts_with("GET http://127.0.0.1:1/audit?since=1 "), "{asked}");
    assert!(asked.to_lowercase().contains("proxy-authorization: basic "), "{asked}");

    // HTTPS: a tunnel, through which the proxy sees no key.
    let authority = Authority::new();
    let config = authority.server("127.0.0.1", false, None);
    let server = Server::start(vec![Reply::Bytes(OK.into())], Some(config)).await;
    let proxy = tunnel_proxy("HTTP/1.1 200 OK\r\n\r\n").await;
    let (trusting, _dir) = trusting(&authority);
    let settings = ClientSettings { proxy: through(&proxy).proxy, ..trusting };
    assert_eq!(send(settings, server.url("https", "/")).await.unwrap().status, 200);
    assert!(proxy.requests()[0].starts_with(&format!("CONNECT {} ", server.address)));
    assert!(!proxy.requests()[0].contains(KEY) && server.requests()[0].contains(KEY));

    for (reply, wants_login) in [("HTTP/1.1 407 Log in\r\n\r\n", true), ("HTTP/1.1 403 No\r\n\r\n", false)] {
        let proxy = tunnel_proxy(reply).await;
        let error = send(through(&proxy), server.url("https", "/?since=1")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("proxy http://{} does not connect to https://{}", proxy.address, server.address)
        );
        assert_eq!(error.remedy().is_some(), wants_login, "{error:?}");
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = ClientSettings {
        proxy: Some(Proxy::read(&format!("http://{gone}")).unwrap()),
        ..ClientSettings::default()
    };
    let error = send(settings, server.url("https", "/?since=1")).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no connection to http://{gone}"));
}

/// The environment cannot be changed within a test, so this runs itself again in a process that has another one.
#[tokio::test]
async fn proxies_of_the_environment_count_except_for_this_machine() {
    const NAME: &str = "proxies_of_the_environment_count_except_for_this_machine";
    if let Ok(target) = std::env::var("TEST_TARGET") {
        let error = get("https://api.example.com/?since=1".parse().unwrap()).await.unwrap_err();
        let proxy = std::env::var("HTTPS_PROXY").unwrap();
        assert_eq!(error.to_string(), format!("proxy {proxy} does not connect to https://api.example.com"));
        let error = get("https://direct.invalid/?since=1".parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), "dns");
        assert_eq!(get(target.parse().unwrap()).await.unwrap().status, 200);
        return;
    }
    let proxy = tunnel_proxy("HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
    let server = Server::plain(OK).await;
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", NAME, "--nocapture"])
        .env("TEST_TARGET", server.url("http", "/").as_str())
        .env("HTTPS_PROXY", format!("http://{}", proxy.address))
        .env("HTTP_PROXY", format!("http://{}", proxy.address))
        .env("NO_PROXY", "direct.invalid")
        .env_remove("no_proxy")
        .env_remove("https_proxy")
        .env_remove("http_proxy")
        .env_remove("ALL_PROXY");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn a_key_that_no_header_can_carry_is_refused_without_showing_it() {
    let error = secret_header("api_key", &Secret::new("PMAK-0123456789\nx".to_owned())).unwrap_err();
    assert_no_key(&error);
    assert!(error.to_string().contains("`api_key` holds a line break"));
    let value: HeaderValue = secret_header("api_key", &Secret::new(KEY.to_owned())).unwrap();
    assert_eq!(format!("{value:?}"), "Sensitive");
}
