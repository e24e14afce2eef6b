use super::*;

/// Status, code, and what follows, in words.
const TABLE: &[(u16, &str, &str)] = &[
    (412, "PreconditionFailed", "already there"),
    (412, "", "already there"),
    (409, "ConditionalRequestConflict", "again"),
    (409, "OperationAborted", "again"),
    (409, "", "again"),
    (503, "SlowDown", "again"),
    (503, "ServiceUnavailable", "again"),
    (500, "InternalError", "again"),
    (400, "RequestTimeout", "again"),
    (400, "BadDigest", "again"),
    (400, "XAmzContentSHA256Mismatch", "again"),
    (400, "KMS.ThrottlingException", "again"),
    (429, "TooManyRequests", "again"),
    (408, "", "again"),
    (502, "", "again"),
    (504, "", "again"),
    (599, "NeverHeardOf", "again"),
    (400, "EntityTooLarge", "too large"),
    (413, "", "too large"),
    (501, "NotImplemented", "not implemented"),
    (400, "NotImplemented", "not implemented"),
    (501, "", "not implemented"),
    (403, "InvalidAccessKeyId", "credentials"),
    (403, "SignatureDoesNotMatch", "credentials"),
    (400, "ExpiredToken", "credentials"),
    (400, "InvalidToken", "credentials"),
    (301, "PermanentRedirect", "region"),
    (307, "TemporaryRedirect", "region"),
    (400, "AuthorizationHeaderMalformed", "region"),
    (400, "IllegalLocationConstraintException", "region"),
    (301, "", "region"),
    (403, "RequestTimeTooSkewed", "paused clock"),
    (403, "AccessDenied", "paused permission"),
    (403, "", "paused permission"),
    (401, "", "paused permission"),
    (403, "AllAccessDisabled", "paused account"),
    (404, "NoSuchBucket", "paused not_found"),
    (404, "", "paused not_found"),
    (400, "InvalidBucketName", "paused not_found"),
    (400, "KMS.DisabledException", "paused kms"),
    (400, "KMS.NotFoundException", "paused kms"),
    (400, "KMS.KMSInvalidStateException", "paused kms"),
    (507, "XMinioStorageFull", "paused storage_full"),
    (507, "", "paused storage_full"),
    (403, "QuotaExceeded", "paused storage_full"),
    (400, "KeyTooLongError", "paused key"),
    (400, "InvalidRequest", "paused request"),
    (400, "InvalidArgument", "paused request"),
    (407, "", "paused proxy"),
    (400, "NeverHeardOf", "paused unsupported"),
    (405, "MethodNotAllowed", "paused unsupported"),
    (418, "", "paused unsupported"),
];

fn words(class: Class) -> String {
    match class {
        Class::AlreadyThere => "already there".to_owned(),
        Class::Again => "again".to_owned(),
        Class::TooLarge => "too large".to_owned(),
        Class::NotImplemented => "not implemented".to_owned(),
        Class::Credentials => "credentials".to_owned(),
        Class::Region => "region".to_owned(),
        Class::Paused { reason, .. } => format!("paused {reason}"),
    }
}

#[test]
fn every_answer_has_its_class() {
    for (status, code, expected) in TABLE {
        let code = Some(*code).filter(|code| !code.is_empty());
        assert_eq!(words(class(*status, code)), *expected, "{status} {code:?}");
    }
}

/// Where nothing is known of an answer, the events are kept: only a condition that is not met counts as delivered.
#[test]
fn no_unknown_answer_counts_as_delivered() {
    for status in 100..1000 {
        for code in [None, Some("NeverHeardOf")] {
            assert_eq!(class(status, code) == Class::AlreadyThere, status == 412, "{status}");
        }
    }
}

#[test]
fn a_code_stands_in_the_table_once() {
    let mut all: Vec<&str> = CODES.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn a_pause_says_what_to_do_in_one_sentence() {
    let by_code = CODES.iter().map(|(class, _)| *class);
    for class in by_code.chain((100..1000).map(by_status)).chain([class(400, Some("KMS.DisabledException"))])
    {
        if let Class::Paused { reason, remedy } = class {
            assert!(remedy.len() > 30 && !remedy.ends_with('.'), "{remedy}");
            assert!(reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{reason}");
        }
    }
}
