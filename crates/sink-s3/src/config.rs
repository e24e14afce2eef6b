//! What a user writes in an `s3` block, and its check.

use std::fmt;
use std::time::Duration;

use encode::Compression;
use http_client::{ClientSettings, Url, destination, is_loopback};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{HumanDuration, Invalid, Secret, Tls};

use crate::partition::Partition;

/// Events as objects in a bucket of Amazon S3, or of a store that speaks its protocol.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket, or the ARN of an access point. It must exist.
    pub bucket: String,
    /// What every key begins with, such as `audit/postman`.
    #[serde(default)]
    pub prefix: String,
    /// The bucket's region, such as `eu-central-1`. Default: that of the environment (AWS_REGION, profile, instance); with
    /// `endpoint`, `us-east-1`.
    #[serde(default)]
    pub region: Option<String>,
    /// Another store than Amazon's, such as `https://minio.example.com:9000`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path of the URL and not in its host. Default: only with `endpoint`.
    #[serde(default)]
    pub path_style: Option<bool>,
    /// The part of the key between prefix and name, from the time of the event in UTC: `%Y`, `%m`, `%d`, `%H` and `%M`
    /// stand for year, month, day, hour and minute. Empty for none.
    #[serde(default = "by_day")]
    pub partition: String,
    /// How objects are compressed.
    #[serde(default = "gzip")]
    pub compression: Compression,
    /// Who we are. Default: what the AWS SDK finds in environment variables, the profile, a web identity token (IRSA), the
    /// container (EKS Pod Identity, ECS) or the instance, in this order.
    #[serde(default)]
    pub credentials: CredentialsConfig,
    /// How the store encrypts objects. Default: as the bucket is set up.
    #[serde(default)]
    pub server_side_encryption: Option<EncryptionConfig>,
    /// The checksum that is sent beside the signature, which covers the body in any case.
    #[serde(default)]
    pub checksum: Checksum,
    /// Trust and client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// Proxy, `http://[user:password@]host:port`. Without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.
    #[serde(default)]
    pub proxy: Option<Secret>,
    /// Longest time for one object, credentials included. After it the store may have the object or not: it is sent again
    /// under the same key.
    #[serde(default = "a_minute")]
    pub timeout: HumanDuration,
}

fn by_day() -> String {
    "year=%Y/month=%m/day=%d".to_owned()
}

fn gzip() -> Compression {
    Compression::Gzip
}

/// Time for 16 MiB over a slow line.
fn a_minute() -> HumanDuration {
    Duration::from_secs(60).into()
}

/// Who we are: keys, or what the AWS SDK finds, and perhaps a role that is assumed with them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialsConfig {
    /// Id of an access key; needs `secret_access_key`.
    #[schemars(with = "Option<String>")]
    pub access_key_id: Option<Secret>,
    /// The key itself.
    pub secret_access_key: Option<Secret>,
    /// The token of temporary keys.
    pub session_token: Option<Secret>,
    /// A role to assume.
    pub assume_role: Option<RoleConfig>,
}

/// A role that is assumed through AWS STS.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    /// Its ARN.
    pub role_arn: String,
    /// What the role's owner asks of us, if anything.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The name in the owner's audit trail.
    #[serde(default = "towpath")]
    pub session_name: String,
}

fn towpath() -> String {
    "towpath".to_owned()
}

/// How the store encrypts objects.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncryptionConfig {
    /// With whose key.
    pub algorithm: Algorithm,
    /// The KMS key (id, ARN or alias). Default: the account's own key for S3.
    #[serde(default)]
    pub kms_key_id: Option<String>,
    /// Whether a bucket key saves requests to KMS; with `aws:kms` only.
    #[serde(default)]
    pub bucket_key: bool,
}

/// With whose key objects are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// The store's (SSE-S3).
    #[serde(rename = "AES256")]
    Aes256,
    /// One in AWS KMS (SSE-KMS).
    #[serde(rename = "aws:kms")]
    Kms,
    /// One in AWS KMS, twice (DSSE-KMS).
    #[serde(rename = "aws:kms:dsse")]
    KmsDsse,
}

/// The checksum that is sent beside the signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checksum {
    /// None, where the store does not insist: many stores other than Amazon's know none.
    #[default]
    WhenRequired,
    /// `x-amz-checksum-crc32c`, which the store keeps with the object.
    Crc32c,
    /// `x-amz-checksum-sha256`, which the store keeps with the object.
    Sha256,
}

/// A checked [`S3Config`].
#[derive(Clone)]
pub struct S3Settings {
    pub(crate) bucket: String,
    /// Without slashes at its ends.
    pub(crate) prefix: String,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<Url>,
    pub(crate) path_style: bool,
    pub(crate) partition: Partition,
    pub(crate) compression: Compression,
    pub(crate) credentials: CredentialsConfig,
    pub(crate) encryption: Option<EncryptionConfig>,
    pub(crate) checksum: Checksum,
    pub(crate) client: ClientSettings,
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Settings({self})")
    }
}

