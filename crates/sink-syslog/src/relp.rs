//! RELP, the Reliable Event Logging Protocol of rsyslog (its specification: "The Reliable Event Logging Protocol", and
//! librelp): the receiver answers each message when it has taken it.
//!
//! A frame is `TXNR SP COMMAND SP LENGTH [SP DATA] LF`; LENGTH counts the bytes of DATA, and there is neither blank nor
//! DATA when it is 0. An answer is a frame with the number of what it answers, the command `rsp`, and data that begins with
//! a status: `200` for yes. A session begins with `open` and what the sides can do; it ends with `close`, or with the
//! receiver's `serverclose`, whose number is 0.
//!
//! What is not answered when the connection ends may have been taken or not, and comes again.

use std::future::poll_fn;
use std::task::Poll;

use pipeline::Reason;

use crate::failure::Failure;
use crate::limit::Limit;
use crate::message::Messages;
use crate::stream::Stream;

mod frame;
mod number;

use self::frame::{Frame, Inbox};
use self::number::Number;

/// Most messages on their way without an answer. librelp has 128; more than that is taken as well, and keeps the way to a
/// receiver that is far away full.
const WINDOW: usize = 1024;

/// Bytes that are handed to the connection at once.
const CHUNK: usize = 128 << 10;

/// Most characters of an answer that are kept.
const MOST_WORDS: usize = 300;

/// A session. After an error, or a call that was cancelled, it is of no use any more.
pub(crate) struct Session {
    stream: Stream,
    inbox: Inbox,
    /// Of the next frame.
    next: Number,
    /// Every frame that was begun is sent and answered.
    is_settled: bool,
}

/// What became of messages, by their place among them.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// Whether each was answered.
    pub(crate) answered: Vec<bool>,
    /// Those answered with something else than yes.
    pub(crate) refused: Vec<(usize, Reason)>,
}

impl Session {
    /// Agrees on `syslog` with the receiver, in time.
    pub(crate) async fn open(stream: Stream, limit: Limit) -> Result<Self, Failure> {
        let mut session = Self { stream, inbox: Inbox::default(), next: Number::FIRST, is_settled: false };
        let server = session.stream.server().to_owned();
        let opened = limit.keep(|after| Failure::NoSession { server, after }, session.agree()).await;
        opened.map_err(|failure| session.stream.refused(failure))?;
        session.is_settled = true;
        Ok(session)
    }

    async fn agree(&mut self) -> Result<(), Failure> {
        let offer =
            concat!("relp_version=0\nrelp_software=towpath,", env!("CARGO_PKG_VERSION"), "\ncommands=syslog");
        let mut out = Vec::new();
        let number = self.next.take();
        frame::push(number, "open", offer.as_bytes(), &mut out);
        let mut sent = 0;
        let Self { stream, inbox, .. } = self;
        let server = stream.server().to_owned();
        let answer = poll_fn(|context| {
            let mut answer = None;
            let heard = stream.poll_heard(context, |bytes| {
                inbox.push(bytes);
                answer = inbox.next(&server)?;
                Ok(())
            });
            match (answer, heard) {
                (Some(frame), _) => return Poll::Ready(Ok(frame)),
                (None, Poll::Ready(failure)) => return Poll::Ready(Err(failure)),
                (None, Poll::Pending) => {}
            }
            match stream.poll_sent(context, &out, &mut sent) {
                Poll::Ready(Err(failure)) => Poll::Ready(Err(failure)),
                _ => Poll::Pending,
            }
        })
        .await?;
        let words = shown(&answer.data);
        match answer {
            Frame { number: Some(answered), command, data } if answered == number && command == "rsp" => {
                // `commands` lists what the receiver takes; one that lists nothing says nothing against it.
                let text = String::from_utf8_lossy(&data);
                let mut commands = text.lines().filter_map(|line| line.strip_prefix("commands="));
                let takes_syslog =
                    commands.all(|list| list.split(',').any(|command| command.trim() == "syslog"));
                if is_yes(&data) && takes_syslog { Ok(()) } else { Err(Failure::Session { server, words }) }
            }
            Frame { command, .. } if command == "serverclose" => Err(Failure::SessionEnded { server }),
            Frame { .. } => Err(Failure::NotRelp { server, words }),
        }
    }

