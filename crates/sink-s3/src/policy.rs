//! What an answer of the store means: one table, nothing that maps to dropping.
//!
//! Sources: Amazon S3 API reference, "Error responses" (codes and statuses); S3 user guide, "How to prevent object
//! overwrites with conditional writes" (412, 409); the KMS codes from "Error responses" of AWS KMS, which S3 hands on with
//! `KMS.` before them; `XMinio…` from MinIO's list of API errors.

/// What follows from an answer that is no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// An object of this key is there already: the same events, delivered before.
    AlreadyThere,
    /// The store may take it later.
    Again,
    /// It takes less at once.
    TooLarge,
    /// It does not know something that the request asks for.
    NotImplemented,
    /// It does not accept the credentials.
    Credentials,
    /// The bucket is in another region.
    Region,
    /// It does not take anything until a person acts.
    Paused {
        /// A stable word for metrics.
        reason: &'static str,
        /// What to do, in a sentence.
        remedy: &'static str,
    },
}

/// The class of an answer by its code, and by its status where there is no code, or an unknown one.
pub(crate) fn class(status: u16, code: Option<&str>) -> Class {
    let known = CODES.iter().find(|(_, codes)| code.is_some_and(|code| codes.contains(&code)));
    match (known, code) {
        (Some((class, _)), _) => *class,
        (None, Some(code)) if code.starts_with("KMS.") => paused("kms", KMS),
        (None, _) => by_status(status),
    }
}

const CODES: &[(Class, &[&str])] = &[
    (Class::AlreadyThere, &["PreconditionFailed"]),
    (
        Class::Again,
        &[
            // Another write of the same key is under way.
            "ConditionalRequestConflict",
            "OperationAborted",
            "SlowDown",
            "SlowDownWrite",
            "ServiceUnavailable",
            "Busy",
            "InternalError",
            "InternalFailure",
            "RequestTimeout",
            "RequestTimeoutException",
            "Throttling",
            "ThrottlingException",
            "RequestLimitExceeded",
            "TooManyRequests",
            "BandwidthLimitExceeded",
            "KMS.ThrottlingException",
            "KMS.KMSInternalException",
            "KMS.DependencyTimeoutException",
            "KMS.KeyUnavailableException",
            // Damaged on the way: the next attempt sends the same bytes.
            "BadDigest",
            "IncompleteBody",
            "XAmzContentSHA256Mismatch",
            "XAmzContentChecksumMismatch",
        ],
    ),
    (Class::TooLarge, &["EntityTooLarge", "MaxMessageLengthExceeded", "RequestEntityTooLarge"]),
    (Class::NotImplemented, &["NotImplemented"]),
    (
        Class::Credentials,
        &[
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidToken",
            "TokenRefreshRequired",
            "InvalidSecurity",
            "NotSignedUp",
            "UnrecognizedClientException",
            "InvalidClientTokenId",
        ],
    ),
    (
        Class::Region,
        &[
            "PermanentRedirect",
            "TemporaryRedirect",
            "Redirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "InvalidRegion",
        ],
    ),
    (
        paused("clock", "set the clock of this machine: it is too far from the store's"),
        &["RequestTimeTooSkewed"],
    ),
    (paused("permission", PERMISSION), &["AccessDenied", "AccessForbidden", "Forbidden"]),
    (
        paused("account", "ask the store's support: the account or the bucket is closed to requests"),
        &["AccountProblem", "AllAccessDisabled", "InvalidPayer", "UserSuspended"],
    ),
    (paused("not_found", NOT_FOUND), &["NoSuchBucket", "InvalidBucketName", "NoSuchAccessPoint"]),
    (
        paused("storage_full", "make room in the store, or raise its quota"),
        &[
            "XMinioStorageFull",
            "XMinioAdminBucketQuotaExceeded",
            "QuotaExceeded",
            "InsufficientCapacity",
            "XMinioBackendDown",
        ],
    ),
    (
        paused("key", "shorten `prefix` or `partition`: the store takes no key of this form"),
        &["KeyTooLongError", "XMinioInvalidObjectName", "InvalidURI"],
    ),
    (
        paused(
            "request",
            "set `checksum: sha256` if the bucket has Object Lock; else compare `server_side_encryption` and `checksum` with \
             what the bucket's policy asks for",
        ),
        &[
            "InvalidRequest",
            "InvalidArgument",
            "InvalidDigest",
            "MissingSecurityHeader",
            "InvalidEncryptionAlgorithmError",
        ],
    ),
];

fn by_status(status: u16) -> Class {
    match status {
        300..=399 => Class::Region,
        401 | 403 => paused("permission", PERMISSION),
        404 => paused("not_found", NOT_FOUND),
        407 => paused(
            "proxy",
            "put the proxy's user and password into `proxy` as http://user:password@host:port",
        ),
        412 => Class::AlreadyThere,
        413 => Class::TooLarge,
        408 | 409 | 420 | 423 | 425 | 429 | 499 => Class::Again,
        501 => Class::NotImplemented,
        507 => paused("storage_full", "make room in the store, or raise its quota"),
        500..=599 => Class::Again,
        _ => paused("unsupported", UNSUPPORTED),
    }
}

const fn paused(reason: &'static str, remedy: &'static str) -> Class {
    Class::Paused { reason, remedy }
}

const PERMISSION: &str = "allow this user or role `s3:PutObject` on `bucket` under `prefix`, in its own policy and the bucket's, and with a KMS key \
     `kms:GenerateDataKey`; or correct `credentials`";

const NOT_FOUND: &str = "create the bucket, or correct `bucket` and `endpoint`: there is no such bucket";

const KMS: &str = "see to the key of `server_side_encryption.kms_key_id`, or the bucket's own: it must exist, be enabled, and allow this user \
     or role `kms:GenerateDataKey`";

/// For a store that does not know what a request asks for, and for answers of no known kind.
pub(crate) const UNSUPPORTED: &str = "compare `endpoint`, `path_style`, `server_side_encryption` and `checksum` with what the store knows, or leave them out";

/// For credentials that the store does not accept.
pub(crate) const CREDENTIALS: &str = "correct `credentials`: the store does not accept them; those from files and the environment's are read again";

#[cfg(test)]
mod tests;
