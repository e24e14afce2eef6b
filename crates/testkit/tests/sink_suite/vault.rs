//! A destination in memory that behaves like one across a network, a good sink to it, and all the ways to get it wrong.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::{BoxError, Outcome, Reason, Sink, SinkError, Write};
use testkit::sink::{CannotHappen, Delivery, Destination, Harness, Held, POISON, Trouble, Unheard};
use tokio::time::{sleep, timeout};

const TOKEN: &str = "t0ken-of-the-vault";

/// What a sink can get wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    NeverDelivers,
    AcknowledgesBeforeWriting,
    WritesTheWholeBatch,
    LosesTheLastPart,
    TrimsText,
    ParsesNumbers,
    SendsEmptyWrites,
    NeedsOpen,
    OpenStaysBroken,
    OpenDelivers,
    CheckDelivers,
    CheckSaysYes,
    CheckShowsTheToken,
    ErrorsShowTheToken,
    PausesForEverything,
    PausesForNothing,
    StaysPaused,
    CallsFailuresRefusals,
    CallsPartsTaken,
    CallsLostAnswersTaken,
    WaitsForEver,
    NewIdEachTime,
    OneIdForAll,
    SwallowsWhatIsTooLarge,
    AsksAgainForWhatIsTooLarge,
    SwallowsPoison,
    NamesTheWrongEvent,
    NamesEventsTwice,
    StaysBusyWhenDropped,
    TearsWhenDropped,
    KeepsWhatWasDropped,
    ForgetsAtStart,
    RefusesAtOnce,
    RemedyWithoutWords,
    BreaksOnLargeWrites,
    CannotBeDroppedInOpen,
    WritesAgainWhatWasTaken,
    GivesUpWhenSlow,
}

pub(crate) struct VaultHarness {
    pub(crate) defect: Option<Defect>,
}

#[async_trait]
impl Harness for VaultHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        Box::new(VaultTest { defect: self.defect, vault: Arc::default() })
    }

    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

struct VaultTest {
    defect: Option<Defect>,
    vault: Arc<Vault>,
}

#[derive(Default)]
struct Vault {
    held: Mutex<Held>,
    trouble: Mutex<Option<Trouble>>,
}

impl Destination for VaultTest {
    fn sink(&self) -> Arc<dyn Sink> {
        if self.defect == Some(Defect::ForgetsAtStart) {
            self.vault.held.lock().unwrap().deliveries.clear();
        }
        Arc::new(VaultSink {
            vault: self.vault.clone(),
            defect: self.defect,
            opened: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            spoiled: AtomicBool::new(false),
            counter: AtomicU64::new(0),
            left: Mutex::default(),
        })
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        if trouble == Trouble::Untrusted {
            return Err(CannotHappen("there is no network"));
        }
        *self.vault.trouble.lock().unwrap() = Some(trouble);
        Ok(())
    }

    fn heal(&self) {
        *self.vault.trouble.lock().unwrap() = None;
    }

    fn held(&self) -> Held {
        self.vault.held.lock().unwrap().clone()
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }
}

/// What the vault answers.
enum Answer {
    Taken,
    TakenUpTo(usize),
    Busy,
    Nowhere,
    WhoAreYou,
    TooLarge,
    Refused(usize),
    /// It will not answer.
    Never,
}

impl Vault {
    async fn submit(&self, id: String, events: Vec<String>) -> Answer {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let trouble = *self.trouble.lock().unwrap();
        let bytes: usize = events.iter().map(|event| event.len() + 1).sum();
        let take = |events: Vec<String>| {
            let delivery = Delivery { id: Some(id.clone()), events };
            self.held.lock().unwrap().deliveries.push(delivery);
        };
        let once = || *self.trouble.lock().unwrap() = None;
        let answer = match trouble {
            Some(Trouble::Failing) => Answer::Busy,
            Some(Trouble::Misplaced | Trouble::Unreachable) => Answer::Nowhere,
            Some(Trouble::Unauthorised) => Answer::WhoAreYou,
            Some(Trouble::Limit(most)) if bytes > most => Answer::TooLarge,
            Some(Trouble::Poison) if events.iter().any(|event| event.contains(POISON)) => {
                let at = events.iter().position(|event| event.contains(POISON)).unwrap();
                Answer::Refused(at)
            }
            Some(Trouble::TakesPart) => {
                once();
                // Not under the id of the whole.
                let part = events[..events.len() / 2].to_vec();
                let id = Some(format!("{id}/part"));
                self.held.lock().unwrap().deliveries.push(Delivery { id, events: part });
                Answer::TakenUpTo(events.len() / 2)
            }
            Some(Trouble::AnswerLost) => {
                once();
                take(events);
                Answer::Never
            }
            Some(Trouble::Slow(wait)) => {
                sleep(wait / 2).await;
                take(events);
                sleep(wait / 2).await;
                Answer::Taken
            }
            _ => {
                take(events);
                Answer::Taken
            }
        };
        tokio::task::yield_now().await;
        answer
    }
}