    /// See [`Stream::is_closed`].
    pub(crate) fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }

    /// Why the session cannot be used any more, as far as that is known without waiting.
    pub(crate) async fn ended(&mut self) -> Option<Failure> {
        let Self { stream, inbox, .. } = self;
        let server = stream.server().to_owned();
        poll_fn(|context| {
            let heard = stream.poll_heard(context, |bytes| {
                inbox.push(bytes);
                // Nothing is on its way, so whatever comes is the end.
                Err(Failure::SessionEnded { server: server.clone() })
            });
            match heard {
                Poll::Ready(failure) => Poll::Ready(Some(failure)),
                Poll::Pending => Poll::Ready(None),
            }
        })
        .await
    }

    /// Sends the messages and collects the answers, until all are there. What was answered before a failure stands in
    /// `answers`.
    pub(crate) async fn deliver(
        &mut self,
        messages: &Messages,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let count = messages.ends.len();
        answers.answered = vec![false; count];
        self.is_settled = false;
        let Self { stream, inbox, next, .. } = self;
        let server = stream.server().to_owned();
        let first = *next;
        let (mut begun, mut done) = (0, 0);
        let (mut out, mut sent) = (Vec::with_capacity(CHUNK * 2), 0);
        poll_fn(|context| {
            loop {
                let heard = stream.poll_heard(context, |bytes| {
                    inbox.push(bytes);
                    while let Some(frame) = inbox.next(&server)? {
                        let place = answered(&frame, first, begun, &server)?;
                        if std::mem::replace(&mut answers.answered[place], true) {
                            let words = format!("a second answer to one message: {}", shown(&frame.data));
                            return Err(Failure::NotRelp { server: server.clone(), words });
                        }
                        done += 1;
                        if !is_yes(&frame.data) {
                            let detail = format!("receiver answers {}", shown(&frame.data)).into();
                            answers.refused.push((place, Reason { kind: "refused", detail }));
                        }
                    }
                    Ok(())
                });
                if done == count {
                    return Poll::Ready(Ok(()));
                }
                if let Poll::Ready(failure) = heard {
                    return Poll::Ready(Err(failure));
                }
                if sent == out.len() {
                    out.clear();
                    sent = 0;
                    while begun < count && begun - done < WINDOW && out.len() < CHUNK {
                        frame::push(next.take(), "syslog", messages.get(begun), &mut out);
                        begun += 1;
                    }
                    if out.is_empty() {
                        // Only answers are missing, or the window is full of them.
                        return Poll::Pending;
                    }
                }
                match stream.poll_sent(context, &out, &mut sent) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(failure)) => return Poll::Ready(Err(failure)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await?;
        self.is_settled = true;
        Ok(())
    }
}

impl Session {
    /// Ends the session and reads until the receiver has ended the connection, as it does then. How it ended.
    pub(crate) async fn finish(&mut self) -> Failure {
        self.is_settled = false;
        let Self { stream, next, .. } = self;
        let (mut out, mut sent) = (Vec::new(), 0);
        frame::push(next.take(), "close", b"", &mut out);
        poll_fn(|context| match stream.poll_sent(context, &out, &mut sent) {
            Poll::Ready(Err(failure)) => Poll::Ready(failure),
            _ => stream.poll_heard(context, |_| Ok(())),
        })
        .await
    }
}

impl Drop for Session {
    /// Ends the session, if the receiver is not in the middle of something.
    fn drop(&mut self) {
        if self.is_settled {
            let mut out = Vec::new();
            frame::push(self.next.take(), "close", b"", &mut out);
            self.stream.last_words(&out);
        }
    }
}

/// Which of the messages a frame answers; an end or nonsense is an error.
fn answered(frame: &Frame, first: Number, begun: usize, server: &str) -> Result<usize, Failure> {
    match frame {
        Frame { command, .. } if command == "serverclose" => {
            Err(Failure::SessionEnded { server: server.to_owned() })
        }
        Frame { number: Some(number), command, .. } if command == "rsp" => {
            let place = Some(number.since(first)).filter(|place| *place < begun);
            place.ok_or_else(|| {
                let words = format!("an answer to nothing: {}", shown(&frame.data));
                Failure::NotRelp { server: server.to_owned(), words }
            })
        }
        frame => {
            let words = format!("{} {}", frame.command, shown(&frame.data));
            Err(Failure::NotRelp { server: server.to_owned(), words })
        }
    }
}

/// A status of 200, alone or with words behind it.
fn is_yes(answer: &[u8]) -> bool {
    answer.strip_prefix(b"200").is_some_and(|rest| rest.first().is_none_or(|byte| !byte.is_ascii_digit()))
}

/// The beginning of an answer on one line.
fn shown(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let one_line = text.trim().chars().take(MOST_WORDS);
    one_line.map(|c| if c.is_control() { ' ' } else { c }).collect()
}
