use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::*;

type Error = SdkError<PutObjectError, HttpResponse>;

fn unanswered_by(cause: impl Into<pipeline::BoxError>) -> SinkError {
    let error: Error = SdkError::dispatch_failure(ConnectorError::other(cause.into(), None));
    match sort(&error, Timestamp::default()) {
        Refused::Failed(error) | Refused::Credentials(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn missing_credentials_pause_and_those_that_come_late_are_asked_for_again() {
    let error = unanswered_by(CredentialsError::not_loaded("nothing there"));
    assert!(
        matches!(&error, SinkError::Paused { reason: "authentication", remedy, .. } if remedy.contains("AWS_ACCESS_KEY_ID"))
    );
    let error = unanswered_by(CredentialsError::invalid_configuration("profile ends early"));
    assert!(matches!(error, SinkError::Paused { reason: "authentication", .. }));
    let error = unanswered_by(CredentialsError::provider_timed_out(Duration::from_secs(5)));
    assert!(matches!(error, SinkError::Transient { .. }));
}

/// A token service that cannot be reached for the moment is no wrong credential.
#[test]
fn a_connection_that_fails_on_the_way_to_credentials_is_asked_again() {
    let reset = HttpError::Reset { server: "https://sts.example.com".to_owned(), source: "reset".into() };
    let error = unanswered_by(CredentialsError::provider_error(reset));
    assert!(matches!(error, SinkError::Transient { .. }), "{error:?}");
}

#[test]
fn words_of_others_stay_on_one_line_and_end() {
    assert_eq!(visible("a\nb\u{202e}c"), "a\\nb\\u{202e}c");
    assert_eq!(visible(&"x".repeat(10_000)).len(), MOST_WORDS);
    assert_eq!(
        told(403, Some("AccessDenied"), Some(" no\n")).to_string(),
        "store answers 403 AccessDenied: no"
    );
}
