//! One life of a producer of librdkafka, and the thread that hears its reports.
//!
//! The thread is the producer's own: it makes the client, serves its reports, and destroys it. Making reads certificates,
//! destroying waits for librdkafka's threads, and neither may hold up a thread of the runtime. It ends by itself when
//! nobody holds the producer any more, so nothing of a sink goes on after the sink.

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use http_client::delivery::Hidden;
use rdkafka::ClientContext;
use rdkafka::client::{Client, OAuthToken};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext, PurgeConfig};
use tokio::sync::{Notify, oneshot, watch};

use crate::flight::Ticket;
use crate::renewal::{NOT_RENEWED, Renewal};
use crate::sasl::Identity;
use crate::statistics::{Observer, Statistics};

/// So long the thread serves reports before it looks around: whether anybody holds its producer still, and who waits for
/// room. librdkafka counts a message until its report is destroyed, which is after the callback that tells of it, so a
/// writer that was woken by the callback alone might find the queue full once more, and never be woken again.
const SLICE: Duration = Duration::from_millis(20);

/// What librdkafka tells of a producer as a whole, after which it is of no more use.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) code: RDKafkaErrorCode,
    pub(crate) words: String,
}

/// A producer. When the last handle goes, what it has not sent is thrown away: those who gave it the events have been
/// told that they were not delivered.
pub(crate) struct Producer {
    client: Arc<BaseProducer<Reports>>,
    /// Held while a write is put in, so that the events of one write stand together and in order.
    pub(crate) entry: tokio::sync::Mutex<()>,
    /// What it was made with.
    pub(crate) identity: Arc<Identity>,
    is_retired: AtomicBool,
}

/// Resolves when a producer's client is destroyed and can send nothing more.
pub(crate) type Ended = oneshot::Receiver<()>;

/// A producer that is being made.
pub(crate) type Starting = oneshot::Receiver<Result<BaseProducerHandle, KafkaError>>;
pub(crate) type BaseProducerHandle = Arc<BaseProducer<Reports>>;

impl Producer {
    /// Starts the thread.
    ///
    /// # Errors
    /// There can be no more threads.
    pub(crate) fn spawn(config: ClientConfig, reports: Reports) -> io::Result<(Starting, Ended)> {
        let (ready, starting) = oneshot::channel();
        let (ending, ended) = oneshot::channel::<()>();
        let life = move || {
            match BaseProducer::from_config_and_context(&config, reports) {
                Ok(client) => {
                    let client = Arc::new(client);
                    // Nobody may be waiting any more: then the count says so.
                    drop(ready.send(Ok(client.clone())));
                    while Arc::strong_count(&client) > 1 {
                        client.poll(SLICE);
                        client.context().room.notify_waiters();
                    }
                    client.context().statistics.end();
                }
                Err(error) => drop(ready.send(Err(error))),
            }
            drop(ending);
        };
        thread::Builder::new().name("kafka-reports".to_owned()).spawn(life)?;
        Ok((starting, ended))
    }

    pub(crate) fn new(client: BaseProducerHandle, identity: Arc<Identity>) -> Self {
        Self { client, entry: tokio::sync::Mutex::default(), identity, is_retired: AtomicBool::new(false) }
    }

    pub(crate) fn client(&self) -> &BaseProducer<Reports> {
        &self.client
    }

    pub(crate) fn connection(&self) -> &Client<Reports> {
        self.client.client()
    }

    pub(crate) fn reports(&self) -> &Reports {
        self.client.client().context()
    }

    /// Whether it takes no more events.
    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire) || self.reports().fault.borrow().is_some()
    }

    /// Ends its life: what is queued or under way is thrown away, and reported as such to the writes that wait for it.
    /// What a broker has been sent may be persisted all the same.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
        self.client.purge(PurgeConfig::default().queue().inflight().non_blocking());
        self.reports().room.notify_waiters();
    }

    /// What has put an end to it, in its own words. After a fatal error the messages are reported as purged before the
    /// error is, so librdkafka is asked.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.connection().fatal_error() {
            Some((code, words)) => Some(Fault { code, words: self.reports().visible(&words) }),
            None => self.reports().fault.borrow().clone(),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.retire();
    }
}

/// Where librdkafka reports to.
pub(crate) struct Reports {
    /// Told at each report: there is room in the queue.
    pub(crate) room: Notify,
    /// Set once.
    pub(crate) fault: watch::Sender<Option<Fault>>,
    /// The last complaint that may pass by itself; explains a time-out.
    trouble: Mutex<Option<String>>,
    /// What nothing may show.
    hidden: Mutex<Hidden>,
    renewal: Renewal,
    statistics: Statistics,
}

impl Reports {
    pub(crate) fn new(hidden: Hidden, renewal: Renewal, observer: Option<Observer>) -> Self {
        Self {
            room: Notify::new(),
            fault: watch::Sender::new(None),
            trouble: Mutex::new(None),
            hidden: Mutex::new(hidden),
            renewal,
            statistics: Statistics::new(observer),
        }
    }

    /// Whether the producer's token has ended without another one.
    pub(crate) fn has_ended_token(&self) -> bool {
        self.renewal.has_ended()
    }

