//! A real store as a destination of the suite: every case has a bucket of its own. A missing bucket, a condition and a wrong
//! signature are refused by the store itself; for the rest a proxy of ours stands before it, which also ends TLS.

use std::collections::HashMap;
use std::env;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use pipeline::Sink;
use serde_json::{Value, json};
use testkit::http::{Authority, Proxy, Reply, Request, Turn};
use testkit::sink::{CannotHappen, Delivery, Destination, Harness, Held, Patience, Trouble, Unheard};
use tokio::runtime::Runtime;

use crate::real::client;
use crate::server::{self, Object};

/// Where the store is asked from: the threads of a test may be waiting for it.
static READER: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

fn wait<T: Send>(asked: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| scope.spawn(|| READER.block_on(asked)).join().unwrap())
}

/// Where the store is, and who we are to it.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) endpoint: String,
    pub(crate) id: String,
    pub(crate) key: String,
}

impl Access {
    /// What `tests/services/s3.sh` prints.
    pub(crate) fn of_environment() -> Self {
        let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        Self {
            endpoint: variable("S3_TEST_ENDPOINT"),
            id: variable("S3_TEST_ACCESS_KEY"),
            key: variable("S3_TEST_SECRET_KEY"),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.trim_start_matches("http://").parse().expect("a URL with an address")
    }
}

pub(crate) struct MinioHarness {
    pub(crate) access: Access,
    /// The rest of the configuration.
    pub(crate) config: Value,
    pub(crate) tls: bool,
    pub(crate) given: AtomicUsize,
}

struct Bucket {
    access: Access,
    client: Client,
    name: String,
    config: Value,
    proxy: Proxy,
    /// Ours, and one that nobody trusts.
    authorities: Option<(Authority, Authority)>,
    is_strange: AtomicBool,
    is_deleted: AtomicBool,
    /// Objects by key and version.
    read: Mutex<HashMap<(String, String), Object>>,
    dir: tempfile::TempDir,
}

#[async_trait]
impl Harness for MinioHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        let kind = if self.tls { "tls" } else { "plain" };
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        let dir = tempfile::tempdir().unwrap();
        let authorities = self.tls.then(|| (Authority::new(), Authority::new()));
        if let Some((ours, _)) = &authorities {
            std::fs::write(dir.path().join("ca.pem"), ours.pem()).unwrap();
        }
        let tls = authorities.as_ref().map(|(ours, _)| ours.server(None));
        let bucket = Bucket {
            client: client(&self.access),
            name: format!("case-{kind}-{}-{number}", std::process::id()),
            config: self.config.clone(),
            proxy: Proxy::start(tls, self.access.address()).await,
            access: self.access.clone(),
            authorities,
            is_strange: AtomicBool::default(),
            is_deleted: AtomicBool::default(),
            read: Mutex::default(),
            dir,
        };
        bucket.create();
        Box::new(bucket)
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }

    fn patience(&self) -> Patience {
        Patience { factor: 3, at_once: 3 }
    }
}

/// A refusal in the store's form.
fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    Reply::Answer(status, vec![("content-type", "application/xml".to_owned())], body)
}

fn is_put(request: &Request) -> bool {
    request.method == "PUT"
}

/// With another signature than it had.
fn forged(mut request: Request) -> Request {
    let signed = request.header("authorization").unwrap().to_owned();
    let (rest, signature) = signed.split_once("Signature=").unwrap();
    let other: String = signature.chars().rev().collect();
    request.headers.insert("authorization", format!("{rest}Signature={other}").parse().unwrap());
    request
}

impl Bucket {
    fn create(&self) {
        wait(async { self.client.create_bucket().bucket(&self.name).send().await.unwrap() });
    }

