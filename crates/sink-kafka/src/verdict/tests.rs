use super::*;

use RDKafkaErrorCode as Code;

const SILENCE: Duration = Duration::from_secs(30);

/// What the runtime goes by, for a write whose events were reported so.
fn words(reports: &[Option<Report>]) -> String {
    let mut all = Reports::new(reports.len());
    all.heard(reports.to_vec());
    said(&all.verdict(None, None, false, SILENCE))
}

fn said(result: &Result<Outcome, SinkError>) -> String {
    match result {
        Ok(outcome) if *outcome == Outcome::default() => "taken".to_owned(),
        Ok(Outcome { retry, rejected, .. }) => {
            let rejected: Vec<_> =
                rejected.iter().map(|(index, reason)| format!("{index} {}", reason.kind)).collect();
            format!("again {retry:?} refused {rejected:?}")
        }
        Err(SinkError::Transient { retry_after: None, .. }) => "transient".to_owned(),
        Err(SinkError::Transient { retry_after: Some(wait), .. }) => format!("transient {wait:?}"),
        Err(SinkError::TooLarge(_)) => "too large".to_owned(),
        Err(SinkError::Rejected { reason }) => format!("rejected {}", reason.kind),
        Err(SinkError::Paused { reason, .. }) => format!("paused {reason}"),
    }
}

const TAKEN: Option<Report> = Some(Ok(()));
const UNHEARD: Option<Report> = None;

fn failed(code: Code) -> Option<Report> {
    Some(Err(code))
}

#[test]
fn what_is_not_reported_as_taken_comes_again() {
    assert_eq!(words(&[TAKEN, TAKEN]), "taken");
    assert_eq!(words(&[TAKEN, UNHEARD, failed(Code::PurgeInflight)]), "again [1, 2] refused []");
    assert_eq!(words(&[UNHEARD, UNHEARD]), "transient");
    for code in [Code::PurgeQueue, Code::MessageTimedOut, Code::NotEnoughReplicasAfterAppend] {
        assert_eq!(words(&[failed(code)]), "transient", "{code}");
    }
}

#[test]
fn a_refused_batch_is_no_verdict_on_its_events() {
    let (large, bad) = (failed(Code::MessageSizeTooLarge), failed(Code::InvalidRecord));
    assert_eq!(words(&[large, large]), "too large");
    assert_eq!(words(&[bad, bad]), "rejected invalid_record");
    // Others were taken: those of the batch come again alone, and then the whole write is refused.
    assert_eq!(words(&[TAKEN, large, large]), "again [1, 2] refused []");
    assert_eq!(words(&[TAKEN, bad]), "again [1] refused []");
    // A write of one event has the producer for itself.
    assert_eq!(words(&[large]), "again [] refused [\"0 too_large\"]");
    assert_eq!(words(&[bad]), "again [] refused [\"0 invalid_record\"]");
}

#[test]
fn a_broker_that_names_the_event_at_fault_is_believed() {
    let (bad, neighbour) = (failed(Code::InvalidRecord), failed(Code::InvalidDifferentRecord));
    assert_eq!(words(&[neighbour, bad, TAKEN]), "again [0] refused [\"1 invalid_record\"]");
}

#[test]
fn an_event_that_the_client_does_not_take_is_refused_alone() {
    let mut reports = Reports::new(3);
    reports.too_large(1, "is larger than allowed");
    reports.heard(vec![TAKEN, failed(Code::MessageSizeTooLarge), failed(Code::PurgeQueue)]);
    let result = reports.verdict(None, None, false, SILENCE);
    assert_eq!(said(&result), "again [2] refused [\"1 too_large\"]");
}

#[test]
fn what_a_person_must_see_to_weighs_most() {
    let denied = failed(Code::TopicAuthorizationFailed);
    assert_eq!(words(&[failed(Code::PurgeQueue), denied, UNHEARD]), "paused permission");
    assert_eq!(words(&[failed(Code::MessageSizeTooLarge), denied]), "paused permission");
    assert_eq!(words(&[TAKEN, denied]), "again [1] refused []");
}

#[test]
fn a_fault_explains_what_follows_from_it() {
    let verdict = |code, newer| {
        let mut reports = Reports::new(2);
        reports.heard(vec![failed(Code::PurgeQueue), UNHEARD]);
        let fault = Fault { code, words: "the broker's words".to_owned() };
        let result = reports.verdict(Some(fault), Some("broker is down".to_owned()), newer, SILENCE);
        assert!(chain(result.as_ref().unwrap_err()).contains("the broker's words"));
        said(&result)
    };
    assert_eq!(verdict(Code::Authentication, false), "paused authentication");
    // The file of the password holds another by now.
    assert_eq!(verdict(Code::Authentication, true), "transient 0ns");
    assert_eq!(verdict(Code::SSL, true), "paused tls");
    assert_eq!(verdict(Code::OutOfOrderSequenceNumber, false), "transient");
    assert_eq!(verdict(Code::ClusterAuthorizationFailed, false), "paused permission");
}

#[test]
fn silence_is_explained_by_the_last_complaint() {
    let mut reports = Reports::new(1);
    reports.heard(vec![UNHEARD]);
    let error =
        reports.verdict(None, Some("b-1:9092: connection refused".to_owned()), false, SILENCE).unwrap_err();
    let text = chain(&error);
    assert!(
        text.contains("nothing was heard of the events for 30s; last: b-1:9092: connection refused"),
        "{text}"
    );
}

#[test]
fn only_refused_contents_and_sizes_leave_the_producer_alive() {
    let ends = |report| {
        let mut reports = Reports::new(2);
        reports.heard(vec![TAKEN, report]);
        reports.ends_a_life()
    };
    assert!(!ends(TAKEN));
    assert!(!ends(failed(Code::InvalidRecord)));
    assert!(!ends(failed(Code::InvalidDifferentRecord)));
    assert!(!ends(failed(Code::MessageSizeTooLarge)));
    assert!(ends(failed(Code::TopicAuthorizationFailed)));
    assert!(ends(failed(Code::OutOfOrderSequenceNumber)));
}
