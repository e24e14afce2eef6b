//! The store: its client, made when it is first needed, and the two requests that are made of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use aws_config::BehaviorVersion;
use aws_config::sts::AssumeRoleProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ServerSideEncryption};
use base64::prelude::{BASE64_STANDARD, Engine};
use http_client::HttpClient;
use pipeline::{SinkError, Timestamp};
use settings::Secret;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::config::{Algorithm, Checksum, CredentialsConfig, S3Settings};
use crate::failure::{self, Refused, Told, paused, transient};
use crate::object::{Object, content_type};
use crate::policy;

/// Whether an object was new to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// It was.
    New,
    /// The same events were there.
    Before,
}

/// The store.
pub(crate) struct Store {
    pub(crate) settings: S3Settings,
    /// To the store itself.
    http: Arc<HttpClient>,
    /// To whoever gives out credentials: other hosts, and the HTTP client keeps one kind of connection ready.
    credentials_http: Arc<HttpClient>,
    held: Mutex<Held>,
    /// Whether the store knows `If-None-Match`, as far as it has shown.
    conditional: AtomicBool,
}

struct Held {
    credentials: CredentialsConfig,
    client: Option<Client>,
    /// How many clients were made: tells whose credentials were refused.
    made: u64,
}

impl Store {
    /// Reaches for nothing yet.
    pub(crate) fn new(settings: S3Settings) -> Self {
        let http = || Arc::new(HttpClient::new(settings.client.clone()));
        let credentials = settings.credentials.clone();
        Self {
            http: http(),
            credentials_http: http(),
            held: Mutex::new(Held { credentials, client: None, made: 0 }),
            conditional: AtomicBool::new(true),
            settings,
        }
    }

    /// Stores the object, unless one of its key is there. Cancelling closes the connection and leaves nothing behind.
    pub(crate) async fn put(&self, object: &Object) -> Result<Stored, Refused> {
        if self.conditional.load(Ordering::Relaxed) {
            match self.put_once(object, true).await {
                Err(Refused::NotImplemented(_)) => {}
                ended => return ended,
            }
            // It may be the condition that the store does not know, or something else.
            let ended = self.put_once(object, false).await;
            if ended.is_ok() && self.conditional.swap(false, Ordering::Relaxed) {
                tracing::info!(
                    store = %self.settings,
                    "the store knows no conditional writes: objects that come again are overwritten by themselves"
                );
            }
            return ended;
        }
        self.put_once(object, false).await
    }

    async fn put_once(&self, object: &Object, conditional: bool) -> Result<Stored, Refused> {
        let granted = self.within_time(async |client| {
            let mut request = client
                .put_object()
                .bucket(&self.settings.bucket)
                .key(&object.key)
                .content_type(content_type(self.settings.compression))
                .content_length(object.body.len() as i64)
                .body(ByteStream::from(object.body.clone()));
            for (name, value) in object.metadata() {
                request = request.metadata(name, value);
            }
            if conditional {
                request = request.if_none_match("*");
            }
            let request = self.with_checksum(self.with_encryption(request), object);
            request.send().await.map_err(|error| failure::sort(&error, now()))
        });
        match granted.await {
            Ok(_) => Ok(Stored::New),
            Err(Refused::AlreadyThere) if conditional => Ok(Stored::Before),
            Err(Refused::AlreadyThere) => Err(Refused::NotImplemented(Told::new(
                "store answers that a condition is not met, and none was set",
            ))),
            Err(refused) => Err(refused),
        }
    }

    fn with_encryption(&self, request: PutObjectFluentBuilder) -> PutObjectFluentBuilder {
        let Some(encryption) = &self.settings.encryption else { return request };
        let algorithm = match encryption.algorithm {
            Algorithm::Aes256 => ServerSideEncryption::Aes256,
            Algorithm::Kms => ServerSideEncryption::AwsKms,
            Algorithm::KmsDsse => ServerSideEncryption::AwsKmsDsse,
        };
        let request =
            request.server_side_encryption(algorithm).set_ssekms_key_id(encryption.kms_key_id.clone());
        if encryption.bucket_key { request.bucket_key_enabled(true) } else { request }
    }

    fn with_checksum(&self, request: PutObjectFluentBuilder, object: &Object) -> PutObjectFluentBuilder {
        match self.settings.checksum {
            Checksum::WhenRequired => request,
            Checksum::Crc32c => request.checksum_algorithm(ChecksumAlgorithm::Crc32C),
            Checksum::Sha256 => request.checksum_sha256(BASE64_STANDARD.encode(object.sha256)),
        }
    }

    /// Asks for at most one entry of the listing: a `HEAD` of the bucket needs the same permission, and its refusals have
    /// no body that says why.
    pub(crate) async fn list(&self) -> Result<(), Refused> {
        let listed = self.within_time(async |client| {
            let request = client
                .list_objects_v2()
                .bucket(&self.settings.bucket)
                .prefix(&self.settings.prefix)
                .max_keys(1);
            request.send().await.map_err(|error| failure::sort(&error, now()))
        });
        listed.await.map(|_| ())
    }