    fn objects(&self) -> Vec<Object> {
        wait(async {
            let mut objects = Vec::new();
            let mut next = None;
            loop {
                let page = self
                    .client
                    .list_objects_v2()
                    .bucket(&self.name)
                    .set_continuation_token(next)
                    .send()
                    .await;
                let page = match page {
                    Ok(page) => page,
                    Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                        break;
                    }
                    Err(error) => panic!("the store cannot be read: {error:?}"),
                };
                for listed in page.contents() {
                    let key = listed.key().unwrap().to_owned();
                    let version = (key.clone(), format!("{:?} {:?}", listed.e_tag(), listed.last_modified()));
                    let known = self.read.lock().unwrap().get(&version).cloned();
                    let object = match known {
                        Some(object) => object,
                        None => self.get(key).await,
                    };
                    self.read.lock().unwrap().insert(version, object.clone());
                    objects.push(object);
                }
                next = page.next_continuation_token().map(str::to_owned);
                if next.is_none() {
                    break;
                }
            }
            objects
        })
    }

    /// In pieces that the transport takes.
    async fn get(&self, key: String) -> Object {
        const PIECE: usize = 1 << 19;
        let mut body = Vec::new();
        loop {
            let range = format!("bytes={}-{}", body.len(), body.len() + PIECE - 1);
            let got =
                self.client.get_object().bucket(&self.name).key(&key).range(range).send().await.unwrap();
            let whole: usize = got.content_range().unwrap().rsplit('/').next().unwrap().parse().unwrap();
            let metadata = got.metadata().cloned().unwrap_or_default();
            body.extend(got.body.collect().await.unwrap().into_bytes());
            if body.len() >= whole {
                let metadata = metadata.into_iter().collect();
                return Object { key, body: body.into(), metadata, input: Arc::default() };
            }
        }
    }
}

impl Destination for Bucket {
    fn sink(&self) -> Arc<dyn Sink> {
        let mut config = self.config.clone();
        config["bucket"] = json!(self.name);
        config["timeout"] = json!("9s");
        config["credentials"] =
            json!({"access_key_id": self.access.id, "secret_access_key": self.access.key});
        let scheme = if self.authorities.is_some() { "https" } else { "http" };
        config["endpoint"] = json!(format!("{scheme}://{}", self.proxy.front.address));
        if self.authorities.is_some() {
            config["tls"] = json!({"ca_file": self.dir.path().join("ca.pem")});
        }
        Arc::new(crate::sink(&config))
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        match trouble {
            Trouble::Failing => {
                self.proxy.rule(|_| Turn::Say(refusal(503, "SlowDown", "Please reduce your request rate")))
            }
            Trouble::Misplaced => {
                let gone = wait(async { self.client.delete_bucket().bucket(&self.name).send().await });
                if let Err(error) = gone {
                    let status = error.raw_response().map(|raw| raw.status().as_u16());
                    assert_eq!(status, Some(409), "{error:?}");
                    return Err(CannotHappen("the store does not remove a bucket that holds something"));
                }
                self.is_deleted.store(true, Ordering::SeqCst);
            }
            Trouble::Unauthorised => self.proxy.rule(|request| Turn::pass_on(forged(request))),
            Trouble::Unreachable => self.proxy.front.away(true),
            Trouble::TakesPart => {
                return Err(CannotHappen("the suite's events are of one time, and so one object"));
            }
            Trouble::AnswerLost => {
                let mut is_over = false;
                self.proxy.rule(move |request| {
                    let is_next = is_put(&request) && !is_over;
                    is_over |= is_next;
                    if is_next { Turn::lose_answer(request) } else { Turn::pass_on(request) }
                });
            }
            // The store's own limit is 5 TiB.
            Trouble::Limit(most) => self.proxy.rule(move |request| {
                let name = request.target.split('?').next().unwrap_or_default();
                if is_put(&request) && server::lines(name, &request.body).len() > most {
                    let words = "Your proposed upload exceeds the maximum allowed object size.";
                    return Turn::Say(refusal(400, "EntityTooLarge", words));
                }
                Turn::pass_on(request)
            }),
            Trouble::Poison => return Err(CannotHappen("a store does not look into objects")),
            Trouble::Slow(wait) => self.proxy.rule(move |request| match is_put(&request) {
                true => Turn::PassOn(request, wait, Box::new(Reply::Passed)),
                false => Turn::pass_on(request),
            }),
            Trouble::Untrusted => {
                let Some((_, strange)) = &self.authorities else {
                    return Err(CannotHappen("this store is reached without TLS"));
                };
                self.is_strange.store(true, Ordering::SeqCst);
                self.proxy.front.identity(strange.server(None));
            }
        }
        Ok(())
    }

    fn heal(&self) {
        if self.is_deleted.swap(false, Ordering::SeqCst) {
            self.create();
        }
        self.proxy.open();
        self.proxy.front.away(false);
        if self.is_strange.swap(false, Ordering::SeqCst)
            && let Some((ours, _)) = &self.authorities
        {
            self.proxy.front.identity(ours.server(None));
        }
    }

    fn held(&self) -> Held {
        let mut held = Held::default();
        for object in self.objects() {
            if let Err(violation) = server::inspect(&object) {
                held.damage.push(format!("{}: {violation}", object.key));
            }
            let events = server::lines(&object.key, &object.body).lines().map(str::to_owned).collect();
            held.deliveries.push(Delivery { id: Some(object.key), events });
        }
        held
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.access.key.clone()]
    }
}
