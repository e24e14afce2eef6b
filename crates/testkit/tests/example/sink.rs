//! Delivers events to a collector over TCP.
//!
//! A delivery is a connection: four bytes of length, then a header line `TOKEN ID`, then the events, one a line. The
//! collector answers with one line and closes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{BoxError, Outcome, Reason, Sink, SinkError, Write};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The sink. It holds no connection, so a dropped write leaves nothing behind but a closed one.
pub struct CollectorSink {
    /// Where the collector listens.
    pub address: SocketAddr,
    /// What it knows us by.
    pub token: String,
    /// Longest time of one delivery.
    pub timeout: Duration,
}

impl CollectorSink {
    /// One delivery and its answer. No answer in time is an error like any other: the collector may have the events, and
    /// they come again with the same id.
    async fn exchange(
        &self,
        id: &str,
        lines: impl Iterator<Item = bytes::Bytes>,
    ) -> Result<String, SinkError> {
        let mut body = format!("{} {id}\n", self.token).into_bytes();
        lines.for_each(|line| body.extend_from_slice(&line));
        let work = async {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_u32(body.len() as u32).await?;
            stream.write_all(&body).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            // A connection that ends early is no answer, least of all a good one.
            let answer = answer.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
            // Some repeat what they were sent, and answers are shown in logs and dead letters.
            Ok::<_, io::Error>(answer.replace(&self.token, "…"))
        };
        let answer = timeout(self.timeout, work).await.map_err(|_| transient("no answer in time"))?;
        answer.map_err(transient)
    }
}

/// It may pass by itself: the runtime asks again, with growing waits.
fn transient(source: impl Into<BoxError>) -> SinkError {
    SinkError::Transient { retry_after: None, source: source.into() }
}

/// What each answer means, in one place. Nothing maps to dropping an event.
fn consequence(answer: &str) -> Result<Outcome, SinkError> {
    let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    match word {
        "ok" => Ok(Outcome::default()),
        // The first so many are taken, and do not come again.
        "part" => match rest.split_once('/').map(|(taken, all)| (taken.parse(), all.parse())) {
            Some((Ok(taken), Ok(all))) => Ok(Outcome { retry: (taken..all).collect(), ..Outcome::default() }),
            _ => Err(transient(format!("collector answers {answer:?}"))),
        },
        "busy" => Err(transient("collector is busy")),
        "too-large" => Err(SinkError::TooLarge("collector takes no write of this size".into())),
        // It does not say which event is at fault: the runtime splits the write until it stands alone.
        "refused" => Err(SinkError::Rejected { reason: Reason { kind: "content", detail: answer.into() } }),
        "denied" => Err(SinkError::Paused {
            reason: "authentication",
            remedy: "correct `token`: the collector does not accept it".to_owned(),
            source: "collector answers denied".into(),
        }),
        "moved" => Err(SinkError::Paused {
            reason: "not_found",
            remedy: "correct `address`: this collector takes no events of ours".to_owned(),
            source: "collector answers moved".into(),
        }),
        _ => Err(transient(format!("collector answers {answer:?}"))),
    }
}

/// Follows from the events and from nothing else: the same for every attempt, also by another process.
fn delivery_id(events: &Write) -> String {
    let fold = |id: u128, event: u128| id.rotate_left(5).wrapping_mul(0x2545_F491_4F6C_DD1D) ^ event;
    format!("{:032x}", events.events().fold(events.len() as u128, |id, (_, meta)| fold(id, meta.id)))
}

#[async_trait]
impl Sink for CollectorSink {
    /// Asks with an empty delivery, which the collector answers and does not keep.
    async fn check(&self) -> Result<(), BoxError> {
        let answer = self.exchange("check", std::iter::empty()).await?;
        consequence(&answer)?;
        Ok(())
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        if events.is_empty() {
            return Ok(Outcome::default());
        }
        let answer = self.exchange(&delivery_id(events), events.lines()).await?;
        consequence(&answer)
    }
}