    fn hidden(&self) -> MutexGuard<'_, Hidden> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last complaint.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text on one line and without secrets, should a broker repeat them.
    pub(crate) fn visible(&self, text: &str) -> String {
        self.hidden().blotted(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// The code of a complaint that does not pass by itself.
fn fault_of(code: RDKafkaErrorCode, reason: &str) -> Option<RDKafkaErrorCode> {
    match code {
        // The token at hand goes on, and librdkafka soon asks again.
        RDKafkaErrorCode::Authentication if reason.contains(NOT_RENEWED) => None,
        RDKafkaErrorCode::Fatal
        | RDKafkaErrorCode::Authentication
        | RDKafkaErrorCode::SaslAuthenticationFailed
        | RDKafkaErrorCode::UnsupportedSASLMechanism => Some(code),
        // A broker that goes away in a handshake is told as a failed handshake.
        RDKafkaErrorCode::SSL => {
            let reason = reason.to_ascii_lowercase();
            let passes = ["disconnected", "reset", "broken pipe", "timed out"];
            (!passes.iter().any(|word| reason.contains(word))).then_some(code)
        }
        // In TLS 1.3 a client certificate is refused after the handshake, which is told as a lost connection, in OpenSSL's
        // words (RFC 8446, 6.2).
        RDKafkaErrorCode::BrokerTransportFailure if reason.contains("SSL alert number") => {
            Some(RDKafkaErrorCode::SSL)
        }
        _ => None,
    }
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// In the producer's own thread, which hears no reports meanwhile.
    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        match self.renewal.next() {
            Ok(token) => {
                self.hidden().hide(&token.text);
                Ok(token.into())
            }
            Err(why) => {
                let why = self.visible(&why);
                tracing::warn!(why, "a token is missing that is soon needed");
                Err(why.into())
            }
        }
    }

    /// Whatever its level is there: librdkafka repeats its complaints at every attempt to connect, and what matters of them
    /// comes back once, in an error of the sink. Here they are for those who look closer.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let message = self.visible(message);
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        let words = self.visible(reason);
        tracing::debug!(%code, words, "librdkafka complains");
        if let Some(code) = fault_of(code, reason) {
            self.fault.send_if_modified(|fault| {
                let is_first = fault.is_none();
                fault.get_or_insert(Fault { code, words });
                is_first
            });
            return;
        }
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        // That no broker is up follows from what was said before.
        if code != RDKafkaErrorCode::AllBrokersDown || trouble.is_none() {
            *trouble = Some(words);
        }
    }

    fn stats_raw(&self, json: &[u8]) {
        self.statistics.tell(json);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        ticket.report(match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        });
        self.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    #[test]
    fn what_passes_by_itself_is_no_fault() {
        use RDKafkaErrorCode as Code;
        let tls =
            |why: &str| fault_of(Code::SSL, &format!("ssl://b:1/bootstrap: SSL handshake failed: {why}"));
        assert_eq!(tls("certificate verify failed"), Some(Code::SSL));
        assert_eq!(tls("wrong version number"), Some(Code::SSL));
        assert_eq!(tls("Disconnected: a PLAINTEXT broker listener?"), None);
        let refused = "ssl://b:1: Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42";
        assert_eq!(fault_of(Code::BrokerTransportFailure, refused), Some(Code::SSL));
        assert_eq!(
            fault_of(Code::BrokerTransportFailure, "b:1: Receive failed: Connection reset by peer"),
            None
        );
        assert_eq!(fault_of(Code::AllBrokersDown, "2/2 brokers are down"), None);
        assert_eq!(fault_of(Code::Resolve, "unknown host"), None);
        assert_eq!(fault_of(Code::Authentication, "invalid credentials"), Some(Code::Authentication));
        let words = format!("Failed to acquire SASL OAUTHBEARER token: {NOT_RENEWED}503");
        assert_eq!(fault_of(Code::Authentication, &words), None);
    }

    /// Counts what is logged above `debug`.
    struct Loud(AtomicUsize);

    impl Subscriber for Loud {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() < Level::DEBUG
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[tokio::test]
    async fn what_comes_back_as_an_error_is_not_logged_aloud_as_well() {
        let reports = crate::tests::reports(Hidden::default());
        let loud = Arc::new(Loud(AtomicUsize::new(0)));
        tracing::subscriber::with_default(loud.clone(), || {
            for level in [RDKafkaLogLevel::Emerg, RDKafkaLogLevel::Error, RDKafkaLogLevel::Notice] {
                reports.log(level, "FAIL", "ssl://b:1/bootstrap: SSL handshake failed");
            }
            reports.error(KafkaError::Global(RDKafkaErrorCode::SSL), "ssl://b:1: certificate verify failed");
            assert_eq!(loud.0.load(Ordering::Relaxed), 0);
            tracing::info!("this is heard");
        });
        assert_eq!(loud.0.load(Ordering::Relaxed), 1);
        assert!(reports.fault.borrow().is_some());
    }

    #[tokio::test]
    async fn secrets_and_control_characters_do_not_show() {
        let mut hidden = Hidden::default();
        hidden.hide("hunter2");
        let reports = crate::tests::reports(hidden);
        assert_eq!(reports.visible("no:\nhunter2 is wrong"), "no: … is wrong");
        reports.error(KafkaError::Global(RDKafkaErrorCode::Resolve), "hunter2.example: unknown");
        reports.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(reports.trouble().unwrap(), "….example: unknown");
        assert!(reports.fault.borrow().is_none());
    }
}