struct VaultSink {
    vault: Arc<Vault>,
    defect: Option<Defect>,
    opened: AtomicBool,
    busy: AtomicBool,
    spoiled: AtomicBool,
    counter: AtomicU64,
    left: Mutex<VecDeque<String>>,
}

#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the vault says no to {}", self.0)
    }
}

impl Error for Said {}

impl VaultSink {
    fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn said(&self) -> BoxError {
        let token = if self.is(Defect::ErrorsShowTheToken) { TOKEN } else { "…" };
        Said(format!("token {token}")).into()
    }

    fn transient(&self) -> SinkError {
        if self.is(Defect::CallsFailuresRefusals) {
            return self.rejected();
        }
        if self.is(Defect::PausesForEverything) {
            return self.paused("trouble");
        }
        SinkError::Transient { retry_after: None, source: self.said() }
    }

    fn paused(&self, reason: &'static str) -> SinkError {
        if self.is(Defect::PausesForNothing) {
            return SinkError::Transient { retry_after: None, source: self.said() };
        }
        if self.is(Defect::StaysPaused) {
            self.spoiled.store(true, Ordering::SeqCst);
        }
        let remedy = if self.is(Defect::RemedyWithoutWords) { "no" } else { "correct the vault's `token`" };
        SinkError::Paused { reason, remedy: remedy.to_owned(), source: self.said() }
    }

    fn rejected(&self) -> SinkError {
        SinkError::Rejected {
            reason: Reason { kind: "content", detail: "the vault does not like it".into() },
        }
    }

    fn events(&self, events: &Write) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut texts: Vec<String> = if self.is(Defect::WritesTheWholeBatch) {
            let batches = events.parts().iter().map(|(batch, _)| batch);
            batches.flat_map(|batch| batch.events.iter().map(|meta| text(batch.text(meta)))).collect()
        } else {
            events.events().map(|(batch, meta)| text(batch.text(meta))).collect()
        };
        if self.is(Defect::LosesTheLastPart) && events.parts().len() > 1 {
            texts.truncate(texts.len() - events.parts().last().unwrap().1.len());
        }
        if self.is(Defect::TrimsText) {
            texts = texts.into_iter().map(|text| text.replace(" \"", "\"")).collect();
        }
        if self.is(Defect::ParsesNumbers) {
            texts = texts.into_iter().map(|text| text.replace("1.50", "1.5")).collect();
        }
        texts
    }

    fn id(&self, events: &Write) -> String {
        match self.defect {
            Some(Defect::NewIdEachTime) => {
                format!("{}-{:p}", self.counter.fetch_add(1, Ordering::SeqCst), self)
            }
            Some(Defect::OneIdForAll) => "the-id".to_owned(),
            _ => events.events().map(|(_, meta)| format!("{:x}.", meta.id)).collect(),
        }
    }
}