    /// Makes a request with the client at hand, within the time for one object.
    async fn within_time<T>(
        &self,
        request: impl AsyncFnOnce(Client) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let patience = self.settings.client.timeout;
        let work = async {
            let (client, made) = self.client().await?;
            match request(client).await {
                Err(Refused::Credentials(error)) if self.refused(made).await => {
                    let source = Told::new(failure::chain(&error).to_string());
                    Err(Refused::Failed(transient(Some(Duration::ZERO), source)))
                }
                ended => ended,
            }
        };
        timeout(patience, work).await.unwrap_or_else(|_| {
            let told = Told::new(format!("store gives no answer within {} s", patience.as_secs_f64()));
            Err(Refused::Failed(transient(None, told)))
        })
    }

    /// The client, and its number.
    async fn client(&self) -> Result<(Client, u64), Refused> {
        let mut held = self.held.lock().await;
        if let Some(client) = &held.client {
            return Ok((client.clone(), held.made));
        }
        let client = self.build(&held.credentials).await.map_err(Refused::Failed)?;
        held.made += 1;
        held.client = Some(client.clone());
        Ok((client, held.made))
    }

    /// The credentials of client `made` are not accepted: the next client is made of what files and environment hold by
    /// then. True when there are others already, with which it is worth trying at once.
    async fn refused(&self, made: u64) -> bool {
        let mut held = self.held.lock().await;
        if held.made != made || held.client.is_none() {
            return held.made != made;
        }
        held.client = None;
        take_up_newer(&mut held.credentials)
    }

    async fn build(&self, credentials: &CredentialsConfig) -> Result<Client, SinkError> {
        let secrets = [&credentials.secret_access_key, &credentials.session_token];
        let hidden = || secrets.into_iter().flatten().map(|secret| secret.expose().trim().to_owned());
        let transport = |http: &Arc<HttpClient>| crate::transport::Transport::new(http.clone(), hidden());

        let mut loader =
            aws_config::defaults(BehaviorVersion::latest()).http_client(transport(&self.credentials_http));
        if let Some(region) = &self.settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let (Some(id), Some(key)) = (&credentials.access_key_id, &credentials.secret_access_key) {
            let text = |secret: &Secret| secret.expose().trim().to_owned();
            let token = credentials.session_token.as_ref().map(text);
            loader =
                loader.credentials_provider(Credentials::new(text(id), text(key), token, None, "towpath"));
        }
        let base = loader.load().await;
        if base.region().is_none() {
            let remedy = "set `region` to the bucket's, such as `eu-central-1`".to_owned();
            return Err(paused(
                "region",
                remedy,
                Told::new("no region is configured, and the environment names none"),
            ));
        }

        let mut config = Builder::from(&base)
            .http_client(transport(&self.http))
            .force_path_style(self.settings.path_style)
            // Retries, waits and time-outs are the runtime's and ours.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // The SDK's own default sends checksums that many other stores do not know.
            .request_checksum_calculation(match self.settings.checksum {
                Checksum::Crc32c => RequestChecksumCalculation::WhenSupported,
                Checksum::WhenRequired | Checksum::Sha256 => RequestChecksumCalculation::WhenRequired,
            })
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = &self.settings.endpoint {
            config = config.endpoint_url(endpoint.as_str());
        }
        if let Some(role) = &credentials.assume_role {
            let mut provider = AssumeRoleProvider::builder(&role.role_arn).session_name(&role.session_name);
            if let Some(id) = &role.external_id {
                provider = provider.external_id(id);
            }
            config = config.credentials_provider(provider.configure(&base).build().await);
        }
        Ok(Client::from_conf(config.build()))
    }
}

/// Reads the secrets that stand in files again; true when one has changed.
fn take_up_newer(credentials: &mut CredentialsConfig) -> bool {
    let CredentialsConfig { access_key_id, secret_access_key, session_token, .. } = credentials;
    let named = [
        ("access_key_id", access_key_id),
        ("secret_access_key", secret_access_key),
        ("session_token", session_token),
    ];
    let mut changed = Vec::new();
    for (key, secret) in named {
        let Some(secret) = secret else { continue };
        match secret.refreshed(read) {
            Ok(Some(fresh)) => {
                *secret = fresh;
                changed.push(key);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(key, %error, "file of a secret cannot be read, the secret at hand is used again");
            }
        }
    }
    if !changed.is_empty() {
        tracing::info!(keys = changed.join(" "), "files hold other secrets, which are used from now on");
    }
    !changed.is_empty()
}

fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

impl Refused {
    /// As the runtime takes it.
    pub(crate) fn into_error(self) -> SinkError {
        match self {
            Self::TooLarge(told) => SinkError::TooLarge(told.into()),
            Self::NotImplemented(told) => paused("unsupported", policy::UNSUPPORTED.to_owned(), told),
            Self::Credentials(error) | Self::Failed(error) => error,
            // Only a write has a condition, and takes it for a success.
            Self::AlreadyThere => transient(None, Told::new("store answers that a condition is not met")),
        }
    }
}
