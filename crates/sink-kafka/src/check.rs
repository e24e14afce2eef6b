//! `check --connect`: does the cluster know the topic, and accept the credentials?

use std::time::Duration;

use http_client::delivery::as_found;
use pipeline::SinkError;
use rdkafka::error::{IsError as _, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;
use tokio::task::spawn_blocking;

use crate::KafkaSink;
use crate::policy::{self, Class};
use crate::producer::Fault;
use crate::token;
use crate::verdict::Complaint;

/// Longest wait for the cluster's answer: a person sits in front of it.
const PATIENCE: Duration = Duration::from_secs(10);

impl KafkaSink {
    /// Asks for the topic, which delivers nothing and creates nothing. Whether its user may write shows only when it does.
    pub(crate) async fn prove(&self) -> Result<(), SinkError> {
        let producer = self.producers.current().await.map_err(suspicious)?;
        let mut faults = producer.reports().fault.subscribe();
        let (asking, topic) = (producer.clone(), self.settings.topic.clone());
        let patience = self.settings.timeout.min(PATIENCE);
        // librdkafka waits for the answer in the calling thread.
        let answer = spawn_blocking(move || {
            let metadata = asking.client().client().fetch_metadata(Some(&topic), patience);
            metadata.map(|metadata| metadata.topics().first().and_then(|topic| topic.error()))
        });
        let answer = tokio::select! {
            answer = answer => answer.map_err(|panic| SinkError::Transient { retry_after: None, source: panic.into() })?,
            _ = faults.wait_for(Option::is_some) => Ok(None),
        };
        if let Some(Fault { code, words }) = producer.fault() {
            if crate::verdict::is_about_credentials(code) {
                self.producers.access().refused(&producer.identity);
            }
            return Err(found(code, words));
        }
        match answer {
            Ok(None) => Ok(()),
            Ok(Some(code)) if !code.is_error() => Ok(()),
            Ok(Some(code)) => {
                let code = RDKafkaErrorCode::from(code);
                Err(found(code, code.to_string()))
            }
            // No broker could be asked. Whoever checks a configuration has most likely written down a wrong address.
            Err(error) => {
                let words = producer.reports().trouble().unwrap_or_else(|| error.to_string());
                Err(SinkError::Paused {
                    reason: "unreachable",
                    remedy: "check `brokers`, what stands between here and there, and whether their listener wants `tls` or `sasl`"
                        .to_owned(),
                    source: Complaint(words).into(),
                })
            }
        }
    }
}

/// A token endpoint that cannot be reached has most likely a wrong address, too.
fn suspicious(error: SinkError) -> SinkError {
    let SinkError::Transient { retry_after, source } = error else { return error };
    match source.downcast() {
        Ok(error) => as_found(*error, &token::KEYS),
        Err(source) => SinkError::Transient { retry_after, source },
    }
}

fn found(code: RDKafkaErrorCode, words: String) -> SinkError {
    let source = Complaint(words).into();
    match policy::class(code) {
        Class::Paused { reason, remedy } => SinkError::Paused { reason, remedy: remedy.to_owned(), source },
        Class::Again | Class::TooLarge | Class::Content(_) => {
            SinkError::Transient { retry_after: None, source }
        }
    }
}