#[async_trait]
impl Sink for VaultSink {
    async fn check(&self) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        if self.is(Defect::CheckDelivers) {
            self.vault.submit("check".into(), vec!["{}".into()]).await;
        }
        let trouble = *self.vault.trouble.lock().unwrap();
        match trouble {
            Some(Trouble::Unauthorised) if self.is(Defect::CheckSaysYes) => Ok(()),
            Some(Trouble::Unauthorised) if self.is(Defect::CheckShowsTheToken) => {
                Err(format!("token {TOKEN} is not accepted").into())
            }
            Some(Trouble::Unauthorised) => Err(self.said()),
            _ => Ok(()),
        }
    }

    async fn open(&self) -> Result<(), SinkError> {
        if self.is(Defect::CannotBeDroppedInOpen) {
            self.vault.trouble.lock().unwrap().get_or_insert(Trouble::Failing);
            tokio::task::yield_now().await;
            *self.vault.trouble.lock().unwrap() = None;
        }
        tokio::task::yield_now().await;
        if self.is(Defect::OpenDelivers) {
            self.vault.submit("open".into(), vec!["{}".into()]).await;
        }
        let trouble = *self.vault.trouble.lock().unwrap();
        if trouble == Some(Trouble::Misplaced) {
            self.spoiled.store(self.is(Defect::OpenStaysBroken), Ordering::SeqCst);
            return Err(self.paused("place"));
        }
        self.opened.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        if self.spoiled.load(Ordering::SeqCst) {
            return Err(self.paused("place"));
        }
        if events.is_empty() && !self.is(Defect::SendsEmptyWrites) || self.is(Defect::NeverDelivers) {
            return Ok(Outcome::default());
        }
        if self.is(Defect::NeedsOpen) && !self.opened.load(Ordering::SeqCst) {
            return Err(self.paused("not_open"));
        }
        if self.is(Defect::BreaksOnLargeWrites) && events.len() > 350 {
            return Err(self.transient());
        }
        let one_at_a_time = self.is(Defect::RefusesAtOnce) || self.is(Defect::StaysBusyWhenDropped);
        if self.busy.swap(true, Ordering::SeqCst) && one_at_a_time {
            return Err(self.transient());
        }
        let texts = self.events(events);
        if self.is(Defect::TearsWhenDropped) {
            // Event by event, as if a write to a stream could not stop in the middle.
            let (last, whole) = texts.split_last().unwrap();
            self.vault.held.lock().unwrap().damage.push(last[..last.len() / 2].to_owned());
            tokio::task::yield_now().await;
            self.vault.held.lock().unwrap().damage.pop();
            assert_eq!(whole.len() + 1, texts.len());
        }
        if self.is(Defect::KeepsWhatWasDropped) {
            // A queue of its own: what was dropped goes out with the next write, under its id.
            self.left.lock().unwrap().extend(texts.clone());
            tokio::task::yield_now().await;
        }
        let texts = match self.defect {
            Some(Defect::KeepsWhatWasDropped) => std::mem::take(&mut *self.left.lock().unwrap()).into(),
            _ => texts,
        };
        let id = self.id(events);
        if self.is(Defect::AcknowledgesBeforeWriting) {
            let vault = self.vault.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(1)).await;
                vault.submit(id, texts).await;
            });
            return Ok(Outcome::default());
        }
        let answer = self.vault.submit(id.clone(), texts.clone());
        let answer = if self.is(Defect::GivesUpWhenSlow) {
            timeout(Duration::from_millis(10), answer).await.unwrap_or(Answer::Never)
        } else {
            answer.await
        };
        self.busy.store(false, Ordering::SeqCst);
        match answer {
            Answer::Taken => Ok(Outcome::default()),
            Answer::Never if self.is(Defect::CallsLostAnswersTaken) => Ok(Outcome::default()),
            Answer::Never if self.is(Defect::WaitsForEver) => std::future::pending().await,
            // A good sink has a time-out. No clock says here when that has passed: one that does takes a machine with much
            // to do for a vault that is silent.
            Answer::Never => {
                sleep(Duration::from_millis(20)).await;
                Err(self.transient())
            }
            Answer::TakenUpTo(_) if self.is(Defect::CallsPartsTaken) => Ok(Outcome::default()),
            Answer::TakenUpTo(count) => {
                let from = if self.is(Defect::WritesAgainWhatWasTaken) { 0 } else { count };
                if self.is(Defect::WritesAgainWhatWasTaken) {
                    self.vault.submit(format!("{id}/again"), texts[..1].to_vec()).await;
                }
                let mut retry: Vec<u32> = (from as u32..events.len() as u32).collect();
                if self.is(Defect::NamesEventsTwice) {
                    retry.push(events.len() as u32 - 1);
                }
                Ok(Outcome { retry, ..Outcome::default() })
            }
            Answer::Busy => Err(self.transient()),
            Answer::Nowhere => Err(self.paused("place")),
            Answer::WhoAreYou => Err(self.paused("authentication")),
            Answer::TooLarge if self.is(Defect::SwallowsWhatIsTooLarge) => Ok(Outcome::default()),
            Answer::TooLarge if self.is(Defect::AsksAgainForWhatIsTooLarge) => Err(self.transient()),
            Answer::TooLarge => Err(SinkError::TooLarge(self.said())),
            Answer::Refused(_) if self.is(Defect::SwallowsPoison) => Ok(Outcome::default()),
            Answer::Refused(at) if self.is(Defect::NamesTheWrongEvent) => {
                let wrong = (at as u32 + 1) % events.len() as u32;
                let reason = Reason { kind: "content", detail: "the vault does not like it".into() };
                Ok(Outcome { rejected: vec![(wrong, reason)], ..Outcome::default() })
            }
            Answer::Refused(_) => Err(self.rejected()),
        }
    }
}
