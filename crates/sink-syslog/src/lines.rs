//! Messages over TCP or TLS, where nobody answers: a write is done when the other machine has acknowledged all of its bytes.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::timeout;

use crate::acknowledged::{self, Bytes};
use crate::failure::Failure;
use crate::message::Messages;
use crate::stream::Stream;

/// Looks at the kernel before the first pause: on a fast network the bytes are acknowledged by then.
const EAGER_LOOKS: u32 = 4;

/// The kernel tells nobody when all is acknowledged, so it is asked again and again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Sends the messages and waits until all bytes are acknowledged. Cancelled, or after a failure, the stream is of no use any
/// more: it may end in the middle of a message. A receiver that counts octets drops that; one that reads lines keeps it
/// beside the whole message, which comes again.
pub(crate) async fn deliver(stream: &mut Stream, messages: &Messages) -> Result<(), Failure> {
    let mut sent = 0;
    poll_fn(|context| {
        if let Poll::Ready(failure) = stream.poll_heard(context, |_| Ok(())) {
            return Poll::Ready(Err(failure));
        }
        stream.poll_sent(context, &messages.bytes, &mut sent)
    })
    .await?;
    acknowledgement(stream).await
}

async fn acknowledgement(stream: &mut Stream) -> Result<(), Failure> {
    let mut pause = SHORTEST_PAUSE;
    for look in 0u32.. {
        let server = stream.server().to_owned();
        let lost = |source| Failure::Closed { server, source };
        match acknowledged::ask(stream.tcp()).map_err(lost)? {
            // A refusal that came meanwhile counts more: the machine has the bytes, the receiver does not want them.
            Bytes::Acknowledged => return stream.ended().await.map_or(Ok(()), Err),
            Bytes::Unknown => return Err(end(stream).await),
            Bytes::Outstanding if look < EAGER_LOOKS => yield_now().await,
            Bytes::Outstanding => match timeout(pause, end(stream)).await {
                Ok(failure) => return Err(failure),
                Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            },
        }
    }
    unreachable!("it is asked until there is an answer")
}

/// Waits for the end of the connection and its reason.
async fn end(stream: &mut Stream) -> Failure {
    poll_fn(|context| stream.poll_heard(context, |_| Ok(()))).await
}