/// For people: `s3://bucket/prefix`.
impl fmt::Display for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl S3Config {
    /// Checks every key; pure.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key and what would be right.
    pub fn validate(&self) -> Result<S3Settings, Vec<Invalid>> {
        let mut wrong = Vec::new();
        if !is_bucket(&self.bucket) {
            let remedy = "write the bucket's name alone, such as `audit-archive`, or an access point's ARN";
            wrong.push(Invalid::new("bucket", "is no name of a bucket", remedy));
        }
        let prefix = self.prefix.trim_matches('/');
        if !prefix.is_empty() && !is_path(prefix) {
            let remedy =
                "write names with single slashes between them, such as `audit/postman`; up to 512 bytes";
            wrong.push(Invalid::new("prefix", "is no beginning of a key", remedy));
        }
        if self.region.as_ref().is_some_and(|region| !is_region(region)) {
            wrong.push(Invalid::new("region", "is no name of a region", "write it like `eu-central-1`"));
        }
        let endpoint = self.endpoint.as_ref().and_then(|text| {
            let read = destination(text, false);
            let read = read.map_err(|e| wrong.push(Invalid::new("endpoint", format!("is {e}"), e.remedy())));
            read.ok()
        });
        if endpoint.as_ref().is_some_and(|url| url.query().is_some()) {
            wrong.push(Invalid::new("endpoint", "has a query", "end the URL before the ?"));
        }
        let partition = Partition::read(&self.partition).map_err(|e| wrong.push(e));
        wrong.extend(self.credentials.findings());
        wrong.extend(self.server_side_encryption.iter().filter_map(EncryptionConfig::finding));
        let client = ClientSettings::validate(&self.tls, self.proxy.as_ref(), self.timeout)
            .map(|client| ClientSettings { address_key: "endpoint", ..client })
            .map_err(|more| wrong.extend(more));
        match (partition, client) {
            (Ok(partition), Ok(client)) if wrong.is_empty() => Ok(S3Settings {
                bucket: self.bucket.clone(),
                prefix: prefix.to_owned(),
                region: self.region.clone().or_else(|| endpoint.is_some().then(|| "us-east-1".to_owned())),
                path_style: self.path_style.unwrap_or(endpoint.is_some()),
                endpoint,
                partition,
                compression: self.compression,
                credentials: self.credentials.clone(),
                encryption: self.server_side_encryption.clone(),
                checksum: self.checksum,
                client,
            }),
            _ => Err(wrong),
        }
    }

    /// What is allowed but hardly meant, for `check` to print.
    pub fn warnings(&self) -> Vec<Invalid> {
        let endpoint = self.endpoint.as_ref().and_then(|text| destination(text, false).ok());
        match endpoint {
            Some(url) if url.scheme() == "http" && !is_loopback(&url) => {
                let message = "leads to another machine in clear: whoever is on the way can read the events";
                vec![Invalid::new("endpoint", message, "use https://")]
            }
            _ => Vec::new(),
        }
    }
}

impl CredentialsConfig {
    fn findings(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        let mut find = |key: &str, message: &str, remedy: &str| {
            wrong.push(Invalid::new(key, message, remedy).under("credentials"));
        };
        let keys = [("access_key_id", &self.access_key_id), ("secret_access_key", &self.secret_access_key)];
        for (key, secret) in keys.into_iter().chain([("session_token", &self.session_token)]) {
            let Some(secret) = secret else { continue };
            if secret.expose().trim().is_empty() {
                find(key, "is empty", "write the key, or leave `credentials` out for the default chain");
            } else if secret.expose().trim().contains(|c: char| c.is_whitespace() || c.is_control()) {
                find(key, "holds a blank or a control character", "write the key alone");
            }
        }
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            find("", "has one half of a key", "write both `access_key_id` and `secret_access_key`");
        } else if self.session_token.is_some() && self.access_key_id.is_none() {
            find(
                "session_token",
                "stands without a key",
                "write `access_key_id` and `secret_access_key` too",
            );
        }
        if let Some(role) = &self.assume_role {
            if !role.role_arn.starts_with("arn:") {
                let remedy = "write it like `arn:aws:iam::123456789012:role/audit-writer`";
                find("assume_role.role_arn", "is no ARN", remedy);
            }
            // API reference of AssumeRole, RoleSessionName.
            let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
            if !(2..=64).contains(&role.session_name.len()) || !role.session_name.chars().all(fits) {
                let remedy = "use 2 to 64 letters, digits and _ + = , . @ -";
                find("assume_role.session_name", "is no name of a session", remedy);
            }
        }
        wrong
    }
}

impl EncryptionConfig {
    fn finding(&self) -> Option<Invalid> {
        let wrong =
            |key, message, remedy| Some(Invalid::new(key, message, remedy).under("server_side_encryption"));
        if self.kms_key_id.is_some() && self.algorithm == Algorithm::Aes256 {
            return wrong("kms_key_id", "stands beside `AES256`, which has none", "set `algorithm: aws:kms`");
        }
        if self.kms_key_id.as_ref().is_some_and(|id| id.trim().is_empty()) {
            return wrong("kms_key_id", "is empty", "write the key's id, ARN or alias, or leave it out");
        }
        if self.bucket_key && self.algorithm != Algorithm::Kms {
            return wrong("bucket_key", "stands without `aws:kms`", "remove it, or set `algorithm: aws:kms`");
        }
        None
    }
}

/// A name (S3 user guide, "General purpose bucket naming rules"; older and other stores allow a little more) or an ARN.
fn is_bucket(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let is_name = (3..=255).contains(&text.len()) && text.chars().all(fits);
    let is_arn = text.starts_with("arn:") && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    is_name || is_arn
}

fn is_region(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What can stand in a key between slashes and in a URL's path. Segments of dots would be taken for directories, and the
/// signature would be for another path. A key has at most 1024 bytes (S3 user guide, "Naming Amazon S3 objects").
pub(crate) fn is_path(text: &str) -> bool {
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..");
    text.len() <= 512 && !text.contains(char::is_control) && text.split('/').all(is_segment)
}

#[cfg(test)]
mod tests;
